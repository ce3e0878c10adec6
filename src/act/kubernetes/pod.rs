//! Restarting a pod: it is ended, and whoever it belongs to makes a new one.
//!
//! A deletion cannot carry a mark, so the mark is written first, and the deletion names the uid and the very version that has it: a pod that was
//! replaced or changed in between is left alone.

use kube::core::DynamicObject;
use kube::core::params::{DeleteParams, Preconditions};
use serde_json::{Value, json};

use super::super::Done;
use super::fault::Fault;
use super::hand::{Hand, nothing};
use super::marks::Marks;
use crate::core::playbook::StepEnd;

/// Whether somebody would make a new one; pods of a node's own files and lonely ones are gone for good.
pub fn comes_back(pod: &DynamicObject) -> Result<(), String> {
    let owner = pod.metadata.owner_references.iter().flatten().find(|owner| owner.controller == Some(true));
    match owner.map(|owner| owner.kind.as_str()) {
        Some("Node") => Err("it is a node's own and is not restarted through the API".to_owned()),
        Some(_) => Ok(()),
        None => Err("it belongs to nobody who would make a new one".to_owned()),
    }
}

fn is_ending(pod: &DynamicObject) -> bool {
    pod.metadata.deletion_timestamp.is_some()
}

async fn delete(hand: &Hand<'_>, pod: &DynamicObject, dry_run: bool) -> Result<(), Fault> {
    let meta = &pod.metadata;
    // A dry run is of the pod before it was marked, which gives it a new version.
    let resource_version = meta.resource_version.clone().filter(|_| !dry_run);
    let params =
        DeleteParams { dry_run, ..DeleteParams::default() }.preconditions(Preconditions { resource_version, uid: meta.uid.clone() });
    // The pod as it ends, or a status: both are good news.
    let answer: Value = hand.cluster.ask(hand.requests().delete(&hand.target.name, &params), hand.deadline).await?;
    let is_known = answer["kind"] == "Pod" || (answer["kind"] == "Status" && answer["status"] == "Success");
    if is_known { Ok(()) } else { Err(Fault::Unclear("the answer to the deletion is neither the pod nor a status".to_owned())) }
}

pub async fn dry_run(hand: &Hand<'_>) -> Result<String, String> {
    let pod = hand.read().await.map_err(Fault::says)?;
    comes_back(&pod)?;
    hand.try_out(&pod, json!({}), None, None).await.map_err(Fault::says)?;
    delete(hand, &pod, true).await.map_err(Fault::says)?;
    Ok("it would be ended, and its owner makes a new one".to_owned())
}

pub async fn restart(hand: &Hand<'_>) -> Done {
    once(hand).await.unwrap_or_else(|done| done)
}

async fn once(hand: &Hand<'_>) -> Result<Done, Done> {
    let pod = hand.read().await.map_err(|fault| nothing(&fault.says()))?;
    if is_ending(&pod) {
        return Ok(Done::new(StepEnd::Succeeded, "it is being ended already"));
    }
    comes_back(&pod).map_err(|why| nothing(&why))?;
    delete(hand, &pod, true).await.map_err(|fault| nothing(&format!("the dry run failed: {}", fault.says())))?;
    let marked = if Marks::of(&pod).has(hand.id) { pod } else { hand.write(&pod, json!({}), None, None).await? };
    match delete(hand, &marked, false).await {
        Ok(()) => Ok(Done::new(StepEnd::Succeeded, format!("{} is being ended", hand.target))),
        Err(fault) if fault.is_status(404) => Ok(Done::new(StepEnd::Succeeded, "it has gone in the meantime")),
        Err(Fault::Unsent(why) | Fault::Refused { says: why, .. }) => Err(nothing(&why)),
        Err(Fault::Unclear(why)) => {
            let found = probe(&hand.patiently()).await;
            Err(Done::new(found.end, format!("{why}; {}", found.note)))
        }
    }
}

/// Whether it was ended.
pub async fn probe(hand: &Hand<'_>) -> Done {
    let unknown = |why: &str| Done::new(StepEnd::Unknown, why);
    let pod = match hand.read().await {
        Ok(pod) => pod,
        Err(fault) if fault.is_status(404) => return Done::new(StepEnd::Succeeded, "the pod is gone"),
        Err(fault) => return unknown(&fault.says()),
    };
    let (is_marked, is_ending) = (Marks::of(&pod).has(hand.id), is_ending(&pod));
    if is_marked && is_ending {
        return Done::new(StepEnd::Succeeded, "the pod is being ended");
    }
    let owner = pod.metadata.owner_references.iter().flatten().find(|owner| owner.controller == Some(true));
    // Only there does a new pod have the old one's name.
    if !is_marked && (is_ending || owner.is_none_or(|owner| owner.kind == "StatefulSet")) {
        return unknown("there is a pod of that name, and nobody can tell whether it is the old one");
    }
    match hand.note(&pod).await {
        Ok(()) => nothing("the pod is still there"),
        Err(fault) => unknown(&fault.says()),
    }
}
