//! What a frame means to one shard: a piece of its columns, with the thresholds of each.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use portent_models::breach::Recalibration;

use super::shard::{Column, Shard};
use super::{Effect, Judged};
use crate::core::frame::Frame;
use crate::core::labels::Labels;
use crate::core::playbook::Playbook;
use crate::core::time::Timestamp;
use crate::core::watch::Watch;

/// One frame, and how it is judged.
pub(super) struct Work<'a> {
    pub watch: &'a Watch,
    pub playbooks: &'a [Arc<Playbook>],
    pub judging: Judged,
    pub frame: &'a Frame,
    pub limits: Option<Limits<'a>>,
}

impl Work<'_> {
    /// Some columns through one shard; `rows` are its rows with those of the frame.
    pub fn piece(&self, shard: &mut Shard, rows: &[(usize, usize)], columns: Range<usize>, settled: &Recalibration) -> Vec<Effect> {
        let Self { watch, playbooks, judging, frame, limits } = self;
        let mut effects = Vec::new();
        let mut present = Vec::with_capacity(rows.len());
        let values = frame.values();
        for column in columns {
            let at = frame.grid().at(column);
            if let Some(limits) = limits {
                limits.set(shard, rows, at);
            }
            present.clear();
            let here = rows.iter().map(|&(row, frame_row)| (row, values[[frame_row, column]]));
            present.extend(here.filter(|(_, value)| value.is_finite()));
            shard.column(Column { at, watch, playbooks, judging: *judging, settled }, &present, &mut effects);
        }
        effects
    }
}

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
    fn set(&self, shard: &mut Shard, rows: &[(usize, usize)], at: Timestamp) {
        let Some(column) = self.thresholds.grid().index_of(at) else { return };
        for &(row, frame_row) in rows {
            if let Some(value) = self.row_of[frame_row].map(|from| self.thresholds.row(from)[column]).filter(|v| v.is_finite()) {
                shard.set_threshold(row, value);
            }
        }
    }
}
