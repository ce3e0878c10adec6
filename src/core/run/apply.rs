//! How records add up: the only place where the state of runs changes.

use super::record::{Entry, Outcome, Record, RunKey};
use super::state::{MEASURE_EVERY, PROBE_WITHIN, Phase, READ_WITHIN, REPORT_GRACE, Run};
use super::{MAX_CLOSED, Runs, Turnout};
use crate::core::gate::{Decision, Ended, Ran};
use crate::core::learn::{End, How};
use crate::core::playbook::{Answer, StepEnd};
use crate::core::time::{Span, Timestamp};

impl Runs {
    /// Takes in the next record: one that was just made, or one of a ledger that is read back.
    pub fn apply(&mut self, entry: &Entry) {
        let at = entry.at;
        match &entry.record {
            Record::Proposed { run, proposal, verdict, expires_at, .. } => {
                let steps = proposal.playbook.steps.len();
                let phase = match verdict.decision {
                    Decision::Ask => Phase::Waiting { until: *expires_at },
                    _ => Phase::Reading { until: at + READ_WITHIN },
                };
                let made = Run {
                    proposal: (**proposal).clone(),
                    verdict: verdict.clone(),
                    proposed_at: at,
                    phase,
                    approved: None,
                    began_at: None,
                    ends: vec![None; steps],
                    undone: vec![None; steps],
                    undoing: None,
                    before: None,
                    after: None,
                    measured: None,
                };
                self.closed.retain(|closed| closed != run);
                self.open.insert(*run);
                self.runs.insert(*run, made);
            }
            Record::Approved { run, by, reason } => self.change(*run, |run| {
                run.approved = Some((by.clone(), reason.clone()));
                run.phase = Phase::Reading { until: at + READ_WITHIN };
            }),
            // Said once more for people; the run is closed as it is.
            Record::Rejected { .. } | Record::Escalated { .. } => {}
            Record::Claimed { run: key, before } => {
                let Some(run) = self.runs.get_mut(key) else { return };
                run.before = *before;
                run.phase = Phase::Ready { what: Turnout { step: 0, attempt: 1, is_undo: false }, not_before: at };
                let (playbook, service) = (run.proposal.playbook.name.clone(), run.proposal.service.clone());
                self.history.start(Ran {
                    key: key.0,
                    playbook,
                    targets: run.proposal.targets.clone(),
                    service,
                    started_at: at,
                    ended: None,
                });
            }
            Record::Started { run: key, what, .. } => {
                let Some(run) = self.runs.get_mut(key) else { return };
                if run.began_at.is_none() {
                    self.learned.trials.put(&run.proposal.prediction, run.trial(at, false));
                }
                run.began_at.get_or_insert(at);
                let timeout = run.step(what.step).map_or(Span::ZERO, |step| step.timeout);
                run.phase = Phase::Running { what: *what, until: at + timeout + REPORT_GRACE };
            }
            Record::Ended { run, what, action, end, .. } => {
                self.change(*run, |run| run.ended(*what, *end, at));
                match end {
                    StepEnd::Succeeded => self.history.actuator(action, at, true),
                    StepEnd::Failed | StepEnd::TimedOut => self.history.actuator(action, at, false),
                    StepEnd::Skipped | StepEnd::Unknown => {}
                }
            }
            Record::Lost { run, what } => self.change(*run, |run| run.phase = Phase::Probing { what: *what, until: at + PROBE_WITHIN }),
            Record::Checking { run } => {
                self.change(*run, |run| run.phase = Phase::Verifying { since: at, good_since: None, next: at });
            }
            Record::Undoing { run, step, why } => self.change(*run, |run| {
                run.undoing = Some(why.clone());
                run.phase = Phase::Ready { what: Turnout { step: *step, attempt: 1, is_undo: true }, not_before: at };
            }),
            Record::Measured { run, answer, value } => self.change(*run, |run| {
                run.after = value.or(run.after);
                run.measured = Some(*answer);
                let is_good = *answer != Answer::Failure && value.is_some_and(|value| run.check().success.holds(value));
                if let Phase::Verifying { good_since, next, .. } = &mut run.phase {
                    *good_since = if is_good { good_since.or(Some(at)) } else { None };
                    *next = at + MEASURE_EVERY;
                }
            }),
            Record::Closed { run: key, outcome, why, .. } => {
                let Some(run) = self.runs.get_mut(key) else { return };
                let was_begun = run.began_at.is_some();
                if let Some((how, began)) = run.lesson(*outcome, self.stopped.is_some()).zip(run.began_at) {
                    let stable_after = run.good_since().filter(|_| how == How::Worked).map(|since| since - began);
                    self.learned.end(run.proposal.case(), End { at, run: key.0, how, stable_after });
                }
                run.phase = Phase::Closed { outcome: *outcome, at, why: why.clone() };
                self.open.remove(key);
                let ended = match outcome {
                    Outcome::Verified => Ended::Helped,
                    Outcome::RolledBack | Outcome::Escalated if was_begun => Ended::DidNotHelp,
                    _ => Ended::NeitherNor,
                };
                if *outcome == Outcome::HeldOut {
                    self.learned.trials.put(&run.proposal.prediction, run.trial(at, true));
                }
                self.history.end(key.0, at, ended);
                self.outcomes.put(*key, *outcome);
                self.closed.push_back(*key);
                while self.closed.len() > MAX_CLOSED {
                    if let Some(oldest) = self.closed.pop_front() {
                        self.runs.remove(&oldest);
                    }
                }
            }
            Record::Stopped { by } => self.stopped = Some(by.clone()),
            Record::Resumed { .. } => self.stopped = None,
            Record::Settled { prediction, breached } => self.learned.trials.settle(prediction, *breached),
            Record::Forgiven { playbook, by } => self.learned.forgive(playbook, at, by),
            Record::Silenced { silence } => self.silences.put(silence, at),
            Record::Unsilenced { silence, by } => self.silences.expire(*silence, by, at),
            Record::ClockSet { by } => {
                self.learned.shift(*by);
                self.history.shift(*by);
                self.silences.shift(*by);
                self.runs.values_mut().for_each(|run| run.shift(*by));
            }
        }
    }

