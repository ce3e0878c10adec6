//! The embedded packs: for each exporter, what is worth watching, how far ahead, and why.
//!
//! A pack's watches are read by the same code as a configuration's, so `portent packs show NAME` prints what a user may copy and change.

use std::path::Path;
use std::sync::{Arc, LazyLock};

use crate::config::fields::Fields;
use crate::config::reader::Cx;
use crate::config::tree::Value;
use crate::config::watch::{Known, read};
use crate::core::watch::Watch;
use crate::playbooks;

const TEXTS: [(&str, &str); 5] = [
    ("node.yaml", include_str!("node.yaml")),
    ("prometheus.yaml", include_str!("prometheus.yaml")),
    ("process.yaml", include_str!("process.yaml")),
    ("tls.yaml", include_str!("tls.yaml")),
    ("kubernetes.yaml", include_str!("kubernetes.yaml")),
];

/// The watches that go with one exporter.
#[derive(Clone, Debug)]
pub struct Pack {
    pub name: String,
    /// One sentence for people.
    pub about: String,
    /// Whose metrics it reads.
    pub exporter: String,
    /// PromQL, cheap; an instant answer that is not empty means that there is data for this pack.
    pub probe: String,
    /// As written in the pack, with no source yet: [`watches_on`](Self::watches_on) gives them one.
    pub watches: Vec<Watch>,
    /// The YAML it was read from.
    pub source_text: &'static str,
}

impl Pack {
    /// The pack's watches, in the pack's order, on a source. With `plain_names` they keep their names; otherwise the source's name is added
    /// (`node-memory.prod`), since a pack used on two sources would have every name twice.
    pub fn watches_on(&self, source: &Arc<str>, plain_names: bool) -> Vec<Watch> {
        let on_source = |watch: &Watch| {
            let name = if plain_names { watch.name.clone() } else { format!("{}.{source}", watch.name).into() };
            Watch { name, source: source.clone(), ..watch.clone() }
        };
        self.watches.iter().map(on_source).collect()
    }
}

static ALL: LazyLock<Vec<Pack>> = LazyLock::new(|| {
    let mut faults = Vec::new();
    let packs: Vec<Pack> = TEXTS.into_iter().filter_map(|(file, text)| read_pack(file, text).map_err(|e| faults.push(e)).ok()).collect();
    assert!(faults.is_empty(), "a test reads every embedded pack: {faults:#?}");
    packs
});

/// All packs, in the order in which they are offered.
pub fn all() -> &'static [Pack] {
    &ALL
}

pub fn find(name: &str) -> Option<&'static Pack> {
    ALL.iter().find(|pack| pack.name == name)
}

fn read_pack(file: &str, text: &'static str) -> Result<Pack, Vec<String>> {
    let mut cx = Cx::new(Path::new(file));
    let pack = read_fields(text, &mut cx);
    match pack {
        Some(pack) if cx.errors.is_empty() => Ok(pack),
        _ => Err(cx.errors.iter().map(ToString::to_string).collect()),
    }
}

fn read_fields(text: &'static str, cx: &mut Cx) -> Option<Pack> {
    let names: Vec<&str> = playbooks::all().iter().map(|e| e.playbook.name.as_str()).collect();
    let known = Known { sources: &[], playbooks: Some(&names) };
    let root = cx.tree(text)?;
    let mut fields = Fields::of(&root, "a pack", cx)?;
    let name = fields.need("name", cx).and_then(|n| cx.name(n, "name"));
    let about = fields.need("about", cx).and_then(|n| cx.text(n, "about"));
    let exporter = fields.need("exporter", cx).and_then(|n| cx.text(n, "exporter"));
    let probe = fields.need("probe", cx).and_then(|n| cx.text(n, "probe"));
    let mut watches = Vec::new();
    if let Some(Value::List(items)) = fields.need("watches", cx).map(|n| &n.value) {
        watches.extend(items.iter().filter_map(|item| read(item, known, cx)));
    }
    fields.done(cx);
    Some(Pack { name: name?, about: about?, exporter: exporter?, probe: probe?, watches, source_text: text })
}

#[cfg(test)]
mod tests;
