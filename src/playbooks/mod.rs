//! The embedded playbooks: examples that the packs suggest, to be copied and made one's own.

use std::sync::LazyLock;

use crate::core::playbook::Playbook;

/// A playbook and the text it was read from, for `portent playbooks show`.
#[derive(Clone, Debug)]
pub struct Embedded {
    pub playbook: Playbook,
    pub source_text: &'static str,
}

const TEXTS: [&str; 10] = [
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
];

static ALL: LazyLock<Vec<Embedded>> = LazyLock::new(|| {
    let read = |source_text| serde_saphyr::from_str(source_text).map(|playbook| Embedded { playbook, source_text });
    TEXTS.into_iter().map(|text| read(text).expect("a test reads every embedded playbook")).collect()
});

pub fn all() -> &'static [Embedded] {
    &ALL
}

pub fn find(name: &str) -> Option<&'static Embedded> {
    ALL.iter().find(|embedded| embedded.playbook.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_embedded_playbook_is_read_and_is_for_nobody_unless_suggested() {
        let names: std::collections::BTreeSet<&str> = all().iter().map(|e| e.playbook.name.as_str()).collect();
        assert_eq!(names.len(), TEXTS.len());
        for Embedded { playbook, .. } in all() {
            assert!(playbook.when.watches.is_empty() && playbook.when.labels.is_empty(), "{}", playbook.name);
            assert!(playbook.steps.len() >= 2 && playbook.about.len() > 40, "{}", playbook.name);
            assert_eq!(
                playbook.steps.last().map(|s| s.does.action.as_str()),
                Some("notify"),
                "{}: people learn how it ended",
                playbook.name
            );
        }
        assert!(find("expand-volume").is_some() && find("nothing").is_none());
    }
}
