//! What comes next: a median path and nested intervals on a future grid.
//!
//! A [`Model`] is fitted to a [`Context`] and becomes a [`Fitted`]: predicting before fitting does not compile. A forecast is plain data.
//! Every model gets its intervals the same way, from its own errors at past origins of the same series ([`paths`]): a model's own
//! theory of its errors covers 79-92 % where it says 95 %.

mod bands;
mod calendar;
mod context;
mod ensemble;
mod family;
mod paths;
mod pool;
mod rules;
mod scant;
pub mod season;
mod single;
mod spectrum;
mod told;

pub use calendar::Calendar;
pub use context::{Bounds, Context, MIN_POINTS};
pub use ensemble::Ensemble;
pub use family::{ABSENT, NAMES, by_name};
pub use paths::{ErrorPaths, Window};
pub use scant::{around_level, fit_or_level};

use crate::breach::Passage;

/// An interval that holds the truth with probability `level`, at every future step.
#[derive(Clone, Debug, PartialEq)]
pub struct Interval {
    pub level: f64,
    pub lower: Vec<f64>,
    pub upper: Vec<f64>,
}

/// Future values at steps 1, 2, ... after the origin, in the series' own unit. Never NaN; `lower <= median <= upper`; a higher level's
/// interval holds a lower level's.
#[derive(Clone, Debug, PartialEq)]
pub struct Forecast {
    pub model: &'static str,
    pub median: Vec<f64>,
    /// In the order of the levels that were asked for.
    pub intervals: Vec<Interval>,
}

#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FitError {
    #[error("cannot fit {model}: {have} samples, it needs {need}")]
    TooShort { model: &'static str, have: usize, need: usize },
    #[error("cannot fit {model}: {cause}")]
    Numerics { model: &'static str, cause: String },
}

/// A kind of forecast, not yet fitted.
pub trait Model: Send + Sync {
    fn name(&self) -> &'static str;

    /// Learns from the context, for forecasts up to `horizon` steps.
    fn fit(&self, context: &Context, horizon: usize) -> Result<Fitted, FitError>;
}

/// A forecast of one series from one origin, with what its past errors looked like.
#[derive(Clone, Debug)]
pub struct Fitted {
    pub(crate) model: &'static str,
    pub(crate) median: Vec<f64>,
    pub(crate) errors: ErrorPaths,
    pub(crate) bounds: Bounds,
    /// How members were weighed, for those who ask why.
    pub(crate) weights: Vec<(&'static str, f64)>,
}

impl Fitted {
    pub fn model(&self) -> &'static str {
        self.model
    }

    /// Steps ahead.
    pub fn horizon(&self) -> usize {
        self.median.len()
    }

    /// The median path, steps 1 to the horizon.
    pub fn median(&self) -> &[f64] {
        &self.median
    }

    pub fn errors(&self) -> &ErrorPaths {
        &self.errors
    }

    /// Members with their weights, the heaviest first; weights add up to 1.
    pub fn weights(&self) -> &[(&'static str, f64)] {
        &self.weights
    }

    /// The forecast at the given interval levels, each in (0, 1).
    pub fn forecast(&self, levels: &[f64]) -> Forecast {
        self.forecast_widened(levels, |_| 1.0)
    }

    /// The same with intervals so many times as wide at each step (from 0), as far as bounds of the values let them.
    pub fn forecast_widened(&self, levels: &[f64], widen: impl Fn(usize) -> f64) -> Forecast {
        let intervals = levels.iter().map(|&level| self.interval(level, &widen)).collect();
        Forecast { model: self.model, median: self.median.clone(), intervals }
    }

    /// Lower and upper bound of intervals at one step (from 0), `widen` times as wide; `None` past the horizon.
    pub fn bounds<const N: usize>(&self, step: usize, levels: [f64; N], widen: f64) -> Option<[[f64; 2]; N]> {
        let median = *self.median.get(step)?;
        Some(levels.map(|level| {
            let (below, above) = self.errors.interval(step, level);
            [self.bounds.clamp(median + widen * below).min(median), self.bounds.clamp(median + widen * above).max(median)]
        }))
    }

    fn interval(&self, level: f64, widen: impl Fn(usize) -> f64) -> Interval {
        let mut interval = Interval { level, lower: Vec::with_capacity(self.median.len()), upper: Vec::with_capacity(self.median.len()) };
        for (h, &median) in self.median.iter().enumerate() {
            let ((below, above), widen) = (self.errors.interval(h, level), widen(h));
            interval.lower.push(self.bounds.clamp(median + widen * below).min(median));
            interval.upper.push(self.bounds.clamp(median + widen * above).max(median));
        }
        interval
    }

    /// The same forecast of the series plus a known course: what was taken off before fitting.
    #[must_use]
    pub fn plus(mut self, course: impl Iterator<Item = f64>) -> Self {
        self.median.iter_mut().zip(course).for_each(|(median, offset)| *median += offset);
        self
    }

    /// The same forecast of a series whose values don't lie beyond these.
    #[must_use]
    pub fn within(mut self, bounds: Bounds) -> Self {
        self.median.iter_mut().for_each(|median| *median = bounds.clamp(*median));
        Self { bounds, ..self }
    }

    /// Whether, and when, the series reaches `threshold` (from below if `upward`, else from above), now that `elapsed` steps have passed
    /// since the origin and the series stands `shift` away from where the median path would have it. It is reached at the first of
    /// `sustain` steps in a row at or past it; ask for `sustain - 1` steps more than matter, since a run that ends past the last one is not
    /// counted. See [`Passage`].
    pub fn passage(&self, threshold: f64, upward: bool, shift: f64, elapsed: f64, sustain: usize) -> Passage {
        Passage::new(self, threshold, upward, shift, elapsed, sustain)
    }
}

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod properties;
