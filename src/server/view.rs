//! The port through which the server sees the daemon: what it may ask, never how it is answered.
//!
//! A trait and not the daemon itself, so that the server can be tested over real sockets with a view that fails, hangs or panics on demand.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::plan_report::PlanReport;
use super::report::{Readiness, SeriesReport, StatusReport};
use super::run_report::{RunDetail, RunReport, TrialReport};
use super::silence_report::{PredictionReport, SilenceReport};
use crate::core::access::Access;
use crate::core::anomaly::Anomaly;
use crate::core::explain::Explanation;
use crate::core::labels::Labels;
use crate::core::learn::Stats;
use crate::core::prediction::State;
use crate::core::run::RunKey;
use crate::core::silence::own::{SilenceError, SilenceId, Wish};
use crate::core::time::Timestamp;
use crate::source::replay::Selector;

/// A question could not be answered; the text goes to the client, so it holds no secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ViewError(pub String);

/// Which predictions. Every condition that is given must hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PredictionFilter {
    pub state: Option<State>,
    /// Exactly this watch.
    pub watch: Option<String>,
    /// Updated at or after this time.
    pub since: Option<Timestamp>,
    /// At most so many, the most recently raised first.
    pub limit: usize,
}

/// Which series, in a stable order (by watch, then as the watch holds them), so that pages fit together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SeriesFilter {
    pub watch: Option<String>,
    pub offset: usize,
    pub limit: usize,
}

/// Which series to explain; all conditions that are given must hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExplainFilter {
    pub watch: Option<String>,
    /// Every series without it.
    pub selector: Option<Selector>,
    pub limit: usize,
}

/// Which anomalies, the most recently begun first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AnomalyFilter {
    pub watch: Option<String>,
    /// Not over before this time; one that goes on is never over.
    pub since: Option<Timestamp>,
    pub limit: usize,
}

/// A person's word about one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    pub by: String,
    pub reason: String,
    pub is_approved: bool,
    pub token: String,
}

/// What a person wants a playbook for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// What is open about the series with these labels.
    Series(Labels),
    /// What is open under this id.
    Open(String),
}

/// A playbook that a person asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaybookAsk {
    pub playbook: String,
    pub subject: Subject,
    pub by: String,
    /// Nothing is proposed.
    pub is_dry: bool,
}

/// What the server shows. The answers without a future come from memory at once; the others may wait for the ledger.
///
/// A filter's `limit` binds: the server asks for one more than it shows, to know whether there is more.
pub trait View: Send + Sync + 'static {
    /// Whether the process is worth keeping: false means that a restart would help.
    fn healthy(&self) -> bool;
    /// Who may reach it, as the configuration says now.
    fn access(&self) -> Arc<Access>;
    fn ready(&self) -> Readiness;
    fn status(&self) -> StatusReport;
    fn predictions(&self, filter: PredictionFilter) -> BoxFuture<'_, Result<Vec<PredictionReport>, ViewError>>;
    fn series(&self, filter: SeriesFilter) -> BoxFuture<'_, Result<Vec<SeriesReport>, ViewError>>;
    fn explain(&self, filter: ExplainFilter) -> BoxFuture<'_, Result<Vec<Explanation>, ViewError>>;
    fn anomalies(&self, filter: AnomalyFilter) -> BoxFuture<'_, Result<Vec<Anomaly>, ViewError>>;
    /// Runs: all that are known, or only those that wait for a person's word, with their tokens.
    fn runs(&self, only_waiting: bool) -> BoxFuture<'_, Result<Vec<RunReport>, ViewError>>;
    /// All about one run; nothing where there never was one.
    fn run(&self, run: RunKey) -> BoxFuture<'_, Result<Option<RunDetail>, ViewError>>;
    /// What each step would do, asked now; why nobody can say, where nobody can.
    fn dry_run(&self, run: RunKey) -> BoxFuture<'_, Result<Vec<TrialReport>, String>>;
    /// A person's word about a run; why it was not taken, where it was not.
    fn decide(&self, run: RunKey, word: Word) -> BoxFuture<'_, Result<Result<RunReport, String>, ViewError>>;
    /// A playbook looked at, or handed to the gate; why not, where that can't be.
    fn playbook(&self, ask: PlaybookAsk) -> BoxFuture<'_, Result<Result<PlanReport, String>, ViewError>>;
    /// Silences of our own: those in force, those to come, those that are over since not long ago.
    fn silences(&self) -> Vec<SilenceReport>;
    /// Makes one.
    fn silence(&self, wish: Wish) -> BoxFuture<'_, Result<Result<SilenceReport, SilenceError>, ViewError>>;
    /// Ends one before its time.
    fn unsilence(&self, id: SilenceId, by: String) -> BoxFuture<'_, Result<Result<SilenceReport, SilenceError>, ViewError>>;
    /// Nothing more is started, or it goes on; who has stopped everything afterwards.
    fn stop(&self, by: String, is_stopped: bool) -> BoxFuture<'_, Result<Option<String>, ViewError>>;
    /// What the ends of runs have taught.
    fn learned(&self) -> BoxFuture<'_, Result<Stats, ViewError>>;
    /// A person trusts a playbook again; `None` where there is no such playbook.
    fn forgive(&self, playbook: String, by: String) -> BoxFuture<'_, Result<Option<Stats>, ViewError>>;
    /// Reads the configuration again. On an error the old one stays, and the text says why. Never cancelled half way: the server lets it
    /// end even when its client has gone.
    fn reload(&self) -> BoxFuture<'_, Result<(), String>>;
}
