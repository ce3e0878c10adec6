//! What a frame means to one shard: a piece of its columns, with the thresholds of each.

use std::ops::Range;
use std::sync::Arc;

use super::calibration::Calibration;
use super::limits::Limits;
use super::shard::{Column, Shard};
use super::{Effect, Judged};
use crate::core::frame::Frame;
use crate::core::playbook::Playbook;
use crate::core::watch::Watch;

/// One frame, and how it is judged.
pub(super) struct Work<'a> {
    pub watch: &'a Watch,
    pub playbooks: &'a [Arc<Playbook>],
    pub judging: Judged,
    pub frame: &'a Frame,
    pub limits: Option<Limits<'a>>,
    pub keeps_portraits: bool,
}

impl Work<'_> {
    /// Some columns through one shard; `rows` are its rows with those of the frame.
    pub fn piece(&self, shard: &mut Shard, rows: &[(usize, usize)], columns: Range<usize>, learnt: &Calibration) -> Vec<Effect> {
        let Self { watch, playbooks, judging, frame, limits, keeps_portraits } = self;
        shard.portraits.keep(*keeps_portraits);
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
            shard.column(Column { at, watch, playbooks, judging: *judging, learnt }, &present, &mut effects);
        }
        effects
    }
}
