//! The rings of up to [`Block::MAX_ROWS`] series, and the update that every sample makes.

use std::ops::Range;

use super::cells::{Columns, narrow};
use super::normal::{Normal, Past};
use crate::moments::Moments;

/// Buckets of the coarse ring: the hours of a week, when the window is a week.
pub const BUCKETS: usize = 168;
/// Buckets of the fine ring: five hours of five minutes.
pub const FINE: usize = 64;

/// A daily shape is medians over seven days, in which an hour more changes little: it is worked out anew so often.
const SHAPE_HOLDS_MS: i64 = 4 * 3_600_000;
/// Rows whose rings are read together: those of one slot lie side by side, and the next slot's far away.
const TOGETHER: usize = 8;

/// How the time axis is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Width of a coarse bucket in ms: the window / 168, aligned to the epoch.
    pub bucket_ms: i64,
    /// Width of a fine bucket in ms.
    pub fine_ms: i64,
    /// Distance between samples in ms.
    pub step_ms: i64,
}

impl Geometry {
    /// Five minutes a fine bucket, or one step where that is longer.
    const FINE_MS: i64 = 300_000;

    pub fn new(window_ms: i64, step_ms: i64) -> Self {
        let bucket_ms = (window_ms / BUCKETS as i64).max(step_ms).max(1);
        Self { bucket_ms, fine_ms: Self::FINE_MS.max(step_ms).min(bucket_ms), step_ms: step_ms.max(1) }
    }

    pub fn bucket(&self, at_ms: i64) -> i64 {
        at_ms.div_euclid(self.bucket_ms)
    }

    pub fn fine(&self, at_ms: i64) -> i64 {
        at_ms.div_euclid(self.fine_ms)
    }

    /// The number of a time's bucket, without a division where that is the newest one.
    fn near(at_ms: i64, width_ms: i64, newest: i64) -> i64 {
        let into = at_ms.saturating_sub(newest.saturating_mul(width_ms));
        if (0..width_ms).contains(&into) { newest } else { at_ms.div_euclid(width_ms) }
    }

    /// The number of the stretch of time that a bucket begins in, in which the daily shape stays as it is.
    fn shape_stretch(&self, bucket: i64) -> i64 {
        bucket.saturating_mul(self.bucket_ms).div_euclid(SHAPE_HOLDS_MS)
    }

    /// Buckets in a day; 0 when a day is not a whole number of buckets, and then there is no daily season.
    pub fn buckets_per_day(&self) -> usize {
        const DAY_MS: i64 = 86_400_000;
        if DAY_MS % self.bucket_ms == 0 && self.bucket_ms < DAY_MS { (DAY_MS / self.bucket_ms) as usize } else { 0 }
    }
}

/// What became of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// The newest of its series.
    New,
    /// Older than the newest, but within reach and not seen before: it is in the baseline, and nothing else happens.
    Late,
    /// Seen before, or too old to tell.
    Ignored,
}

/// Rolling state of some series of one watch. Rows are dense; a row is never taken away before the block is.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    pub(super) geometry: Geometry,
    pub(super) rows: usize,
    /// Distance between slots: rows that there is room for.
    pub(super) stride: usize,
    /// Number of the newest coarse and fine bucket; `i64::MIN` before the first sample.
    pub(super) newest: i64,
    pub(super) newest_fine: i64,
    // Rings, [slot][row], of closed buckets. Differences from the row's origin in 32 bits: a series at 1e9 that moves by 1 keeps seven
    // digits of the 1.
    pub(super) count: Vec<u16>,
    pub(super) mean: Vec<f32>,
    /// Root of the sum of squared deviations: the sum itself would leave 32 bits where values pass 1e19.
    pub(super) deviation: Vec<f32>,
    /// Mean |value - expected| in the bucket, in [`super::octaves`]. It feeds a median; more digits would be thrown away.
    pub(super) residual: Vec<u8>,
    pub(super) fine: Vec<f32>,
    // One a row.
    pub(super) columns: Columns,
}

impl Block {
    /// The unit of work, of persistence and of dirty tracking.
    pub const MAX_ROWS: usize = 1024;
    const MIN_STRIDE: usize = 4;

