//! The life of a prediction: raised, updated, resolved or expired, and later a truth.
//!
//! Raising and taking back have different levels and need repeats (hysteresis), so that a likelihood that trembles around one level does not
//! ring anybody's phone twice.

use serde::{Deserialize, Serialize};

use super::Effect;
use crate::core::prediction::{Prediction, State, Truth};
use crate::core::time::{Span, Timestamp};
use crate::core::watch::{Hysteresis, Side};

/// A change of this much in likelihood is worth telling.
const TELL_LIKELIHOOD: f64 = 0.15;
/// A move of the predicted time by this share of what was left is worth telling.
const TELL_ETA_SHARE: f64 = 0.25;
/// But not more often than this.
const TELL_EVERY: Span = Span::HOUR;
/// Below this share of the samples that there should have been, nobody can say that it did not happen.
const MIN_SEEN: f64 = 0.5;

/// Counts samples at or past the threshold. A breach is the first of `sustain` in a row; so is its end.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BreachWatch {
    pub breached: bool,
    streak: u16,
    since: Timestamp,
    /// Good samples since the last breach ended.
    good: u16,
}

impl Default for BreachWatch {
    fn default() -> Self {
        Self { breached: false, streak: 0, since: Timestamp::default(), good: u16::MAX }
    }
}

impl BreachWatch {
    /// Takes in one sample; the time of the breach's first sample when this one makes it a breach.
    pub fn sample(&mut self, at: Timestamp, bad: bool, sustain: u16) -> Option<Timestamp> {
        self.good = if bad { self.good } else { self.good.saturating_add(1) };
        if bad == self.breached {
            self.streak = 0;
            return None;
        }
        if self.streak == 0 {
            self.since = at;
        }
        self.streak += 1;
        if self.streak < sustain {
            return None;
        }
        self.breached = bad;
        self.good = if bad { 0 } else { self.streak };
        self.streak = 0;
        bad.then_some(self.since)
    }

    /// Whether the series is past the threshold, or may be about to be: too late to predict anything.
    pub fn is_near(&self) -> bool {
        self.breached || self.streak > 0
    }

    /// Whether there is something to predict: the last breach is over, for `good` samples at least. Right after one the series still trembles
    /// about the threshold, and its next breach is the same one.
    pub fn is_over(&self, good: u16) -> bool {
        !self.is_near() && self.good >= good
    }

    /// When the samples began that may yet become a breach.
    pub(super) fn pending_since(&self) -> Option<Timestamp> {
        (!self.breached && self.streak > 0).then_some(self.since)
    }
}

/// One prediction that is open, or closed and waiting for its truth.
#[derive(Clone, Debug, PartialEq)]
pub struct Life {
    pub prediction: Prediction,
    clear_streak: u16,
    /// Samples since it was raised.
    seen: u32,
    told_likelihood: f64,
    told_eta: Option<Timestamp>,
    told_at: Timestamp,
}

/// What one more sample did to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    Nothing,
    Updated,
    /// Resolved or expired.
    Ended,
    /// It had ended before; now its truth is known.
    Scored,
}

impl Life {
    pub fn new(prediction: Prediction) -> Self {
        let (told_likelihood, told_eta, told_at) = (prediction.likelihood, prediction.eta.p50, prediction.updated_at);
        Self { prediction, clear_streak: 0, seen: 0, told_likelihood, told_eta, told_at }
    }

    /// One from before a restart. How many samples it has seen is not written down: all that there should have been until its last event.
    pub fn restored(prediction: Prediction, step: Span) -> Self {
        let seen = (prediction.updated_at - prediction.raised_at).as_millis() / step.as_millis().max(1);
        Self { seen: u32::try_from(seen).unwrap_or(0), ..Self::new(prediction) }
    }

    pub fn is_open(&self) -> bool {
        self.prediction.state == State::Open
    }

    pub fn is_done(&self) -> bool {
        !self.is_open() && self.prediction.truth.is_some()
    }

    /// Counts a sample of the series.
    pub fn count(&mut self) {
        self.seen += 1;
    }

    /// The series is in breach since `since`.
    pub fn breach(&mut self, at: Timestamp, since: Timestamp) -> Turn {
        let p = &mut self.prediction;
        if p.truth.is_some() || since > p.due_at() {
            return Turn::Nothing;
        }
        let lead_time_s = (since - p.raised_at).as_secs_f64().max(0.0);
        p.truth = Some(Truth::CameTrue { at: since, lead_time_s });
        p.updated_at = p.updated_at.max(at);
        if p.state != State::Open {
            p.revision += 1;
            return Turn::Scored;
        }
        self.end(at, State::Resolved, format!("came true: {} {} since {since}", side_word(self.prediction.side), self.prediction.threshold))
    }

