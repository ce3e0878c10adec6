//! What people ask about runs and say to them: the words of the API, from what the core and the ledger know.

use std::sync::Arc;

use super::{News, Shared, hear, known, subjects};
use crate::core::playbook::Playbook;
use crate::core::prediction::Prediction;
use crate::core::run::{Entry, Input, Known, Phase, Run, RunKey, Runs};
use crate::server::run_report::{RunDetail, RunReport};
use crate::server::{ViewError, Word};

/// Audit lines of one run that are shown: steps, tries and measurements of the longest run there can be are fewer.
const MAX_LINES: usize = 2_000;

/// A run as its report, with the token of the action while a word is waited for.
pub fn report(shared: &Shared, key: RunKey, run: &Run) -> RunReport {
    let is_waiting = matches!(run.phase, Phase::Waiting { .. });
    let token = is_waiting.then(|| shared.acting.token(key));
    RunReport { token, ..RunReport::new(key, run) }
}

/// All about one run; nothing where there never was one.
pub async fn detail(shared: &Arc<Shared>, key: RunKey) -> Result<Option<RunDetail>, ViewError> {
    let failed = |error: &dyn std::fmt::Display| ViewError(format!("read the audit: {error}"));
    let lines = shared.ledger.audit_of(&key.to_string(), MAX_LINES).await.map_err(|error| failed(&error))?;
    let known = shared.acting.runs.lock().await.get(key).cloned();
    let run = match known {
        Some(run) => run,
        // Closed so long ago that only the ledger knows it.
        None => {
            let entries: Vec<Entry> =
                lines.iter().map(|line| serde_json::from_str(line)).collect::<Result<_, _>>().map_err(|e| failed(&e))?;
            let Some(run) = Runs::restore(entries).get(key).cloned() else { return Ok(None) };
            run
        }
    };
    let audit = lines.iter().map(|line| serde_json::from_str(line)).collect::<Result<_, _>>().map_err(|error| failed(&error))?;
    let config = shared.config();
    let (topology, service) = (&config.act.topology, run.proposal.service.as_str());
    let prediction = subjects::find(shared, &run.proposal.prediction).await;
    Ok(Some(RunDetail {
        run: report(shared, key, &run),
        tier: topology.tier(service),
        dependents: topology.dependents(service).into_iter().map(str::to_owned).collect(),
        prediction,
        audit,
    }))
}

/// A person's word about a run; why it was not taken, where it was not.
pub async fn decide(shared: &Arc<Shared>, run: RunKey, word: Word) -> Result<Result<RunReport, String>, ViewError> {
    if !shared.acting.is_token(run, &word.token) {
        return Ok(Err("the token is not of this action, or of before a restart: ask for /api/v1/approvals again".to_owned()));
    }
    let Word { by, reason, is_approved, .. } = word;
    let known = shared.acting.runs.lock().await.get(run).cloned();
    let Some(known) = known.filter(|known| matches!(known.phase, Phase::Waiting { .. })) else {
        return Ok(Err("nobody waits for a word about it (any more)".to_owned()));
    };
    if let Some(objection) = known.objection_to(&by).filter(|_| is_approved) {
        return Ok(Err(objection));
    }
    // In a task of its own: who asked may hang up, and a decision is not left half way.
    let own = shared.clone();
    let heard = tokio::spawn(async move { hear(&own, News::Approval { run, by, is_approved, reason }).await });
    heard.await.map_err(|error| ViewError(error.to_string()))?;
    let runs = shared.acting.runs().await;
    match runs.get(run) {
        Some(known) if !matches!(known.phase, Phase::Waiting { .. }) => Ok(Ok(report(shared, run, known))),
        _ => Ok(Err("it could not be written down; nothing was decided".to_owned())),
    }
}

pub(super) async fn want(shared: &Arc<Shared>, prediction: &Prediction, playbook: &Playbook, by: &str) {
    let (facts, around) = known::about(shared, prediction, std::slice::from_ref(playbook)).await;
    let known = Known { prediction, facts: &facts, around: &around };
    super::feed(shared, Input::Wanted { known, playbook, by }).await;
}
