//! What the logistic map looks at: some sixty bounded numbers about one question, the same for every unit, offset and step.

use super::backtest::{Backtest, Judged};
use super::crest::crests;
use super::cycles::Cycles;
use super::hazard::Hazard;
use super::history::History;
use super::neighbours::Neighbours;
use super::odds::{Share, logit, squash};
use super::paths::PATHS;
use super::regression::Regression;
use super::rounds::Rounds;
use super::windows::Frequencies;
use crate::robust::quantile_mut;

/// Number of features.
pub const FEATURES: usize = 2 * PATHS + 65;

/// What each of them is called in the fit.
#[rustfmt::skip]
pub const NAMES: [&str; FEATURES] = [
    "level_z", "level_o", "yesterday_z", "yesterday_o", "days_z", "days_o", "week_z", "week_o", "line6_z", "line6_o", "tooth_z",
    "tooth_o", "changing_z", "changing_o", "rhythm_z", "rhythm_o", "curve_z", "curve_o", "teeth_z", "teeth_o", "pool_z", "pool_o",
    "best_z", "best_o", "second_z", "second_o", "middle", "known", "known_best", "f_all", "f_recent", "f_tod", "f_todrec",
    "f_week", "f_moved", "f_movedrec", "f_movedtod", "f_daymovedtod", "pw50", "pw75", "pw90", "f_daymoved", "windows", "r_usual",
    "r_latest", "r_lastweek", "r_highest", "r_rising", "reg_z", "reg_o", "reg_exp", "reg_expz", "hz_seen", "hz_soft", "hz_leaps",
    "knn", "knn_moved", "novelty", "has_resets", "peak", "race", "hr_race", "age", "d_now", "d_day", "d_week", "d_all", "d_hour",
    "d_rough", "ab_day", "ab_week", "ab_all", "since", "tail", "thr", "g_6h", "g_tooth", "g_daypeak", "g_day", "vol", "rough",
    "logH", "logN", "lift", "over",
];

/// Where the features lie that weigh others: see the map.
pub const KNOWN: usize = 27;
pub const EXPLAINED: usize = 50;
pub const HORIZON: usize = 81;

/// The features and what they were made of.
#[derive(Clone, Debug)]
pub struct Features {
    pub values: [f64; FEATURES],
    pub backtest: Backtest,
}

