//! The older form of a playbook, read word for word: `apiVersion: healer.platform/v1`, `kind: RemediationPlaybook`.
//!
//! ```yaml
//! apiVersion: healer.platform/v1
//! kind: RemediationPlaybook
//! metadata: { name: scale-on-load, description: Adds a replica when latency grows }
//! spec:
//!   trigger:
//!     alert: HighLatency
//!     conditions: [{ metric: latency_p99, threshold: 2000, duration: 5m }]
//!   actions:
//!     - { type: scale, replicas: +1, timeout: 60s, retry: 2 }
//!     - { type: notify, channel: "#ops", condition: on_failure }
//!   rollback: { enabled: true, window: 10m }
//! ```
//!
//! `spec` may also be left out, with its keys beside `kind`. A threshold is one that is passed, at or above it; a number with its sign
//! (`+1`) stays a text, so that one more and one in all are not the same.

use std::collections::BTreeMap;

use super::parts;
use crate::config::fields::Fields;
use crate::config::reader::Cx;
use crate::config::tree::{Entry, Node, Value};
use crate::core::playbook::{After, Compare, Condition, Do, Kind, Playbook, Rollback, Step, StepEnd, Trigger, USUAL_PRIORITY};
use crate::core::time::Span;

pub(super) const API_VERSION: &str = "healer.platform/v1";

/// The older types that are verbs of one of our actuators, and the verb. Names of what is acted on come from the series' labels there.
const CLUSTER_TYPES: [(&str, &str); 9] = [
    ("scale", "scale"),
    ("restart", "rollout_restart"),
    ("restart_pod", "restart_pod"),
    ("rollout_restart", "rollout_restart"),
    ("rollback", "rollback"),
    ("cordon", "cordon"),
    ("drain", "drain"),
    ("annotate", "annotate"),
    ("patch_limits", "patch_limits"),
];

/// Types that only tell somebody something.
const TELLING_TYPES: [&str; 3] = ["notify", "alert", "notification"];

/// When an action is done, by what became of the one before it.
const CONDITIONS: [(&str, Option<StepEnd>); 3] =
    [("always", None), ("on_success", Some(StepEnd::Succeeded)), ("on_failure", Some(StepEnd::Failed))];

pub(super) fn is_healer(node: &Node) -> bool {
    node.get("apiVersion").is_some_and(|node| matches!(&node.value, Value::Scalar { text, .. } if text == API_VERSION))
}

pub(super) fn read(node: &Node, cx: &mut Cx) -> Option<Playbook> {
    let before = cx.errors.len();
    let mut fields = Fields::of(node, "a playbook", cx)?;
    fields.take("apiVersion");
    if let Some(kind) = fields.need("kind", cx) {
        cx.known_name(kind, "kind", &["RemediationPlaybook"]);
    }
    let mut about = None;
    let name = match fields.take("metadata") {
        Some(node) => {
            let mut metadata = Fields::of(node, "metadata", cx)?;
            about = metadata.take("description").and_then(|n| cx.text(n, "description"));
            let name = metadata.need("name", cx).and_then(|n| cx.name(n, "name"));
            // Kubernetes' own: they say nothing about what is done.
            metadata.take("labels");
            metadata.take("annotations");
            metadata.take("namespace");
            metadata.done(cx);
            name
        }
        None => fields.need("name", cx).and_then(|n| cx.name(n, "name")),
    };
    let spec = match fields.take("spec") {
        Some(node) => {
            fields.done(cx);
            Fields::of(node, "spec", cx)?
        }
        None => fields,
    };
    let (when, steps, rollback) = body(spec, &mut about, cx);
    if cx.errors.len() > before {
        return None;
    }
    let name = name?;
    let about = about.unwrap_or_else(|| name.clone());
    let (enabled, mode, target, cooldown, verify) = (true, None, None, None, None);
    Some(Playbook {
        name,
        about,
        kind: Kind::Playbook,
        enabled,
        priority: USUAL_PRIORITY,
        mode,
        when,
        target,
        cooldown,
        steps,
        verify,
        rollback,
    })
}

