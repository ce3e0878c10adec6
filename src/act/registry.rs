//! The actuators there are, by their names. A new one is a file and a line here.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::alertmanager::Alertmanager;
use super::argocd::ArgoCd;
use super::command::Command;
use super::http::Http;
use super::kubernetes::{ClusterSettings, Kubernetes};
use super::log::Tell;
use super::places::Places;
use super::{Actuator, Now};

/// What the configuration lets them do; nothing but tell, unless it says more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Programs that `command` may start, by their absolute paths.
    pub programs: Vec<PathBuf>,
    /// Hosts that `http`, `alertmanager` and `argocd` may call.
    pub hosts: Vec<String>,
    /// Whether those may be loopback and private addresses.
    pub allow_private: bool,
    /// The cluster that `kubernetes` may change.
    pub cluster: Option<ClusterSettings>,
}

/// By their names.
pub type Actuators = BTreeMap<&'static str, Arc<dyn Actuator>>;

/// All of them. `now` is what signatures and silences are dated by, so it has to be the real time.
pub fn actuators(settings: Settings, now: &Now) -> Actuators {
    let places = Places::new(settings.hosts, settings.allow_private);
    let all: [Arc<dyn Actuator>; 7] = [
        Arc::new(Alertmanager::new(places.clone(), now.clone())),
        Arc::new(ArgoCd::new(places.clone())),
        Arc::new(Command::new(settings.programs)),
        Arc::new(Http::new(places, now.clone())),
        Arc::new(Kubernetes::new(settings.cluster, now.clone())),
        Arc::new(Tell::LOG),
        Arc::new(Tell::NOTIFY),
    ];
    all.into_iter().map(|one| (one.name(), one)).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::super::{Job, Risk};
    use super::*;
    use crate::core::labels::Labels;
    use crate::core::playbook::StepEnd;
    use crate::core::time::Timestamp;

    #[tokio::test]
    async fn unless_configured_they_only_tell() {
        let now: Now = Arc::new(|| Timestamp::from_millis(0));
        let all = actuators(Settings::default(), &now);
        assert_eq!(all.keys().copied().collect::<Vec<_>>(), ["alertmanager", "argocd", "command", "http", "kubernetes", "log", "notify"]);
        let text = json!({ "text": "{{pod}} was\n\u{1b}[31mrestarted{{gone}}", "channel": "#ops" });
        let silence = json!({ "verb": "create_silence", "url": "http://127.0.0.1:9093", "matchers": { "a": "b" } });
        let sync = json!({ "verb": "sync", "url": "http://127.0.0.1", "app": "shop", "bearer_token_file": "/nonexistent" });
        for (name, with, risk, is_idempotent, end) in [
            ("alertmanager", silence, Risk::Low, true, StepEnd::Failed),
            ("argocd", sync, Risk::High, true, StepEnd::Failed),
            ("command", json!({ "run": ["/bin/true"] }), Risk::High, false, StepEnd::Failed),
            ("http", json!({ "url": "http://127.0.0.1/" }), Risk::High, false, StepEnd::Failed),
            ("kubernetes", json!({ "verb": "rollback" }), Risk::High, true, StepEnd::Failed),
            ("log", text.clone(), Risk::None, true, StepEnd::Succeeded),
            ("notify", text, Risk::None, true, StepEnd::Succeeded),
        ] {
            let one = &all[name];
            assert_eq!((one.name(), one.risk(), one.is_idempotent()), (name, risk, is_idempotent));
            let with = serde_json::from_value(with).unwrap();
            let labels = Labels::from_pairs([("pod", "a\u{7}")]).unwrap();
            let job = Job { id: "r1.1".into(), with, labels, targets: vec!["a".into()], timeout: Duration::from_secs(5) };
            let is_told = end == StepEnd::Succeeded;
            assert_eq!((one.check(&job.with).is_ok(), one.dry_run(&job).await.is_ok()), (is_told, is_told), "{name}");
            let done = one.start(&job).await;
            assert_eq!(done.end, end, "{name}: {}", done.note);
            assert!(!is_told || done.note == "#ops: a\u{fffd} was \u{fffd}[31mrestarted", "{:?}", done.note);
            assert_ne!(one.probe(&job).await.end, StepEnd::Succeeded);
        }
    }
}
