//! What each verb does, is shown to do, and takes back.

use portent::act::Actuator as _;
use portent::core::playbook::StepEnd;
use serde_json::{Value, json};

use super::api::Api;
use super::{NODE, POD, WEB, bench, deployment, is, job, node, pod, replica_set, replicas};

const ONCE: usize = 1;

#[tokio::test]
async fn scaling_is_tried_done_once_probed_and_taken_back() {
    let api = Api::start(&[(WEB, deployment("v1", 2))]);
    let bench = bench(&api);
    let scale = job("r1.0.do", json!({ "verb": "scale", "replicas": "+2", "max": 5 }));
    assert_eq!(bench.actuator.check(&scale.with), Ok(()));
    let said = bench.actuator.dry_run(&scale).await.unwrap();
    assert!(said.contains("deployment shop/web: replicas 2 -> 4") && said.contains("risk: high"), "{said}");
    assert_eq!((replicas(&api), api.writes().len()), (2, 0), "a dry run writes nothing");
    is(&bench.actuator.probe(&scale).await, StepEnd::Failed, "does not have the step's mark");

    for _ in 0..3 {
        is(&bench.actuator.start(&scale).await, StepEnd::Succeeded, "");
    }
    assert_eq!(replicas(&api), 4, "one step is one step");
    is(&bench.actuator.probe(&scale).await, StepEnd::Succeeded, "has the step's mark");
    assert_eq!(api.annotation(WEB, "portent.dev/run").as_deref(), Some("r1.0.do"));
    assert_eq!(api.annotation(WEB, "ops.example/kept").as_deref(), Some("yes"));

    // Another run, another step; up to the bound and not past it.
    is(&bench.actuator.start(&job("r2.0.do", json!({ "verb": "scale", "replicas": "+2", "max": 5 }))).await, StepEnd::Succeeded, "4 -> 5");
    is(
        &bench.actuator.start(&job("r3.0.do", json!({ "verb": "scale", "replicas": "+2", "max": 5 }))).await,
        StepEnd::Failed,
        "may have 1 to 5",
    );
    is(&bench.actuator.probe(&scale).await, StepEnd::Succeeded, "");

    // Taken back in reverse; the first is not what it set any more until the second is.
    let undo = |run: &str| job(&format!("{run}.0.undo"), json!({ "verb": "undo" }));
    is(&bench.actuator.start(&undo("r1")).await, StepEnd::Failed, "somebody has changed it since");
    for _ in 0..2 {
        is(&bench.actuator.start(&undo("r2")).await, StepEnd::Succeeded, "");
        assert_eq!(replicas(&api), 4);
    }
    is(&bench.actuator.start(&undo("r1")).await, StepEnd::Succeeded, "back to {\"replicas\":2}");
    assert_eq!(replicas(&api), 2);
    is(&bench.actuator.start(&undo("r3")).await, StepEnd::Succeeded, "left nothing that could be taken back");
    is(&bench.actuator.probe(&undo("r1")).await, StepEnd::Succeeded, "");
    is(&bench.actuator.start(&job("r9", json!({ "verb": "undo" }))).await, StepEnd::Failed, "belongs under a step's `undo`");
    assert_eq!(api.annotation(WEB, "portent.dev/before"), None, "what is back is not kept");
}

#[tokio::test]
async fn limits_annotations_and_restarts_change_what_they_say_and_nothing_else() {
    let api = Api::start(&[(WEB, deployment("v1", 2))]);
    let bench = bench(&api);
    let before = api.object(WEB).unwrap();
    let limits = json!({ "verb": "patch_limits", "resource": "memory", "factor": 1.5, "max": "2Gi" });
    is(&bench.actuator.start(&job("r1.0.do", limits)).await, StepEnd::Succeeded, "512Mi -> 768Mi");
    let containers = |api: &Api| api.object(WEB).unwrap()["spec"]["template"]["spec"]["containers"].clone();
    assert_eq!(containers(&api)[0]["resources"]["limits"]["memory"], "768Mi");
    assert_eq!((&containers(&api)[0]["image"], &containers(&api)[1]), (&json!("v1"), &before["spec"]["template"]["spec"]["containers"][1]));
    is(&bench.actuator.start(&job("r1.0.undo", json!({ "verb": "undo" }))).await, StepEnd::Succeeded, "512Mi");
    assert_eq!(api.object(WEB).unwrap()["spec"], before["spec"]);

    is(&bench.actuator.start(&job("r2.0.do", json!({ "verb": "rollout_restart" }))).await, StepEnd::Succeeded, "one after the other");
    let at = api.object(WEB).unwrap()["spec"]["template"]["metadata"]["annotations"]["kubectl.kubernetes.io/restartedAt"].clone();
    assert!(at.as_str().unwrap().starts_with("20"), "{at}");
    is(&bench.actuator.start(&job("r2.0.do", json!({ "verb": "rollout_restart" }))).await, StepEnd::Succeeded, "already");
    assert_eq!(api.object(WEB).unwrap()["spec"]["template"]["metadata"]["annotations"]["kubectl.kubernetes.io/restartedAt"], at);

    let annotate = json!({ "verb": "annotate", "annotations": { "ops.example/kept": "no", "ops.example/pod": "{{pod}}" } });
    is(&bench.actuator.start(&job("r3.0.do", annotate)).await, StepEnd::Succeeded, "2 annotations");
    assert_eq!(api.annotation(WEB, "ops.example/pod").as_deref(), Some("web-1"));
    is(&bench.actuator.start(&job("r3.0.undo", json!({ "verb": "undo" }))).await, StepEnd::Succeeded, "");
    assert_eq!((api.annotation(WEB, "ops.example/kept").as_deref(), api.annotation(WEB, "ops.example/pod")), (Some("yes"), None));
}

