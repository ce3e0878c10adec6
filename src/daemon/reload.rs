//! The configuration read again while running, and the delivery workers that follow it.

use std::path::Path;
use std::sync::{Arc, PoisonError};

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::bridge::{self, LedgerOutbox};
use super::state::Shared;
use super::tick::Ticker;
use super::{DaemonError, alerts, effects, sources};
use crate::clock::{Clock, SystemClock};
use crate::config::{self, Config};
use crate::metrics::label::{ReloadResult, WebhookOutcome};
use crate::notify::{AlertmanagerTarget, TargetStats, WebhookTarget, run_target};

/// One worker a target.
pub struct Delivery {
    workers: JoinSet<()>,
    stop: watch::Sender<bool>,
    stats: Vec<Arc<TargetStats>>,
}

impl Delivery {
    /// Starts a worker for every webhook and every Alertmanager.
    ///
    /// # Errors
    /// When a target's settings can't work.
    pub fn start(shared: &Arc<Shared>, wake: &watch::Receiver<()>) -> Result<Self, DaemonError> {
        let settings = bridge::webhook_settings(&shared.config()).map_err(|error| DaemonError::Webhook(error.to_string()))?;
        let targets: Result<Vec<WebhookTarget>, _> = settings.into_iter().map(WebhookTarget::new).collect();
        let targets = targets.map_err(|error| DaemonError::Webhook(error.to_string()))?;
        let (stop, stopped) = watch::channel(false);
        let outbox = Arc::new(LedgerOutbox(shared.ledger.clone()));
        // Receivers check a signature's time against their own clock, so this is real time whatever the engine's clock says.
        let clock = Arc::new(SystemClock::new());
        let mut workers = JoinSet::new();
        let mut stats = Vec::new();
        for target in targets {
            let own = Arc::new(TargetStats::default());
            stats.push(own.clone());
            let clock = clock.clone();
            let now = Arc::new(move || clock.now());
            workers.spawn(run_target(target, outbox.clone(), now, own, wake.clone(), stopped.clone()));
        }
        let alertmanagers: Result<Vec<AlertmanagerTarget>, _> =
            bridge::alertmanager_settings(&shared.config()).into_iter().map(AlertmanagerTarget::new).collect();
        for target in alertmanagers.map_err(|error| DaemonError::Webhook(error.to_string()))? {
            workers.spawn(alerts::keep_told(shared.clone(), target, wake.clone(), stopped.clone()));
        }
        let counting = stats.clone();
        let metrics = shared.metrics.clone();
        workers.spawn(count(counting, metrics, stopped));
        Ok(Self { workers, stop, stats })
    }

    pub async fn stop(&mut self) {
        self.stop.send_replace(true);
        while self.workers.join_next().await.is_some() {}
        self.stats.clear();
    }
}

/// Brings what the workers did to `/metrics` every second, and once more at the end.
async fn count(stats: Vec<Arc<TargetStats>>, metrics: Arc<crate::metrics::Metrics>, mut stopped: watch::Receiver<bool>) {
    let mut last = vec![(0, 0, 0); stats.len()];
    loop {
        let ended = tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => true,
            () = tokio::time::sleep(std::time::Duration::from_secs(1)) => false,
        };
        for (stats, last) in stats.iter().zip(&mut last) {
            let totals = stats.totals();
            let add = |outcome: WebhookOutcome, by: u64| {
                metrics.webhook_attempts.get_or_create(&outcome).inc_by(by);
            };
            add(WebhookOutcome::Delivered, totals.delivered - last.0);
            add(WebhookOutcome::Retry, totals.failed - last.1);
            add(WebhookOutcome::GaveUp, totals.dead - last.2);
            *last = (totals.delivered, totals.failed, totals.dead);
        }
        if ended {
            return;
        }
    }
}

