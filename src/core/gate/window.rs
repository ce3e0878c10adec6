//! Times in which something may be done, and times in which nothing may: recurring by RFC 5545 (`RRULE`) in a time zone, or once.

use std::str::FromStr;

use rrule::{Frequency, RRuleSet};

use super::reason::Reason;
use super::settings::Settings;
use super::verdict::Decision;
use crate::core::time::{Span, Timestamp};

/// Occurrences that are gone through at most: a daily one of a hundred years. What is older than that is over.
const MAX_OCCURRENCES: usize = 36_600;

/// A stretch of time that comes again, or once.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    pub name: String,
    /// Only for these services; for all where there are none.
    pub services: Vec<String>,
    when: When,
}

#[derive(Clone, Debug, PartialEq)]
enum When {
    Recurring { starts: Box<RRuleSet>, lasts: Span },
    Once { from: Timestamp, to: Timestamp },
}

/// What a window can't be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WindowError {
    #[error("{text:?} is no recurrence of RFC 5545: {cause} (as in FREQ=WEEKLY;BYDAY=SA,SU)")]
    Rule { text: String, cause: String },
    #[error("{text:?} comes more often than daily: want FREQ=DAILY, WEEKLY, MONTHLY or YEARLY")]
    TooOften { text: String },
    #[error("it ends before it begins")]
    Empty,
}

impl Window {
    /// `start` is the local time of the first occurrence (`20260103T220000`), `rule` how it comes again.
    pub fn recurring(
        name: String,
        services: Vec<String>,
        (start, zone): (&str, &str),
        rule: &str,
        lasts: Span,
    ) -> Result<Self, WindowError> {
        let wrong = |error: rrule::RRuleError| WindowError::Rule { text: rule.to_owned(), cause: error.to_string() };
        let starts = RRuleSet::from_str(&format!("DTSTART;TZID={zone}:{start}\nRRULE:{rule}")).map_err(wrong)?;
        let often = |freq| matches!(freq, Frequency::Hourly | Frequency::Minutely | Frequency::Secondly);
        if starts.get_rrule().iter().any(|rule| often(rule.get_freq())) {
            return Err(WindowError::TooOften { text: rule.to_owned() });
        }
        if lasts <= Span::ZERO {
            return Err(WindowError::Empty);
        }
        Ok(Self { name, services, when: When::Recurring { starts: Box::new(starts), lasts } })
    }

    pub fn once(name: String, services: Vec<String>, from: Timestamp, to: Timestamp) -> Result<Self, WindowError> {
        if from >= to { Err(WindowError::Empty) } else { Ok(Self { name, services, when: When::Once { from, to } }) }
    }

    fn is_for(&self, service: &str) -> bool {
        self.services.is_empty() || self.services.iter().any(|own| own == service)
    }

    /// Until when it lasts, if it is now; and when it begins next, if it ever does.
    fn at(&self, now: Timestamp) -> (Option<Timestamp>, Option<Timestamp>) {
        match &self.when {
            When::Once { from, to } => ((*from..*to).contains(&now).then_some(*to), (now < *from).then_some(*from)),
            When::Recurring { starts, lasts } => {
                let starts = (&**starts).into_iter().map(|start| Timestamp::from_millis(start.timestamp_millis()));
                let mut until = None;
                for start in starts.take(MAX_OCCURRENCES) {
                    if start > now {
                        return (until, Some(start));
                    }
                    // They may overlap: the last one that is under way ends last.
                    if now - start < *lasts {
                        until = Some(start + *lasts);
                    }
                }
                (until, None)
            }
        }
    }
}

