//! `alertmanager` against a real one.

use std::time::Duration;

use portent::act::alertmanager::Alertmanager;
use portent::act::places::Places;
use portent::act::{Actuator as _, Job};
use portent::core::playbook::StepEnd;
use serde_json::{Value, json};

use super::server::{Answer, Server};
use super::{hostile, job, lasting, now};
use crate::support;

fn local() -> Alertmanager {
    Alertmanager::new(Places::new(["127.0.0.1".to_owned()], true), now())
}

fn silence(url: &str, value: &str, id: &str) -> Job {
    let matchers = json!({ "instance": "{{x}}", "job": "node" });
    let with = json!({ "verb": "create_silence", "url": url, "matchers": matchers, "duration": "2h", "comment": "mending {{x}}" });
    Job { id: id.to_owned(), ..job(with, value) }
}

fn silences(real: &support::Alertmanager) -> Vec<Value> {
    support::get(&format!("{}/api/v2/silences", real.url())).json().as_array().unwrap().clone()
}

#[tokio::test]
async fn a_silence_is_made_once_and_matches_one_value_whatever_it_holds() {
    let real = support::Alertmanager::start();
    let (url, actuator) = (real.url(), local());
    let first = silence(&url, "db-1:9100", "run-1.step-1");
    assert_eq!(actuator.check(&first.with), Ok(()));
    assert!(actuator.dry_run(&first).await.unwrap().contains("/api/v2/silences: {"));
    assert_eq!(actuator.probe(&first).await.end, StepEnd::Failed, "it was not made yet");
    for _ in 0..3 {
        let done = actuator.start(&first).await;
        assert_eq!(done.end, StepEnd::Succeeded, "{done:?}");
    }
    assert_eq!(actuator.probe(&first).await.end, StepEnd::Succeeded);
    let all = silences(&real);
    assert_eq!(all.len(), 1, "{all:?}");
    assert_eq!((&all[0]["comment"], &all[0]["createdBy"]), (&json!("mending db-1:9100 [portent step run-1.step-1]"), &json!("portent")));
    assert_eq!(all[0]["matchers"][0], json!({ "name": "instance", "value": "db-1:9100", "isEqual": true, "isRegex": false }));
    let time = |key: &str| all[0][key].as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_second();
    assert!((7_195..=7_200).contains(&(time("endsAt") - time("startsAt"))), "{all:?}");

    // Ended by a person: it is not made again.
    let id = all[0]["id"].as_str().unwrap();
    let ended =
        support::request(reqwest::Method::DELETE, &format!("{url}/api/v2/silence/{id}"), &[], vec![], Duration::from_secs(10)).unwrap();
    assert!(ended.is_success());
    assert_eq!((actuator.start(&first).await.end, silences(&real).len()), (StepEnd::Succeeded, 1));

    // Another step makes its own, though its text holds the first one's mark.
    let second = silence(&url, "[portent step run-1.step-2]", "run-1.step-3");
    assert_eq!((actuator.start(&second).await.end, silences(&real).len()), (StepEnd::Succeeded, 2));
    assert_eq!(actuator.probe(&silence(&url, "a", "run-1.step-2")).await.end, StepEnd::Failed);

    // Values that mean much to a pattern and nothing to equality.
    let values: Vec<String> =
        hostile::values().into_iter().filter(|value| value.len() < 1_000).step_by(8).chain([".*".to_owned()]).collect();
    let before = silences(&real).len();
    for (i, value) in values.iter().enumerate() {
        let done = actuator.start(&silence(&url, value, &format!("run-2.step-{i}"))).await;
        assert_eq!(done.end, StepEnd::Succeeded, "{value:?}: {done:?}");
    }
    let all = silences(&real);
    assert_eq!(all.len(), before + values.len());
    for value in &values {
        let is_it = |one: &&Value| one["matchers"][0]["value"] == value.as_str() && one["matchers"][0]["isRegex"] == false;
        assert_eq!(all.iter().filter(is_it).count(), 1, "{value:?}");
    }
}

