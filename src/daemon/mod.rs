//! The daemon: reads what is new, moves the engine, carries out what it decides, every tick until it is told to stop.
//!
//! A value that can be embedded ([`Daemon::start`], [`Daemon::run`]); tests and the demo run it in process with a clock of their own. It
//! translates and decides nothing: all decisions are the engine's.

mod acting;
mod alerts;
mod bridge;
mod checkpoint;
mod effects;
mod kinds;
mod learning;
mod read;
mod reload;
mod sources;
mod state;
mod tick;
mod view;

use std::collections::BTreeSet;
use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, RwLock};

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use self::acting::Acting;
use self::sources::Clients;
use self::state::{Health, Shared};
use self::view::{DaemonView, ReloadRequest};
use crate::act::Actuators;
use crate::clock::Clock;
use crate::config::Config;
use crate::config::server::OPEN_HINT;
use crate::core::engine::{Effect, Engine};
use crate::core::prediction::Prediction;
use crate::core::run::{Entry, Runs};
use crate::core::time::Span;
use crate::ledger::chain::Finding;
use crate::ledger::{LastEvent, Ledger, LedgerError};
use crate::metrics::Metrics;
use crate::server::{Server, ServerError, Settings};
use crate::source::prometheus::SourceError;
use crate::store::{SledStore, StoreError};

pub use crate::core::engine::TOO_LATE;

/// The ledger's file in the data directory.
pub const LEDGER_FILE: &str = "ledger.sqlite";
/// How far back the ledger is asked for what was told, so that nothing is raised again: longer than any horizon's beginning matters.
const REMEMBER: Span = Span::WEEK;

/// What a daemon is made of besides its configuration.
pub struct Options {
    pub config: Config,
    /// Read again on reload; without it a reload is refused.
    pub config_file: Option<PathBuf>,
    pub clock: Arc<dyn Clock>,
    /// Samples further back than this raise nothing: [`TOO_LATE`] unless time runs faster than life.
    pub too_late: Span,
    /// Gets a copy of every effect, in order.
    pub onlooker: Option<mpsc::UnboundedSender<Effect>>,
    /// The threads that move the engine: the process's, one a processor, unless given. What is predicted does not depend on them.
    pub workers: Option<Arc<rayon::ThreadPool>>,
}

/// Why there is no daemon.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    #[error("cannot make data directory {}: {cause}", path.display())]
    DataDir { path: PathBuf, cause: std::io::Error },
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Server(#[from] ServerError),
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error("{0} can be reached from elsewhere, and there is no login; {hint}", hint = OPEN_HINT)]
    Open(SocketAddr),
    #[error("cannot use a receiver: {0}")]
    Webhook(String),
}

/// A daemon whose stores are open and whose address is taken, and that does nothing yet.
pub struct Daemon {
    shared: Arc<Shared>,
    clients: Clients,
    server: Server,
    config_file: Option<PathBuf>,
    view: Arc<DaemonView>,
    reloads: mpsc::Receiver<ReloadRequest>,
    outbox: watch::Receiver<()>,
}

impl Daemon {
    /// Opens everything, and goes on with what an earlier run left.
    ///
    /// # Errors
    /// Whatever would keep it from working: a locked or newer data directory, a damaged ledger, a taken address, settings that can't work.
    pub async fn start(options: Options) -> Result<Self, DaemonError> {
        let Options { config, config_file, clock, too_late, onlooker, workers } = options;
        let now = clock.now();
        if config.is_open_at(config.listen) {
            return Err(DaemonError::Open(config.listen));
        }
        let data_dir = config.data_dir.clone();
        std::fs::create_dir_all(&data_dir).map_err(|cause| DaemonError::DataDir { path: data_dir.clone(), cause })?;
        let clients = sources::clients(&config)?;
        let metrics = Arc::new(Metrics::new());
        reload::tell_refused(&config, &metrics);
        let opened = {
            let data_dir = data_dir.clone();
            tokio::task::spawn_blocking(move || SledStore::open(&data_dir, now))
                .await
                .expect("opening a store does not panic: it is guarded")?
        };
        if let Some(aside) = &opened.set_aside {
            metrics.store_rebuilds.inc();
            tracing::error!(
                kept_as = %aside.path.display(), what = aside.what,
                "STORED BASELINES ARE DAMAGED and were set aside; they are rebuilt from the sources. Predictions are in the ledger and safe"
            );
        }
        let ledger = Ledger::open(&data_dir.join(LEDGER_FILE)).await?;
        let unfinished = ledger.open_predictions().await?;
        let told = ledger.last_events_since(now - REMEMBER).await?;
        let (acting, audit_error) = open_acting(&ledger, sources::actuators(&config), &clients, &metrics).await?;
        let kept: BTreeSet<String> = checkpoint::watches(&opened.store)?
            .into_iter()
            .chain(unfinished.iter().map(|p| p.watch.clone()))
            .chain(told.iter().map(|event| event.watch.clone()))
            .collect();
        let found_before = sources::kept_by_earlier_run(&config, |name| kept.contains(name));
        let watches = config.watches.iter().cloned().map(Arc::new).chain(found_before);
        let mut engine = Engine::new(watches, config.playbooks.iter().cloned());
        checkpoint::restore(&mut engine, &opened.store)?;
        let orphans = resume(&mut engine, unfinished, told);
        learning::mark_all_acted(&mut engine, &acting.learned().await);

        let server = Server::bind(config.listen).await?;
        let base_url = config.external_url.as_ref().map_or_else(|| format!("http://{}/", server.address()), ToString::to_string);
        let (outbox_wake, outbox) = watch::channel(());
        let shared = Arc::new(Shared {
            config: RwLock::new(Arc::new(config)),
            engine: Mutex::new(engine),
            health: Mutex::new(Health { audit_error, ..Health::default() }),
            acting,
            deciding: Arc::default(),
            unrecorded: Mutex::new(Vec::new()),
            ledger: Arc::new(ledger),
            store: Arc::new(opened.store),
            metrics,
            clock,
            started_at: now,
            base_url,
            outbox_wake,
            too_late,
            onlooker,
            workers,
        });
        sources::introduce(&shared, &clients);
        shared.metrics.acting.introduce(shared.config().playbooks.iter().map(|playbook| playbook.name.as_str()));
        let withdrawn = orphans.into_iter().map(|orphan| reload::withdrawn(orphan, now)).collect();
        effects::carry_out(&shared, withdrawn, now).await;
        let (reload_sender, reloads) = mpsc::channel(1);
        let view = Arc::new(DaemonView { shared: shared.clone(), reloads: reload_sender });
        Ok(Self { shared, clients, server, config_file, view, reloads, outbox })
    }

