//! What happened, as somebody else than a threshold says: labelled incidents, or alerts that fired. Each thing that happened is about some
//! series, and for those it is what thresholds crossed are otherwise: predictions, rivals' alarms and anomalies are all judged by it.
//!
//! A backtest acts on nothing, so what it foresaw and what then did not happen cannot be told from what would not have happened anyway. Only
//! what was really acted upon at the time (`--acted`) is "averted?", whatever is the truth of the rest.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Serialize;

use super::alarm::{Alarm, Verdict};
use crate::core::labels::{Labels, METRIC_NAME};
use crate::core::time::{Span, Timestamp};
use crate::core::watch::Watch;
use crate::source::replay::Selector;

/// Labels of an alert that say what it is and not whose.
const NOT_WHOSE: [&str; 4] = [METRIC_NAME, "alertname", "alertstate", "severity"];

/// By what everything is judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TruthKind {
    /// A series at or past its threshold, for as many samples in a row as the watch wants.
    #[default]
    Thresholds,
    /// A file of incidents.
    Labels,
    /// The server's own `ALERTS`.
    Alerts,
}

impl TruthKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Thresholds => "thresholds",
            Self::Labels => "labels",
            Self::Alerts => "alerts",
        }
    }
}

/// Which series something is about.
#[derive(Clone, Debug, PartialEq)]
pub enum Whose {
    /// Those that it matches, in whichever watch.
    Matching(Selector),
    /// The one of this name.
    Named(String),
    /// Those of this source's watches (only these, if any are named) that agree with an alert in every label that both have, one at least.
    Alert { source: Arc<str>, labels: Labels, only: Vec<String> },
}

impl Whose {
    fn is(&self, watch: &Watch, labels: &Labels) -> bool {
        match self {
            Self::Matching(selector) => selector.matches(labels),
            Self::Named(name) => labels.metric() == Some(name),
            Self::Alert { source, labels: alert, only } => {
                let may = *source == watch.source && (only.is_empty() || only.iter().any(|name| *name == *watch.name));
                may && agree(alert, labels)
            }
        }
    }
}

/// Whether an alert is about a series.
fn agree(alert: &Labels, series: &Labels) -> bool {
    let mut shared = 0;
    let of_both = alert.iter().filter(|(name, _)| !NOT_WHOSE.contains(name));
    let agree = of_both.filter_map(|(name, value)| Some((value, series.get(name)?))).all(|(a, b)| {
        shared += 1;
        a == b
    });
    agree && shared > 0
}

/// A stretch of time in which something happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Stretch {
    pub from: Timestamp,
    /// The last moment of it; `None` where it goes on.
    pub to: Option<Timestamp>,
    /// For people.
    pub what: String,
    /// Nobody knows whether anything happened: nothing is judged by it.
    pub unclear: bool,
}

impl Stretch {
    fn holds(&self, at: Timestamp) -> bool {
        self.from <= at && self.to.is_none_or(|to| at <= to)
    }

    fn meets(&self, from: Timestamp, to: Timestamp) -> bool {
        self.from <= to && self.to.is_none_or(|own| from <= own)
    }
}

/// What is about the same series.
#[derive(Clone, Debug)]
struct About {
    text: String,
    whose: Whose,
    stretches: Vec<Stretch>,
    found: bool,
}

/// All that happened.
#[derive(Clone, Debug, Default)]
pub struct Truth {
    pub kind: TruthKind,
    about: Vec<About>,
    places: HashMap<String, usize>,
}

impl Truth {
    pub fn of(kind: TruthKind) -> Self {
        Self { kind, ..Self::default() }
    }

    /// One more thing; `text` is whose it is, as people wrote it or would, and the same for the same series.
    pub fn add(&mut self, text: &str, whose: impl FnOnce() -> Whose, stretch: Stretch) {
        let place = *self.places.entry(text.to_owned()).or_insert_with(|| {
            self.about.push(About { text: text.to_owned(), whose: whose(), stretches: Vec::new(), found: false });
            self.about.len() - 1
        });
        self.about[place].stretches.push(stretch);
    }

