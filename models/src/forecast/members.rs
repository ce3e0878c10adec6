//! Simple causal rules, each right about some kind of series. Alone they are naive; weighed by their own past errors they are hard to beat.
//!
//! Each takes the values up to an origin and writes the next `out.len()` steps. None looks at anything else, so the same function
//! predicts today and is judged at past origins.

use crate::robust::{SIGMA_PER_MAD, median_mut, median_slope, quantile_mut};

/// A rule. `season` is 0 or a day in steps, with at least two days of `past`; `since` is where the current tooth of a sawtooth began.
pub(super) type Rule = fn(past: &[f64], season: usize, since: usize, out: &mut [f64]) -> bool;

pub(super) struct Member {
    pub name: &'static str,
    pub rule: Rule,
}

/// In the order in which ties are broken.
pub(super) const MEMBERS: [Member; 9] = [
    Member { name: "last", rule: last },
    Member { name: "trend-short", rule: trend_short },
    Member { name: "trend-day", rule: trend_day },
    Member { name: "trend-days", rule: trend_days },
    Member { name: "seasonal", rule: seasonal },
    Member { name: "seasonal-shifted", rule: seasonal_shifted },
    Member { name: "seasonal-growth", rule: seasonal_growth },
    Member { name: "seasonal-median", rule: seasonal_median },
    Member { name: "weekly-shifted", rule: weekly_shifted },
];

/// The present level: the median of the last three values, so that one wild value is not the origin of everything.
fn level(past: &[f64]) -> f64 {
    let mut tail = [0.0; 3];
    let n = past.len().min(3);
    tail[..n].copy_from_slice(&past[past.len() - n..]);
    median_mut(&mut tail[..n])
}

pub(super) fn last(past: &[f64], _season: usize, _since: usize, out: &mut [f64]) -> bool {
    out.fill(level(past));
    !past.is_empty()
}

/// Points of the short trend without a season; with one, a quarter of it.
const SHORT: usize = 12;

fn trend_short(past: &[f64], season: usize, since: usize, out: &mut [f64]) -> bool {
    steady(past, if season > 0 { (season / 4).max(6) } else { SHORT }, since, out)
}

fn trend_day(past: &[f64], season: usize, since: usize, out: &mut [f64]) -> bool {
    if season == 0 { steady(past, 3 * SHORT, since, out) } else { trend(past, season, since, out) }
}

pub(super) fn trend_days(past: &[f64], season: usize, since: usize, out: &mut [f64]) -> bool {
    trend(past, if season > 0 { 3 * season } else { 12 * SHORT }, since, out)
}

/// Steady growth: the median change over a quarter of the window goes on from the present level. A jump changes less than half of those
/// differences and so adds no slope, where a fitted line would tilt for the whole window.
fn steady(past: &[f64], window: usize, since: usize, out: &mut [f64]) -> bool {
    let from = past.len().saturating_sub(window).max(since.min(past.len()));
    let values = &past[from..];
    if values.len() < 4 {
        return false;
    }
    let lag = (values.len() / 4).max(1);
    let mut changes: Vec<f64> = values[lag..].iter().zip(values).map(|(b, a)| (b - a) / lag as f64).collect();
    let slope = median_mut(&mut changes);
    // The level is the median of three values, which lies at the middle one: a step back.
    let start = level(values) + slope;
    for (h, o) in out.iter_mut().enumerate() {
        *o = start + slope * (h + 1) as f64;
    }
    true
}

/// A straight line by least squares through the last `window` values, but only since the last reset; values further than three robust
/// sigmas from a median line (Theil and Sen) are drawn in to there first, so that a spike does not tilt it.
fn trend(past: &[f64], window: usize, since: usize, out: &mut [f64]) -> bool {
    let from = past.len().saturating_sub(window).max(since.min(past.len()));
    let values = &past[from..];
    if values.len() < 4 {
        return false;
    }
    let slope = median_slope(values);
    let mut offsets: Vec<f64> = values.iter().enumerate().map(|(i, v)| v - slope * i as f64).collect();
    let middle = median_mut(&mut offsets);
    for offset in &mut offsets {
        *offset = (*offset - middle).abs();
    }
    let reach = 3.0 * SIGMA_PER_MAD * median_mut(&mut offsets);
    let clipped = values.iter().enumerate().map(|(i, v)| {
        let rough = middle + slope * i as f64;
        v.clamp(rough - reach, rough + reach)
    });
    let (intercept, slope) = line(clipped);
    let end = (values.len() - 1) as f64;
    for (h, o) in out.iter_mut().enumerate() {
        *o = intercept + slope * (end + 1.0 + h as f64);
    }
    true
}

