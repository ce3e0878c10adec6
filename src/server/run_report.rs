//! What the API says about remedies, as types: the server writes them, `portent approvals` reads them.

use serde::{Deserialize, Serialize};

use crate::core::gate::{Decision, Finding};
use crate::core::labels::Labels;
use crate::core::playbook::{Do, StepEnd};
use crate::core::prediction::Prediction;
use crate::core::run::{Outcome, Phase, Run, RunKey};
use crate::core::template::{Piece, Template};
use crate::core::time::Timestamp;
use crate::core::topology::Tier;

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
    /// Who proposed it; nobody where Portent itself did.
    pub proposed_by: Option<String>,
    /// Many would feel a mistake: somebody else than who proposed it must approve it.
    pub is_high_risk: bool,
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
    /// Its arguments, filled from the series' labels.
    pub with: serde_json::Value,
    /// What would take it back: its action and arguments.
    pub undo: Option<UndoReport>,
    pub end: Option<StepEnd>,
    /// How it was taken back.
    pub undone: Option<StepEnd>,
}

/// What takes a step back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UndoReport {
    pub action: String,
    pub with: serde_json::Value,
}

/// What one step would do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrialReport {
    pub name: String,
    pub action: String,
    /// How much harm its actuator can do: `none`, `low`, `high`; `None` where there is no such actuator.
    pub risk: Option<String>,
    /// In its actuator's words.
    pub would: Option<String>,
    /// Why nobody can say, or why it would fail.
    pub error: Option<String>,
}

/// All about one run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunDetail {
    pub run: RunReport,
    pub tier: Tier,
    /// Services that need this one, directly or by way of others.
    pub dependents: Vec<String>,
    /// As it is now; `None` once it has ended and been scored.
    pub prediction: Option<Prediction>,
    /// Its lines in the audit, in order.
    pub audit: Vec<serde_json::Value>,
}

/// What stands in a step's arguments, filled for people. A label that the series does not have stays as it is written, so that one sees that
/// it is missing.
fn filled(with: &serde_json::Value, labels: &Labels) -> serde_json::Value {
    use serde_json::Value;
    match with {
        Value::String(text) => {
            let is_known = |piece: &Piece| if let Piece::Label(name) = piece { labels.get(name).is_some() } else { true };
            let template = text.parse::<Template>().ok().filter(|template| template.pieces().iter().all(is_known));
            Value::String(template.map_or_else(|| text.clone(), |template| template.fill(labels)))
        }
        Value::Array(items) => items.iter().map(|item| filled(item, labels)).collect(),
        Value::Object(members) => members.iter().map(|(key, item)| (key.clone(), filled(item, labels))).collect(),
        other => other.clone(),
    }
}

fn arguments(does: &Do, labels: &Labels) -> serde_json::Value {
    filled(&serde_json::to_value(&does.with).unwrap_or_default(), labels)
}

impl RunReport {
    pub fn new(key: RunKey, run: &Run) -> Self {
        let proposal = &run.proposal;
        let steps = proposal.playbook.steps.iter().enumerate().map(|(index, step)| StepReport {
            name: step.name.clone(),
            action: step.does.action.clone(),
            with: arguments(&step.does, &proposal.labels),
            undo: step.undo.as_ref().map(|undo| UndoReport { action: undo.action.clone(), with: arguments(undo, &proposal.labels) }),
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
            proposed_by: proposal.by.clone(),
            is_high_risk: run.is_high_risk(),
            approved_by: run.approved.as_ref().map(|(by, _)| by.clone()),
            steps: steps.collect(),
            token: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn arguments_are_filled_once_and_what_is_missing_is_seen() {
        let labels = Labels::from_pairs([("pod", "a{{job}}")]).unwrap();
        let with = json!({ "run": ["/bin/x", "{{pod}}", "{{gone}} of {{pod}}", "{{"], "n": 3, "deep": [{ "a": "-{{ pod }}-" }] });
        let wanted = json!({ "run": ["/bin/x", "a{{job}}", "{{gone}} of {{pod}}", "{{"], "n": 3, "deep": [{ "a": "-a{{job}}-" }] });
        assert_eq!(filled(&with, &labels), wanted);
    }
}