    pub fn new(geometry: Geometry) -> Self {
        let mut block = Self {
            geometry,
            rows: 0,
            stride: 0,
            newest: i64::MIN,
            newest_fine: i64::MIN,
            count: Vec::new(),
            mean: Vec::new(),
            deviation: Vec::new(),
            residual: Vec::new(),
            fine: Vec::new(),
            columns: Columns::default(),
        };
        block.grow(Self::MIN_STRIDE);
        block
    }

    #[inline]
    pub fn geometry(&self) -> Geometry {
        self.geometry
    }

    #[inline]
    pub fn rows(&self) -> usize {
        self.rows
    }

    pub fn is_full(&self) -> bool {
        self.rows == Self::MAX_ROWS
    }

    /// Room for one more series; `None` when the block is full.
    pub fn add_row(&mut self) -> Option<usize> {
        if self.is_full() {
            return None;
        }
        if self.rows == self.stride {
            self.grow((self.stride * 2).min(Self::MAX_ROWS));
        }
        let row = self.rows;
        self.rows += 1;
        Some(row)
    }

    /// One row as a block of its own, which answers for row 0 as this one does now for `row`.
    pub fn alone(&self, row: usize) -> Self {
        let ring = |slots: usize| (0..slots).map(move |slot| slot * self.stride + row);
        Self {
            geometry: self.geometry,
            rows: 1,
            stride: 1,
            newest: self.newest,
            newest_fine: self.newest_fine,
            count: ring(BUCKETS).map(|cell| self.count[cell]).collect(),
            mean: ring(BUCKETS).map(|cell| self.mean[cell]).collect(),
            deviation: ring(BUCKETS).map(|cell| self.deviation[cell]).collect(),
            residual: ring(BUCKETS).map(|cell| self.residual[cell]).collect(),
            fine: ring(FINE).map(|cell| self.fine[cell]).collect(),
            columns: self.columns.alone(row, self.stride),
        }
    }

    /// Typical sigma of samples within a coarse bucket: root of the pooled variance of the last day's buckets; 0 where nothing is known.
    pub fn within_sigma(&self, row: usize) -> f64 {
        /// A day of hours.
        const LOOK_BACK: i64 = 24;
        let (mut squares, mut freedom) = (0.0, 0.0);
        for age in 1..=LOOK_BACK {
            let moments = self.bucket_moments(row, self.newest.saturating_sub(age));
            if moments.count >= 2.0 {
                squares += moments.m2;
                freedom += moments.count - 1.0;
            }
        }
        if freedom > 0.0 { (squares / freedom).sqrt() } else { 0.0 }
    }

    /// Rolls the rings forward to hold `at_ms`, clearing every bucket passed over. When a coarse bucket closes, what is normal is worked
    /// out anew for every row; `slot_of_day` gives the civil slot (0..[`super::SLOTS`]) of a bucket number. Says whether one closed.
    pub fn advance(&mut self, at_ms: i64, slot_of_day: &dyn Fn(i64) -> usize) -> bool {
        let fine = self.geometry.fine(at_ms);
        if fine > self.newest_fine {
            let from = self.newest_fine.max(fine - FINE as i64);
            for bucket in (from + 1)..=fine {
                let slot = bucket.rem_euclid(FINE as i64) as usize;
                self.fine[slot * self.stride..(slot + 1) * self.stride].fill(f32::NAN);
            }
            self.columns.fine_count.fill(0);
            self.newest_fine = fine;
        }
        let bucket = self.geometry.bucket(at_ms);
        if bucket <= self.newest {
            return false;
        }
        let cold = self.newest == i64::MIN;
        if !cold {
            (0..self.rows).for_each(|row| self.close(row));
        }
        let is_shape_due = !cold && self.geometry.shape_stretch(bucket) != self.geometry.shape_stretch(self.newest);
        let from = if cold { bucket - 1 } else { self.newest.max(bucket - BUCKETS as i64) };
        for passed in (from + 1)..=bucket {
            let slot = slot_of(passed);
            let range = slot * self.stride..(slot + 1) * self.stride;
            self.count[range.clone()].fill(0);
            self.mean[range.clone()].fill(0.0);
            self.deviation[range.clone()].fill(0.0);
            self.residual[range].fill(0);
        }
        self.newest = bucket;
        if !cold {
            let slots: Vec<usize> = (0..BUCKETS).map(|age| slot_of_day(bucket - age as i64)).collect();
            for first in (0..self.rows).step_by(TOGETHER) {
                self.refresh(first..(first + TOGETHER).min(self.rows), &slots, is_shape_due);
            }
        }
        true
    }

