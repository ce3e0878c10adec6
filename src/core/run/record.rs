//! What is written down, before it is done.

use std::fmt;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use super::Turnout;
use crate::core::gate::Verdict;
use crate::core::labels::Labels;
use crate::core::learn::{Case, Ranked};
use crate::core::playbook::{Answer, Playbook, StepEnd};
use crate::core::prediction::{Cause, Eta, Evidence, Prediction, PredictionId};
use crate::core::silence::own::{OwnSilence, SilenceId};
use crate::core::time::{Span, Timestamp};
use crate::core::watch::{Impact, Side};

/// Names an action for ever: the same playbook on the same targets for the same episode of the same cause is the same action, and is
/// done once.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunKey(pub u64);

impl RunKey {
    /// A prediction's id is of its watch, series, cause and the time it was raised: the episode. So is an anomaly's, and a failing check's.
    pub fn new(playbook: &Playbook, targets: &[String], episode: &PredictionId) -> Self {
        let mut sorted: Vec<&str> = targets.iter().map(String::as_str).collect();
        sorted.sort_unstable();
        sorted.dedup();
        let mut hash = Xxh3::new();
        // Lengths first, so that ("a", "bc") and ("ab", "c") differ.
        for text in [playbook.name.as_str(), episode.as_str()].into_iter().chain(sorted) {
            hash.update(&(text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        }
        hash.update(&playbook.version().to_le_bytes());
        Self(hash.digest())
    }
}

impl fmt::Display for RunKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "r{:016x}", self.0)
    }
}

impl fmt::Debug for RunKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::str::FromStr for RunKey {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.strip_prefix('r').filter(|digits| digits.len() == 16);
        digits
            .and_then(|d| u64::from_str_radix(d, 16).ok())
            .map(Self)
            .ok_or_else(|| format!("{text:?} is no run's name: want r and 16 hex digits"))
    }
}

impl Serialize for RunKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RunKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// What the prediction stood on when it was proposed to act on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Basis {
    /// Per minute.
    pub rate_of_change: f64,
    pub confidence: f64,
    pub impact: Impact,
    pub horizon: Span,
    /// When it would be reached, at 10, 50 and 90 %.
    pub eta: Eta,
    pub evidence: Vec<Evidence>,
}

impl Basis {
    fn of(prediction: &Prediction) -> Self {
        Self {
            rate_of_change: prediction.rate_of_change,
            confidence: prediction.confidence,
            impact: prediction.impact,
            horizon: prediction.horizon,
            eta: prediction.eta,
            evidence: prediction.evidence.clone(),
        }
    }

    /// Whether all of its numbers can be written down.
    fn is_finite(&self) -> bool {
        self.rate_of_change.is_finite() && self.confidence.is_finite() && self.evidence.iter().all(|evidence| evidence.value.is_finite())
    }
}

/// What would be done and why, frozen at the gate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Proposal {
    pub playbook: Playbook,
    /// Sorted, each once.
    pub targets: Vec<String>,
    pub service: String,
    pub prediction: PredictionId,
    /// A breach where an older build wrote it down.
    #[serde(default)]
    pub cause: Cause,
    pub watch: String,
    pub code: String,
    pub labels: Labels,
    pub side: Side,
    pub threshold: f64,
    /// As it was.
    pub value: f64,
    pub likelihood: f64,
    /// Who proposed it; nobody where Portent itself did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Not in what was written before there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<Basis>,
}

impl Proposal {
    pub fn new(playbook: &Playbook, prediction: &Prediction) -> Self {
        let target = playbook.target_of(&prediction.labels, &prediction.service);
        Self {
            playbook: playbook.clone(),
            targets: Some(target).filter(|target| !target.is_empty()).into_iter().collect(),
            service: prediction.service.clone(),
            prediction: prediction.id.clone(),
            cause: prediction.cause,
            watch: prediction.watch.clone(),
            code: prediction.code.clone(),
            labels: prediction.labels.clone(),
            side: prediction.side,
            threshold: prediction.threshold,
            value: prediction.current_value,
            likelihood: prediction.likelihood,
            by: None,
            // A number that can't be written down must not keep the proposal itself from being.
            basis: Some(Basis::of(prediction)).filter(Basis::is_finite),
        }
    }

    pub fn key(&self) -> RunKey {
        RunKey::new(&self.playbook, &self.targets, &self.prediction)
    }

