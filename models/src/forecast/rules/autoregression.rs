//! Linear autoregression on seasonal neighbours: the next value from the last ones and from those a day, two days, a week ago.
//!
//! After Doornik, Castle and Hendry, "Card forecasts for M4" (2020), whose calibrated average of simple autoregressive rules was the best
//! on M4's hourly series. Values are taken on the scale of the fourth root, less the mean of the last season, so that the level needs no
//! intercept and may wander; the penalty stands for what a short history cannot tell. One pass: the normal equations grow with the past and
//! are solved at each origin.
//!
//! Rows that the last solution missed by far count less (Huber, "Robust estimation of a location parameter", 1964): bursts are no dynamics.

use std::ops::Range;

use super::super::told::{Past, Rule, Told};
use super::ridge::Ridge;
use super::root::Root;

/// Against the mean diagonal of the normal equations.
const PENALTY: f64 = 1e-4;
/// A row missed by more than this many mean absolute errors counts as if it had been missed by that.
const HUBER_ERRORS: f64 = 1.0;
/// Gain of the mean absolute error, and how many of it a single row moves it by at most.
const ERROR_GAIN: f64 = 0.01;
const ERROR_CLIP: f64 = 4.0;
/// Lags reach back over this share of the past at most: the rest is what is learned from.
const MAX_REACH: f64 = 0.55;
/// Rows a weight before a solution is believed.
const ROWS_A_WEIGHT: usize = 2;
/// The forecast leaves the past's range by this share of it at most: a recursion that has found an unstable root must not run away.
const MAX_OVERSHOOT: f64 = 0.25;
/// Steps whose mean is the level where there is no season.
const PLAIN_WINDOW: usize = 24;
/// Seasons up to this long have neighbours of a step each in the wide set.
const SHORT_SEASON: usize = 48;

/// See the module.
pub(in super::super) struct Autoregression {
    name: &'static str,
    lags: fn(season: usize) -> Vec<usize>,
}

/// Every day of the last week with the steps beside it.
pub(in super::super) static WIDE: Autoregression = Autoregression { name: "ar-wide", lags: wide };
/// The last steps, the last two days and a week: few weights for short pasts.
pub(in super::super) static NARROW: Autoregression = Autoregression { name: "ar-narrow", lags: narrow };

fn wide(m: usize) -> Vec<usize> {
    if m == 0 {
        return vec![1, 2, 3, 4, 6, 8, 12, 16, 24, 36];
    }
    let mut lags = vec![1, 2, 3, m / 2];
    if m <= SHORT_SEASON {
        lags.push(m + m / 2);
        lags.extend((1..=7).flat_map(|k| [k * m - 1, k * m, k * m + 1]));
    } else {
        lags.extend([6, 12]);
        lags.extend([1, 2, 7].iter().flat_map(|k| [k * m - 1, k * m, k * m + 1]));
        lags.extend((3..=6).map(|k| k * m));
    }
    lags
}

fn narrow(m: usize) -> Vec<usize> {
    if m == 0 {
        return vec![1, 2, 3, 6, 12];
    }
    vec![1, 2, m, m + 1, 2 * m, 7 * m, 7 * m + 1, 8 * m]
}

impl Autoregression {
    /// The set's lags that the past is long enough for, rising.
    fn fitting(&self, season: usize, len: usize) -> Vec<usize> {
        let longest = (MAX_REACH * len as f64) as usize;
        let mut lags = (self.lags)(season);
        lags.retain(|lag| (1..=longest).contains(lag));
        lags.sort_unstable();
        lags.dedup();
        lags
    }
}

impl Rule for Autoregression {
    fn name(&self) -> &'static str {
        self.name
    }

    fn tell(&self, past: &Past<'_>, told: &mut Told) {
        for (root, asked) in Root::known(past) {
            self.tell_on(root, asked, past, told);
        }
    }
}