impl Features {
    /// `threshold` in the history's unit.
    pub fn new(history: &History, threshold: f64, horizon: usize, sustain: usize) -> Self {
        let (n, cycle) = (history.len(), history.cycle());
        let values = history.values();
        let crests = crests(values, horizon, sustain);
        let backtest = Backtest::new(history, &crests, horizon, sustain, threshold);
        let frequencies = Frequencies::new(history, &crests, horizon, threshold);
        let neighbours = Neighbours::new(history, &crests, horizon, threshold);
        let cycles = Cycles::new(history, horizon, threshold);
        let ranked = backtest.ranked();
        let mut out = Vec::with_capacity(FEATURES);

        // The pool stands in for a rule that has nothing to say.
        let pool = |of: &dyn Fn(&Judged) -> f64| {
            let total: f64 = ranked.iter().map(|j| 1.0 / (j.scale * j.scale)).sum();
            if total > 0.0 { ranked.iter().map(|j| of(j) / (j.scale * j.scale)).sum::<f64>() / total } else { 0.0 }
        };
        let (pool_z, pool_odds) = (pool(&|j| j.z), if ranked.is_empty() { frequencies.all } else { pool(&|j| j.log_odds) });
        for judged in &backtest.judged {
            out.push(judged.as_ref().map_or(pool_z, |j| j.z));
            out.push(judged.as_ref().map_or(pool_odds, |j| j.log_odds));
        }
        let best = |i: usize| ranked.get(i).map_or((pool_z, pool_odds), |j| (j.z, j.log_odds));
        let mut votes: Vec<f64> = ranked.iter().map(|j| j.log_odds).collect();
        let middle = if votes.is_empty() { pool_odds } else { quantile_mut(&mut votes, 0.5) };
        out.extend([pool_z, pool_odds, best(0).0, best(0).1, best(1).0, best(1).1, middle]);
        // How much better the best path knows the crest than its past spread does.
        let mut sorted: Vec<f64> = crests.iter().step_by((crests.len() / 500).max(1)).copied().collect();
        let spread = if sorted.is_empty() { 0.5 } else { (quantile_mut(&mut sorted, 0.84) - quantile_mut(&mut sorted, 0.16)) / 2.0 };
        let known = ranked.first().map_or(0.0, |j| (j.scale / spread.max(1e-4)).ln());
        out.push(squash(known, 3.0));
        out.push(squash(known, 3.0) * best(0).0);

        let f = &frequencies;
        out.extend([f.all, f.recent, f.same_time, f.same_time_recent, f.same_week_time]);
        out.extend([f.moved, f.moved_recent, f.moved_same_time, f.day_moved_same_time]);
        out.extend(f.part_way);
        out.extend([f.day_moved, squash(f.windows.max(0.1).ln(), 4.0)]);
        let rounds = Rounds::new(history, &crests, horizon, threshold);
        out.extend([rounds.usual, rounds.latest, rounds.last_week, rounds.highest, rounds.rising]);
        let learnt = Regression::new(history, &crests, horizon, threshold);
        out.extend(learnt.map_or([pool_z, pool_odds, 0.0], |r| [r.z, r.log_odds, r.explained]));
        out.push(learnt.map_or(0.0, |r| r.explained * r.z));
        let hazard = Hazard::new(history, horizon, sustain, threshold);
        out.extend([hazard.seen, hazard.soft, hazard.leaps]);
        out.extend([neighbours.alike, neighbours.moved, neighbours.novelty]);
        out.extend([
            cycles.has_resets,
            cycles.has_resets * cycles.peak,
            cycles.race,
            cycles.has_resets * cycles.race,
            cycles.has_resets * cycles.age,
        ]);

        // Distance to the threshold.
        let now = history.mean_before(n, 3);
        let wide = {
            let [q90, q10] = history.quantiles([0.9, 0.1], 1000);
            ((q90 - q10) / 2.56).max(0.02)
        };
        let highest = |span: usize| super::crest::crest(&values[n - span.min(n)..], sustain);
        out.push(squash((threshold - now) / wide, 5.0));
        out.push(squash((threshold - highest(cycle)) / wide, 5.0));
        out.push(squash((threshold - highest(7 * cycle)) / wide, 5.0));
        out.push(squash((threshold - highest(n)) / wide, 5.0));
        out.push(squash((threshold - highest((cycle / 24).max(3))) / wide, 5.0));
        let rough = history.noise().max(1e-4) * (horizon as f64).sqrt();
        out.push(squash((threshold - now) / rough, 5.0));

        // How much has been over it, and when last.
        let above = |span: usize| {
            let last = &values[n - span.min(n)..];
            let share = Share::of(last.iter().filter(|v| **v >= threshold).count(), last.len());
            logit((share.share() * share.windows() + 0.1) / (share.windows() + 2.0))
        };
        out.extend([above(cycle), above(7 * cycle), above(n)]);
        let since = values.iter().rev().position(|v| *v >= threshold).unwrap_or(2 * n);
        out.push(squash(((since + 1) as f64 / horizon as f64).ln(), 4.0));

        // How far the tail of single values goes beyond its bulk: whether a level never seen may be met.
        let tail = {
            let [q99, q50] = history.quantiles([0.99, 0.5], 2000);
            (highest(n) - q50) / (q99 - q50).max(0.02)
        };
        out.push(squash(tail - 1.0, 3.0));
        out.push(squash(threshold, 5.0));
        // Growth against what is left.
        let reach = |growth: f64, left: f64| {
            if left <= 0.0 { 3.0 } else { squash(growth / left, 3.0) }
        };
        let slope = |span: usize| if n >= span && span >= 2 { history.line(n - span, n).1 } else { 0.0 };
        let ahead = horizon as f64;
        out.push(reach(slope((cycle / 4).max(6)) * ahead, threshold - now));
        let tooth = history.tooth(n - 1).max(n.saturating_sub(3 * cycle));
        out.push(reach(if n - tooth >= 6 { history.line(tooth, n).1 * ahead } else { 0.0 }, threshold - now));
        let days = (n / cycle).saturating_sub(1).min(7);
        let growth =
            if days > 0 { (history.mean_before(n, cycle) - history.mean_before(n - days * cycle, cycle)) / days as f64 } else { 0.0 };
        out.push(reach(growth * ahead / cycle as f64, threshold - highest(cycle)));
        out.push(reach(growth * ahead / cycle as f64, threshold - now));

        // What kind of question and series this is.
        let volatile = |span: usize| {
            let span = span.min(n - 1);
            values[n - span - 1..].windows(2).map(|w| (w[1] - w[0]).abs()).sum::<f64>() / span as f64
        };
        out.push(squash((volatile(cycle / 4 + 3).max(1e-5) / volatile(n).max(1e-5)).ln(), 2.0));
        out.push(squash((volatile(n).max(1e-5) / wide).ln(), 3.0));
        out.push((ahead / cycle as f64).ln().clamp(-4.0, 3.0));
        out.push(squash((n as f64 / cycle as f64).ln(), 4.0));
        out.push(squash((history.mean_before(n, (cycle / 24).max(3)) - history.mean_before(n, cycle)) / wide, 4.0));

        out.push(f64::from(u8::from(values[n - 1] >= threshold)));

        let mut values = [0.0; FEATURES];
        debug_assert!(out.len() <= FEATURES, "{}", out.len());
        values.iter_mut().zip(out).for_each(|(v, o)| *v = if o.is_finite() { o } else { 0.0 });
        Self { values, backtest }
    }
}
