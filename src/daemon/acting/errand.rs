//! What the core asks for, done outside: steps started and asked about, targets read again, checks measured. What comes of it is news.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use super::{BEAT, News, Shared, checks, feed, hear, known, subjects};
use crate::act::{Done, Job};
use crate::core::playbook::{Do, Playbook, StepEnd, fill_query};
use crate::core::prediction::Cause;
use crate::core::run::{Act, Input, RunKey, Turnout};
use crate::core::time::Span;

/// How an actuator that hangs beyond its own time limit is waited for.
const HANGING: Duration = Duration::from_secs(20);
/// How long the first reading after a start is waited for: half of the time in which it must be known what would be acted on.
const FIRST_READING: Duration = Duration::from_secs(30);
/// How long the check's value before anything is done is waited for.
const BEFORE_WITHIN: Duration = Duration::from_secs(5);

/// In a task of its own: the outside may take its time.
pub(super) fn carry_out(shared: &Arc<Shared>, act: Act) {
    let shared = shared.clone();
    tokio::spawn(async move {
        match act {
            Act::Start { run, what, does, targets, timeout } => {
                let done = start(&shared, run, what, does, targets, timeout).await;
                hear(&shared, News::Report { run, what, done }).await;
            }
            Act::Probe { run, what, does, targets } => {
                let done = probe(&shared, run, what, does, targets).await;
                hear(&shared, News::Report { run, what, done }).await;
            }
            Act::Read { run } => read(&shared, run).await,
            Act::Measure { run, query } => {
                let measuring = || shared.acting.measuring.lock().unwrap_or_else(PoisonError::into_inner);
                // Asked for again while the answer is on its way: one is enough.
                if !measuring().insert(run) {
                    return;
                }
                let value = measure(&shared, run, query).await;
                measuring().remove(&run);
                hear(&shared, News::Measured { run, value }).await;
            }
        }
    });
}

pub(super) async fn job(shared: &Shared, run: RunKey, what: Turnout, does: &Do, targets: Vec<String>, timeout: Span) -> Option<Job> {
    let labels = shared.acting.runs.lock().await.get(run)?.proposal.labels.clone();
    let way = if what.is_undo { "undo" } else { "do" };
    Some(Job { id: format!("{run}.{}.{way}", what.step), with: does.with.clone(), labels, targets, timeout: timeout.to_std() })
}

async fn start(shared: &Shared, run: RunKey, what: Turnout, does: Do, targets: Vec<String>, timeout: Span) -> Done {
    let Some(actuator) = shared.acting.actuator(&does.action) else {
        return Done::new(StepEnd::Failed, format!("there is no actuator {:?} here", does.action));
    };
    let Some(job) = job(shared, run, what, &does, targets, timeout).await else {
        return Done::new(StepEnd::Failed, "the run is not known any more; nothing was started");
    };
    // In a task: one that panics has an end that nobody knows.
    let patience = job.timeout + HANGING;
    let started = tokio::spawn(async move { actuator.start(&job).await });
    match tokio::time::timeout(patience, started).await {
        Ok(Ok(done)) => done,
        Ok(Err(error)) => Done::new(StepEnd::Unknown, format!("the actuator failed: {error}")),
        Err(_) => Done::new(StepEnd::Unknown, "the actuator does not answer"),
    }
}

async fn probe(shared: &Shared, run: RunKey, what: Turnout, does: Do, targets: Vec<String>) -> Done {
    let actuator = shared.acting.actuator(&does.action);
    let job = job(shared, run, what, &does, targets, Span::from_secs(30)).await;
    match actuator.zip(job) {
        Some((actuator, job)) => actuator.probe(&job).await,
        None => Done::new(StepEnd::Unknown, "nobody can be asked"),
    }
}

/// What the playbook would act on now, and whether the gate still says so.
async fn read(shared: &Arc<Shared>, run: RunKey) {
    // After a restart nobody knows what is open and how fresh the data is before the first reading has ended; what a person approved
    // is not given up for that.
    let patience = Instant::now() + FIRST_READING;
    while shared.health().ticks == 0 && Instant::now() < patience {
        tokio::time::sleep(BEAT).await;
    }
    let Some(known) = shared.acting.runs.lock().await.get(run).cloned() else { return };
    let Some(prediction) = subjects::find(shared, &known.proposal.prediction).await else {
        return feed(shared, Input::Targets { run, targets: &known.proposal.targets, known: None }).await;
    };
    let playbook = known.proposal.playbook;
    let target = playbook.target_of(&prediction.labels, &prediction.service);
    let targets: Vec<String> = Some(target).filter(|target| !target.is_empty()).into_iter().collect();
    let playbooks = [playbook];
    let (facts, mut around) = known::about(shared, &prediction, &playbooks).await;
    if let [Playbook { verify: Some(check), .. }] = &playbooks {
        // A server that is slow to say how it was must not keep anybody from mending it.
        let asked = tokio::time::timeout(BEFORE_WITHIN, measure(shared, run, Some(check.query.clone()))).await;
        around.before = asked.ok().flatten();
    }
    let known = crate::core::run::Known { prediction: &prediction, facts: &facts, around: &around };
    feed(shared, Input::Targets { run, targets: &targets, known: Some(known) }).await;
}

/// The check's value now: of its query, or of the watch's own series.
async fn measure(shared: &Arc<Shared>, run: RunKey, query: Option<String>) -> Option<f64> {
    let proposal = shared.acting.runs.lock().await.get(run)?.proposal.clone();
    let client = known::client_of(shared, &proposal.watch)?;
    let filled = query.as_deref().filter(|q| !q.is_empty()).map(|query| fill_query(query, &proposal.labels));
    let text = match filled {
        Some(Ok(text)) => text,
        Some(Err(_)) => return None,
        None if proposal.cause == Cause::Check => return checks::measure(shared, &proposal.watch, &proposal.labels).await,
        None => {
            let engine = shared.engine();
            let index = engine.watch_index(&proposal.watch)?;
            if proposal.cause == Cause::Anomaly {
                return engine.find(index, proposal.labels.id()).map(|(view, _)| view.score).filter(|score| score.is_finite());
            }
            engine.watches().nth(index)?.query.clone()
        }
    };
    let answer = client.instant(&text, shared.clock.now(), Some(&proposal.watch)).await;
    let samples = answer.inspect_err(|error| tracing::warn!(%run, %error, "could not ask whether a remedy helped")).ok()?.samples;
    if query.is_some_and(|q| !q.is_empty()) {
        // One value, or nobody knows which.
        return if let [one] = &samples[..] { one.value } else { None };
    }
    samples.iter().find(|sample| sample.labels == proposal.labels)?.value
}
