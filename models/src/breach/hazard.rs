//! The rate of breaches a day, carried to the horizon: what days, of which there are many, say about weeks, of which there are few.

use super::crest::crest;
use super::history::History;
use super::odds::logit;
use crate::robust::median_mut;

/// Days that count.
const MAX_DAYS: usize = 28;
/// A day counts half after so many more.
const HALF_LIFE_DAYS: f64 = 10.0;
/// Before anything is seen: a breach in so many days, worth one day.
const PRIOR_RATE: f64 = 0.05;
/// How fast the chance of a burst falls with its height: with the fourth power, a heavy tail, as bursts have.
const TAIL: i32 = 4;

/// Log odds of at least one breach in the horizon at the rate of past days.
#[derive(Clone, Copy, Debug)]
pub struct Hazard {
    /// Of days that held one.
    pub seen: f64,
    /// Of days that went part of the way, in proportion to how likely higher ones are by a heavy tail.
    pub soft: f64,
    /// The same of growth from a day's crest to the next one's, up from the last day's.
    pub leaps: f64,
}

impl Hazard {
    pub fn new(history: &History, horizon: usize, sustain: usize, threshold: f64) -> Self {
        let (n, cycle) = (history.len(), history.cycle());
        let days = (n / cycle).min(MAX_DAYS);
        let crests: Vec<f64> = (0..days).map(|j| crest(&history.values()[n - (j + 1) * cycle..n - j * cycle], sustain)).collect();
        let usual = if days == 0 { 0.0 } else { median_mut(&mut crests.clone()) };
        let over = |height: f64, need: f64| {
            if need <= 0.0 {
                1.0
            } else if height <= 0.0 {
                0.0
            } else {
                1.0 / (1.0 + (need / height).powi(TAIL))
            }
        };
        let (mut total, mut hits, mut soft, mut leaps) = (1.0, PRIOR_RATE, PRIOR_RATE, PRIOR_RATE);
        for (j, c) in crests.iter().enumerate() {
            let weight = 0.5_f64.powf(j as f64 / HALF_LIFE_DAYS);
            total += weight;
            hits += weight * f64::from(u8::from(*c >= threshold));
            soft += weight * over(c - usual, threshold - usual);
            if let Some(before) = crests.get(j + 1) {
                leaps += weight * over(c - before, threshold - crests[0]);
            }
        }
        let ahead = horizon as f64 / cycle as f64;
        let odds = |rate: f64| logit(1.0 - (1.0 - (rate / total).min(0.999)).powf(ahead));
        Self { seen: odds(hits), soft: odds(soft), leaps: odds(leaps) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_a_day_becomes_one_a_week() {
        // A burst to 1 every fourth day, 24 steps a day.
        let values: Vec<f64> = (0..28 * 24).map(|i| if i % 96 == 40 { 1.0 } else { 0.01 * f64::from(i % 7) }).collect();
        let history = History::new(&values, 24, true, 8).unwrap();
        let (day, week) = (Hazard::new(&history, 24, 1, history.scaled(0.9)), Hazard::new(&history, 168, 1, history.scaled(0.9)));
        assert!((-1.6..-0.6).contains(&day.seen), "{day:?}");
        assert!((1.0..2.5).contains(&week.seen), "{week:?}");
        // Bursts of this height make one half again as high thinkable, and ten times as high hardly.
        let [higher, far] = [1.5, 10.0].map(|t| Hazard::new(&history, 168, 1, history.scaled(t)).soft);
        assert!(higher > far + 0.5 && far < -0.5, "{higher} {far}");
    }
}
