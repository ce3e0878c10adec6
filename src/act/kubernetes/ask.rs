//! What a step asks for: its arguments, read once without labels (is the playbook right?) and once with them (what exactly is to be done?).
//!
//! `namespace`, `name` and `container` are the labels of these names unless the playbook says otherwise: `{ verb: scale, replicas: "+1" }` is a
//! whole order on a series that has `namespace` and `deployment`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::args::Args;
use super::super::{Risk, filled};
use super::names;
use super::quantity::Quantity;
use super::settings::ClusterSettings;
use super::target::{Kind, Target};
use crate::core::labels::Labels;

/// Replicas at most unless the playbook says more: a slip in `replicas` must not buy a hundred machines.
const USUAL_MAX_REPLICAS: i64 = 10;
/// Replicas that may be asked for at all.
const MAX_REPLICAS: i64 = 1_000;
/// Pods moved off a node at most unless the playbook says otherwise; kubelets take 110.
const USUAL_MAX_PODS: i64 = 50;
/// Pods of one node that may be moved at all: each is a request or more.
const MAX_PODS: i64 = 250;
/// A limit grows at most so many times at once; more than that is another size, and a person's choice.
const MAX_FACTOR: f64 = 4.0;
/// Annotations set by one step.
const MAX_ANNOTATIONS: usize = 16;

/// What is to be done to which object.
#[derive(Clone, Debug, PartialEq)]
pub struct Ask {
    pub target: Target,
    pub what: What,
}

#[derive(Clone, Debug, PartialEq)]
pub enum What {
    RestartPod,
    RolloutRestart,
    Scale { replicas: Replicas, min: i64, max: i64 },
    Rollback,
    Cordon,
    Uncordon,
    Drain { max_pods: usize },
    Annotate(BTreeMap<String, String>),
    PatchLimits { container: String, resource: &'static str, percent: u32, max: Quantity },
    Undo,
}

/// `3`, or `"+1"` and `"-1"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replicas {
    To(i64),
    By(i64),
}

/// Names of what can be asked for, the kinds it can be asked of (the first is the usual one), and its own arguments.
const VERBS: [(&str, &[Kind], &[&str]); 10] = [
    ("restart_pod", &[Kind::Pod], &[]),
    ("rollout_restart", &[Kind::Deployment, Kind::StatefulSet, Kind::DaemonSet], &[]),
    ("scale", &[Kind::Deployment, Kind::StatefulSet], &["replicas", "min", "max"]),
    ("rollback", &[Kind::Deployment], &[]),
    ("cordon", &[Kind::Node], &[]),
    ("uncordon", &[Kind::Node], &[]),
    ("drain", &[Kind::Node], &["max_pods"]),
    ("annotate", &[Kind::Deployment, Kind::StatefulSet, Kind::DaemonSet, Kind::Pod, Kind::Node], &["annotations"]),
    ("patch_limits", &[Kind::Deployment, Kind::StatefulSet, Kind::DaemonSet], &["container", "resource", "factor", "max"]),
    ("undo", &[Kind::Deployment, Kind::StatefulSet, Kind::DaemonSet, Kind::Pod, Kind::Node], &[]),
];

impl What {
    /// How much harm it can do.
    pub fn risk(&self) -> Risk {
        match self {
            Self::Annotate(_) | Self::Cordon | Self::Uncordon => Risk::Low,
            _ => Risk::High,
        }
    }
}

