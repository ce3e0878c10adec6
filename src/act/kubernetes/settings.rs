//! What the configuration lets the actuator do in a cluster, and how the cluster is reached.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

/// Namespaces and nodes that are not named here are refused before the cluster is asked: what the account may do there is its own business, and
/// the second lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterSettings {
    pub access: Access,
    /// Those that may be acted in.
    pub namespaces: BTreeSet<String>,
    /// Whether nodes may be cordoned and drained: they belong to everybody in the cluster.
    pub nodes: bool,
    /// For one request.
    pub timeout: Duration,
}

/// How the cluster is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// By the service account that every pod has.
    InCluster,
    /// The current context of the file, unless another one is named.
    Kubeconfig { file: PathBuf, context: Option<String> },
}
