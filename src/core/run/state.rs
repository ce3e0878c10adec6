//! One run: where it stands.

use serde::Serialize;

use super::Turnout;
use super::record::{Outcome, Proposal, Tried};
use crate::core::gate::{Reason, Verdict};
use crate::core::learn::{How, Trial};
use crate::core::playbook::{Answer, Check, Compare, Step, StepEnd};
use crate::core::prediction::Cause;
use crate::core::time::{Span, Timestamp};
use crate::core::topology::Tier;
use crate::core::watch::Side;

/// A report that has not come so long after a step's own time limit does not come any more.
pub(super) const REPORT_GRACE: Span = Span::from_secs(30);
/// How long what a playbook acts on may take to be read again.
pub(super) const READ_WITHIN: Span = Span::from_secs(60);
/// How long an actuator may take to say whether something was done.
pub(super) const PROBE_WITHIN: Span = Span::from_secs(60);
/// A check's value is asked for this often.
pub(super) const MEASURE_EVERY: Span = Span::from_secs(15);

/// Where a run stands.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "phase", rename_all = "snake_case")]
pub enum Phase {
    /// For a person's word.
    Waiting {
        until: Timestamp,
    },
    /// For what it would act on now.
    Reading {
        until: Timestamp,
    },
    /// For the time of the next try.
    Ready {
        what: Turnout,
        not_before: Timestamp,
    },
    Running {
        what: Turnout,
        until: Timestamp,
    },
    /// Nobody has said how it ended, and the actuator is asked.
    Probing {
        what: Turnout,
        until: Timestamp,
    },
    Verifying {
        since: Timestamp,
        good_since: Option<Timestamp>,
        next: Timestamp,
    },
    Closed {
        outcome: Outcome,
        at: Timestamp,
        why: String,
    },
}

impl Phase {
    pub fn word(&self) -> &'static str {
        match self {
            Self::Waiting { .. } => "waiting",
            Self::Reading { .. } => "reading",
            Self::Ready { .. } => "ready",
            Self::Running { .. } => "running",
            Self::Probing { .. } => "probing",
            Self::Verifying { .. } => "verifying",
            Self::Closed { .. } => "closed",
        }
    }
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Run {
    pub proposal: Proposal,
    pub verdict: Verdict,
    pub proposed_at: Timestamp,
    pub phase: Phase,
    /// Who approved it and why; nobody where the gate did.
    pub approved: Option<(String, String)>,
    /// When the first step was started.
    pub began_at: Option<Timestamp>,
    /// How each step ended, in the order of the playbook.
    pub ends: Vec<Option<StepEnd>>,
    /// How each was taken back.
    pub undone: Vec<Option<StepEnd>>,
    /// Why it is being taken back.
    pub undoing: Option<String>,
    /// The check's value before anything was done, and the last one after it.
    pub before: Option<f64>,
    pub after: Option<f64>,
    /// What the last look at its check said.
    pub measured: Option<Answer>,
}

