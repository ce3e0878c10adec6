//! The shell around [`Runs`]: writes down what it decides, carries out what it asks for, and brings back what came of it.
//!
//! One rule holds everything together: records are on disk before an act leaves. Where the ledger does not take them, the decision is
//! thrown away and the state read from the ledger again; nothing has been done.

pub mod by_hand;
mod checks;
mod errand;
#[cfg(test)]
mod killed_tests;
mod known;
pub mod own_silences;
pub mod people;
mod silences;
mod subjects;
mod told;
pub mod trial;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tokio::sync::{Mutex, Semaphore};

use self::known::Held;
use super::learning;
use super::sources::Clients;
use super::state::Shared;
use crate::act::{Actuator, Actuators, Done};
use crate::core::gate::Mode;
use crate::core::health::Standings;
use crate::core::learn::Learned;
use crate::core::playbook::Playbook;
use crate::core::prediction::PredictionId;
use crate::core::run::{Entry, Input, Record, RunKey, Runs, Turnout, World};
use crate::core::silence::own::{OwnSilence, SilenceId, Silences};
use crate::core::time::{Span, Timestamp};
use crate::ledger::LedgerError;
use crate::ledger::chain::Head;

/// The stop file is looked for, and what is due is done, this often.
const BEAT: Duration = Duration::from_millis(500);
/// The clock is taken for set when it is off by more than this from a clock that nobody sets.
const CLOCK_IS_SET: Span = Span::from_secs(5);
/// An audit that could not be written is told for so long at least.
const FAILURE_LASTS: Span = Span::from_secs(10);
/// Who stops everything by the file.
const BY_FILE: &str = "the stop file";

/// What acts, and what it acts with.
pub struct Acting {
    runs: Mutex<Runs>,
    actuators: RwLock<Actuators>,
    clients: RwLock<Clients>,
    head: std::sync::Mutex<Head>,
    /// Who has stopped everything, for those who can't wait until a decision is on disk.
    stopped: std::sync::Mutex<Option<String>>,
    /// The audit is not whole, or can't be read: what was done is not known, and nothing is done until a person has looked and the daemon
    /// was started again.
    is_broken: AtomicBool,
    /// What is in memory is not what the ledger holds, which could not be read: first that, then everything else.
    is_behind: AtomicBool,
    /// Of this process alone.
    secret: [u8; 32],
    /// One going-over at a time: a slow server holds up no tick.
    is_considering: AtomicBool,
    held: std::sync::Mutex<Held>,
    /// Turns of those who ask what a run would do.
    trying: Semaphore,
    standings: std::sync::Mutex<Standings>,
    silences: Mutex<silences::Cached>,
    /// Those of our own, for those who can't wait until a decision is on disk.
    own_silences: std::sync::Mutex<Arc<Silences>>,
    /// Runs whose check is being asked for.
    measuring: std::sync::Mutex<BTreeSet<RunKey>>,
}

/// What comes in, owned: it crosses from tasks that wait for the outside.
#[derive(Debug)]
pub enum News {
    Approval { run: RunKey, by: String, is_approved: bool, reason: String },
    Report { run: RunKey, what: Turnout, done: Done },
    Measured { run: RunKey, value: Option<f64> },
    Stop { by: String },
    Resume { by: String },
    Truth { prediction: PredictionId, breached: Option<bool> },
    Forgive { playbook: String, by: String },
    Silence { silence: Box<OwnSilence> },
    Unsilence { silence: SilenceId, by: String },
    ClockSet { by: Span },
    Restarted,
    Tick,
}