#[tokio::test]
async fn a_rollback_puts_the_template_before_in_place_and_can_be_taken_back() {
    let sets = [replica_set("web-c", "10", "v3"), replica_set("web-b", "9", "v2"), replica_set("web-a", "1", "v1")];
    let mut objects: Vec<(&str, Value)> = vec![(WEB, deployment("v3", 2))];
    objects.extend(sets.iter().map(|(path, set)| (path.as_str(), set.clone())));
    let api = Api::start(&objects);
    let bench = bench(&api);
    let image = |api: &Api| api.object(WEB).unwrap()["spec"]["template"]["spec"]["containers"][0]["image"].clone();
    let back = job("r1.0.do", json!({ "verb": "rollback" }));
    assert!(bench.actuator.dry_run(&back).await.unwrap().contains("revision 10 -> the template of revision 9"));
    assert_eq!(image(&api), "v3");
    is(&bench.actuator.start(&back).await, StepEnd::Succeeded, "revision 9");
    is(&bench.actuator.start(&back).await, StepEnd::Succeeded, "already");
    assert_eq!(image(&api), "v2");
    let labels = api.object(WEB).unwrap()["spec"]["template"]["metadata"]["labels"].clone();
    assert_eq!(labels, json!({ "app": "web" }), "the hash of a ReplicaSet stays with it");
    is(&bench.actuator.start(&job("r1.0.undo", json!({ "verb": "undo" }))).await, StepEnd::Succeeded, "template of web-c");
    assert_eq!(image(&api), "v3");

    for (key, value, part) in [
        ("/spec/paused", json!(true), "paused"),
        ("/status/observedGeneration", json!(2), "not been taken up yet"),
        ("/spec/template/spec/containers/0/image", json!("v9"), "none of its ReplicaSets"),
        ("/spec/template/spec/containers/0/image", json!("v1"), "no revision before"),
    ] {
        let mut odd = deployment("v3", 2);
        odd["spec"]["paused"] = json!(false);
        *odd.pointer_mut(key).unwrap() = value;
        api.put(WEB, odd);
        is(&bench.actuator.start(&job("r2.0.do", json!({ "verb": "rollback" }))).await, StepEnd::Failed, part);
    }
}

#[tokio::test]
async fn a_pod_is_ended_by_its_uid_and_version_where_somebody_makes_a_new_one() {
    let api = Api::start(&[(POD, pod("shop", "web-1", "ReplicaSet"))]);
    let bench = bench(&api);
    let restart = job("r1.0.do", json!({ "verb": "restart_pod" }));
    assert!(bench.actuator.dry_run(&restart).await.unwrap().contains("it would be ended"));
    assert_eq!(api.writes().len(), 0);
    is(&bench.actuator.start(&restart).await, StepEnd::Succeeded, "pod shop/web-1 is being ended");
    assert_eq!(api.writes(), [format!("PATCH {POD}"), format!("DELETE {POD}")]);
    let last = api.got().pop().unwrap();
    assert_eq!(last.body["preconditions"]["uid"], "p-web-1");
    assert_eq!(last.body["preconditions"]["resourceVersion"], api.object(POD).unwrap()["metadata"]["resourceVersion"]);
    is(&bench.actuator.probe(&restart).await, StepEnd::Succeeded, "is being ended");
    is(&bench.actuator.start(&restart).await, StepEnd::Succeeded, "already");
    assert_eq!(api.writes().len(), 2);
    api.remove(POD);
    is(&bench.actuator.probe(&restart).await, StepEnd::Succeeded, "gone");
    is(&bench.actuator.start(&restart).await, StepEnd::Failed, "404");

    // One that was not ended can still be; one that may be another is a person's to judge.
    api.put(POD, pod("shop", "web-1", "ReplicaSet"));
    is(&bench.actuator.probe(&restart).await, StepEnd::Failed, "still there");
    api.put(POD, pod("shop", "web-1", "StatefulSet"));
    is(&bench.actuator.probe(&restart).await, StepEnd::Unknown, "whether it is the old one");
    for (owner, part) in [("", "belongs to nobody"), ("Node", "a node's own")] {
        api.put(POD, pod("shop", "web-1", owner));
        is(&bench.actuator.start(&restart).await, StepEnd::Failed, part);
    }
}

