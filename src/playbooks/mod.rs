//! The embedded playbooks and policies: examples that the packs suggest, to be copied and made one's own.
//!
//! Read as a user's file is read, so that what is shown is what would be taken.

use std::path::Path;
use std::sync::LazyLock;

use crate::config::playbook::{Book, read_text};
use crate::core::playbook::Playbook;

/// A playbook and the text it was read from, for `portent playbooks show`.
#[derive(Clone, Debug)]
pub struct Embedded {
    pub playbook: Playbook,
    pub source_text: &'static str,
    /// The same with the places of its parts.
    pub book: Book,
}

const TEXTS: [&str; 15] = [
    include_str!("expand-volume.yaml"),
    include_str!("free-disk-space.yaml"),
    include_str!("free-inodes.yaml"),
    include_str!("restart-leaky-process.yaml"),
    include_str!("raise-fd-limit.yaml"),
    include_str!("raise-conntrack-limit.yaml"),
    include_str!("scale-out.yaml"),
    include_str!("resync-clock.yaml"),
    include_str!("renew-certificate.yaml"),
    include_str!("reduce-cardinality.yaml"),
    include_str!("policies/critical-latency.yaml"),
    include_str!("policies/high-error-rate.yaml"),
    include_str!("policies/resource-exhaustion.yaml"),
    include_str!("policies/moderate-latency.yaml"),
    include_str!("policies/throughput-drop.yaml"),
];

static ALL: LazyLock<Vec<Embedded>> = LazyLock::new(|| {
    let read = |source_text| {
        let book = read_text(source_text, Path::new("embedded.yaml"));
        book.map(|book| Embedded { playbook: book.playbook.clone(), source_text, book })
    };
    TEXTS.into_iter().map(|text| read(text).expect("a test reads every embedded playbook")).collect()
});

pub fn all() -> &'static [Embedded] {
    &ALL
}

pub fn find(name: &str) -> Option<&'static Embedded> {
    ALL.iter().find(|embedded| embedded.playbook.name == name)
}

#[cfg(test)]
mod tests;