/// What freezes and change windows say about a service.
pub(super) fn findings(settings: &Settings, service: &str, now: Timestamp) -> Vec<(Decision, Reason)> {
    let mut found = Vec::new();
    for freeze in settings.freezes.iter().filter(|window| window.is_for(service)) {
        if let (Some(until), _) = freeze.at(now) {
            found.push((Decision::Deny, Reason::Frozen { name: freeze.name.clone(), until }));
        }
    }
    let own: Vec<&Window> = settings.change_windows.iter().filter(|window| window.is_for(service)).collect();
    if own.is_empty() {
        return found;
    }
    let open = own.iter().find_map(|window| Some((window, window.at(now).0?)));
    found.push(match open {
        Some((window, until)) => (Decision::Allow, Reason::InWindow { name: window.name.clone(), until }),
        None => {
            let next = own.iter().filter_map(|window| window.at(now).1).min();
            (Decision::Deny, Reason::OutsideWindow { windows: own.len(), next })
        }
    });
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_night_comes_again_by_the_clock_on_the_wall() {
        let window =
            Window::recurring("night".into(), vec![], ("20260101T220000", "Europe/Berlin"), "FREQ=DAILY", Span::HOUR.times(4)).unwrap();
        // In winter ten in the evening is 21:00 UTC, in summer 20:00.
        assert_eq!(window.at(at("2026-02-01T21:00:00Z")).0, Some(at("2026-02-02T01:00:00Z")));
        assert_eq!(window.at(at("2026-02-01T20:59:59Z")), (None, Some(at("2026-02-01T21:00:00Z"))));
        assert!(window.at(at("2026-07-01T20:00:00Z")).0.is_some() && window.at(at("2026-07-02T00:00:00Z")).0.is_none());
        assert!(window.at(at("2025-12-31T22:00:00Z")).0.is_none(), "before the first");
    }

    #[test]
    fn weekends_end_and_what_is_wrong_is_said() {
        let make = |rule: &str, lasts| Window::recurring("w".into(), vec![], ("20260103T000000", "UTC"), rule, lasts);
        let weekend = make("FREQ=WEEKLY;BYDAY=SA;COUNT=2", Span::DAY.times(2)).unwrap();
        assert!(weekend.at(at("2026-01-04T12:00:00Z")).0.is_some() && weekend.at(at("2026-01-05T00:00:00Z")).0.is_none());
        assert_eq!(weekend.at(at("2026-01-20T00:00:00Z")), (None, None), "it came twice");
        assert!(matches!(make("FREQ=SOMETIMES", Span::DAY), Err(WindowError::Rule { .. })));
        assert!(matches!(make("FREQ=HOURLY", Span::DAY), Err(WindowError::TooOften { .. })));
        assert_eq!(make("FREQ=DAILY", Span::ZERO), Err(WindowError::Empty));
        assert_eq!(Window::once("x".into(), vec![], at("2026-01-02T00:00:00Z"), at("2026-01-02T00:00:00Z")), Err(WindowError::Empty));
    }

    #[test]
    fn freezes_and_windows_are_for_their_services() {
        let once = |name: &str, services: &[&str], from, to| {
            Window::once(name.into(), services.iter().map(|s| (*s).to_owned()).collect(), at(from), at(to)).unwrap()
        };
        let settings = Settings {
            freezes: vec![once("sale", &["shop"], "2026-11-27T00:00:00Z", "2026-11-30T00:00:00Z")],
            change_windows: vec![once("night", &["db"], "2026-11-27T20:00:00Z", "2026-11-27T23:00:00Z")],
            ..Settings::default()
        };
        let said = |service: &str, now: &str| findings(&settings, service, at(now)).into_iter().map(|(d, _)| d).collect::<Vec<_>>();
        assert_eq!(said("shop", "2026-11-28T00:00:00Z"), [Decision::Deny]);
        assert_eq!(said("shop", "2026-11-30T00:00:00Z"), []);
        assert_eq!((said("db", "2026-11-27T19:59:59Z"), said("db", "2026-11-27T20:00:00Z")), (vec![Decision::Deny], vec![Decision::Allow]));
        assert_eq!(said("other", "2026-11-28T00:00:00Z"), []);
        let night = &settings.change_windows[0];
        let (from, to) = (at("2026-11-27T20:00:00Z"), at("2026-11-27T23:00:00Z"));
        assert_eq!([night.at(from), night.at(to)], [(Some(to), None), (None, None)]);
        let change_windows = vec![once("later", &[], "2026-12-01T00:00:00Z", "2026-12-02T00:00:00Z"), night.clone()];
        let two = Settings { change_windows, ..Settings::default() };
        let (_, reason) = findings(&two, "db", at("2026-11-27T00:00:00Z")).remove(0);
        assert_eq!(reason, Reason::OutsideWindow { windows: 2, next: Some(from) }, "the nearest");
    }
}
