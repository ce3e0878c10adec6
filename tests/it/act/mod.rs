//! Actuators against real processes, real sockets and a real Alertmanager: what they do, and what nothing makes them do.

mod alertmanager;
mod argocd;
mod books;
mod command;
mod hostile;
mod http;
mod kubernetes;
mod server;
mod ssrf;

use std::sync::Arc;
use std::time::Duration;

use portent::act::{Job, Now};
use portent::core::labels::Labels;
use portent::core::time::Timestamp;
use serde_json::Value;

/// Longer than anything here takes, unless it hangs.
const LONG: Duration = Duration::from_secs(30);

/// A step with these arguments, on a series whose label `x` is `value`.
fn job(with: Value, value: &str) -> Job {
    Job {
        id: "run-7.step-2".to_owned(),
        with: serde_json::from_value(with).unwrap(),
        labels: Labels::from_pairs([("x", value)]).unwrap(),
        targets: vec!["shop".to_owned()],
        timeout: LONG,
    }
}

fn lasting(job: Job, timeout: Duration) -> Job {
    Job { timeout, ..job }
}

/// The real time.
fn now() -> Now {
    Arc::new(|| Timestamp::from_millis(jiff::Timestamp::now().as_millisecond()))
}