impl Run {
    pub fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closed { .. })
    }

    pub fn outcome(&self) -> Option<Outcome> {
        if let Phase::Closed { outcome, .. } = &self.phase { Some(*outcome) } else { None }
    }

    pub fn step(&self, index: usize) -> Option<&Step> {
        self.proposal.playbook.steps.get(index)
    }

    /// Whether many would feel a mistake here, as the gate has found: by the service's tier, or by how many depend on it.
    pub fn is_high_risk(&self) -> bool {
        self.verdict.findings.iter().any(|finding| match finding.reason {
            Reason::Tier { tier } => tier >= Tier::High,
            Reason::BlastRadius { dependents, most } => dependents > most,
            _ => false,
        })
    }

    /// Why this person's yes is none: what is of high risk is looked at by two. A no is anybody's.
    pub fn objection_to(&self, by: &str) -> Option<String> {
        let is_own = self.proposal.by.as_deref() == Some(by);
        (is_own && self.is_high_risk()).then(|| format!("{by} has proposed it, and it is of high risk: somebody else must approve it"))
    }

    /// What an outcome teaches about the playbook, before the run is closed; nothing where nothing had begun.
    pub(super) fn lesson(&self, outcome: Outcome, is_stopped: bool) -> Option<How> {
        self.began_at?;
        let is_bad = |end: &Option<StepEnd>| matches!(end, Some(StepEnd::Failed | StepEnd::TimedOut));
        let has_failed = self.undoing.is_some() || self.measured == Some(Answer::Failure) || self.ends.iter().any(is_bad) && !is_stopped;
        match outcome {
            Outcome::Verified => Some(How::Worked),
            Outcome::RolledBack => Some(How::RolledBack),
            // Stopped by a person half way, or of an end that nobody knows: not the playbook's fault.
            Outcome::Escalated if self.has_unknown_end() || !has_failed => Some(How::Unknown),
            Outcome::Escalated => Some(How::Failed),
            _ => None,
        }
    }

    /// What was begun, in its order: the steps, and then what took them back.
    pub fn tried(&self) -> Vec<Tried> {
        let steps = &self.proposal.playbook.steps;
        let forth = steps.iter().zip(&self.ends).filter_map(|(step, end)| Some((step, &step.does, false, (*end)?)));
        let back = steps.iter().zip(&self.undone).rev().filter_map(|(step, end)| Some((step, step.undo.as_ref()?, true, (*end)?)));
        let tried = forth.chain(back).filter(|(.., end)| *end != StepEnd::Skipped);
        tried.map(|(step, does, is_undo, end)| Tried { step: step.name.clone(), action: does.action.clone(), is_undo, end }).collect()
    }

    pub(super) fn trial(&self, at: Timestamp, is_held_out: bool) -> Trial {
        let Proposal { playbook, watch, labels, .. } = &self.proposal;
        let was_drawn = self.verdict.held_out().is_some();
        Trial { playbook: playbook.name.clone(), watch: watch.clone(), series: labels.id(), is_held_out, was_drawn, at }
    }

    /// Since when its check has held.
    pub(super) fn good_since(&self) -> Option<Timestamp> {
        if let Phase::Verifying { good_since, .. } = &self.phase { *good_since } else { None }
    }

    fn has_unknown_end(&self) -> bool {
        self.undoing.is_none() && self.ends.contains(&Some(StepEnd::Unknown))
    }

    /// When something is due without any input.
    pub(super) fn due_at(&self) -> Option<Timestamp> {
        match &self.phase {
            Phase::Waiting { until } | Phase::Reading { until } | Phase::Running { until, .. } | Phase::Probing { until, .. } => {
                Some(*until)
            }
            Phase::Ready { not_before, .. } => Some(*not_before),
            Phase::Verifying { next, .. } => Some(*next),
            Phase::Closed { .. } => None,
        }
    }

    /// How one sees that it helped. Unless the playbook says, the watch's own value must be better than it was, and not past its threshold;
    /// an anomaly must be over, and a health check well.
    pub fn check(&self) -> Check {
        let Proposal { playbook, side, threshold, value, cause, .. } = &self.proposal;
        playbook.verify.clone().unwrap_or_else(|| {
            let (within, holds) = (Check::USUAL_WITHIN, Span::MINUTE);
            if *cause != Cause::Breach {
                // The anomaly's score, or 1 while the check fails: below 1 is normal again. It is bad already, so that shows no failure yet.
                return Check { query: String::new(), success: Compare::Lt(1.0), failure: None, within, holds };
            }
            let (success, failure) = match side {
                Side::Above => (Compare::Lt(*value), Compare::Ge(*threshold)),
                Side::Below => (Compare::Gt(*value), Compare::Le(*threshold)),
            };
            Check { query: String::new(), success, failure: Some(failure), within, holds }
        })
    }

    /// Whether a step's condition on an earlier one holds.
    pub(super) fn is_wanted(&self, step: &Step) -> bool {
        let Some(after) = &step.when else { return true };
        let earlier = self.proposal.playbook.steps.iter().position(|s| s.name == after.step);
        earlier.and_then(|index| self.ends[index]) == Some(after.is)
    }

    /// A later step that waits for this one to end so: it is what the playbook does about it.
    pub(super) fn is_handled(&self, step: usize, end: StepEnd) -> bool {
        let Some(name) = self.step(step).map(|s| s.name.as_str()) else { return false };
        self.proposal.playbook.steps[step + 1..].iter().any(|later| later.when.as_ref().is_some_and(|w| w.step == name && w.is == end))
    }

    /// The last step that was done and can be taken back, and has not been.
    pub(super) fn to_undo(&self) -> Option<usize> {
        let done = |end: Option<StepEnd>| matches!(end, Some(StepEnd::Succeeded | StepEnd::Failed | StepEnd::TimedOut));
        (0..self.ends.len())
            .rev()
            .find(|&i| done(self.ends[i]) && self.undone[i].is_none() && self.step(i).is_some_and(|s| s.undo.is_some()))
    }
}
