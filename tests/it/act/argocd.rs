//! `argocd` against a small server with the part of Argo CD's API that it uses, and its faults.

use std::time::Duration;

use portent::act::argocd::ArgoCd;
use portent::act::places::Places;
use portent::act::{Actuator as _, Done, Job};
use portent::core::labels::Labels;
use portent::core::playbook::StepEnd;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::hostile;
use super::kubernetes::api::{Api, Fault, Got, State};

const TOKEN: &str = "canary-51c2ab88-token";
const APP: &str = "/api/v1/applications/shop";
const SYNC: &str = "/api/v1/applications/shop/sync";

/// An operation runs for one look, and then ends as the application's `then` says.
fn argo(state: &mut State, got: &Got) -> (u16, Value) {
    if got.authorization.as_deref() != Some(&format!("Bearer {TOKEN}")) {
        return (401, json!({ "error": "no session information", "code": 16 }));
    }
    let path = got.path.strip_suffix("/sync").unwrap_or(&got.path);
    let Some(app) = state.objects.get_mut(path) else {
        return (403, json!({ "error": "permission denied", "code": 7 }));
    };
    let is_running = app["status"]["operationState"]["phase"] == "Running";
    if got.method == "GET" {
        let shown = app.clone();
        if is_running {
            app["status"]["operationState"]["phase"] = app["then"].clone();
        }
        return (200, shown);
    }
    if is_running {
        return (400, json!({ "error": "another operation is already in progress", "code": 9 }));
    }
    let operation = json!({ "sync": { "revision": got.body["revision"], "prune": got.body["prune"] }, "info": got.body["infos"] });
    app["status"]["operationState"] = json!({ "phase": "Running", "message": "one or more objects failed", "operation": operation });
    (200, app.clone())
}

fn app(then: &str) -> Value {
    json!({ "metadata": { "name": "shop" }, "then": then, "status": { "sync": { "status": "OutOfSync" }, "health": { "status": "Degraded" } } })
}

fn failed() -> Value {
    let mut app = app("Succeeded");
    let sync = json!({ "revision": "abc123", "prune": true, "syncOptions": ["CreateNamespace=true"], "syncStrategy": { "hook": {} } });
    app["status"]["operationState"] = json!({ "phase": "Failed", "message": "hook failed", "operation": { "sync": sync } });
    app
}

struct Bench {
    api: Api,
    actuator: ArgoCd,
    folder: TempDir,
}

impl Bench {
    fn new(app: Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("token"), TOKEN).unwrap();
        let api = Api::start_as(&[(APP, app)], argo);
        Self { api, actuator: ArgoCd::new(Places::new(["127.0.0.1".to_owned()], true)), folder }
    }

    fn job(&self, id: &str, more: &Value) -> Job {
        let mut with = json!({ "url": format!("http://{}", self.api.address), "app": "{{app}}", "bearer_token_file": self.folder.path().join("token") });
        with.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Job {
            id: id.to_owned(),
            with: serde_json::from_value(with).unwrap(),
            labels: Labels::from_pairs([("app", "shop")]).unwrap(),
            targets: vec!["shop".to_owned()],
            timeout: Duration::from_secs(20),
        }
    }

    fn posts(&self) -> Vec<Got> {
        self.api.got().into_iter().filter(|got| got.method == "POST").collect()
    }
}

fn is(done: &Done, end: StepEnd, part: &str) {
    assert!(done.end == end && done.note.contains(part), "want {end:?} with {part:?}, got {done:?}");
    assert!(!done.note.contains(TOKEN), "{done:?}");
}

#[tokio::test]
async fn a_sync_is_asked_for_once_and_waited_for() {
    for (then, end) in [("Succeeded", StepEnd::Succeeded), ("Failed", StepEnd::Failed), ("Error", StepEnd::Failed)] {
        let bench = Bench::new(app(then));
        let job = bench.job("r1.0.do", &json!({ "verb": "sync", "revision": "v7" }));
        assert_eq!(bench.actuator.check(&job.with), Ok(()));
        let said = bench.actuator.dry_run(&job).await.unwrap();
        assert!(said.contains("\"revision\":\"v7\"") && said.contains("it is OutOfSync and Degraded"), "{said}");
        assert_eq!(bench.posts().len(), 0, "a dry run posts nothing");
        is(&bench.actuator.probe(&job).await, StepEnd::Unknown, "is not the step's");
        for _ in 0..2 {
            is(&bench.actuator.start(&job).await, end, &format!("Argo CD says {then}"));
        }
        is(&bench.actuator.probe(&job).await, end, then);
        let posts = bench.posts();
        assert_eq!((posts.len(), posts[0].path.as_str()), (1, SYNC));
        assert_eq!(posts[0].body["infos"], json!([{ "name": "portent.dev/run", "value": "r1.0.do" }]));
        assert_eq!((&posts[0].body["prune"], &posts[0].body["dryRun"]), (&json!(false), &json!(false)));
        // Another step is another operation.
        is(&bench.actuator.start(&bench.job("r2.0.do", &json!({ "verb": "sync" }))).await, end, then);
        assert_eq!(bench.posts().len(), 2);
    }
}

