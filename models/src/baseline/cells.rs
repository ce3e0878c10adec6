//! Where the numbers of a row lie, and in how many bytes.
//!
//! The rings hold 32 bits a number and less: with them in 64, this and the score of a series would be 6.5 KB. What loses digits is a mean far
//! from zero, so means are differences from an origin of the row's own, which follows the series: a row's mean and sigma are those of brute
//! force to a millionth of sigma.

use super::block::{BUCKETS, Block, FINE, slot_of};
use super::normal::{SLOTS, Summary};
use super::octaves;
use crate::moments::Moments;

/// Per-series scalars.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Columns {
    /// What the rings' means are measured from; NaN before the first sample. It moves along with the series.
    pub origin: Vec<f64>,
    /// Moments of every bucket but the newest.
    pub closed: Vec<Moments>,
    /// Moments of the newest bucket: in 64 bits, since each sample moves them.
    pub open: Vec<Moments>,
    pub residual_sum: Vec<f32>,
    pub residual_base: Vec<i16>,
    pub fine_count: Vec<u16>,
    pub first_ms: Vec<i64>,
    pub last_ms: Vec<i64>,
    pub last: Vec<f64>,
    /// Bit i: the sample i steps before the last one was seen.
    pub seen: Vec<u64>,
    pub level: Vec<f64>,
    pub scale: Vec<f64>,
    pub slope: Vec<f32>,
    pub wander: Vec<f32>,
    pub seasonal: Vec<bool>,
    /// `[slot of day][row]`.
    pub shape: Vec<f32>,
}

impl Columns {
    /// Those of one row.
    pub fn alone(&self, row: usize, stride: usize) -> Self {
        Self {
            origin: vec![self.origin[row]],
            closed: vec![self.closed[row]],
            open: vec![self.open[row]],
            residual_sum: vec![self.residual_sum[row]],
            residual_base: vec![self.residual_base[row]],
            fine_count: vec![self.fine_count[row]],
            first_ms: vec![self.first_ms[row]],
            last_ms: vec![self.last_ms[row]],
            last: vec![self.last[row]],
            seen: vec![self.seen[row]],
            level: vec![self.level[row]],
            scale: vec![self.scale[row]],
            slope: vec![self.slope[row]],
            wander: vec![self.wander[row]],
            seasonal: vec![self.seasonal[row]],
            shape: (0..SLOTS).map(|slot| self.shape[slot * stride + row]).collect(),
        }
    }
}

/// A bucket's mean this many of its own standard deviations from the row's origin moves the origin there: the rounding of the
/// difference stays a hundred-thousandth of a deviation.
const FAR_FROM_ORIGIN: f64 = 256.0;

/// The nearest number of 32 bits that is finite: a value beyond 3e38 counts as 3e38.
pub(super) fn narrow(value: f64) -> f32 {
    (value as f32).clamp(f32::MIN, f32::MAX)
}

impl Block {
    /// Bytes of state a row takes when the block is full.
    pub const fn bytes_per_row() -> usize {
        let (rings, shape) = (BUCKETS * (2 + 4 + 4 + 1) + FINE * 4, SLOTS * 4);
        // Origin, both moments, residual's sum and base, fine count, times, last value, seen, summary.
        rings + shape + 8 + 2 * size_of::<Moments>() + 4 + 2 + 2 + 2 * 8 + 8 + 8 + (2 * 8 + 2 * 4 + 1)
    }

    pub(super) fn grow(&mut self, stride: usize) {
        let old = self.stride;
        regrid(&mut self.count, BUCKETS, old, stride, 0);
        regrid(&mut self.mean, BUCKETS, old, stride, 0.0);
        regrid(&mut self.deviation, BUCKETS, old, stride, 0.0);
        regrid(&mut self.residual, BUCKETS, old, stride, 0);
        regrid(&mut self.fine, FINE, old, stride, f32::NAN);
        let (c, unknown) = (&mut self.columns, Summary::default());
        regrid(&mut c.shape, SLOTS, old, stride, 0.0);
        c.origin.resize(stride, f64::NAN);
        c.closed.resize(stride, Moments::default());
        c.open.resize(stride, Moments::default());
        c.residual_sum.resize(stride, 0.0);
        c.residual_base.resize(stride, octaves::NO_BASE);
        c.fine_count.resize(stride, 0);
        c.first_ms.resize(stride, i64::MAX);
        c.last_ms.resize(stride, i64::MIN);
        c.last.resize(stride, f64::NAN);
        c.seen.resize(stride, 0);
        c.level.resize(stride, unknown.level);
        c.scale.resize(stride, unknown.scale);
        c.slope.resize(stride, 0.0);
        c.wander.resize(stride, f32::NAN);
        c.seasonal.resize(stride, false);
        self.stride = stride;
    }

    /// Forgets all about a row, so that another series may have it.
    pub fn clear_row(&mut self, row: usize) {
        for slot in 0..BUCKETS {
            self.clear_cell(slot * self.stride + row);
        }
        (0..FINE).for_each(|slot| self.fine[slot * self.stride + row] = f32::NAN);
        (0..SLOTS).for_each(|slot| self.columns.shape[slot * self.stride + row] = 0.0);
        let c = &mut self.columns;
        (c.origin[row], c.closed[row], c.open[row]) = (f64::NAN, Moments::default(), Moments::default());
        (c.residual_sum[row], c.residual_base[row], c.fine_count[row]) = (0.0, octaves::NO_BASE, 0);
        (c.first_ms[row], c.last_ms[row], c.last[row], c.seen[row]) = (i64::MAX, i64::MIN, f64::NAN, 0);
        self.set_summary(row, Summary::default());
    }

