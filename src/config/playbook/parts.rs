//! The parts of a playbook: its trigger, its steps, its check, its rollback.

use std::collections::BTreeMap;

use crate::config::fields::Fields;
use crate::config::reader::{Cx, quoted};
use crate::config::tree::{Node, Value};
use crate::core::playbook::{After, Check, Compare, Condition, Do, MAX_ATTEMPTS, Retry, Rollback, Step, StepEnd, Trigger};
use crate::core::prediction::Cause;
use crate::core::template::Template;
use crate::core::time::Span;

/// Most steps of one playbook: a remedy longer than this is a program.
pub(super) const MAX_STEPS: usize = 100;
/// Most conditions of one playbook: each is a query of its own.
const MAX_CONDITIONS: usize = 20;
/// The longest a step may take: what takes longer is a job, to be started and not waited for.
pub(super) const LONGEST_STEP: Span = Span::from_secs(6 * 3_600);

const CAUSES: [(&str, Cause); 3] = [("prediction", Cause::Breach), ("anomaly", Cause::Anomaly), ("check", Cause::Check)];
const COMPARES: [&str; 5] = ["gt", "ge", "lt", "le", "eq"];
const ENDS: [(&str, StepEnd); 4] =
    [("succeeded", StepEnd::Succeeded), ("failed", StepEnd::Failed), ("timed_out", StepEnd::TimedOut), ("skipped", StepEnd::Skipped)];

pub(super) fn template(node: &Node, what: &str, cx: &mut Cx) -> Option<Template> {
    let text = cx.text(node, what)?;
    text.parse().map_err(|error| cx.error(node.at, format!("{what}: {error}"))).ok()
}

fn texts(node: &Node, what: &str, cx: &mut Cx) -> Vec<String> {
    node.items().iter().filter_map(|item| cx.text(item, what)).collect()
}

pub(super) fn trigger(node: &Node, cx: &mut Cx) -> Option<Trigger> {
    let mut fields = Fields::of(node, "when", cx)?;
    let on = fields.take("on").map(|n| n.items().iter().filter_map(|item| cx.one_of(item, "on", &CAUSES)).collect()).unwrap_or_default();
    let watches = fields.take("watches").map(|n| texts(n, "watches", cx)).unwrap_or_default();
    let codes = fields.take("codes").map(|n| texts(n, "codes", cx)).unwrap_or_default();
    let labels = fields.take("labels").map(|n| labels(n, cx)).unwrap_or_default();
    let conditions = fields.take("conditions").map(|n| conditions(n, cx)).unwrap_or_default();
    fields.done(cx);
    Some(Trigger { on, watches, codes, labels, conditions })
}

fn labels(node: &Node, cx: &mut Cx) -> BTreeMap<String, String> {
    let Value::Map(entries) = &node.value else {
        cx.wrong(node, "labels", "a mapping (label: value)");
        return BTreeMap::new();
    };
    entries.iter().filter_map(|e| cx.text(&e.node, &e.key).map(|value| (e.key.clone(), value))).collect()
}

pub(super) fn conditions(node: &Node, cx: &mut Cx) -> Vec<Condition> {
    let items = node.items();
    if items.len() > MAX_CONDITIONS {
        cx.error(node.at, format!("conditions: found {}, want {MAX_CONDITIONS} at most", items.len()));
    }
    items.iter().take(MAX_CONDITIONS).filter_map(|item| condition(item, cx)).collect()
}

fn condition(node: &Node, cx: &mut Cx) -> Option<Condition> {
    let mut fields = Fields::of(node, "a condition", cx)?;
    let metric = fields.need("metric", cx).and_then(|n| cx.text(n, "metric"));
    let is = compare_in(&mut fields, "a condition", cx);
    let holds = fields.take("for").and_then(|n| cx.span(n, "for", Span::ZERO, Span::WEEK)).unwrap_or_default();
    fields.done(cx);
    Some(Condition { metric: metric?, is: is?, holds })
}