    /// What happened to one series, in order of time, what overlaps made one.
    pub(super) fn about(&mut self, watch: &Watch, labels: &Labels) -> Happened {
        let (mut events, mut unclear) = (Vec::new(), Vec::new());
        for about in self.about.iter_mut().filter(|about| about.whose.is(watch, labels)) {
            about.found = true;
            for stretch in &about.stretches {
                if stretch.unclear { unclear.push(stretch.clone()) } else { events.push(stretch.clone()) }
            }
        }
        // An alert that comes and goes is one event, as a value that trembles around its threshold is.
        let gap = if self.kind == TruthKind::Alerts { super::ONE_EVENT } else { Span::ZERO };
        Happened { events: merged(events, gap), unclear: merged(unclear, Span::ZERO) }
    }

    /// Whose things were about no series that was looked at.
    pub(super) fn unfound(&self) -> impl Iterator<Item = &str> {
        self.about.iter().filter(|about| !about.found).map(|about| about.text.as_str())
    }
}

fn merged(mut stretches: Vec<Stretch>, gap: Span) -> Vec<Stretch> {
    stretches.sort_by(|a, b| (a.from, a.to.is_none(), a.to, &a.what).cmp(&(b.from, b.to.is_none(), b.to, &b.what)));
    let mut merged: Vec<Stretch> = Vec::new();
    for stretch in stretches {
        match merged.last_mut().filter(|last| last.to.is_none_or(|to| stretch.from <= to + gap)) {
            Some(last) => {
                last.to = last.to.zip(stretch.to).map(|(a, b)| a.max(b));
                if !stretch.what.is_empty() && last.what.split(", ").all(|what| what != stretch.what) {
                    let comma = if last.what.is_empty() { "" } else { ", " };
                    last.what = format!("{}{comma}{}", last.what, stretch.what);
                }
            }
            None => merged.push(stretch),
        }
    }
    merged
}

/// What happened to one series.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Happened {
    pub events: Vec<Stretch>,
    pub unclear: Vec<Stretch>,
}

impl Happened {
    /// An alarm judged anew, where all is known up to `end`. What was closed because a threshold was crossed was not taken back: who was told
    /// still had it before them.
    pub fn judge(&self, alarm: &Alarm, end: Timestamp) -> Alarm {
        let Alarm { raised_at, due_at, .. } = *alarm;
        if matches!(alarm.verdict, Verdict::Averted { .. }) {
            return *alarm;
        }
        let crossed = matches!(alarm.verdict, Verdict::CameTrue { at } if alarm.closed_at.is_some_and(|closed| closed >= at));
        let began = self.events.iter().find(|event| raised_at < event.from && event.from <= due_at.min(end));
        let verdict = match began {
            Some(event) => Verdict::CameTrue { at: event.from },
            None => match self.events.iter().find(|event| event.holds(raised_at)) {
                Some(event) => Verdict::Late { at: event.from },
                None if self.unclear.iter().any(|unclear| unclear.meets(raised_at, due_at)) => Verdict::NotKnown,
                None if due_at > end => Verdict::Pending,
                None if alarm.verdict == Verdict::NotKnown => Verdict::NotKnown,
                None => Verdict::DidNot,
            },
        };
        Alarm { closed_at: alarm.closed_at.filter(|_| !crossed), verdict, ..*alarm }
    }

    pub fn is_unclear(&self, from: Timestamp, to: Timestamp) -> bool {
        self.unclear.iter().any(|unclear| unclear.meets(from, to))
    }

