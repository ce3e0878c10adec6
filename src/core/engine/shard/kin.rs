//! What a young series inherits from its siblings: series of the same watch and workload, whose labels differ only in which copy it is.
//!
//! A pod that was started an hour ago has a level, and nothing else of its own. Its siblings have the daily shape and the size of the noise.
//! Both are taken as the medians over the siblings, in proportion to their levels where all are of one sign (twice the traffic, twice the
//! noise), and laid around the series' own level, wider than theirs: what is borrowed is believed less.
//!
//! Worked out when somebody asks, from closed buckets alone; nothing is kept, so nothing can be out of date, and nothing is raised by it: a
//! series has its first hours to itself.

use portent_models::baseline::Band;
use portent_models::robust::median_mut;

use super::Shard;
use crate::core::civil;
use crate::core::labels::Labels;
use crate::core::time::Timestamp;
use crate::core::watch::Watch;

/// Labels that say which copy of a workload it is, not which workload.
pub const COPY_LABELS: [&str; 14] =
    ["pod", "pod_name", "instance", "node", "host", "hostname", "id", "name", "container_id", "uid", "pod_ip", "ip", "replica", "task"];
/// Siblings that are asked at most: medians move little past so many, and a view must stay cheap.
const MAX_SIBLINGS: usize = 32;
/// Fewer than so many are no family: one sibling may be the odd one.
const MIN_SIBLINGS: usize = 2;
/// Borrowed bands are this many times as wide: siblings' noise differs by up to about half, and the level is that of a few hours. Measured
/// in the tests beside this: 2 sigmas so widened hold 95 % and more of a newcomer's first day.
pub const WIDER: f64 = 1.5;

/// What a young series has from its siblings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Inherited {
    /// What is expected now, already widened.
    pub band: Band,
    pub siblings: usize,
    pub wider: f64,
}

/// Whose copy a series is: equal for siblings.
pub(in crate::core::engine) fn kin(labels: &Labels) -> u64 {
    let kept = labels.iter().filter(|(name, _)| !COPY_LABELS.contains(name));
    Labels::from_pairs(kept).map_or(0, |labels| labels.id().0)
}

impl Shard {
    /// What a row that is younger than the minimum history has from its siblings in this shard.
    pub fn inherited(&self, row: usize, watch: &Watch) -> Option<Inherited> {
        let (last, value) = self.block.last(row)?;
        let needed = watch.baseline.min_history.as_millis();
        let age = |row: usize| self.block.first_ms(row).zip(self.block.last(row)).map_or(0, |(first, (last, _))| last - first);
        if age(row) >= needed {
            return None;
        }
        let own = self.rows[row].kin;
        let elders: Vec<usize> = (0..self.rows.len())
            .filter(|&other| other != row && self.rows[other].kin == own && age(other) >= needed)
            .filter(|&other| self.block.summary(other).level.is_finite() && self.block.summary(other).scale.is_finite())
            .take(MAX_SIBLINGS)
            .collect();
        if elders.len() < MIN_SIBLINGS {
            return None;
        }
        let levels: Vec<f64> = elders.iter().map(|&e| self.block.summary(e).level).collect();
        let is_relative = value != 0.0 && levels.iter().all(|level| level * value > 0.0);
        let unit = |level: f64| if is_relative { level.abs() } else { 1.0 };
        let median = |of: &dyn Fn(usize) -> f64| {
            let mut values: Vec<f64> = elders.iter().zip(&levels).map(|(&elder, level)| of(elder) / unit(*level)).collect();
            median_mut(&mut values)
        };
        let shape = |civil: f64| median(&|elder| self.block.shape_at(elder, civil));
        let scale = median(&|elder| self.block.summary(elder).scale);
        let level = self.own_level(row, watch, value, is_relative, &shape);
        let civil = civil::hour_of_day(&watch.zone, Timestamp::from_millis(last));
        let expected = level + unit(level) * shape(civil);
        Some(Inherited { band: Band { expected, sigma: WIDER * unit(level) * scale }, siblings: elders.len(), wider: WIDER })
    }

    /// The level that the row's own closed five minutes tell when the borrowed shape is taken off; its last value before one has closed.
    fn own_level(&self, row: usize, watch: &Watch, value: f64, is_relative: bool, shape: &dyn Fn(f64) -> f64) -> f64 {
        let geometry = self.block.geometry();
        let means = self.block.coarse_means(row);
        let first = self.block.newest_bucket() - means.len() as i64;
        let (means, first, width) = if means.iter().any(|v| v.is_finite()) {
            (means, first, geometry.bucket_ms)
        } else {
            let fine = self.block.fine_means(row);
            let first = self.block.newest_fine() - fine.len() as i64;
            (fine, first, geometry.fine_ms)
        };
        let civil = |bucket: i64| civil::hour_of_day(&watch.zone, Timestamp::from_millis(bucket * width + width / 2));
        let mut levels: Vec<f64> = (first..)
            .zip(&means)
            .filter(|(_, mean)| mean.is_finite())
            .map(|(bucket, mean)| {
                let shape = shape(civil(bucket));
                // A shape that takes nearly all of the level away tells nothing about it.
                if is_relative { mean / (1.0 + shape).max(0.1) } else { mean - shape }
            })
            .collect();
        if levels.is_empty() { value } else { median_mut(&mut levels) }
    }
}

#[cfg(test)]
mod tests;
