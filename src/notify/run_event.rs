//! Events about remedies: what was proposed, whose word is wanted, what was started, how it ended; and the audit's head.
//!
//! Each is made of one line of the audit and lies in the outbox with it, in one transaction; its id is the line's number, so that it is made
//! once. Not every line is an event: what only the machine needs (claimed, measured) is not told, and what comes in one breath is told once.
//! A refusal is its outcome with its reasons, not a proposal and then a refusal.
//!
//! What an answer needs is never in it: an approval takes a token that only the daemon's own API gives.

use serde::{Deserialize, Serialize};

use super::event::Envelope;
use super::topic::Topic;
use crate::core::gate::{Decision, Finding};
use crate::core::labels::Labels;
use crate::core::playbook::StepEnd;
use crate::core::prediction::PredictionId;
use crate::core::run::{Basis, Entry, Outcome, Record, Run, RunKey, Tried, Turnout};
use crate::core::time::Timestamp;
use crate::core::watch::Side;

/// The JSON Schema (2020-12) of these events, for receivers and for our own tests.
pub const SCHEMA: &str = include_str!("../../schemas/run-event.schema.json");

/// Names the schema of the whole event; it gets another number when a field goes away or changes its meaning, not when one is added.
const DATA_SCHEMA: &str = "urn:portent:run-event:1";

/// Digits of a hash in an event's id: as many as tell any two chains apart.
const ID_DIGITS: usize = 16;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RunEventKind {
    /// The gate allows it, and it begins.
    #[serde(rename = "dev.portent.run.proposed")]
    Proposed,
    #[serde(rename = "dev.portent.approval.wanted")]
    Wanted,
    #[serde(rename = "dev.portent.approval.given")]
    Given,
    #[serde(rename = "dev.portent.approval.denied")]
    Denied,
    #[serde(rename = "dev.portent.approval.expired")]
    Expired,
    #[serde(rename = "dev.portent.run.step_started")]
    StepStarted,
    #[serde(rename = "dev.portent.run.step_ended")]
    StepEnded,
    /// No report of a step has come; whoever did it is asked.
    #[serde(rename = "dev.portent.run.step_lost")]
    StepLost,
    /// It did not help, and is taken back.
    #[serde(rename = "dev.portent.run.undoing")]
    Undoing,
    /// Its outcome is known.
    #[serde(rename = "dev.portent.run.closed")]
    Closed,
    /// A person must look, and is told what was tried.
    #[serde(rename = "dev.portent.run.escalated")]
    Escalated,
    #[serde(rename = "dev.portent.acting.stopped")]
    Stopped,
    #[serde(rename = "dev.portent.acting.resumed")]
    Resumed,
    #[serde(rename = "dev.portent.audit.head")]
    Head,
}

impl RunEventKind {
    /// Whether a receiver that asked for this topic gets it.
    pub fn is_about(self, topic: Topic) -> bool {
        match self {
            Self::Wanted | Self::Given | Self::Denied | Self::Expired => matches!(topic, Topic::Approval | Topic::Run),
            Self::Escalated => matches!(topic, Topic::Escalation | Topic::Run),
            Self::Head => topic == Topic::Audit,
            _ => topic == Topic::Run,
        }
    }

