//! A playbook that a person asks for: looked at, or handed to the gate as any other.
//!
//! There is no way around the gate here. A person may choose the playbook; what it is about must be open, the gate must allow it or ask, and it is
//! written down before it begins.

use std::sync::Arc;

use super::{Shared, known, people, subjects};
use crate::core::labels::Labels;
use crate::core::playbook::Playbook;
use crate::core::prediction::{Cause, Eta, Prediction, PredictionId, State};
use crate::core::run::{Known, Proposal, World};
use crate::core::time::{Span, Timestamp};
use crate::core::watch::{Impact, Side};
use crate::server::plan_report::{PlanReport, steps};
use crate::server::run_report::RunReport;
use crate::server::{PlaybookAsk, Subject};

/// Of what is open several are named in an answer, so that the next question can be narrower.
const MAX_NAMED: usize = 5;

/// What was asked for, or why it can't be had.
pub async fn ask(shared: &Arc<Shared>, ask: PlaybookAsk) -> Result<PlanReport, String> {
    let PlaybookAsk { playbook: name, subject, by, is_dry } = ask;
    let config = shared.config();
    let playbook = config.playbooks.iter().find(|playbook| playbook.name == name);
    let playbook = playbook.ok_or_else(|| format!("there is no playbook {name:?}, or its file was refused"))?;
    let open = subjects::open(shared).await;
    let nothing =
        "nothing is open about a series with these labels, and a playbook is run about a prediction, an anomaly or a failing check";
    let (prediction, is_about_something) = match subject {
        Subject::Open(id) => {
            (open.into_iter().find(|open| open.id.as_str() == id).ok_or_else(|| format!("nothing is open as {id:?}"))?, true)
        }
        Subject::Series(on) => match only(open, &on)? {
            Some(one) => (one, true),
            None if is_dry => (nobody(&on, shared.clock.now()), false),
            None => return Err(format!("{nothing}: {on}")),
        },
    };
    if !is_dry {
        hand_in(shared, playbook, &prediction, &by).await?;
    }
    let playbooks = [playbook.clone()];
    let (facts, around) = known::about(shared, &prediction, &playbooks).await;
    let known = Known { prediction: &prediction, facts: &facts, around: &around };
    let world = World { settings: &config.act.settings, topology: &config.act.topology };
    let runs = shared.acting.runs().await;
    let (proposal, verdict) = runs.look(shared.clock.now(), known, playbook, world);
    let run = runs.get(proposal.key()).map(|run| RunReport::new(proposal.key(), run));
    // What was decided then, where something was: the run itself would now stand in its own way.
    let verdict = match runs.get(proposal.key()) {
        Some(run) if !is_dry => run.verdict.clone(),
        _ => verdict,
    };
    let actuators = shared.acting.all_actuators();
    Ok(PlanReport {
        playbook: playbook.name.clone(),
        about: playbook.about.clone(),
        prediction: is_about_something.then(|| prediction.id.to_string()),
        title: is_about_something.then(|| prediction.title.clone()),
        labels: prediction.labels.clone(),
        service: prediction.service.clone(),
        steps: steps(playbook, &prediction.labels, &proposal.targets, &actuators).await,
        targets: proposal.targets,
        decision: Some(verdict.decision),
        reasons: verdict.findings.iter().map(|finding| finding.reason.to_string()).collect(),
        findings: verdict.findings,
        run,
        note: (!is_about_something).then(|| nothing.to_owned()),
    })
}

/// The one that is open about a series with these labels; nothing where there is none.
fn only(open: Vec<Prediction>, on: &Labels) -> Result<Option<Prediction>, String> {
    let fits = |prediction: &Prediction| on.iter().all(|(label, value)| prediction.labels.get(label) == Some(value));
    let mut found: Vec<Prediction> = open.into_iter().filter(fits).collect();
    if found.len() > 1 {
        let names: Vec<String> = found.iter().take(MAX_NAMED).map(|p| format!("{} {} ({})", p.watch, p.labels, p.id)).collect();
        return Err(format!("{} are open about series with {on}: {}; say more labels, or which by its id", found.len(), names.join(", ")));
    }
    Ok(found.pop())
}

/// Through the same door as every proposal.
async fn hand_in(shared: &Arc<Shared>, playbook: &Playbook, prediction: &Prediction, by: &str) -> Result<(), String> {
    let chosen = std::slice::from_ref(&playbook.name);
    if !playbook.is_for_cause(prediction.cause, &prediction.watch, &prediction.code, chosen, &prediction.labels) {
        return Err(format!("{} is not for this: it is off, or its own `when` names other labels or another kind of cause", playbook.name));
    }
    let key = Proposal::new(playbook, prediction).key();
    let mode = shared.config().act.settings.mode;
    if let Some(hindrance) = shared.acting.runs().await.hindrance(key, prediction, mode) {
        return Err(hindrance);
    }
    tracing::info!(playbook = playbook.name, on = %prediction.labels, by, "a person asks for a playbook");
    people::want(shared, prediction, playbook, by).await;
    match shared.acting.runs().await.get(key) {
        Some(_) => Ok(()),
        None => Err("it could not be written down, or too much waits already; nothing was proposed".to_owned()),
    }
}

/// A prediction of nothing, for a look at a playbook: the gate refuses it, and says all it would have to know.
fn nobody(on: &Labels, now: Timestamp) -> Prediction {
    let service = on.get("service").or_else(|| on.get("job")).or_else(|| on.get("instance")).unwrap_or("");
    Prediction {
        id: PredictionId::new("", on.id(), Cause::Breach, now),
        watch: String::new(),
        code: String::new(),
        title: String::new(),
        labels: on.clone(),
        service: service.to_owned(),
        cause: Cause::Breach,
        state: State::Open,
        raised_at: now,
        updated_at: now,
        ended_at: None,
        ended_because: None,
        revision: 0,
        current_value: f64::NAN,
        predicted_value: None,
        rate_of_change: f64::NAN,
        side: Side::Above,
        threshold: f64::NAN,
        likelihood: 0.0,
        confidence: 0.0,
        impact: Impact::Low,
        eta: Eta::default(),
        predicted_threshold_time: None,
        horizon: Span::ZERO,
        evidence: Vec::new(),
        suggested_playbooks: Vec::new(),
        incident: None,
        chart_url: None,
        truth: None,
    }
}