#[tokio::test]
async fn a_failed_operation_is_tried_again_as_it_was_and_no_other() {
    let bench = Bench::new(failed());
    let retry = bench.job("r1.0.do", &json!({ "verb": "retry" }));
    is(&bench.actuator.start(&retry).await, StepEnd::Succeeded, "Succeeded");
    let body = &bench.posts()[0].body;
    assert_eq!((&body["revision"], &body["prune"], &body["strategy"]), (&json!("abc123"), &json!(true), &json!({ "hook": {} })));
    assert_eq!(body["syncOptions"], json!({ "items": ["CreateNamespace=true"] }));
    let again = bench.job("r2.0.do", &json!({ "verb": "retry" }));
    is(&bench.actuator.start(&again).await, StepEnd::Failed, "has not failed");
    let mut busy = app("Running");
    busy["operation"] = json!({ "sync": {} });
    let bench = Bench::new(busy);
    is(&bench.actuator.start(&bench.job("r3.0.do", &json!({ "verb": "sync" }))).await, StepEnd::Failed, "another operation is under way");
    let mut slow = bench.job("r4.0.do", &json!({ "verb": "sync" }));
    slow.timeout = Duration::from_secs(3);
    bench.api.put(APP, app("Running"));
    is(&bench.actuator.start(&slow).await, StepEnd::Unknown, "still under way");
    is(&bench.actuator.probe(&slow).await, StepEnd::Unknown, "still under way");
}

#[tokio::test]
async fn what_fails_is_said_for_what_it_is() {
    let html = || "<html>log in</html>".to_owned();
    let other = json!({ "metadata": { "name": "other" } }).to_string();
    for (fault, is_sure) in [
        (Fault::Says(401, html()), true),
        (Fault::Says(403, format!("{{\"error\":\"not for Bearer {TOKEN}\"}}")), true),
        (Fault::Says(404, html()), true),
        (Fault::Says(429, html()), true),
        (Fault::Says(302, String::new()), true),
        (Fault::Says(500, html()), false),
        (Fault::Says(200, html()), false),
        (Fault::Says(200, other), false),
        (Fault::Cut, false),
    ] {
        for method in ["GET", "POST"] {
            let bench = Bench::new(app("Succeeded"));
            bench.api.fail(method, false, fault.clone());
            let done = bench.actuator.start(&bench.job("r1.0.do", &json!({ "verb": "sync" }))).await;
            let end = if method == "GET" || is_sure { StepEnd::Failed } else { StepEnd::Unknown };
            is(&done, end, if end == StepEnd::Failed { "nothing was done" } else { "may have been received" });
            let probed = bench.actuator.probe(&bench.job("r1.0.do", &json!({ "verb": "sync" }))).await;
            assert_eq!(probed.end, StepEnd::Unknown, "{fault:?}");
        }
    }
    for fault in [Fault::DoneAndCut, Fault::DoneAndSays(502, html())] {
        let bench = Bench::new(app("Succeeded"));
        bench.api.fail("POST", false, fault);
        is(&bench.actuator.start(&bench.job("r1.0.do", &json!({ "verb": "sync" }))).await, StepEnd::Succeeded, "Succeeded");
        assert_eq!(bench.posts().len(), 1);
    }
}

#[tokio::test]
async fn arguments_and_labels_choose_an_application_and_nothing_else() {
    let bench = Bench::new(app("Succeeded"));
    for (more, part) in [
        (json!({ "verb": "delete" }), "want sync or retry"),
        (json!({ "verb": "sync", "app": "../admin" }), "no application's name"),
        (json!({ "verb": "sync", "url": "http://10.0.0.1" }), "not among the hosts"),
        (json!({ "verb": "sync", "url": "http://{{app}}" }), "url"),
        (json!({ "verb": "sync", "bearer_token_file": "token" }), "want an absolute path"),
        (json!({ "verb": "sync", "revision": "{{app}}" }), "that the playbook names itself"),
        (json!({ "verb": "sync", "prune": "yes" }), "want true or false"),
        (json!({ "verb": "retry", "prune": true }), "unknown argument \"prune\""),
    ] {
        let error = bench.actuator.check(&bench.job("r1.0.do", &more).with).unwrap_err();
        assert!(error.contains(part), "{more}: {error}");
    }
    for value in hostile::values() {
        let mut job = bench.job("r1.0.do", &json!({ "verb": "sync" }));
        job.labels = Labels::from_pairs([("app", value.as_str())]).unwrap();
        assert_eq!(bench.actuator.start(&job).await.end, StepEnd::Failed, "{value:?}");
    }
    assert_eq!(bench.posts().len(), 0);
    assert!(bench.api.got().iter().all(|got| got.path.starts_with("/api/v1/applications/") && got.query.is_empty()));
}