    /// Works out what is normal for some rows from their closed buckets. `slots[age]` is the civil slot of the bucket `age` back. The shape
    /// stays as it is where it is not due.
    fn refresh(&mut self, rows: Range<usize>, slots: &[usize], is_shape_due: bool) {
        let mut pasts = vec![(Past::new(), Moments::default()); rows.len()];
        for (age, cell) in (1..).zip(self.closed_cells(rows.start)) {
            for (i, (past, closed)) in pasts.iter_mut().enumerate() {
                let count = self.count[cell + i];
                if count > 0 {
                    let origin = self.columns.origin[rows.start + i];
                    let (mean, deviation) = (origin + f64::from(self.mean[cell + i]), f64::from(self.deviation[cell + i]));
                    *closed = closed.merge(Moments { count: f64::from(count), mean, m2: deviation * deviation });
                    past.push(age, mean, self.residual[cell + i]);
                }
            }
        }
        for (row, (past, closed)) in rows.zip(pasts) {
            self.columns.closed[row] = closed;
            if is_shape_due {
                let shape = past.shape(self.geometry, slots);
                self.columns.seasonal[row] = shape.is_some();
                for (slot, value) in shape.unwrap_or_default().into_iter().enumerate() {
                    self.columns.shape[slot * self.stride + row] = value as f32;
                }
            }
            let shape = self.columns.seasonal[row].then(|| std::array::from_fn(|slot| self.shape(row, slot)));
            let normal = Normal::new(&past, shape, self.columns.residual_base[row], self.geometry, slots);
            self.set_summary(row, normal.summary);
            self.centre_residuals(row, normal.typical);
        }
    }

    /// Takes in one sample of a row. The block must have been advanced to the newest time of all its samples.
    ///
    /// `expected` is what was expected at that time (for the residual); NaN while nothing is.
    pub fn observe(&mut self, row: usize, at_ms: i64, value: f64, expected: f64) -> Accepted {
        let last = self.columns.last_ms[row];
        let accepted = if at_ms > last {
            let since = at_ms.saturating_sub(last);
            // A step later, the usual, without a division.
            let steps = match () {
                () if since == self.geometry.step_ms => 1,
                () if last == i64::MIN => 64,
                () => since.div_euclid(self.geometry.step_ms),
            };
            let seen = &mut self.columns.seen[row];
            *seen = if steps >= 64 { 1 } else { (*seen << steps) | 1 };
            self.columns.last_ms[row] = at_ms;
            self.columns.last[row] = value;
            Accepted::New
        } else {
            let steps = (last - at_ms).div_euclid(self.geometry.step_ms);
            if steps >= 64 || self.columns.seen[row] >> steps & 1 == 1 || self.geometry.bucket(at_ms) <= self.newest - BUCKETS as i64 {
                return Accepted::Ignored;
            }
            self.columns.seen[row] |= 1 << steps;
            Accepted::Late
        };
        self.columns.first_ms[row] = self.columns.first_ms[row].min(at_ms);

        if self.columns.origin[row].is_nan() {
            self.columns.origin[row] = value;
        }
        let bucket = Geometry::near(at_ms, self.geometry.bucket_ms, self.newest);
        let mut moments = self.bucket_moments(row, bucket);
        if moments.count < f64::from(u16::MAX) {
            moments.push(value);
        }
        if bucket == self.newest {
            self.columns.open[row] = moments;
            let reference = if expected.is_finite() { expected } else { self.window(row).mean };
            self.columns.residual_sum[row] = narrow(f64::from(self.columns.residual_sum[row]) + (value - reference).abs());
        } else {
            // A late sample in a closed bucket: the sum of the closed ones is no longer what it was.
            self.write_cell(slot_of(bucket) * self.stride + row, row, moments);
            let closed =
                (1..BUCKETS).map(|age| self.bucket_moments(row, self.newest - age as i64)).fold(Moments::default(), Moments::merge);
            self.columns.closed[row] = closed;
        }

        let fine = Geometry::near(at_ms, self.geometry.fine_ms, self.newest_fine);
        if fine > self.newest_fine - FINE as i64 {
            let cell = fine.rem_euclid(FINE as i64) as usize * self.stride + row;
            let value = narrow(value - self.columns.origin[row]);
            if fine == self.newest_fine {
                let count = &mut self.columns.fine_count[row];
                *count = count.saturating_add(1);
                let mean = if *count == 1 { 0.0 } else { self.fine[cell] };
                self.fine[cell] = mean + (value - mean) / f32::from(*count);
            } else if self.fine[cell].is_nan() {
                self.fine[cell] = value;
            }
        }
        accepted
    }

