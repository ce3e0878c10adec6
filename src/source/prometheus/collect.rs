//! Where decoded samples go: onto a grid's columns (range) or into a list (instant).
//!
//! A sample belongs to the grid point its timestamp names. Servers answer a range query exactly at `start + k * step`, but some compute
//! in floats, so one millisecond either way is forgiven; anything else is not moved to the nearest point, because that would invent a
//! value at a time when nobody measured it: it is counted and ignored.

use std::sync::Arc;

use crate::core::frame::{FrameBuilder, Grid};
use crate::core::labels::Labels;
use crate::core::time::Timestamp;

use super::answer::{DecodeStats, InstantSample};
use super::decode::{DecodeError, DecodeLimits};

/// How far from its grid point a sample may lie. Prometheus' clock ticks in milliseconds; one covers a server's rounding.
pub const TOLERANCE_MS: i64 = 1;

/// Prometheus' marker for "this series ended here", a NaN of its own (`model/value/value.go`).
pub const STALE_MARKER_BITS: u64 = 0x7ff0_0000_0000_0002;

/// What a sample's value says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    Value,
    Nan,
    Stale,
    Infinite,
}

/// Sorts a value: all but [`Reading::Value`] are missing samples. In JSON the stale marker arrives as any NaN does; its bits come with
/// binary formats.
pub fn classify(value: f64) -> Reading {
    if value.is_finite() {
        Reading::Value
    } else if value.is_infinite() {
        Reading::Infinite
    } else if value.to_bits() == STALE_MARKER_BITS {
        Reading::Stale
    } else {
        Reading::Nan
    }
}

/// Counts a value; None when it is missing.
fn reading(value: f64, stats: &mut DecodeStats) -> Option<f64> {
    match classify(value) {
        Reading::Value => return Some(value),
        Reading::Nan => stats.nan += 1,
        Reading::Stale => stats.stale += 1,
        Reading::Infinite => stats.infinite += 1,
    }
    None
}

/// Collects a matrix.
#[derive(Debug)]
pub struct Matrix {
    builder: FrameBuilder,
    limits: DecodeLimits,
    /// The row of the series being read, once its labels are known.
    row: Option<usize>,
    /// Samples that came before their labels did.
    early: Vec<(usize, f64)>,
    /// Where the next sample of a sorted series without gaps lies: saves a division a sample.
    next_index: usize,
    next_ms: i64,
    last_ms: i64,
    /// Time of the first sample off the grid, for the message.
    first_off_grid: Option<i64>,
}

impl Matrix {
    pub fn new(grid: Grid, limits: DecodeLimits) -> Self {
        let mut matrix = Self {
            builder: FrameBuilder::new(grid),
            limits,
            row: None,
            early: Vec::new(),
            next_index: 0,
            next_ms: 0,
            last_ms: i64::MIN,
            first_off_grid: None,
        };
        matrix.rewind();
        matrix
    }

    fn rewind(&mut self) {
        self.row = None;
        self.early.clear();
        self.next_index = 0;
        self.next_ms = self.builder.grid().start.as_millis();
        self.last_ms = i64::MIN;
    }

    pub fn labels(&mut self, labels: Labels) -> Result<(), DecodeError> {
        if self.builder.rows() >= self.limits.max_series {
            return Err(DecodeError::TooManySeries { limit: self.limits.max_series });
        }
        if (self.builder.rows() + 1).saturating_mul(self.builder.grid().len) > self.limits.max_cells {
            return Err(DecodeError::TooManyCells { limit: self.limits.max_cells });
        }
        let row = self.builder.add_row(labels).map_err(|e| DecodeError::DuplicateSeries { labels: e.labels })?;
        self.row = Some(row);
        Ok(())
    }

    pub fn sample(&mut self, ms: i64, value: f64, stats: &mut DecodeStats) -> Result<(), DecodeError> {
        stats.samples += 1;
        if ms < self.last_ms {
            stats.unsorted += 1;
        }
        self.last_ms = ms;
        let grid = self.builder.grid();
        let found = if ms == self.next_ms && self.next_index < grid.len { Some(self.next_index) } else { nearest(grid, ms) };
        let Some(index) = found else {
            stats.off_grid += 1;
            self.first_off_grid.get_or_insert(ms);
            return Ok(());
        };
        self.next_index = index + 1;
        self.next_ms = ms.saturating_add(grid.step.as_millis());
        let value = reading(value, stats);
        if value.is_some() {
            stats.placed += 1;
        }
        let value = value.unwrap_or(f64::NAN);
        if let Some(row) = self.row {
            if !self.builder.get(row, index).is_nan() {
                stats.duplicates += 1;
            }
            self.builder.set(row, index, value);
        } else {
            if self.early.len() >= self.limits.max_cells {
                return Err(DecodeError::TooManyCells { limit: self.limits.max_cells });
            }
            self.early.push((index, value));
        }
        Ok(())
    }

    /// The series is over. `true` when it had labels.
    pub fn end_series(&mut self, stats: &mut DecodeStats) -> bool {
        let Some(row) = self.row else { return false };
        for (index, value) in self.early.drain(..) {
            if !self.builder.get(row, index).is_nan() {
                stats.duplicates += 1;
            }
            self.builder.set(row, index, value);
        }
        self.rewind();
        true
    }

