//! Exponential smoothing with a daily and, where there are two of them, a weekly season.
//!
//! Winters (1960); two seasons and the carried-over last error after Taylor, "Short-term electricity demand forecasting using double
//! seasonal exponential smoothing" (2003). On the scale of the fourth root, so that the season grows with the level. Parameter sets run in
//! lockstep as in `holt`. There is no trend: over a day the level's own persistence says more, and a week of growth is the business of
//! other rules.

use std::ops::Range;

use super::super::told::{Past, Rule, Told};
use super::root::Root;

/// (level gain, daily gain, weekly gain, share of the last error that is still there a step later).
const SETS: [(f64, f64, f64, f64); 8] = [
    (0.01, 0.1, 0.1, 0.9),
    (0.01, 0.2, 0.2, 0.7),
    (0.03, 0.1, 0.2, 0.8),
    (0.03, 0.3, 0.1, 0.95),
    (0.1, 0.1, 0.1, 0.5),
    (0.1, 0.3, 0.2, 0.7),
    (0.3, 0.1, 0.1, 0.0),
    (0.3, 0.3, 0.2, 0.5),
];
const HALF_LIFE_STEPS: f64 = 72.0;

/// See the module.
pub(in super::super) struct HoltWinters;

impl Rule for HoltWinters {
    fn name(&self) -> &'static str {
        "holt-winters"
    }

    fn tell(&self, past: &Past<'_>, told: &mut Told) {
        for (root, asked) in Root::known(past) {
            tell_on(root, asked, past, told);
        }
    }
}

/// One pass on one scale; what it says at the origins of those numbers is kept.
fn tell_on(root: Root, asked: Range<usize>, past: &Past<'_>, told: &mut Told) {
    const K: usize = SETS.len();
    let (n, day) = (past.values.len(), past.season);
    if day == 0 || n < 2 * day {
        return;
    }
    let week = if n >= 15 * day { 7 * day } else { 0 };
    let z: Vec<f64> = past.values.iter().map(|v| root.apply(*v)).collect();
    let mean = z[..2 * day].iter().sum::<f64>() / (2 * day) as f64;
    let mut daily: Vec<[f64; K]> = (0..day).map(|i| [f64::midpoint(z[i], z[i + day]) - mean; K]).collect();
    let mut weekly: Vec<[f64; K]> = vec![[0.0; K]; week.max(1)];
    let mut levels: Vec<[f64; K]> = vec![[mean; K]; day];
    let (mut level, mut last, mut wrong) = ([mean; K], [0.0; K], [0.0; K]);
    let keep = 0.5_f64.powf(1.0 / HALF_LIFE_STEPS);
    let mut next = 0;
    for (o, &origin) in past.origins[..asked.end].iter().enumerate() {
        while next < origin {
            let d = &mut daily[next % day];
            let w = &mut weekly[if week > 0 { next % week } else { 0 }];
            let gain_week = if week > 0 { 1.0 } else { 0.0 };
            for s in 0..K {
                let (alpha, gamma, omega, rho) = SETS[s];
                let rest = z[next] - level[s] - d[s] - w[s];
                // Judged a day ahead, too: a quick level is right about the next step and takes the weekend for a new world.
                let day_old = rest + level[s] - levels[next % day][s];
                wrong[s] = keep * wrong[s] + (rest - rho * last[s]).abs() + day_old.abs();
                level[s] += alpha * rest;
                d[s] += gamma * rest;
                w[s] += gain_week * omega * rest;
                levels[next % day][s] = level[s];
                last[s] = (1.0 - alpha - gamma - gain_week * omega) * rest;
            }
            next += 1;
        }
        if o < asked.start || origin < 3 * day {
            continue;
        }
        let best = (0..K).min_by(|&a, &b| wrong[a].total_cmp(&wrong[b])).unwrap_or(0);
        told.write(o, |out| {
            let mut rest = last[best];
            for (h, o) in out.iter_mut().enumerate() {
                let t = origin + h;
                rest *= SETS[best].3;
                let weekly = if week > 0 { weekly[t % week][best] } else { 0.0 };
                *o = root.undo(level[best] + daily[t % day][best] + weekly + rest);
            }
            true
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::said;
    use super::*;

    #[test]
    fn a_day_and_a_week_are_continued() {
        let value = |i: usize| 50.0 + 10.0 * (i as f64 / 24.0 * std::f64::consts::TAU).sin() - if (i / 24) % 7 >= 5 { 15.0 } else { 0.0 };
        let values: Vec<f64> = (0..24 * 42).map(value).collect();
        let path = said(&HoltWinters, &values, 24, 24 * 7).unwrap();
        let error = path.iter().enumerate().map(|(h, v)| (v - value(24 * 42 + h)).abs()).sum::<f64>() / path.len() as f64;
        // Who knows of no week is wrong by 4.3 on average.
        assert!(error < 3.0, "{error}");
        assert!(said(&HoltWinters, &values, 0, 5).is_none());
    }
}
