//! What a real API server has answered (`PORTENT_RECORD=1 make test-kubernetes` writes it anew, with the namespace called shop): objects with all that a server adds to them, and its own
//! words when it refuses.

use std::path::{Path, PathBuf};

use portent::act::Actuator as _;
use portent::core::playbook::StepEnd;
use serde_json::{Value, json};

use super::api::{Api, Fault};
use super::{NODE, WEB, bench, is, job, replicas};

pub fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/kubernetes/{name}.json"))
}

fn recorded(name: &str) -> Value {
    without_nulls(serde_json::from_str(&std::fs::read_to_string(path(name)).unwrap()).unwrap())
}

/// A real server writes `creationTimestamp: null` into templates again after a patch; the small one here, to which null is absent, does not.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            members.into_iter().filter(|(_, member)| !member.is_null()).map(|(key, member)| (key, without_nulls(member))).collect()
        }
        Value::Array(items) => items.into_iter().map(without_nulls).collect(),
        other => other,
    }
}

fn image(api: &Api) -> Value {
    api.object(WEB).unwrap()["spec"]["template"]["spec"]["containers"][0]["image"].clone()
}

#[tokio::test]
async fn objects_of_a_real_server_are_read_and_written() {
    let pod = recorded("pod");
    let name = pod["metadata"]["name"].as_str().unwrap().to_owned();
    let pod_path = format!("/api/v1/namespaces/shop/pods/{name}");
    let mut objects = vec![(WEB.to_owned(), recorded("deployment")), (NODE.to_owned(), recorded("node")), (pod_path.clone(), pod)];
    for mut set in recorded("replicasets")["items"].as_array().unwrap().clone() {
        // A list does not say of each what it is; asked for alone, it does.
        set["apiVersion"] = json!("apps/v1");
        set["kind"] = json!("ReplicaSet");
        objects.push((format!("/apis/apps/v1/namespaces/shop/replicasets/{}", set["metadata"]["name"].as_str().unwrap()), set));
    }
    let objects: Vec<(&str, Value)> = objects.iter().map(|(path, object)| (path.as_str(), object.clone())).collect();
    let api = Api::start(&objects);
    let bench = bench(&api);
    let before = replicas(&api);
    let undo = |run: &str| job(&format!("{run}.0.undo"), json!({ "verb": "undo" }));

    is(&bench.actuator.start(&job("n1.0.do", json!({ "verb": "scale", "replicas": "+1" }))).await, StepEnd::Succeeded, "replicas");
    assert_eq!(replicas(&api), before + 1);
    is(&bench.actuator.start(&undo("n1")).await, StepEnd::Succeeded, "back to");
    assert_eq!((replicas(&api), image(&api)), (before, json!("pause:v2")));
    is(&bench.actuator.start(&job("n2.0.do", json!({ "verb": "rollback" }))).await, StepEnd::Succeeded, "the template of revision");
    assert_eq!(image(&api), "pause:v1");
    is(&bench.actuator.start(&undo("n2")).await, StepEnd::Succeeded, "back to the template");
    assert_eq!(image(&api), "pause:v2");
    is(&bench.actuator.start(&job("n4.0.do", json!({ "verb": "restart_pod", "name": name }))).await, StepEnd::Succeeded, "is being ended");
    assert!(api.object(&pod_path).unwrap()["metadata"]["deletionTimestamp"].is_string());
    is(&bench.actuator.start(&job("n5.0.do", json!({ "verb": "cordon" }))).await, StepEnd::Succeeded, "takes no new pods");
}

#[tokio::test]
async fn refusals_of_a_real_server_are_told_in_its_own_words() {
    for (status, part) in [
        (403, "is forbidden: User \"system:serviceaccount:shop:nobody\" cannot patch resource"),
        (404, "deployments.apps \"web-gone\" not found"),
        (409, "the object has been modified; please apply your changes to the latest version"),
        (422, "must be greater than or equal to 0"),
    ] {
        let answer = recorded(&format!("status-{status}"));
        for is_dry in [true, false] {
            let api = Api::start(&[(WEB, recorded("deployment"))]);
            let bench = bench(&api);
            api.fail("PATCH", is_dry, Fault::Says(status, answer.to_string()));
            let done = bench.actuator.start(&job("n1.0.do", json!({ "verb": "scale", "replicas": "+1" }))).await;
            is(&done, StepEnd::Failed, "nothing was done");
            is(&done, StepEnd::Failed, &format!("answered {status}"));
            is(&done, StepEnd::Failed, part);
        }
    }
}
