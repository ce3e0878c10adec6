//! The declarative remedy: which predictions it is for, which steps it takes, how one sees that it helped, and how it is taken back.

mod check;
mod fill;
mod step;
mod trigger;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

pub use check::{Answer, Check};
pub use fill::{fill_query, fill_text};
pub use step::{After, Do, MAX_ATTEMPTS, Retry, Step, StepEnd};
pub use trigger::{Compare, Condition, Facts, Field, Trigger, Unmet};

use super::gate::Mode;
use super::labels::Labels;
use super::prediction::Cause;
use super::template::Template;
use super::time::Span;

/// A named remedy (`playbooks/*.yaml`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Playbook {
    pub name: String,
    pub about: String,
    #[serde(default, skip_serializing_if = "Kind::is_playbook")]
    pub kind: Kind,
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub enabled: bool,
    /// 1 to 10, the most urgent first: of several that are for one prediction, who goes first.
    #[serde(default = "usual_priority")]
    pub priority: u8,
    /// What it may do at most by itself; the configuration's `act.mode` may allow less, never more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    #[serde(default, skip_serializing_if = "Trigger::is_empty")]
    pub when: Trigger,
    /// What it acts on, from the series' labels; the service where it says nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Template>,
    /// Nothing is done twice to one target within this time; the configuration's cooldown where it says nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cooldown: Option<Span>,
    pub steps: Vec<Step>,
    /// How one sees that it helped. Without it the watch's own value must come back to the good side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify: Option<Check>,
    #[serde(default, skip_serializing_if = "Rollback::is_default")]
    pub rollback: Rollback,
}

/// What it calls itself. Both are read, judged and run alike; a policy is one that lives by its conditions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    #[default]
    Playbook,
    Policy,
}

impl Kind {
    pub const ALL: [(&'static str, Self); 2] = [("Playbook", Self::Playbook), ("Policy", Self::Policy)];

    pub fn as_str(self) -> &'static str {
        Self::ALL[self as usize].0
    }

    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands references")]
    fn is_playbook(&self) -> bool {
        *self == Self::Playbook
    }
}

/// Whether and how long steps are taken back when the run did not help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rollback {
    pub enabled: bool,
    /// After the first step; later nobody knows what else has changed.
    #[serde(default = "usual_window")]
    pub window: Span,
}

impl Default for Rollback {
    fn default() -> Self {
        Self { enabled: true, window: usual_window() }
    }
}

impl Rollback {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

fn usual_window() -> Span {
    Span::MINUTE.times(30)
}

/// In the middle of 1 to 10.
pub const USUAL_PRIORITY: u8 = 5;

fn usual_priority() -> u8 {
    USUAL_PRIORITY
}

fn yes() -> bool {
    true
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands references")]
fn is_yes(value: &bool) -> bool {
    *value
}

/// What a prediction says about a playbook that is for it: the steps it *would* run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Suggestion {
    pub name: String,
    pub about: String,
    /// A line a step: its name and action.
    pub would_run: Vec<String>,
}

impl Playbook {
    /// Whether this playbook is for a prediction of `watch` on a series with `labels`: because the watch suggests it by name, or because
    /// its own conditions name the watch, its code or its labels. A playbook without conditions is for nobody by itself.
    pub fn is_for(&self, watch: &str, code: &str, suggested: &[String], labels: &Labels) -> bool {
        self.is_for_cause(Cause::Breach, watch, code, suggested, labels)
    }

    /// The same for what is no prediction: `watch` is then the one that looks at an anomaly's series, or a health check's name.
    pub fn is_for_cause(&self, cause: Cause, watch: &str, code: &str, suggested: &[String], labels: &Labels) -> bool {
        self.enabled && self.when.is_on(cause) && self.when.is_about(watch, code, labels, suggested.contains(&self.name))
    }

    pub fn suggestion(&self) -> Suggestion {
        Suggestion {
            name: self.name.clone(),
            about: self.about.clone(),
            would_run: self.steps.iter().map(|step| format!("{} ({})", step.name, step.does.action)).collect(),
        }
    }

    /// Names what it does: two texts that do the same have the same, whatever their comments and the order of their keys.
    pub fn version(&self) -> u64 {
        let text = serde_json::to_vec(self).unwrap_or_default();
        xxh3_64(&text)
    }

    /// What it acts on for a series.
    pub fn target_of(&self, labels: &Labels, service: &str) -> String {
        self.target.as_ref().map_or_else(|| service.to_owned(), |target| target.fill(labels))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn playbook(when: Trigger) -> Playbook {
        let text = "name: free-space\nabout: makes room\nsteps: [{ name: rotate logs, action: command }]\n";
        Playbook { when, ..serde_saphyr::from_str(text).unwrap() }
    }

    #[test]
    fn matches_by_suggestion_by_watch_and_by_label_but_never_by_nothing() {
        let labels = Labels::from_pairs([("tier", "db")]).unwrap();
        let suggested = ["free-space".to_owned()];
        let nothing = playbook(Trigger::default());
        assert!(!nothing.is_for("disk", "H1", &[], &labels), "an empty match is nobody, never everybody");
        assert!(nothing.is_for("disk", "H1", &suggested, &labels));
        let by_watch = playbook(Trigger { watches: vec!["disk".into()], ..Trigger::default() });
        assert!(by_watch.is_for("disk", "H1", &[], &labels) && !by_watch.is_for("cpu", "H1", &[], &labels));
        let by_code = playbook(Trigger { codes: vec!["H1".into()], ..Trigger::default() });
        assert!(by_code.is_for("disk", "H1", &[], &labels) && !by_code.is_for("disk", "H2", &[], &labels));
        let web_only = playbook(Trigger { labels: [("tier".into(), "web".into())].into(), ..Trigger::default() });
        assert!(!web_only.is_for("disk", "H1", &suggested, &labels), "a suggestion does not override the playbook's own condition");
        let off = Playbook { enabled: false, ..by_watch };
        assert!(!off.is_for("disk", "H1", &suggested, &labels));
    }

    #[test]
    fn a_version_is_of_what_it_does() {
        let one = playbook(Trigger::default());
        assert_eq!(one.version(), playbook(Trigger::default()).version());
        assert_ne!(one.version(), Playbook { priority: 1, ..one.clone() }.version());
        assert_eq!(one.target_of(&Labels::from_pairs([("pod", "a")]).unwrap(), "shop"), "shop");
        let text = "name: x\nabout: y\ntarget: \"{{pod}}\"\nsteps: []\n";
        let own: Playbook = serde_saphyr::from_str(text).unwrap();
        assert_eq!(own.target_of(&Labels::from_pairs([("pod", "a")]).unwrap(), "shop"), "a");
    }
}
