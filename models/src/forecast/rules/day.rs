//! As at the same time of past days: seasonal naive and its kin, shifted to today's level where that helps.
//!
//! On loads with a daily rhythm these are what every model has to beat (Hyndman and Athanasopoulos, "Forecasting: Principles and Practice",
//! 5.2).

use super::Plain;
use super::level::level;
use crate::robust::{SIGMA_PER_MAD, median_mut};

/// As yesterday.
pub(in super::super) static SEASONAL: Plain = Plain { name: "seasonal-naive", say: seasonal };
/// As yesterday plus what a day usually adds.
pub(in super::super) static SEASONAL_GROWTH: Plain = Plain { name: "seasonal-growth", say: seasonal_growth };
/// The median of the last four days at the same time, shifted; the shift fades.
pub(in super::super) static SEASONAL_MEDIAN: Plain = Plain { name: "seasonal-median", say: seasonal_median };
/// As a week ago, shifted to today's level.
pub(in super::super) static WEEKLY_SHIFTED: Plain = Plain { name: "weekly-shifted", say: weekly_shifted };

/// As at the same time of the last day, so far as that was a day like others.
fn seasonal(past: &[f64], season: usize, _since: usize, out: &mut [f64]) -> bool {
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

/// The last day, with what happened only then and is over replaced by what the days before had at that time: one incident is no rhythm.
/// What still goes on is left as it is, since it may be the new level.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seasonal_rules_continue_a_season() {
        let day = |i: usize| (i as f64 / 24.0 * std::f64::consts::TAU).sin();
        let past: Vec<f64> = (0..200).map(day).collect();
        for member in [&SEASONAL, &SEASONAL_GROWTH, &SEASONAL_MEDIAN, &WEEKLY_SHIFTED] {
            let mut out = [0.0; 30];
            assert!((member.say)(&past, 24, 0, &mut out), "{}", member.name);
            for (h, o) in out.iter().enumerate() {
                assert!((o - day(200 + h)).abs() < 1e-9, "{} at {h}: {o}", member.name);
            }
        }
    }
}
