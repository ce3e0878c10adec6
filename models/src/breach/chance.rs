//! The answer: how likely a breach is within the horizon, and how its time is distributed.
//!
//! Past paths, frequencies and distances become [`Features`], the logistic [`map`](super::map) turns them into a probability, and
//! [`Times`] says when. The two are one distribution: by step `t` the threshold has been reached with probability `likelihood * share(t)`,
//! so a quantile lies past the horizon exactly where the likelihood is below it.

use super::features::Features;
use super::history::History;
use super::map;
use super::times::Times;

/// Values that have to be there before more than the base rate is said.
pub const MIN_PRESENT: usize = 8;
/// Breaches of a day that nothing is known about, where thresholds are set to be reached seldom: the mean over the series of the fit.
const BASE_RATE_A_DAY: f64 = 0.1;

/// What is asked of a series: steps are those of its grid.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Question {
    pub threshold: f64,
    /// At or above the threshold is a breach, else at or below.
    pub upward: bool,
    /// Steps ahead, at least 1.
    pub horizon: usize,
    /// Steps in a row that make a breach, at least 1.
    pub sustain: usize,
    /// Steps of a day, 0 where they make none.
    pub day: usize,
}

/// See the module.
#[derive(Clone, Debug, PartialEq)]
pub struct Chance {
    likelihood: f64,
    times: Times,
}

impl Chance {
    /// `values` on an equally spaced grid, oldest first, NaN where missing, the last one now. Deterministic: no clock, no chance.
    pub fn new(values: &[f64], question: &Question) -> Self {
        let horizon = question.horizon.max(1);
        let sustain = question.sustain.clamp(1, horizon);
        let Some(history) = History::new(values, question.day, question.upward, MIN_PRESENT) else {
            return Self::unknown(horizon, question.day);
        };
        let threshold = history.scaled(question.threshold);
        let features = Features::new(&history, threshold, horizon, sustain);
        let times = Times::new(&history, &features.backtest, horizon, sustain, threshold);
        Self { likelihood: map::likelihood(&features.values), times }
    }

    /// Where there is nothing to learn from: the base rate, at any time.
    fn unknown(horizon: usize, day: usize) -> Self {
        let days = if day > 0 { horizon as f64 / day as f64 } else { 1.0 };
        Self { likelihood: 1.0 - (1.0 - BASE_RATE_A_DAY).powf(days), times: Times::even(horizon) }
    }

    /// Probability of a breach within the horizon.
    pub fn likelihood(&self) -> f64 {
        self.likelihood
    }

    /// The same distribution of times under another likelihood: a recalibrated one.
    #[must_use]
    pub fn with_likelihood(mut self, likelihood: f64) -> Self {
        self.likelihood = likelihood.clamp(0.0, 1.0);
        self
    }

    /// Probability of a breach within `steps`; never falls.
    pub fn within(&self, steps: f64) -> f64 {
        self.likelihood * self.times.share_by(steps)
    }

    /// Steps after now by which the breach has come with probability `q`; `None` where that lies past the horizon.
    pub fn quantile(&self, q: f64) -> Option<f64> {
        (q > 0.0 && q <= self.likelihood).then(|| self.times.quantile(q / self.likelihood))
    }
}
