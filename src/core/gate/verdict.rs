//! What the gate says.

use serde::{Deserialize, Serialize};

use super::reason::Reason;
use super::settings::Mode;

/// From the least to the most that is admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// It is not done.
    Deny,
    /// It is not done, and it is written down that it would have been.
    Shadow,
    /// It is done when a person has approved it.
    Ask,
    Allow,
}

/// One check: what it admits, and its numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    pub admits: Decision,
    #[serde(flatten)]
    pub reason: Reason,
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    pub decision: Decision,
    /// What it would have been in mode `execute`.
    pub otherwise: Decision,
    /// Every check there was, those that stand in the way first.
    pub findings: Vec<Finding>,
}

impl Verdict {
    pub(super) fn new(mode: Mode, mut findings: Vec<Finding>) -> Self {
        findings.sort_by_key(|finding| finding.admits);
        let least = |of: &dyn Fn(&Finding) -> bool| findings.iter().filter(|f| of(f)).map(|f| f.admits).min().unwrap_or(Decision::Deny);
        let otherwise = least(&|finding| !matches!(finding.reason, Reason::Mode { .. }));
        // What would not be done anyway is no shadow of anything.
        let decision = if otherwise == Decision::Deny { Decision::Deny } else { otherwise.min(mode.admits()) };
        Self { decision, otherwise, findings }
    }

    /// Whether the lot was drawn about it, and it is left alone for that reason.
    pub fn held_out(&self) -> Option<bool> {
        let mut lots = self.findings.iter().filter(|finding| matches!(finding.reason, Reason::HoldOut { .. }));
        lots.next().map(|finding| finding.admits == Decision::Deny)
    }

    /// What stands in the way.
    pub fn obstacles(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.admits < Decision::Allow)
    }
}