    /// Whether something happened between two times.
    pub fn is_event(&self, from: Timestamp, to: Timestamp) -> bool {
        self.events.iter().any(|event| event.meets(from, to))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(i: i64) -> Timestamp {
        Timestamp::from_millis(i)
    }

    fn stretch(from: i64, to: Option<i64>, what: &str) -> Stretch {
        Stretch { from: at(from), to: to.map(at), what: what.into(), unclear: false }
    }

    #[test]
    fn an_alert_is_about_the_series_that_agree_in_all_they_share() {
        let labels = |pairs: &[(&str, &str)]| Labels::from_pairs(pairs.iter().copied()).unwrap();
        let series = labels(&[("__name__", "disk"), ("instance", "a"), ("job", "node"), ("mountpoint", "/data")]);
        for (yes, alert) in [
            (
                true,
                &[("__name__", "ALERTS"), ("alertname", "DiskFull"), ("instance", "a"), ("mountpoint", "/data"), ("severity", "page")][..],
            ),
            (true, &[("alertname", "NodeBad"), ("instance", "a"), ("team", "x")]),
            (true, &[("job", "node")]),
            (false, &[("alertname", "DiskFull"), ("instance", "a"), ("mountpoint", "/")]),
            (false, &[("alertname", "DiskFull"), ("instance", "b"), ("mountpoint", "/data")]),
            (false, &[("alertname", "ClusterBad"), ("severity", "page")]),
            (false, &[("__name__", "disk"), ("team", "x")]),
        ] {
            assert_eq!(agree(&labels(alert), &series), yes, "{alert:?}");
        }
    }

    #[test]
    fn what_overlaps_is_one_event() {
        let rows = vec![stretch(50, Some(60), "b"), stretch(10, Some(20), "a"), stretch(15, Some(40), "c"), stretch(40, Some(45), "a")];
        assert_eq!(merged(rows, Span::ZERO), [stretch(10, Some(45), "a, c"), stretch(50, Some(60), "b")]);
        let open = vec![stretch(10, None, "a"), stretch(15, Some(40), "a"), stretch(90, Some(95), "")];
        assert_eq!(merged(open, Span::ZERO), [stretch(10, None, "a")]);
        let flaps = vec![stretch(10, Some(20), "a"), stretch(30, Some(40), "a"), stretch(60, Some(70), "a")];
        assert_eq!(merged(flaps, Span::from_millis(10)), [stretch(10, Some(40), "a"), stretch(60, Some(70), "a")]);
    }

    #[test]
    fn alarms_are_judged_anew() {
        let unclear = Stretch { unclear: true, ..stretch(500, Some(600), "") };
        let happened = Happened { events: vec![stretch(100, Some(120), ""), stretch(300, None, "")], unclear: vec![unclear] };
        let judged = |raised: i64, closed: Option<i64>, due: i64, verdict: Verdict, end: i64| {
            let alarm = Alarm { raised_at: at(raised), closed_at: closed.map(at), due_at: at(due), verdict };
            let judged = happened.judge(&alarm, at(end));
            (judged.verdict, judged.closed_at.map(Timestamp::as_millis))
        };
        let came = |i| Verdict::CameTrue { at: at(i) };
        assert_eq!(judged(50, Some(70), 150, Verdict::DidNot, 1_000), (came(100), Some(70)), "its threshold was not crossed, and yet");
        assert_eq!(judged(50, Some(90), 150, came(88), 1_000), (came(100), None), "it stood: it was not taken back");
        assert_eq!(judged(50, Some(80), 150, came(88), 1_000), (came(100), Some(80)), "it had been taken back before that");
        assert_eq!(judged(100, None, 150, came(130), 1_000), (Verdict::Late { at: at(100) }, None));
        assert_eq!(judged(130, None, 200, came(150), 1_000), (Verdict::DidNot, None), "crossed, and nobody minded");
        assert_eq!(judged(130, None, 200, Verdict::NotKnown, 1_000), (Verdict::NotKnown, None));
        assert_eq!(judged(130, None, 200, Verdict::DidNot, 180), (Verdict::Pending, None));
        assert_eq!(judged(200, None, 310, Verdict::Pending, 290), (Verdict::Pending, None), "what comes after the end is not known");
        let averted = Verdict::Averted { breached_at: None };
        assert_eq!(judged(50, None, 150, averted, 1_000), (averted, None), "something was done about it");
        let early = Happened { events: Vec::new(), ..happened.clone() };
        let alarm = Alarm { raised_at: at(450), closed_at: None, due_at: at(550), verdict: Verdict::DidNot };
        assert_eq!(early.judge(&alarm, at(1_000)).verdict, Verdict::NotKnown);
    }
}
