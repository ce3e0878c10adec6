//! What is about to happen: the value that every surface shows, from the log line to the webhook.

use std::fmt;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use super::labels::{Labels, SeriesId};
use super::playbook::Suggestion;
use super::time::{Span, Timestamp};
use super::watch::{Impact, Side};

/// A prediction's name for ever: a function of watch, series, cause and the time it was raised, so that an engine that went over the same
/// samples again (after a crash, in a backtest) gives the same id and nobody hears of it twice.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PredictionId(pub String);

impl PredictionId {
    pub fn new(watch: &str, series: SeriesId, cause: Cause, raised_at: Timestamp) -> Self {
        let mut hash = Xxh3::new();
        hash.update(watch.as_bytes());
        hash.update(&[0, cause as u8]);
        hash.update(&series.0.to_le_bytes());
        hash.update(&raised_at.as_millis().to_le_bytes());
        Self(format!("p{:016x}", hash.digest()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PredictionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for PredictionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why something is predicted, or what has begun. One is open at most per (watch, series, cause).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The series is going to be at or past its threshold.
    #[default]
    Breach,
    /// The series is not normal. Not predicted but observed: for playbooks only, and nobody is told a prediction.
    Anomaly,
    /// A health check fails; observed, too.
    Check,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Open,
    /// It came true, or the signs went away.
    Resolved,
    /// The horizon passed without a breach.
    Expired,
}

/// What became of it, known only afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Truth {
    /// Breached at `at`, within the horizon: `lead_time_s` seconds after the prediction was raised.
    CameTrue { at: Timestamp, lead_time_s: f64 },
    /// The horizon passed with enough samples and without a breach.
    DidNot,
    /// Something was done about it. Whether that kept it from happening nobody knows, so it counts neither as right nor as wrong; where it
    /// happened all the same, at `breached_at`, it counts no more, or only failures would.
    Averted { breached_at: Option<Timestamp> },
    /// Too few samples to tell.
    NotKnown,
}

impl Truth {
    /// The same of a prediction that something was done about; not known it is in any case.
    #[must_use]
    pub fn acted_upon(self) -> Self {
        match self {
            Self::CameTrue { at, .. } => Self::Averted { breached_at: Some(at) },
            Self::DidNot => Self::Averted { breached_at: None },
            other => other,
        }
    }
}

/// When, at three quantiles; `None` where that quantile lies past the horizon.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Eta {
    pub p10: Option<Timestamp>,
    pub p50: Option<Timestamp>,
    pub p90: Option<Timestamp>,
}

/// One reason with its number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Stable name: `trend`, `season`, `anomaly`, `past_errors`, `history`, `reset`, `check`.
    pub kind: String,
    /// For people.
    pub text: String,
    pub value: f64,
}

/// What will break, whose, when, how surely, how bad, why, and what would help. Serialized as it stands into the API, the ledger and the
/// webhook's `data`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    pub id: PredictionId,
    pub watch: String,
    pub code: String,
    pub title: String,
    pub labels: Labels,
    pub service: String,
    pub cause: Cause,
    pub state: State,
    pub raised_at: Timestamp,
    /// Time of the last sample that this value has seen.
    pub updated_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    /// Why it ended, for people.
    pub ended_because: Option<String>,
    /// One more with every event about this prediction: 0 for raised.
    pub revision: u32,
    pub current_value: f64,
    /// The worst value of the forecast's median path within the horizon; `None` where there is no forecast, or it says no number.
    #[serde(default)]
    pub predicted_value: Option<f64>,
    /// Per minute.
    pub rate_of_change: f64,
    pub side: Side,
    pub threshold: f64,
    /// Calibrated probability of a breach within the horizon, [0, 1]; 1 for what is observed.
    pub likelihood: f64,
    /// How much evidence stands behind the likelihood, [0, 1].
    pub confidence: f64,
    pub impact: Impact,
    pub eta: Eta,
    /// The single best time: the median path's crossing, or the ETA's median.
    pub predicted_threshold_time: Option<Timestamp>,
    pub horizon: Span,
    pub evidence: Vec<Evidence>,
    pub suggested_playbooks: Vec<Suggestion>,
    pub incident: Option<String>,
    pub chart_url: Option<String>,
    pub truth: Option<Truth>,
}

impl Evidence {
    /// An anomaly under way, with its score.
    pub const ANOMALY: &'static str = "anomaly";
    /// A health check, with its failures in a row.
    pub const CHECK: &'static str = "check";
}

impl Prediction {
    /// The truth is known at the latest when this time has passed.
    pub fn due_at(&self) -> Timestamp {
        self.raised_at + self.horizon
    }

    /// The number of the first evidence of a kind.
    pub fn evidence_of(&self, kind: &str) -> Option<f64> {
        self.evidence.iter().find(|evidence| evidence.kind == kind).map(|evidence| evidence.value)
    }

    pub fn series(&self) -> SeriesId {
        self.labels.id()
    }
}
