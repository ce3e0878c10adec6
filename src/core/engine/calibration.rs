//! What a watch's answers have turned out to mean: learnt from those that are settled, applied to those to come.
//!
//! One map for one kind of metric, that is for a watch. Its series lie in shards that run side by side, and which series lies in which shard
//! depends on the order they came in. So the map stands still within an hour: what is settled in it is learnt when it is over, in order of
//! time and of the series' fingerprints. What a series is told then depends neither on shards and threads nor on how samples were cut into
//! frames. The width of intervals stands still and learns likewise, from the counts of each hour.

use std::collections::BTreeMap;

use portent_models::breach::{Bin, Recalibration};
use serde::{Deserialize, Serialize};

use super::asked::{Covered, Outcome};
use super::tally::{INTERVAL_LEVELS, Kept, Tally};
use crate::core::labels::SeriesId;
use crate::core::time::{Span, Timestamp};
use crate::core::widths::Widths;

/// The map stands still for so long: frames are worked through in pieces that end with it.
pub(super) const LEARN_EVERY: Span = Span::HOUR;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Stored", into = "Stored")]
pub(super) struct Calibration {
    pub map: Recalibration,
    pub tally: Tally,
    pub widths: Widths,
    /// Settled, and not learnt yet.
    settled: Vec<Settled>,
    /// Intervals that were settled in hours that are not learnt yet.
    hours: BTreeMap<Timestamp, Hour>,
}

/// Intervals of one hour by level, near and far.
type Hour = [[Kept; 2]; INTERVAL_LEVELS.len()];

/// What a shard found out and its watch has not heard yet.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct News {
    pub settled: Vec<Settled>,
    pub covered: Vec<(Timestamp, Covered)>,
}

/// When, whose, what.
pub(super) type Settled = (Timestamp, SeriesId, Outcome);

/// As it lies in a checkpoint.
#[derive(Serialize, Deserialize)]
struct Stored {
    bins: Vec<[f64; 4]>,
    tally: Tally,
    settled: Vec<(Timestamp, u64, Outcome)>,
    #[serde(default)]
    widths: Widths,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    hours: Vec<(Timestamp, Hour)>,
}

impl Calibration {
    pub fn hear(&mut self, news: &mut News) {
        self.settled.append(&mut news.settled);
        for (at, covered) in news.covered.drain(..) {
            let hour = self.hours.entry(at.floor(LEARN_EVERY)).or_default();
            for (level, (inside, uncorrected)) in covered.inside.into_iter().zip(covered.uncorrected).enumerate() {
                self.tally.interval(level, covered.far, inside, uncorrected);
                hour[level][usize::from(covered.far)].count(inside);
            }
        }
    }

    /// Learns what was settled before a time.
    pub fn learn(&mut self, before: Timestamp) {
        while let Some(hour) = self.hours.first_entry().filter(|hour| *hour.key() < before) {
            let hour = hour.remove();
            for far in [false, true] {
                let of_level = hour.map(|kept| kept[usize::from(far)]);
                let missed = |(kept, level): (Kept, f64)| (1.0 - kept.inside as f64 / kept.count.max(1) as f64, 1.0 - level);
                if of_level[0].count > 0 {
                    self.widths.learn(far, of_level[0].count, of_level.into_iter().zip(INTERVAL_LEVELS).map(missed));
                }
            }
        }
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
        let mut tally = stored.tally;
        // Before there was a correction all intervals were as they would have been without one.
        if tally.uncorrected == Hour::default() {
            tally.uncorrected = tally.intervals;
        }
        let hours = stored.hours.into_iter().collect();
        Self { map: Recalibration::from_bins(&bins), tally, widths: stored.widths, settled, hours }
    }
}

impl From<Calibration> for Stored {
    fn from(calibration: Calibration) -> Self {
        let bins = calibration.map.bins().iter().map(|bin| [bin.count, bin.hits, bin.log_p, bin.log_not_p]).collect();
        let settled = calibration.settled.into_iter().map(|(at, series, outcome)| (at, series.0, outcome)).collect();
        let hours = calibration.hours.into_iter().collect();
        Self { bins, tally: calibration.tally, settled, widths: calibration.widths, hours }
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

    #[test]
    fn widths_are_learnt_when_the_hour_is_over_and_a_checkpoint_from_before_has_none() {
        let at = |minutes: i64| Timestamp::from_millis(minutes * 60_000);
        let missed = Covered { far: false, inside: [false; 2], uncorrected: [false, true] };
        let mut calibration = Calibration::default();
        calibration.hear(&mut News { settled: Vec::new(), covered: vec![(at(70), missed), (at(65), missed)] });
        calibration.learn(at(60));
        assert_eq!((calibration.widths, calibration.tally.uncorrected[1][0].inside), (Widths::default(), 2));
        let mut bytes = serde_json::to_value(&calibration).unwrap();
        assert_eq!(serde_json::from_value::<Calibration>(bytes.clone()).unwrap(), calibration);
        calibration.learn(at(120));
        assert!(calibration.widths.of(false) > 1.1 && calibration.widths.of(true) == 1.0 && calibration.hours.is_empty());
        // What checkpoints had before there were widths.
        let map = bytes.as_object_mut().unwrap();
        for gone in ["widths", "hours"] {
            map.remove(gone);
        }
        map["tally"].as_object_mut().unwrap().remove("uncorrected");
        let old: Calibration = serde_json::from_value(bytes).unwrap();
        assert_eq!((old.widths, old.tally.uncorrected), (Widths::default(), old.tally.intervals));
        assert_eq!(old.tally.intervals, calibration.tally.intervals);
    }
}
