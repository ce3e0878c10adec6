//! How far what was said can be taken at its word: stated likelihoods against what came, and intervals against the values they should hold.
//!
//! The predictions that were raised are a bad sample for that: they are the sure ones. So the engine keeps one likelihood of every series
//! waiting for its truth, raised or not, and those are what is shown first. Their truth is always whether the threshold was crossed, since that
//! is what they speak of. What was raised is shown beside them, by the truth that everything else is judged by.

use portent_models::baseline::Geometry;
use serde::Serialize;

use super::alarm::Verdict;
use super::report::Told;
use crate::core::engine::{Engine, INTERVAL_LEVELS, LIKELIHOOD_EDGES, Tally};

/// Likelihoods that were said, in bins.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Reliability {
    /// One of each series at a time, raised or not, those before the judged time included: nothing is chosen. By thresholds.
    pub probes: Vec<Bin>,
    /// Mean squared distance between what the probes said and what came; `None` where nothing is settled.
    pub brier: Option<f64>,
    /// The predictions raised. By the report's truth.
    pub raised: Vec<Bin>,
}

/// Likelihoods from `lower` up to but without `upper` (the last bin holds 1 too), of those whose truth is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Bin {
    pub lower: f64,
    pub upper: f64,
    pub count: u64,
    pub came_true: u64,
    /// Mean of what was said; `None` for an empty bin.
    pub said: Option<f64>,
}

/// Intervals of one level at one distance, for watches of one horizon.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Coverage {
    /// The share that should lie inside.
    pub level: f64,
    /// How far ahead they lay: the mean of the next hour, or of the last within the horizon.
    pub ahead_s: f64,
    pub count: u64,
    pub inside: u64,
}

impl Reliability {
    pub(super) fn of(engine: &Engine, told: &[Told]) -> Self {
        let mut all = Tally::default();
        (0..engine.watches().len()).for_each(|watch| all.add(engine.tally(watch)));
        let mut raised = Tally::default();
        for told in told {
            let came_true = match told.outcome.verdict {
                Verdict::CameTrue { .. } => true,
                Verdict::DidNot => false,
                Verdict::Averted { .. } | Verdict::Late { .. } | Verdict::NotKnown | Verdict::Pending => continue,
            };
            raised.likelihood(told.prediction.likelihood, came_true);
        }
        Self { probes: bins(&all), brier: all.brier(), raised: bins(&raised) }
    }
}

fn bins(tally: &Tally) -> Vec<Bin> {
    let lower = std::iter::once(0.0).chain(LIKELIHOOD_EDGES);
    let edges = lower.zip(LIKELIHOOD_EDGES).zip(&tally.likelihoods);
    edges
        .map(|((lower, upper), said)| Bin {
            lower,
            upper,
            count: said.count,
            came_true: said.came_true,
            said: (said.count > 0).then(|| said.said / said.count as f64),
        })
        .collect()
}

impl Coverage {
    /// By distance, then by level; without those of which there are none.
    pub(super) fn of(engine: &Engine) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        for (index, watch) in engine.watches().enumerate() {
            let geometry = Geometry::new(watch.baseline.window.as_millis(), watch.step.as_millis());
            let near = geometry.bucket_ms as f64 / 1_000.0;
            let distances = [near, watch.horizon.as_secs_f64().max(near)];
            for (level, kept) in INTERVAL_LEVELS.into_iter().zip(&engine.tally(index).intervals) {
                for (ahead_s, kept) in distances.into_iter().zip(kept).filter(|(_, kept)| kept.count > 0) {
                    match all.iter_mut().find(|c| c.level == level && c.ahead_s == ahead_s) {
                        Some(same) => (same.count, same.inside) = (same.count + kept.count, same.inside + kept.inside),
                        None => all.push(Self { level, ahead_s, count: kept.count, inside: kept.inside }),
                    }
                }
            }
        }
        all.sort_by(|a, b| a.ahead_s.total_cmp(&b.ahead_s).then(a.level.total_cmp(&b.level)));
        all
    }
}
