//! The declarative remedy: which predictions it is for and which steps it takes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::labels::Labels;

/// A named remedy (`playbooks/*.yaml`). This build reads and matches playbooks and says what they would do; it runs none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Playbook {
    pub name: String,
    pub about: String,
    #[serde(default)]
    pub when: Match,
    pub steps: Vec<Step>,
}

/// Which predictions a playbook is for. Every condition that is given must hold; one that is left out holds always.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Match {
    /// Names of watches.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub watches: Vec<String>,
    /// Labels that the series must carry with exactly these values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// One step: what an actuator is to do, with `{{label}}` filled from the prediction's series.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    pub name: String,
    /// The actuator's name: `command`, `http`, `kubernetes`, `notify`, ...
    pub action: String,
    /// Its arguments, as that actuator defines them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub with: BTreeMap<String, serde_json::Value>,
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
    /// its own conditions name the watch or its labels. A playbook without conditions is for nobody by itself.
    pub fn is_for(&self, watch: &str, suggested: &[String], labels: &Labels) -> bool {
        let matches_labels = self.when.labels.iter().all(|(name, value)| labels.get(name) == Some(value));
        if suggested.contains(&self.name) {
            return matches_labels;
        }
        let has_condition = !self.when.watches.is_empty() || !self.when.labels.is_empty();
        let matches_watch = self.when.watches.is_empty() || self.when.watches.iter().any(|name| name == watch);
        has_condition && matches_watch && matches_labels
    }

    pub fn suggestion(&self) -> Suggestion {
        Suggestion {
            name: self.name.clone(),
            about: self.about.clone(),
            would_run: self.steps.iter().map(|step| format!("{} ({})", step.name, step.action)).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn playbook(when: Match) -> Playbook {
        let step = Step { name: "rotate logs".into(), action: "command".into(), with: BTreeMap::new() };
        Playbook { name: "free-space".into(), about: "makes room".into(), when, steps: vec![step] }
    }

    #[test]
    fn matches_by_suggestion_by_watch_and_by_label_but_never_by_nothing() {
        let labels = Labels::from_pairs([("tier", "db")]).unwrap();
        let nothing = playbook(Match::default());
        assert!(!nothing.is_for("disk", &[], &labels), "an empty match is nobody, never everybody");
        assert!(nothing.is_for("disk", &["free-space".into()], &labels));
        let by_watch = playbook(Match { watches: vec!["disk".into()], ..Match::default() });
        assert!(by_watch.is_for("disk", &[], &labels) && !by_watch.is_for("cpu", &[], &labels));
        let web_only = playbook(Match { labels: [("tier".into(), "web".into())].into(), ..Match::default() });
        assert!(!web_only.is_for("disk", &["free-space".into()], &labels), "a suggestion does not override the playbook's own condition");
    }
}
