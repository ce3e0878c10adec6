//! Metrics of remedies: how many are proposed, what people say to them, what becomes of them, and how long recovery takes.
//!
//! Counters and not rates: PromQL makes any rate of them (`docs/metrics.md`). The one open label is the playbook's name, and it is bounded:
//! names come from the configuration, are there from the start, and what is beyond [`MAX_PLAYBOOKS`] counts as `other`.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::label::{ApprovalAnswer, ClosedLabel as _, DecisionLabel, OutcomeLabel};
use super::{add, add_family, add_unit};
use crate::core::gate::Decision;
use crate::core::run::{Entry, Outcome, Record, Run};
use crate::core::time::Span;

/// Playbooks with series of their own: ten are bundled, and people write as many again, not a hundred.
pub const MAX_PLAYBOOKS: usize = 100;

/// What all playbooks beyond [`MAX_PLAYBOOKS`] are counted as.
const OTHER: &str = "other";

/// From a restart that takes seconds to what a person gets to next morning.
const RECOVERY_BUCKETS_S: [f64; 10] = [10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0, 3_600.0, 14_400.0, 86_400.0];

/// How a started run of one playbook ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PlaybookRun {
    playbook: String,
    outcome: &'static str,
}

/// See the module.
#[derive(Debug)]
pub struct ActingMetrics {
    proposals: Family<DecisionLabel, Counter>,
    approvals: Family<ApprovalAnswer, Counter>,
    closed: Family<OutcomeLabel, Counter>,
    playbook_runs: Family<PlaybookRun, Counter>,
    steps_unknown: Counter,
    auto_approved: Counter,
    /// Runs of the last 24 hours that began without a person's word.
    pub auto_approved_last_day: Gauge,
    pub stopped: Gauge,
    recovery_s: Histogram,
    known: Mutex<BTreeSet<String>>,
}

impl ActingMetrics {
    pub(super) fn new(r: &mut Registry) -> Self {
        Self {
            proposals: add_family(r, "proposals", "Remedies proposed, by what the gate said"),
            approvals: add_family(r, "approvals", "Times a person's word was wanted, by what came"),
            closed: add_family(r, "runs_closed", "Remedies whose outcome is known"),
            playbook_runs: add(r, "playbook_runs", "Started remedies whose outcome is known, by playbook", Family::default()),
            steps_unknown: add(r, "steps_unknown", "Steps of which nobody knows what became", Counter::default()),
            auto_approved: add(r, "auto_approved", "Remedies that began without a person's word", Counter::default()),
            auto_approved_last_day: add(
                r,
                "auto_approved_last_day",
                "Remedies of the last 24 hours that began without a person's word; known over restarts",
                Gauge::default(),
            ),
            stopped: add(r, "acting_stopped", "Whether everything is stopped", Gauge::default()),
            recovery_s: add_unit(
                r,
                "recovery_duration",
                "From a remedy's proposal until it was seen to have helped",
                Unit::Seconds,
                Histogram::new(RECOVERY_BUCKETS_S),
            ),
            known: Mutex::default(),
        }
    }

    /// Playbooks of the configuration: their series are there before the first run.
    pub fn introduce<'a>(&self, playbooks: impl IntoIterator<Item = &'a str>) {
        for playbook in playbooks {
            let playbook = self.bounded(playbook);
            for outcome in [Outcome::Verified, Outcome::RolledBack, Outcome::Escalated] {
                drop(
                    self.playbook_runs
                        .get_or_create(&PlaybookRun { playbook: playbook.clone(), outcome: OutcomeLabel::from(outcome).value() }),
                );
            }
        }
    }

    fn bounded(&self, playbook: &str) -> String {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.contains(playbook) || known.len() < MAX_PLAYBOOKS && known.insert(playbook.to_owned()) {
            return playbook.to_owned();
        }
        OTHER.to_owned()
    }

    /// One line of the audit, with the run after it.
    pub fn record(&self, entry: &Entry, run: Option<&Run>) {
        match &entry.record {
            Record::Proposed { verdict, .. } => drop(self.proposals.get_or_create(&verdict.decision.into()).inc()),
            Record::Approved { .. } => drop(self.approvals.get_or_create(&ApprovalAnswer::Approved).inc()),
            Record::Rejected { .. } => drop(self.approvals.get_or_create(&ApprovalAnswer::Denied).inc()),
            Record::Claimed { .. } if run.is_some_and(|run| run.approved.is_none()) => drop(self.auto_approved.inc()),
            Record::Ended { end: crate::core::playbook::StepEnd::Unknown, .. } => drop(self.steps_unknown.inc()),
            Record::Stopped { .. } => drop(self.stopped.set(1)),
            Record::Resumed { .. } => drop(self.stopped.set(0)),
            Record::Closed { outcome, .. } => self.closed(*outcome, run, entry.at),
            _ => {}
        }
    }

    fn closed(&self, outcome: Outcome, run: Option<&Run>, at: crate::core::time::Timestamp) {
        self.closed.get_or_create(&outcome.into()).inc();
        if outcome == Outcome::Expired {
            self.approvals.get_or_create(&ApprovalAnswer::Expired).inc();
        }
        let Some(run) = run.filter(|run| run.began_at.is_some()) else { return };
        let playbook = self.bounded(&run.proposal.playbook.name);
        self.playbook_runs.get_or_create(&PlaybookRun { playbook, outcome: OutcomeLabel::from(outcome).value() }).inc();
        if outcome == Outcome::Verified {
            self.recovery_s.observe(std::cmp::max(at - run.proposed_at, Span::ZERO).as_secs_f64());
        }
    }
}

impl From<Decision> for DecisionLabel {
    fn from(decision: Decision) -> Self {
        match decision {
            Decision::Deny => Self::Deny,
            Decision::Shadow => Self::Shadow,
            Decision::Ask => Self::Ask,
            Decision::Allow => Self::Allow,
        }
    }
}

impl From<Outcome> for OutcomeLabel {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Refused => Self::Refused,
            Outcome::Shadowed => Self::Shadowed,
            Outcome::Rejected => Self::Rejected,
            Outcome::Expired => Self::Expired,
            Outcome::Aborted => Self::Aborted,
            Outcome::Verified => Self::Verified,
            Outcome::RolledBack => Self::RolledBack,
            Outcome::Escalated => Self::Escalated,
        }
    }
}
