//! An API server that fails in every way: what is said of a step must be what became of it.

use std::time::{Duration, Instant};

use portent::act::Actuator as _;
use portent::core::playbook::StepEnd;
use serde_json::json;

use super::api::{Api, Fault, failure};
use super::{POD, TOKEN, WEB, bench, deployment, is, job, pod, replicas};

const HTML: &str = "<html><body>Please log in</body></html>";

fn says(code: u16, reason: &str) -> Fault {
    Fault::Says(code, failure(code, reason, &format!("it says {reason}")).1.to_string())
}

/// Every fault, and what it means when the request was a write: whether nothing was done, or it must be looked at.
fn faults() -> Vec<(Fault, bool)> {
    let other = |name: &str| json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": name, "namespace": "shop", "uid": "x", "resourceVersion": "1" } });
    vec![
        (says(401, "Unauthorized"), true),
        (says(403, "Forbidden"), true),
        (says(404, "NotFound"), true),
        (says(409, "Conflict"), true),
        (says(422, "Invalid"), true),
        (says(429, "TooManyRequests"), true),
        (Fault::Says(302, String::new()), true),
        (Fault::Says(403, HTML.to_owned()), true),
        (says(500, "InternalError"), false),
        (says(503, "ServiceUnavailable"), false),
        (says(504, "Timeout"), false),
        (Fault::Says(502, HTML.to_owned()), false),
        (Fault::Says(200, HTML.to_owned()), false),
        (Fault::Says(200, String::new()), false),
        (Fault::Says(200, "[]".to_owned()), false),
        (Fault::Says(200, "null".to_owned()), false),
        (Fault::Says(200, "{\"kind\":\"Status\"}".to_owned()), false),
        (Fault::Says(200, other("other").to_string()), false),
        (Fault::Says(200, other("web").to_string()), false),
        (Fault::Says(200, format!("{}{}{}", "[".repeat(100_000), TOKEN, "]".repeat(100_000))), false),
        (Fault::Cut, false),
    ]
}

#[tokio::test]
async fn a_write_that_fails_leaves_things_as_they_were_and_says_so() {
    for (fault, _) in faults() {
        for (method, is_dry) in [("GET", false), ("PATCH", true), ("PATCH", false)] {
            let api = Api::start(&[(WEB, deployment("v1", 2))]);
            let bench = bench(&api);
            api.fail(method, is_dry, fault.clone());
            let scale = job("r1.0.do", json!({ "verb": "scale", "replicas": "+1" }));
            let done = bench.actuator.start(&scale).await;
            let is_write = method == "PATCH" && !is_dry;
            let is_doubtful = faults().iter().any(|(one, is_sure)| format!("{one:?}") == format!("{fault:?}") && !is_sure);
            // The note that keeps a late write out is a write too, so here it stays doubtful.
            let end = if is_write && is_doubtful { StepEnd::Unknown } else { StepEnd::Failed };
            is(&done, end, if end == StepEnd::Failed { "nothing was done" } else { "cannot be found out" });
            assert_eq!(replicas(&api), 2, "{fault:?} at {method}");
            // Mended, the same step says what became of it, and can be done.
            api.mend();
            is(&bench.actuator.probe(&scale).await, StepEnd::Failed, "does not have the step's mark");
            is(&bench.actuator.start(&scale).await, StepEnd::Succeeded, "2 -> 3");
            assert_eq!(replicas(&api), 3, "{fault:?} at {method}");
        }
    }
}