fn body(mut spec: Fields<'_>, about: &mut Option<String>, cx: &mut Cx) -> (Trigger, Vec<Step>, Rollback) {
    if let Some(node) = spec.take("description") {
        *about = cx.text(node, "description");
    }
    let when = spec.need("trigger", cx).and_then(|n| trigger(n, cx)).unwrap_or_default();
    let mut steps = spec.need("actions", cx).map(|n| actions(n, cx)).unwrap_or_default();
    let said = about.clone().unwrap_or_else(|| "a playbook is run".to_owned());
    for step in &mut steps {
        translate(&mut step.does, &said);
    }
    let rollback = spec.take("rollback").and_then(|n| parts::rollback(n, cx));
    spec.done(cx);
    // Where nothing is said, nothing was taken back.
    (when, steps, rollback.unwrap_or(Rollback { enabled: false, ..Rollback::default() }))
}

fn trigger(node: &Node, cx: &mut Cx) -> Option<Trigger> {
    let mut fields = Fields::of(node, "trigger", cx)?;
    let codes = fields.take("alert").and_then(|n| cx.text(n, "alert")).into_iter().collect();
    let items = fields.take("conditions").map(Node::items).unwrap_or_default();
    let conditions = items.iter().filter_map(|item| condition(item, cx)).collect();
    fields.done(cx);
    Some(Trigger { codes, conditions, ..Trigger::default() })
}

fn condition(node: &Node, cx: &mut Cx) -> Option<Condition> {
    let mut fields = Fields::of(node, "a condition", cx)?;
    let metric = fields.need("metric", cx).and_then(|n| cx.text(n, "metric"));
    let threshold = fields.need("threshold", cx).and_then(|n| cx.number(n, "threshold", f64::NEG_INFINITY, f64::INFINITY));
    let holds = fields.take("duration").and_then(|n| cx.span(n, "duration", Span::ZERO, Span::WEEK)).unwrap_or_default();
    fields.done(cx);
    Some(Condition { metric: metric?, is: Compare::Ge(threshold?), holds })
}

fn actions(node: &Node, cx: &mut Cx) -> Vec<Step> {
    let items = node.items();
    if items.is_empty() || items.len() > parts::MAX_STEPS {
        cx.error(node.at, format!("actions: found {}, want 1 to {}", items.len(), parts::MAX_STEPS));
        return Vec::new();
    }
    let mut steps: Vec<Step> = Vec::new();
    for item in items {
        let step = action(item, steps.last().map(|step| step.name.clone()), steps.len(), cx);
        steps.extend(step);
    }
    steps
}

fn action(node: &Node, before: Option<String>, index: usize, cx: &mut Cx) -> Option<Step> {
    let Value::Map(entries) = &node.value else {
        cx.wrong(node, "an action", "a mapping (key: value)");
        return None;
    };
    let action = match node.get("type") {
        Some(node) => cx.name(node, "type"),
        None => {
            cx.error(node.at, "an action lacks \"type\"");
            None
        }
    };
    let (mut timeout, mut retry, mut when, mut with) = (Step::USUAL_TIMEOUT, None, None, BTreeMap::new());
    for Entry { key, node, .. } in entries {
        match key.as_str() {
            "type" => {}
            "timeout" => timeout = cx.span(node, "timeout", Span::SECOND, parts::LONGEST_STEP).unwrap_or(timeout),
            "retry" => retry = parts::retry(node, cx),
            "condition" => when = cx.one_of(node, "condition", &CONDITIONS).flatten(),
            _ => drop(with.insert(key.clone(), argument(node))),
        }
    }
    // The first action has none before it, whose end could matter.
    let when = when.zip(before).map(|(is, step)| After { step, is });
    let action = action?;
    Some(Step {
        name: format!("{}. {action}", index + 1),
        does: Do { action, with },
        timeout,
        retry: retry.unwrap_or_default(),
        when,
        undo: None,
    })
}

