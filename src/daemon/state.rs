//! What the daemon's parts share: the engine behind its lock, the stores, and how each source and watch is doing.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use tokio::sync::watch;

use super::acting::Acting;
use crate::clock::Clock;
use crate::config::Config;
use crate::core::anomaly::Anomaly;
use crate::core::engine::{Effect, Engine};
use crate::core::time::{Span, Timestamp};
use crate::ledger::Ledger;
use crate::metrics::Metrics;
use crate::store::SledStore;

/// Anomalies that are over and still shown.
pub const MAX_PAST_ANOMALIES: usize = 1_000;

/// One source's health.
#[derive(Clone, Debug, Default)]
pub struct SourceHealth {
    pub url: String,
    pub up: bool,
    pub last_success: Option<Timestamp>,
    pub last_error: Option<String>,
    /// When the reading under way began.
    pub reading_since: Option<Timestamp>,
    /// One reading has ended.
    pub was_read: bool,
}

/// One watch's health.
#[derive(Clone, Debug, Default)]
pub struct WatchHealth {
    pub answered: bool,
    pub failing: bool,
    pub last_error: Option<String>,
    pub failures_in_a_row: u32,
    /// Not asked before this time, after failures.
    pub not_before: Option<Timestamp>,
    pub filled: bool,
}

/// Everything that changes while the daemon runs, except the engine.
#[derive(Debug, Default)]
pub struct Health {
    pub sources: BTreeMap<String, SourceHealth>,
    pub watches: BTreeMap<String, WatchHealth>,
    pub past_anomalies: VecDeque<Anomaly>,
    pub last_checkpoint: Option<Timestamp>,
    pub ledger_error: Option<String>,
    /// What was decided about a remedy could not be written down, or the audit is not whole.
    pub audit_error: Option<String>,
    /// When it was last met in writing; never for what a start found.
    pub audit_failed_at: Option<Timestamp>,
    pub store_error: Option<String>,
    pub outbox_pending: u64,
    pub ticks: u64,
    pub storage: (Option<u64>, Option<u64>),
}

/// Shared by the tick, the HTTP server and the delivery workers.
pub struct Shared {
    pub config: RwLock<Arc<Config>>,
    pub engine: Mutex<Engine>,
    pub health: Mutex<Health>,
    /// Held (shared) from the moment the engine moves until the ledger has what it decided. The end takes it alone: a tick that is dropped
    /// half way never leaves a decision that is in the checkpoint and not in the ledger.
    pub deciding: Arc<tokio::sync::RwLock<()>>,
    /// Effects that the ledger has not taken yet: it failed, and they are tried again with the next tick.
    pub unrecorded: Mutex<Vec<Effect>>,
    pub ledger: Arc<Ledger>,
    pub acting: Acting,
    pub store: Arc<SledStore>,
    pub metrics: Arc<Metrics>,
    pub clock: Arc<dyn Clock>,
    pub started_at: Timestamp,
    /// What people reach the HTTP server under; ends with a slash.
    pub base_url: String,
    /// Woken when something new lies in the outbox.
    pub outbox_wake: watch::Sender<()>,
    /// Samples further back raise nothing.
    pub too_late: Span,
    /// Every effect, for whoever wants to look on (the demo).
    pub onlooker: Option<tokio::sync::mpsc::UnboundedSender<Effect>>,
    /// Threads of our own to move the engine with.
    pub workers: Option<Arc<rayon::ThreadPool>>,
}

impl Shared {
    pub fn engine(&self) -> MutexGuard<'_, Engine> {
        // A panic in the engine poisons nothing that a new tick would not overwrite; the panic itself has been logged.
        self.engine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn config(&self) -> Arc<Config> {
        self.config.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn unrecorded(&self) -> MutexGuard<'_, Vec<Effect>> {
        self.unrecorded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
