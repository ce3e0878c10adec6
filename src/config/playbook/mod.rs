//! Reads playbooks: written out in the configuration, in files it names, or in a folder of theirs.

mod healer;
mod parts;

use std::path::{Path, PathBuf};

use super::fields::Fields;
use super::http::error_text;
use super::reader::{Cx, quoted};
use super::tree::{Node, Value};
use crate::core::gate::Mode;
use crate::core::playbook::{Playbook, USUAL_PRIORITY};
use crate::core::time::Span;

/// Of our own form; may be left out.
const API_VERSION: &str = "portent.dev/v1";

/// Most files in a folder of playbooks, and most playbooks in all.
const MAX_PLAYBOOKS: usize = 1_000;

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

/// A playbook in either of its forms: ours, with or without `apiVersion: portent.dev/v1`, or the older `healer.platform/v1`.
pub fn read(node: &Node, cx: &mut Cx) -> Option<Playbook> {
    if healer::is_healer(node) {
        return healer::read(node, cx);
    }
    let before = cx.errors.len();
    let mut fields = Fields::of(node, "a playbook", cx)?;
    if let Some(node) = fields.take("apiVersion") {
        cx.known_name(node, "apiVersion", &[API_VERSION, healer::API_VERSION]);
    }
    if let Some(node) = fields.take("kind") {
        cx.known_name(node, "kind", &["Playbook", "Policy"]);
    }
    let name = fields.need("name", cx).and_then(|n| cx.name(n, "name"));
    let about = fields.need("about", cx).and_then(|n| cx.text(n, "about"));
    let enabled = fields.take("enabled").and_then(|n| cx.flag(n, "enabled")).unwrap_or(true);
    let priority = fields.take("priority").and_then(|n| cx.whole(n, "priority", 1, 10)).map_or(USUAL_PRIORITY, |p| p as u8);
    let mode = fields.take("mode").and_then(|n| cx.one_of(n, "mode", &Mode::ALL));
    let when = fields.take("when").and_then(|n| parts::trigger(n, cx)).unwrap_or_default();
    let target = fields.take("target").and_then(|n| parts::template(n, "target", cx));
    let cooldown = fields.take("cooldown").and_then(|n| cx.span(n, "cooldown", Span::ZERO, Span::WEEK));
    let steps = fields.need("steps", cx).map(|n| parts::steps(n, cx)).unwrap_or_default();
    let verify = fields.take("verify").and_then(|n| parts::check(n, cx));
    let rollback = fields.take("rollback").and_then(|n| parts::rollback(n, cx)).unwrap_or_default();
    fields.done(cx);
    if cx.errors.len() > before {
        return None;
    }
    Some(Playbook { name: name?, about: about?, enabled, priority, mode, when, target, cooldown, steps, verify, rollback })
}
