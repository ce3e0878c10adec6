//! Reads playbooks: written out in the configuration, in files it names, or in a folder of theirs.

use std::path::{Path, PathBuf};

use super::fields::Fields;
use super::http::error_text;
use super::reader::{Cx, quoted};
use super::tree::{Node, Value};
use crate::core::playbook::{Match, Playbook, Step};

/// Most files in a folder of playbooks, and most playbooks in all.
const MAX_PLAYBOOKS: usize = 1_000;
/// Most steps of one playbook: a remedy longer than this is a program.
const MAX_STEPS: usize = 100;

/// The `playbooks` list: file names and playbooks written out.
pub fn read_list(node: &Node, cx: &mut Cx) -> Vec<Playbook> {
    let items = node.items();
    let read = items.iter().filter_map(|item| match &item.value {
        Value::Map(_) => read(item, cx),
        _ => {
            let path = cx.text(item, "playbooks").map(|text| cx.path(&text))?;
            read_file(&path, item, "playbooks", cx)
        }
    });
    read.take(MAX_PLAYBOOKS).collect()
}

/// Every `*.yaml` and `*.yml` of a folder, by name.
pub fn read_dir(node: &Node, cx: &mut Cx) -> Vec<Playbook> {
    let Some(dir) = cx.text(node, "playbooks_dir").map(|text| cx.path(&text)) else { return Vec::new() };
    let listed = std::fs::read_dir(&dir).and_then(|entries| entries.map(|entry| entry.map(|e| e.path())).collect::<Result<Vec<_>, _>>());
    let mut files: Vec<PathBuf> = match listed {
        Ok(files) => files,
        Err(error) => {
            let message = format!("playbooks_dir: cannot read {}: {}", quoted(&dir.display().to_string()), error_text(&error));
            cx.error(node.at, message);
            return Vec::new();
        }
    };
    files.retain(|file| file.extension().is_some_and(|e| e == "yaml" || e == "yml"));
    files.sort_unstable();
    if files.len() > MAX_PLAYBOOKS {
        cx.error(node.at, format!("playbooks_dir: holds {} files, want {MAX_PLAYBOOKS} at most", files.len()));
        files.truncate(MAX_PLAYBOOKS);
    }
    files.iter().filter_map(|file| read_file(file, node, "playbooks_dir", cx)).collect()
}

/// One file, one playbook. Its faults name its own lines; that it can't be read is a fault of the line that names it.
fn read_file(path: &Path, named_at: &Node, what: &str, cx: &mut Cx) -> Option<Playbook> {
    let is_pipe = std::fs::metadata(path).is_ok_and(|meta| !meta.is_file());
    let text = match if is_pipe { Err("is not a regular file".to_owned()) } else { super::read_text(path) } {
        Ok(text) => text,
        Err(fault) => {
            cx.error(named_at.at, format!("{what}: cannot read {}: {fault}", quoted(&path.display().to_string())));
            return None;
        }
    };
    let mut inner = Cx::new(path);
    let root = inner.tree(&text);
    if root.is_none() && inner.errors.is_empty() {
        cx.error(named_at.at, format!("{what}: {} holds no playbook", quoted(&path.display().to_string())));
    }
    let playbook = root.and_then(|root| read(&root, &mut inner));
    cx.errors.append(&mut inner.errors);
    playbook
}

pub fn read(node: &Node, cx: &mut Cx) -> Option<Playbook> {
    let before = cx.errors.len();
    let mut fields = Fields::of(node, "a playbook", cx)?;
    let name = fields.need("name", cx).and_then(|n| cx.name(n, "name"));
    let about = fields.need("about", cx).and_then(|n| cx.text(n, "about"));
    let when = fields.take("when").and_then(|n| read_match(n, cx)).unwrap_or_default();
    let steps = fields.need("steps", cx).map(|n| read_steps(n, cx));
    fields.done(cx);
    if cx.errors.len() > before {
        return None;
    }
    Some(Playbook { name: name?, about: about?, when, steps: steps? })
}

fn read_match(node: &Node, cx: &mut Cx) -> Option<Match> {
    let mut fields = Fields::of(node, "when", cx)?;
    let watches = fields.take("watches").map(|n| n.items().iter().filter_map(|item| cx.text(item, "watches")).collect());
    let mut labels = Vec::new();
    if let Some(node) = fields.take("labels") {
        if let Value::Map(entries) = &node.value {
            labels = entries.iter().filter_map(|e| cx.text(&e.node, &e.key).map(|value| (e.key.clone(), value))).collect();
        } else {
            cx.wrong(node, "labels", "a mapping (label: value)");
        }
    }
    fields.done(cx);
    Some(Match { watches: watches.unwrap_or_default(), labels: labels.into_iter().collect() })
}

fn read_steps(node: &Node, cx: &mut Cx) -> Vec<Step> {
    let Value::List(items) = &node.value else {
        cx.wrong(node, "steps", "a list of steps");
        return Vec::new();
    };
    if items.is_empty() || items.len() > MAX_STEPS {
        cx.error(node.at, format!("steps: found {}, want 1 to {MAX_STEPS}", items.len()));
        return Vec::new();
    }
    items.iter().filter_map(|item| read_step(item, cx)).collect()
}

fn read_step(node: &Node, cx: &mut Cx) -> Option<Step> {
    let mut fields = Fields::of(node, "a step", cx)?;
    let name = fields.need("name", cx).and_then(|n| cx.text(n, "name"));
    let action = fields.need("action", cx).and_then(|n| cx.name(n, "action"));
    let with = match fields.take("with") {
        None => Vec::new(),
        Some(Node { value: Value::Map(entries), .. }) => entries.iter().map(|e| (e.key.clone(), json(&e.node))).collect(),
        Some(other) => {
            cx.wrong(other, "with", "a mapping (argument: value)");
            Vec::new()
        }
    };
    fields.done(cx);
    Some(Step { name: name?, action: action?, with: with.into_iter().collect() })
}

/// Arguments as the actuator will see them: YAML 1.2's core schema. What a number can't hold exactly stays a text.
fn json(node: &Node) -> serde_json::Value {
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
