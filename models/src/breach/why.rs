//! Why a likelihood is what it is: how much each group of features adds to its log odds.
//!
//! The map is a sum, so its parts are exact: base and shares add up to the log odds of the likelihood. They are grouped, because single
//! features of one group say nearly the same and their weights are shared out among them by the fit's ridge, not by meaning.

use super::chance::{MIN_PRESENT, Question};
use super::features::{FEATURES, Features, NAMES};
use super::history::History;
use super::map;

/// The groups, in the order in which they are told.
pub const GROUPS: [&str; 9] =
    ["paths", "past windows", "past days", "regression", "daily rate", "similar moments", "resets", "distance", "kind of series"];

/// Log odds and what they are the sum of.
#[derive(Clone, Debug, PartialEq)]
pub struct Why {
    pub base: f64,
    /// For each of [`GROUPS`].
    pub shares: [f64; GROUPS.len()],
}

impl Why {
    /// The same question as [`Chance`](super::Chance) is asked; `None` where that answers with the base rate, for want of values.
    pub fn new(values: &[f64], question: &Question) -> Option<Self> {
        let horizon = question.horizon.max(1);
        let history = History::new(values, question.day, question.upward, MIN_PRESENT)?;
        let threshold = history.scaled(question.threshold);
        let features = Features::new(&history, threshold, horizon, question.sustain.clamp(1, horizon));
        let (base, parts) = map::parts(&features.values);
        let mut shares = [0.0; GROUPS.len()];
        (0..FEATURES).for_each(|i| shares[group(NAMES[i])] += parts[i]);
        Some(Self { base, shares })
    }

    /// The sum.
    pub fn log_odds(&self) -> f64 {
        self.base + self.shares.iter().sum::<f64>()
    }
}

fn group(name: &str) -> usize {
    let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| name.starts_with(prefix));
    match name {
        "windows" => 1,
        "vol" | "rough" | "logH" | "logN" => 8,
        "has_resets" | "peak" | "race" | "hr_race" | "age" | "since" => 6,
        _ if starts(&["f_", "pw"]) => 1,
        _ if starts(&["r_"]) => 2,
        _ if starts(&["reg_"]) => 3,
        _ if starts(&["hz_"]) => 4,
        _ if starts(&["knn", "novelty"]) => 5,
        _ if starts(&["d_", "ab_", "g_", "tail", "thr", "lift", "over"]) => 7,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Chance;
    use super::*;

    #[test]
    fn the_parts_add_up_to_what_is_said() {
        let values: Vec<f64> = (0..500).map(|i| f64::from(i) * 0.1 + (f64::from(i) * 0.26).sin()).collect();
        for threshold in [40.0, 55.0, 90.0] {
            let question = Question { threshold, upward: true, horizon: 48, sustain: 1, day: 24 };
            let said = Chance::new(&values, &question).likelihood();
            let why = Why::new(&values, &question).unwrap();
            assert!((1.0 / (1.0 + (-why.log_odds()).exp()) - said).abs() < 1e-9, "{threshold}: {why:?} {said}");
        }
        assert_eq!(Why::new(&[1.0; 3], &Question { threshold: 1.0, upward: true, horizon: 5, sustain: 1, day: 0 }), None);
    }

    #[test]
    fn every_feature_is_in_a_group_and_no_group_is_empty() {
        for (index, title) in GROUPS.iter().enumerate() {
            assert!(NAMES.iter().any(|name| group(name) == index), "{title}");
        }
        assert_eq!(group("level_z"), 0);
        assert_eq!(group("known_best"), 0);
    }
}
