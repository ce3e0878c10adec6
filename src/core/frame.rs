//! Many series on one time grid, as an Arrow record batch: what travels from a source into the engine.
//!
//! Column `series` holds each row's [`SeriesId`](super::labels::SeriesId), column `values` a fixed-size list a row. All values lie in one
//! contiguous buffer, row after row, so an `ndarray` view of it costs nothing and a tick over all rows is one strided walk. A missing
//! sample is null, and its slot in the buffer holds NaN: readers of the buffer need no second look at the validity bits. Labels lie
//! beside the batch: they are needed once, when a row is first seen, and would cost a copy in every frame.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, FixedSizeListArray, Float64Array, RecordBatch, UInt64Array};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, Float64Type, Schema};
use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

use super::labels::Labels;
use super::time::{Span, Timestamp};

/// Equally spaced points in time: `start`, `start + step`, ... `len` of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grid {
    pub start: Timestamp,
    pub step: Span,
    pub len: usize,
}

impl Grid {
    /// The multiples of `step` in `[from, to]`; both ends included, none when `to < from`.
    pub fn aligned(from: Timestamp, to: Timestamp, step: Span) -> Self {
        let step = Span::from_millis(step.as_millis().max(1));
        let floor = from.floor(step);
        let start = if floor < from { floor + step } else { floor };
        let len = if to < start { 0 } else { ((to - start).as_millis() / step.as_millis()) as usize + 1 };
        Self { start, step, len }
    }

    pub fn at(&self, index: usize) -> Timestamp {
        self.start + self.step.times(index as i64)
    }

    /// The last point; `start - step` for an empty grid.
    pub fn last(&self) -> Timestamp {
        self.start + self.step.times(self.len as i64 - 1)
    }

    /// Index of the point exactly at `time`.
    pub fn index_of(&self, time: Timestamp) -> Option<usize> {
        let offset = (time - self.start).as_millis();
        let step = self.step.as_millis();
        if offset < 0 || offset % step != 0 {
            return None;
        }
        usize::try_from(offset / step).ok().filter(|i| *i < self.len)
    }
}

/// A series stood twice in what was to become one frame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("series {labels} stands twice")]
pub struct DuplicateSeries {
    pub labels: Labels,
}

/// Many series on one [`Grid`]. Immutable; cloning shares the buffers.
#[derive(Clone, Debug)]
pub struct Frame {
    grid: Grid,
    labels: Arc<[Labels]>,
    batch: RecordBatch,
}

impl Frame {
    pub fn grid(&self) -> Grid {
        self.grid
    }

    /// Number of series.
    pub fn rows(&self) -> usize {
        self.labels.len()
    }

    pub fn labels(&self) -> &[Labels] {
        &self.labels
    }

    /// `series: UInt64, values: FixedSizeList<Float64>[grid.len]`, a row a series.
    pub fn batch(&self) -> &RecordBatch {
        &self.batch
    }

    /// All values, shape `[series][time]`, NaN where missing. A view, not a copy.
    pub fn values(&self) -> ArrayView2<'_, f64> {
        let lists = self.batch.column(1).as_fixed_size_list();
        let buffer: &[f64] = lists.values().as_primitive::<Float64Type>().values();
        ArrayView2::from_shape((self.rows(), self.grid.len), &buffer[..self.rows() * self.grid.len])
            .expect("the builder made rows x len values")
    }

    /// One series' values on the grid, NaN where missing.
    pub fn row(&self, row: usize) -> &[f64] {
        let lists = self.batch.column(1).as_fixed_size_list();
        let buffer: &[f64] = lists.values().as_primitive::<Float64Type>().values();
        &buffer[row * self.grid.len..(row + 1) * self.grid.len]
    }

    /// Samples that are there.
    pub fn present(&self) -> usize {
        let lists = self.batch.column(1).as_fixed_size_list();
        lists.values().len() - lists.values().null_count()
    }
}

/// Collects samples into a [`Frame`].
#[derive(Debug)]
pub struct FrameBuilder {
    grid: Grid,
    labels: Vec<Labels>,
    rows: HashMap<Labels, usize>,
    values: Vec<f64>,
}

impl FrameBuilder {
    pub fn new(grid: Grid) -> Self {
        Self { grid, labels: Vec::new(), rows: HashMap::new(), values: Vec::new() }
    }

    pub fn grid(&self) -> Grid {
        self.grid
    }

    pub fn rows(&self) -> usize {
        self.labels.len()
    }

