//! One object of the cluster: of which kind, where, how it is called.

use std::fmt;

use kube::core::{ApiResource, DynamicObject, GroupVersionKind, Resource as _};

/// Kinds that can be acted on, and the one that a rollback is read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Pod,
    Deployment,
    StatefulSet,
    DaemonSet,
    ReplicaSet,
    Node,
}

impl Kind {
    /// Those that a playbook may name.
    pub const NAMED: [Self; 5] = [Self::Pod, Self::Deployment, Self::StatefulSet, Self::DaemonSet, Self::Node];

    /// As playbooks and labels write it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pod => "pod",
            Self::Deployment => "deployment",
            Self::StatefulSet => "statefulset",
            Self::DaemonSet => "daemonset",
            Self::ReplicaSet => "replicaset",
            Self::Node => "node",
        }
    }

    pub fn is_namespaced(self) -> bool {
        self != Self::Node
    }

    /// As the API writes it.
    pub fn api(self) -> ApiResource {
        let (group, kind) = match self {
            Self::Pod => ("", "Pod"),
            Self::Node => ("", "Node"),
            Self::Deployment => ("apps", "Deployment"),
            Self::StatefulSet => ("apps", "StatefulSet"),
            Self::DaemonSet => ("apps", "DaemonSet"),
            Self::ReplicaSet => ("apps", "ReplicaSet"),
        };
        ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, "v1", kind), &format!("{}s", self.word()))
    }

    /// Where all of them are, in a namespace or everywhere.
    pub fn path(self, namespace: Option<&str>) -> String {
        DynamicObject::url_path(&self.api(), namespace)
    }
}

/// See the module. Both names have been checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub kind: Kind,
    /// None for what belongs to no namespace.
    pub namespace: Option<String>,
    pub name: String,
}

impl Target {
    /// Whether this object is the one that was asked for.
    pub fn is(&self, object: &DynamicObject) -> bool {
        let api = self.kind.api();
        let is_kind = object.types.as_ref().is_some_and(|types| types.kind == api.kind && types.api_version == api.api_version);
        let meta = &object.metadata;
        is_kind
            && meta.name.as_deref() == Some(&self.name)
            && meta.namespace == self.namespace
            && meta.uid.as_deref().is_some_and(|uid| !uid.is_empty())
            && meta.resource_version.as_deref().is_some_and(|version| !version.is_empty())
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{} {namespace}/{}", self.kind.word(), self.name),
            None => write!(f, "{} {}", self.kind.word(), self.name),
        }
    }
}