#[tokio::test]
async fn an_alert_is_raised_once_however_often_it_is_posted() {
    let real = support::Alertmanager::start();
    let with = json!({
        "verb": "post_alert", "url": format!("{}/", real.url()), "duration": "10m",
        "labels": { "alertname": "Restarted", "pod": "{{x}}" }, "annotations": { "summary": "{{x}} was restarted" },
    });
    let (actuator, job) = (local(), job(with, "shop-7 \"{{x}}\""));
    assert_eq!(actuator.check(&job.with), Ok(()));
    assert_eq!(actuator.probe(&job).await.end, StepEnd::Unknown, "an alert may be over");
    for _ in 0..2 {
        let done = actuator.start(&job).await;
        assert_eq!(done.end, StepEnd::Succeeded, "{done:?}");
    }
    assert_eq!(actuator.probe(&job).await.end, StepEnd::Succeeded);
    let alerts = real.alerts();
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    assert_eq!(alerts[0]["labels"], json!({ "alertname": "Restarted", "pod": "shop-7 \"{{x}}\"" }));
    assert_eq!(alerts[0]["annotations"]["summary"], "shop-7 \"{{x}}\" was restarted");
    // What it refuses is a failure with its reason.
    let refused = silence(&real.url(), "a", "run-9.step-1");
    let mut with = refused.with.clone();
    with.insert("matchers".to_owned(), json!({ "no label name": "{{x}}" }));
    let done = actuator.start(&Job { with, ..refused }).await;
    assert!(done.end == StepEnd::Failed && done.note.contains("400"), "{done:?}");
}

#[tokio::test]
async fn what_would_silence_everything_and_what_cannot_be_told_is_refused() {
    let server = Server::start(Answer::Status(200, "[]".to_owned()));
    let (url, actuator) = (server.url(""), local());
    for (with, part) in [
        (json!({ "verb": "create_silence", "url": url, "matchers": {} }), "none would be everything"),
        (json!({ "verb": "create_silence", "url": url }), "none would be everything"),
        (json!({ "verb": "create_silence", "url": url, "matchers": { "a": "" } }), "none would be everything"),
        (json!({ "verb": "create_silence", "url": url, "matchers": { "a": "b" }, "duration": "8d" }), "want 7d at most"),
        (json!({ "verb": "create_silence", "url": url, "matchers": { "a": "b" }, "regex": true }), "unknown argument"),
        (json!({ "verb": "create_silence", "url": "http://{{x}}/", "matchers": { "a": "b" } }), "url"),
        (json!({ "verb": "create_silence", "url": "http://am.example/", "matchers": { "a": "b" } }), "am.example is not among the hosts"),
        (json!({ "verb": "post_alert", "url": url, "labels": { "a": "b" } }), "lack alertname"),
        (json!({ "verb": "delete_silence", "url": url }), "want create_silence or post_alert"),
    ] {
        let job = job(with, "a");
        let error = actuator.check(&job.with).unwrap_err();
        assert!(error.contains(part), "{error}");
        assert!(actuator.dry_run(&job).await.is_err() && actuator.start(&job).await.end == StepEnd::Failed, "{part}");
    }
    let gone = job(json!({ "verb": "create_silence", "url": url, "matchers": { "a": "{{gone}}" } }), "a");
    assert!(actuator.start(&gone).await.note.contains("\"gone\""), "a missing label matches nothing, never everything");
    assert_eq!(server.connections(), 0);

    // Whether it is there cannot be told, so none is made, and nobody says that there is none.
    for answer in [Answer::Status(500, "no".into()), Answer::Status(200, "{}".into()), Answer::Endless, Answer::Closes, Answer::Hangs] {
        let server = Server::start(answer.clone());
        let job = lasting(silence(&server.url(""), "a", "run-1.step-1"), Duration::from_secs(2));
        let (done, probed) = (actuator.start(&job).await, actuator.probe(&job).await);
        assert_eq!((done.end, probed.end), (StepEnd::Failed, StepEnd::Unknown), "{answer:?}: {done:?} {probed:?}");
        assert!(server.got().iter().all(|got| got.line.starts_with("GET ")), "{answer:?}");
    }
}
