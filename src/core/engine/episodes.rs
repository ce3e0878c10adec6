//! Anomalies of a shard under way: when one begins, what belongs to it, and when it is over.
//!
//! One begins with the first sample that scores 1 or more. It needs no second one: a score is held against the two samples before and against
//! every hour of the past, and a streak on top would only be late, and would make the stated rate of false alarms untrue for what is told.
//! It is over when nothing odd has come for an hour: the same gap within which `detect` and the calibration take odd samples for one episode.
//! A number of samples would mean ten minutes for one series and ten hours for another.

use std::collections::BTreeMap;

use portent_models::score::Scored;

use super::{Effect, Judged};
use crate::core::anomaly::Anomaly;
use crate::core::labels::Labels;
use crate::core::time::{Span, Timestamp};
use crate::core::watch::Watch;

/// Odd samples this far apart are of one anomaly ...
const SAME_WITHIN: Span = Span::HOUR;
/// ... or so many steps, where an hour is less.
const SAME_WITHIN_STEPS: i64 = 2;

/// Under way, with the row each is of.
#[derive(Clone, Debug, Default)]
pub(super) struct Episodes(BTreeMap<usize, Anomaly>);

/// The first time at which an anomaly is known to be over, if nothing odd comes before.
fn over_at(anomaly: &Anomaly, step: Span) -> Timestamp {
    anomaly.last_odd_at + SAME_WITHIN.max(step.times(SAME_WITHIN_STEPS)) + step
}

impl Episodes {
    pub fn new(open: BTreeMap<usize, Anomaly>) -> Self {
        Self(open)
    }

    pub fn open(&self) -> &BTreeMap<usize, Anomaly> {
        &self.0
    }

    pub fn of(&self, row: usize) -> Option<&Anomaly> {
        self.0.get(&row)
    }

    /// Another series has the row from now on.
    pub fn forget(&mut self, row: usize) {
        self.0.remove(&row);
    }

    /// Takes in how odd a sample is. None begins before `judging` allows it; one under way goes on all the same.
    pub fn sample(
        &mut self,
        row: usize,
        labels: &Labels,
        (at, value): (Timestamp, f64),
        scored: &Scored,
        (watch, judging): (&Watch, Judged),
        effects: &mut Vec<Effect>,
    ) {
        if !scored.is_anomaly() {
            return;
        }
        let is_judged = at >= judging.from;
        match self.0.get_mut(&row) {
            Some(anomaly) if at < over_at(anomaly, watch.step) || !is_judged => {
                anomaly.odd(at, value, scored);
                return;
            }
            // Nothing came for so long that its end has not been noticed.
            Some(_) => effects.extend(self.end(row, watch.step)),
            None => {}
        }
        if is_judged {
            let anomaly = Anomaly::new(&watch.name, labels.clone(), at, value, scored);
            effects.push(Effect::AnomalyStarted(anomaly.clone()));
            self.0.insert(row, anomaly);
        }
    }

    /// Lets time pass, whether samples come or not. The end is where it would have been seen at once, whoever notices it and when.
    pub fn settle(&mut self, at: Timestamp, step: Span, effects: &mut Vec<Effect>) {
        let over: Vec<usize> = self.0.iter().filter(|(_, anomaly)| at >= over_at(anomaly, step)).map(|(row, _)| *row).collect();
        effects.extend(over.into_iter().filter_map(|row| self.end(row, step)));
    }

    fn end(&mut self, row: usize, step: Span) -> Option<Effect> {
        let mut anomaly = self.0.remove(&row)?;
        anomaly.ended_at = Some(over_at(&anomaly, step));
        Some(Effect::AnomalyEnded(anomaly))
    }
}