    fn change(&mut self, key: RunKey, change: impl FnOnce(&mut Run)) {
        if let Some(run) = self.runs.get_mut(&key) {
            change(run);
        }
    }
}

impl Run {
    fn ended(&mut self, what: Turnout, end: StepEnd, at: Timestamp) {
        let Some(step) = self.step(what.step) else { return };
        let (retry, is_bad) = (step.retry, matches!(end, StepEnd::Failed));
        if what.is_undo {
            self.undone[what.step] = Some(end);
        } else {
            self.ends[what.step] = Some(end);
        }
        // Only what surely failed is tried again: of what timed out nobody knows how far it came.
        let next = if is_bad && what.attempt < retry.attempts {
            Turnout { attempt: what.attempt + 1, ..what }
        } else {
            Turnout { step: what.step + 1, attempt: 1, is_undo: what.is_undo }
        };
        let wait = if next.step == what.step { retry.wait_after(what.attempt, chance(&self.proposal, what)) } else { Span::ZERO };
        self.phase = Phase::Ready { what: next, not_before: at + wait };
    }

    fn shift(&mut self, by: Span) {
        match &mut self.phase {
            Phase::Waiting { until } | Phase::Reading { until } | Phase::Running { until, .. } | Phase::Probing { until, .. } => {
                *until = *until + by;
            }
            Phase::Ready { not_before, .. } => *not_before = *not_before + by,
            Phase::Verifying { since, good_since, next } => {
                (*since, *next) = (*since + by, *next + by);
                *good_since = good_since.map(|good| good + by);
            }
            Phase::Closed { .. } => {}
        }
        self.began_at = self.began_at.map(|began| began + by);
    }
}

/// A number in 0..1 that is the same after a restart.
fn chance(proposal: &super::Proposal, what: Turnout) -> f64 {
    let seed = proposal.key().0 ^ u64::from(what.attempt) ^ ((what.step as u64) << 32);
    xxhash_rust::xxh3::xxh3_64(&seed.to_le_bytes()) as f64 / u64::MAX as f64
}