/// Reads the configuration file again. All of it is checked, and everything that could fail is made, before anything changes: a bad one
/// keeps the old.
pub async fn reload(
    shared: &Arc<Shared>,
    file: Option<&Path>,
    ticker: &mut Ticker,
    delivery: &mut Delivery,
    wake: &watch::Receiver<()>,
) -> Result<(), String> {
    let now = shared.clock.now();
    let result = match prepare(file, shared.config().listen) {
        Ok((config, clients)) => {
            shared.acting.set_actuators(sources::actuators(&config));
            apply(shared, config, now).await;
            ticker.set_clients(clients);
            delivery.stop().await;
            Delivery::start(shared, wake).map(|fresh| *delivery = fresh).map_err(|error| error.to_string())
        }
        Err(error) => Err(error),
    };
    match &result {
        Ok(()) => {
            shared.metrics.record_reload(ReloadResult::Success, now);
            tracing::info!("configuration reloaded");
        }
        Err(error) => {
            shared.metrics.record_reload(ReloadResult::Failure, now);
            tracing::error!(error, "the configuration was not reloaded; the old one stays");
        }
    }
    result
}

fn prepare(file: Option<&Path>, listens_on: std::net::SocketAddr) -> Result<(Config, sources::Clients), String> {
    let file = file.ok_or("there is no configuration file: the daemon was started with --prometheus")?;
    let config = config::load(file).map_err(|errors| errors.to_string())?;
    // The address stays what it was: one that others reach must not lose its logins.
    if config.is_open_at(listens_on) {
        return Err(DaemonError::Open(listens_on).to_string());
    }
    let clients = sources::clients(&config).map_err(|error| error.to_string())?;
    for hook in bridge::webhook_settings(&config).map_err(|error| error.to_string())? {
        WebhookTarget::new(hook).map_err(|error| error.to_string())?;
    }
    for settings in bridge::alertmanager_settings(&config) {
        AlertmanagerTarget::new(settings).map_err(|error| error.to_string())?;
    }
    Ok((config, clients))
}

async fn apply(shared: &Arc<Shared>, mut config: Config, now: crate::core::time::Timestamp) {
    let old = shared.config();
    for key in config.restart_keys(&old) {
        tracing::warn!(key, "a change of this key takes effect at the next start");
    }
    shared.metrics.acting.introduce(config.playbooks.iter().map(|playbook| playbook.name.as_str()));
    (config.listen, config.data_dir) = (old.listen, old.data_dir.clone());
    let ended = shared.engine().set_watches(config.watches.iter().cloned().map(Arc::new), config.playbooks.iter().cloned());
    let ended = ended.into_iter().map(|prediction| withdrawn(prediction, now)).collect();
    {
        let mut health = shared.health();
        health.watches.retain(|name, _| config.watches.iter().any(|w| *w.name == **name));
    }
    tell_refused(&config, &shared.metrics);
    *shared.config.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
    effects::carry_out(shared, ended, now).await;
}

/// A playbook file with faults is not used, and nobody should have to find that out when it is needed.
pub fn tell_refused(config: &Config, metrics: &crate::metrics::Metrics) {
    for fault in &config.books.refused {
        tracing::error!("a playbook file is refused, the others are used: {fault}");
    }
    metrics.playbooks_refused.set(config.books.refused_files as i64);
}

/// A prediction whose watch was taken away: nobody looks any more, so nobody will know.
pub fn withdrawn(mut prediction: crate::core::prediction::Prediction, now: crate::core::time::Timestamp) -> crate::core::engine::Effect {
    use crate::core::engine::Effect;
    use crate::core::prediction::{State, Truth};
    let was_open = prediction.state == State::Open;
    prediction.truth = Some(Truth::NotKnown);
    prediction.updated_at = now;
    prediction.revision += 1;
    if was_open {
        (prediction.state, prediction.ended_at) = (State::Resolved, Some(now));
        prediction.ended_because = Some("its watch was taken out of the configuration".to_owned());
        return Effect::Ended(prediction);
    }
    Effect::Scored(prediction)
}
