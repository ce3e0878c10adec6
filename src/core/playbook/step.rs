//! One step: what an actuator is to do, how long and how often it may try, when it is left out, and how it is taken back.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::core::time::Span;

/// Tries of one step at most, whatever a playbook asks for.
pub const MAX_ATTEMPTS: u32 = 10;

/// What an actuator is asked to do, with `{{label}}` filled from the prediction's series.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Do {
    /// The actuator's name: `command`, `http`, `kubernetes`, `notify`, ...
    pub action: String,
    /// Its arguments, as that actuator defines them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub with: BTreeMap<String, serde_json::Value>,
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Step {
    pub name: String,
    #[serde(flatten)]
    pub does: Do,
    pub timeout: Span,
    pub retry: Retry,
    /// Only after an earlier step ended so; always where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when: Option<After>,
    /// Takes it back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undo: Option<Do>,
}

/// `retry: 3` or `retry: { attempts: 3, wait: 2s }`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Retry {
    /// Tries in all, 1 to [`MAX_ATTEMPTS`].
    pub attempts: u32,
    /// Before the second try; twice as long before each one after it.
    pub wait: Span,
}

/// How an earlier step must have ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct After {
    pub step: String,
    pub is: StepEnd,
}

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepEnd {
    Succeeded,
    Failed,
    TimedOut,
    /// Its condition did not hold.
    Skipped,
    /// It was started, and nobody knows what became of it.
    Unknown,
}

impl Default for Retry {
    fn default() -> Self {
        Self { attempts: 1, wait: Span::SECOND.times(2) }
    }
}

impl Retry {
    /// How long to wait before the try after so many failed ones: 2, 4, 8 s, and up to a quarter more or less by `chance` in 0..1, so that
    /// what failed together does not come back together.
    pub fn wait_after(self, failed: u32, chance: f64) -> Span {
        let doubled = self.wait.times(1 << failed.saturating_sub(1).min(MAX_ATTEMPTS));
        Span::from_millis((doubled.as_millis() as f64 * (0.75 + 0.5 * chance.clamp(0.0, 1.0))) as i64)
    }
}

/// A step as it is written. Serde's `flatten` and `deny_unknown_fields` exclude each other, so its keys stand here side by side.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    action: String,
    #[serde(default)]
    with: BTreeMap<String, serde_json::Value>,
    timeout: Option<Span>,
    retry: Option<WrittenRetry>,
    when: Option<After>,
    undo: Option<Do>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum WrittenRetry {
    Times(u32),
    Full { attempts: u32, wait: Option<Span> },
}

impl Step {
    /// Longer than nearly every remedy takes, short enough that a hanging one is noticed.
    pub const USUAL_TIMEOUT: Span = Span::from_secs(300);
}

impl<'de> Deserialize<'de> for Step {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Written { name, action, with, timeout, retry, when, undo } = Written::deserialize(deserializer)?;
        let usual = Retry::default();
        let retry = match retry {
            None => usual,
            Some(WrittenRetry::Times(attempts)) => Retry { attempts, ..usual },
            Some(WrittenRetry::Full { attempts, wait }) => Retry { attempts, wait: wait.unwrap_or(usual.wait) },
        };
        let retry = Retry { attempts: retry.attempts.clamp(1, MAX_ATTEMPTS), ..retry };
        Ok(Self { name, does: Do { action, with }, timeout: timeout.unwrap_or(Self::USUAL_TIMEOUT), retry, when, undo })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_reads_and_its_waits_double() {
        let text = "name: scale\naction: kubernetes\nwith: { by: 1 }\ntimeout: 1m\nretry: 3\nwhen: { step: look, is: failed }\nundo: { action: kubernetes, with: { by: -1 } }\n";
        let step: Step = serde_saphyr::from_str(text).unwrap();
        assert_eq!((step.retry.attempts, step.timeout, step.when.as_ref().unwrap().is), (3, Span::MINUTE, StepEnd::Failed));
        assert_eq!([1, 2, 3].map(|failed| step.retry.wait_after(failed, 0.5).as_millis()), [2_000, 4_000, 8_000]);
        assert!(
            step.retry.wait_after(1, 0.0) < step.retry.wait_after(1, 1.0) && step.retry.wait_after(u32::MAX, 1.0) > Span::HOUR.times(0)
        );
        let again: Step = serde_json::from_value(serde_json::to_value(&step).unwrap()).unwrap();
        assert_eq!(again, step);
        assert!(serde_saphyr::from_str::<Step>("name: x\naction: y\ntimeot: 1m\n").is_err(), "a key that nobody knows");
    }
}
