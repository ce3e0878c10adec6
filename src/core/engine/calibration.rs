//! What a shard's answers have turned out to mean: learnt from those that are settled, applied to those to come.
//!
//! A shard is up to 1,024 series of one watch, so this is one map for one kind of metric. It moves at the end of a point of time only, by
//! what was settled in it in the order of the series' fingerprints: what a series is told does not depend on which one came before it in the
//! frame, nor on how samples were cut into frames.

use portent_models::breach::{Bin, Recalibration};
use serde::{Deserialize, Serialize};

use super::asked::{Covered, Outcome};
use super::tally::Tally;
use crate::core::labels::SeriesId;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Stored", into = "Stored")]
pub(super) struct Calibration {
    pub map: Recalibration,
    pub tally: Tally,
    /// Settled at this point of time.
    settled: Vec<(SeriesId, Outcome)>,
}

/// As it lies in a checkpoint, between two points of time.
#[derive(Serialize, Deserialize)]
struct Stored {
    bins: Vec<[f64; 4]>,
    tally: Tally,
}

impl Calibration {
    pub fn settled(&mut self, series: SeriesId, outcome: Outcome) {
        self.settled.push((series, outcome));
    }

    pub fn covered(&mut self, covered: Covered) {
        for (level, inside) in covered.inside.into_iter().enumerate() {
            self.tally.interval(level, covered.far, inside);
        }
    }

    /// A point of time is over.
    pub fn learn(&mut self) {
        self.settled.sort_unstable_by_key(|(series, _)| series.0);
        for (_, outcome) in self.settled.drain(..) {
            self.map.observe(outcome.stated, outcome.came_true);
            self.tally.likelihood(outcome.said, outcome.came_true);
        }
    }
}

impl From<Stored> for Calibration {
    fn from(stored: Stored) -> Self {
        let bins: Vec<Bin> = stored.bins.iter().map(|&[count, hits, log_p, log_not_p]| Bin { count, hits, log_p, log_not_p }).collect();
        Self { map: Recalibration::from_bins(&bins), tally: stored.tally, settled: Vec::new() }
    }
}

impl From<Calibration> for Stored {
    fn from(calibration: Calibration) -> Self {
        let bins = calibration.map.bins().iter().map(|bin| [bin.count, bin.hits, bin.log_p, bin.log_not_p]).collect();
        Self { bins, tally: calibration.tally }
    }
}
