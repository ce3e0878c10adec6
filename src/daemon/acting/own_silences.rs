//! Silences of our own, as people make, see and end them.

use std::sync::Arc;

use super::{News, Shared, hear};
use crate::core::engine::Engine;
use crate::core::prediction::{Prediction, State as Stands};
use crate::core::silence::own::{OwnSilence, SilenceError, SilenceId, State, Wish};
use crate::core::time::Timestamp;
use crate::server::ViewError;
use crate::server::silence_report::SilenceReport;

/// Whether nobody is to hear of a prediction now.
pub fn hide(shared: &Shared, prediction: &Prediction, now: Timestamp) -> bool {
    shared.acting.own_silences().hide(prediction, now)
}

/// Those in force first, then those to come and those that are over; of each the next to end, and of those that are over the last one.
pub fn reports(shared: &Shared) -> Vec<SilenceReport> {
    let now = shared.clock.now();
    let silences = shared.acting.own_silences();
    let mut all: Vec<SilenceReport> = {
        let engine = shared.engine();
        silences.all().map(|silence| report(&engine, silence, now)).collect()
    };
    all.sort_by_key(|one| {
        let over_at = one.silence.over_at().as_millis();
        (one.state, if one.state == State::Expired { -over_at } else { over_at }, one.silence.id)
    });
    all
}

/// Sets the gauge.
pub fn count(shared: &Shared, now: Timestamp) {
    shared.metrics.silences_active.set(shared.acting.own_silences().active(now).count() as i64);
}

/// On disk before it counts, and before this answers.
pub async fn add(shared: Arc<Shared>, wish: Wish) -> Result<Result<SilenceReport, SilenceError>, ViewError> {
    let now = shared.clock.now();
    let silence = match OwnSilence::new(wish, now) {
        Ok(silence) => silence,
        Err(wrong) => return Ok(Err(wrong)),
    };
    if shared.acting.own_silences().is_full(now) {
        return Ok(Err(SilenceError::Full));
    }
    let id = silence.id;
    hear(&shared, News::Silence { silence: Box::new(silence) }).await;
    count(&shared, now);
    let silences = shared.acting.own_silences();
    match silences.get(id) {
        Some(kept) => Ok(Ok(report(&shared.engine(), kept, now))),
        None if silences.is_full(now) => Ok(Err(SilenceError::Full)),
        None => Err(not_written(&shared)),
    }
}

/// Ends one before its time.
pub async fn expire(shared: Arc<Shared>, id: SilenceId, by: String) -> Result<Result<SilenceReport, SilenceError>, ViewError> {
    let now = shared.clock.now();
    match shared.acting.own_silences().get(id) {
        None => return Ok(Err(SilenceError::Unknown { id })),
        Some(known) if known.state(now) == State::Expired => return Ok(Err(SilenceError::Over { id, since: known.over_at() })),
        Some(_) => {}
    }
    hear(&shared, News::Unsilence { silence: id, by }).await;
    count(&shared, now);
    match shared.acting.own_silences().get(id) {
        Some(ended) if ended.state(now) == State::Expired => Ok(Ok(report(&shared.engine(), ended, now))),
        _ => Err(not_written(&shared)),
    }
}

fn not_written(shared: &Shared) -> ViewError {
    let why = shared.health().audit_error.clone();
    ViewError(format!("the audit does not take it: {}", why.as_deref().unwrap_or("it is not whole")))
}

fn report(engine: &Engine, silence: &OwnSilence, now: Timestamp) -> SilenceReport {
    let open = engine.lives().map(|life| &life.prediction).filter(|prediction| prediction.state == Stands::Open);
    let predictions_open = open.filter(|prediction| silence.is_of(prediction)).count();
    SilenceReport { silence: silence.clone(), state: silence.state(now), predictions_open }
}
