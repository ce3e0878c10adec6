//! What has to be written for what is asked, from the object as it is: pure, so that every case can be looked at without a cluster.
//!
//! Strategic merge patches, not JSON patches: they say what shall be, find a container by its name and not by its place, and carry the object's
//! resource version with them, so that whoever changed it in between wins.

use kube::core::DynamicObject;
use serde_json::{Map, Value, json};

use super::ask::{Replicas, What};
use super::quantity::Quantity;

/// What a rollout is restarted by, the same as `kubectl` writes.
const RESTARTED_AT: &str = "kubectl.kubernetes.io/restartedAt";

/// What is written and what takes it back, each as a patch.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    pub set: Value,
    pub was: Value,
    /// For people.
    pub says: String,
}

/// What comes of it.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    Change(Change),
    /// It is so already.
    Nothing(String),
}

/// `now` is what a restart is dated by.
///
/// # Errors
/// Why it is not done.
pub fn plan(what: &What, object: &DynamicObject, now: &str) -> Result<Outcome, String> {
    match what {
        What::Scale { replicas, min, max } => scale(object, *replicas, *min, *max),
        What::RolloutRestart => Ok(restart(object, now)),
        What::Cordon | What::Drain { .. } => Ok(cordon(object, true)),
        What::Uncordon => Ok(cordon(object, false)),
        What::PatchLimits { container, resource, percent, max } => limits(object, container, resource, *percent, *max),
        What::Annotate(annotations) => {
            let old = |key: &String| object.metadata.annotations.as_ref().and_then(|all| all.get(key));
            let was: Map<String, Value> = annotations.keys().map(|key| (key.clone(), json!(old(key)))).collect();
            let says = format!("{} annotations", annotations.len());
            Ok(Outcome::Change(Change { set: annotated(&json!(annotations)), was: annotated(&Value::Object(was)), says }))
        }
        What::RestartPod | What::Rollback | What::Undo => Err("this is no change of the object alone".to_owned()),
    }
}

fn annotated(annotations: &Value) -> Value {
    json!({ "metadata": { "annotations": annotations } })
}

fn scale(object: &DynamicObject, replicas: Replicas, min: i64, max: i64) -> Result<Outcome, String> {
    // Absent is one, says the API; the server fills it in, so absent is no workload's answer.
    let is = object.data["spec"]["replicas"].as_i64().ok_or("its spec says no replicas")?;
    let wanted = match replicas {
        Replicas::To(to) => to,
        Replicas::By(by) => is.saturating_add(by),
    };
    // Beyond a bound a step goes up to it and not past it, and never the other way: at 12 with a max of 10, one more is not two fewer.
    let to = match replicas {
        Replicas::To(_) => wanted,
        Replicas::By(by) if by > 0 => wanted.min(max),
        Replicas::By(_) => wanted.max(min),
    };
    let is_forward = match replicas {
        Replicas::To(_) => true,
        Replicas::By(by) if by > 0 => to > is,
        Replicas::By(_) => to < is,
    };
    if !is_forward {
        return Err(format!("it has {is} replicas, and may have {min} to {max}"));
    }
    if to == is {
        return Ok(Outcome::Nothing(format!("it has {is} replicas already")));
    }
    let spec = |count: i64| json!({ "spec": { "replicas": count } });
    Ok(Outcome::Change(Change { set: spec(to), was: spec(is), says: format!("replicas {is} -> {to}") }))
}

fn restart(object: &DynamicObject, now: &str) -> Outcome {
    let old = &object.data["spec"]["template"]["metadata"]["annotations"][RESTARTED_AT];
    let patch = |at: Value| json!({ "spec": { "template": { "metadata": { "annotations": { RESTARTED_AT: at } } } } });
    Outcome::Change(Change { set: patch(json!(now)), was: patch(old.clone()), says: "all of its pods, one after the other".to_owned() })
}

