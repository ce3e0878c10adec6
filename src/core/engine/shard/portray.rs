//! What the engine knew about one series at one moment, kept for a picture that is drawn later.
//!
//! The obvious way, to draw from the engine's state between two columns, makes the shell step through columns one by one. A series' own rows
//! of the block are three kilobytes; a copy of them is all that a picture needs, and many columns can go through at once. Kept only on
//! request, and nothing is decided by it.

use std::sync::Arc;

use portent_models::baseline::Block;
use portent_models::breach::Recalibration;

use super::{Column, Shard};
use crate::core::engine::calibration::Calibration;
use crate::core::engine::{Engine, Life};
use crate::core::heritage::Heritage;
use crate::core::labels::Labels;
use crate::core::outlook::Fit;
use crate::core::prediction::{Prediction, PredictionId};
use crate::core::time::Timestamp;
use crate::core::watch::{Profile, Watch};
use crate::core::widths::Widths;

/// Portraits of one shard that wait to be taken: at ten kilobytes each this is 20 MB. A step that brings more is of a watch that cries
/// without end, and nobody looks at two thousand pictures.
const MAX_WAITING: usize = 2_048;

/// Which moment it was.
#[derive(Clone, Debug, PartialEq)]
pub enum Moment {
    /// A prediction was raised.
    Raised(PredictionId),
    /// A breach that nothing open had told of was certain; it began at `since`. `likelihood` is what the last look had said.
    Untold { since: Timestamp, likelihood: f64 },
}

/// One series as it was.
#[derive(Clone, Debug)]
pub struct Portrait {
    pub moment: Moment,
    pub watch: String,
    pub labels: Labels,
    /// The series alone, in row 0.
    pub block: Block,
    /// The profile that it had.
    pub profile: Profile,
    pub threshold: f64,
    /// The week's forecast; for a raised prediction only.
    pub fit: Option<Fit>,
    /// What its watch's likelihoods had turned out to mean, and its intervals to hold.
    pub settled: Recalibration,
    pub widths: Widths,
    /// What a young series went by.
    pub heritage: Option<Arc<Heritage>>,
}

/// The portraits of one shard.
#[derive(Clone, Debug, Default)]
pub(in crate::core::engine) struct Portraits {
    keeps: bool,
    waiting: Vec<Portrait>,
}

impl Portraits {
    pub fn keep(&mut self, keeps: bool) {
        self.keeps = keeps;
    }

    fn has_room(&self) -> bool {
        self.keeps && self.waiting.len() < MAX_WAITING
    }
}

impl Engine {
    /// Whether to keep a portrait of every prediction that is raised and of every breach that none told of; whoever asks for them takes them
    /// with [`Engine::take_portraits`] after each step.
    pub fn keep_portraits(&mut self, keeps: bool) {
        self.watched.iter_mut().for_each(|watched| watched.keeps_portraits = keeps);
    }

    /// Those of the last steps, watch by watch; of one series in the order of time.
    pub fn take_portraits(&mut self) -> Vec<Portrait> {
        let shards = self.watched.iter_mut().flat_map(|watched| &mut watched.shards);
        shards.flat_map(|shard| std::mem::take(&mut shard.portraits.waiting)).collect()
    }
}

impl Shard {
    pub(super) fn portray_raised(&mut self, row: usize, prediction: &Prediction, column: Column<'_>) {
        if self.portraits.has_room() {
            let fit = self.fit(row, column.watch);
            let portrait = self.portrait(row, Moment::Raised(prediction.id.clone()), column.watch, (fit, column.learnt));
            self.portraits.waiting.push(portrait);
        }
    }

    /// `began` is when the breach did that this sample made certain.
    pub(super) fn portray_breach(&mut self, row: usize, began: Option<Timestamp>, watch: &Watch) {
        let Some(since) = began.filter(|_| self.portraits.has_room()) else { return };
        if !self.lives.get(&row).is_some_and(|lives| lives.iter().any(Life::is_open)) {
            let moment = Moment::Untold { since, likelihood: f64::from(self.rows[row].likelihood) };
            let portrait = self.portrait(row, moment, watch, (None, &Calibration::default()));
            self.portraits.waiting.push(portrait);
        }
    }

    fn portrait(&self, row: usize, moment: Moment, watch: &Watch, (fit, learnt): (Option<Fit>, &Calibration)) -> Portrait {
        let state = &self.rows[row];
        Portrait {
            moment,
            watch: watch.name.to_string(),
            labels: state.labels.clone(),
            block: self.block.alone(row),
            profile: self.selection(row, watch).profile,
            threshold: state.threshold,
            fit,
            settled: learnt.map.clone(),
            widths: learnt.widths,
            heritage: self.heritage(row, watch),
        }
    }
}