impl News {
    fn input(&self) -> Input<'_> {
        match self {
            Self::Approval { run, by, is_approved, reason } => Input::Approval { run: *run, by, is_approved: *is_approved, reason },
            Self::Report { run, what, done } => Input::Report { run: *run, what: *what, end: done.end, note: &done.note },
            Self::Measured { run, value } => Input::Measured { run: *run, value: *value },
            Self::Stop { by } => Input::Stop { by },
            Self::Resume { by } => Input::Resume { by },
            Self::Truth { prediction, breached } => Input::Truth { prediction, breached: *breached },
            Self::Forgive { playbook, by } => Input::Forgive { playbook, by },
            Self::Silence { silence } => Input::Silence { silence },
            Self::Unsilence { silence, by } => Input::Unsilence { silence: *silence, by },
            Self::ClockSet { by } => Input::ClockSet { by: *by },
            Self::Restarted => Input::Restarted,
            Self::Tick => Input::Tick,
        }
    }
}

impl Acting {
    /// With what the ledger holds; without entries where its audit is not whole.
    pub fn new(runs: Option<Runs>, head: Head, actuators: Actuators, clients: Clients) -> Self {
        let is_broken = AtomicBool::new(runs.is_none());
        let runs = runs.unwrap_or_default();
        Self {
            is_broken,
            is_behind: AtomicBool::new(false),
            stopped: std::sync::Mutex::new(runs.stopped().map(str::to_owned)),
            own_silences: std::sync::Mutex::new(Arc::new(runs.silences().clone())),
            runs: Mutex::new(runs),
            actuators: RwLock::new(actuators),
            clients: RwLock::new(clients),
            head: std::sync::Mutex::new(head),
            secret: rand::random(),
            is_considering: AtomicBool::new(false),
            held: std::sync::Mutex::default(),
            trying: Semaphore::new(trial::MAX_TRIALS),
            standings: std::sync::Mutex::default(),
            silences: Mutex::default(),
            measuring: std::sync::Mutex::default(),
        }
    }