    /// What a line of the audit is worth telling as.
    fn of(record: &Record) -> Option<Self> {
        Some(match record {
            Record::Proposed { verdict, .. } => match verdict.decision {
                Decision::Allow => Self::Proposed,
                Decision::Ask => Self::Wanted,
                // Its outcome comes in the same breath.
                Decision::Deny | Decision::Shadow => return None,
            },
            Record::Approved { .. } => Self::Given,
            Record::Rejected { .. } => Self::Denied,
            Record::Started { .. } => Self::StepStarted,
            Record::Ended { .. } => Self::StepEnded,
            Record::Lost { .. } => Self::StepLost,
            Record::Undoing { .. } => Self::Undoing,
            // The denial was told by whoever denied.
            Record::Closed { outcome: Outcome::Rejected, .. } => return None,
            Record::Closed { outcome: Outcome::Expired, .. } => Self::Expired,
            Record::Closed { .. } => Self::Closed,
            Record::Escalated { .. } => Self::Escalated,
            Record::Stopped { .. } => Self::Stopped,
            Record::Resumed { .. } => Self::Resumed,
            Record::Claimed { .. }
            | Record::Checking { .. }
            | Record::Measured { .. }
            | Record::Settled { .. }
            | Record::Forgiven { .. }
            | Record::Silenced { .. }
            | Record::Unsilenced { .. }
            | Record::ClockSet { .. } => return None,
        })
    }
}

/// A line's place in the audit: each event is an anchor for all lines before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    pub line: u64,
    pub hash: String,
}

impl Anchor {
    /// As `portent audit verify --head` takes it.
    pub fn head(&self) -> String {
        format!("{}:{}", self.line, self.hash)
    }
}

/// A run, and what just happened to it. What does not belong to this event is null.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunData {
    pub run: RunKey,
    pub playbook: String,
    pub about: String,
    pub targets: Vec<String>,
    pub service: String,
    pub prediction: PredictionId,
    pub watch: String,
    pub code: String,
    pub labels: Labels,
    pub side: Side,
    pub threshold: f64,
    /// At the proposal.
    pub value: f64,
    pub likelihood: f64,
    /// What the prediction stood on then.
    pub basis: Option<Basis>,
    pub proposed_at: Timestamp,
    pub decision: Decision,
    /// Every check of the gate with its numbers, those that stand in the way first.
    pub findings: Vec<Finding>,
    /// The same in words.
    pub reasons: Vec<String>,
    /// Until when a person's word is waited for, and where it can be said.
    pub expires_at: Option<Timestamp>,
    pub approvals_url: Option<String>,
    /// Whose word it was, or who proposed it where Portent itself did not.
    pub by: Option<String>,
    pub step: Option<StepData>,
    pub outcome: Option<Outcome>,
    /// Why it ended so, is taken back, or was approved or denied.
    pub why: Option<String>,
    /// The check's value before anything was done, and the last one after it.
    pub before: Option<f64>,
    pub after: Option<f64>,
    /// Each step that was begun and how it ended, then what took them back; for who goes on from there.
    pub tried: Option<Vec<Tried>>,
    pub audit: Anchor,
}

/// One try of one step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepData {
    pub name: String,
    pub action: String,
    /// From 1.
    pub number: usize,
    pub attempt: u32,
    /// It takes the step back.
    pub is_undo: bool,
    pub end: Option<StepEnd>,
    /// What it said at its end.
    pub note: Option<String>,
}

/// Everything is stopped, or goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwitchData {
    pub by: String,
    pub audit: Anchor,
}

/// The audit's newest line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeadData {
    pub lines: u64,
    pub hash: String,
    /// As `portent audit verify --head` takes it.
    pub head: String,
}

/// One event, encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    pub kind: RunEventKind,
    pub event_id: String,
    pub body: Vec<u8>,
}

/// The event of one line of the audit, if it is worth one. `run` is the run after it, `approvals_url` where people can say their word.
pub fn of_line(entry: &Entry, run: Option<&Run>, audit: Anchor, approvals_url: Option<&str>) -> Option<Told> {
    let kind = RunEventKind::of(&entry.record)?;
    if let Record::Stopped { by } | Record::Resumed { by } = &entry.record {
        let event_id = format!("acting.{}", audit.line);
        return Some(told(kind, event_id, ("/portent/acting", "acting"), entry.at, SwitchData { by: by.clone(), audit }));
    }
    let (key, run) = (entry.record.run()?, run?);
    let (event_id, subject) = (format!("{key}.{}", audit.line), key.to_string());
    Some(told(kind, event_id, ("/portent/runs", &subject), entry.at, data(key, run, &entry.record, audit, approvals_url)))
}

