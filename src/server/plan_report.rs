//! What the API says about a playbook before anything is done: the server writes it, `portent playbooks run` reads it, and makes one of its own
//! where no daemon runs.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::run_report::RunReport;
use crate::act::{self, Actuators, Job};
use crate::core::gate::{Decision, Finding};
use crate::core::labels::Labels;
use crate::core::playbook::Playbook;
use crate::core::time::Span;

/// An actuator asks the outside for a dry run (a cluster, a name server): a step that takes longer is told to have no answer.
/// All steps are asked at once.
const DRY_RUN_TIMEOUT: Duration = Duration::from_secs(5);

/// A playbook on something, looked at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlanReport {
    pub playbook: String,
    pub about: String,
    /// What it would be about; nothing where nothing is open about such a series.
    pub prediction: Option<String>,
    pub title: Option<String>,
    pub labels: Labels,
    pub service: String,
    pub targets: Vec<String>,
    /// What the gate says; nothing where it could not be asked.
    pub decision: Option<Decision>,
    pub findings: Vec<Finding>,
    /// The same in words.
    pub reasons: Vec<String>,
    pub steps: Vec<PlannedStep>,
    /// What was proposed, where it was.
    pub run: Option<RunReport>,
    /// What a reader should know about all this.
    pub note: Option<String>,
}

/// One step, filled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlannedStep {
    pub name: String,
    pub action: String,
    /// `none`, `low`, `high`; nothing where there is no such actuator.
    pub risk: Option<String>,
    /// Whether doing it twice is as doing it once.
    pub is_idempotent: Option<bool>,
    /// Its arguments with labels filled in; as they are written where one is missing.
    pub with: serde_json::Value,
    pub timeout: Span,
    pub attempts: u32,
    pub can_be_undone: bool,
    /// What the actuator says it would do.
    pub would: Option<String>,
    /// Why it would not.
    pub refused: Option<String>,
}

/// Every step of a playbook as each actuator would carry it out. Nothing is.
pub async fn steps(playbook: &Playbook, labels: &Labels, targets: &[String], actuators: &Actuators) -> Vec<PlannedStep> {
    let planned = playbook.steps.iter().enumerate().map(|(index, step)| async move {
        let actuator = actuators.get(step.does.action.as_str());
        let with = act::fill(&step.does.with, labels).unwrap_or_else(|_| step.does.with.clone());
        let job = Job {
            id: format!("dry-run.{index}"),
            with: step.does.with.clone(),
            labels: labels.clone(),
            targets: targets.to_vec(),
            timeout: step.timeout.to_std(),
        };
        let said = match actuator {
            Some(actuator) => match tokio::time::timeout(DRY_RUN_TIMEOUT, actuator.dry_run(&job)).await {
                Ok(said) => said,
                Err(_) => Err(format!("no answer within {DRY_RUN_TIMEOUT:?}")),
            },
            None => Err(format!("there is no actuator {:?} here", step.does.action)),
        };
        let (would, refused) = match said {
            Ok(would) => (Some(would), None),
            Err(why) => (None, Some(why)),
        };
        PlannedStep {
            name: step.name.clone(),
            action: step.does.action.clone(),
            risk: actuator.map(|actuator| actuator.risk().as_str().to_owned()),
            is_idempotent: actuator.map(|actuator| actuator.is_idempotent()),
            with: serde_json::to_value(with).unwrap_or_default(),
            timeout: step.timeout,
            attempts: step.retry.attempts,
            can_be_undone: step.undo.is_some(),
            would,
            refused,
        }
    });
    futures_util::future::join_all(planned).await
}