    /// The newest line of the audit.
    pub fn head(&self) -> Head {
        self.head.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn stopped_by(&self) -> Option<String> {
        self.stopped.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Those of our own, as the last decision left them.
    pub fn own_silences(&self) -> Arc<Silences> {
        self.own_silences.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn show_silences(&self, runs: &Runs) {
        *self.own_silences.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(runs.silences().clone());
    }

    pub fn set_clients(&self, clients: Clients) {
        *self.clients.write().unwrap_or_else(PoisonError::into_inner) = clients;
    }

    /// What an answer about this action must carry: bound to the action's hash and to this process.
    pub fn token(&self, run: RunKey) -> String {
        let mut hash = Sha256::new();
        hash.update(self.secret);
        hash.update(run.0.to_le_bytes());
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    pub fn is_token(&self, run: RunKey, token: &str) -> bool {
        self.token(run).as_bytes().ct_eq(token.as_bytes()).into()
    }

    /// What is carried out from now on is carried out by these; what runs goes on.
    pub fn set_actuators(&self, actuators: Actuators) {
        *self.actuators.write().unwrap_or_else(PoisonError::into_inner) = actuators;
    }

    fn actuator(&self, name: &str) -> Option<Arc<dyn Actuator>> {
        self.actuators.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// For a look at what each would do.
    fn all_actuators(&self) -> Actuators {
        self.actuators.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What the ends of runs have taught.
    pub async fn learned(&self) -> Learned {
        self.runs.lock().await.learned().clone()
    }

    /// All runs, as they stand now.
    pub async fn runs(&self) -> Runs {
        self.runs.lock().await.clone()
    }

    fn clients(&self) -> Clients {
        self.clients.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Runs until it is dropped: looks for the stop file and for what is due.
pub async fn watch_over(shared: Arc<Shared>) {
    hear(&shared, News::Restarted).await;
    let (began, wall) = (Instant::now(), shared.clock.now());
    let is_real = shared.clock.is_machines();
    let mut off = Span::ZERO;
    let mut told = None;
    loop {
        tokio::time::sleep(BEAT).await;
        let passed = Span::from_millis(i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX));
        let now_off = (shared.clock.now() - wall) - passed;
        let by = now_off - off;
        if is_real && (by > CLOCK_IS_SET || by < Span::ZERO - CLOCK_IS_SET) {
            off = now_off;
            hear(&shared, News::ClockSet { by }).await;
        }
        obey_stop_file(&shared).await;
        let due = shared.acting.runs.lock().await.next_due();
        let failed_at = shared.health().audit_failed_at;
        if failed_at.is_some_and(|at| is_over(&shared, at)) {
            forget_failure(&shared);
        }
        if due.is_some_and(|due| due <= shared.clock.now()) {
            hear(&shared, News::Tick).await;
        }
        told::head(&shared, &mut told).await;
    }
}

/// Stops where there is the file, and goes on where it has gone. Before anything else at a start: nothing is done in between.
pub async fn obey_stop_file(shared: &Arc<Shared>) {
    let stopped = shared.acting.runs.lock().await.stopped().map(str::to_owned);
    match (stopped.as_deref(), is_stopped_by_file(shared)) {
        (None, true) => hear(shared, News::Stop { by: BY_FILE.to_owned() }).await,
        (Some(BY_FILE), false) => hear(shared, News::Resume { by: BY_FILE.to_owned() }).await,
        _ => {}
    }
}

fn is_stopped_by_file(shared: &Shared) -> bool {
    shared.config().act.stop_file.as_deref().is_some_and(Path::exists)
}

/// What could not be written is tried again with every going-over: where that has not failed for so long, nothing is left to be written.
fn is_over(shared: &Shared, failed_at: Timestamp) -> bool {
    let is_behind = shared.acting.is_behind.load(Ordering::Acquire);
    !is_behind && shared.clock.now() - failed_at > shared.config().interval.times(3).max(FAILURE_LASTS)
}

fn forget_failure(shared: &Shared) {
    let mut health = shared.health();
    health.audit_error = None;
    health.audit_failed_at = None;
}

/// Goes through every open prediction, beside the tick and not within it: a tick may be dropped half way, a decision may not.
pub fn consider(shared: &Arc<Shared>) {
    let config = shared.config();
    let is_nothing = config.act.settings.mode == Mode::Observe && config.checks.is_empty();
    if is_nothing || shared.acting.is_considering.swap(true, Ordering::AcqRel) {
        return;
    }
    let shared = shared.clone();
    tokio::spawn(async move {
        checks::ask_all(&shared).await;
        if shared.config().act.settings.mode != Mode::Observe {
            go_through(&shared).await;
        }
        shared.acting.is_considering.store(false, Ordering::Release);
    });
}

/// The playbooks that are for each open prediction, failing check and anomaly, at the gate.
async fn go_through(shared: &Arc<Shared>) {
    for prediction in subjects::open(shared).await {
        let playbooks = known::playbooks(shared, &prediction);
        if playbooks.is_empty() {
            continue;
        }
        let (facts, around) = known::about(shared, &prediction, &playbooks).await;
        let playbooks: Vec<&Playbook> = playbooks.iter().collect();
        let known = crate::core::run::Known { prediction: &prediction, facts: &facts, around: &around };
        feed(shared, Input::Prediction { known, playbooks: &playbooks }).await;
    }
}

/// Takes in what has come.
pub async fn hear(shared: &Arc<Shared>, news: News) {
    feed(shared, news.input()).await;
}

/// One turn of the core, written down and then carried out.
async fn feed(shared: &Arc<Shared>, input: Input<'_>) {
    if shared.acting.is_broken.load(Ordering::Acquire) {
        return;
    }
    let now = shared.clock.now();
    let acts = {
        let mut runs = shared.acting.runs.lock().await;
        if shared.acting.is_behind.load(Ordering::Acquire) && !restore(shared, &mut runs).await {
            return;
        }
        let config = shared.config();
        let world = World { settings: &config.act.settings, topology: &config.act.topology };
        let turn = runs.step(now, input, world);
        if !turn.records.is_empty()
            && let Err(error) = write_down(shared, &turn.records, &runs).await
        {
            // Tried again twice a second: said once for each reason.
            let why = Some(error.to_string());
            let before = {
                let mut health = shared.health();
                health.audit_failed_at = Some(now);
                std::mem::replace(&mut health.audit_error, why.clone())
            };
            if before != why {
                tracing::error!(%error, records = turn.records.len(), "COULD NOT WRITE DOWN what was decided about a remedy: nothing of it is done");
            }
            restore(shared, &mut runs).await;
            return;
        }
        *shared.acting.stopped.lock().unwrap_or_else(PoisonError::into_inner) = runs.stopped().map(str::to_owned);
        let moves_silences =
            |record: &Record| matches!(record, Record::Silenced { .. } | Record::Unsilenced { .. } | Record::ClockSet { .. });
        if turn.records.iter().any(|entry| moves_silences(&entry.record)) {
            shared.acting.show_silences(&runs);
            // Who keeps an Alertmanager told looks again.
            shared.outbox_wake.send_replace(());
        }
        learning::mark_acted(shared, &runs, &turn.records);
        turn.acts
    };
    for act in acts {
        errand::carry_out(shared, act);
    }
}

async fn write_down(shared: &Shared, records: &[Entry], runs: &Runs) -> Result<(), LedgerError> {
    let head = shared.ledger.append_telling(records, &told::messages(shared, runs)).await?;
    *shared.acting.head.lock().unwrap_or_else(PoisonError::into_inner) = head;
    forget_failure(shared);
    shared.outbox_wake.send_replace(());
    for entry in records {
        log(entry);
        shared.metrics.acting.record(entry, entry.record.run().and_then(|run| runs.get(run)));
    }
    Ok(())
}

/// The state is what the ledger holds. Whether that could be read.
async fn restore(shared: &Shared, runs: &mut Runs) -> bool {
    let mut read = Runs::default();
    let outcome = shared.ledger.audit_records(|entry| read.apply(entry)).await;
    let was_behind = shared.acting.is_behind.swap(outcome.is_err(), Ordering::AcqRel);
    match outcome {
        Ok(()) => {
            *runs = read;
            shared.acting.show_silences(runs);
            true
        }
        Err(error) => {
            if !was_behind {
                tracing::error!(%error, "the audit can't be read: nothing is done until it can");
            }
            false
        }
    }
}

fn log(entry: &Entry) {
    let run = entry.record.run().map(|run| run.to_string()).unwrap_or_default();
    match &entry.record {
        Record::Proposed { proposal, verdict, .. } => {
            tracing::info!(run, playbook = proposal.playbook.name, on = proposal.targets.join(","), decision = ?verdict.decision, "remedy proposed");
        }
        Record::Started { what, action, .. } => {
            tracing::info!(run, step = what.step, attempt = what.attempt, undo = what.is_undo, action, "step started");
        }
        Record::Ended { what, end, note, .. } => tracing::info!(run, step = what.step, end = ?end, note, "step ended"),
        Record::Closed { outcome, why, .. } => tracing::info!(run, outcome = ?outcome, why, "remedy closed"),
        Record::Escalated { why, .. } => tracing::warn!(run, why, "a person must look"),
        Record::Stopped { by } => tracing::warn!(by, "everything is stopped"),
        Record::Resumed { by } => tracing::warn!(by, "it goes on"),
        Record::Silenced { silence } => {
            let matchers: Vec<String> = silence.matchers.iter().map(ToString::to_string).collect();
            tracing::warn!(id = %silence.id, by = silence.by, matchers = matchers.join(","), until = %silence.ends_at, "silenced");
        }
        Record::Unsilenced { silence, by } => tracing::warn!(id = %silence, by, "a silence was ended"),
        Record::Forgiven { playbook, by } => tracing::warn!(playbook, by, "how the playbook has fared so far counts no more"),
        _ => {}
    }
}
