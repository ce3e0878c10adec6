//! Draining a node: it takes no new pods, and those on it are asked to leave, as disruption budgets allow.
//!
//! Evictions and never deletions: a budget that says no is a reason to wait, until the step's time is over. Everything is looked at before anything is
//! done: one pod outside the namespaces that may be acted in, or one that nobody would make anew, and the node is left as it is.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use kube::core::params::{ListParams, PostParams};
use kube::core::{DynamicObject, ObjectList};
use serde_json::{Value, json};

use super::super::Done;
use super::change::{Outcome, plan};
use super::fault::Fault;
use super::hand::{Hand, nothing};
use super::marks::{Before, Marks, State};
use super::target::Kind;
use super::{ask::What, pod};
use crate::core::playbook::StepEnd;

/// Pods of one node that are read: kubelets take 110 unless told otherwise, and nobody tells them more than this.
const MAX_LISTED: u32 = 500;

/// Between one look at what is left and the next: a pod takes seconds to end.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// One pod that has to leave.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Leaving {
    namespace: String,
    name: String,
    uid: String,
}

/// Those that have to leave the node.
async fn leaving(hand: &Hand<'_>) -> Result<Vec<DynamicObject>, Fault> {
    let params = ListParams::default().fields(&format!("spec.nodeName={}", hand.target.name)).limit(MAX_LISTED);
    let pods: ObjectList<DynamicObject> = hand.cluster.ask(hand.cluster.requests(Kind::Pod, None).list(&params), hand.deadline).await?;
    if pods.metadata.continue_.is_some_and(|more| !more.is_empty()) {
        return Err(Fault::Unclear(format!("there are more than {MAX_LISTED} pods on it")));
    }
    Ok(pods.items.into_iter().filter(has_to_leave).collect())
}

