//! Predictions that something was done about: their truth is nobody's to know.
//!
//! What the series does afterwards is the remedy's doing as much as its own. Such a prediction gets the truth `averted?`, whether it was followed
//! by a breach or not, and what the engine had asked of itself about that series is dropped: neither its likelihoods nor its intervals
//! learn from it. Told by the shell and not part of a checkpoint: it is the runs' to know, and they are told anew after a restart.

use std::collections::BTreeSet;

use super::{Effect, Engine};
use crate::core::labels::SeriesId;
use crate::core::prediction::{PredictionId, Truth};

/// Such predictions whose truth is waited for at most: more than can be acted upon within the longest horizon, and some 5 MB.
const MAX_ACTED: usize = 100_000;

/// Those whose truth has not come.
#[derive(Debug, Default)]
pub(super) struct Acted(BTreeSet<PredictionId>);

impl Acted {
    fn put(&mut self, id: PredictionId) {
        if self.0.len() < MAX_ACTED {
            self.0.insert(id);
        }
    }

    /// The truth as it may be told.
    pub fn judge(&mut self, effect: &mut Effect) {
        let (Effect::Ended(prediction) | Effect::Scored(prediction)) = effect else { return };
        let truth = match prediction.truth {
            Some(Truth::CameTrue { at, .. }) => Truth::Averted { breached_at: Some(at) },
            Some(Truth::DidNot) => Truth::Averted { breached_at: None },
            // Not known it is in any case.
            Some(other) => other,
            None => return,
        };
        if self.0.remove(&prediction.id) {
            prediction.truth = Some(truth);
        }
    }
}

impl Engine {
    /// Something is done about this prediction.
    pub fn act_upon(&mut self, id: PredictionId, watch: &str, series: SeriesId) {
        self.acted.put(id);
        let Some(index) = self.watch_index(watch) else { return };
        let watched = &mut self.watched[index];
        if let Some(&(shard, row)) = watched.rows.get(&series) {
            watched.shards[shard].forget_asked(row);
        }
    }
}
