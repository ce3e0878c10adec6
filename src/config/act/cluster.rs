//! Reads `act.kubernetes`: which cluster may be changed, and where in it.

use std::collections::BTreeSet;
use std::time::Duration;

use super::super::fields::Fields;
use super::super::reader::{Cx, quoted};
use super::super::tree::Node;
use crate::act::kubernetes::{Access, ClusterSettings, is_namespace};
use crate::core::time::Span;

/// Namespaces at most: more than one team can look after.
const MAX_NAMESPACES: usize = 200;

/// For one request, unless the file says otherwise: API servers that take longer are in trouble.
const USUAL_TIMEOUT: Duration = Duration::from_secs(10);

/// `{ kubeconfig: FILE, context: NAME, namespaces: [...], nodes: false, timeout: 10s }`, or `in_cluster: true` in the place of a file.
pub(super) fn read(node: &Node, cx: &mut Cx) -> Option<ClusterSettings> {
    let before = cx.errors.len();
    let mut fields = Fields::of(node, "kubernetes", cx)?;
    let file = fields.take("kubeconfig").and_then(|n| cx.text(n, "kubeconfig")).map(|text| cx.path(&text));
    let context = fields.take("context").and_then(|n| cx.text(n, "context"));
    let in_cluster = fields.take("in_cluster").and_then(|n| cx.flag(n, "in_cluster")).unwrap_or(false);
    let nodes = fields.take("nodes").and_then(|n| cx.flag(n, "nodes")).unwrap_or(false);
    let timeout = fields.take("timeout").and_then(|n| cx.span(n, "timeout", Span::SECOND, Span::MINUTE));
    let list = fields.need("namespaces", cx);
    fields.done(cx);
    let mut namespaces = BTreeSet::new();
    if let Some(list) = list {
        if list.items().is_empty() || list.items().len() > MAX_NAMESPACES {
            cx.error(list.at, format!("namespaces: found {}, want 1 to {MAX_NAMESPACES}", list.items().len()));
        }
        for item in list.items().iter().take(MAX_NAMESPACES) {
            let Some(text) = cx.text(item, "namespaces") else { continue };
            if is_namespace(&text) {
                namespaces.insert(text);
            } else {
                cx.error(item.at, format!("namespaces: {} is no namespace; all of them cannot be meant at once", quoted(&text)));
            }
        }
    }
    let access = match (file, in_cluster) {
        (Some(file), false) => Some(Access::Kubeconfig { file, context }),
        (None, true) if context.is_none() => Some(Access::InCluster),
        _ => {
            cx.error_hint(
                node.at,
                "kubernetes: how the cluster is reached is not clear",
                "want either kubeconfig (and context), or in_cluster: true",
            );
            None
        }
    };
    let timeout = timeout.map_or(USUAL_TIMEOUT, Span::to_std);
    (cx.errors.len() == before).then_some(())?;
    Some(ClusterSettings { access: access?, namespaces, nodes, timeout })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn read_text(text: &str) -> Result<ClusterSettings, Vec<String>> {
        let mut cx = Cx::new(Path::new("/etc/portent/p.yaml"));
        let settings = cx.tree(text).and_then(|root| read(&root, &mut cx));
        settings.ok_or_else(|| cx.errors.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_cluster_is_reached_one_way_and_changed_where_it_is_said() {
        let settings = read_text("{ kubeconfig: kc.yaml, context: prod, namespaces: [shop, web], timeout: 5s }").unwrap();
        let access = Access::Kubeconfig { file: "/etc/portent/kc.yaml".into(), context: Some("prod".to_owned()) };
        assert_eq!((settings.access, settings.namespaces.len(), settings.nodes), (access, 2, false));
        assert_eq!(settings.timeout, Duration::from_secs(5));
        let settings = read_text("{ in_cluster: true, namespaces: [shop], nodes: true }").unwrap();
        assert_eq!((settings.access, settings.nodes, settings.timeout), (Access::InCluster, true, USUAL_TIMEOUT));
        for (text, part) in [
            ("{ in_cluster: true }", "lacks \"namespaces\""),
            ("{ in_cluster: true, namespaces: [] }", "found 0, want 1 to 200"),
            ("{ in_cluster: true, namespaces: [\"*\"] }", "is no namespace"),
            ("{ namespaces: [shop] }", "is not clear"),
            ("{ in_cluster: true, kubeconfig: a, namespaces: [shop] }", "is not clear"),
            ("{ in_cluster: true, context: a, namespaces: [shop] }", "is not clear"),
            ("{ in_cluster: true, namespace: [shop] }", "did you mean \"namespaces\""),
        ] {
            let errors = read_text(text).unwrap_err().join("\n");
            assert!(errors.contains(part), "{text}: {errors}");
        }
    }
}