    /// One coarse bucket of a row by its number; empty outside the window.
    #[inline]
    pub fn bucket_moments(&self, row: usize, bucket: i64) -> Moments {
        if bucket > self.newest || bucket <= self.newest.saturating_sub(BUCKETS as i64) {
            return Moments::default();
        }
        if bucket == self.newest {
            return self.columns.open[row];
        }
        let cell = slot_of(bucket) * self.stride + row;
        if self.count[cell] == 0 {
            return Moments::default();
        }
        let (mean, deviation) = (f64::from(self.mean[cell]), f64::from(self.deviation[cell]));
        Moments { count: f64::from(self.count[cell]), mean: self.columns.origin[row] + mean, m2: deviation * deviation }
    }

    /// Moments of the whole window: the newest bucket and the 167 before it.
    #[inline]
    pub fn window(&self, row: usize) -> Moments {
        self.columns.closed[row].merge(self.columns.open[row])
    }

    /// Moments of the window's closed buckets.
    #[inline]
    pub fn closed(&self, row: usize) -> Moments {
        self.columns.closed[row]
    }

    /// Number of the newest coarse bucket.
    #[inline]
    pub fn newest_bucket(&self) -> i64 {
        self.newest
    }

    /// Means of the closed coarse buckets of a row, oldest first, NaN where empty: `BUCKETS - 1` of them, the last one just before the
    /// newest bucket.
    pub fn coarse_means(&self, row: usize) -> Vec<f64> {
        let origin = self.columns.origin[row];
        self.closed_cells(row).rev().map(|cell| if self.count[cell] > 0 { origin + f64::from(self.mean[cell]) } else { f64::NAN }).collect()
    }

    /// Places of a row's closed coarse buckets in the ring, newest first.
    pub(super) fn closed_cells(&self, row: usize) -> impl DoubleEndedIterator<Item = usize> + ExactSizeIterator {
        let newest = slot_of(self.newest);
        let stride = self.stride;
        (1..BUCKETS).map(move |age| if age <= newest { newest - age } else { newest + BUCKETS - age }).map(move |slot| slot * stride + row)
    }

    /// Number of the newest fine bucket.
    #[inline]
    pub fn newest_fine(&self) -> i64 {
        self.newest_fine
    }

    /// Means of the closed fine buckets of a row, oldest first, NaN where empty: `FINE - 1` of them.
    pub fn fine_means(&self, row: usize) -> Vec<f64> {
        (1..FINE as i64).rev().map(|age| self.fine_mean(row, self.newest_fine - age)).collect()
    }

    /// Mean of one fine bucket; NaN where empty.
    #[inline]
    pub fn fine_mean(&self, row: usize, fine: i64) -> f64 {
        if fine > self.newest_fine || fine <= self.newest_fine - FINE as i64 {
            return f64::NAN;
        }
        self.columns.origin[row] + f64::from(self.fine[fine.rem_euclid(FINE as i64) as usize * self.stride + row])
    }

    /// Time and value of the newest sample; `None` before the first.
    #[inline]
    pub fn last(&self, row: usize) -> Option<(i64, f64)> {
        let at = self.columns.last_ms[row];
        (at != i64::MIN).then(|| (at, self.columns.last[row]))
    }

    /// Time of the first sample ever; `None` before it.
    #[inline]
    pub fn first_ms(&self, row: usize) -> Option<i64> {
        let at = self.columns.first_ms[row];
        (at != i64::MAX).then_some(at)
    }

    /// Deviation from the level at each civil slot of the day.
    #[inline]
    pub fn shape(&self, row: usize, slot: usize) -> f64 {
        f64::from(self.columns.shape[slot * self.stride + row])
    }
}

pub(super) fn slot_of(bucket: i64) -> usize {
    bucket.rem_euclid(BUCKETS as i64) as usize
}
