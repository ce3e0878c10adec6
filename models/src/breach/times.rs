//! When, if at all: how the time of a breach within the horizon is distributed, given that one comes.
//!
//! Each of the best paths, with the error it made at each past origin laid on it, reaches the threshold at some step or not at all. Those
//! that do are the distribution, weighed by the record of the path and the age of the error. Past windows that held a breach say the rest:
//! for bursts without a precursor nothing is known but that any step is as good as any other.

use super::backtest::Backtest;
use super::crest::first;
use super::history::History;

/// Paths that have a say.
const PATHS: usize = 3;
/// Weight of what past windows say, against paths that all cross.
const WINDOWS_SHARE: f64 = 0.05;
/// Windows asked at most.
const MAX_WINDOWS: usize = 60;

/// Steps from now to the breach, given that one comes within the horizon; rising, with weights that add up to 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Times {
    steps: Vec<(f64, f64)>,
    horizon: f64,
    /// How much time a step stands for, and how much of it lies after the step.
    stretch: (f64, f64),
}

impl Times {
    pub fn new(history: &History, backtest: &Backtest, horizon: usize, sustain: usize, threshold: f64) -> Self {
        let mut steps: Vec<(f64, f64)> = Vec::new();
        let ranked = backtest.ranked();
        let finest = ranked.first().map_or(1.0, |j| j.scale);
        let mut total = 0.0;
        for judged in ranked.iter().take(PATHS) {
            let precision = (finest / judged.scale).powi(2);
            for (step, weight) in &judged.crossings {
                let weight = precision * weight;
                total += weight;
                steps.extend(step.map(|step| (step + 1.0, weight)));
            }
        }
        let crossed: f64 = steps.iter().map(|s| s.1).sum();
        // What the paths leave open, past windows fill.
        let open = WINDOWS_SHARE + if total > 0.0 { (1.0 - crossed / total) * 0.5 } else { 1.0 };
        let seen: Vec<f64> = past(history, horizon, sustain, threshold);
        if seen.is_empty() && steps.is_empty() {
            return Self::even(horizon);
        }
        let each = open * total.max(1.0) / seen.len().max(1) as f64;
        steps.extend(seen.into_iter().map(|step| (step, each)));
        steps.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let sum: f64 = steps.iter().map(|s| s.1).sum();
        for step in &mut steps {
            step.1 /= sum;
        }
        Self { steps, horizon: horizon as f64, stretch: (1.0, 0.0) }
    }

    /// Any step as good as any other.
    pub fn even(horizon: usize) -> Self {
        /// Steps that stand for all.
        const PIECES: u32 = 8;
        let horizon = horizon as f64;
        let steps = (1..=PIECES).map(|i| (horizon * (f64::from(i) - 0.5) / f64::from(PIECES), 1.0 / f64::from(PIECES))).collect();
        let piece = horizon / f64::from(PIECES);
        Self { steps, horizon, stretch: (piece, piece / 2.0) }
    }

    /// Steps by which a share `q` of the breaches has come. Half of a step's weight lies before it, half after; between two of them the
    /// share grows evenly.
    pub fn quantile(&self, q: f64) -> f64 {
        let mut before: Option<(f64, f64)> = None;
        let mut passed = 0.0;
        for &(step, weight) in &self.steps {
            let share = passed + weight / 2.0;
            if share >= q {
                return before.map_or(step, |(at, had)| at + (step - at) * ((q - had) / (share - had)).clamp(0.0, 1.0));
            }
            passed += weight;
            before = Some((step, share));
        }
        self.steps.last().map_or(self.horizon, |s| s.0)
    }

    /// The same where a step is a stretch of time, and a breach in it may come at any moment of it: steps from now, the first one ends at 1.
    /// A step's weight lies evenly over it, so the tenths of a breach that is sure to come in one hour lie apart by most of that hour.
    pub fn quantile_of_stretches(&self, q: f64) -> f64 {
        let mut passed = 0.0;
        for same in self.steps.chunk_by(|a, b| a.0 == b.0) {
            let (step, weight) = (same[0].0, same.iter().map(|s| s.1).sum::<f64>());
            if passed + weight >= q {
                let (width, after) = self.stretch;
                return step + after - width * (1.0 - (q - passed) / weight);
            }
            passed += weight;
        }
        self.steps.last().map_or(self.horizon, |s| s.0)
    }

    /// Share of the breaches that has come by a step: the inverse of [`Self::quantile`].
    pub fn share_by(&self, step: f64) -> f64 {
        let mut before: Option<(f64, f64)> = None;
        let mut passed = 0.0;
        for &(at, weight) in &self.steps {
            let share = passed + weight / 2.0;
            if at > step {
                return before.map_or(0.0, |(was, had)| had + (share - had) * ((step - was) / (at - was)).clamp(0.0, 1.0));
            }
            passed += weight;
            before = Some((at, share));
        }
        1.0
    }
}

/// Times of the breaches of past windows of the same time of the day.
fn past(history: &History, horizon: usize, sustain: usize, threshold: f64) -> Vec<f64> {
    let (n, cycle) = (history.len(), history.cycle());
    let values = history.values();
    let Some(last) = n.checked_sub(horizon) else { return Vec::new() };
    let days = horizon.div_ceil(cycle);
    (days..)
        .map_while(|j| n.checked_sub(j * cycle))
        .filter(|o| *o > 0 && *o <= last && values[o - 1] < threshold)
        .take(MAX_WINDOWS)
        .filter_map(|o| first(&values[o..o + horizon], sustain, threshold).map(|step| step + 1.0))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn share_and_quantile_are_inverse() {
        let times = Times { steps: vec![(3.0, 0.2), (5.0, 0.2), (5.0, 0.1), (12.0, 0.5)], horizon: 20.0, stretch: (1.0, 0.0) };
        assert_eq!((times.quantile(0.05), times.quantile(0.1), times.quantile(1.0)), (3.0, 3.0, 12.0));
        for q in [0.1, 0.2, 0.25, 0.5, 0.6, 0.74] {
            assert!((times.share_by(times.quantile(q)) - q).abs() < 0.1 + 1e-9, "{q}");
        }
        assert_eq!((times.share_by(2.9), times.share_by(12.0)), (0.0, 1.0));
    }

    #[test]
    fn a_breach_in_an_hour_may_come_at_any_moment_of_it() {
        let near = |a: f64, b: f64| (a - b).abs() < 1e-12;
        let sure = Times { steps: vec![(3.0, 0.5), (3.0, 0.5)], horizon: 20.0, stretch: (1.0, 0.0) };
        assert!(
            near(sure.quantile_of_stretches(0.1), 2.1)
                && near(sure.quantile_of_stretches(0.5), 2.5)
                && near(sure.quantile_of_stretches(0.9), 2.9)
        );
        let split = Times { steps: vec![(3.0, 0.25), (7.0, 0.75)], horizon: 20.0, stretch: (1.0, 0.0) };
        assert!(near(split.quantile_of_stretches(0.25), 3.0) && near(split.quantile_of_stretches(0.5), 6.0 + 1.0 / 3.0));
        assert!(near(split.quantile_of_stretches(1.0), 7.0));
        let even = Times::even(80);
        for q in [0.05, 0.1, 0.5, 0.93] {
            assert!(near(even.quantile_of_stretches(q), 80.0 * q), "{q}");
        }
    }

    #[test]
    fn what_has_never_happened_may_come_at_any_time() {
        let times = Times::even(80);
        assert!((times.quantile(0.5) - 40.0).abs() <= 5.0);
    }
}
