//! Metrics of remedies: how many are proposed, what people say to them, what becomes of them, and how long recovery takes.
//!
//! Counters and not rates: PromQL makes any rate of them (`docs/metrics.md`). The one open label is the playbook's name, and it is bounded:
//! names come from the configuration, are there from the start, and what is beyond [`MAX_PLAYBOOKS`] counts as `other`.

use std::collections::{BTreeSet, VecDeque};
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
use crate::core::run::{Entry, Outcome, Record, Run, RunKey};
use crate::core::time::{Span, Timestamp};

/// Playbooks with series of their own: ten are bundled, and people write as many again, not a hundred.
pub const MAX_PLAYBOOKS: usize = 100;

/// What all playbooks beyond [`MAX_PLAYBOOKS`] are counted as.
const OTHER: &str = "other";

/// Runs of a day that are counted: more than the greatest hourly limit that can be configured lets begin.
const MAX_BEGUN: usize = 120_000;

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
    escalations: Counter,
    auto_approved: Counter,
    /// Runs of the last 24 hours that began without a person's word.
    auto_approved_last_day: Gauge,
    stopped: Gauge,
    recovery_s: Histogram,
    known: Mutex<BTreeSet<String>>,
    /// When those began that the gauge counts.
    begun: Mutex<VecDeque<Timestamp>>,
}

impl ActingMetrics {
    pub(super) fn new(r: &mut Registry) -> Self {
        Self {
            proposals: add_family(r, "proposals", "Remedies proposed, by what the gate said"),
            approvals: add_family(r, "approvals", "Times a person's word was wanted, by what came"),
            closed: add_family(r, "runs_closed", "Remedies whose outcome is known"),
            playbook_runs: add(r, "playbook_runs", "Started remedies whose outcome is known, by playbook", Family::default()),
            steps_unknown: add(r, "steps_unknown", "Steps of which nobody knows what became", Counter::default()),
            escalations: add(
                r,
                "escalations",
                "Remedies that were handed to a person: taken back, or failed, or of unknown end",
                Counter::default(),
            ),
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
            begun: Mutex::default(),
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
            Record::Claimed { .. } if run.is_some_and(|run| run.approved.is_none()) => {
                self.auto_approved.inc();
                self.begun(entry.at);
            }
            Record::Ended { end: crate::core::playbook::StepEnd::Unknown, .. } => drop(self.steps_unknown.inc()),
            Record::Escalated { .. } => drop(self.escalations.inc()),
            Record::Stopped { .. } => drop(self.stopped.set(1)),
            Record::Resumed { .. } => drop(self.stopped.set(0)),
            Record::Closed { outcome, .. } => self.closed(*outcome, run, entry.at),
            _ => {}
        }
    }

    /// What takes in what the ledger holds from before the start, for what a process can't count by itself.
    pub fn memory(&self) -> Memory<'_> {
        Memory { metrics: self, by_people: BTreeSet::new() }
    }

    fn begun(&self, at: Timestamp) {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        begun.push_back(at);
        if begun.len() > MAX_BEGUN {
            begun.pop_front();
        }
    }

    /// Sets the gauge of the last 24 hours.
    pub fn count_last_day(&self, now: Timestamp) {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        begun.retain(|at| now - *at < Span::DAY);
        self.auto_approved_last_day.set(begun.len() as i64);
    }

    fn closed(&self, outcome: Outcome, run: Option<&Run>, at: Timestamp) {
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

/// See [`ActingMetrics::memory`].
#[derive(Debug)]
pub struct Memory<'a> {
    metrics: &'a ActingMetrics,
    /// Approved, and neither begun nor closed so far.
    by_people: BTreeSet<RunKey>,
}