    /// The columns; an error when samples came and none fell on the grid.
    pub fn finish(self, stats: &DecodeStats) -> Result<FrameBuilder, DecodeError> {
        match self.first_off_grid {
            Some(ms) if stats.off_grid == stats.samples => {
                Err(DecodeError::OffGrid { samples: stats.samples, first: Timestamp::from_millis(ms), grid: self.builder.grid() })
            }
            _ => Ok(self.builder),
        }
    }
}

/// Index of the grid point within the tolerance of `ms`. A step too short to tell neighbours apart gets no tolerance.
fn nearest(grid: Grid, ms: i64) -> Option<usize> {
    let step = grid.step.as_millis();
    let offset = ms.checked_sub(grid.start.as_millis())?;
    let (mut index, late) = (offset.div_euclid(step), offset.rem_euclid(step));
    if late != 0 {
        if step <= 2 * TOLERANCE_MS {
            return None;
        } else if late >= step - TOLERANCE_MS {
            index += 1;
        } else if late > TOLERANCE_MS {
            return None;
        }
    }
    usize::try_from(index).ok().filter(|i| *i < grid.len)
}

/// Collects a vector or scalar.
#[derive(Debug, Default)]
pub struct Vector {
    samples: Vec<InstantSample>,
    known: std::collections::HashSet<Labels>,
    labels: Option<Labels>,
    sample: Option<(i64, f64)>,
}

impl Vector {
    pub fn labels(&mut self, labels: Labels) {
        self.labels = Some(labels);
    }

    pub fn sample(&mut self, ms: i64, value: f64, stats: &mut DecodeStats) {
        stats.samples += 1;
        if self.sample.replace((ms, value)).is_some() {
            stats.duplicates += 1;
        }
    }

    /// The series is over. `false` when it lacked labels.
    pub fn end_series(&mut self, limits: &DecodeLimits, stats: &mut DecodeStats) -> Result<bool, DecodeError> {
        let Some(labels) = self.labels.take() else { return Ok(false) };
        let Some((ms, value)) = self.sample.take() else { return Ok(true) };
        if self.samples.len() >= limits.max_series {
            return Err(DecodeError::TooManySeries { limit: limits.max_series });
        }
        if !self.known.insert(labels.clone()) {
            return Err(DecodeError::DuplicateSeries { labels });
        }
        let value = reading(value, stats);
        if value.is_some() {
            stats.placed += 1;
        }
        self.samples.push(InstantSample { labels, at: Timestamp::from_millis(ms), value });
        Ok(true)
    }

    pub fn finish(self) -> Vec<InstantSample> {
        self.samples
    }
}

/// Label names met in one answer: a handful, the same in every series, so each is allocated once.
#[derive(Debug, Default)]
pub struct Names(Vec<Arc<str>>);

/// Names remembered; a linear search beats a hash at this size, and names beyond it are allocated again.
const MAX_NAMES: usize = 64;

impl Names {
    pub fn get(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.0.iter().find(|n| &***n == name) {
            return known.clone();
        }
        let name: Arc<str> = name.into();
        if self.0.len() < MAX_NAMES {
            self.0.push(name.clone());
        }
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::time::Span;

    #[test]
    fn a_value_is_missing_for_four_reasons() {
        assert_eq!(classify(f64::from_bits(STALE_MARKER_BITS)), Reading::Stale);
        assert_eq!(classify(f64::NAN), Reading::Nan);
        assert_eq!(classify(f64::NEG_INFINITY), Reading::Infinite);
        assert_eq!(classify(0.0), Reading::Value);
    }

    #[test]
    fn the_stale_marker_is_missing_and_counted_apart_from_nan() {
        let grid = Grid { start: Timestamp::from_millis(0), step: Span::MINUTE, len: 3 };
        let (mut matrix, mut stats) = (Matrix::new(grid, DecodeLimits::default()), DecodeStats::default());
        matrix.labels(Labels::named("a")).unwrap();
        for (ms, value) in [(0, 1.0), (60_000, f64::from_bits(STALE_MARKER_BITS)), (120_000, f64::NAN)] {
            matrix.sample(ms, value, &mut stats).unwrap();
        }
        assert!(matrix.end_series(&mut stats));
        let frame = matrix.finish(&stats).unwrap().finish();
        assert_eq!((stats.stale, stats.nan, stats.placed, frame.present()), (1, 1, 1, 1));
    }

    #[test]
    fn a_millisecond_is_forgiven_and_no_more() {
        let grid = Grid { start: Timestamp::from_millis(60_000), step: Span::MINUTE, len: 3 };
        for (ms, index) in [
            (60_000, Some(0)),
            (59_999, Some(0)),
            (59_998, None),
            (120_001, Some(1)),
            (120_002, None),
            (180_001, Some(2)),
            (239_999, None),
            (240_000, None),
            (i64::MIN, None),
        ] {
            assert_eq!(nearest(grid, ms), index, "{ms}");
        }
        let fine = Grid { start: Timestamp::from_millis(0), step: Span::from_millis(2), len: 3 };
        assert_eq!((nearest(fine, 1), nearest(fine, 2)), (None, Some(1)));
    }
}
