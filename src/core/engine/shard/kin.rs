//! What a young series inherits from its siblings: series of the same watch and workload, whose labels differ only in which copy it is.
//!
//! A pod that was started an hour ago has a level, and nothing else of its own. Its siblings have the daily shape and the size of the noise.
//! Both are taken as the medians over the siblings, in proportion to their levels where all are of one sign (twice the traffic, twice the
//! noise), and laid around the series' own level ([`Heritage`]). Bands, residuals and forecasts of a young series go by it.
//!
//! A function of closed buckets alone, worked out when it is first asked for after one has closed: so it is the same however samples were
//! cut into frames, and after a restart. Series of other shards are not asked, so threads don't matter either.

use std::collections::BTreeMap;
use std::sync::Arc;

use portent_models::baseline::{Band, SLOTS};
use portent_models::robust::median_mut;

use super::Shard;
use crate::core::civil;
use crate::core::heritage::{Borrowed, Heritage, INHERITS_HOURS, Own};
use crate::core::labels::Labels;
use crate::core::time::{Span, Timestamp};
use crate::core::watch::Watch;

/// Labels that say which copy of a workload it is, not which workload.
pub const COPY_LABELS: [&str; 14] =
    ["pod", "pod_name", "instance", "node", "host", "hostname", "id", "name", "container_id", "uid", "pod_ip", "ip", "replica", "task"];
/// Siblings that are asked at most: medians move little past so many, and a fleet that starts anew must stay cheap.
const MAX_SIBLINGS: usize = 32;
/// Fewer than so many are no family: one sibling may be the odd one.
const MIN_SIBLINGS: usize = 2;
/// Hours of its own before its own noise is heard.
const LEAST_HOURS: usize = 12;
/// Hours that its level is the median of.
const LEVEL_HOURS: usize = 24;

/// Hours that the siblings' errors are taken over, how many times of each of them, and how far apart: at other times of the day.
const PATH_HOURS: usize = 48;
const PATHS_AN_ELDER: usize = 4;
const PATHS_APART: usize = 23;
/// Error paths at most, as of any forecast.
const MAX_PATHS: usize = 40;

/// What a young series has from its siblings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Inherited {
    /// What is expected now, already widened.
    pub band: Band,
    pub siblings: usize,
    pub wider: f64,
}

/// What rows have inherited as of the last closed bucket; `None` for those that have no siblings.
#[derive(Clone, Debug, Default)]
pub(super) struct Heirs(BTreeMap<usize, Option<Arc<Heritage>>>);

impl Heirs {
    pub fn of(&self, row: usize) -> Option<&Arc<Heritage>> {
        self.0.get(&row)?.as_ref()
    }

    pub fn forget(&mut self) {
        self.0.clear();
    }

    pub fn forget_row(&mut self, row: usize) {
        self.0.remove(&row);
    }
}

/// What a row knows of itself.
struct OwnHours {
    /// Civil slots and means of its closed hours, oldest first; before one has closed those of its five minutes, and at last its one value.
    hours: Vec<(usize, f64)>,
    /// How many of them are closed hours.
    closed: usize,
    /// Their median.
    typical: f64,
}

/// Whose copy a series is: equal for siblings.
pub(in crate::core::engine) fn kin(labels: &Labels) -> u64 {
    let kept = labels.iter().filter(|(name, _)| !COPY_LABELS.contains(name));
    Labels::from_pairs(kept).map_or(0, |labels| labels.id().0)
}

impl Shard {
    /// What a young row has from its siblings in this shard, as of now.
    pub fn inherited(&self, row: usize, watch: &Watch) -> Option<Inherited> {
        let (last, _) = self.block.last(row)?;
        let heritage = self.heritage(row, watch)?;
        let band = heritage.band(civil::hour_of_day(&watch.zone, Timestamp::from_millis(last)));
        Some(Inherited { band, siblings: heritage.siblings, wider: heritage.wider })
    }

    /// What a row goes by while it is young, whether it has been asked for or not.
    pub fn heritage(&self, row: usize, watch: &Watch) -> Option<Arc<Heritage>> {
        match self.heirs.0.get(&row) {
            Some(known) => known.clone(),
            None => self.heritage_of(row, watch).map(Arc::new),
        }
    }

    /// The same, kept until a bucket closes. A row without a closed hour of its own is judged by nothing yet.
    pub(super) fn inherit(&mut self, row: usize, watch: &Watch) -> Option<Arc<Heritage>> {
        if !self.is_young(row) {
            return None;
        }
        if self.block.closed(row).count == 0.0 {
            return None;
        }
        if !self.heirs.0.contains_key(&row) {
            let made = self.heritage_of(row, watch).map(Arc::new);
            self.heirs.0.insert(row, made);
        }
        self.heirs.of(row).cloned()
    }

    /// Whether a row has been there for less than it takes to have a day of its own.
    fn is_young(&self, row: usize) -> bool {
        let Some(first) = self.block.first_ms(row) else { return false };
        let begins = self.block.newest_bucket().saturating_mul(self.block.geometry().bucket_ms);
        begins.saturating_sub(first) < Span::HOUR.times(INHERITS_HOURS).as_millis() && !self.block.summary(row).seasonal
    }