impl Memory<'_> {
    /// The next record.
    pub fn take_in(&mut self, entry: &Entry) {
        match &entry.record {
            Record::Approved { run, .. } => drop(self.by_people.insert(*run)),
            Record::Claimed { run, .. } if !self.by_people.remove(run) => self.metrics.begun(entry.at),
            Record::Closed { run, .. } => drop(self.by_people.remove(run)),
            Record::Stopped { .. } => drop(self.metrics.stopped.set(1)),
            Record::Resumed { .. } => drop(self.metrics.stopped.set(0)),
            _ => {}
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
            Outcome::HeldOut => Self::HeldOut,
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

#[cfg(test)]
mod tests {
    use super::super::Metrics;
    use super::super::text::Exposition;
    use super::*;
    use crate::core::gate::{Mode, Settings};
    use crate::core::playbook::{Facts, StepEnd};
    use crate::core::run::fixtures::{around, playbook, prediction, settings};
    use crate::core::run::{Input, Known, Runs, Turnout, World};
    use crate::core::topology::Topology;

    /// One run by the gate and one that a person approved, each from its proposal to its outcome.
    fn lived(metrics: &ActingMetrics) -> (Vec<Entry>, Timestamp) {
        let (mut now, mut all, mut runs) = (Timestamp::from_millis(1_793_577_600_000), Vec::new(), Runs::default());
        let (facts, topology, playbook) = (Facts::default(), Topology::default(), playbook("restart", (1, 1, false)));
        for (pod, mode) in [(0, Mode::Execute), (1, Mode::Ask)] {
            let (prediction, around) = (prediction(pod, now), around());
            let settings = Settings { mode, ..settings() };
            let known = Known { prediction: &prediction, facts: &facts, around: &around };
            let mut feed = |now: Timestamp, input: Input<'_>, runs: &mut Runs| {
                let turn = runs.step(now, input, World { settings: &settings, topology: &topology });
                for entry in &turn.records {
                    metrics.record(entry, entry.record.run().and_then(|run| runs.get(run)));
                }
                all.extend(turn.records);
            };
            feed(now, Input::Prediction { known, playbooks: &[&playbook] }, &mut runs);
            let run = runs.open().next().unwrap().0;
            feed(now, Input::Approval { run, by: "ann", is_approved: true, reason: "" }, &mut runs);
            feed(now, Input::Targets { run, targets: &[format!("pod-{pod}")], known: Some(known) }, &mut runs);
            let what = Turnout { step: 0, attempt: 1, is_undo: false };
            feed(now, Input::Report { run, what, end: StepEnd::Succeeded, note: "" }, &mut runs);
            feed(now, Input::Measured { run, value: Some(0.1) }, &mut runs);
            now = now + Span::MINUTE;
            feed(now, Input::Measured { run, value: Some(0.1) }, &mut runs);
        }
        (all, now)
    }

    #[test]
    fn what_happens_is_counted_where_it_belongs_and_the_day_is_known_over_a_restart() {
        let (before, after) = (Metrics::new(), Metrics::new());
        before.acting.introduce(["restart", "unused"]);
        let (entries, now) = lived(&before.acting);
        before.acting.count_last_day(now);
        let text = before.encode(Exposition::Text);
        for line in [
            "portent_proposals_total{decision=\"allow\"} 1",
            "portent_proposals_total{decision=\"ask\"} 1",
            "portent_approvals_total{answer=\"approved\"} 1",
            "portent_auto_approved_total 1",
            "portent_auto_approved_last_day 1",
            "portent_runs_closed_total{outcome=\"verified\"} 2",
            "portent_playbook_runs_total{playbook=\"restart\",outcome=\"verified\"} 2",
            "portent_playbook_runs_total{playbook=\"unused\",outcome=\"escalated\"} 0",
            "portent_recovery_duration_seconds_sum 120.0",
            "portent_recovery_duration_seconds_count 2",
        ] {
            assert!(text.lines().any(|known| known == line), "no {line:?} in\n{text}");
        }
        let mut memory = after.acting.memory();
        for entry in &entries {
            memory.take_in(entry);
        }
        let last_day = |now: Timestamp| {
            after.acting.count_last_day(now);
            after.acting.auto_approved_last_day.get()
        };
        assert_eq!((last_day(now), last_day(now + Span::DAY)), (1, 0));
    }

    #[test]
    fn playbooks_without_end_cost_no_series_without_end() {
        let metrics = Metrics::new();
        let names: Vec<String> = (0..MAX_PLAYBOOKS * 3).map(|i| format!("p{i}")).collect();
        metrics.acting.introduce(names.iter().map(String::as_str));
        let text = metrics.encode(Exposition::Text);
        let series = text.lines().filter(|line| line.starts_with("portent_playbook_runs_total{")).count();
        assert_eq!(series, (MAX_PLAYBOOKS + 1) * 3);
        assert!(text.contains("playbook=\"other\""));
    }
}