    /// Where the HTTP server listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Runs until `shutdown` ends, then leaves everything on disk. `reload` brings a unit for each SIGHUP.
    ///
    /// # Errors
    /// When the HTTP server fails, or webhooks can't be set up.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send, mut hangup: mpsc::Receiver<()>) -> Result<(), DaemonError> {
        let Self { shared, clients, server, config_file, view, mut reloads, outbox } = self;
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        let config = shared.config();
        let allowed_hosts = config.external_url.as_ref().and_then(|url| url.host_str()).map(str::to_owned).into_iter().collect();
        let settings = Settings { chart_dir: config.chart_dir.clone(), allowed_hosts, ..Settings::default() };
        let logins = config.access.logins.len();
        drop(config);
        tracing::info!(address = %server.address(), watches = shared.engine().watches().len(), logins, "started");
        if logins == 0 {
            tracing::info!("there are no logins: everybody on this machine may do everything, and it listens on loopback only");
        }
        let mut server_stop = stopped.clone();
        let served = server.serve(view, shared.metrics.clone(), settings, async move {
            // An error means that the sender is gone: the daemon is too.
            let _ = server_stop.wait_for(|stop| *stop).await;
        });
        tasks.spawn(async move {
            if let Err(error) = served.await {
                tracing::error!(%error, "the HTTP server failed");
            }
        });
        acting::obey_stop_file(&shared).await;
        tasks.spawn(until(stopped.clone(), acting::watch_over(shared.clone())));
        let mut delivery = reload::Delivery::start(&shared, &outbox)?;
        let mut ticker = tick::Ticker::new(shared.clone(), clients);

        tokio::pin!(shutdown);
        loop {
            // A tick that waits for a slow server holds up neither the end nor a reload: it may be dropped, and is then still due.
            let asked_by = tokio::select! {
                () = &mut shutdown => break,
                Some(()) = hangup.recv() => None,
                Some(answer) = reloads.recv() => Some(answer),
                () = async {
                    ticker.due().await;
                    ticker.tick().await;
                } => continue,
            };
            let result = reload::reload(&shared, config_file.as_deref(), &mut ticker, &mut delivery, &outbox).await;
            // What came of it has been logged; whoever asked may have gone.
            let _ = asked_by.map(|answer| answer.send(result));
        }
        drop(ticker);
        tracing::info!("stopping");
        stop.send_replace(true);
        let now = shared.clock.now();
        let decided = shared.deciding.clone().write_owned().await;
        effects::carry_out(&shared, Vec::new(), now).await;
        // The readings ended with the ticker: nothing is decided any more.
        drop(decided);
        tokio::join!(checkpoint::write(&shared, now), delivery.stop());
        while tasks.join_next().await.is_some() {}
        tracing::info!("stopped, state is on disk");
        Ok(())
    }
}

/// What acts, with what the ledger holds. An audit that is not whole stops everything.
async fn open_acting(
    ledger: &Ledger,
    actuators: Actuators,
    clients: &Clients,
    metrics: &Metrics,
) -> Result<(Acting, Option<String>), DaemonError> {
    let (runs, wrong) = match ledger.audit_verify(None).await? {
        Finding::Whole { .. } => {
            let (mut runs, mut memory) = (Runs::default(), metrics.acting.memory());
            let both = |entry: &Entry| {
                runs.apply(entry);
                memory.take_in(entry);
            };
            ledger.audit_records(both).await?;
            (Some(runs), None)
        }
        found => {
            let why = format!("the audit is not whole: {found:?}; nothing is done until a person has looked (portent audit verify)");
            tracing::error!("{why}");
            (None, Some(why))
        }
    };
    let head = ledger.audit_head().await?;
    Ok((Acting::new(runs, head, actuators, clients.clone()), wrong))
}

async fn until(mut stopped: watch::Receiver<bool>, work: impl Future<Output = ()>) {
    tokio::select! {
        () = work => {}
        // An error means that the sender is gone: the daemon is too.
        _ = stopped.wait_for(|stop| *stop) => {}
    }
}

/// Gives the engine what was open, and what was told lately. Gives back the predictions that nobody watches any more.
fn resume(engine: &mut Engine, unfinished: Vec<Prediction>, told: Vec<LastEvent>) -> Vec<Prediction> {
    let count = unfinished.len();
    let orphans = engine.restore_predictions(unfinished, told.into_iter().map(|e| (e.watch, e.series, e.updated_at)));
    if count > 0 {
        tracing::info!(predictions = count - orphans.len(), "going on with predictions from before the restart");
    }
    for orphan in &orphans {
        tracing::warn!(id = %orphan.id, watch = orphan.watch, "an open prediction's watch is no longer configured: it is taken back");
    }
    orphans
}
