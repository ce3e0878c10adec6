//! The past of one series as a model sees it: equally spaced, gaps filled for the arithmetic and still known as gaps.

use super::calendar::{Calendar, Reading, straighten};
use super::season::second;

/// What no value lies beyond.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bounds {
    pub lower: Option<f64>,
    pub upper: Option<f64>,
}

impl Bounds {
    pub fn clamp(&self, value: f64) -> f64 {
        let value = self.lower.map_or(value, |lower| value.max(lower));
        self.upper.map_or(value, |upper| value.min(upper))
    }
}

/// No model says anything about fewer samples.
pub const MIN_POINTS: usize = 8;

/// Seasons of history that a model looks at: four weeks of days. More costs time and is about another world.
const MAX_SEASONS: usize = 28;
/// The same without a season, in points.
const MAX_POINTS: usize = 2_016;

/// A series up to its origin (the last value), oldest first.
#[derive(Clone, Debug)]
pub struct Context {
    /// No NaN: gaps are bridged by straight lines, ends by the nearest value.
    filled: Vec<f64>,
    /// Which of them were really there.
    present: Vec<bool>,
    season: usize,
    second: usize,
    bounds: Bounds,
    reading: Reading,
}

impl Context {
    /// `values` on an equally spaced grid, NaN where missing, the last one at the origin. `season` is a day in steps, 0 for none.
    pub fn new(values: &[f64], season: usize, bounds: Bounds) -> Self {
        Self::believing(values, |_| true, season, bounds)
    }

    /// The same where clocks are changed or some days are unlike others: see [`Calendar`].
    pub fn with_calendar(values: &[f64], season: usize, bounds: Bounds, calendar: &Calendar) -> Self {
        let (local, believed, reading) = straighten(values, season, calendar);
        Self { reading, ..Self::believing(&local, |i| believed[i], season, bounds) }
    }

    fn believing(values: &[f64], believed: impl Fn(usize) -> bool, season: usize, bounds: Bounds) -> Self {
        let keep = if season > 0 { (MAX_SEASONS * season).max(MAX_POINTS) } else { MAX_POINTS };
        let cut = values.len().saturating_sub(keep);
        // What lies before the first sample is not a gap, it is nothing.
        let first = cut + values[cut..].iter().position(|v| v.is_finite()).unwrap_or(values.len() - cut);
        let values = &values[first..];
        let present: Vec<bool> = values.iter().enumerate().map(|(i, v)| v.is_finite() && believed(first + i)).collect();
        let mut filled = values.to_vec();
        bridge(&mut filled);
        let season = if season >= 2 && filled.len() >= 2 * season { season } else { 0 };
        let second = if season > 0 { second(&filled, season) } else { 0 };
        Self { filled, present, season, second, bounds, reading: Reading::default() }
    }

    pub fn values(&self) -> &[f64] {
        &self.filled
    }

    pub fn len(&self) -> usize {
        self.filled.len()
    }

    pub fn is_empty(&self) -> bool {
        self.filled.is_empty()
    }

    /// Samples that were really there.
    pub fn present(&self) -> usize {
        self.present.iter().filter(|p| **p).count()
    }

    /// Whether a value was really there.
    pub(super) fn is_present(&self, index: usize) -> bool {
        self.present[index]
    }

    /// Whether each of the values was really there; `None` where all of them were.
    pub(super) fn gaps(&self) -> Option<&[bool]> {
        self.present.contains(&false).then_some(&self.present)
    }

    /// The value, or NaN where the series had a gap.
    pub fn truth(&self, index: usize) -> f64 {
        if self.present[index] { self.filled[index] } else { f64::NAN }
    }

    /// Steps a season; 0 where there is none, or fewer than two of them.
    pub fn season(&self) -> usize {
        self.season
    }

    /// Steps of another rhythm beside the season, where there is one; else 0.
    pub fn second_season(&self) -> usize {
        self.second
    }

    pub fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// Steps that a model has to look ahead so that `horizon` steps can be told.
    pub(super) fn reach(&self, horizon: usize) -> usize {
        self.reading.reach(horizon)
    }

    /// A model's path as the world will see it: by the clock of each step, with what its day adds, inside the bounds.
    pub(super) fn told(&self, path: &[f64], horizon: usize) -> Vec<f64> {
        self.reading.read(path, horizon).into_iter().map(|v| self.bounds.clamp(v)).collect()
    }
}

/// Straight lines over inner gaps; the first value is finite.
fn bridge(values: &mut [f64]) {
    let mut last = None;
    for i in 0..values.len() {
        if !values[i].is_finite() {
            continue;
        }
        if let Some(before) = last.filter(|&l: &usize| i - l > 1) {
            let (from, to) = (values[before], values[i]);
            let steps = (i - before) as f64;
            for (k, value) in (1..).zip(&mut values[before + 1..i]) {
                *value = from + (to - from) * f64::from(k) / steps;
            }
        }
        last = Some(i);
    }
    if let Some(last) = last {
        let value = values[last];
        values[last + 1..].fill(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_bridged_and_remembered() {
        let nan = f64::NAN;
        let context = Context::new(&[nan, 1.0, nan, nan, 4.0, nan], 0, Bounds::default());
        assert_eq!(context.values(), [1.0, 2.0, 3.0, 4.0, 4.0]);
        assert_eq!(context.present(), 2);
        assert!(context.truth(1).is_nan() && context.truth(4).is_nan());
        assert!(Context::new(&[nan, nan], 0, Bounds::default()).is_empty());
    }

    #[test]
    fn a_season_needs_two_of_itself() {
        assert_eq!(Context::new(&[1.0; 47], 24, Bounds::default()).season(), 0);
        assert_eq!(Context::new(&[1.0; 48], 24, Bounds::default()).season(), 24);
    }
}
