//! What each step of a run would do, asked of its actuator at this moment: for whoever has to say yes or no. Nothing is done.
//!
//! Asked freshly and never kept: between the proposal and the answer lie minutes, and a diff of before is a diff of something else.

use std::sync::Arc;
use std::time::Duration;

use super::Shared;
use crate::act::Risk;
use crate::core::playbook::Step;
use crate::core::run::{RunKey, Turnout};
use crate::server::run_report::TrialReport;

/// One step's answer. Below the ten seconds that the HTTP server gives a request; all steps are asked at once.
const STEP_TIMEOUT: Duration = Duration::from_secs(6);
/// Trials at once: each may ask an API server or resolve a name for every step.
pub const MAX_TRIALS: usize = 4;

/// One report a step, or why there is none.
pub async fn of(shared: &Arc<Shared>, run: RunKey) -> Result<Vec<TrialReport>, String> {
    let Ok(_turn) = shared.acting.trying.try_acquire() else { return Err("too many are being tried already; try again".to_owned()) };
    let known = shared.acting.runs.lock().await.get(run).cloned().filter(|run| !run.is_closed());
    let Some(known) = known else { return Err("it is over, or was never there".to_owned()) };
    let targets = known.proposal.targets;
    let steps = known.proposal.playbook.steps;
    let trials = steps.iter().enumerate().map(|(index, step)| one(shared, run, index, step, targets.clone()));
    Ok(futures_util::future::join_all(trials).await)
}

async fn one(shared: &Arc<Shared>, run: RunKey, index: usize, step: &Step, targets: Vec<String>) -> TrialReport {
    let actuator = shared.acting.actuator(&step.does.action);
    let risk = actuator.as_ref().map(|actuator| match actuator.risk() {
        Risk::None => "none",
        Risk::Low => "low",
        Risk::High => "high",
    });
    let what = Turnout { step: index, attempt: 1, is_undo: false };
    let job = super::errand::job(shared, run, what, &step.does, targets, step.timeout).await;
    let said = match actuator.zip(job) {
        None => Err(format!("there is no actuator {:?} here", step.does.action)),
        // In a task of its own: one that panics spoils no other step's answer.
        Some((actuator, job)) => {
            match tokio::time::timeout(STEP_TIMEOUT, tokio::spawn(async move { actuator.dry_run(&job).await })).await {
                Ok(Ok(said)) => said,
                Ok(Err(error)) => Err(format!("the actuator failed: {error}")),
                Err(_) => Err(format!("no answer within {} s", STEP_TIMEOUT.as_secs())),
            }
        }
    };
    let (would, error) = match said {
        Ok(would) => (Some(would), None),
        Err(why) => (None, Some(why)),
    };
    TrialReport { name: step.name.clone(), action: step.does.action.clone(), risk: risk.map(str::to_owned), would, error }
}
