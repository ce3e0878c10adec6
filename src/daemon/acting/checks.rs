//! Health checks, asked once a tick.

use std::sync::{Arc, PoisonError};

use futures_util::future::join_all;

use super::Shared;
use crate::core::health::{Change, HealthCheck, MAX_SERIES, Probe};
use crate::core::labels::Labels;
use crate::core::prediction::Cause;
use crate::core::time::{Span, Timestamp};
use crate::outbound::probe;

/// An episode of before a restart is remembered for so long: about what is older, something new may be done.
const REMEMBER: Span = Span::DAY;

/// What each series answered; nothing where nobody could be asked.
type Answers = Vec<(Labels, Result<(), String>)>;

/// Asks all of them, each within its own time limit.
pub(super) async fn ask_all(shared: &Arc<Shared>) {
    let config = shared.config();
    if config.checks.is_empty() {
        return;
    }
    let asked = join_all(config.checks.iter().map(|check| async move { (check, ask(shared, check).await) })).await;
    let now = shared.clock.now();
    let runs = shared.acting.runs().await;
    let mut standings = shared.acting.standings.lock().unwrap_or_else(PoisonError::into_inner);
    for (check, answers) in asked {
        for (labels, answer) in answers {
            let why = answer.as_ref().err().cloned().unwrap_or_default();
            let earlier = || {
                let (episode, at) = runs.last_episode(Cause::Check, &check.name, &labels)?;
                (now - at < REMEMBER).then(|| episode.clone())
            };
            match standings.hear(check, &labels, now, answer, earlier) {
                Change::Began => tracing::warn!(check = check.name, %labels, why, failures = check.failures, "health check fails"),
                Change::Ended => tracing::info!(check = check.name, %labels, "health check is well again"),
                Change::Nothing => {}
            }
        }
    }
    standings.forget(&config.checks, now);
}

async fn ask(shared: &Arc<Shared>, check: &HealthCheck) -> Answers {
    match &check.probe {
        Probe::Http { url } => vec![(check.labels.clone(), probe::get(url, check.timeout.to_std()).await)],
        Probe::Query { source, query, healthy } => {
            let Some(client) = shared.acting.clients().get(source).cloned() else { return Vec::new() };
            let asked = client.instant(query, shared.clock.now(), None);
            let samples = match tokio::time::timeout(check.timeout.to_std(), asked).await {
                Ok(Ok(answer)) => answer.samples,
                Ok(Err(error)) => {
                    tracing::warn!(check = check.name, %error, "could not ask a health check's query: nothing is known");
                    return Vec::new();
                }
                Err(_) => {
                    tracing::warn!(check = check.name, source, "a health check's query was not answered in time: nothing is known");
                    return Vec::new();
                }
            };
            let judged = samples.into_iter().take(MAX_SERIES).filter_map(|sample| {
                let value = sample.value?;
                let answer = if healthy.holds(value) { Ok(()) } else { Err(format!("{value}, want {healthy}")) };
                Some((with(&sample.labels, &check.labels), answer))
            });
            judged.collect()
        }
    }
}

/// The check's own labels, where the series does not have them.
fn with(series: &Labels, own: &Labels) -> Labels {
    let missing = own.iter().filter(|(name, _)| series.get(name).is_none());
    let pairs = series.iter().chain(missing).map(|(name, value)| (name.to_owned(), value.to_owned()));
    // No name stands twice.
    Labels::from_pairs(pairs).unwrap_or_else(|_| series.clone())
}

/// 1 while it fails and 0 while it is well, asked now; `None` where nobody can tell.
pub(super) async fn measure(shared: &Arc<Shared>, name: &str, labels: &Labels) -> Option<f64> {
    let config = shared.config();
    let check = config.checks.iter().find(|check| check.name == name)?;
    let answers = ask(shared, check).await;
    let own = answers.into_iter().find(|(found, _)| found == labels)?.1;
    Some(f64::from(u8::from(own.is_err())))
}

/// How a check's series stands, for the gate.
pub(super) fn around(shared: &Shared, name: &str, labels: &Labels, now: Timestamp) -> Option<crate::core::gate::Around> {
    let standings = shared.acting.standings.lock().unwrap_or_else(PoisonError::into_inner);
    standings.get(name, labels.id()).map(|standing| standing.around(now))
}