fn cordon(object: &DynamicObject, wanted: bool) -> Outcome {
    let is = object.data["spec"]["unschedulable"].as_bool().unwrap_or(false);
    let spec = |on: bool| json!({ "spec": { "unschedulable": if on { json!(true) } else { Value::Null } } });
    let word = if wanted { "takes no new pods" } else { "takes new pods" };
    if is == wanted {
        return Outcome::Nothing(format!("it {word} already"));
    }
    Outcome::Change(Change { set: spec(wanted), was: spec(is), says: word.to_owned() })
}

fn limits(object: &DynamicObject, container: &str, resource: &str, percent: u32, max: Quantity) -> Result<Outcome, String> {
    let none = Vec::new();
    let containers = object.data["spec"]["template"]["spec"]["containers"].as_array().unwrap_or(&none);
    let found = containers.iter().find(|one| one["name"] == container).ok_or_else(|| format!("it has no container {container:?}"))?;
    let old = &found["resources"]["limits"][resource];
    let text = match old {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return Err(format!("container {container} has no {resource} limit that could be raised")),
    };
    let is = Quantity::parse(&text)?;
    let grown = is.percent(percent);
    let to = if grown.is_more_than(max) { max } else { grown };
    if !to.is_more_than(is) {
        return Err(format!("the {resource} limit of container {container} is {is}, and may be {max} at most"));
    }
    let patch = |amount: Value| json!({ "spec": { "template": { "spec": { "containers": [{ "name": container, "resources": { "limits": { resource: amount } } }] } } } });
    let says = format!("{resource} limit of container {container} {is} -> {to}");
    Ok(Outcome::Change(Change { set: patch(json!(to.to_string())), was: patch(old.clone()), says }))
}

/// Whether a patch would change nothing: all that it says is so already. Lists are those that patches merge by name.
pub fn holds(object: &Value, patch: &Value) -> bool {
    match (object, patch) {
        (_, Value::Object(members)) => members.iter().all(|(key, wanted)| holds(&object[key.as_str()], wanted)),
        (Value::Array(items), Value::Array(wanted)) => {
            wanted.iter().all(|one| items.iter().any(|item| item["name"] == one["name"] && holds(item, one)))
        }
        (is, wanted) => is == wanted,
    }
}

