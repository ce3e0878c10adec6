//! As at the same time of past days: seasonal naive and its kin, shifted to today's level where that helps.
//!
//! On loads with a daily rhythm these are what every model has to beat (Hyndman and Athanasopoulos, "Forecasting: Principles and Practice",
//! 5.2).

use super::level::level;
use super::{Plain, kept};
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
fn seasonal(past: &[f64], season: usize, _since: usize, out: &mut [f64], room: &mut Vec<f64>) -> bool {
    if season == 0 || past.len() < season {
        return false;
    }
    let reach = out.len().min(season);
    let (day, rest) = out.split_at_mut(reach);
    usual_day(past, season, day, room);
    rest.chunks_mut(season).for_each(|rest| rest.copy_from_slice(&day[..rest.len()]));
    true
}

/// Days before the last one that say what a day is like.
const OTHER_DAYS: usize = 3;
/// A value this many robust sigmas of day-to-day change away from the days before is none of a usual day.
const UNUSUAL: f64 = 6.0;

/// Writes the last day, as far as it is asked for, with what happened only then and is over replaced by what the days before had at that time: one incident is no rhythm.
/// What still goes on is left as it is, since it may be the new level.
fn usual_day(past: &[f64], season: usize, day: &mut [f64], room: &mut Vec<f64>) {
    let n = past.len();
    day.copy_from_slice(&past[n - season..][..day.len()]);
    if n < (OTHER_DAYS + 1) * season {
        return;
    }
    let before = &past[n - (OTHER_DAYS + 1) * season..];
    let changes = kept(room, before[season..].iter().zip(before).map(|(now, then)| (now - then).abs()));
    let reach = UNUSUAL * SIGMA_PER_MAD * median_mut(changes);
    // At each time of the last day, the median of the days before it.
    let (first, rest) = before.split_at(season);
    let (second, rest) = rest.split_at(season);
    let typical = |h: usize| median_mut(&mut [first[h], second[h], rest[h]]);
    let last = season - 1;
    let is_over = (level(past) - typical(last)).abs() <= reach || (past[n - 1] - typical(last)).abs() <= reach;
    if is_over {
        for (h, value) in day.iter_mut().enumerate() {
            let typical = typical(h);
            *value = if (*value - typical).abs() > reach { typical } else { *value };
        }
    }
}

/// As yesterday plus what a day usually adds (the median change against the day before, over the last day).
fn seasonal_growth(past: &[f64], season: usize, since: usize, out: &mut [f64], room: &mut Vec<f64>) -> bool {
    if season == 0 || past.len() < 2 * season || !seasonal(past, season, since, out, room) {
        return false;
    }
    let n = past.len();
    let (before, last) = past[n - 2 * season..].split_at(season);
    let daily = median_mut(kept(room, last.iter().zip(before).map(|(now, then)| now - then)));
    for (days, out) in out.chunks_mut(season).enumerate() {
        let grown = daily * (1 + days) as f64;
        for o in out {
            *o += grown;
        }
    }
    true
}

/// Days that the seasonal median looks at.
const MEDIAN_DAYS: usize = 4;

/// The median of the last four days at the same time, shifted to today's level; the shift fades over half a day.
fn seasonal_median(past: &[f64], season: usize, _since: usize, out: &mut [f64], _room: &mut Vec<f64>) -> bool {
    if season == 0 || past.len() < 2 * season + 3 {
        return false;
    }
    let n = past.len();
    // The last days, oldest first: what comes stands at their beginnings, the last three samples at their ends.
    let days = |back: usize| &past[n - back * season..][..season];
    let mut now = match (n / season).min(MEDIAN_DAYS) {
        2 => medians([days(1), days(2)], out),
        3 => medians([days(1), days(2), days(3)], out),
        _ => medians([days(1), days(2), days(3), days(4)], out),
    };
    let shift = level(past) - median_mut(&mut now);
    add_fading(out, shift, season);
    true
}

/// Medians of a few days, time by time and again from the first, and those at the times of the last three samples.
fn medians<const N: usize>(days: [&[f64]; N], out: &mut [f64]) -> [f64; 3] {
    let season = days[0].len();
    let reach = out.len().min(season);
    let begun = days.map(|day| &day[..reach]);
    for (h, o) in out[..reach].iter_mut().enumerate() {
        *o = median_mut(&mut begun.map(|day| day[h]));
    }
    let (day, rest) = out.split_at_mut(reach);
    rest.chunks_mut(season).for_each(|rest| rest.copy_from_slice(&day[..rest.len()]));
    [2, 1, 0].map(|back| median_mut(&mut days.map(|day| day[season - 1 - back % season])))
}

/// As a week ago, shifted to today's level.
fn weekly_shifted(past: &[f64], season: usize, _since: usize, out: &mut [f64], _room: &mut Vec<f64>) -> bool {
    let week = 7 * season;
    if season == 0 || past.len() < week + 3 {
        return false;
    }
    let n = past.len();
    let shift = level(past) - level(&past[..n - week]);
    for out in out.chunks_mut(week) {
        out.iter_mut().zip(&past[n - week..]).for_each(|(o, then)| *o = then + shift);
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
            assert!((member.say)(&past, 24, 0, &mut out, &mut Vec::new()), "{}", member.name);
            for (h, o) in out.iter().enumerate() {
                assert!((o - day(200 + h)).abs() < 1e-9, "{} at {h}: {o}", member.name);
            }
        }
    }
}
