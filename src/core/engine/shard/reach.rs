//! Which series need no forecast now: those that are so far from their threshold that nothing they have done in the past week would bring
//! them there, and those that a forecast found safe some hours ago and that do nothing new.
//!
//! A look costs most of a millisecond and most series are healthy; this costs a microsecond. It errs towards looking: a series that leaves
//! its normal band towards the threshold, has come half way nearer, or would be there within the horizon by its slope is looked at.

use super::Shard;
use crate::core::civil;
use crate::core::time::Timestamp;
use crate::core::watch::{Limit, Side, Watch};

/// Out of reach is what lies further beyond the extreme of the week than this many times the week's whole range.
const RANGES: f64 = 1.5;
/// The hour's movement is continued over the horizon at this many times its speed.
const SPEED: f64 = 1.5;
/// A forecast that found a breach less likely than this ...
const SAFE_LIKELIHOOD: f32 = 0.01;
/// ... holds for so many buckets of the coarse ring, as long as nothing new happens.
const SAFE_BUCKETS: i64 = 6;
/// The slope of the past days is continued over the horizon at this many times its steepness.
const STEEPER: f64 = 1.5;
/// Hours that must be known: less is no week to judge by.
const LEAST_HOURS: usize = 24;

impl Shard {
    /// Whether a value has left its normal band towards the threshold. The shape knows hours: where it is steep (a nightly job begins), what
    /// is normal an hour before or after is normal now.
    pub(super) fn has_left(&self, row: usize, value: f64, side: Side, at: Timestamp, watch: &Watch) -> bool {
        let toward = if side == Side::Above { 1.0 } else { -1.0 };
        let civil = civil::hour_of_day(&watch.zone, at);
        [-1.0, 0.0, 1.0].into_iter().all(|hours| {
            let band = self.block.expected(row, at.as_millis(), (civil + hours).rem_euclid(24.0));
            band.is_some_and(|band| toward * band.sigmas(value) >= watch.baseline.sigma)
        })
    }

    /// Whether the last forecast found the series safe, and still holds: see the module.
    pub(super) fn is_still_safe(&self, row: usize, value: f64, limit: &Limit, at: Timestamp, watch: &Watch) -> bool {
        let state = &self.rows[row];
        let woken = limit.side.is_breach(value, state.wake);
        if state.next_look == Timestamp::MIN || woken || state.likelihood >= SAFE_LIKELIHOOD {
            return false;
        }
        // One bucket of several is the series' own: looks are spread by its fingerprint.
        let bucket_ms = self.block.geometry().bucket_ms;
        let own = (state.labels.id().0 % SAFE_BUCKETS.unsigned_abs()).cast_signed();
        if at.as_millis().div_euclid(bucket_ms).rem_euclid(SAFE_BUCKETS) == own {
            return false;
        }
        let toward = if limit.side == Side::Above { 1.0 } else { -1.0 };
        let growth = toward * self.block.summary(row).slope * watch.horizon.as_millis() as f64;
        STEEPER * growth < toward * (state.threshold - value) && !self.has_left(row, value, limit.side, at, watch)
    }

    /// See the module.
    pub(super) fn is_out_of_reach(&self, row: usize, value: f64, limit: &Limit, at: Timestamp, watch: &Watch) -> bool {
        let toward = if limit.side == Side::Above { 1.0 } else { -1.0 };
        let threshold = self.rows[row].threshold;
        let geometry = self.block.geometry();
        let hours = self.block.coarse_means(row);
        let known = || hours.iter().copied().filter(|v| v.is_finite()).map(|v| toward * v);
        let (low, high) = known().chain([toward * value]).fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
        if known().count() < LEAST_HOURS || high - low <= 0.0 {
            // What has never moved says nothing about how far it would.
            return false;
        }
        let horizon_ms = watch.horizon.as_millis() as f64;
        let windows = (horizon_ms / (geometry.bucket_ms as f64 * hours.len().max(1) as f64)).max(1.0);
        let left = toward * threshold - high;
        if left <= RANGES * windows * (high - low) {
            return false;
        }
        let [.., before, last] = hours[..] else { return false };
        let speed = toward * (value - if before.is_finite() { before } else { last });
        let hours_ahead = horizon_ms / geometry.bucket_ms as f64;
        let comes_near = speed.is_finite() && SPEED * speed * hours_ahead >= left;
        !comes_near && !self.has_left(row, value, limit.side, at, watch)
    }
}
