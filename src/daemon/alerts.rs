//! Keeps one Alertmanager told of the predictions that are open: a task each, so that one that hangs holds up nobody but itself.
//!
//! A push comes when something was raised or ended, and again every `resend`. One that fails is tried again with growing pauses, up to
//! `resend`; what was open meanwhile and is over is no alert any more by then, so an outage is followed by one push and not by all that were
//! missed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::acting::own_silences;
use super::state::Shared;
use crate::clock::{Clock as _, SystemClock};
use crate::core::prediction::{Prediction, PredictionId, State};
use crate::core::time::Span;
use crate::ledger::{Filter, LedgerError};
use crate::metrics::label::PushOutcome;
use crate::notify::AlertmanagerTarget;
use crate::notify::alertmanager::{MAX_OPEN, TOLD_AFTER_END, alerts};
use crate::notify::retry::backoff;

/// Between two pushes at least: a tick that raises many is one push.
const LEAST_PAUSE: Duration = Duration::from_millis(500);

/// The samples that ended a prediction may be this much older than its end in the ledger.
const LATE_SAMPLES: Span = Span::DAY;

/// Until the shutdown.
pub async fn keep_told(shared: Arc<Shared>, target: AlertmanagerTarget, mut wake: watch::Receiver<()>, mut stopped: watch::Receiver<bool>) {
    // Alertmanager compares with its own clock, so this is real time whatever the engine's clock says.
    let clock = SystemClock::new();
    let resend = target.settings().resend;
    let page = shared.config().external_url.as_ref().map(ToString::to_string);
    let (mut told, mut failures) = (None, 0);
    loop {
        wake.borrow_and_update();
        let pushed = tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => return,
            pushed = push(&shared, &target, &clock, page.as_deref()) => pushed,
        };
        let pause = match pushed {
            Ok(now_told) => {
                (told, failures) = (Some(now_told), 0);
                resend
            }
            Err(error) => {
                failures += 1;
                tracing::warn!(error, "alerts were not pushed; they are tried again");
                backoff(failures, rand::random()).min(resend)
            }
        };
        let is_stopped = tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => true,
            () = tokio::time::sleep(pause.to_std()) => false,
            () = changed(&shared, told.as_ref().filter(|_| failures == 0), &mut wake) => false,
        };
        if is_stopped {
            return;
        }
    }
}

/// The predictions that were open when a push was made.
type Told = Vec<PredictionId>;

async fn push(shared: &Shared, target: &AlertmanagerTarget, clock: &SystemClock, page: Option<&str>) -> Result<Told, String> {
    let open = open(shared).await.map_err(|error| error.to_string())?;
    let told = open.iter().map(|prediction| prediction.id.clone()).collect();
    let now = clock.now();
    let recent = Filter { since: Some(now - TOLD_AFTER_END - LATE_SAMPLES), limit: Some(MAX_OPEN), ..Filter::default() };
    let recent = shared.ledger.predictions(&recent).await.map_err(|error| error.to_string())?;
    let all: Vec<Prediction> =
        open.into_iter().chain(recent.into_iter().filter(|p| p.state != State::Open && is_told(shared, p))).collect();
    let pushed = target.push(&alerts(&all, now, target.settings().resend, page)).await;
    let outcome = if pushed.is_ok() { PushOutcome::Ok } else { PushOutcome::Failed };
    shared.metrics.alert_pushes.get_or_create(&outcome).inc();
    pushed.map(|()| told).map_err(|error| error.to_string())
}

/// Nobody wants to hear nothing of it, by a silence of ours. Not refreshed, its alert ends at Alertmanager by itself within four resends.
fn is_told(shared: &Shared, prediction: &Prediction) -> bool {
    !own_silences::hide(shared, prediction, shared.clock.now())
}

/// What is on disk as open and not silenced, as it stands with the last sample: nothing is told outside that could be forgotten.
async fn open(shared: &Shared) -> Result<Vec<Prediction>, LedgerError> {
    let filter = Filter { state: Some(State::Open), limit: Some(MAX_OPEN), ..Filter::default() };
    let mut open = shared.ledger.predictions(&filter).await?;
    let engine = shared.engine();
    let lives: BTreeMap<&PredictionId, &Prediction> = engine.lives().map(|life| (&life.prediction.id, &life.prediction)).collect();
    for prediction in &mut open {
        if let Some(known) = lives.get(&prediction.id) {
            *prediction = Prediction { chart_url: prediction.chart_url.take(), ..(*known).clone() };
        }
    }
    drop(lives);
    drop(engine);
    // One that has ended in the engine, and not yet in the ledger, is told as ended when it is written down.
    open.retain(|prediction| prediction.state == State::Open && is_told(shared, prediction));
    Ok(open)
}

/// Done once another set of predictions is open than was told; never, while none was.
async fn changed(shared: &Shared, told: Option<&Told>, wake: &mut watch::Receiver<()>) {
    let Some(told) = told else { return std::future::pending().await };
    loop {
        tokio::time::sleep(LEAST_PAUSE).await;
        if wake.changed().await.is_err() {
            return std::future::pending().await;
        }
        let now = open(shared).await.map(|open| open.into_iter().map(|prediction| prediction.id).collect::<Told>());
        if now.is_ok_and(|now| now != *told) {
            return;
        }
    }
}
