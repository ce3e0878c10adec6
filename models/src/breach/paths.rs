//! Ten ways in which a series may go on, each a rule of a few lines that sees only what lies before an origin.
//!
//! None of them is right for every series; which ones are right for this one is found by asking them at its past origins
//! ([`backtest`](super::backtest)).

use super::history::History;
use super::sorted::median;
use crate::robust::median_mut;

/// A rule: history, origin (values before this index are known), the steps to fill. `false` where it has nothing to say.
pub type Rule = fn(&History, usize, &mut [f64]) -> bool;

/// All rules.
pub const RULES: [(&str, Rule); PATHS] = [
    ("level", level),
    ("yesterday", yesterday),
    ("days", days),
    ("last week", last_week),
    ("line 6h", line_short),
    ("line since reset", line_tooth),
    ("changing growth", changing_growth),
    ("line 7d + rhythm", line_rhythm),
    ("curve", curve),
    ("teeth", teeth),
];

/// Number of rules.
pub const PATHS: usize = 10;

/// Same-time values that are averaged.
const SAME_TIME_DAYS: usize = 4;
/// An offset from the rhythm decays over this share of a day.
const OFFSET_SHARE: f64 = 1.0 / 8.0;
/// A line wants at least so many values.
const MIN_LINE: usize = 6;

fn level(history: &History, origin: usize, out: &mut [f64]) -> bool {
    out.fill(history.mean_before(origin, 3));
    true
}

/// Growth a day: the median over the last day of how far a value lies over that of a day before.
fn daily_growth(history: &History, origin: usize) -> f64 {
    let (day, values) = (history.day(), history.values());
    // Every few minutes suffice: neighbours say the same.
    let stride = (day / 96).max(1);
    let (today, yesterday) = (&values[origin - day..origin], &values[origin - 2 * day..origin - day]);
    let growth = today.iter().zip(yesterday).step_by(stride).map(|(today, yesterday)| today - yesterday);
    median(growth)
}

fn yesterday(history: &History, origin: usize, out: &mut [f64]) -> bool {
    let (day, values) = (history.day(), history.values());
    if day < 2 || origin < 2 * day {
        return false;
    }
    let growth = daily_growth(history, origin);
    for (days, out) in out.chunks_mut(day).enumerate() {
        let grown = growth * (1 + days) as f64;
        out.iter_mut().zip(&values[origin - day..]).for_each(|(o, value)| *o = value + grown);
    }
    true
}

/// Has each step say what the same step of the first day says.
fn repeat_day(day: usize, out: &mut [f64]) {
    for begin in (day..out.len()).step_by(day) {
        let end = (begin + day).min(out.len());
        out.copy_within(0..end - begin, begin);
    }
}

fn days(history: &History, origin: usize, out: &mut [f64]) -> bool {
    let (day, values) = (history.day(), history.values());
    if day < 2 || origin < 3 * day {
        return false;
    }
    let back = (origin / day - 1).min(SAME_TIME_DAYS - 1);
    let growth = (history.mean_before(origin, day) - history.mean_before(origin - back * day, day)) / back as f64;
    // Mean of the last same-time values, brought to today's level: what step `s` after the origin is like.
    let count = (origin / day).min(SAME_TIME_DAYS);
    let shape = |s: usize| (1..=count).map(|j| values[origin - j * day + s] + growth * j as f64).sum::<f64>() / count as f64;
    // Where the last three values lie against the same shape, a day on.
    let expected = (shape(day - 1) + shape(day - 2) + shape(day.max(3) - 3)) / 3.0 - growth;
    let offset = history.mean_before(origin, 3) - expected;
    let decay = (-1.0 / (day as f64 * OFFSET_SHARE)).exp();
    let first = day.min(out.len());
    out[..first].fill(0.0);
    for j in 1..=count {
        let grown = growth * j as f64;
        out[..first].iter_mut().zip(&values[origin - j * day..]).for_each(|(o, value)| *o += value + grown);
    }
    out[..first].iter_mut().for_each(|o| *o /= count as f64);
    repeat_day(day, out);
    let mut rest = offset;
    for (days, out) in out.chunks_mut(day).enumerate() {
        let grown = growth * days as f64;
        for o in out {
            rest *= decay;
            *o = *o + grown + rest;
        }
    }
    true
}

