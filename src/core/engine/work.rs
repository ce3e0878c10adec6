//! What a frame means to one shard: a piece of its columns, with the thresholds of each.

use std::ops::Range;
use std::sync::Arc;

use super::calibration::Calibration;
use super::limits::Limits;
use super::shard::{Column, Sample, Shard};
use super::{Effect, Judged};
use crate::core::civil;
use crate::core::frame::Frame;
use crate::core::playbook::Playbook;
use crate::core::watch::Watch;

/// Columns that are scored ahead of the rest: with more, the scores of a full shard would no longer lie near when they are asked for.
const SCORED_COLUMNS: usize = 16;

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
    ///
    /// Scores come before the rest, series by series: a scorer's two kilobytes are then read once for several samples, and it asks for nothing
    /// that the rest makes.
    pub fn piece(&self, shard: &mut Shard, rows: &[(usize, usize)], columns: Range<usize>, learnt: &Calibration) -> Vec<Effect> {
        let Self { watch, playbooks, judging, frame, limits, keeps_portraits } = self;
        shard.portraits.keep(*keeps_portraits);
        let mut effects = Vec::new();
        let mut scored: Vec<Vec<Sample>> = vec![Vec::with_capacity(rows.len()); columns.len().min(SCORED_COLUMNS)];
        let columns: Vec<usize> = columns.collect();
        for some in columns.chunks(SCORED_COLUMNS) {
            scored.iter_mut().for_each(Vec::clear);
            let times: Vec<_> = some.iter().map(|&column| frame.grid().at(column)).collect();
            let offsets: Vec<i64> = times.iter().map(|at| civil::offset_ms(&watch.zone, *at)).collect();
            for &(row, frame_row) in rows {
                let values = frame.row(frame_row);
                for (i, &column) in some.iter().enumerate() {
                    let value = values[column];
                    if value.is_finite() {
                        scored[i].push((row, value, shard.scores.push(row, times[i], offsets[i], value)));
                    }
                }
            }
            for (samples, at) in scored.iter().zip(times) {
                if let Some(limits) = limits {
                    limits.set(shard, rows, at);
                }
                shard.column(Column { at, watch, playbooks, judging: *judging, learnt }, samples, &mut effects);
            }
        }
        effects
    }
}
