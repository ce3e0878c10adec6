//! That the embedded ones can be carried out as they are written, and when each policy is for something.

use std::sync::Arc;

use super::*;
use crate::act::{Settings, actuators};
use crate::config::playbook::lint;
use crate::core::playbook::{Facts, Kind};
use crate::core::prediction::{Eta, Prediction};
use crate::core::run::fixtures;
use crate::core::time::{Span, Timestamp};

#[test]
fn every_embedded_playbook_is_read_and_is_for_nobody_unless_suggested() {
    let names: std::collections::BTreeSet<&str> = all().iter().map(|e| e.playbook.name.as_str()).collect();
    assert_eq!(names.len(), TEXTS.len());
    for Embedded { playbook, .. } in all() {
        let when = &playbook.when;
        assert!(when.watches.is_empty() && when.codes.is_empty() && when.labels.is_empty(), "{}", playbook.name);
        assert!(playbook.steps.len() >= 2 && playbook.about.len() > 40, "{}", playbook.name);
        assert_eq!(playbook.steps.last().map(|s| s.does.action.as_str()), Some("notify"), "{}: people learn how it ended", playbook.name);
        assert_eq!(playbook.kind == Kind::Policy, !when.conditions.is_empty(), "{}", playbook.name);
    }
    assert!(find("expand-volume").is_some() && find("nothing").is_none());
}

#[test]
fn every_embedded_playbook_lints_clean() {
    let now: crate::act::Now = Arc::new(|| Timestamp::from_millis(0));
    let actuators = actuators(Settings::default(), &now);
    let mut linted = 0;
    for embedded in all() {
        let found: Vec<String> = lint(&embedded.book, &actuators, false).into_iter().map(|lint| lint.found.message).collect();
        assert_eq!(found, [""; 0], "{}", embedded.playbook.name);
        linted += embedded.playbook.steps.len();
    }
    assert!(linted > 35, "{linted}");
}

/// What is predicted of a latency now at one value and going to another.
fn prediction(current: f64, predicted: f64) -> Prediction {
    let now = Timestamp::from_millis(1_793_577_600_000);
    let eta = Eta { p50: Some(now + Span::HOUR), ..Eta::default() };
    Prediction { current_value: current, predicted_value: Some(predicted), eta, ..fixtures::prediction(0, now) }
}

/// Whether a policy fires where its queries, in their order, have these values since so many minutes.
fn fires(policy: &str, prediction: &Prediction, queries: &[(f64, i64)]) -> bool {
    let now = prediction.raised_at;
    let playbook = &find(policy).unwrap().playbook;
    let asked = playbook.when.conditions.iter().filter(|c| crate::core::playbook::Field::named(&c.metric).is_none());
    let known = asked.zip(queries).map(|(c, (value, minutes))| {
        let since = c.is.holds(*value).then(|| now - Span::MINUTE.times(*minutes));
        (c.metric.clone(), (*value, since))
    });
    let suggested = [policy.to_owned()];
    playbook.is_for_cause(prediction.cause, &prediction.watch, &prediction.code, &suggested, &prediction.labels)
        && playbook.when.unmet(prediction, &Facts(known.collect()), now).is_empty()
}

#[test]
fn each_policy_fires_when_all_of_its_conditions_hold_and_not_otherwise() {
    let surely = |likelihood, minutes: i64, value| {
        let prediction = prediction(value, 1.0);
        let eta = Eta { p50: Some(prediction.raised_at + Span::MINUTE.times(minutes)), ..Eta::default() };
        Prediction { likelihood, eta, ..prediction }
    };
    let falling = Prediction { rate_of_change: -0.1, ..prediction(0.9, 1.5) };
    for (policy, prediction, queries, want) in [
        ("critical-latency", prediction(1.2, 2.1), &[(1.1, 1)][..], true),
        ("critical-latency", prediction(1.2, 2.0), &[(1.1, 1)], false),
        ("critical-latency", prediction(1.2, 2.1), &[(1.0, 1)], false),
        ("critical-latency", prediction(1.2, 2.1), &[(1.1, 0)], false),
        ("critical-latency", prediction(1.2, 2.1), &[], false),
        ("high-error-rate", prediction(0.1, 0.2), &[(0.06, 2), (11.0, 0)], true),
        ("high-error-rate", prediction(0.1, 0.2), &[(0.05, 2), (11.0, 0)], false),
        ("high-error-rate", prediction(0.1, 0.2), &[(0.06, 2), (10.0, 0)], false),
        ("high-error-rate", prediction(0.1, 0.2), &[(0.06, 1), (11.0, 0)], false),
        ("resource-exhaustion", surely(0.8, 120, 0.71), &[], true),
        ("resource-exhaustion", surely(0.79, 120, 0.71), &[], false),
        ("resource-exhaustion", surely(0.8, 121, 0.71), &[], false),
        ("resource-exhaustion", surely(0.8, 120, 0.7), &[], false),
        ("moderate-latency", prediction(0.9, 1.5), &[], true),
        ("moderate-latency", prediction(0.9, 2.0), &[], true),
        ("moderate-latency", prediction(0.9, 2.1), &[], false),
        ("moderate-latency", prediction(0.9, 1.0), &[], false),
        ("moderate-latency", falling, &[], false),
        ("throughput-drop", prediction(100.0, 50.0), &[(0.49, 5), (11.0, 0)], true),
        ("throughput-drop", prediction(100.0, 50.0), &[(0.5, 5), (11.0, 0)], false),
        ("throughput-drop", prediction(100.0, 50.0), &[(0.49, 4), (11.0, 0)], false),
        ("throughput-drop", prediction(100.0, 50.0), &[(0.49, 5), (10.0, 0)], false),
    ] {
        let (now, then) = (prediction.current_value, prediction.predicted_value);
        assert_eq!(fires(policy, &prediction, queries), want, "{policy}: {now} now, {then:?} then, {queries:?}");
    }
    let unknown = Prediction { predicted_value: None, ..prediction(0.9, 1.5) };
    assert!(!fires("moderate-latency", &unknown, &[]), "what is not known does not hold");
    let anomaly = Prediction { cause: crate::core::prediction::Cause::Anomaly, ..prediction(100.0, 50.0) };
    assert!(fires("throughput-drop", &anomaly, &[(0.49, 5), (11.0, 0)]) && !fires("moderate-latency", &anomaly, &[]));
    let order: Vec<u8> = ["critical-latency", "high-error-rate", "resource-exhaustion", "throughput-drop", "moderate-latency"]
        .map(|name| find(name).unwrap().playbook.priority)
        .to_vec();
    assert!(order.is_sorted() && order.iter().all(|priority| (1..=10).contains(priority)), "{order:?}");
}