impl Ask {
    /// `labels` are `None` while only the playbook is looked at: what a label will hold is then checked later.
    ///
    /// # Errors
    /// For people: what was found, what is wanted.
    pub fn read(with: &BTreeMap<String, Value>, labels: Option<&Labels>, settings: &ClusterSettings) -> Result<Self, String> {
        let verb = with.get("verb").and_then(Value::as_str).unwrap_or_default();
        let Some((_, kinds, own)) = VERBS.into_iter().find(|(name, _, _)| *name == verb) else {
            return Err(format!("verb is {verb:?}, want one of {}", VERBS.map(|(name, _, _)| name).join(", ")));
        };
        let known: Vec<&str> = ["verb", "kind", "namespace", "name"].into_iter().chain(own.iter().copied()).collect();
        let args = Args::of(with, &known)?;
        let target = target(args, kinds, labels, settings)?;
        let what = match verb {
            "restart_pod" => What::RestartPod,
            "rollout_restart" => What::RolloutRestart,
            "scale" => scale(args)?,
            "rollback" => What::Rollback,
            "cordon" => What::Cordon,
            "uncordon" => What::Uncordon,
            "drain" => What::Drain { max_pods: whole(args, "max_pods", 1, MAX_PODS)?.unwrap_or(USUAL_MAX_PODS) as usize },
            "annotate" => annotate(args, labels)?,
            "patch_limits" => limits(args, labels)?,
            _ => What::Undo,
        };
        Ok(Self { target, what })
    }
}

fn target(args: Args<'_>, kinds: &[Kind], labels: Option<&Labels>, settings: &ClusterSettings) -> Result<Target, String> {
    let kind = match args.text("kind")? {
        None => kinds[0],
        Some(word) => Kind::NAMED.into_iter().find(|kind| kind.word() == word && kinds.contains(kind)).ok_or_else(|| {
            let wanted: Vec<&str> = kinds.iter().map(|kind| kind.word()).collect();
            format!("kind is {word:?}, want one of {}", wanted.join(", "))
        })?,
    };
    let namespace = if kind.is_namespaced() {
        let namespace = named(args.text("namespace")?.unwrap_or("{{namespace}}"), "namespace", labels, names::is_label)?;
        // Not yet filled: the label's value decides.
        if !namespace.contains("{{") && !settings.namespaces.contains(&namespace) {
            return Err(format!("namespace {namespace:?} is not one that may be acted in; hint: add it to act.kubernetes.namespaces"));
        }
        Some(namespace)
    } else {
        if !settings.nodes {
            return Err("nodes may not be acted on; hint: set act.kubernetes.nodes to true if they are meant to be".to_owned());
        }
        if args.get("namespace").is_some() {
            return Err("namespace is given, and a node belongs to none".to_owned());
        }
        None
    };
    let usual = format!("{{{{{}}}}}", kind.word());
    let name = named(args.text("name")?.unwrap_or(&usual), "name", labels, names::is_name)?;
    Ok(Target { kind, namespace, name })
}

/// A text whose filled form must be a name.
fn named(text: &str, what: &str, labels: Option<&Labels>, is_right: fn(&str) -> bool) -> Result<String, String> {
    let Some(filled) = fill(text, labels)? else { return Ok(text.to_owned()) };
    if is_right(&filled) {
        return Ok(filled);
    }
    let shown: String = filled.chars().take(80).collect();
    Err(format!("{what} would be {shown:?}, which Kubernetes does not take for one (RFC 1123: a-z, 0-9 and -)"))
}

/// The filled text; nothing where there are no labels yet and it needs some.
fn fill(text: &str, labels: Option<&Labels>) -> Result<Option<String>, String> {
    match labels {
        Some(labels) => filled::text(text, labels).map(Some),
        None if filled::has_labels(text)? => Ok(None),
        None => Ok(Some(text.to_owned())),
    }
}

fn scale(args: Args<'_>) -> Result<What, String> {
    let wrong = |found: &dyn std::fmt::Display| format!("replicas is {found}, want a number such as 3, or \"+1\" or \"-1\" in quotes");
    let replicas = match args.get("replicas") {
        Some(Value::Number(number)) => {
            number.as_i64().filter(|n| (0..=MAX_REPLICAS).contains(n)).map(Replicas::To).ok_or_else(|| wrong(number))?
        }
        Some(Value::String(text)) => {
            let by =
                text.strip_prefix(['+', '-']).filter(|digits| digits.bytes().all(|b| b.is_ascii_digit())).and_then(|_| text.parse().ok());
            by.filter(|by: &i64| *by != 0 && by.abs() <= MAX_REPLICAS).map(Replicas::By).ok_or_else(|| wrong(text))?
        }
        Some(other) => return Err(wrong(other)),
        None => return Err("replicas is missing, want a number such as 3, or \"+1\"".to_owned()),
    };
    let min = whole(args, "min", 0, MAX_REPLICAS)?.unwrap_or(1);
    let max = whole(args, "max", 1, MAX_REPLICAS)?.unwrap_or(USUAL_MAX_REPLICAS);
    match replicas {
        _ if min > max => Err(format!("min is {min} and max {max}: nothing lies between them")),
        Replicas::To(to) if !(min..=max).contains(&to) => Err(format!("replicas is {to}, want {min} to {max} (min and max)")),
        _ => Ok(What::Scale { replicas, min, max }),
    }
}

