//! Which silences there are, asked of Alertmanager now and then.

use std::time::{Duration, Instant};

use super::Shared;
use crate::act;
use crate::core::prediction::Prediction;
use crate::core::silence::{Covered, Silence, covering};
use crate::core::time::Timestamp;

/// What was heard is used for so long: every decision of one going-over goes by the same answer, and a silence that somebody makes holds before
/// the next one.
const FRESH: Duration = Duration::from_secs(10);

/// What was heard last, or why nothing was.
#[derive(Debug, Default)]
pub(super) struct Cached(Option<(Instant, Result<Vec<Silence>, String>)>);

/// The silence of Alertmanager's that a prediction is under, or why nobody can tell.
pub(super) async fn about(shared: &Shared, prediction: &Prediction, now: Timestamp) -> (Option<Covered>, Option<String>) {
    let config = shared.config();
    let Some(base) = &config.act.silences else { return (None, None) };
    let mut cached = shared.acting.silences.lock().await;
    if cached.0.as_ref().is_none_or(|(at, _)| at.elapsed() >= FRESH) {
        let heard = act::silences::read(base).await;
        if let Err(why) = &heard {
            tracing::warn!(why, "whether something is silenced is not known, and taken for no");
        }
        cached.0 = Some((Instant::now(), heard));
    }
    match &cached.0 {
        Some((_, Ok(silences))) => (covering(silences, prediction, now), None),
        Some((_, Err(why))) => (None, Some(why.clone())),
        None => (None, None),
    }
}