    fn heritage_of(&self, row: usize, watch: &Watch) -> Option<Heritage> {
        let kin = self.rows[row].kin;
        if !self.is_young(row) {
            return None;
        }
        let mut elders: Vec<usize> = (0..self.rows.len())
            .filter(|&other| other != row && self.rows[other].kin == kin && self.block.first_ms(other).is_some())
            .filter(|&other| {
                !self.is_young(other) && self.block.summary(other).level.is_finite() && self.block.summary(other).scale.is_finite()
            })
            .collect();
        if elders.len() < MIN_SIBLINGS {
            return None;
        }
        // Whoever came first may sit in any row.
        elders.sort_unstable_by_key(|&elder| self.rows[elder].labels.id().0);
        elders.truncate(MAX_SIBLINGS);
        let OwnHours { hours, closed, typical } = self.own_hours(row, watch)?;
        let levels: Vec<f64> = elders.iter().map(|&elder| self.block.summary(elder).level).collect();
        let is_relative = typical != 0.0 && levels.iter().all(|level| level * typical > 0.0);
        let unit = |level: f64| if is_relative { level.abs() } else { 1.0 };
        let median = |of: &dyn Fn(usize) -> f64| {
            let mut values: Vec<f64> = elders.iter().zip(&levels).map(|(&elder, level)| of(elder) / unit(*level)).collect();
            median_mut(&mut values)
        };
        let shape: [f64; SLOTS] = std::array::from_fn(|slot| median(&|elder| self.block.shape(elder, slot)));
        let level = |(slot, mean): &(usize, f64)| {
            // A shape that takes nearly all of the level away tells nothing about it.
            if is_relative { mean / (1.0 + typical.signum() * shape[*slot]).max(0.1) } else { mean - shape[*slot] }
        };
        let mut own: Vec<f64> = hours[hours.len().saturating_sub(LEVEL_HOURS)..].iter().map(level).collect();
        let level = median_mut(&mut own);
        let unit = unit(level);
        let borrowed = Borrowed {
            siblings: elders.len(),
            shape: shape.map(|distance| unit * distance),
            sigma: unit * median(&|elder| self.block.summary(elder).scale),
            errors: self.errors(&elders, watch, &shape, is_relative, (closed.clamp(1, LEVEL_HOURS), unit)),
        };
        let a_day = self.block.geometry().buckets_per_day();
        let sigma = Some(self.block.summary(row).scale).filter(|scale| closed >= LEAST_HOURS && scale.is_finite());
        Some(Heritage::new(borrowed, &Own { level, hours: &hours[..closed], a_day, sigma }))
    }

    /// What the elders' hours would have been told wrong in the week from so many of their own, in units of the young series: none of its own
    /// can say that yet, and how far levels drift from day to day no band of theirs says.
    fn errors(
        &self,
        elders: &[usize],
        watch: &Watch,
        shape: &[f64; SLOTS],
        is_relative: bool,
        (known, unit): (usize, f64),
    ) -> Vec<Vec<f64>> {
        let width = self.block.geometry().bucket_ms;
        let mut paths = Vec::new();
        for &elder in elders {
            let own_unit = if is_relative { self.block.summary(elder).level.abs() } else { 1.0 };
            let means = self.block.coarse_means(elder);
            let first = self.block.newest_bucket() - means.len() as i64;
            let slot = |bucket: i64| civil::hour_of_day(&watch.zone, Timestamp::from_millis(bucket * width + width / 2)) as usize % SLOTS;
            let flat: Vec<f64> = (first..).zip(&means).map(|(bucket, mean)| mean / own_unit - shape[slot(bucket)]).collect();
            for back in 0..PATHS_AN_ELDER {
                let Some(origin) = flat.len().checked_sub(PATH_HOURS + back * PATHS_APART).filter(|origin| *origin >= known) else { break };
                let mut before: Vec<f64> = flat[origin - known..origin].iter().copied().filter(|v| v.is_finite()).collect();
                let after = &flat[origin..origin + PATH_HOURS];
                if before.is_empty() || after.iter().any(|v| !v.is_finite()) {
                    continue;
                }
                let level = median_mut(&mut before);
                paths.push(after.iter().map(|value| unit * (value - level)).collect());
                if paths.len() >= MAX_PATHS {
                    return paths;
                }
            }
        }
        paths
    }

    fn own_hours(&self, row: usize, watch: &Watch) -> Option<OwnHours> {
        let geometry = self.block.geometry();
        let read = |means: Vec<f64>, newest: i64, width: i64| -> Vec<(usize, f64)> {
            let first = newest - means.len() as i64;
            let slot = |bucket: i64| civil::hour_of_day(&watch.zone, Timestamp::from_millis(bucket * width + width / 2)) as usize % SLOTS;
            let known = (first..).zip(means).filter(|(_, mean)| mean.is_finite());
            known.map(|(bucket, mean)| (slot(bucket), mean)).collect()
        };
        let mut hours = read(self.block.coarse_means(row), self.block.newest_bucket(), geometry.bucket_ms);
        let closed = hours.len();
        if hours.is_empty() {
            hours = read(self.block.fine_means(row), self.block.newest_fine(), geometry.fine_ms);
        }
        if hours.is_empty() {
            let (at, value) = self.block.last(row)?;
            hours.push((civil::hour_of_day(&watch.zone, Timestamp::from_millis(at)) as usize % SLOTS, value));
        }
        let mut means: Vec<f64> = hours.iter().map(|(_, mean)| *mean).collect();
        Some(OwnHours { hours, closed, typical: median_mut(&mut means) })
    }
}

#[cfg(test)]
mod tests;
