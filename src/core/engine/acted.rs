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
        if prediction.truth.is_some() && self.0.remove(&prediction.id) {
            prediction.truth = prediction.truth.map(Truth::acted_upon);
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

#[cfg(test)]
mod tests {
    use super::super::tests::{DAY, Signal, feed, noise, start, watch};
    use super::*;
    use crate::core::time::Span;

    fn growing(i: usize) -> f64 {
        0.5 + 0.4 * i as f64 / (8.0 * DAY as f64) + 0.002 * noise(i)
    }

    /// The truth of the first prediction, which was acted upon or not, of a series that goes on growing or is mended once it was told.
    fn truth(is_acted_upon: bool, is_mended: bool) -> Truth {
        let mut engine = Engine::new([watch("disk", 0.85, Span::DAY)], []);
        let judge_from = start() + Span::DAY.times(3);
        let (mut id, mut mended_at) = (None, usize::MAX);
        for hour in 0..10 * 24 {
            let columns = hour * DAY / 24..(hour + 1) * DAY / 24;
            let signal = move |i: usize| if i >= mended_at { 0.3 + 0.002 * noise(i) } else { growing(i) };
            let signals: [(&str, &Signal); 1] = [("a", &signal)];
            for effect in feed(&mut engine, &signals, columns.clone(), 12, judge_from) {
                match effect {
                    Effect::Raised(p) if id.is_none() => {
                        if is_acted_upon {
                            engine.act_upon(p.id.clone(), &p.watch, p.series());
                        }
                        mended_at = if is_mended { columns.end } else { usize::MAX };
                        id = Some(p.id);
                    }
                    Effect::Ended(p) | Effect::Scored(p) if id.as_ref() == Some(&p.id) && p.truth.is_some() => {
                        assert!(engine.acted.0.is_empty());
                        return p.truth.unwrap();
                    }
                    _ => {}
                }
            }
        }
        panic!("its truth never came: {id:?}")
    }

    #[test]
    fn what_was_acted_upon_is_neither_right_nor_wrong_and_all_else_is_as_it_was() {
        assert!(matches!(truth(false, false), Truth::CameTrue { .. }));
        assert_eq!(truth(false, true), Truth::DidNot);
        assert!(matches!(truth(true, false), Truth::Averted { breached_at: Some(_) }));
        assert_eq!(truth(true, true), Truth::Averted { breached_at: None });
    }
}