    /// What its end will tell something about.
    pub fn case(&self) -> Case {
        Case { playbook: self.playbook.name.clone(), cause: self.code.clone(), service: self.service.clone() }
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The gate did not allow it.
    Refused,
    /// It would have begun, and was left alone by lot.
    HeldOut,
    /// It would have been done.
    Shadowed,
    /// A person said no.
    Rejected,
    /// Nobody answered in time.
    Expired,
    /// What was approved was no longer so when it was to begin; nothing was started.
    Aborted,
    /// It was done, and it helped.
    Verified,
    /// It was done, did not help, and was taken back.
    RolledBack,
    /// A person must look: it failed, could not be taken back, or nobody knows what became of it.
    Escalated,
}

impl Outcome {
    /// Whether a person must look at what this leaves behind: it may be as bad as before, or worse.
    pub fn needs_person(self) -> bool {
        matches!(self, Self::RolledBack | Self::Escalated)
    }
}

/// A step that was begun, for the person who goes on where a playbook has come to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tried {
    pub step: String,
    pub action: String,
    /// It took the step back.
    pub is_undo: bool,
    pub end: StepEnd,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
pub enum Record {
    /// A person's word is waited for until `expires_at`, where it takes one.
    Proposed {
        run: RunKey,
        proposal: Box<Proposal>,
        verdict: Verdict,
        expires_at: Timestamp,
        /// The playbooks that there were to choose from, in the order in which the gate was asked; empty where there was only this one.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        ranked: Vec<Ranked>,
    },
    Approved {
        run: RunKey,
        by: String,
        reason: String,
    },
    Rejected {
        run: RunKey,
        by: String,
        reason: String,
    },
    /// The gate has been asked again and nothing has changed: from now on it counts as begun.
    Claimed {
        run: RunKey,
        /// The check's value before anything was done.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<f64>,
    },
    Started {
        run: RunKey,
        what: Turnout,
        action: String,
    },
    Ended {
        run: RunKey,
        what: Turnout,
        action: String,
        end: StepEnd,
        note: String,
    },
    /// No report has come: whoever did it is asked.
    Lost {
        run: RunKey,
        what: Turnout,
    },
    /// All steps are done; whether it helped must show.
    Checking {
        run: RunKey,
    },
    Measured {
        run: RunKey,
        answer: Answer,
        value: Option<f64>,
    },
    /// What was done is taken back.
    Undoing {
        run: RunKey,
        step: usize,
        why: String,
    },
    Closed {
        run: RunKey,
        outcome: Outcome,
        why: String,
        /// The check's value before anything was done, and the last one after it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<f64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<f64>,
    },
    /// A person is told to look, and what was tried: the last word of a run that was begun and did not help, taken back or not.
    Escalated {
        run: RunKey,
        why: String,
        tried: Vec<Tried>,
    },
    /// Everything is stopped, or goes on.
    Stopped {
        by: String,
    },
    Resumed {
        by: String,
    },
    /// What became of a prediction that was acted upon or held out; `None` where nobody knows.
    Settled {
        prediction: PredictionId,
        breached: Option<bool>,
    },
    /// How a playbook's runs have ended so far counts no more.
    Forgiven {
        playbook: String,
        by: String,
    },
    /// A person wants to hear nothing of something, and nothing done about it.
    Silenced {
        silence: Box<OwnSilence>,
    },
    /// And does again, before the time.
    Unsilenced {
        silence: SilenceId,
        by: String,
    },
    ClockSet {
        by: Span,
    },
}

impl Record {
    /// The run it is about; `None` for what is about all of them.
    pub fn run(&self) -> Option<RunKey> {
        match self {
            Self::Proposed { run, .. }
            | Self::Approved { run, .. }
            | Self::Rejected { run, .. }
            | Self::Claimed { run, .. }
            | Self::Started { run, .. }
            | Self::Ended { run, .. }
            | Self::Lost { run, .. }
            | Self::Checking { run }
            | Self::Measured { run, .. }
            | Self::Undoing { run, .. }
            | Self::Closed { run, .. }
            | Self::Escalated { run, .. } => Some(*run),
            Self::Stopped { .. }
            | Self::Resumed { .. }
            | Self::Settled { .. }
            | Self::Forgiven { .. }
            | Self::Silenced { .. }
            | Self::Unsilenced { .. }
            | Self::ClockSet { .. } => None,
        }
    }
}

/// A record and its time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    pub at: Timestamp,
    #[serde(flatten)]
    pub record: Record,
}
