//! The past of one question, turned so that a breach is always upwards, with what every rule asks for made once.
//!
//! Values are centred and scaled by the series' own median and range: no rule then depends on unit or offset, and sums over thousands of
//! values near a large offset lose nothing. Gaps are bridged by straight lines for the arithmetic.

use super::sorted::{Sorted, median};
use crate::robust::{median_mut, quantile_mut};

/// Past that is looked at, in days: four weeks, as the forecasts do.
const MAX_DAYS: usize = 28;
/// The same where steps make no day, and the most whatever the step (28 days of minutes).
const MAX_STEPS_WITHOUT_DAY: usize = 4_032;
const MAX_STEPS: usize = 40_320;
/// Values that are put in order: of more, fewer than all would do for a quantile.
const MAX_SORTED: usize = 1_000;
/// A one-step fall over this share of the central range and this many usual steps is a reset: a clean-up, a restart.
const RESET_SHARE: f64 = 0.25;
const RESET_JUMPS: f64 = 8.0;

/// See the module.
#[derive(Clone, Debug)]
pub struct History {
    values: Vec<f64>,
    /// Them in order, where they are few enough for that to be less work than looking for their quantiles.
    sorted: Option<Sorted>,
    /// `sums[i]` is the sum of the first `i` values; `moments` the same of index times value.
    sums: Vec<f64>,
    moments: Vec<f64>,
    /// For each index the first index of its tooth: where the last reset left the series.
    tooth: Vec<usize>,
    resets: Vec<usize>,
    day: usize,
    centre: f64,
    scale: f64,
    sign: f64,
    noise: f64,
    present: f64,
}

impl History {
    /// `values` oldest first, NaN where missing; `day` in steps, 0 for none. `None` where fewer than `least` values are present.
    pub fn new(values: &[f64], day: usize, upward: bool, least: usize) -> Option<Self> {
        let keep = if day > 0 { (MAX_DAYS * day).clamp(MAX_STEPS_WITHOUT_DAY.min(MAX_STEPS), MAX_STEPS) } else { MAX_STEPS_WITHOUT_DAY };
        let values = &values[values.len().saturating_sub(keep)..];
        let first = values.iter().position(|v| v.is_finite())?;
        let values = &values[first..];
        let known: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
        if known.len() < least.max(2) {
            return None;
        }
        let present = known.len() as f64 / values.len() as f64;
        let sorted = (values.len() <= MAX_SORTED).then(|| Sorted::new(known.iter().copied()));
        let (centre, high, low) = match &sorted {
            Some(sorted) => (sorted.quantile(0.5), sorted.quantile(0.99), sorted.quantile(0.01)),
            None => {
                let mut known = known.clone();
                (median_mut(&mut known), quantile_mut(&mut known, 0.99), quantile_mut(&mut known, 0.01))
            }
        };
        let range = high - low;
        let full = || known.iter().copied().fold(f64::NEG_INFINITY, f64::max) - known.iter().copied().fold(f64::INFINITY, f64::min);
        let scale = if range > 0.0 { range } else { full() };
        let scale = if scale > 0.0 && scale.is_finite() { scale } else { centre.abs().max(1.0) };
        let sign = if upward { 1.0 } else { -1.0 };
        let mut scaled: Vec<f64> = values.iter().map(|v| sign * (v - centre) / scale).collect();
        bridge(&mut scaled);
        let sorted = sorted.map(|sorted| {
            let has_gaps = known.len() < values.len();
            if has_gaps { Sorted::new(scaled.iter().copied()) } else { sorted.map(|v| sign * (v - centre) / scale) }
        });
        let steps = scaled.windows(2).map(|w| (w[1] - w[0]).abs());
        let noise = if scaled.len() > 1 { median(steps) } else { 0.0 };
        let fall = RESET_SHARE.max(RESET_JUMPS * noise);
        let (mut sums, mut moments) = (vec![0.0; scaled.len() + 1], vec![0.0; scaled.len() + 1]);
        let (mut tooth, mut resets) = (vec![0; scaled.len()], Vec::new());
        for (i, v) in scaled.iter().enumerate() {
            sums[i + 1] = sums[i] + v;
            moments[i + 1] = moments[i] + i as f64 * v;
            if i > 0 {
                let is_reset = scaled[i - 1] - v > fall;
                tooth[i] = if is_reset { i } else { tooth[i - 1] };
                if is_reset {
                    resets.push(i);
                }
            }
        }
        Some(Self { values: scaled, sorted, sums, moments, tooth, resets, day, centre, scale, sign, noise, present })
    }

