//! What acting is worth: of the predictions that were acted upon, how many came all the same, beside those that were left alone by lot.
//!
//! Only those two are alike. What nobody acted upon for any other reason was unlike from the start: too unsure, too risky, at the wrong time.
//! So the lot is drawn last, among what the gate would have let begin by itself, and what was not eligible for it is counted on neither side.

use std::collections::BTreeMap;

use portent_models::beta;
use serde::{Deserialize, Serialize};

use crate::core::labels::SeriesId;
use crate::core::prediction::PredictionId;
use crate::core::time::{Span, Timestamp};

/// Predictions whose truth is waited for at most; the oldest is given up first. Limits allow 500 starts an hour, and a truth takes a horizon.
const MAX_OPEN: usize = 20_000;

/// A prediction that was acted upon or held out, and whose truth has not come.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    pub playbook: String,
    pub watch: String,
    pub series: SeriesId,
    pub is_held_out: bool,
    /// The lot was drawn about it.
    pub was_drawn: bool,
    pub at: Timestamp,
}

/// Predictions, and those of them that were followed by what they foretold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Came {
    of: u64,
    breached: u64,
}

/// See the module.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trials {
    open: BTreeMap<PredictionId, Trial>,
    /// By playbook: acted upon, held out.
    settled: BTreeMap<String, [Came; 2]>,
}

/// One side of the comparison.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Side {
    pub predictions: u64,
    /// Of them, those that were followed by a breach.
    pub breached: u64,
    /// Their share, `None` of nothing, and its 90 % interval.
    pub share: Option<f64>,
    pub low: f64,
    pub high: f64,
}

/// Both sides for one playbook. Nothing is claimed where one of them is empty.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Benefit {
    pub playbook: String,
    pub acted: Side,
    pub held_out: Side,
    /// The share of breaches that acting prevented: held out minus acted, 90 % interval.
    pub prevented_low: Option<f64>,
    pub prevented_high: Option<f64>,
}

impl Trials {
    /// A run for this prediction has begun, or was held out. What a person has acted upon in spite of the lot is compared with nothing.
    pub fn put(&mut self, prediction: &PredictionId, trial: Trial) {
        let is_held_out = trial.is_held_out;
        let known = self.open.entry(prediction.clone()).or_insert(trial);
        if known.is_held_out && !is_held_out {
            (known.is_held_out, known.was_drawn) = (false, false);
        }
        if self.open.len() > MAX_OPEN {
            let oldest = self.open.iter().min_by_key(|(_, trial)| trial.at).map(|(id, _)| id.clone());
            oldest.map(|id| self.open.remove(&id));
        }
    }

    /// Its truth is known, or will never be.
    pub fn settle(&mut self, prediction: &PredictionId, breached: Option<bool>) {
        let Some((trial, breached)) = self.open.remove(prediction).zip(breached).filter(|(trial, _)| trial.was_drawn) else { return };
        let came = &mut self.settled.entry(trial.playbook).or_default()[usize::from(trial.is_held_out)];
        (came.of, came.breached) = (came.of + 1, came.breached + u64::from(breached));
    }

    pub fn shift(&mut self, by: Span) {
        self.open.values_mut().for_each(|trial| trial.at = trial.at + by);
    }

    pub fn get(&self, prediction: &PredictionId) -> Option<&Trial> {
        self.open.get(prediction)
    }

    /// Those whose truth has not come.
    pub fn open(&self) -> impl Iterator<Item = (&PredictionId, &Trial)> {
        self.open.iter()
    }

    /// By playbook, those with something settled.
    pub fn benefits(&self) -> Vec<Benefit> {
        let side = |came: Came| {
            let [low, high] = beta::wilson(came.breached, came.of);
            let share = (came.of > 0).then(|| came.breached as f64 / came.of as f64);
            Side { predictions: came.of, breached: came.breached, share, low, high }
        };
        let benefit = |(playbook, [acted, held]): (&String, &[Came; 2])| {
            let prevented = beta::difference((held.breached, held.of), (acted.breached, acted.of));
            let [low, high] = prevented.map_or([None, None], |ends| ends.map(Some));
            Benefit { playbook: playbook.clone(), acted: side(*acted), held_out: side(*held), prevented_low: low, prevented_high: high }
        };
        self.settled.iter().map(benefit).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::labels::Labels;

    #[test]
    fn only_what_the_lot_was_drawn_about_is_compared() {
        let id = |i: usize| PredictionId(format!("p{i}"));
        let trial = |is_held_out, was_drawn| Trial {
            playbook: "restart".into(),
            watch: "memory".into(),
            series: Labels::named("a").id(),
            is_held_out,
            was_drawn,
            at: Timestamp::from_millis(0),
        };
        let mut trials = Trials::default();
        (0..40).for_each(|i| trials.put(&id(i), trial(i < 10, true)));
        trials.put(&id(40), trial(false, false));
        trials.put(&id(0), trial(false, true));
        assert!(!trials.get(&id(0)).unwrap().was_drawn, "acted upon in spite of the lot");
        (0..41).for_each(|i| trials.settle(&id(i), Some(i < 8 || i == 40)));
        trials.settle(&id(3), Some(false));
        let [benefit] = &trials.benefits()[..] else { panic!() };
        assert_eq!(
            (benefit.held_out.predictions, benefit.held_out.breached, benefit.acted.predictions, benefit.acted.breached),
            (9, 7, 30, 0)
        );
        assert!(benefit.prevented_low.unwrap() > 0.4 && benefit.prevented_high.unwrap() < 0.96, "{benefit:?}");
        assert_eq!(trials.open().count(), 0);
        let mut one = Trials::default();
        one.put(&id(1), trial(false, true));
        one.settle(&id(1), Some(false));
        assert_eq!((one.benefits()[0].held_out.share, one.benefits()[0].prevented_low), (None, None), "nothing is claimed");
        one.put(&id(2), trial(true, true));
        one.settle(&id(2), None);
        assert_eq!(one.benefits()[0].held_out.predictions, 0, "nobody knows what came of it");
    }
}