/// The one comparison among a mapping's keys.
fn compare_in(fields: &mut Fields<'_>, what: &str, cx: &mut Cx) -> Option<Compare> {
    let mut found = Vec::new();
    for key in COMPARES {
        if let Some(node) = fields.take(key) {
            let number = cx.number(node, key, f64::NEG_INFINITY, f64::INFINITY)?;
            found.push(match key {
                "gt" => Compare::Gt(number),
                "ge" => Compare::Ge(number),
                "lt" => Compare::Lt(number),
                "le" => Compare::Le(number),
                _ => Compare::Eq(number),
            });
        }
    }
    if let [one] = found[..] {
        return Some(one);
    }
    cx.error(fields.at, format!("{what}: found {} comparisons, want one of gt, ge, lt, le, eq", found.len()));
    None
}

pub(in crate::config) fn compare(node: &Node, what: &'static str, cx: &mut Cx) -> Option<Compare> {
    let mut fields = Fields::of(node, what, cx)?;
    let found = compare_in(&mut fields, what, cx);
    fields.done(cx);
    found
}

pub(super) fn steps(node: &Node, cx: &mut Cx) -> Vec<Step> {
    let Value::List(items) = &node.value else {
        cx.wrong(node, "steps", "a list of steps");
        return Vec::new();
    };
    if items.is_empty() || items.len() > MAX_STEPS {
        cx.error(node.at, format!("steps: found {}, want 1 to {MAX_STEPS}", items.len()));
        return Vec::new();
    }
    let mut steps: Vec<Step> = Vec::new();
    for item in items {
        let Some(read) = step(item, cx) else { continue };
        if steps.iter().any(|earlier| earlier.name == read.name) {
            cx.error(item.at, format!("a step is called {} already", quoted(&read.name)));
        }
        if let Some(after) = read.when.as_ref().filter(|after| steps.iter().all(|earlier| earlier.name != after.step)) {
            let known: Vec<&str> = steps.iter().map(|step| step.name.as_str()).collect();
            cx.unknown_name(item.at, "earlier step", &after.step, &known);
        }
        steps.push(read);
    }
    steps
}

/// Says aloud that a step leaves nothing to be taken back.
pub(super) const NO_UNDO: (&str, &str) = ("undo", "none");

fn step(node: &Node, cx: &mut Cx) -> Option<Step> {
    let mut fields = Fields::of(node, "a step", cx)?;
    let name = fields.need("name", cx).and_then(|n| cx.text(n, "name"));
    let action = fields.need("action", cx).and_then(|n| cx.name(n, "action"));
    let with = fields.take("with").map(|n| arguments(n, cx)).unwrap_or_default();
    let timeout = fields.take("timeout").and_then(|n| cx.span(n, "timeout", Span::SECOND, LONGEST_STEP)).unwrap_or(Step::USUAL_TIMEOUT);
    let retry = fields.take("retry").and_then(|n| retry(n, cx)).unwrap_or_default();
    let when = fields.take("when").and_then(|n| after(n, cx));
    let undo = fields.take("undo").filter(|_| !node.has(NO_UNDO)).and_then(|n| undo(n, cx));
    fields.done(cx);
    Some(Step { name: name?, does: Do { action: action?, with }, timeout, retry, when, undo })
}

fn undo(node: &Node, cx: &mut Cx) -> Option<Do> {
    let mut fields = Fields::of(node, "undo", cx)?;
    let action = fields.need("action", cx).and_then(|n| cx.name(n, "action"));
    let with = fields.take("with").map(|n| arguments(n, cx)).unwrap_or_default();
    fields.done(cx);
    Some(Do { action: action?, with })
}