fn last_week(history: &History, origin: usize, out: &mut [f64]) -> bool {
    let (day, values) = (history.day(), history.values());
    let week = 7 * day;
    if day < 2 || origin < week + day {
        return false;
    }
    let growth = history.mean_before(origin, day) - history.mean_before(origin - week, day);
    for (weeks, out) in out.chunks_mut(week).enumerate() {
        let grown = growth * (1 + weeks) as f64;
        out.iter_mut().zip(&values[origin - week..]).for_each(|(o, value)| *o = value + grown);
    }
    true
}

fn lay(line: (f64, f64), out: &mut [f64]) -> bool {
    out.iter_mut().enumerate().for_each(|(h, o)| *o = line.0 + line.1 * h as f64);
    true
}

fn line_short(history: &History, origin: usize, out: &mut [f64]) -> bool {
    let reach = (history.cycle() / 4).max(MIN_LINE);
    origin >= reach && lay(history.line(origin - reach, origin), out)
}

fn line_tooth(history: &History, origin: usize, out: &mut [f64]) -> bool {
    if origin < MIN_LINE {
        return false;
    }
    let from = history.tooth(origin - 1).max(origin.saturating_sub(3 * history.cycle()));
    let from = if origin - from < MIN_LINE { origin.saturating_sub(history.cycle()) } else { from };
    lay(history.line(from, origin), out)
}

/// Daily growth that grows or shrinks by a constant factor: accelerating leaks, saturating disks.
fn changing_growth(history: &History, origin: usize, out: &mut [f64]) -> bool {
    /// Factors a day beyond these are two noisy numbers divided.
    const FACTOR: (f64, f64) = (0.5, 1.6);
    let (day, values) = (history.day(), history.values());
    if day < 2 || origin < 5 * day {
        return false;
    }
    let mean = |j: usize| history.mean_before(origin - j * day, day);
    let (recent, before) = ((mean(0) - mean(2)) / 2.0, (mean(2) - mean(4)) / 2.0);
    let ratio = if recent * before > 0.0 { (recent / before).sqrt().clamp(FACTOR.0, FACTOR.1) } else { 1.0 };
    // The growth of the two days past belongs to a day before now.
    let mut growth = recent * ratio.sqrt();
    let mut sum = 0.0;
    for out in out.chunks_mut(day) {
        growth = (growth * ratio).clamp(-1e3, 1e3);
        sum += growth;
        out.iter_mut().zip(&values[origin - day..]).for_each(|(o, value)| *o = value + sum);
    }
    true
}

fn line_rhythm(history: &History, origin: usize, out: &mut [f64]) -> bool {
    let (day, values) = (history.day(), history.values());
    if day < 2 || origin < 2 * day {
        return false;
    }
    let from = history.tooth(origin - 1).max(origin.saturating_sub(7 * day));
    if origin - from < day + MIN_LINE {
        return false;
    }
    let (at, slope) = history.line(from, origin);
    let count = ((origin - from) / day).min(3);
    // How far the same steps of past days lay off the line.
    let first = day.min(out.len());
    out[..first].fill(0.0);
    for j in 1..=count {
        let begin = origin - j * day;
        for (s, (o, value)) in out[..first].iter_mut().zip(&values[begin..]).enumerate() {
            *o += value - (at - slope * (j * day - s) as f64);
        }
    }
    out[..first].iter_mut().for_each(|o| *o /= count as f64);
    repeat_day(day, out);
    for (h, o) in out.iter_mut().enumerate() {
        *o += at + slope * h as f64;
    }
    true
}

/// A parabola through the means of three equal parts of the tooth (at most a week), damped to its tangent at twice its length.
fn curve(history: &History, origin: usize, out: &mut [f64]) -> bool {
    if origin < 3 * MIN_LINE {
        return false;
    }
    let from = history.tooth(origin - 1).max(origin.saturating_sub(6 * history.cycle()));
    // Whole days in each part, so that the rhythm does not bend it.
    let part = (origin - from) / 3;
    let part = if history.day() > 0 && part >= history.day() { part / history.day() * history.day() } else { part };
    if part < MIN_LINE {
        return false;
    }
    let mean = |j: usize| history.mean(origin - (j + 1) * part, origin - j * part);
    let (a, b, c) = (mean(2), mean(1), mean(0));
    let width = part as f64;
    let bend = (c - 2.0 * b + a) / (width * width);
    // At the last value: half a part and a bit after the middle of the last part, whose mean is `c`.
    let slope = (c - b) / width + bend * (width - 0.5);
    let level = c + slope * (width - 1.0) / 2.0 - bend * (width - 1.0) * (2.0 * width - 1.0) / 12.0;
    let reach = (2 * part) as f64;
    for (h, o) in out.iter_mut().enumerate() {
        let t = (h + 1) as f64;
        let bent = if t <= reach { t * t / 2.0 } else { reach * reach / 2.0 + reach * (t - reach) };
        *o = level + slope * t + bend * bent;
    }
    true
}

