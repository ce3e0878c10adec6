//! What the API says, as types: the server writes them, `portent status` and `portent predictions` read them.
//!
//! Numbers that may be missing are options and become `null`: JSON has no NaN, and a zero would be a lie.

use serde::{Deserialize, Serialize};

use super::access::Deed;
use crate::core::access::Role;
use crate::core::engine::Tally;
use crate::core::labels::Labels;
use crate::core::prediction::Eta;
use crate::core::time::Timestamp;
use crate::core::watch::Side;

/// What every answer under `/api/v1` is wrapped in, as in Prometheus' API (<https://prometheus.io/docs/prometheus/latest/querying/api/>).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Envelope<T> {
    pub status: Outcome,
    #[serde(skip_serializing_if = "Option::is_none", default = "nothing")]
    pub data: Option<T>,
    /// There is more than the page holds: ask with a larger `limit`, or with `offset` where there is one.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub more: bool,
    /// A stable word for programs: `bad_data`, `not_found`, `forbidden`, `busy`, ...
    #[serde(rename = "errorType", skip_serializing_if = "Option::is_none", default)]
    pub error_type: Option<String>,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<String>,
}

fn nothing<T>() -> Option<T> {
    None
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Success,
    Error,
}

/// Who asks, and what they may do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginReport {
    /// Whether there are logins at all.
    pub logins: bool,
    pub name: Option<String>,
    pub role: Option<Role>,
    pub may: Vec<Deed>,
}

/// Whether predictions can be relied on now, and every reason why not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readiness {
    pub ready: bool,
    pub reasons: Vec<String>,
}

impl Readiness {
    /// Ready exactly when there is no reason against it.
    pub fn unless(reasons: Vec<String>) -> Self {
        Self { ready: reasons.is_empty(), reasons }
    }
}

/// The daemon at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StatusReport {
    pub version: String,
    pub started_at: Timestamp,
    /// By the daemon's clock, which in a demo is not the reader's.
    pub now: Timestamp,
    pub uptime_s: f64,
    /// What the daemon may do about a prediction: `observe`, ...
    pub mode: String,
    /// Who has stopped everything; nothing is started then.
    #[serde(default)]
    pub stopped_by: Option<String>,
    pub readiness: Readiness,
    pub sources: Vec<SourceReport>,
    pub watches: Vec<WatchReport>,
    pub counts: Counts,
    #[serde(default)]
    pub calibration: CalibrationReport,
    pub storage: StorageReport,
    /// Every fault of the playbook files that are not used, each with its place.
    #[serde(default)]
    pub playbooks_refused: Vec<String>,
    /// Bytes in RAM; `None` where the system does not say.
    pub resident_memory_bytes: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SourceReport {
    pub name: String,
    /// Without credentials.
    pub url: String,
    pub up: bool,
    pub last_success: Option<Timestamp>,
    /// The last error, also when requests have succeeded since: compare `up`.
    pub last_error: Option<String>,
    /// How far the newest sample lies behind now.
    pub lag_s: Option<f64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WatchReport {
    pub name: String,
    pub source: String,
    /// How many series it watches.
    pub series: usize,
    pub last_sample: Option<Timestamp>,
    pub last_error: Option<String>,
    pub state: WatchState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WatchState {
    /// No answer yet.
    Starting,
    /// No series has the history yet that its watch demands.
    Learning,
    Watching,
    /// The query answers, with nothing.
    NoSeries,
    /// The last query failed.
    Failing,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    pub series: usize,
    pub predictions_open: usize,
    pub anomalies_open: usize,
    pub webhooks_pending: usize,
    pub ticks: u64,
}

/// Whether what was said came: over all likelihoods and intervals whose truth is known, raised or not. `None` before the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CalibrationReport {
    pub likelihoods_settled: u64,
    /// Mean of the likelihoods said, and share that was followed by a breach: the same, where a stated 80 % means 80 %.
    pub said: Option<f64>,
    pub came_true: Option<f64>,
    /// Mean squared distance of the two, 0 at best.
    pub brier: Option<f64>,
    pub intervals_settled: u64,
    /// Shares of later values inside the 80 % and the 95 % interval.
    pub coverage_80: Option<f64>,
    pub coverage_95: Option<f64>,
}

impl From<&Tally> for CalibrationReport {
    fn from(tally: &Tally) -> Self {
        let settled = tally.settled();
        let share = |sum: f64| (settled > 0).then(|| sum / settled as f64);
        Self {
            likelihoods_settled: settled,
            said: share(tally.likelihoods.iter().map(|bin| bin.said).sum()),
            came_true: share(tally.likelihoods.iter().map(|bin| bin.came_true as f64).sum()),
            brier: tally.brier(),
            intervals_settled: tally.intervals[0].iter().map(|kept| kept.count).sum(),
            coverage_80: tally.coverage(0),
            coverage_95: tally.coverage(1),
        }
    }
}

/// What lies on disk. `None`: kept in memory, or not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StorageReport {
    pub store_bytes: Option<u64>,
    pub ledger_bytes: Option<u64>,
    pub last_checkpoint: Option<Timestamp>,
}

/// One series as one watch sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeriesReport {
    pub watch: String,
    pub labels: Labels,
    /// The fingerprint of the labels, in hex.
    pub id: String,
    /// The last value and its time.
    pub value: Option<f64>,
    pub at: Option<Timestamp>,
    /// What would be normal at that time, and the band that charts draw: the watch's `sigma` wide. Anomalies do not go by it.
    pub expected: Option<f64>,
    pub lower: Option<f64>,
    pub upper: Option<f64>,
    /// How odd the last sample is; 1.0 is reached as often as the watch's `false_alarms` says.
    pub score: Option<f64>,
    /// Standard deviation over the baseline's window.
    pub sigma: Option<f64>,
    /// Mean over the baseline's window.
    pub mean: Option<f64>,
    /// Per minute.
    pub rate_of_change: Option<f64>,
    /// Probability of a breach within the horizon; `None` where the watch has no threshold or says nothing yet.
    pub likelihood: Option<f64>,
    pub eta: Eta,
    pub threshold: Option<f64>,
    pub side: Option<Side>,
    pub history_s: f64,
    pub state: SeriesState,
    /// Name of the profile that it has now.
    pub profile: String,
    /// Siblings that a young series has `expected`, `lower` and `upper` from; 0 where they are its own.
    pub inherited_from: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SeriesState {
    /// Too little history to say anything.
    Learning,
    Normal,
    /// An anomaly is under way.
    Anomalous,
    /// A prediction is open.
    Predicted,
    /// At or past its threshold now.
    Breached,
    /// No samples of late.
    Stale,
}

/// A number that JSON can hold: `None` for NaN and infinities.
pub fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}
