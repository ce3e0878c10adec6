//! What the engine decided, carried out: into the ledger and its outbox in one transaction, into a chart, the log and the metrics.

use std::sync::Arc;

use super::acting::own_silences;
use super::learning;
use super::state::{MAX_PAST_ANOMALIES, Shared};
use crate::chart::{self, Style};
use crate::config::WebhookConfig;
use crate::core::engine::{Effect, Engine};
use crate::core::prediction::{Prediction, State, Truth};
use crate::core::time::Timestamp;
use crate::ledger::{ChangeKind, MAX_CHANGES, OutboxItem, PredictionChange};
use crate::notify::Topic;
use crate::notify::event::{self, EventKind};
use crate::picture;

/// Effects that wait for a failing ledger at most. Predictions are few; so many mean that it has failed for days.
const MAX_UNRECORDED: usize = 100_000;

/// Moves the engine and carries out what it decides. In a task of its own: whoever waits for it may stop waiting (the daemon is told to
/// end in the middle of a tick), but a decision is never left half carried out.
pub async fn decide(shared: &Arc<Shared>, now: Timestamp, decision: impl FnOnce(&mut Engine) -> Vec<Effect> + Send + 'static) {
    let shared = shared.clone();
    let task = tokio::spawn(async move {
        let deciding = shared.deciding.clone().read_owned().await;
        let moving = shared.clone();
        // Off the runtime's threads: a window of many series is work, not waiting.
        let move_it = move || {
            let mut engine = moving.engine();
            let engine = &mut *engine;
            match &moving.workers {
                Some(workers) => workers.install(|| decision(engine)),
                None => decision(engine),
            }
        };
        match tokio::task::spawn_blocking(move_it).await {
            Ok(effects) => carry_out(&shared, effects, now).await,
            Err(error) => tracing::error!(%error, "the engine failed; these samples are lost"),
        }
        drop(deciding);
    });
    if let Err(error) = task.await {
        tracing::error!(%error, "carrying out a decision failed");
    }
}

/// Carries out what the engine decided at `now`. What the ledger does not take is kept and tried again; nothing is told to the outside
/// before it is on disk.
pub async fn carry_out(shared: &Arc<Shared>, effects: Vec<Effect>, now: Timestamp) {
    for effect in &effects {
        log(effect);
        count(shared, effect, now);
        if let Some(onlooker) = &shared.onlooker {
            // Nobody looks on any more: fine.
            let _ = onlooker.send(effect.clone());
        }
        if let Effect::AnomalyEnded(anomaly) = effect {
            let past = &mut shared.health().past_anomalies;
            past.push_front(anomaly.clone());
            past.truncate(MAX_PAST_ANOMALIES);
        }
    }
    learning::settle(shared, &effects);
    let waiting: Vec<Effect> = {
        let mut unrecorded = shared.unrecorded();
        unrecorded.extend(effects.into_iter().filter(|effect| effect.prediction().is_some()));
        std::mem::take(&mut *unrecorded)
    };
    if waiting.is_empty() {
        return;
    }
    draw_raised(shared, &waiting).await;
    let changes: Vec<PredictionChange> = waiting.iter().filter_map(|effect| change(shared, effect, now)).collect();
    for part in changes.chunks(MAX_CHANGES) {
        if let Err(error) = shared.ledger.record(part).await {
            tracing::error!(%error, predictions = part.len(), "could not write predictions down; they are kept and tried again");
            shared.health().ledger_error = Some(error.to_string());
            let mut unrecorded = shared.unrecorded();
            let later = std::mem::take(&mut *unrecorded);
            *unrecorded = waiting.into_iter().chain(later).take(MAX_UNRECORDED).collect();
            return;
        }
    }
    shared.health().ledger_error = None;
    shared.outbox_wake.send_replace(());
}

/// The ledger's change for an effect, with a message to every target; without any while somebody wants to hear nothing of it.
fn change(shared: &Shared, effect: &Effect, now: Timestamp) -> Option<PredictionChange> {
    let (kind, told) = match effect {
        Effect::Raised(_) => (ChangeKind::Raised, Some(EventKind::Raised)),
        Effect::Updated(_) => (ChangeKind::Updated, Some(EventKind::Updated)),
        Effect::Ended(_) => (ChangeKind::Resolved, Some(EventKind::Resolved)),
        // The truth of a prediction that was taken back before: for the record, nobody needs to be woken.
        Effect::Scored(_) => (ChangeKind::Scored, None),
        Effect::AnomalyStarted(_) | Effect::AnomalyEnded(_) => return None,
    };
    let mut prediction = effect.prediction()?.clone();
    let config = shared.config();
    if config.chart_dir.is_some() {
        prediction.chart_url = Some(format!("{}charts/{}.png", shared.base_url, prediction.id));
    }
    let told = told.filter(|_| !own_silences::hide(shared, &prediction, now));
    let outbox = told.map_or_else(Vec::new, |kind| {
        let (event_id, payload) = event::encode(&prediction, kind, effect.at(), None);
        let item = |hook: &WebhookConfig| OutboxItem {
            event_id: event_id.clone(),
            target: hook.name.clone(),
            content_type: event::CONTENT_TYPE.to_owned(),
            payload: payload.clone(),
        };
        config.webhooks().filter(|hook| hook.events.contains(&Topic::Prediction)).map(item).collect()
    });
    Some(PredictionChange { prediction, kind, at: now, outbox })
}