#[tokio::test]
async fn a_write_that_was_done_though_its_answer_failed_is_found_and_not_repeated() {
    for fault in [
        Fault::DoneAndSays(500, HTML.to_owned()),
        Fault::DoneAndSays(504, failure(504, "Timeout", "etcdserver: request timed out").1.to_string()),
        Fault::DoneAndSays(200, HTML.to_owned()),
        Fault::DoneAndSays(200, "{}".to_owned()),
        Fault::DoneAndCut,
        Fault::DoneAndHangs,
    ] {
        let api = Api::start(&[(WEB, deployment("v1", 2)), (POD, pod("shop", "web-1", "ReplicaSet"))]);
        let bench = bench(&api);
        api.fail("PATCH", false, fault.clone());
        let scale = job("r1.0.do", json!({ "verb": "scale", "replicas": "+1" }));
        is(&bench.actuator.start(&scale).await, StepEnd::Succeeded, "2 -> 3");
        is(&bench.actuator.probe(&scale).await, StepEnd::Succeeded, "has the step's mark");
        is(&bench.actuator.start(&scale).await, StepEnd::Succeeded, "already");
        assert_eq!(replicas(&api), 3, "{fault:?}");
        api.mend();
        api.fail("DELETE", false, fault.clone());
        is(&bench.actuator.start(&job("r2.0.do", json!({ "verb": "restart_pod" }))).await, StepEnd::Succeeded, "is being ended");
        assert_eq!(api.writes().iter().filter(|write| write.starts_with("DELETE")).count(), 1, "{fault:?}");
    }
}

#[tokio::test]
async fn who_changes_it_in_between_wins() {
    let api = Api::start(&[(WEB, deployment("v1", 2)), (POD, pod("shop", "web-1", "ReplicaSet"))]);
    let bench = bench(&api);
    for is_dry in [true, false] {
        api.fail("PATCH", is_dry, Fault::RacedBy);
        is(
            &bench.actuator.start(&job("r1.0.do", json!({ "verb": "scale", "replicas": "+1" }))).await,
            StepEnd::Failed,
            "nothing was overwritten",
        );
        api.mend();
    }
    assert_eq!((replicas(&api), api.annotation(WEB, "portent.dev/run")), (2, None));
    api.fail("DELETE", false, Fault::RacedBy);
    is(&bench.actuator.start(&job("r2.0.do", json!({ "verb": "restart_pod" }))).await, StepEnd::Failed, "409");
    assert!(api.object(POD).unwrap()["metadata"]["deletionTimestamp"].is_null());
}

/// What is on its way when it is found to be missing must not arrive later.
#[tokio::test]
async fn a_late_write_comes_to_nothing_once_it_was_said_to_have_failed() {
    let api = Api::start(&[(WEB, deployment("v1", 2))]);
    let bench = bench(&api);
    let version = api.object(WEB).unwrap()["metadata"]["resourceVersion"].clone();
    let scale = job("r1.0.do", json!({ "verb": "scale", "replicas": "+1" }));
    is(&bench.actuator.probe(&scale).await, StepEnd::Failed, "does not have the step's mark");
    let late = json!({ "metadata": { "uid": "d-1", "resourceVersion": version }, "spec": { "replicas": 3 } });
    let client = reqwest::Client::builder().tls_certs_only([]).build().unwrap();
    let sent = client.patch(format!("http://{}{WEB}", api.address)).body(late.to_string()).send().await.unwrap();
    assert_eq!((sent.status().as_u16(), replicas(&api)), (409, 2));
}

#[tokio::test]
async fn slow_and_endless_answers_end_in_time() {
    let scale = job("r1.0.do", json!({ "verb": "scale", "replicas": "+1" }));
    for (method, is_dry, fault, part) in [
        ("GET", false, Fault::Hangs, "no answer within 3s"),
        ("PATCH", true, Fault::Hangs, "no answer within 3s"),
        ("GET", false, Fault::Endless, "longer than any that is read"),
    ] {
        let api = Api::start(&[(WEB, deployment("v1", 2))]);
        let bench = bench(&api);
        api.fail(method, is_dry, fault);
        let began = Instant::now();
        is(&bench.actuator.start(&scale).await, StepEnd::Failed, part);
        assert!(began.elapsed() < Duration::from_secs(15) && replicas(&api) == 2, "{:?}", began.elapsed());
    }
    // Nobody listens there.
    let nobody = super::bench_with("http://127.0.0.1:1", &json!({ "token": TOKEN }), Duration::from_secs(3));
    is(&nobody.actuator.start(&scale).await, StepEnd::Failed, "cannot be reached");
    is(&nobody.actuator.probe(&scale).await, StepEnd::Unknown, "cannot be reached");
}