    pub(super) fn clear_cell(&mut self, cell: usize) {
        (self.count[cell], self.mean[cell], self.deviation[cell], self.residual[cell]) = (0, 0.0, 0.0, 0);
    }

    /// Puts the newest bucket of a row into the ring.
    pub(super) fn close(&mut self, row: usize) {
        let open = std::mem::take(&mut self.columns.open[row]);
        let sum = std::mem::take(&mut self.columns.residual_sum[row]);
        if open.count == 0.0 {
            return;
        }
        let off = (open.mean - self.columns.origin[row]).abs();
        if off > FAR_FROM_ORIGIN * (open.m2 / open.count).sqrt() {
            self.move_origin(row, open.mean);
        }
        let cell = slot_of(self.newest) * self.stride + row;
        self.write_cell(cell, row, open);
        self.residual[cell] = octaves::code(sum / open.count as f32, &mut self.columns.residual_base[row]);
    }

    pub(super) fn write_cell(&mut self, cell: usize, row: usize, moments: Moments) {
        self.count[cell] = moments.count as u16;
        self.mean[cell] = narrow(moments.mean - self.columns.origin[row]);
        self.deviation[cell] = narrow(moments.m2.sqrt());
    }

    pub(super) fn move_origin(&mut self, row: usize, to: f64) {
        let by = self.columns.origin[row] - to;
        self.columns.origin[row] = to;
        for slot in 0..BUCKETS {
            let cell = slot * self.stride + row;
            if self.count[cell] > 0 {
                self.mean[cell] = narrow(f64::from(self.mean[cell]) + by);
            }
        }
        for slot in 0..FINE {
            let cell = slot * self.stride + row;
            if !self.fine[cell].is_nan() {
                self.fine[cell] = narrow(f64::from(self.fine[cell]) + by);
            }
        }
    }

    /// Keeps the residuals' range round the one that is usual.
    pub(super) fn centre_residuals(&mut self, row: usize, typical: f64) {
        let base = &mut self.columns.residual_base[row];
        if let Some(by) = octaves::centre(typical as f32, base) {
            for slot in 0..BUCKETS {
                let code = &mut self.residual[slot * self.stride + row];
                *code = octaves::moved(*code, by);
            }
        }
    }

    pub(super) fn set_summary(&mut self, row: usize, summary: Summary) {
        let c = &mut self.columns;
        (c.level[row], c.scale[row], c.seasonal[row]) = (summary.level, summary.scale, summary.seasonal);
        (c.slope[row], c.wander[row]) = (summary.slope as f32, summary.wander as f32);
    }

    #[inline]
    pub fn summary(&self, row: usize) -> Summary {
        let c = &self.columns;
        // Every row was worked out when the newest bucket began.
        let bucket_ms = self.geometry.bucket_ms;
        let level_at_ms = if c.level[row].is_nan() { 0 } else { (self.newest - 1) * bucket_ms + bucket_ms / 2 };
        Summary {
            level: c.level[row],
            slope: f64::from(c.slope[row]),
            scale: c.scale[row],
            wander: f64::from(c.wander[row]),
            level_at_ms,
            seasonal: c.seasonal[row],
        }
    }
}

/// Moves `[slot][row]` data to a wider stride.
fn regrid<T: Copy>(data: &mut Vec<T>, slots: usize, from: usize, to: usize, empty: T) {
    let mut wider = vec![empty; slots * to];
    for slot in 0..slots {
        wider[slot * to..slot * to + from].copy_from_slice(&data[slot * from..(slot + 1) * from]);
    }
    *data = wider;
}

#[cfg(test)]
mod tests {
    use crate::baseline::{BUCKETS, Block, Geometry, SLOTS};

    #[test]
    fn a_row_alone_answers_as_it_did_among_the_others() {
        let mut block = Block::new(Geometry::new(604_800_000, 300_000));
        assert!((0..6).all(|row| block.add_row() == Some(row)));
        let slot = |bucket: i64| bucket.rem_euclid(24) as usize * SLOTS / 24;
        for i in 0..2_500_i64 {
            block.advance(i * 300_000, &slot);
            for row in (0..6).filter(|row| i % 7 != *row as i64) {
                block.observe(row, i * 300_000, (row as f64 + 1.0) * 1e3 + (i as f64 / 40.0).sin() + i as f64 * 0.01, f64::NAN);
            }
        }
        for row in 0..6 {
            let mut alone = block.alone(row);
            assert_eq!((alone.rows(), alone.geometry()), (1, block.geometry()));
            assert_eq!((alone.last(0), alone.first_ms(0), alone.window(0)), (block.last(row), block.first_ms(row), block.window(row)));
            let (newest, first) = (block.newest_bucket(), block.newest_bucket() - BUCKETS as i64);
            assert!((first..=newest).all(|bucket| alone.bucket_moments(0, bucket) == block.bucket_moments(row, bucket)));
            let same = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits());
            assert!(
                same(&alone.fine_means(0), &block.fine_means(row)) && (0..SLOTS).all(|slot| alone.shape(0, slot) == block.shape(row, slot))
            );
            assert_eq!(alone.expected(0, 2_500 * 300_000, 3.0), block.expected(row, 2_500 * 300_000, 3.0));
            // And goes on as it would have.
            let mut whole = block.clone();
            for block in [&mut alone, &mut whole] {
                block.advance(2_600 * 300_000, &slot);
            }
            assert_eq!(alone.expected(0, 2_600 * 300_000, 3.0), whole.expected(row, 2_600 * 300_000, 3.0));
        }
    }
}