/// The event that anchors the audit's head.
pub fn of_head(at: Timestamp, audit: &Anchor) -> Told {
    let data = HeadData { lines: audit.line, hash: audit.hash.clone(), head: audit.head() };
    let digits = audit.hash.get(..ID_DIGITS).unwrap_or(&audit.hash);
    told(RunEventKind::Head, format!("audit.{}.{digits}", audit.line), ("/portent/audit", "audit"), at, data)
}

fn told(kind: RunEventKind, id: String, (source, subject): (&str, &str), time: Timestamp, data: impl Serialize) -> Told {
    let event = Envelope {
        specversion: "1.0".to_owned(),
        id,
        source: source.to_owned(),
        kind,
        subject: subject.to_owned(),
        time,
        datacontenttype: "application/json".to_owned(),
        dataschema: DATA_SCHEMA.to_owned(),
        data,
    };
    Told { kind, body: event.body(), event_id: event.id }
}

fn data(key: RunKey, run: &Run, record: &Record, audit: Anchor, approvals_url: Option<&str>) -> RunData {
    let proposal = &run.proposal;
    let mut data = RunData {
        run: key,
        playbook: proposal.playbook.name.clone(),
        about: proposal.playbook.about.clone(),
        targets: proposal.targets.clone(),
        service: proposal.service.clone(),
        prediction: proposal.prediction.clone(),
        watch: proposal.watch.clone(),
        code: proposal.code.clone(),
        labels: proposal.labels.clone(),
        side: proposal.side,
        threshold: proposal.threshold,
        value: proposal.value,
        likelihood: proposal.likelihood,
        basis: proposal.basis.clone(),
        proposed_at: run.proposed_at,
        decision: run.verdict.decision,
        findings: run.verdict.findings.clone(),
        reasons: run.verdict.findings.iter().map(|finding| finding.reason.to_string()).collect(),
        expires_at: None,
        approvals_url: None,
        by: None,
        step: None,
        outcome: None,
        why: None,
        before: run.before,
        after: run.after,
        tried: None,
        audit,
    };
    let step = |what: Turnout, action: &str| StepData {
        name: run.step(what.step).map(|step| step.name.clone()).unwrap_or_default(),
        action: action.to_owned(),
        number: what.step + 1,
        attempt: what.attempt,
        is_undo: what.is_undo,
        end: None,
        note: None,
    };
    match record {
        Record::Proposed { expires_at, verdict, .. } if verdict.decision == Decision::Ask => {
            (data.expires_at, data.approvals_url) = (Some(*expires_at), approvals_url.map(str::to_owned));
            data.by.clone_from(&proposal.by);
        }
        Record::Approved { by, reason, .. } | Record::Rejected { by, reason, .. } => {
            (data.by, data.why) = (Some(by.clone()), Some(reason.clone()));
        }
        Record::Started { what, action, .. } => data.step = Some(step(*what, action)),
        Record::Ended { what, action, end, note, .. } => {
            data.step = Some(StepData { end: Some(*end), note: Some(note.clone()), ..step(*what, action) });
        }
        Record::Lost { what, .. } => {
            let action = run.step(what.step).map(|step| if what.is_undo { step.undo.as_ref() } else { Some(&step.does) });
            let action = action.flatten().map(|does| does.action.as_str()).unwrap_or_default();
            data.step = Some(step(*what, action));
        }
        Record::Undoing { why, .. } => data.why = Some(why.clone()),
        Record::Closed { outcome, why, .. } => (data.outcome, data.why) = (Some(*outcome), Some(why.clone())),
        Record::Escalated { why, tried, .. } => {
            (data.outcome, data.why, data.tried) = (run.outcome(), Some(why.clone()), Some(tried.clone()));
        }
        _ => {}
    }
    data
}

#[cfg(test)]
mod tests;