impl Autoregression {
    /// One pass on one scale; what it says at the origins of those numbers is kept.
    fn tell_on(&self, root: Root, asked: Range<usize>, past: &Past<'_>, told: &mut Told) {
        let n = past.values.len();
        let lags = self.fitting(past.season, n);
        let Some(&longest) = lags.last() else { return };
        let window = if past.season > 0 { past.season } else { PLAIN_WINDOW.min(n / 3).max(1) };
        let start = longest.max(window);
        let z: Vec<f64> = past.values.iter().map(|v| root.apply(*v)).collect();
        // The past and, after it, what is being forecast.
        let mut path = z.clone();
        path.resize(n + told.horizon(), 0.0);

        let mut ridge = Ridge::new(lags.len());
        let mut row = vec![0.0; lags.len()];
        let (mut fit, mut solved): (Vec<f64>, Vec<f64>) = (Vec::new(), Vec::new());
        let mut usual = 0.0;
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        let (mut next, mut seen) = (start, 0);
        let mut sum: f64 = z[start - window..start].iter().sum();
        for (o, &origin) in past.origins[..asked.end].iter().enumerate() {
            while next < origin {
                let centre = sum / window as f64;
                row.iter_mut().zip(&lags).for_each(|(x, lag)| *x = z[next - lag] - centre);
                // What was bridged over a gap is no evidence.
                if past.context.is_present(next) {
                    let target = z[next] - centre;
                    let mut weight = 1.0;
                    if !fit.is_empty() {
                        let error = (target - dot(&fit, &row)).abs();
                        weight = if usual > 0.0 { (HUBER_ERRORS * usual / error).min(1.0) } else { 1.0 };
                        usual += if usual > 0.0 { ERROR_GAIN * (error.min(ERROR_CLIP * usual) - usual) } else { error };
                    }
                    ridge.add(&row, target, weight);
                }
                sum += z[next] - z[next - window];
                next += 1;
            }
            for value in &past.values[seen..origin] {
                (low, high) = (low.min(*value), high.max(*value));
            }
            seen = origin;
            if next != origin || origin - start < ROWS_A_WEIGHT * lags.len() + 4 {
                continue;
            }
            if !ridge.solve(PENALTY, &mut solved) {
                continue;
            }
            std::mem::swap(&mut fit, &mut solved);
            if o < asked.start {
                continue;
            }
            let edge = MAX_OVERSHOOT * (high - low);
            let mut sum = sum;
            told.write(o, |out| {
                for (h, o) in out.iter_mut().enumerate() {
                    let t = origin + h;
                    let centre = sum / window as f64;
                    let apart: f64 = fit.iter().zip(&lags).map(|(weight, lag)| weight * (path[t - lag] - centre)).sum();
                    *o = root.undo(centre + apart).clamp(low - edge, high + edge);
                    let value = root.apply(*o);
                    sum += value - path[t - window];
                    path[t] = value;
                }
                true
            });
            let end = (origin + told.reach(o)).min(n);
            path[origin..end].copy_from_slice(&z[origin..end]);
        }
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::super::said;
    use super::*;

    #[test]
    fn a_season_with_a_wandering_level_is_continued_from_where_it_is() {
        let value = |i: usize| 100.0 + 20.0 * (i as f64 / 24.0 * std::f64::consts::TAU).sin() + if i >= 400 { 15.0 } else { 0.0 };
        let values: Vec<f64> = (0..480).map(value).collect();
        for rule in [&WIDE, &NARROW] {
            for (h, v) in said(rule, &values, 24, 48).unwrap().iter().enumerate() {
                assert!((v - value(480 + h)).abs() < 8.0, "{} at {h}: {v} for {}", rule.name, value(480 + h));
            }
        }
    }

    #[test]
    fn it_does_not_run_away() {
        let values: Vec<f64> = (0..300).map(|i| 1.05_f64.powi(i)).collect();
        let path = said(&WIDE, &values, 0, 500).unwrap();
        assert!(path.iter().all(|v| *v <= 1.25 * values[299]));
    }
}