/// Teeth that go on as they were: up along the usual slope to the usual peak (with its trend), down by the usual fall.
fn teeth(history: &History, origin: usize, out: &mut [f64]) -> bool {
    /// Teeth that are looked at.
    const TEETH: usize = 8;
    let values = history.values();
    let resets = history.resets();
    let known = resets.partition_point(|r| *r < origin);
    if known < 3 {
        return false;
    }
    let recent = &resets[known.saturating_sub(TEETH)..known];
    let mut lengths: Vec<f64> = recent.windows(2).map(|w| (w[1] - w[0]) as f64).collect();
    let mut slopes: Vec<f64> = recent.windows(2).filter(|w| w[1] - w[0] >= 3).map(|w| history.line(w[0], w[1]).1).collect();
    if slopes.is_empty() {
        return false;
    }
    // The trough's own trend: from the first trough to the last.
    let trough = |r: usize| values[r];
    let mut rises: Vec<f64> = recent.windows(2).map(|w| trough(w[1]) - trough(w[0])).collect();
    let (length, slope, rise) = (median_mut(&mut lengths).max(2.0), median_mut(&mut slopes), median_mut(&mut rises));
    let last = recent[recent.len() - 1];
    let mut base = trough(last);
    let mut age = (origin - last) as f64;
    let mut at = history.mean_before(origin, 3.min(origin - last).max(1));
    for o in out.iter_mut() {
        age += 1.0;
        if age > length {
            // An overdue reset comes now.
            base += rise;
            at = base;
            age = 0.0;
        } else {
            at += slope;
        }
        *o = at;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(name: &str, values: &[f64], origin: usize, horizon: usize) -> Option<Vec<f64>> {
        let history = History::new(values, 24, true, 8).unwrap();
        let rule = RULES.iter().find(|(n, _)| *n == name).unwrap().1;
        let mut out = vec![0.0; horizon];
        let unit = history.scaled(1.0) - history.scaled(0.0);
        rule(&history, origin, &mut out).then(|| out.iter().map(|v| (v - history.scaled(0.0)) / unit).collect())
    }

    #[test]
    fn each_rule_is_exact_about_what_it_is_made_for() {
        let tau = std::f64::consts::TAU;
        let line = |i: usize| 5.0 + 0.5 * i as f64;
        let rhythm = |i: usize| line(i) + 20.0 * (i as f64 / 24.0 * tau).sin();
        let parabola = |i: usize| 0.01 * (i as f64).powi(2);
        let saw = |i: usize| (i % 60) as f64;
        let cases: [(&str, &dyn Fn(usize) -> f64); 10] = [
            ("yesterday", &rhythm),
            ("days", &rhythm),
            ("last week", &rhythm),
            ("line 6h", &line),
            ("line since reset", &line),
            ("line since reset", &saw),
            ("line 7d + rhythm", &rhythm),
            ("curve", &parabola),
            ("curve", &line),
            ("teeth", &saw),
        ];
        for (name, of) in cases {
            let values: Vec<f64> = (0..320).map(of).collect();
            // The slope through a rhythm's week is not quite the line's: its ends lie at the same phase, its middle does not.
            let near = match name {
                "line 7d + rhythm" => 1.5,
                "teeth" => 1.1,
                _ => 1e-6,
            };
            let told = ask(name, &values, 280, 18).unwrap_or_else(|| panic!("{name} has nothing to say"));
            for (h, v) in told.iter().enumerate() {
                assert!((v - of(280 + h)).abs() <= near, "{name} step {h}: {v}, {}", of(280 + h));
            }
        }
    }

    #[test]
    fn no_rule_looks_past_its_origin() {
        let values: Vec<f64> = (0..700_u32).map(|i| f64::from(i.wrapping_mul(2_654_435_761) >> 24) + f64::from(i % 90)).collect();
        let mut other = values.clone();
        // The same range and median, so that both histories have the same unit.
        other[400..].reverse();
        let (a, b) = (History::new(&values, 24, true, 8).unwrap(), History::new(&other, 24, true, 8).unwrap());
        for (name, rule) in RULES {
            let (mut x, mut y) = (vec![0.0; 60], vec![0.0; 60]);
            assert_eq!(rule(&a, 400, &mut x), rule(&b, 400, &mut y), "{name}");
            assert!(x.iter().zip(&y).all(|(x, y)| (x - y).abs() < 1e-9), "{name}");
        }
    }
}