    /// Time has come to `at`. When the horizon has passed, the truth is known, or known never to be.
    pub fn pass(&mut self, at: Timestamp, step: Span, breach: &BreachWatch) -> Turn {
        let due = self.prediction.due_at();
        if at <= due || self.prediction.truth.is_some() {
            return Turn::Nothing;
        }
        // Samples from before the end may yet turn out to be a breach; wait for the ones that decide.
        if breach.pending_since().is_some_and(|since| since <= due) && at < due + step.times(10) {
            return Turn::Nothing;
        }
        let wanted = (self.prediction.horizon.as_millis() / step.as_millis().max(1)) as f64;
        let truth = if f64::from(self.seen) >= MIN_SEEN * wanted { Truth::DidNot } else { Truth::NotKnown };
        self.prediction.truth = Some(truth);
        self.prediction.updated_at = self.prediction.updated_at.max(at);
        if self.is_open() {
            let why = match truth {
                Truth::NotKnown => "the horizon passed with too few samples to tell",
                _ => "the horizon passed without a breach",
            };
            return self.end(at, State::Expired, why.to_owned());
        }
        self.prediction.revision += 1;
        Turn::Scored
    }

    /// A new outlook has been written into the prediction: is it taken back, worth telling, or neither?
    pub fn judge(&mut self, at: Timestamp, hysteresis: &Hysteresis) -> Turn {
        let likelihood = self.prediction.likelihood;
        self.clear_streak = if likelihood < hysteresis.clear { self.clear_streak + 1 } else { 0 };
        if self.clear_streak >= hysteresis.clear_after {
            let why = format!("the signs went away: likelihood {:.0} %", 100.0 * likelihood);
            return self.end(at, State::Resolved, why);
        }
        let moved = match (self.told_eta, self.prediction.eta.p50) {
            (Some(told), Some(now)) => {
                (now - told).as_millis().abs() as f64 > TELL_ETA_SHARE * ((told - at).as_millis().max(0) as f64) + 600_000.0
            }
            (told, now) => told.is_some() != now.is_some(),
        };
        let changed = (likelihood - self.told_likelihood).abs() >= TELL_LIKELIHOOD || moved;
        if !changed || at - self.told_at < TELL_EVERY {
            return Turn::Nothing;
        }
        (self.told_likelihood, self.told_eta, self.told_at) = (likelihood, self.prediction.eta.p50, at);
        self.prediction.revision += 1;
        Turn::Updated
    }

    fn end(&mut self, at: Timestamp, state: State, why: String) -> Turn {
        let p = &mut self.prediction;
        (p.state, p.ended_at, p.ended_because) = (state, Some(at), Some(why));
        p.updated_at = p.updated_at.max(at);
        p.revision += 1;
        Turn::Ended
    }
}

/// What the shell hears of it.
pub(super) fn effect(turn: Turn, prediction: &Prediction) -> Option<Effect> {
    let prediction = || prediction.clone();
    match turn {
        Turn::Nothing => None,
        Turn::Updated => Some(Effect::Updated(prediction())),
        Turn::Ended => Some(Effect::Ended(prediction())),
        Turn::Scored => Some(Effect::Scored(prediction())),
    }
}

fn side_word(side: Side) -> &'static str {
    match side {
        Side::Above => "at or above",
        Side::Below => "at or below",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_breach_is_the_first_of_some_samples_in_a_row() {
        let mut watch = BreachWatch::default();
        let at = |i: i64| Timestamp::from_millis(i * 60_000);
        let bad = [true, true, false, true, true, true, true, false, true, false, false, false, true];
        let found: Vec<_> = bad.iter().enumerate().map(|(i, b)| watch.sample(at(i as i64), *b, 3)).collect();
        assert_eq!(found.iter().flatten().collect::<Vec<_>>(), [&at(3)], "two in a row are none, and a dip of one does not end it");
        assert_eq!(found[5], Some(at(3)));
        assert!(!watch.breached && watch.is_near());
        let mut over = Vec::new();
        for i in bad.len()..bad.len() + 9 {
            watch.sample(at(i as i64), false, 3);
            over.push(watch.is_over(10));
        }
        assert_eq!(over.iter().position(|&over| over), Some(6), "3 samples ended it, 7 more make 10");
        assert!(BreachWatch::default().is_over(10), "no breach ever");
    }
}