#[tokio::test]
async fn a_node_is_drained_as_budgets_allow_or_not_at_all() {
    let on_it = [
        (POD.to_owned(), pod("shop", "web-1", "ReplicaSet")),
        ("/api/v1/namespaces/shop/pods/web-2".to_owned(), pod("shop", "web-2", "ReplicaSet")),
        ("/api/v1/namespaces/kube-system/pods/proxy".to_owned(), pod("kube-system", "proxy", "DaemonSet")),
    ];
    let mut objects: Vec<(&str, Value)> = vec![(NODE, node())];
    objects.extend(on_it.iter().map(|(path, pod)| (path.as_str(), pod.clone())));
    let api = Api::start(&objects);
    let bench = bench(&api);
    let drain = |id: &str, most: i64| job(id, json!({ "verb": "drain", "max_pods": most }));
    let is_cordoned = || api.object(NODE).unwrap()["spec"]["unschedulable"] == true;

    is(&bench.actuator.start(&drain("r1.0.do", 1)).await, StepEnd::Failed, "2 pods would have to leave it");
    api.put("/api/v1/namespaces/bank/pods/ledger", pod("bank", "ledger", "ReplicaSet"));
    is(&bench.actuator.start(&drain("r1.0.do", 5)).await, StepEnd::Failed, "pod bank/ledger is on it");
    assert!(!is_cordoned() && api.writes().is_empty(), "all of it or nothing");
    api.remove("/api/v1/namespaces/bank/pods/ledger");

    api.keep_pods(1);
    let said = bench.actuator.dry_run(&drain("r1.0.do", 5)).await.unwrap();
    assert!(said.contains("2 would leave it: shop/web-1, shop/web-2") && said.contains("2 of them are kept"), "{said}");
    assert!(!is_cordoned());
    is(&bench.actuator.start(&drain("r1.0.do", 5)).await, StepEnd::Succeeded, "2 pods have left node n1");
    assert!(is_cordoned() && api.object(POD).is_none());
    assert!(api.object("/api/v1/namespaces/kube-system/pods/proxy").is_some());
    assert!(api.writes().iter().all(|write| !write.starts_with("DELETE")), "evictions, so that budgets count");
    is(&bench.actuator.probe(&drain("r1.0.do", 5)).await, StepEnd::Succeeded, "have left");
    is(&bench.actuator.start(&job("r1.0.undo", json!({ "verb": "undo", "kind": "node" }))).await, StepEnd::Succeeded, "");
    assert!(!is_cordoned());

    // A budget that never allows it: the time is over, and it says where things stand.
    api.put(POD, pod("shop", "web-1", "ReplicaSet"));
    api.keep_pods(1_000);
    let mut short = drain("r2.0.do", 5);
    short.timeout = std::time::Duration::from_secs(5);
    is(&bench.actuator.start(&short).await, StepEnd::TimedOut, "1 of 1 are still there");
    is(&bench.actuator.probe(&short).await, StepEnd::TimedOut, "1 are still there");
    assert!(is_cordoned() && api.object(POD).is_some());
    for (verb, on) in [("uncordon", false), ("cordon", true)] {
        for _ in 0..=ONCE {
            is(&bench.actuator.start(&job("r3.0.do", json!({ "verb": verb }))).await, StepEnd::Succeeded, "");
        }
        // The same id would be the same step.
        is(&bench.actuator.start(&job(&format!("r4.{verb}.do"), json!({ "verb": verb }))).await, StepEnd::Succeeded, "");
        assert_eq!(is_cordoned(), on, "{verb}");
    }
}