/// `retry: 3`, or a mapping.
pub(super) fn retry(node: &Node, cx: &mut Cx) -> Option<Retry> {
    let usual = Retry::default();
    let most = u64::from(MAX_ATTEMPTS);
    if !matches!(node.value, Value::Map(_)) {
        return cx.whole(node, "retry", 1, most).map(|attempts| Retry { attempts: attempts as u32, ..usual });
    }
    let mut fields = Fields::of(node, "retry", cx)?;
    let attempts = fields.need("attempts", cx).and_then(|n| cx.whole(n, "attempts", 1, most));
    let wait = fields.take("wait").and_then(|n| cx.span(n, "wait", Span::from_millis(100), Span::HOUR)).unwrap_or(usual.wait);
    fields.done(cx);
    Some(Retry { attempts: attempts? as u32, wait })
}

fn after(node: &Node, cx: &mut Cx) -> Option<After> {
    let mut fields = Fields::of(node, "a step's when", cx)?;
    let step = fields.need("step", cx).and_then(|n| cx.text(n, "step"));
    let is = fields.need("is", cx).and_then(|n| cx.one_of(n, "is", &ENDS));
    fields.done(cx);
    Some(After { step: step?, is: is? })
}

/// Says aloud what holds where nothing is said: the watch's own value must come back.
pub(super) const OWN: &str = "own";

pub(super) fn check(node: &Node, cx: &mut Cx) -> Option<Check> {
    if matches!(&node.value, Value::Scalar { text, .. } if text == OWN) {
        return None;
    }
    let mut fields = Fields::of(node, "verify", cx)?;
    let query = fields.need("query", cx).and_then(|n| cx.text(n, "query"));
    let success = fields.need("success", cx).and_then(|n| compare(n, "success", cx));
    let failure = fields.take("failure").and_then(|n| compare(n, "failure", cx));
    let within = fields.take("within").and_then(|n| cx.span(n, "within", Span::SECOND, Span::DAY)).unwrap_or(Check::USUAL_WITHIN);
    let holds = fields.take("for").and_then(|n| cx.span(n, "for", Span::ZERO, Span::DAY)).unwrap_or_default();
    fields.done(cx);
    Some(Check { query: query?, success: success?, failure, within, holds })
}

pub(super) fn rollback(node: &Node, cx: &mut Cx) -> Option<Rollback> {
    let usual = Rollback::default();
    let mut fields = Fields::of(node, "rollback", cx)?;
    let enabled = fields.take("enabled").and_then(|n| cx.flag(n, "enabled")).unwrap_or(usual.enabled);
    let window = fields.take("window").and_then(|n| cx.span(n, "window", Span::SECOND, Span::DAY)).unwrap_or(usual.window);
    fields.done(cx);
    Some(Rollback { enabled, window })
}

fn arguments(node: &Node, cx: &mut Cx) -> BTreeMap<String, serde_json::Value> {
    let Value::Map(entries) = &node.value else {
        cx.wrong(node, "with", "a mapping (argument: value)");
        return BTreeMap::new();
    };
    entries.iter().map(|e| (e.key.clone(), json(&e.node))).collect()
}

/// Arguments as the actuator will see them: YAML 1.2's core schema. What a number can't hold exactly stays a text.
pub(super) fn json(node: &Node) -> serde_json::Value {
    use serde_json::Value as Json;
    match &node.value {
        _ if node.is_null() => Json::Null,
        Value::List(items) => Json::Array(items.iter().map(json).collect()),
        Value::Map(entries) => Json::Object(entries.iter().map(|e| (e.key.clone(), json(&e.node))).collect()),
        Value::Scalar { text, plain: false } => Json::String(text.clone()),
        Value::Scalar { text, plain: true } => match text.as_str() {
            "true" => Json::Bool(true),
            "false" => Json::Bool(false),
            _ => text
                .parse::<i64>()
                .map(Json::from)
                .ok()
                .or_else(|| text.parse::<f64>().ok().filter(|v| v.is_finite()).map(Json::from))
                .unwrap_or_else(|| Json::String(text.clone())),
        },
    }
}