/// A picture for every raised prediction, before anybody is told of it. A picture that can't be drawn holds nothing up.
async fn draw_raised(shared: &Arc<Shared>, effects: &[Effect]) {
    let Some(chart_dir) = shared.config().chart_dir.clone() else { return };
    let raised: Vec<Prediction> =
        effects.iter().filter_map(|effect| if let Effect::Raised(p) = effect { Some(p.clone()) } else { None }).collect();
    if raised.is_empty() {
        return;
    }
    let shared = shared.clone();
    let drawn = tokio::task::spawn_blocking(move || {
        if let Err(error) = std::fs::create_dir_all(&chart_dir) {
            tracing::warn!(%error, dir = %chart_dir.display(), "could not make the folder for charts");
            return;
        }
        for prediction in raised {
            let scene = picture::of_prediction(&shared.engine(), &prediction);
            let path = chart_dir.join(format!("{}.png", prediction.id));
            if let Some(scene) = scene
                && let Err(error) = chart::render_to_file(&scene, &Style::default(), &path)
            {
                tracing::warn!(%error, path = %path.display(), "could not draw a chart");
            }
        }
    });
    if let Err(error) = drawn.await {
        tracing::warn!(%error, "drawing charts failed");
    }
}

fn log(effect: &Effect) {
    match effect {
        Effect::Raised(p) => tracing::warn!(
            id = %p.id, watch = p.watch, labels = %p.labels, likelihood = p.likelihood, value = p.current_value, threshold = p.threshold,
            eta_p50 = p.eta.p50.map(tracing::field::display), "predicted: {}", p.title
        ),
        Effect::Updated(p) => tracing::info!(
            id = %p.id, watch = p.watch, likelihood = p.likelihood, eta_p50 = p.eta.p50.map(tracing::field::display), "prediction changed: {}", p.title
        ),
        Effect::Ended(p) => tracing::info!(
            id = %p.id, watch = p.watch, because = p.ended_because, lead_time_s = lead_time_s(p), "prediction ended: {}", p.title
        ),
        Effect::Scored(p) => tracing::info!(id = %p.id, watch = p.watch, truth = ?p.truth, "truth of a prediction: {}", p.title),
        Effect::AnomalyStarted(a) => tracing::info!(
            watch = a.watch, labels = %a.labels, score = a.score, value = a.value, expected = a.expected, "not normal: {}", a.because
        ),
        Effect::AnomalyEnded(a) => {
            tracing::info!(watch = a.watch, labels = %a.labels, score = a.score, "normal again; it was: {}", a.because);
        }
    }
}

fn lead_time_s(prediction: &Prediction) -> Option<f64> {
    match prediction.truth {
        Some(Truth::CameTrue { lead_time_s, .. }) => Some(lead_time_s),
        _ => None,
    }
}

fn count(shared: &Shared, effect: &Effect, now: Timestamp) {
    let metrics = &shared.metrics;
    if let Effect::Raised(p) | Effect::Updated(p) | Effect::Ended(p) = effect
        && own_silences::hide(shared, p, now)
    {
        metrics.predictions_silenced.inc();
    }
    match effect {
        Effect::Raised(_) => drop(metrics.predictions_raised.inc()),
        Effect::Ended(p) if p.state == State::Expired => drop(metrics.predictions_expired.inc()),
        Effect::Ended(_) => drop(metrics.predictions_resolved.inc()),
        Effect::AnomalyStarted(_) => drop(metrics.anomalies.inc()),
        Effect::Updated(_) | Effect::Scored(_) | Effect::AnomalyEnded(_) => {}
    }
    if let (Effect::Ended(p) | Effect::Scored(p), Some(truth)) = (effect, effect.prediction().and_then(|p| p.truth.as_ref())) {
        let _ = p;
        metrics.record_truth(truth);
    }
}