    /// A new row for a series, all missing; an error if the series has one.
    pub fn add_row(&mut self, labels: Labels) -> Result<usize, DuplicateSeries> {
        let row = self.labels.len();
        match self.rows.entry(labels) {
            Entry::Occupied(known) => Err(DuplicateSeries { labels: known.key().clone() }),
            Entry::Vacant(free) => {
                self.labels.push(free.key().clone());
                free.insert(row);
                self.values.resize(self.values.len() + self.grid.len, f64::NAN);
                Ok(row)
            }
        }
    }

    /// The series' row, made if need be: for sources that bring one series in several pieces.
    pub fn row_of(&mut self, labels: &Labels) -> usize {
        match self.rows.get(labels) {
            Some(row) => *row,
            None => self.add_row(labels.clone()).unwrap_or_else(|_| unreachable!("looked up just above")),
        }
    }

    /// Sets one sample. NaN and infinities mean missing: neither has a place on an axis, and one infinity would make every moment of the
    /// window infinite.
    pub fn set(&mut self, row: usize, index: usize, value: f64) {
        debug_assert!(index < self.grid.len);
        self.values[row * self.grid.len + index] = if value.is_finite() { value } else { f64::NAN };
    }

    pub fn get(&self, row: usize, index: usize) -> f64 {
        self.values[row * self.grid.len + index]
    }

    pub fn finish(self) -> Frame {
        let ids: ArrayRef = Arc::new(UInt64Array::from_iter_values(self.labels.iter().map(|l| l.id().0)));
        let valid = NullBuffer::from_iter(self.values.iter().map(|v| !v.is_nan()));
        let values = Float64Array::new(self.values.into(), Some(valid));
        let item = Arc::new(Field::new_list_field(DataType::Float64, true));
        let size = i32::try_from(self.grid.len).expect("a grid is shorter than 2^31 points");
        let lists = FixedSizeListArray::try_new_with_length(item.clone(), size, Arc::new(values), None, self.labels.len())
            .expect("rows x len values were made");
        let schema = Schema::new(vec![
            Field::new("series", DataType::UInt64, false),
            Field::new("values", DataType::FixedSizeList(item, size), false),
        ]);
        let batch = RecordBatch::try_new(Arc::new(schema), vec![ids, Arc::new(lists)]).expect("columns match the schema");
        Frame { grid: self.grid, labels: self.labels.into(), batch }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid() -> Grid {
        Grid { start: Timestamp::from_millis(60_000), step: Span::MINUTE, len: 3 }
    }

    #[test]
    fn missing_is_null_in_arrow_and_nan_in_the_view() {
        let mut builder = FrameBuilder::new(grid());
        let a = builder.add_row(Labels::named("a")).unwrap();
        let b = builder.row_of(&Labels::named("b"));
        builder.set(a, 0, 1.0);
        builder.set(a, 2, f64::INFINITY);
        builder.set(b, 1, -2.5);
        let frame = builder.finish();
        assert_eq!(frame.present(), 2);
        assert_eq!(frame.values().dim(), (2, 3));
        assert_eq!(frame.values()[[1, 1]], -2.5);
        assert!(frame.row(0)[1].is_nan() && frame.row(0)[2].is_nan());
        let lists = frame.batch().column(1).as_fixed_size_list();
        assert_eq!(lists.value(0).null_count(), 2);
        assert_eq!(frame.values().as_ptr(), lists.values().as_primitive::<Float64Type>().values().as_ptr(), "the view is a copy");
    }

    #[test]
    fn a_series_stands_once() {
        let mut builder = FrameBuilder::new(grid());
        builder.add_row(Labels::named("a")).unwrap();
        assert!(builder.add_row(Labels::named("a")).is_err());
        assert_eq!(builder.row_of(&Labels::named("a")), 0);
    }

    #[test]
    fn empty_frames_and_grids_are_fine() {
        let frame = FrameBuilder::new(Grid { len: 0, ..grid() }).finish();
        assert_eq!((frame.rows(), frame.present()), (0, 0));
        let none = Grid::aligned(Timestamp::from_millis(61_000), Timestamp::from_millis(62_000), Span::MINUTE);
        assert_eq!(none.len, 0);
        let two = Grid::aligned(Timestamp::from_millis(59_999), Timestamp::from_millis(120_000), Span::MINUTE);
        assert_eq!((two.start.as_millis(), two.len, two.last().as_millis()), (60_000, 2, 120_000));
        assert_eq!((two.index_of(two.at(1)), two.index_of(two.at(2))), (Some(1), None));
    }
}
