//! The crests of the same window on past days: how high yesterday's, last week's, the usual one went, and how near that is to the threshold.

use super::history::History;
use super::odds::squash;
use crate::robust::median_mut;

/// Days that count.
const MAX_ROUNDS: usize = 28;
const WEEK: usize = 7;

/// Distances of past crests to the threshold in their own spread; positive is past it.
#[derive(Clone, Copy, Debug)]
pub struct Rounds {
    /// The usual one of the last week.
    pub usual: f64,
    /// The latest.
    pub latest: f64,
    /// That of a week ago.
    pub last_week: f64,
    /// The highest of all.
    pub highest: f64,
    /// How much higher the crests of this week are than those before, in spreads.
    pub rising: f64,
}

impl Rounds {
    pub fn new(history: &History, crests: &[f64], horizon: usize, threshold: f64) -> Self {
        let (n, cycle) = (history.len(), history.cycle());
        let back = horizon.div_ceil(cycle);
        let seen: Vec<f64> = (back..back + MAX_ROUNDS).map_while(|j| n.checked_sub(j * cycle)).map(|o| crests[o]).collect();
        if seen.is_empty() {
            return Self { usual: 0.0, latest: 0.0, last_week: 0.0, highest: 0.0, rising: 0.0 };
        }
        let week = &seen[..seen.len().min(WEEK)];
        let usual = median_mut(&mut week.to_vec());
        let mut off: Vec<f64> = seen.iter().map(|c| (c - usual).abs()).collect();
        // Between the median, which ignores wild days, and the mean, which is all about them.
        let mean = off.iter().sum::<f64>() / off.len() as f64;
        let spread = (0.5 * (median_mut(&mut off) + mean) * 1.4).max(0.02);
        let at = |crest: f64| squash((crest - threshold) / spread, 4.0);
        let older = if seen.len() > WEEK { seen[WEEK..].iter().sum::<f64>() / (seen.len() - WEEK) as f64 } else { usual };
        Self {
            usual: at(usual),
            latest: at(seen[0]),
            last_week: at(if back <= WEEK { seen.get(WEEK - back).copied().unwrap_or(usual) } else { usual }),
            highest: at(seen.iter().copied().fold(f64::NEG_INFINITY, f64::max)),
            rising: squash((usual - older) / spread, 3.0),
        }
    }
}