fn whole(args: Args<'_>, key: &str, lowest: i64, highest: i64) -> Result<Option<i64>, String> {
    let Some(value) = args.get(key) else { return Ok(None) };
    let number = value.as_i64().filter(|n| (lowest..=highest).contains(n));
    number.map(Some).ok_or_else(|| format!("{key} is {value}, want a whole number from {lowest} to {highest}"))
}

fn annotate(args: Args<'_>, labels: Option<&Labels>) -> Result<What, String> {
    let pairs = args.texts_by_name("annotations")?;
    if pairs.is_empty() || pairs.len() > MAX_ANNOTATIONS {
        return Err(format!("annotations has {} of them, want 1 to {MAX_ANNOTATIONS}", pairs.len()));
    }
    let mut all = BTreeMap::new();
    for (key, text) in pairs {
        if !names::is_own_key(key) {
            return Err(format!("annotations: {key:?} may not be set, want a key of your own such as ops.example/note"));
        }
        let value = fill(text, labels)?.unwrap_or_else(|| text.to_owned());
        if value.len() > names::MAX_VALUE_BYTES {
            return Err(format!("annotations: {key} would be {} bytes long, want {} at most", value.len(), names::MAX_VALUE_BYTES));
        }
        all.insert(key.to_owned(), filled::printable(&value));
    }
    Ok(What::Annotate(all))
}

