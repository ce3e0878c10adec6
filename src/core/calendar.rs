//! Days unlike others, and clocks that are changed: what the calendar says about the steps of a forecast.
//!
//! Holidays are civil dates in the watch's zone. They are given, not known: which days are holidays differs by country, company and year.

use std::collections::BTreeSet;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use portent_models::forecast::{Bounds, Calendar, Context};

use super::civil;
use super::time::{Span, Timestamp};

/// Days of one list at most: thirty years of a dozen holidays.
pub const MAX_DAYS: usize = 400;

/// Where days begin, and which of them are unlike others.
#[derive(Clone, Debug, PartialEq)]
pub struct Days {
    pub zone: TimeZone,
    pub holidays: BTreeSet<Date>,
}

impl Default for Days {
    fn default() -> Self {
        Self { zone: TimeZone::UTC, holidays: BTreeSet::new() }
    }
}

/// A date as people write it.
///
/// # Errors
/// What was wanted, when the text is something else.
pub fn date(text: &str) -> Result<Date, String> {
    // A time of day would be a moment, and it is not said in which zone.
    let is_date = text.len() == "2026-12-25".len() && text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    let date = text.parse().ok().filter(|_| is_date);
    date.ok_or_else(|| format!("{text:?} is not a date: want year-month-day, as 2026-12-25"))
}

impl Days {
    /// What models are told about equally spaced values, the last one at `last`, and `ahead` steps after it. `None` where there is nothing to
    /// tell: no holiday anywhere near, and no clock that is changed.
    pub fn calendar(&self, last: Timestamp, step: Span, past: usize, ahead: usize) -> Option<Calendar> {
        if self.zone == TimeZone::UTC && self.holidays.is_empty() {
            return None;
        }
        let step_ms = step.as_millis().max(1);
        let first = last - step.times(past as i64 - 1);
        let times = (0..(past + ahead) as i64).map(|i| first + step.times(i));
        let (mut offset_steps, mut unlike) = (Vec::with_capacity(past + ahead), Vec::with_capacity(past + ahead));
        // Asked of the zone once a stretch of one offset, and of the holidays once a day.
        let mut stretch = Stretch::EMPTY;
        let mut day = (i64::MIN, false);
        for at in times {
            if !stretch.holds(at) {
                stretch = Stretch::from(&self.zone, at);
            }
            offset_steps.push(i32::try_from((stretch.offset_ms + step_ms / 2).div_euclid(step_ms)).unwrap_or(0));
            let number = at.as_millis().saturating_add(stretch.offset_ms).div_euclid(Span::DAY.as_millis());
            if !self.holidays.is_empty() && number != day.0 {
                day = (number, self.is_holiday(at));
            }
            unlike.push(day.1);
        }
        let is_changed = offset_steps.windows(2).any(|w| w[0] != w[1]);
        (is_changed || unlike.contains(&true)).then_some(Calendar { offset_steps, unlike })
    }

    /// The past as models see it, with what the calendar says of it where that is anything.
    pub fn context(&self, values: &[f64], season: usize, bounds: Bounds, last: Timestamp, step: Span, ahead: usize) -> Context {
        match self.calendar(last, step, values.len(), ahead) {
            Some(calendar) => Context::with_calendar(values, season, bounds, &calendar),
            None => Context::new(values, season, bounds),
        }
    }

    fn is_holiday(&self, at: Timestamp) -> bool {
        let time = jiff::Timestamp::from_millisecond(at.as_millis());
        time.is_ok_and(|time| self.holidays.contains(&time.to_zoned(self.zone.clone()).date()))
    }
}

/// A time in which the clock on the wall keeps its distance from UTC.
struct Stretch {
    from_ms: i64,
    /// The first millisecond after it.
    until_ms: i64,
    offset_ms: i64,
}

impl Stretch {
    const EMPTY: Self = Self { from_ms: 0, until_ms: 0, offset_ms: 0 };

    /// The rest of the one that a time lies in, up to the zone's next change.
    fn from(zone: &TimeZone, at: Timestamp) -> Self {
        let next = jiff::Timestamp::from_millisecond(at.as_millis()).ok().and_then(|time| zone.following(time).next());
        let until_ms = next.map_or(i64::MAX, |change| change.timestamp().as_millisecond());
        Self { from_ms: at.as_millis(), until_ms, offset_ms: civil::offset_ms(zone, at) }
    }