/// From an older type to the actuator that does it, and nothing else of it.
fn translate(does: &mut Do, about: &str) {
    if let Some((_, verb)) = CLUSTER_TYPES.iter().find(|(old, _)| *old == does.action) {
        "kubernetes".clone_into(&mut does.action);
        does.with.entry("verb".to_owned()).or_insert_with(|| (*verb).into());
    } else if TELLING_TYPES.contains(&does.action.as_str()) {
        "notify".clone_into(&mut does.action);
        // It named a channel at most.
        let text = does.with.remove("message").unwrap_or_else(|| about.into());
        does.with.entry("text".to_owned()).or_insert(text);
    }
}

fn argument(node: &Node) -> serde_json::Value {
    match &node.value {
        Value::Scalar { text, plain: true } if text.starts_with('+') => serde_json::Value::String(text.clone()),
        _ => parts::json(node),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn read_text(text: &str) -> (Option<Playbook>, Vec<String>) {
        let mut cx = Cx::new(Path::new("old.yaml"));
        let playbook = cx.tree(text).and_then(|root| super::super::read(&root, &mut cx));
        (playbook, cx.errors.iter().map(ToString::to_string).collect())
    }

    const TEXT: &str = "apiVersion: healer.platform/v1
kind: RemediationPlaybook
metadata: { name: scale-on-load, description: Adds a replica when latency grows }
spec:
  trigger:
    alert: HighLatency
    conditions: [{ metric: latency_p99, threshold: 2000, duration: 5m }]
  actions:
    - { type: scale, replicas: +1, timeout: 60s, retry: 2 }
    - { type: notify, channel: \"#ops\", condition: on_failure }
  rollback: { enabled: true, window: 10m }
";

    #[test]
    fn the_older_form_is_read_word_for_word() {
        let (playbook, errors) = read_text(TEXT);
        let playbook = playbook.unwrap_or_else(|| panic!("{errors:?}"));
        assert_eq!((playbook.name.as_str(), playbook.when.codes[0].as_str()), ("scale-on-load", "HighLatency"));
        let condition = &playbook.when.conditions[0];
        assert_eq!((condition.metric.as_str(), condition.is, condition.holds), ("latency_p99", Compare::Ge(2000.0), Span::MINUTE.times(5)));
        let [scale, notify] = &playbook.steps[..] else { panic!() };
        assert_eq!((scale.name.as_str(), scale.does.action.as_str()), ("1. scale", "kubernetes"));
        let with = |key: &str| scale.does.with[key].as_str();
        assert_eq!((with("verb"), with("replicas")), (Some("scale"), Some("+1")), "one more is not one");
        assert_eq!(notify.does.with["text"], "Adds a replica when latency grows");
        assert_eq!((scale.timeout, scale.retry.attempts, &scale.when), (Span::MINUTE, 2, &None));
        assert_eq!((notify.does.with["channel"].as_str(), notify.when.as_ref().unwrap().is), (Some("#ops"), StepEnd::Failed));
        assert!(playbook.rollback.enabled && playbook.rollback.window == Span::MINUTE.times(10));
        let flat = TEXT.replace("metadata: { name: scale-on-load, description: Adds a replica when latency grows }", "name: scale-on-load");
        let flat = flat.replace("spec:\\n", "").replace("spec:\n", "").replace("\n  ", "\n");
        let flat = read_text(&flat).0.unwrap_or_else(|| panic!("{:?}", read_text(&flat).1));
        assert_eq!((&flat.steps[0], &flat.when, flat.rollback), (&playbook.steps[0], &playbook.when, playbook.rollback));
    }

    #[test]
    fn its_faults_are_told_with_their_lines() {
        let (playbook, errors) = read_text(&TEXT.replace("threshold: 2000", "threshold: high").replace("kind: Rem", "kind: Dem"));
        assert!(playbook.is_none() && errors.len() == 2, "{errors:?}");
        assert!(errors[0].starts_with("old.yaml:2") && errors[1].starts_with("old.yaml:7"), "{errors:?}");
    }
}
