//! What really happened, seen from outside the engine: every breach, and for how long each series was looked at.
//!
//! Counted here and not asked of the engine, because a breach that nobody predicted leaves no trace there.

use std::collections::HashMap;
use std::sync::Arc;

use super::alarm::Alarm;
use super::rival::{Look, Rival};
use super::sign::Sign;
use crate::core::engine::BreachWatch;
use crate::core::frame::Frame;
use crate::core::labels::Labels;
use crate::core::time::{Span, Timestamp};
use crate::core::watch::{Threshold, Watch};

/// Breaches that begin so soon after the one before are the same event: a value that trembles around its threshold breaks one thing once.
pub const ONE_EVENT: Span = Span::from_secs(3 * 3_600);

/// When each series was first seen.
pub(super) fn firsts(observers: &[Observer]) -> HashMap<(String, Labels), Timestamp> {
    let of = |observer: &Observer| {
        observer
            .series
            .iter()
            .filter_map(|seen| Some(((observer.watch.name.to_string(), seen.labels.clone()), seen.first?)))
            .collect::<Vec<_>>()
    };
    observers.iter().flat_map(of).collect()
}

/// One watch's series.
#[derive(Debug)]
pub(super) struct Observer {
    pub watch: Arc<Watch>,
    rows: HashMap<Labels, usize>,
    pub series: Vec<Seen>,
}

/// One series.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub labels: Labels,
    threshold: f64,
    breach: BreachWatch,
    first: Option<Timestamp>,
    /// Time of the newest sample.
    pub last: Option<Timestamp>,
    /// When the watch began to be judged.
    judge_from: Timestamp,
    last_bad: Option<Timestamp>,
    /// Whether the breaches of now belong to the last of `events`.
    in_event: bool,
    /// Samples at which something could have been told.
    pub judged: u64,
    /// Beginnings and ends of breaches that could have been told.
    pub events: Vec<(Timestamp, Option<Timestamp>)>,
    rivals: Vec<Rival>,
}

impl Observer {
    pub fn new(watch: Arc<Watch>) -> Self {
        Self { watch, rows: HashMap::new(), series: Vec::new() }
    }

    /// Takes in columns that are all later than the ones before.
    pub fn take_in(&mut self, frame: &Frame, thresholds: Option<&Frame>, judge_from: Timestamp) {
        let grid = frame.grid();
        let mut changing: HashMap<Labels, usize> = HashMap::new();
        if let Some(thresholds) = thresholds {
            changing = thresholds.labels().iter().enumerate().map(|(row, labels)| (labels.without_metric(), row)).collect();
        }
        let watch = self.watch.clone();
        let mut looks = Vec::with_capacity(grid.len);
        for (row, labels) in frame.labels().iter().enumerate() {
            let index = self.place(labels);
            let limit_row = changing.get(&labels.without_metric()).or_else(|| changing.get(&Labels::default()));
            let limits = thresholds.zip(limit_row).map(|(thresholds, limit)| thresholds.row(*limit));
            let seen = &mut self.series[index];
            looks.clear();
            for (column, value) in frame.row(row).iter().enumerate() {
                if let Some(threshold) = limits.and_then(|l| l.get(column)).filter(|t| t.is_finite()) {
                    seen.threshold = *threshold;
                }
                if value.is_finite() {
                    looks.extend(seen.sample(grid.at(column), *value, &watch, judge_from));
                }
            }
            seen.rivals.iter_mut().for_each(|rival| rival.hear(&looks, &watch));
        }
    }

    /// How long the event of a series that began then has lasted by now; `None` where none did.
    pub fn lasted(&self, labels: &Labels, began: Timestamp) -> Option<Span> {
        let seen = &self.series[*self.rows.get(labels)?];
        let (_, ends_at) = seen.events.iter().rfind(|(at, _)| *at == began)?;
        Some(ends_at.or(seen.last_bad).map_or(Span::ZERO, |end| end - began))
    }

    fn place(&mut self, labels: &Labels) -> usize {
        if let Some(index) = self.rows.get(labels) {
            return *index;
        }
        let threshold = match self.watch.limit.as_ref().map(|limit| &limit.threshold) {
            Some(Threshold::Value(value)) => *value,
            _ => f64::NAN,
        };
        self.rows.insert(labels.clone(), self.series.len());
        self.series.push(Seen::new(labels.clone(), threshold));
        self.series.len() - 1
    }
}

impl Seen {
    fn new(labels: Labels, threshold: f64) -> Self {
        Self {
            labels,
            threshold,
            breach: BreachWatch::default(),
            first: None,
            last: None,
            judge_from: Timestamp::MAX,
            last_bad: None,
            in_event: false,
            judged: 0,
            events: Vec::new(),
            rivals: Sign::all().map(|(_, sign)| Rival::new(sign)).into(),
        }
    }

    /// What the rivals are to look at; `None` while no threshold is known.
    fn sample<'a>(&mut self, at: Timestamp, value: f64, watch: &'a Watch, judge_from: Timestamp) -> Option<Look<'a>> {
        self.first.get_or_insert(at);
        (self.last, self.judge_from) = (Some(at), judge_from);
        let counts = self.counts(at, watch);
        self.judged += u64::from(counts);
        let limit = watch.limit.as_ref().filter(|_| !self.threshold.is_nan())?;
        let bad = limit.side.is_breach(value, self.threshold);
        let was = self.breach.breached;
        let began = self.breach.sample(at, bad, watch.hysteresis.sustain);
        if let Some(since) = began {
            if self.last_bad.is_none_or(|last| since - last > ONE_EVENT) {
                self.in_event = self.counts(since, watch);
                self.events.extend(self.in_event.then_some((since, None)));
            } else if let Some(event) = self.events.last_mut().filter(|_| self.in_event) {
                event.1 = None;
            }
        }
        if was && !self.breach.breached && self.in_event {
            let last_bad = self.last_bad;
            if let Some(event) = self.events.last_mut() {
                event.1 = last_bad;
            }
        }
        if self.breach.breached && bad {
            self.last_bad = Some(at);
        }
        let near = self.breach.is_near();
        Some(Look { at, value, limit, threshold: self.threshold, began, near, judged: counts })
    }

    /// Whether something could have been told about what begins at that time: there was a past to learn from, and somebody to be told.
    pub fn counts(&self, at: Timestamp, watch: &Watch) -> bool {
        at >= self.judge_from && self.first.is_some_and(|first| at - first >= watch.baseline.min_history)
    }

    /// Each rival's alarms, in the order of [`Sign::all`], once no more samples come.
    pub fn rival_alarms(&self, at: Timestamp, watch: &Watch) -> Vec<Vec<Alarm>> {
        self.rivals.iter().map(|rival| rival.clone().finish(at, watch)).collect()
    }
}
