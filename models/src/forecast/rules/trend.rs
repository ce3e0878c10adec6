//! Straight growth: disks that fill, leaks, queues that are not drained.
//!
//! Two robust lines: Theil and Sen's median slope (Sen, "Estimates of the regression coefficient based on Kendall's tau", 1968) to draw
//! wild values in, and least squares through what is left; over short windows the median change alone. Never across a reset.

use super::level::level;
use super::{Plain, kept};
use crate::robust::{SIGMA_PER_MAD, median_mut, median_slope_in};

/// Steady growth of the last hours: a quarter of a season.
pub(in super::super) static TREND_SHORT: Plain = Plain { name: "trend-short", say: trend_short };
/// The same over three times as many points, where there is no season: with one, what lasts longer than hours is the drift's.
pub(in super::super) static TREND_LONG: Plain = Plain { name: "trend-long", say: trend_long };
/// A line through the last three days.
pub(in super::super) static DRIFT: Plain = Plain { name: "drift", say: trend_days };

/// Points of the short trend without a season; with one, a quarter of it.
const SHORT: usize = 12;

fn trend_short(past: &[f64], season: usize, since: usize, out: &mut [f64], room: &mut Vec<f64>) -> bool {
    steady(past, if season > 0 { (season / 4).max(6) } else { SHORT }, since, out, room)
}

fn trend_long(past: &[f64], season: usize, since: usize, out: &mut [f64], room: &mut Vec<f64>) -> bool {
    season == 0 && steady(past, 3 * SHORT, since, out, room)
}

fn trend_days(past: &[f64], season: usize, since: usize, out: &mut [f64], room: &mut Vec<f64>) -> bool {
    trend(past, if season > 0 { 3 * season } else { 12 * SHORT }, since, out, room)
}

/// Steady growth: the median change over a quarter of the window goes on from the present level. A jump changes less than half of those
/// differences and so adds no slope, where a fitted line would tilt for the whole window.
fn steady(past: &[f64], window: usize, since: usize, out: &mut [f64], room: &mut Vec<f64>) -> bool {
    let from = past.len().saturating_sub(window).max(since.min(past.len()));
    let values = &past[from..];
    if values.len() < 4 {
        return false;
    }
    let lag = (values.len() / 4).max(1);
    let slope = median_mut(kept(room, values[lag..].iter().zip(values).map(|(b, a)| (b - a) / lag as f64)));
    // The level is the median of three values, which lies at the middle one: a step back.
    let start = level(values) + slope;
    for (o, h) in out.iter_mut().zip(1_i32..) {
        *o = start + slope * f64::from(h);
    }
    true
}

/// A straight line by least squares through the last `window` values, but only since the last reset; values further than three robust
/// sigmas from a median line (Theil and Sen) are drawn in to there first, so that a spike does not tilt it.
fn trend(past: &[f64], window: usize, since: usize, out: &mut [f64], room: &mut Vec<f64>) -> bool {
    let from = past.len().saturating_sub(window).max(since.min(past.len()));
    let values = &past[from..];
    if values.len() < 4 {
        return false;
    }
    let slope = median_slope_in(values, room);
    let n = values.len();
    // The line, and how far from it the values are.
    kept(room, (0_i32..).map(|i| slope * f64::from(i)).take(n));
    room.extend_from_slice(values);
    let (rough, offsets) = room.split_at_mut(n);
    offsets.iter_mut().zip(&*rough).for_each(|(v, rough)| *v -= rough);
    let middle = median_mut(offsets);
    for offset in offsets.iter_mut() {
        *offset = (*offset - middle).abs();
    }
    let reach = 3.0 * SIGMA_PER_MAD * median_mut(offsets);
    let clipped = offsets;
    for ((clipped, v), rough) in clipped.iter_mut().zip(values).zip(&*rough) {
        let (low, high) = (middle + rough - reach, middle + rough + reach);
        *clipped = if *v < low { low } else { *v };
        *clipped = if *clipped > high { high } else { *clipped };
    }
    let (intercept, slope) = line(clipped);
    let end = (values.len() - 1) as f64;
    for (o, h) in out.iter_mut().zip(0_i32..) {
        *o = intercept + slope * (end + 1.0 + f64::from(h));
    }
    true
}

/// Least squares of y on 0, 1, 2, ...: (intercept, slope).
fn line(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean_x = (n - 1.0) / 2.0;
    let mean_y = values.iter().sum::<f64>() / n;
    let xy: f64 = values.iter().zip(0_i32..).map(|(y, i)| (f64::from(i) - mean_x) * (y - mean_y)).sum();
    // Sum of the squared distances of 0, 1, 2, ... from their mean.
    let xx = n * (n * n - 1.0) / 12.0;
    let slope = if xx > 0.0 { xy / xx } else { 0.0 };
    (mean_y - slope * mean_x, slope)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_continued_exactly_and_a_spike_does_not_tilt_it() {
        let mut past: Vec<f64> = (0..24).map(|i| 5.0 + 0.5 * f64::from(i)).collect();
        let mut out = [0.0; 4];
        assert!(trend(&past, 24, 0, &mut out, &mut Vec::new()));
        assert!((out[3] - (5.0 + 0.5 * 27.0)).abs() < 1e-9);
        past[20] += 400.0;
        trend(&past, 24, 0, &mut out, &mut Vec::new());
        assert!((out[3] - 18.5).abs() < 1e-6, "{}", out[3]);
    }
}