    /// A value or threshold of the series in this history's unit.
    pub fn scaled(&self, value: f64) -> f64 {
        self.sign * (value - self.centre) / self.scale
    }

    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Quantiles of the values, of about every so many that at least `most` are looked at.
    pub fn quantiles<const N: usize>(&self, levels: [f64; N], most: usize) -> [f64; N] {
        match &self.sorted {
            Some(sorted) => levels.map(|level| sorted.quantile(level)),
            None => {
                let mut some: Vec<f64> = self.values.iter().step_by((self.len() / most).max(1)).copied().collect();
                levels.map(|level| quantile_mut(&mut some, level))
            }
        }
    }

    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Never: there is no history without a value.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Steps of a day, 0 for none.
    pub fn day(&self) -> usize {
        self.day
    }

    /// A day in steps, or what stands for it where steps make none.
    pub fn cycle(&self) -> usize {
        if self.day > 0 { self.day } else { (self.len() / 8).max(8) }
    }

    /// The usual size of one step.
    pub fn noise(&self) -> f64 {
        self.noise
    }

    /// Share of steps that are there.
    pub fn present(&self) -> f64 {
        self.present
    }

    /// Indexes at which a tooth begins.
    pub fn resets(&self) -> &[usize] {
        &self.resets
    }

    /// First index of the tooth that index `i` belongs to.
    pub fn tooth(&self, i: usize) -> usize {
        self.tooth[i]
    }

    /// Mean of `[from, to)`, which must hold a value.
    pub fn mean(&self, from: usize, to: usize) -> f64 {
        (self.sums[to] - self.sums[from]) / (to - from) as f64
    }

    /// Mean of the last `count` values before `end`, of as many as there are.
    pub fn mean_before(&self, end: usize, count: usize) -> f64 {
        self.mean(end.saturating_sub(count.max(1)), end)
    }

    /// Least-squares line over `[from, to)`: its value at index `to` and its slope a step.
    pub fn line(&self, from: usize, to: usize) -> (f64, f64) {
        let n = (to - from) as f64;
        let sum = self.sums[to] - self.sums[from];
        if to - from < 2 {
            return (sum / n, 0.0);
        }
        let moment = (self.moments[to] - self.moments[from]) - from as f64 * sum;
        let middle = (n - 1.0) / 2.0;
        let slope = (moment - middle * sum) / (n * (n * n - 1.0) / 12.0);
        (sum / n + slope * (n - middle), slope)
    }
}

/// Gaps become straight lines, ends the nearest value.
fn bridge(values: &mut [f64]) {
    let mut last: Option<usize> = None;
    for i in 0..values.len() {
        if values[i].is_nan() {
            continue;
        }
        let value = values[i];
        match last {
            // Next to each other, as nearly all.
            Some(l) if l + 1 == i => {}
            Some(l) => {
                let from = values[l];
                let width = (i - l) as f64;
                for (j, gap) in values[l..i].iter_mut().enumerate().skip(1) {
                    *gap = from + (value - from) * j as f64 / width;
                }
            }
            None => values[..i].fill(value),
        }
        last = Some(i);
    }
    if let Some(l) = last {
        let value = values[l];
        values[l + 1..].fill(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_found_exactly_and_gaps_are_bridged_by_one() {
        let mut values: Vec<f64> = (0..200).map(|i| 1e9 + 3.0 * f64::from(i)).collect();
        values[50..80].fill(f64::NAN);
        let history = History::new(&values, 24, true, 8).unwrap();
        let (at, slope) = history.line(20, 200);
        assert!((at - history.scaled(1e9 + 600.0)).abs() < 1e-9);
        assert!((slope - (history.scaled(3.0) - history.scaled(0.0))).abs() < 1e-9);
        assert!((history.values()[60] - history.scaled(1e9 + 180.0)).abs() < 1e-9);
        assert!((history.present() - 170.0 / 200.0).abs() < 1e-12);
    }

    #[test]
    fn a_fall_is_a_reset_and_a_jump_up_is_none() {
        let values: Vec<f64> = (0..300).map(|i| f64::from(i % 50) + if i == 120 { 30.0 } else { 0.0 }).collect();
        let history = History::new(&values, 24, true, 8).unwrap();
        // The lone spike at 120 falls again at 121.
        assert_eq!(history.resets(), [50, 100, 121, 150, 200, 250]);
        assert_eq!((history.tooth(49), history.tooth(50), history.tooth(299)), (0, 50, 250));
        let below = History::new(&values, 24, false, 8).unwrap();
        assert_eq!(below.resets(), [120], "seen from below the falls are jumps up");
    }

    #[test]
    fn too_little_is_nothing() {
        assert!(History::new(&[f64::NAN; 40], 24, true, 8).is_none());
        assert!(History::new(&[1.0; 7], 24, true, 8).is_none());
    }
}
