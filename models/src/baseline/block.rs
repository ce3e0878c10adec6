//! The rings of up to [`Block::MAX_ROWS`] series, and the update that every sample makes.

use super::normal::{Normal, SLOTS, Summary};
use crate::moments::Moments;

/// Buckets of the coarse ring: the hours of a week, when the window is a week.
pub const BUCKETS: usize = 168;
/// Buckets of the fine ring: five hours of five minutes.
pub const FINE: usize = 64;

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
    // Rings, [slot][row].
    pub(super) count: Vec<u16>,
    pub(super) mean: Vec<f64>,
    pub(super) m2: Vec<f64>,
    /// Mean |value - expected| in the bucket, as the upper half of an f32 (bfloat16: 3 digits, any size). It feeds a median; more
    /// digits would be thrown away.
    pub(super) residual: Vec<u16>,
    pub(super) fine: Vec<f64>,
    // One a row.
    pub(super) columns: Columns,
}

/// Per-series scalars.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Columns {
    /// Moments of every bucket but the newest.
    pub closed: Vec<Moments>,
    pub residual_sum: Vec<f64>,
    pub fine_count: Vec<u16>,
    pub first_ms: Vec<i64>,
    pub last_ms: Vec<i64>,
    pub last: Vec<f64>,
    /// Bit i: the sample i steps before the last one was seen.
    pub seen: Vec<u64>,
    pub normal: Vec<Summary>,
    /// `[slot of day][row]`.
    pub shape: Vec<f32>,
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
            m2: Vec::new(),
            residual: Vec::new(),
            fine: Vec::new(),
            columns: Columns::default(),
        };
        block.grow(Self::MIN_STRIDE);
        block
    }

    pub fn geometry(&self) -> Geometry {
        self.geometry
    }

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

    /// Forgets all about a row, so that another series may have it.
    pub fn clear_row(&mut self, row: usize) {
        for slot in 0..BUCKETS {
            let cell = slot * self.stride + row;
            (self.count[cell], self.mean[cell], self.m2[cell], self.residual[cell]) = (0, 0.0, 0.0, 0);
        }
        (0..FINE).for_each(|slot| self.fine[slot * self.stride + row] = f64::NAN);
        (0..SLOTS).for_each(|slot| self.columns.shape[slot * self.stride + row] = 0.0);
        let c = &mut self.columns;
        (c.closed[row], c.residual_sum[row], c.fine_count[row]) = (Moments::default(), 0.0, 0);
        (c.first_ms[row], c.last_ms[row], c.last[row], c.seen[row]) = (i64::MAX, i64::MIN, f64::NAN, 0);
        c.normal[row] = Summary::default();
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

    /// Bytes of state a row takes when the block is full.
    pub const fn bytes_per_row() -> usize {
        BUCKETS * (2 + 8 + 8 + 2) + FINE * 8 + SLOTS * 4 + size_of::<Moments>() + size_of::<Summary>() + 8 + 2 + 4 * 8
    }

    fn grow(&mut self, stride: usize) {
        let old = self.stride;
        regrid(&mut self.count, BUCKETS, old, stride, 0);
        regrid(&mut self.mean, BUCKETS, old, stride, 0.0);
        regrid(&mut self.m2, BUCKETS, old, stride, 0.0);
        regrid(&mut self.residual, BUCKETS, old, stride, 0);
        regrid(&mut self.fine, FINE, old, stride, f64::NAN);
        let c = &mut self.columns;
        regrid(&mut c.shape, SLOTS, old, stride, 0.0);
        c.closed.resize(stride, Moments::default());
        c.residual_sum.resize(stride, 0.0);
        c.fine_count.resize(stride, 0);
        c.first_ms.resize(stride, i64::MAX);
        c.last_ms.resize(stride, i64::MIN);
        c.last.resize(stride, f64::NAN);
        c.seen.resize(stride, 0);
        c.normal.resize(stride, Summary::default());
        self.stride = stride;
    }

    /// Rolls the rings forward to hold `at_ms`, clearing every bucket passed over. When a coarse bucket closes, what is normal is worked
    /// out anew for every row; `slot_of_day` gives the civil slot (0..[`SLOTS`]) of a bucket number. Says whether one closed.
    pub fn advance(&mut self, at_ms: i64, slot_of_day: &dyn Fn(i64) -> usize) -> bool {
        let fine = self.geometry.fine(at_ms);
        if fine > self.newest_fine {
            let from = self.newest_fine.max(fine - FINE as i64);
            for bucket in (from + 1)..=fine {
                let slot = bucket.rem_euclid(FINE as i64) as usize;
                self.fine[slot * self.stride..(slot + 1) * self.stride].fill(f64::NAN);
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
            self.close_residuals();
        }
        let from = if cold { bucket - 1 } else { self.newest.max(bucket - BUCKETS as i64) };
        for passed in (from + 1)..=bucket {
            let slot = slot_of(passed);
            let range = slot * self.stride..(slot + 1) * self.stride;
            self.count[range.clone()].fill(0);
            self.mean[range.clone()].fill(0.0);
            self.m2[range.clone()].fill(0.0);
            self.residual[range].fill(0);
        }
        self.newest = bucket;
        if !cold {
            let slots: Vec<usize> = (0..BUCKETS).map(|age| slot_of_day(bucket - age as i64)).collect();
            for row in 0..self.rows {
                self.refresh(row, &slots);
            }
        }
        true
    }

    fn close_residuals(&mut self) {
        let base = slot_of(self.newest) * self.stride;
        for row in 0..self.rows {
            let count = self.count[base + row];
            if count > 0 {
                let mean = (self.columns.residual_sum[row] / f64::from(count)) as f32;
                self.residual[base + row] = (mean.to_bits() >> 16) as u16;
            }
        }
        self.columns.residual_sum.fill(0.0);
    }

    /// Works out what is normal for a row from its closed buckets. `slots[age]` is the civil slot of the bucket `age` back.
    fn refresh(&mut self, row: usize, slots: &[usize]) {
        let mut closed = Moments::default();
        for age in 1..BUCKETS {
            closed = closed.merge(self.bucket_moments(row, self.newest - age as i64));
        }
        self.columns.closed[row] = closed;
        let normal = Normal::new(self, row, slots);
        self.columns.normal[row] = normal.summary;
        for (slot, value) in normal.shape.iter().enumerate() {
            self.columns.shape[slot * self.stride + row] = *value as f32;
        }
    }

    /// Takes in one sample of a row. The block must have been advanced to the newest time of all its samples.
    ///
    /// `expected` is what was expected at that time (for the residual); NaN while nothing is.
    pub fn observe(&mut self, row: usize, at_ms: i64, value: f64, expected: f64) -> Accepted {
        let last = self.columns.last_ms[row];
        let accepted = if at_ms > last {
            let steps = if last == i64::MIN { 64 } else { (at_ms - last).div_euclid(self.geometry.step_ms) };
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

        let bucket = self.geometry.bucket(at_ms);
        let cell = slot_of(bucket) * self.stride + row;
        if self.count[cell] < u16::MAX {
            let mut moments = self.bucket_moments(row, bucket);
            moments.push(value);
            self.count[cell] += 1;
            self.mean[cell] = moments.mean;
            self.m2[cell] = moments.m2;
        }
        if bucket == self.newest {
            let reference = if expected.is_finite() { expected } else { self.window(row).mean };
            self.columns.residual_sum[row] += (value - reference).abs();
        } else {
            // A late sample in a closed bucket: the sum of the closed ones is no longer what it was.
            let closed =
                (1..BUCKETS).map(|age| self.bucket_moments(row, self.newest - age as i64)).fold(Moments::default(), Moments::merge);
            self.columns.closed[row] = closed;
        }

        let fine = self.geometry.fine(at_ms);
        if fine > self.newest_fine - FINE as i64 {
            let cell = fine.rem_euclid(FINE as i64) as usize * self.stride + row;
            if fine == self.newest_fine {
                let count = &mut self.columns.fine_count[row];
                *count = count.saturating_add(1);
                let mean = if *count == 1 { 0.0 } else { self.fine[cell] };
                self.fine[cell] = mean + (value - mean) / f64::from(*count);
            } else if self.fine[cell].is_nan() {
                self.fine[cell] = value;
            }
        }
        accepted
    }

    /// One coarse bucket of a row by its number; empty outside the window.
    pub fn bucket_moments(&self, row: usize, bucket: i64) -> Moments {
        if bucket > self.newest || bucket <= self.newest.saturating_sub(BUCKETS as i64) {
            return Moments::default();
        }
        let cell = slot_of(bucket) * self.stride + row;
        Moments { count: f64::from(self.count[cell]), mean: self.mean[cell], m2: self.m2[cell] }
    }

    /// Moments of the whole window: the newest bucket and the 167 before it.
    pub fn window(&self, row: usize) -> Moments {
        self.columns.closed[row].merge(self.bucket_moments(row, self.newest))
    }

    pub(super) fn bucket_residual(&self, row: usize, bucket: i64) -> f64 {
        let bits = self.residual[slot_of(bucket) * self.stride + row];
        f64::from(f32::from_bits(u32::from(bits) << 16))
    }

    /// Number of the newest coarse bucket.
    pub fn newest_bucket(&self) -> i64 {
        self.newest
    }

    /// Means of the closed coarse buckets of a row, oldest first, NaN where empty: `BUCKETS - 1` of them, the last one just before the
    /// newest bucket.
    pub fn coarse_means(&self, row: usize) -> Vec<f64> {
        (1..BUCKETS)
            .rev()
            .map(|age| {
                let moments = self.bucket_moments(row, self.newest - age as i64);
                if moments.count > 0.0 { moments.mean } else { f64::NAN }
            })
            .collect()
    }

    /// Number of the newest fine bucket.
    pub fn newest_fine(&self) -> i64 {
        self.newest_fine
    }

    /// Means of the closed fine buckets of a row, oldest first, NaN where empty: `FINE - 1` of them.
    pub fn fine_means(&self, row: usize) -> Vec<f64> {
        (1..FINE as i64).rev().map(|age| self.fine_mean(row, self.newest_fine - age)).collect()
    }

    /// Mean of one fine bucket; NaN where empty.
    pub fn fine_mean(&self, row: usize, fine: i64) -> f64 {
        if fine > self.newest_fine || fine <= self.newest_fine - FINE as i64 {
            return f64::NAN;
        }
        self.fine[fine.rem_euclid(FINE as i64) as usize * self.stride + row]
    }

    /// Time and value of the newest sample; `None` before the first.
    pub fn last(&self, row: usize) -> Option<(i64, f64)> {
        let at = self.columns.last_ms[row];
        (at != i64::MIN).then(|| (at, self.columns.last[row]))
    }

    /// Time of the first sample ever; `None` before it.
    pub fn first_ms(&self, row: usize) -> Option<i64> {
        let at = self.columns.first_ms[row];
        (at != i64::MAX).then_some(at)
    }

    pub fn summary(&self, row: usize) -> Summary {
        self.columns.normal[row]
    }

    /// Deviation from the level at each civil slot of the day.
    pub fn shape(&self, row: usize, slot: usize) -> f64 {
        f64::from(self.columns.shape[slot * self.stride + row])
    }
}

fn slot_of(bucket: i64) -> usize {
    bucket.rem_euclid(BUCKETS as i64) as usize
}

/// Moves `[slot][row]` data to a wider stride.
fn regrid<T: Copy>(data: &mut Vec<T>, slots: usize, from: usize, to: usize, empty: T) {
    let mut wider = vec![empty; slots * to];
    for slot in 0..slots {
        wider[slot * to..slot * to + from].copy_from_slice(&data[slot * from..(slot + 1) * from]);
    }
    *data = wider;
}
