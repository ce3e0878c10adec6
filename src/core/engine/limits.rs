//! Thresholds that are a query of their own: which of its series each watched one goes by, column by column.

use std::collections::HashMap;

use super::shard::Shard;
use crate::core::frame::Frame;
use crate::core::labels::Labels;
use crate::core::time::Timestamp;

/// Thresholds that a query gave, and which of its rows each series of the watch goes by.
pub(super) struct Limits<'a> {
    thresholds: &'a Frame,
    row_of: Vec<Option<usize>>,
}

impl<'a> Limits<'a> {
    /// A series' threshold stands in the row with the same labels (the metric's name aside), or in the only row there is.
    pub fn new(frame: &Frame, thresholds: &'a Frame) -> Self {
        let by_labels: HashMap<Labels, usize> =
            thresholds.labels().iter().enumerate().map(|(row, labels)| (labels.without_metric(), row)).collect();
        let only = (thresholds.rows() == 1 && thresholds.labels()[0].without_metric().is_empty()).then_some(0);
        let row_of = frame.labels().iter().map(|labels| by_labels.get(&labels.without_metric()).copied().or(only)).collect();
        Self { thresholds, row_of }
    }

    /// The thresholds of one time, for that time's samples: never those of a later one. Where one is missing, the last one stays.
    pub fn set(&self, shard: &mut Shard, rows: &[(usize, usize)], at: Timestamp) {
        let Some(column) = self.thresholds.grid().index_of(at) else { return };
        for &(row, frame_row) in rows {
            if let Some(value) = self.row_of[frame_row].map(|from| self.thresholds.row(from)[column]).filter(|v| v.is_finite()) {
                shard.set_threshold(row, value);
            }
        }
    }
}
