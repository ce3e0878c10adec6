//! What playbooks are run about: open predictions, failing health checks, anomalies under way.

use std::sync::{Arc, PoisonError};

use super::Shared;
use crate::core::prediction::{Cause, Prediction, PredictionId};
use crate::core::run::Runs;
use crate::core::time::{Span, Timestamp};

/// After a restart an anomaly is found again by its samples, and may seem to have begun at another one of them. Within this time of the
/// start ...
const FOUND_AGAIN_WITHIN: Span = Span::HOUR;
/// ... one of a series that a run was about so long before is the same.
const REMEMBER: Span = Span::DAY;

/// All of them, predictions first: they leave most time.
pub(super) async fn open(shared: &Arc<Shared>) -> Vec<Prediction> {
    let runs = shared.acting.runs().await;
    let mut open: Vec<Prediction> = shared.engine().lives().filter(|life| life.is_open()).map(|life| life.prediction.clone()).collect();
    open.extend(failing(shared));
    open.extend(anomalies(shared, &runs));
    open
}

/// The one of this name, as it is now.
pub(super) async fn find(shared: &Arc<Shared>, id: &PredictionId) -> Option<Prediction> {
    let own = shared.engine().lives().find(|life| life.prediction.id == *id).map(|life| life.prediction.clone());
    if own.is_some() {
        return own;
    }
    open(shared).await.into_iter().find(|prediction| prediction.id == *id)
}

fn failing(shared: &Shared) -> Vec<Prediction> {
    let config = shared.config();
    let standings = shared.acting.standings.lock().unwrap_or_else(PoisonError::into_inner);
    standings.failing(&config.checks).collect()
}

/// Those that a playbook could begin with: there may be many.
fn anomalies(shared: &Shared, runs: &Runs) -> Vec<Prediction> {
    if !shared.config().playbooks.iter().any(|playbook| playbook.enabled && playbook.when.is_on(Cause::Anomaly)) {
        return Vec::new();
    }
    let engine = shared.engine();
    let watches: Vec<_> = engine.watches().cloned().collect();
    let under_way = engine.anomalies().filter_map(|anomaly| {
        let watch = watches.iter().find(|watch| *watch.name == *anomaly.watch)?;
        let mut prediction = anomaly.prediction(watch);
        if let Some((id, at)) = runs.last_episode(Cause::Anomaly, &anomaly.watch, &anomaly.labels)
            && is_same(anomaly.started_at, at, shared.started_at)
        {
            prediction.id = id.clone();
        }
        Some(prediction)
    });
    under_way.collect()
}

/// Whether an anomaly that began then is what a run was proposed about before the process was started.
fn is_same(began: Timestamp, proposed: Timestamp, started: Timestamp) -> bool {
    proposed < started && started - proposed < REMEMBER && began < started + FOUND_AGAIN_WITHIN
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_restart_what_goes_on_is_the_same_and_what_begins_later_is_not() {
        let start = Timestamp::from_millis(1_793_577_600_000);
        let (minute, hour) = (Span::MINUTE, Span::HOUR);
        assert!(is_same(start - hour, start - minute, start) && is_same(start + minute, start - hour.times(23), start));
        assert!(!is_same(start + minute, start - Span::DAY, start), "a day is long");
        assert!(!is_same(start + hour, start - minute, start), "it began anew");
        assert!(!is_same(start + minute, start + minute, start), "no restart lies in between");
    }
}