    fn holds(&self, at: Timestamp) -> bool {
        (self.from_ms..self.until_ms).contains(&at.as_millis())
    }
}

#[cfg(test)]
mod tests {
    use portent_models::forecast::{Ensemble, Model};

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn berlin(holidays: &[&str]) -> Days {
        Days { zone: TimeZone::get("Europe/Berlin").unwrap(), holidays: holidays.iter().map(|day| date(day).unwrap()).collect() }
    }

    /// A load that follows the clock on the wall in Berlin, and on holidays that of a Sunday night.
    fn load(days: &Days, at: Timestamp) -> f64 {
        let hour = civil::hour_of_day(&days.zone, at);
        let noise = ((at.as_millis() / 3_600_000 * 7919) % 97) as f64 / 97.0 - 0.5;
        let open = if days.is_holiday(at) { 0.25 } else { 1.0 };
        100.0 + open * 80.0 * f64::from(u8::from((8.0..20.0).contains(&hour))) + 3.0 * noise
    }

    /// Mean absolute error of a day of hours after `origin`, told from five weeks before it.
    fn error(truth: &Days, told: &Days, origin: Timestamp) -> f64 {
        let past: Vec<f64> = (0..5 * 168).rev().map(|h| load(truth, origin - Span::HOUR.times(h))).collect();
        let context = told.context(&past, 24, Bounds::default(), origin, Span::HOUR, 24);
        let fitted = Ensemble.fit(&context, 24).unwrap();
        let errors = (1..=24).map(|h| (fitted.median()[h - 1] - load(truth, origin + Span::HOUR.times(h as i64))).abs());
        errors.sum::<f64>() / 24.0
    }

    #[test]
    fn a_change_of_the_clock_is_known_before_it_comes() {
        let days = berlin(&[]);
        // The clock goes back on 2026-10-25 at three: the first day after it is told an hour off by a calendar without zones.
        let origin = at("2026-10-25T00:00:00Z");
        let (with, without) = (error(&days, &days, origin), error(&days, &Days::default(), origin));
        assert!(with < 3.0 && without > 6.0, "with {with:.2}, without {without:.2}");
    }

    #[test]
    fn a_holiday_is_told_from_holidays_before_it() {
        let days = berlin(&["2026-10-26", "2026-11-02", "2026-11-11"]);
        let none = berlin(&[]);
        let eve = at("2026-11-10T23:00:00Z");
        let (with, without) = (error(&days, &days, eve), error(&days, &none, eve));
        assert!(with < 10.0 && without > 20.0, "the holiday: with {with:.2}, without {without:.2}");
        // The day after is an ordinary one again.
        let with = error(&days, &days, at("2026-11-11T23:00:00Z"));
        assert!(with < 5.0, "the day after: {with:.2}");
    }

    #[test]
    fn every_step_has_the_offset_and_the_day_that_it_has_alone() {
        let days = berlin(&["2026-10-25", "2026-10-27"]);
        for (last, step) in [("2026-10-25T03:20:00Z", Span::HOUR), ("2026-10-25T00:55:00Z", Span::from_millis(300_000))] {
            let last = at(last);
            let told = days.calendar(last, step, 100, 60).unwrap();
            let first = last - step.times(99);
            for i in 0..160 {
                let then = first + step.times(i as i64);
                let offset_steps = civil::offset_ms(&days.zone, then) / step.as_millis();
                assert_eq!((i64::from(told.offset_steps[i]), told.unlike[i]), (offset_steps, days.is_holiday(then)), "{then:?}");
            }
        }
    }

    #[test]
    fn nothing_is_told_where_there_is_nothing_to_tell() {
        let last = at("2026-07-01T00:00:00Z");
        assert_eq!(berlin(&["2026-12-25"]).calendar(last, Span::HOUR, 168, 24), None);
        assert_eq!(Days::default().calendar(last, Span::HOUR, 168, 24), None);
        let told = berlin(&["2026-07-01"]).calendar(last, Span::HOUR, 24, 24).unwrap();
        // Midnight in Berlin is ten in the evening here.
        assert_eq!(told.unlike.iter().position(|u| *u), Some(21));
        assert_eq!(told.unlike.iter().filter(|u| **u).count(), 24);
        assert!(date("2026-2-30").is_err() && date("2026-02-30").is_err() && date("2026-02-28T10:00").is_err());
    }
}
