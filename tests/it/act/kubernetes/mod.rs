//! `kubernetes` against a small API server that does what it is told, faults included; `real` is against a real one (`make test-kubernetes`).

pub mod api;
mod faults;
mod moves;
mod real;
mod recorded;

use std::path::Path;
use std::time::Duration;

use portent::act::kubernetes::{Access, ClusterSettings, Kubernetes};
use portent::act::{Actuator as _, Done, Job};
use portent::core::labels::Labels;
use portent::core::playbook::StepEnd;
use serde_json::{Value, json};
use tempfile::TempDir;

use self::api::{Api, Got};
use super::{hostile, now};

const TOKEN: &str = "canary-7f3a9c51-token";
const WEB: &str = "/apis/apps/v1/namespaces/shop/deployments/web";
const POD: &str = "/api/v1/namespaces/shop/pods/web-1";
const NODE: &str = "/api/v1/nodes/n1";

/// An actuator and the folder that its kubeconfig is in.
struct Bench {
    actuator: Kubernetes,
    _folder: TempDir,
}

fn kubeconfig(folder: &Path, server: &str, user: &Value) -> std::path::PathBuf {
    let file = folder.join("kubeconfig");
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "here",
        "clusters": [{ "name": "c", "cluster": { "server": server } }],
        "users": [{ "name": "u", "user": user }],
        "contexts": [{ "name": "here", "context": { "cluster": "c", "user": "u" } }],
    });
    std::fs::write(&file, config.to_string()).unwrap();
    file
}

fn bench_with(server: &str, user: &Value, timeout: Duration) -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let file = kubeconfig(folder.path(), server, user);
    let namespaces = ["shop".to_owned()].into();
    let settings = ClusterSettings { access: Access::Kubeconfig { file, context: None }, namespaces, nodes: true, timeout };
    Bench { actuator: Kubernetes::new(Some(settings), now()), _folder: folder }
}

fn bench(api: &Api) -> Bench {
    bench_with(&format!("http://{}", api.address), &json!({ "token": TOKEN }), Duration::from_secs(3))
}

fn job(id: &str, with: Value) -> Job {
    let labels = [("namespace", "shop"), ("deployment", "web"), ("pod", "web-1"), ("node", "n1"), ("container", "app")];
    Job {
        id: id.to_owned(),
        with: serde_json::from_value(with).unwrap(),
        labels: Labels::from_pairs(labels).unwrap(),
        targets: vec!["web".to_owned()],
        timeout: Duration::from_secs(20),
    }
}

fn template(image: &str) -> Value {
    let containers =
        json!([{ "name": "app", "image": image, "resources": { "limits": { "memory": "512Mi" } } }, { "name": "log", "image": "log" }]);
    json!({ "metadata": { "labels": { "app": "web" } }, "spec": { "containers": containers } })
}

fn deployment(image: &str, replicas: i64) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": "web", "namespace": "shop", "uid": "d-1", "generation": 3, "annotations": { "ops.example/kept": "yes" } },
        "spec": { "replicas": replicas, "selector": { "matchLabels": { "app": "web" } }, "template": template(image) },
        "status": { "observedGeneration": 3 },
    })
}

