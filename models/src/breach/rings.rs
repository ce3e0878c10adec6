//! A question to a [`Block`]'s rings instead of to samples: what the daemon can ask, which keeps a week of hours and no samples.
//!
//! A breach of samples is not a breach of hourly means: it comes earlier and may last only minutes. So a step's value is the hour's *crest*,
//! its mean and a share of its own spread towards the threshold, for which the usual [`Features`] are made. They look at closed hours alone
//! and are made once an hour ([`Week`]). What hours cannot say comes with every look ([`recent`](super::recent)): where the series stands
//! this minute and how it moved in the last hours; and what a forecast's error paths give, which know the rhythm better than a week of
//! windows can. One logistic map of its own weighs them all: its truth were breaches of samples.

use super::features::{FEATURES, Features};
use super::history::History;
use super::map::GATES;
use super::odds::{logistic, logit};
use super::recent::{RECENT, recent};
use super::ring_constants::{BASE, WEIGHTS};
use super::times::Times;
use crate::baseline::{BUCKETS, Block};

/// Numbers that the map weighs.
pub const RING_FEATURES: usize = FEATURES + RECENT + 1;

/// Sigmas of an hour that its crest lies over its mean: of twelve noisy values the highest run of three, as of a line its last quarter.
const CREST_SIGMAS: f64 = 0.7;
/// Say of the map; the paths have the rest. Half and half is right a little more often and tells even growth hours later.
const MAP_SHARE: f64 = 1.0 / 3.0;
/// Values that have to be there.
const MIN_PRESENT: usize = 8;
/// Steps ahead at most: sixty days of hours.
const MAX_STEPS: usize = 1_440;
/// A threshold that moved by no more of the week's spread is still the one that was asked about.
const SAME_THRESHOLD: f64 = 0.05;

/// What is asked of a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RingQuestion {
    pub threshold: f64,
    /// At or above the threshold is a breach, else at or below.
    pub upward: bool,
    pub horizon_ms: i64,
}

/// What a row's closed hours say about one question. Out of date when another hour has closed.
#[derive(Clone, Debug)]
pub struct Week {
    features: [f64; FEATURES],
    times: Times,
    pub(super) unit: Unit,
    /// Number of the first hour that is not in it.
    next: i64,
}

/// What the numbers of a question are measured in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Unit {
    /// A value of the series in the history's unit: `slope * value + offset`.
    pub slope: f64,
    pub offset: f64,
    pub threshold: f64,
    /// Usual spread of the hours' crests, their highest, and the mean of the last three.
    pub wide: f64,
    pub highest: f64,
    pub lately: f64,
}

impl Unit {
    pub fn of(&self, value: f64) -> f64 {
        self.slope * value + self.offset
    }
}

impl Week {
    /// `None` where the ring holds too little.
    pub fn new(block: &Block, row: usize, question: &RingQuestion) -> Option<Self> {
        let geometry = block.geometry();
        let sign = if question.upward { 1.0 } else { -1.0 };
        let next = block.newest_bucket();
        let crest = |bucket: i64| {
            let hour = block.bucket_moments(row, bucket);
            if hour.count > 0.0 { hour.mean + sign * CREST_SIGMAS * (hour.m2 / hour.count).sqrt() } else { f64::NAN }
        };
        let crests: Vec<f64> = (1..BUCKETS as i64).rev().map(|age| crest(next - age)).collect();
        let history = History::new(&crests, geometry.buckets_per_day(), question.upward, MIN_PRESENT)?;
        let threshold = history.scaled(question.threshold);
        let steps = ((question.horizon_ms as f64 / geometry.bucket_ms as f64).round().max(1.0) as usize).min(MAX_STEPS);
        let features = Features::new(&history, threshold, steps, 1);
        let times = Times::new(&history, &features.backtest, steps, 1, threshold);
        let [q90, q10] = history.quantiles([0.9, 0.1], BUCKETS);
        let (offset, n) = (history.scaled(0.0), history.len());
        let unit = Unit {
            slope: history.scaled(1.0) - offset,
            offset,
            threshold,
            wide: ((q90 - q10) / SIGMAS_BETWEEN_TENTHS).max(0.02),
            highest: history.values().iter().copied().fold(f64::NEG_INFINITY, f64::max),
            lately: history.mean(n.saturating_sub(3), n),
        };
        Some(Self { features: features.values, times, unit, next })
    }

    /// Whether a value is nearer to the threshold than all crests of the week.
    pub fn is_beyond(&self, value: f64) -> bool {
        self.unit.of(value) > self.unit.highest
    }

    /// Whether it is still what a new one would be: no hour has closed since, and the threshold is where it was.
    pub fn is_current(&self, block: &Block, threshold: f64) -> bool {
        self.next == block.newest_bucket() && (self.unit.of(threshold) - self.unit.threshold).abs() <= SAME_THRESHOLD * self.unit.wide
    }

    /// All that the map weighs, as of the block's newest sample. `by_paths` is the probability that the forecast's error paths give.
    pub fn features(&self, block: &Block, row: usize, question: &RingQuestion, by_paths: f64) -> [f64; RING_FEATURES] {
        let mut all = [0.0; RING_FEATURES];
        all[..FEATURES].copy_from_slice(&self.features);
        all[FEATURES..FEATURES + RECENT].copy_from_slice(&recent(block, row, &self.unit, question));
        all[FEATURES + RECENT] = logit(by_paths);
        all
    }

    /// Probability of a breach within the horizon, from the block's newest sample on.
    pub fn likelihood(&self, block: &Block, row: usize, question: &RingQuestion, by_paths: f64) -> f64 {
        let features = self.features(block, row, question, by_paths);
        let [horizon, explained, known] = GATES.map(|gate| features[gate]);
        let gates = [1.0, horizon, explained, known, features[RING_FEATURES - 1]];
        let weigh = |(x, weights): (&f64, &[f64; 5])| x * weights.iter().zip(gates).map(|(weight, gate)| weight * gate).sum::<f64>();
        let map = logistic(BASE + features.iter().zip(&WEIGHTS).map(weigh).sum::<f64>());
        // The map has seen few series that grow as evenly as a disk may, and is never as sure of them as their paths are; the paths are
        // never as doubtful of bursts as they should be.
        MAP_SHARE * map + (1.0 - MAP_SHARE) * by_paths
    }

    /// Milliseconds after `at_ms` by which a share `q` of the breaches has come, given that one comes.
    pub fn quantile_ms(&self, block: &Block, at_ms: i64, q: f64) -> f64 {
        let bucket_ms = block.geometry().bucket_ms as f64;
        (self.times.quantile_of_stretches(q) * bucket_ms - (at_ms as f64 - self.next as f64 * bucket_ms)).max(0.0)
    }
}

/// Sigmas between the 10 % and the 90 % quantile of a normal distribution.
const SIGMAS_BETWEEN_TENTHS: f64 = 2.56;
