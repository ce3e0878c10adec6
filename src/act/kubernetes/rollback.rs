//! Rolling a deployment back: the pod template of the revision before, which its ReplicaSets keep.
//!
//! What runs now is told by the template, not by the highest number: while a rollout is not yet taken up by the controller, the highest number is
//! still the one before, and going back from there would be two steps.

use kube::core::params::{GetParams, ListParams};
use kube::core::{DynamicObject, ObjectList};
use serde_json::{Value, json};

use super::fault::Fault;
use super::hand::Hand;
use super::marks::{Before, State};
use super::target::{Kind, Target};

/// The number that the controller gives each.
const REVISION: &str = "deployment.kubernetes.io/revision";

/// What tells the pods of one ReplicaSet from another's; not part of what a person wrote.
const POD_HASH: &str = "pod-template-hash";

/// ReplicaSets of one namespace that are looked through. A deployment keeps ten unless it is told otherwise.
const MAX_SETS: u32 = 500;

/// The patch that puts the template of the revision before in place, and how it was.
pub async fn plan(hand: &Hand<'_>, deployment: &DynamicObject) -> Result<(Value, Before, String), String> {
    let selector = selector(&deployment.data["spec"]["selector"])?;
    if deployment.data["spec"]["paused"] == true {
        return Err("it is paused, and would not roll".to_owned());
    }
    let seen = deployment.data["status"]["observedGeneration"].as_i64();
    if seen.is_none() || seen < deployment.metadata.generation {
        return Err("its newest change has not been taken up yet, so the revision before is not known".to_owned());
    }
    let params = ListParams::default().labels(&selector).limit(MAX_SETS);
    let made = hand.cluster.requests(Kind::ReplicaSet, hand.target.namespace.as_deref()).list(&params);
    let sets: ObjectList<DynamicObject> = hand.cluster.ask(made, hand.deadline).await.map_err(Fault::says)?;
    if sets.metadata.continue_.is_some_and(|more| !more.is_empty()) {
        return Err(format!("there are more than {MAX_SETS} ReplicaSets with its labels"));
    }
    let [now, before] = revisions(deployment, &sets.items)?;
    let (name, was) = (name_of(before.1), name_of(now.1));
    let step = Before { run: hand.id.to_owned(), set: State::TemplateOf(name), was: State::TemplateOf(was) };
    Ok((replacing(template(&before.1.data)), step, format!("revision {} -> the template of revision {}", now.0, before.0)))
}

/// What runs and what ran before it, with their numbers.
fn revisions<'a>(deployment: &DynamicObject, sets: &'a [DynamicObject]) -> Result<[(u64, &'a DynamicObject); 2], String> {
    let uid = deployment.metadata.uid.as_deref();
    let is_own = |set: &&DynamicObject| {
        set.metadata.owner_references.iter().flatten().any(|owner| owner.controller == Some(true) && Some(owner.uid.as_str()) == uid)
    };
    let numbered = |set: &'a DynamicObject| {
        let text = set.metadata.annotations.as_ref()?.get(REVISION)?;
        text.parse::<u64>().ok().map(|number| (number, set))
    };
    let mut own: Vec<(u64, &DynamicObject)> = sets.iter().filter(is_own).filter_map(numbered).collect();
    own.sort_by_key(|(number, _)| *number);
    let wanted = template(&deployment.data);
    let at =
        own.iter().rposition(|(_, set)| template(&set.data) == wanted).ok_or("none of its ReplicaSets has the template that it has now")?;
    let before = own[..at].last().ok_or("there is no revision before this one")?;
    Ok([own[at], *before])
}

/// The patch that leads to a ReplicaSet's template.
pub async fn patch_to(hand: &Hand<'_>, set: &str) -> Result<Value, String> {
    Ok(replacing(template_of(hand, set).await?))
}

/// Whether a deployment runs a ReplicaSet's template.
pub async fn runs(hand: &Hand<'_>, deployment: &DynamicObject, set: &str) -> Result<bool, String> {
    Ok(template_of(hand, set).await? == template(&deployment.data))
}

async fn template_of(hand: &Hand<'_>, name: &str) -> Result<Value, String> {
    if !super::names::is_name(name) {
        return Err(format!("{name:?} is no name of a ReplicaSet"));
    }
    let target = Target { kind: Kind::ReplicaSet, namespace: hand.target.namespace.clone(), name: name.to_owned() };
    let made = hand.cluster.requests(target.kind, target.namespace.as_deref()).get(name, &GetParams::default());
    let set: DynamicObject = hand.cluster.ask(made, hand.deadline).await.map_err(Fault::says)?;
    if target.is(&set) { Ok(template(&set.data)) } else { Err(format!("the answer is not {target}")) }
}

fn replacing(mut template: Value) -> Value {
    template["$patch"] = json!("replace");
    json!({ "spec": { "template": template } })
}

/// As a person wrote it.
fn template(data: &Value) -> Value {
    let mut template = data["spec"]["template"].clone();
    if let Some(labels) = template.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
        labels.remove(POD_HASH);
    }
    template
}

fn name_of(set: &DynamicObject) -> String {
    set.metadata.name.clone().unwrap_or_default()
}

/// As a query has it. Only equality: the few deployments with more are found by hand.
fn selector(selector: &Value) -> Result<String, String> {
    let pairs = selector["matchLabels"].as_object().filter(|all| !all.is_empty());
    let pairs = pairs.ok_or("its selector has no matchLabels, by which its ReplicaSets are found")?;
    Ok(pairs.iter().map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default())).collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(name: &str, revision: &str, image: &str, owner: &str) -> DynamicObject {
        serde_json::from_value(json!({
            "metadata": { "name": name, "annotations": { REVISION: revision },
                "ownerReferences": [{ "apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": owner, "controller": true }] },
            "spec": { "template": { "metadata": { "labels": { "app": "web", POD_HASH: name } }, "spec": { "image": image } } },
        }))
        .unwrap()
    }

    fn deployment(image: &str) -> DynamicObject {
        serde_json::from_value(json!({
            "metadata": { "name": "web", "uid": "u1" },
            "spec": { "template": { "metadata": { "labels": { "app": "web" } }, "spec": { "image": image } } },
        }))
        .unwrap()
    }

    #[test]
    fn the_revision_before_is_that_of_what_runs_now() {
        let sets = [set("c", "10", "v3", "u1"), set("a", "2", "v1", "u1"), set("b", "9", "v2", "u1"), set("x", "11", "v9", "u2")];
        let pair = |image: &str| revisions(&deployment(image), &sets).map(|[now, before]| (now.0, before.0));
        assert_eq!(pair("v3"), Ok((10, 9)), "numbers, not texts, and only its own");
        assert_eq!(pair("v2"), Ok((9, 2)));
        assert!(pair("v1").unwrap_err().contains("no revision before"));
        assert!(pair("v4").unwrap_err().contains("none of its ReplicaSets"));
        let patch = replacing(template(&sets[1].data));
        assert_eq!(patch["spec"]["template"]["metadata"]["labels"], json!({ "app": "web" }), "the hash stays with its ReplicaSet");
        assert_eq!(patch["spec"]["template"]["$patch"], "replace");
        assert_eq!(selector(&json!({ "matchLabels": { "a": "b", "c/d": "e" } })).unwrap(), "a=b,c/d=e");
        assert!(selector(&json!({ "matchExpressions": [] })).is_err());
    }
}