/// Not what belongs to the node itself: a DaemonSet's pod would come back to it at once.
fn has_to_leave(pod: &DynamicObject) -> bool {
    let stays = |kind: &str| matches!(kind, "DaemonSet" | "Node");
    let is_over = matches!(pod.data["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
    !is_over && !pod.metadata.owner_references.iter().flatten().any(|owner| owner.controller == Some(true) && stays(&owner.kind))
}

fn who(pod: &DynamicObject) -> Option<Leaving> {
    let meta = &pod.metadata;
    Some(Leaving { namespace: meta.namespace.clone()?, name: meta.name.clone()?, uid: meta.uid.clone()? })
}

/// Whether all of them may be moved.
fn check(pods: &[DynamicObject], allowed: &BTreeSet<String>, most: usize) -> Result<Vec<Leaving>, String> {
    if pods.len() > most {
        return Err(format!("{} pods would have to leave it, and max_pods is {most}", pods.len()));
    }
    pods.iter()
        .map(|pod| {
            let who = who(pod).filter(|who| super::names::is_label(&who.namespace) && super::names::is_name(&who.name));
            let who = who.ok_or("a pod on it has no name, namespace or uid")?;
            if !allowed.contains(&who.namespace) {
                return Err(format!(
                    "pod {}/{} is on it, and act.kubernetes.namespaces does not have {}",
                    who.namespace, who.name, who.namespace
                ));
            }
            pod::comes_back(pod).map_err(|why| format!("pod {}/{} is on it: {why}", who.namespace, who.name))?;
            Ok(who)
        })
        .collect()
}

/// Whether it was let go; a budget's no is for later.
async fn evict(hand: &Hand<'_>, who: &Leaving, dry_run: bool) -> Result<bool, Fault> {
    // Without a version: servers differ in which they know, and all know what stands at this path.
    let body = json!({
        "metadata": { "name": who.name, "namespace": who.namespace },
        "deleteOptions": { "preconditions": { "uid": who.uid } },
    });
    let (params, body) = (PostParams { dry_run, field_manager: None }, body.to_string().into_bytes());
    let made = hand.cluster.requests(Kind::Pod, Some(&who.namespace)).create_subresource("eviction", &who.name, &params, body);
    match hand.cluster.ask::<Value, _>(made, hand.deadline).await {
        Ok(_) => Ok(true),
        Err(fault) if fault.is_status(429) => Ok(false),
        // It has gone, or another one has its name.
        Err(fault) if fault.is_status(404) || fault.is_status(409) => Ok(true),
        // Asked again, it is the same question: the uid is in it.
        Err(Fault::Unclear(_)) if !dry_run => Ok(false),
        Err(fault) => Err(fault),
    }
}

pub async fn dry_run(hand: &Hand<'_>, allowed: &BTreeSet<String>, most: usize) -> Result<String, String> {
    let node = hand.read().await.map_err(Fault::says)?;
    let (change, before) = cordoning(hand, &node)?;
    let pods = check(&leaving(hand).await.map_err(Fault::says)?, allowed, most)?;
    hand.try_out(&node, change, Some(before), None).await.map_err(Fault::says)?;
    let mut kept = 0;
    for who in &pods {
        kept += usize::from(!evict(hand, who, true).await.map_err(Fault::says)?);
    }
    let names: Vec<String> = pods.iter().map(|who| format!("{}/{}", who.namespace, who.name)).collect();
    let later = if kept > 0 { format!("; {kept} of them are kept by disruption budgets for now") } else { String::new() };
    Ok(format!("it takes no new pods, and {} would leave it: {}{later}", pods.len(), names.join(", ")))
}

fn cordoning(hand: &Hand<'_>, node: &DynamicObject) -> Result<(Value, Before), String> {
    let (set, was) = match plan(&What::Cordon, node, "")? {
        Outcome::Change(change) => (change.set, change.was),
        Outcome::Nothing(_) => (json!({}), json!({})),
    };
    let before = Before { run: hand.id.to_owned(), set: State::Patch(set.clone()), was: State::Patch(was) };
    Ok((set, before))
}

pub async fn drain(hand: &Hand<'_>, allowed: &BTreeSet<String>, most: usize) -> Done {
    once(hand, allowed, most).await.unwrap_or_else(|done| done)
}

async fn once(hand: &Hand<'_>, allowed: &BTreeSet<String>, most: usize) -> Result<Done, Done> {
    let node = hand.read().await.map_err(|fault| nothing(&fault.says()))?;
    let pods = leaving(hand).await.map_err(|fault| nothing(&fault.says()))?;
    let pods = check(&pods, allowed, most).map_err(|why| nothing(&why))?;
    if !Marks::of(&node).has(hand.id) {
        for who in &pods {
            evict(hand, who, true).await.map_err(|fault| nothing(&format!("the dry run failed: {}", fault.says())))?;
        }
        let (change, before) = cordoning(hand, &node).map_err(|why| nothing(&why))?;
        hand.write(&node, change, Some(before), None).await?;
    }
    let all = pods.len();
    loop {
        let left = match leaving(hand).await {
            Ok(left) => left,
            Err(Fault::Refused { says, .. }) => return Err(Done::new(StepEnd::Failed, format!("it takes no new pods, but: {says}"))),
            Err(fault) => {
                return Err(Done::new(StepEnd::TimedOut, format!("it takes no new pods; what is left is not known: {}", fault.says())));
            }
        };
        if left.is_empty() {
            return Ok(Done::new(StepEnd::Succeeded, format!("{all} pods have left {}", hand.target)));
        }
        // Looked at again each time: since it takes no new ones, only what slipped in before that can be new.
        let waiting = check(&left, allowed, most).map_err(|why| Done::new(StepEnd::Failed, format!("it takes no new pods, but: {why}")))?;
        for (who, pod) in waiting.iter().zip(&left) {
            if pod.metadata.deletion_timestamp.is_none() && Instant::now() < hand.deadline {
                let sent = evict(hand, who, false).await;
                sent.map_err(|fault| {
                    Done::new(StepEnd::Failed, format!("it takes no new pods, but {}/{} stays: {}", who.namespace, who.name, fault.says()))
                })?;
            }
        }
        if Instant::now() + LOOK_AGAIN >= hand.deadline {
            return Err(Done::new(StepEnd::TimedOut, format!("it takes no new pods, and {} of {all} are still there", left.len())));
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// Of one that was begun.
pub async fn probe(hand: &Hand<'_>) -> Done {
    match leaving(hand).await {
        Ok(left) if left.is_empty() => Done::new(StepEnd::Succeeded, "its pods have left"),
        Ok(left) => Done::new(StepEnd::TimedOut, format!("it takes no new pods, and {} are still there", left.len())),
        Err(fault) => Done::new(StepEnd::Unknown, fault.says()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on_it(namespace: &str, owner: &str, phase: &str) -> DynamicObject {
        let owners = json!([{ "apiVersion": "v1", "kind": owner, "name": "o", "uid": "u", "controller": true }]);
        serde_json::from_value(json!({
            "metadata": { "name": "p", "namespace": namespace, "uid": "u", "ownerReferences": if owner.is_empty() { json!([]) } else { owners } },
            "status": { "phase": phase },
        }))
        .unwrap()
    }

    #[test]
    fn all_of_them_may_be_moved_or_none_is() {
        let allowed = BTreeSet::from(["shop".to_owned()]);
        assert!(!has_to_leave(&on_it("kube-system", "DaemonSet", "Running")) && !has_to_leave(&on_it("kube-system", "Node", "Running")));
        assert!(has_to_leave(&on_it("shop", "ReplicaSet", "Running")) && !has_to_leave(&on_it("shop", "Job", "Succeeded")));
        let good = on_it("shop", "ReplicaSet", "Running");
        assert_eq!(check(&[good.clone(), good.clone()], &allowed, 2).unwrap().len(), 2);
        assert!(check(&[good.clone(), good.clone()], &allowed, 1).unwrap_err().contains("max_pods is 1"));
        let foreign = check(&[good.clone(), on_it("bank", "ReplicaSet", "Running")], &allowed, 9).unwrap_err();
        assert!(foreign.contains("pod bank/p") && foreign.contains("does not have bank"), "{foreign}");
        assert!(check(&[on_it("shop", "", "Running")], &allowed, 9).unwrap_err().contains("belongs to nobody"));
        assert!(check(&[on_it("../x", "ReplicaSet", "Running")], &allowed, 9).is_err());
    }
}