/// Least squares of y on 0, 1, 2, ...: (intercept, slope).
fn line(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let n = values.clone().count() as f64;
    let mean_x = (n - 1.0) / 2.0;
    let mean_y = values.clone().sum::<f64>() / n;
    let (mut xy, mut xx) = (0.0, 0.0);
    for (i, y) in values.enumerate() {
        let dx = i as f64 - mean_x;
        xy += dx * (y - mean_y);
        xx += dx * dx;
    }
    let slope = if xx > 0.0 { xy / xx } else { 0.0 };
    (mean_y - slope * mean_x, slope)
}

/// As at the same time of the last day, so far as that was a day like others.
pub(super) fn seasonal(past: &[f64], season: usize, _since: usize, out: &mut [f64]) -> bool {
    if season == 0 || past.len() < season {
        return false;
    }
    let day = usual_day(past, season);
    for (h, o) in out.iter_mut().enumerate() {
        *o = day[h % season];
    }
    true
}

/// Days before the last one that say what a day is like.
const OTHER_DAYS: usize = 3;
/// A value this many robust sigmas of day-to-day change away from the days before is none of a usual day.
const UNUSUAL: f64 = 6.0;

/// The last day, with what happened only then and is over replaced by what the days before had at that time: one incident is no rhythm. What
/// still goes on is left as it is, since it may be the new level.
fn usual_day(past: &[f64], season: usize) -> Vec<f64> {
    let n = past.len();
    let mut day = past[n - season..].to_vec();
    if n < (OTHER_DAYS + 1) * season {
        return day;
    }
    let mut changes: Vec<f64> = (n - OTHER_DAYS * season..n).map(|i| (past[i] - past[i - season]).abs()).collect();
    let reach = UNUSUAL * SIGMA_PER_MAD * median_mut(&mut changes);
    let typical = |i: usize| {
        let mut others = [0.0; OTHER_DAYS];
        (1..=OTHER_DAYS).for_each(|back| others[back - 1] = past[i - back * season]);
        median_mut(&mut others)
    };
    let is_over = (level(past) - typical(n - 1)).abs() <= reach || (past[n - 1] - typical(n - 1)).abs() <= reach;
    if is_over {
        for (h, value) in day.iter_mut().enumerate() {
            let typical = typical(n - season + h);
            if (*value - typical).abs() > reach {
                *value = typical;
            }
        }
    }
    day
}

/// As yesterday, shifted to today's level; the shift fades over half a day.
fn seasonal_shifted(past: &[f64], season: usize, since: usize, out: &mut [f64]) -> bool {
    if past.len() < season + 3 || !seasonal(past, season, since, out) {
        return false;
    }
    add_fading(out, level(past) - level(&past[..past.len() - season]), season);
    true
}

/// As yesterday plus what a day usually adds (the median change against the day before, over the last day).
fn seasonal_growth(past: &[f64], season: usize, since: usize, out: &mut [f64]) -> bool {
    if season == 0 || past.len() < 2 * season || !seasonal(past, season, since, out) {
        return false;
    }
    let n = past.len();
    let mut changes: Vec<f64> = (n - season..n).map(|i| past[i] - past[i - season]).collect();
    let daily = median_mut(&mut changes);
    for (h, o) in out.iter_mut().enumerate() {
        *o += daily * (1 + h / season) as f64;
    }
    true
}

/// Days that the seasonal median looks at.
const MEDIAN_DAYS: usize = 4;

