//! What is known about a prediction at this moment, for the gate.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Shared, checks, silences};
use crate::core::gate::Around;
use crate::core::playbook::{Facts, Field, Playbook, fill_query};
use crate::core::prediction::{Cause, Prediction, PredictionId};
use crate::core::run;
use crate::core::time::{Span, Timestamp};
use crate::source::prometheus::PrometheusClient;

/// Conditions that are remembered at most: each is one of an open prediction's.
const MAX_HELD: usize = 10_000;

/// Since when each condition's metric has been as it is wanted.
#[derive(Debug, Default)]
pub(super) struct Held(BTreeMap<(PredictionId, String), Timestamp>);

impl Held {
    fn since(&mut self, prediction: &PredictionId, metric: &str, holds: bool, now: Timestamp) -> Option<Timestamp> {
        let key = (prediction.clone(), metric.to_owned());
        if !holds {
            self.0.remove(&key);
            return None;
        }
        if self.0.len() >= MAX_HELD {
            // What begins anew has held for no time: late, and never too early.
            self.0.clear();
        }
        Some(*self.0.entry(key).or_insert(now))
    }
}

/// The playbooks that are for a prediction, the most urgent first.
pub(super) fn playbooks(shared: &Shared, prediction: &Prediction) -> Vec<Playbook> {
    let config = shared.config();
    let suggested: Vec<String> = if prediction.cause == Cause::Check {
        config.checks.iter().find(|check| check.name == prediction.watch).map(|check| check.playbooks.clone()).unwrap_or_default()
    } else {
        let engine = shared.engine();
        let watch = engine.watch_index(&prediction.watch).and_then(|index| engine.watches().nth(index).cloned());
        watch.map(|watch| watch.playbooks.clone()).unwrap_or_default()
    };
    run::candidates(&config.playbooks, prediction, &suggested).into_iter().cloned().collect()
}

pub(super) async fn about(shared: &Shared, prediction: &Prediction, playbooks: &[Playbook]) -> (Facts, Around) {
    let now = shared.clock.now();
    let mut around = around(shared, prediction, now);
    (around.silence, around.silences_unknown) = silences::about(shared, prediction, now).await;
    let facts = facts(shared, prediction, playbooks, now).await;
    // Looked for at each decision, and last: a file that was just made is obeyed by the next one.
    around.killed = super::is_stopped_by_file(shared).then(|| super::BY_FILE.to_owned());
    (facts, around)
}

fn around(shared: &Shared, prediction: &Prediction, now: Timestamp) -> Around {
    let of_check = Some(()).filter(|()| prediction.cause == Cause::Check);
    let of_check = of_check.map(|()| checks::around(shared, &prediction.watch, &prediction.labels, now).unwrap_or_default());
    let config = shared.config();
    let ailing = failing_services(shared);
    let engine = shared.engine();
    let index = engine.watch_index(&prediction.watch);
    let (mut data_age, mut known_for) = (None, None);
    if let Some((view, _)) = index.and_then(|index| engine.find(index, prediction.labels.id())) {
        data_age = view.block.last(view.row).map(|(at, _)| now - Timestamp::from_millis(at));
        known_for = view.block.first_ms(view.row).map(|first| now - Timestamp::from_millis(first));
    }
    let group = config.act.topology.group(&prediction.service);
    let sick: std::collections::BTreeSet<&str> = engine
        .lives()
        .filter(|life| life.is_open())
        .map(|life| life.prediction.service.as_str())
        .chain(ailing.iter().map(String::as_str))
        .filter(|service| group.contains(service))
        .collect();
    let sick = sick.len();
    if let Some(around) = of_check {
        return Around { sick, ..around };
    }
    let is_partial = shared.health().watches.get(&prediction.watch).is_some_and(|watch| watch.failing);
    Around { data_age, is_partial, known_for, sick, ..Around::default() }
}

/// Services of which a health check fails.
fn failing_services(shared: &Shared) -> Vec<String> {
    let config = shared.config();
    let standings = shared.acting.standings.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    standings.failing(&config.checks).map(|prediction| prediction.service).collect()
}

/// The client of the source that a watch's, or a check's, queries go to: the first one for a check that names none.
pub(super) fn client_of(shared: &Shared, watch: &str) -> Option<Arc<PrometheusClient>> {
    let clients = shared.acting.clients();
    let config = shared.config();
    if let Some(check) = config.checks.iter().find(|check| check.name == watch) {
        let first = || config.sources.first().map(|source| &*source.name);
        return clients.get(check.source().or_else(first)?).cloned();
    }
    let engine = shared.engine();
    let index = engine.watch_index(watch)?;
    clients.get(&*engine.watches().nth(index)?.source).cloned()
}

/// Values of the metrics that conditions name. What can't be had is not known, and holds nowhere.
async fn facts(shared: &Shared, prediction: &Prediction, playbooks: &[Playbook], now: Timestamp) -> Facts {
    let mut facts = Facts::default();
    let conditions = playbooks.iter().flat_map(|playbook| &playbook.when.conditions).filter(|c| Field::named(&c.metric).is_none());
    for condition in conditions {
        if facts.0.contains_key(&condition.metric) {
            continue;
        }
        let value = ask(shared, prediction, &condition.metric, now).await;
        let mut held = shared.acting.held.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let holds = value.is_some_and(|value| condition.is.holds(value));
        let since = held.since(&prediction.id, &condition.metric, holds, now);
        facts.0.extend(value.map(|value| (condition.metric.clone(), (value, since))));
    }
    facts
}

async fn ask(shared: &Shared, prediction: &Prediction, metric: &str, now: Timestamp) -> Option<f64> {
    /// What a value is asked for may be so old.
    const FRESH: Span = Span::from_secs(300);
    let query = fill_query(metric, &prediction.labels).ok()?;
    let client = client_of(shared, &prediction.watch)?;
    let answer = client.instant(&query, now, Some(&prediction.watch)).await;
    let samples = answer.inspect_err(|error| tracing::debug!(metric, %error, "could not ask for a condition's metric")).ok()?.samples;
    // One value, or nobody knows which one was meant.
    if let [one] = &samples[..] { one.value.filter(|_| now - one.at <= FRESH) } else { None }
}