fn replica_set(name: &str, revision: &str, image: &str) -> (String, Value) {
    let mut template = template(image);
    template["metadata"]["labels"]["pod-template-hash"] = json!(name);
    let owner = json!([{ "apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "d-1", "controller": true }]);
    let meta = json!({ "name": name, "namespace": "shop", "uid": name, "annotations": { "deployment.kubernetes.io/revision": revision }, "ownerReferences": owner });
    let object = json!({ "apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": meta, "spec": { "template": template } });
    (format!("/apis/apps/v1/namespaces/shop/replicasets/{name}"), object)
}

fn pod(namespace: &str, name: &str, owner: &str) -> Value {
    let owners = json!([{ "apiVersion": "apps/v1", "kind": owner, "name": "o", "uid": "o-1", "controller": true }]);
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": { "name": name, "namespace": namespace, "uid": format!("p-{name}"), "ownerReferences": if owner.is_empty() { json!([]) } else { owners } },
        "spec": { "nodeName": "n1" }, "status": { "phase": "Running" },
    })
}

fn node() -> Value {
    json!({ "apiVersion": "v1", "kind": "Node", "metadata": { "name": "n1", "uid": "n-1" }, "spec": {} })
}

fn is(done: &Done, end: StepEnd, part: &str) {
    assert!(done.end == end && done.note.contains(part), "want {end:?} with {part:?}, got {done:?}");
    assert!(!done.note.contains(TOKEN), "{done:?}");
}

/// As a step with `retry` does: a controller that writes the status in between is somebody else, too.
async fn patiently(actuator: &Kubernetes, job: &Job) -> Done {
    for _ in 0..20 {
        let done = actuator.start(job).await;
        if !done.note.contains("nothing was overwritten") {
            return done;
        }
    }
    panic!("twenty conflicts")
}

async fn tried(actuator: &Kubernetes, job: &Job) -> String {
    for _ in 0..20 {
        match actuator.dry_run(job).await {
            Err(why) if why.contains("nothing was overwritten") => {}
            said => return said.unwrap(),
        }
    }
    panic!("twenty conflicts")
}

fn replicas(api: &Api) -> i64 {
    api.object(WEB).unwrap()["spec"]["replicas"].as_i64().unwrap()
}

#[tokio::test]
async fn a_cluster_that_is_not_configured_is_not_acted_on() {
    let off = Kubernetes::new(None, now());
    let job = job("r1.0.do", json!({ "verb": "rollback" }));
    assert!(off.check(&job.with).unwrap_err().contains("act.kubernetes"));
    is(&off.start(&job).await, StepEnd::Failed, "nothing was done");
    assert!(off.dry_run(&job).await.is_err());
    is(&off.probe(&job).await, StepEnd::Unknown, "cannot be asked");
}

#[tokio::test]
async fn hostile_label_values_never_leave_as_anything_but_names() {
    let api = Api::start(&[(WEB, deployment("v1", 2)), (POD, pod("shop", "web-1", "ReplicaSet"))]);
    let bench = bench(&api);
    let is_name = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b));
    let mut tried = 0;
    for value in hostile::values() {
        for label in ["namespace", "deployment", "pod"] {
            let mut job = job("r1.0.do", json!({ "verb": if label == "pod" { "restart_pod" } else { "rollout_restart" } }));
            let labels = ["namespace", "deployment", "pod"].map(|name| (name, if name == label { value.as_str() } else { "shop" }));
            job.labels = Labels::from_pairs(labels).unwrap();
            let done = bench.actuator.start(&job).await;
            assert_eq!(done.end, StepEnd::Failed, "{value:?} as {label}: {done:?}");
            assert!(bench.actuator.dry_run(&job).await.is_err(), "{value:?} as {label}");
            tried += 1;
        }
    }
    assert!(tried >= 600, "{tried}");
    for Got { method, path, query, .. } in api.got() {
        assert_eq!((method.as_str(), query.as_str()), ("GET", ""), "{path}");
        assert!(path.split('/').skip(1).all(is_name), "{path}");
        assert!(path.contains("/namespaces/shop/"), "{path}");
    }
    assert_eq!(api.writes(), Vec::<String>::new());
    // In a text that is only written, a value may hold anything: it stays one value.
    for (i, value) in hostile::values().iter().filter(|value| value.len() < 4_000).step_by(10).enumerate() {
        let mut job = job(&format!("r{i}.0.do"), json!({ "verb": "annotate", "annotations": { "ops.example/why": "{{x}}" } }));
        job.labels = Labels::from_pairs([("namespace", "shop"), ("deployment", "web"), ("x", value.as_str())]).unwrap();
        is(&bench.actuator.start(&job).await, StepEnd::Succeeded, "1 annotations");
        let kept = api.annotation(WEB, "ops.example/why").unwrap();
        assert!(kept.chars().count() == value.chars().count(), "{value:?} became {kept:?}");
    }
}

#[tokio::test]
async fn who_we_are_is_said_to_the_api_server_alone_and_shown_to_nobody() {
    let api = Api::start(&[(WEB, deployment("v1", 2))]);
    let scale = job("r1.0.do", json!({ "verb": "scale", "replicas": "+1" }));
    let url = format!("http://{}", api.address);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, format!("{TOKEN}\n")).unwrap();
    let by_file = bench_with(&url, &json!({ "tokenFile": file }), Duration::from_secs(3));
    is(&by_file.actuator.start(&scale).await, StepEnd::Succeeded, "replicas 2 -> 3");
    assert!(api.got().iter().all(|got| got.authorization.as_deref() == Some(&format!("Bearer {TOKEN}"))));
    assert!(!format!("{:?}", by_file.actuator).contains(TOKEN));
    // A server that echoes what it was sent.
    api.fail("GET", false, api::Fault::Says(500, format!("you sent Bearer {TOKEN}")));
    is(&by_file.actuator.start(&scale).await, StepEnd::Failed, "you sent Bearer ***");
    let asked = api.got().len();
    for (server, user, part) in [
        ("https://user@h.example", json!({ "token": TOKEN }), "more in it than"),
        ("http://10.0.0.1:6443", json!({ "token": TOKEN }), "is not https"),
        (&*url, json!({ "exec": { "apiVersion": "v1", "command": "/bin/false" } }), "\"exec\""),
        (&*url, json!({ "username": "a", "password": TOKEN }), "\"username\""),
        (&*url, json!({ "as": "admin", "token": TOKEN }), "\"as\""),
        (&*url, json!({ "tokenFile": "/nonexistent" }), "No such file"),
        (&*url, json!({ "client-certificate-data": "aGVsbG8=" }), "want both"),
    ] {
        let bench = bench_with(server, &user, Duration::from_secs(3));
        is(&bench.actuator.start(&scale).await, StepEnd::Failed, part);
    }
    assert_eq!(api.got().len(), asked, "none of them was asked");
}
