//! What is known about a prediction at this moment, for the gate.

use std::collections::BTreeMap;

use super::Shared;
use crate::core::gate::Around;
use crate::core::playbook::{Facts, Field, Playbook, fill_query};
use crate::core::prediction::{Prediction, PredictionId};
use crate::core::time::{Span, Timestamp};

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
    let suggested: Vec<String> = {
        let engine = shared.engine();
        let watch = engine.watch_index(&prediction.watch).and_then(|index| engine.watches().nth(index).cloned());
        watch.map(|watch| watch.playbooks.clone()).unwrap_or_default()
    };
    let config = shared.config();
    let is_for = |playbook: &&Playbook| playbook.is_for(&prediction.watch, &prediction.code, &suggested, &prediction.labels);
    let mut found: Vec<Playbook> = config.playbooks.iter().filter(is_for).cloned().collect();
    found.sort_by_key(|playbook| playbook.priority);
    found
}

pub(super) async fn about(shared: &Shared, prediction: &Prediction, playbooks: &[Playbook]) -> (Facts, Around) {
    let now = shared.clock.now();
    let around = around(shared, prediction, now);
    (facts(shared, prediction, playbooks, now).await, around)
}

fn around(shared: &Shared, prediction: &Prediction, now: Timestamp) -> Around {
    let engine = shared.engine();
    let index = engine.watch_index(&prediction.watch);
    let (mut data_age, mut known_for) = (None, None);
    if let Some((view, _)) = index.and_then(|index| engine.find(index, prediction.labels.id())) {
        data_age = view.block.last(view.row).map(|(at, _)| now - Timestamp::from_millis(at));
        known_for = view.block.first_ms(view.row).map(|first| now - Timestamp::from_millis(first));
    }
    let config = shared.config();
    let group = config.act.topology.group(&prediction.service);
    let sick: std::collections::BTreeSet<&str> = engine
        .lives()
        .filter(|life| life.is_open())
        .map(|life| life.prediction.service.as_str())
        .filter(|service| group.contains(service))
        .collect();
    let sick = sick.len();
    let is_partial = shared.health().watches.get(&prediction.watch).is_some_and(|watch| watch.failing);
    Around { data_age, is_partial, known_for, sick, ..Around::default() }
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
    let source = {
        let engine = shared.engine();
        let index = engine.watch_index(&prediction.watch)?;
        engine.watches().nth(index)?.source.clone()
    };
    let client = shared.acting.clients().get(&*source)?.clone();
    let answer = client.instant(&query, now, Some(&prediction.watch)).await;
    let samples = answer.inspect_err(|error| tracing::debug!(metric, %error, "could not ask for a condition's metric")).ok()?.samples;
    // One value, or nobody knows which one was meant.
    if let [one] = &samples[..] { one.value.filter(|_| now - one.at <= FRESH) } else { None }
}
