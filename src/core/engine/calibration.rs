//! What a watch's answers have turned out to mean: learnt from those that are settled, applied to those to come.
//!
//! One map for one kind of metric, that is for a watch. Its series lie in shards that run side by side, and which series lies in which shard
//! depends on the order they came in. So the map stands still within an hour: what is settled in it is learnt when it is over, in order of
//! time and of the series' fingerprints. What a series is told then depends neither on shards and threads nor on how samples were cut into
//! frames.

use portent_models::breach::{Bin, Recalibration};
use serde::{Deserialize, Serialize};

use super::asked::{Covered, Outcome};
use super::tally::Tally;
use crate::core::labels::SeriesId;
use crate::core::time::{Span, Timestamp};

/// The map stands still for so long: frames are worked through in pieces that end with it.
pub(super) const LEARN_EVERY: Span = Span::HOUR;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Stored", into = "Stored")]
pub(super) struct Calibration {
    pub map: Recalibration,
    pub tally: Tally,
    /// Settled, and not learnt yet.
    settled: Vec<Settled>,
}

/// What a shard found out and its watch has not heard yet.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct News {
    pub settled: Vec<Settled>,
    pub covered: Vec<Covered>,
}

/// When, whose, what.
pub(super) type Settled = (Timestamp, SeriesId, Outcome);

/// As it lies in a checkpoint.
#[derive(Serialize, Deserialize)]
struct Stored {
    bins: Vec<[f64; 4]>,
    tally: Tally,
    settled: Vec<(Timestamp, u64, Outcome)>,
}

impl Calibration {
    pub fn hear(&mut self, news: &mut News) {
        self.settled.append(&mut news.settled);
        for covered in news.covered.drain(..) {
            for (level, inside) in covered.inside.into_iter().enumerate() {
                self.tally.interval(level, covered.far, inside);
            }
        }
    }

    /// Learns what was settled before a time.
    pub fn learn(&mut self, before: Timestamp) {
        if !self.settled.iter().any(|(at, ..)| *at < before) {
            return;
        }
        self.settled.sort_unstable_by_key(|(at, series, _)| (*at, series.0));
        let over = self.settled.partition_point(|(at, ..)| *at < before);
        for (_, _, outcome) in self.settled.drain(..over) {
            self.map.observe(outcome.stated, outcome.came_true);
            self.tally.likelihood(outcome.said, outcome.came_true);
        }
    }
}

impl From<Stored> for Calibration {
    fn from(stored: Stored) -> Self {
        let bins: Vec<Bin> = stored.bins.iter().map(|&[count, hits, log_p, log_not_p]| Bin { count, hits, log_p, log_not_p }).collect();
        let settled = stored.settled.into_iter().map(|(at, series, outcome)| (at, SeriesId(series), outcome)).collect();
        Self { map: Recalibration::from_bins(&bins), tally: stored.tally, settled }
    }
}

impl From<Calibration> for Stored {
    fn from(calibration: Calibration) -> Self {
        let bins = calibration.map.bins().iter().map(|bin| [bin.count, bin.hits, bin.log_p, bin.log_not_p]).collect();
        let settled = calibration.settled.into_iter().map(|(at, series, outcome)| (at, series.0, outcome)).collect();
        Self { bins, tally: calibration.tally, settled }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_learnt_does_not_depend_on_who_told_it_first_and_survives_a_checkpoint() {
        let hour = |h: i64| Timestamp::from_millis(h * 3_600_000);
        let all: Vec<Settled> = (0..300_u64)
            .map(|i| {
                let stated = 0.02 + 0.0031 * i as f64;
                (hour(i as i64 % 7), SeriesId(i * 7919 % 301), Outcome { stated, said: stated, came_true: i % 5 == 0 })
            })
            .collect();
        let told = |order: Vec<Settled>, pieces: usize| {
            let mut calibration = Calibration::default();
            for piece in order.chunks(order.len().div_ceil(pieces)) {
                calibration.hear(&mut News { settled: piece.to_vec(), covered: Vec::new() });
            }
            for h in 0..6 {
                calibration.learn(hour(h));
                let bytes = serde_json::to_vec(&calibration).unwrap();
                assert_eq!(serde_json::from_slice::<Calibration>(&bytes).unwrap(), calibration);
            }
            calibration
        };
        let mut turned = all.clone();
        turned.reverse();
        let (one, other) = (told(all, 1), told(turned, 13));
        assert_eq!((&one.map, &one.tally), (&other.map, &other.tally));
        assert!(!one.map.is_identity() && one.map.apply(0.8) < 0.5);
        assert!(!one.settled.is_empty(), "the last hours are not over");
    }
}
