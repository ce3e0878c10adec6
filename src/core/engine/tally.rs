//! What was said and what came: counts over settled answers, for whoever asks how far a stated 80 % can be believed.

use serde::{Deserialize, Serialize};

use super::shard::Shard;
use super::{Engine, Life};

/// Upper edges of the bins of stated likelihoods, the last one closed.
pub const LIKELIHOOD_EDGES: [f64; 6] = [0.1, 0.3, 0.5, 0.7, 0.9, 1.0];
/// Levels of the intervals whose truth is looked at.
pub const INTERVAL_LEVELS: [f64; 2] = [0.8, 0.95];

impl Engine {
    /// Predictions that are open or wait for their truth.
    pub fn lives(&self) -> impl Iterator<Item = &Life> {
        self.watched.iter().flat_map(|w| &w.shards).flat_map(Shard::lives)
    }

    /// What the settled answers of a watch have turned out to be.
    pub fn tally(&self, watch: usize) -> &Tally {
        &self.watched[watch].calibration.tally
    }
}

/// Answers whose truth is known, raised or not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    pub likelihoods: [Said; LIKELIHOOD_EDGES.len()],
    /// For each level: an hour ahead, and at the end of the horizon.
    pub intervals: [[Kept; 2]; INTERVAL_LEVELS.len()],
    /// The same intervals as they would have been without the correction by what came of earlier ones.
    #[serde(default)]
    pub uncorrected: [[Kept; 2]; INTERVAL_LEVELS.len()],
}

/// Likelihoods of one bin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Said {
    pub count: u64,
    pub came_true: u64,
    /// Sum of what was said.
    pub said: f64,
    /// Sum of the squared distances between what was said and what came: Brier's score times the count.
    pub squares: f64,
}

/// Intervals of one level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    pub count: u64,
    pub inside: u64,
}

impl Kept {
    pub fn count(&mut self, inside: bool) {
        self.count += 1;
        self.inside += u64::from(inside);
    }
}

impl Tally {
    pub fn likelihood(&mut self, said: f64, came_true: bool) {
        let bin = LIKELIHOOD_EDGES.iter().position(|edge| said < *edge).unwrap_or(LIKELIHOOD_EDGES.len() - 1);
        let truth = f64::from(u8::from(came_true));
        let bin = &mut self.likelihoods[bin];
        bin.count += 1;
        bin.came_true += u64::from(came_true);
        bin.said += said;
        bin.squares += (said - truth).powi(2);
    }

    /// `uncorrected` is whether the value would have lain inside without a correction, too.
    pub fn interval(&mut self, level: usize, far: bool, inside: bool, uncorrected: bool) {
        self.intervals[level][usize::from(far)].count(inside);
        self.uncorrected[level][usize::from(far)].count(uncorrected);
    }

    pub fn add(&mut self, other: &Self) {
        for (to, from) in self.likelihoods.iter_mut().zip(&other.likelihoods) {
            to.count += from.count;
            to.came_true += from.came_true;
            to.said += from.said;
            to.squares += from.squares;
        }
        let kept = self.intervals.iter_mut().chain(&mut self.uncorrected).flatten();
        for (to, from) in kept.zip(other.intervals.iter().chain(&other.uncorrected).flatten()) {
            to.count += from.count;
            to.inside += from.inside;
        }
    }

    /// Likelihoods that were settled.
    pub fn settled(&self) -> u64 {
        self.likelihoods.iter().map(|bin| bin.count).sum()
    }

    /// Mean squared distance between what was said and what came; `None` before the first.
    pub fn brier(&self) -> Option<f64> {
        let settled = self.settled();
        (settled > 0).then(|| self.likelihoods.iter().map(|bin| bin.squares).sum::<f64>() / settled as f64)
    }

    /// Share of the values that lay inside their interval of a level; `None` before the first.
    pub fn coverage(&self, level: usize) -> Option<f64> {
        let (count, inside) = self.intervals[level].iter().fold((0, 0), |(c, i), kept| (c + kept.count, i + kept.inside));
        (count > 0).then(|| inside as f64 / count as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_can_be_added_and_read() {
        let (mut a, mut b) = (Tally::default(), Tally::default());
        assert_eq!((a.brier(), a.coverage(0)), (None, None));
        a.likelihood(0.05, false);
        a.likelihood(0.8, true);
        b.likelihood(1.0, true);
        b.likelihood(0.1, true);
        b.interval(0, false, true, false);
        b.interval(0, true, false, false);
        a.add(&b);
        assert_eq!(a.likelihoods.map(|bin| (bin.count, bin.came_true)), [(1, 0), (1, 1), (0, 0), (0, 0), (1, 1), (1, 1)]);
        assert!((a.brier().unwrap() - (0.0025 + 0.04 + 0.0 + 0.81) / 4.0).abs() < 1e-12);
        assert_eq!((a.settled(), a.coverage(0), a.coverage(1)), (4, Some(0.5), None));
        assert_eq!(a.uncorrected[0].map(|kept| (kept.count, kept.inside)), [(1, 0), (1, 0)]);
    }
}