fn limits(args: Args<'_>, labels: Option<&Labels>) -> Result<What, String> {
    let container = named(args.text("container")?.unwrap_or("{{container}}"), "container", labels, names::is_label)?;
    let resource = match args.need_text("resource")? {
        "memory" => "memory",
        "cpu" => "cpu",
        other => return Err(format!("resource is {other:?}, want memory or cpu")),
    };
    let factor = args.get("factor").ok_or("factor is missing, want how many times as much, such as 1.5")?;
    // In hundredths, as amounts are multiplied in whole numbers.
    let percent = factor.as_f64().filter(|f| *f > 1.0 && *f <= MAX_FACTOR).map(|f| (f * 100.0).round() as u32).filter(|p| *p > 100);
    let percent = percent.ok_or_else(|| format!("factor is {factor}, want more than 1 and {MAX_FACTOR} at most"))?;
    let max = Quantity::parse(args.need_text("max")?).map_err(|why| format!("max: {why}"))?;
    Ok(What::PatchLimits { container, resource, percent, max })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::super::settings::Access;
    use super::*;

    fn settings(nodes: bool) -> ClusterSettings {
        let namespaces = ["shop".to_owned()].into();
        ClusterSettings { access: Access::InCluster, namespaces, nodes, timeout: Duration::from_secs(1) }
    }

    fn read(with: &Value, labels: Option<&[(&str, &str)]>) -> Result<Ask, String> {
        let labels = labels.map(|pairs| Labels::from_pairs(pairs.iter().copied()).unwrap());
        Ask::read(&serde_json::from_value(with.clone()).unwrap(), labels.as_ref(), &settings(true))
    }

    #[test]
    fn labels_name_the_object_unless_the_playbook_does() {
        let labels = [("namespace", "shop"), ("deployment", "web"), ("pod", "web-1"), ("node", "n1.example")];
        let ask = read(&json!({ "verb": "scale", "replicas": "+1" }), Some(&labels)).unwrap();
        assert_eq!(ask.target.to_string(), "deployment shop/web");
        assert_eq!(ask.what, What::Scale { replicas: Replicas::By(1), min: 1, max: 10 });
        assert_eq!(read(&json!({ "verb": "restart_pod" }), Some(&labels)).unwrap().target.to_string(), "pod shop/web-1");
        assert_eq!(read(&json!({ "verb": "cordon" }), Some(&labels)).unwrap().target.to_string(), "node n1.example");
        let named = json!({ "verb": "rollout_restart", "kind": "statefulset", "namespace": "shop", "name": "db-{{pod}}" });
        assert_eq!(read(&named, Some(&labels)).unwrap().target.to_string(), "statefulset shop/db-web-1");
        let error = read(&json!({ "verb": "rollback" }), Some(&[("namespace", "shop")])).unwrap_err();
        assert!(error.contains("needs the label \"deployment\""), "{error}");
    }

    #[test]
    fn what_is_wrong_with_a_playbook_is_said_before_there_are_labels() {
        for (with, part) in [
            (json!({ "verb": "explode" }), "verb is \"explode\", want one of restart_pod, rollout_restart"),
            (json!({}), "verb is \"\""),
            (json!({ "verb": "scale" }), "replicas is missing"),
            (json!({ "verb": "scale", "replicas": "1" }), "replicas is 1, want"),
            (json!({ "verb": "scale", "replicas": "+0" }), "replicas is +0"),
            (json!({ "verb": "scale", "replicas": "++1" }), "replicas is ++1"),
            (json!({ "verb": "scale", "replicas": -1 }), "replicas is -1"),
            (json!({ "verb": "scale", "replicas": 1.5 }), "replicas is 1.5"),
            (json!({ "verb": "scale", "replicas": 11 }), "replicas is 11, want 1 to 10 (min and max)"),
            (json!({ "verb": "scale", "replicas": 0 }), "want 1 to 10"),
            (json!({ "verb": "scale", "replicas": "+1", "min": 5, "max": 4 }), "nothing lies between"),
            (json!({ "verb": "scale", "replicas": "+1", "kind": "pod" }), "kind is \"pod\", want one of deployment, statefulset"),
            (json!({ "verb": "rollback", "kind": "replicaset" }), "want one of deployment"),
            (
                json!({ "verb": "rollback", "namespace": "kube-system" }),
                "not one that may be acted in; hint: add it to act.kubernetes.namespaces",
            ),
            (json!({ "verb": "rollback", "namespace": "Shop" }), "does not take for one"),
            (json!({ "verb": "rollback", "name": "a/../b" }), "does not take for one"),
            (json!({ "verb": "rollback", "nmae": "a" }), "unknown argument \"nmae\""),
            (json!({ "verb": "cordon", "namespace": "shop" }), "a node belongs to none"),
            (json!({ "verb": "drain", "max_pods": 0 }), "max_pods is 0"),
            (json!({ "verb": "annotate" }), "want 1 to 16"),
            (json!({ "verb": "annotate", "annotations": { "portent.dev/run": "x" } }), "may not be set"),
            (json!({ "verb": "annotate", "annotations": { "ops.example/x": "y".repeat(5000) } }), "5000 bytes long"),
            (json!({ "verb": "patch_limits", "resource": "disk", "factor": 2, "max": "1Gi" }), "want memory or cpu"),
            (json!({ "verb": "patch_limits", "resource": "cpu", "factor": 1, "max": "1" }), "factor is 1, want more than 1"),
            (json!({ "verb": "patch_limits", "resource": "cpu", "factor": 5, "max": "1" }), "4 at most"),
            (json!({ "verb": "patch_limits", "resource": "cpu", "factor": 2, "max": "much" }), "max: \"much\" is no amount"),
            (json!({ "verb": "patch_limits", "resource": "cpu", "factor": 2 }), "max is missing"),
        ] {
            let error = read(&with, None).unwrap_err();
            assert!(error.contains(part), "{with}: {error}");
        }
        let ask = read(&json!({ "verb": "patch_limits", "resource": "memory", "factor": 1.5, "max": "2Gi" }), None).unwrap();
        assert!(matches!(ask.what, What::PatchLimits { percent: 150, .. }));
        let error = Ask::read(&serde_json::from_value(json!({ "verb": "drain" })).unwrap(), None, &settings(false)).unwrap_err();
        assert!(error.contains("nodes may not be acted on"), "{error}");
    }
}