/// The median of the last four days at the same time, shifted to today's level; the shift fades over half a day.
fn seasonal_median(past: &[f64], season: usize, _since: usize, out: &mut [f64]) -> bool {
    if season == 0 || past.len() < 2 * season + 3 {
        return false;
    }
    let days = (past.len() / season).min(MEDIAN_DAYS);
    let n = past.len();
    let typical = |ahead: isize| {
        let mut values = [0.0; MEDIAN_DAYS];
        let mut count = 0;
        for day in 1..=days {
            let back = (day * season) as isize - ahead.rem_euclid(season as isize);
            if back > 0 && back as usize <= n {
                values[count] = past[n - back as usize];
                count += 1;
            }
        }
        median_mut(&mut values[..count])
    };
    // The last three samples stand at -3, -2, -1 steps from the next one.
    let mut now = [typical(-3), typical(-2), typical(-1)];
    let shift = level(past) - median_mut(&mut now);
    for (h, o) in out.iter_mut().enumerate() {
        *o = typical(h as isize);
    }
    add_fading(out, shift, season);
    out.iter().all(|o| o.is_finite())
}

/// As a week ago, shifted to today's level.
fn weekly_shifted(past: &[f64], season: usize, _since: usize, out: &mut [f64]) -> bool {
    let week = 7 * season;
    if season == 0 || past.len() < week + 3 {
        return false;
    }
    let n = past.len();
    let shift = level(past) - level(&past[..n - week]);
    for (h, o) in out.iter_mut().enumerate() {
        *o = past[n - week + h % week] + shift;
    }
    true
}

fn add_fading(out: &mut [f64], shift: f64, season: usize) {
    let keep = 0.5_f64.powf(2.0 / season as f64);
    let mut rest = shift;
    for o in out {
        rest *= keep;
        *o += rest;
    }
}

/// Where the current tooth of a sawtooth began: after the last one-step fall that is more than a quarter of the usual range and more
/// than eight usual steps. 0 where nothing fell so.
pub(super) fn since_reset(values: &[f64]) -> Vec<usize> {
    let mut sorted = values.to_vec();
    let range = quantile_mut(&mut sorted, 0.99) - quantile_mut(&mut sorted, 0.01);
    let mut steps: Vec<f64> = values.windows(2).map(|w| (w[1] - w[0]).abs()).collect();
    let fall = (0.25 * range).max(8.0 * if steps.is_empty() { 0.0 } else { median_mut(&mut steps) });
    let mut since = Vec::with_capacity(values.len());
    let mut start = 0;
    for i in 0..values.len() {
        if i > 0 && fall > 0.0 && values[i - 1] - values[i] > fall {
            start = i;
        }
        since.push(start);
    }
    since
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_continued_exactly_and_a_spike_does_not_tilt_it() {
        let mut past: Vec<f64> = (0..24).map(|i| 5.0 + 0.5 * f64::from(i)).collect();
        let mut out = [0.0; 4];
        assert!(trend(&past, 24, 0, &mut out));
        assert!((out[3] - (5.0 + 0.5 * 27.0)).abs() < 1e-9);
        past[20] += 400.0;
        trend(&past, 24, 0, &mut out);
        assert!((out[3] - 18.5).abs() < 1e-6, "{}", out[3]);
    }

    #[test]
    fn a_tooth_starts_after_the_fall() {
        let saw: Vec<f64> = (0..40).map(|i| f64::from(i % 10)).collect();
        let since = since_reset(&saw);
        assert_eq!((since[5], since[9], since[10], since[39]), (0, 0, 10, 30));
        assert_eq!(since_reset(&[1.0; 5]), vec![0; 5]);
    }

    #[test]
    fn seasonal_rules_continue_a_season() {
        let day = |i: usize| (i as f64 / 24.0 * std::f64::consts::TAU).sin();
        let past: Vec<f64> = (0..200).map(day).collect();
        for member in MEMBERS.iter().filter(|m| m.name.contains("season") || m.name.contains("week")) {
            let mut out = [0.0; 30];
            assert!((member.rule)(&past, 24, 0, &mut out), "{}", member.name);
            for (h, o) in out.iter().enumerate() {
                assert!((o - day(200 + h)).abs() < 1e-9, "{} at {h}: {o}", member.name);
            }
        }
    }
}
