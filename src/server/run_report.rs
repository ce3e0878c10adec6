//! What the API says about remedies, as types: the server writes them, `portent approvals` reads them.

use serde::{Deserialize, Serialize};

use crate::core::gate::{Decision, Finding};
use crate::core::labels::Labels;
use crate::core::playbook::StepEnd;
use crate::core::run::{Outcome, Phase, Run, RunKey};
use crate::core::time::Timestamp;

/// One run at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunReport {
    pub run: String,
    pub playbook: String,
    pub about: String,
    pub targets: Vec<String>,
    pub service: String,
    pub prediction: String,
    pub watch: String,
    pub code: String,
    pub labels: Labels,
    pub value: f64,
    pub threshold: f64,
    pub likelihood: f64,
    pub proposed_at: Timestamp,
    /// `waiting`, `reading`, `ready`, `running`, `probing`, `verifying`, `closed`.
    pub phase: String,
    /// A person's word is waited for until then.
    pub expires_at: Option<Timestamp>,
    pub outcome: Option<Outcome>,
    /// Why it ended so.
    pub why: Option<String>,
    pub decision: Decision,
    /// Every check of the gate, those that stand in the way first.
    pub findings: Vec<Finding>,
    /// The same in words.
    pub reasons: Vec<String>,
    pub approved_by: Option<String>,
    pub steps: Vec<StepReport>,
    /// What an answer must carry to be about this very action; only while one is waited for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub token: Option<String>,
}

/// One step of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepReport {
    pub name: String,
    pub action: String,
    pub with: serde_json::Value,
    pub end: Option<StepEnd>,
    /// How it was taken back.
    pub undone: Option<StepEnd>,
}

impl RunReport {
    pub fn new(key: RunKey, run: &Run) -> Self {
        let proposal = &run.proposal;
        let steps = proposal.playbook.steps.iter().enumerate().map(|(index, step)| StepReport {
            name: step.name.clone(),
            action: step.does.action.clone(),
            with: serde_json::to_value(&step.does.with).unwrap_or_default(),
            end: run.ends.get(index).copied().flatten(),
            undone: run.undone.get(index).copied().flatten(),
        });
        let (expires_at, why) = match &run.phase {
            Phase::Waiting { until } => (Some(*until), None),
            Phase::Closed { why, .. } => (None, Some(why.clone())),
            _ => (None, None),
        };
        Self {
            run: key.to_string(),
            playbook: proposal.playbook.name.clone(),
            about: proposal.playbook.about.clone(),
            targets: proposal.targets.clone(),
            service: proposal.service.clone(),
            prediction: proposal.prediction.to_string(),
            watch: proposal.watch.clone(),
            code: proposal.code.clone(),
            labels: proposal.labels.clone(),
            value: proposal.value,
            threshold: proposal.threshold,
            likelihood: proposal.likelihood,
            proposed_at: run.proposed_at,
            phase: run.phase.word().to_owned(),
            expires_at,
            outcome: run.outcome(),
            why,
            decision: run.verdict.decision,
            findings: run.verdict.findings.clone(),
            reasons: run.verdict.findings.iter().map(|finding| finding.reason.to_string()).collect(),
            approved_by: run.approved.as_ref().map(|(by, _)| by.clone()),
            steps: steps.collect(),
            token: None,
        }
    }
}