/// Two patches as one; what `over` says counts.
pub fn merged(mut base: Value, over: Value) -> Value {
    match (&mut base, over) {
        (Value::Object(members), Value::Object(others)) => {
            for (key, value) in others {
                let old = members.remove(&key).unwrap_or(Value::Null);
                members.insert(key, merged(old, value));
            }
            base
        }
        (_, over) => over,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployment(spec: &Value) -> DynamicObject {
        serde_json::from_value(json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "web" }, "spec": spec }))
            .unwrap()
    }

    fn scaled(is: i64, replicas: Replicas) -> Result<i64, String> {
        let what = What::Scale { replicas, min: 2, max: 5 };
        match plan(&what, &deployment(&json!({ "replicas": is })), "")? {
            Outcome::Change(change) => {
                assert_eq!(change.was, json!({ "spec": { "replicas": is } }));
                Ok(change.set["spec"]["replicas"].as_i64().unwrap())
            }
            Outcome::Nothing(_) => Ok(is),
        }
    }

    #[test]
    fn scaling_stays_within_its_bounds_and_never_goes_the_other_way() {
        assert_eq!([2, 3, 4].map(|is| scaled(is, Replicas::By(1))), [Ok(3), Ok(4), Ok(5)]);
        assert_eq!((scaled(4, Replicas::By(3)), scaled(3, Replicas::By(-3))), (Ok(5), Ok(2)), "up to the bound");
        assert_eq!((scaled(9, Replicas::To(5)), scaled(5, Replicas::To(5)), scaled(0, Replicas::By(1))), (Ok(5), Ok(5), Ok(1)));
        for (is, by) in [(5, 1), (9, 1), (2, -1), (0, -1), (i64::MAX, 1)] {
            let error = scaled(is, Replicas::By(by)).unwrap_err();
            assert!(error.contains("may have 2 to 5"), "{is} by {by}: {error}");
        }
        assert!(plan(&What::Scale { replicas: Replicas::By(1), min: 1, max: 2 }, &deployment(&json!({})), "").is_err());
    }

    #[test]
    fn limits_grow_up_to_their_maximum_in_the_container_that_is_named() {
        let spec = json!({ "template": { "spec": { "containers": [
            { "name": "log", "resources": {} }, { "name": "app", "resources": { "limits": { "memory": "512Mi", "cpu": 1 } } }] } } });
        let grow = |container: &str, resource: &'static str, percent, max: &str| {
            let what = What::PatchLimits { container: container.to_owned(), resource, percent, max: Quantity::parse(max).unwrap() };
            plan(&what, &deployment(&spec), "").map(|outcome| match outcome {
                Outcome::Change(change) => change.says,
                Outcome::Nothing(text) => text,
            })
        };
        assert_eq!(grow("app", "memory", 150, "2Gi").unwrap(), "memory limit of container app 512Mi -> 768Mi");
        assert_eq!(grow("app", "memory", 400, "1Gi").unwrap(), "memory limit of container app 512Mi -> 1Gi");
        assert_eq!(grow("app", "cpu", 150, "4").unwrap(), "cpu limit of container app 1 -> 1500m");
        for (container, resource, max, part) in [
            ("app", "memory", "512Mi", "may be 512Mi at most"),
            ("app", "memory", "100Mi", "may be 100Mi at most"),
            ("log", "memory", "1Gi", "has no memory limit"),
            ("web", "memory", "1Gi", "no container \"web\""),
        ] {
            let error = grow(container, resource, 150, max).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn what_was_set_is_recognised_and_taken_back() {
        let object = json!({ "spec": { "replicas": 3, "template": { "spec": { "containers": [
            { "name": "log" }, { "name": "app", "resources": { "limits": { "memory": "1Gi" } } }] } } } });
        let limit = |amount: &str| json!({ "spec": { "template": { "spec": { "containers": [{ "name": "app", "resources": { "limits": { "memory": amount } } }] } } } });
        assert!(holds(&object, &limit("1Gi")) && !holds(&object, &limit("2Gi")) && !holds(&json!({}), &limit("1Gi")));
        assert!(holds(&object, &json!({ "metadata": { "annotations": { "a/b": null } } })), "absent is null");
        assert!(!holds(&object, &json!({ "spec": { "replicas": null } })));
        let both = merged(
            json!({ "metadata": { "annotations": { "a": 1, "b": 2 } }, "spec": 1 }),
            json!({ "metadata": { "annotations": { "b": null }, "uid": "u" } }),
        );
        assert_eq!(both, json!({ "metadata": { "annotations": { "a": 1, "b": null }, "uid": "u" }, "spec": 1 }));
        let node = |spec: &Value| serde_json::from_value::<DynamicObject>(json!({ "metadata": {}, "spec": spec })).unwrap();
        assert!(matches!(plan(&What::Cordon, &node(&json!({ "unschedulable": true })), ""), Ok(Outcome::Nothing(_))));
        assert!(matches!(plan(&What::Uncordon, &node(&json!({})), ""), Ok(Outcome::Nothing(_))));
        let Ok(Outcome::Change(change)) = plan(&What::Cordon, &node(&json!({})), "") else { panic!() };
        assert_eq!((&change.set["spec"]["unschedulable"], &change.was["spec"]["unschedulable"]), (&json!(true), &Value::Null));
        let restarted = deployment(&json!({ "template": { "metadata": { "annotations": { RESTARTED_AT: "before" } } } }));
        let Ok(Outcome::Change(change)) = plan(&What::RolloutRestart, &restarted, "now") else { panic!() };
        assert!(
            holds(&serde_json::to_value(&restarted).unwrap(), &change.was)
                && !holds(&serde_json::to_value(&restarted).unwrap(), &change.set)
        );
    }
}
