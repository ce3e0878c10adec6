//! What follows from what comes in: which records, and which acts after them.

use super::record::{Entry, Outcome, Proposal, Record, RunKey};
use super::state::{MEASURE_EVERY, Phase};
use super::{Act, MAX_OPEN, Runs, Turn, Turnout};
use crate::core::gate::{Around, Decision, Mode, Settings, Verdict};
use crate::core::learn::{self, Ranked};
use crate::core::playbook::{Answer, Facts, Playbook, StepEnd};
use crate::core::prediction::{Prediction, PredictionId};
use crate::core::silence::own::{OwnSilence, SilenceId};
use crate::core::time::{Span, Timestamp};
use crate::core::topology::Topology;

/// Turns of one run's steps within one call at most: each turn ends a step, and a playbook has a hundred.
const MAX_TURNS: usize = 1_000;

/// What does not come from a prediction.
#[derive(Clone, Copy, Debug)]
pub struct World<'a> {
    pub settings: &'a Settings,
    pub topology: &'a Topology,
}

/// What is known about a prediction at this moment.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    pub prediction: &'a Prediction,
    pub facts: &'a Facts,
    pub around: &'a Around,
}

/// What comes in.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// An open prediction, and the playbooks that are for it.
    Prediction {
        known: Known<'a>,
        playbooks: &'a [&'a Playbook],
    },
    /// A person wants a playbook for an open prediction, whatever goes by itself.
    Wanted {
        known: Known<'a>,
        playbook: &'a Playbook,
        by: &'a str,
    },
    /// A person's word.
    Approval {
        run: RunKey,
        by: &'a str,
        is_approved: bool,
        reason: &'a str,
    },
    /// What the playbook would act on now; `None` where the prediction is no longer known.
    Targets {
        run: RunKey,
        targets: &'a [String],
        known: Option<Known<'a>>,
    },
    Report {
        run: RunKey,
        what: Turnout,
        end: StepEnd,
        note: &'a str,
    },
    Measured {
        run: RunKey,
        value: Option<f64>,
    },
    Stop {
        by: &'a str,
    },
    Resume {
        by: &'a str,
    },
    /// What became of a prediction: whether what it foretold came, as far as that is known.
    Truth {
        prediction: &'a PredictionId,
        breached: Option<bool>,
    },
    /// A replay starts nothing: what was to be started counts as begun, and how it would have ended nobody knows.
    Forgone {
        run: RunKey,
    },
    /// A person trusts a playbook again.
    Forgive {
        playbook: &'a str,
        by: &'a str,
    },
    /// A person wants to hear nothing of something.
    Silence {
        silence: &'a OwnSilence,
    },
    /// And does again.
    Unsilence {
        silence: SilenceId,
        by: &'a str,
    },
    /// The clock was set by so much, as a clock that nobody sets can tell.
    ClockSet {
        by: Span,
    },
    /// What was under way when the process ended is nobody's any more.
    Restarted,
    Tick,
}

impl Runs {
    /// Takes in what has come. The records must be on disk before the acts are carried out; where they can't be, this state must be thrown
    /// away and restored from the ledger.
    pub fn step(&mut self, now: Timestamp, input: Input<'_>, world: World<'_>) -> Turn {
        let mut turn = Turn::default();
        match input {
            Input::Prediction { known, playbooks } => self.consider(now, known, playbooks, world, &mut turn),
            Input::Wanted { known, playbook, by } => self.want(now, known, playbook, by, world, &mut turn),
            Input::Approval { run, by, is_approved, reason } => self.heard(now, run, (by, is_approved, reason), &mut turn),
            Input::Targets { run, targets, known } => self.begin(now, run, targets, known, world, &mut turn),
            Input::Report { run, what, end, note } => self.reported(now, run, what, (end, note), &mut turn),
            Input::Measured { run, value } => self.measured(now, run, value, &mut turn),
            Input::Stop { by } if self.stopped.is_none() => self.put(now, Record::Stopped { by: by.to_owned() }, &mut turn),
            Input::Resume { by } if self.stopped.is_some() => self.put(now, Record::Resumed { by: by.to_owned() }, &mut turn),
            Input::Stop { .. } | Input::Resume { .. } => {}
            Input::Forgone { run } => {
                if self.get(run).is_some_and(|run| matches!(run.phase, Phase::Running { .. })) {
                    self.close(now, run, Outcome::Shadowed, "a replay starts nothing", &mut turn);
                }
            }
            Input::Truth { prediction, breached } => {
                // Of what was left alone for any other reason nothing is to be learned.
                if self.learned.trials.get(prediction).is_some() {
                    self.put(now, Record::Settled { prediction: prediction.clone(), breached }, &mut turn);
                }
            }
            Input::Forgive { playbook, by } => {
                self.put(now, Record::Forgiven { playbook: playbook.to_owned(), by: by.to_owned() }, &mut turn);
            }
            Input::Silence { silence } => self.silence(now, silence, &mut turn),
            Input::Unsilence { silence, by } => self.unsilence(now, silence, by, &mut turn),
            Input::ClockSet { by } => self.put(now, Record::ClockSet { by }, &mut turn),
            Input::Restarted => self.recover(now, &mut turn),
            Input::Tick => {}
        }
        self.pass(now, matches!(input, Input::Tick), &mut turn);
        turn
    }

    pub(super) fn put(&mut self, at: Timestamp, record: Record, turn: &mut Turn) {
        let entry = Entry { at, record };
        self.apply(&entry);
        turn.records.push(entry);
    }

    fn close(&mut self, at: Timestamp, run: RunKey, outcome: Outcome, why: impl Into<String>, turn: &mut Turn) {
        let (before, after) = self.get(run).map_or((None, None), |run| (run.before, run.after));
        let why = why.into();
        self.put(at, Record::Closed { run, outcome, why: why.clone(), before, after }, turn);
        if let Some(known) = self.get(run).filter(|_| outcome.needs_person()) {
            let tried = known.tried();
            self.put(at, Record::Escalated { run, why, tried }, turn);
        }
    }

    /// Proposes the first playbook that the gate does not refuse, in the order that what was learned gives them. Each refusal is written down
    /// once.
    fn consider(&mut self, now: Timestamp, known: Known<'_>, playbooks: &[&Playbook], world: World<'_>, turn: &mut Turn) {
        let episode = &known.prediction.id;
        // Held out is held out: another playbook would be acting, too.
        let is_held_out = self.learned.trials.get(episode).is_some_and(|trial| trial.is_held_out);
        if world.settings.mode == Mode::Observe || is_held_out || self.open().any(|(_, run)| run.proposal.prediction == *episode) {
            return;
        }
        let order = learn::order(&self.learned, (now, world.settings.learning.half_life), known.prediction, playbooks);
        let ranked: Vec<Ranked> = order.iter().map(|(_, ranked)| ranked.clone()).filter(|_| order.len() > 1).collect();
        for (playbook, _) in order {
            let proposal = Proposal::new(playbook, known.prediction);
            let run = proposal.key();
            let before = self.outcomes.of(run);
            if before.is_some_and(|outcome| outcome != Outcome::Refused) {
                // It was done, or somebody said no: once is enough for one episode.
                continue;
            }
            let verdict = self.judge(now, known, &proposal, world);
            let (decision, is_held) = (verdict.decision, verdict.held_out() == Some(true));
            if decision == Decision::Deny && before.is_some() || self.open().count() >= MAX_OPEN {
                continue;
            }
            self.propose(now, (proposal, ranked.clone()), verdict, world, turn);
            // What is held out is left alone by all of them.
            if decision != Decision::Deny || is_held {
                return;
            }
        }
    }

    /// Written down with the gate's verdict, and what follows from that.
    pub(super) fn propose(
        &mut self,
        now: Timestamp,
        (proposal, ranked): (Proposal, Vec<Ranked>),
        verdict: Verdict,
        world: World<'_>,
        turn: &mut Turn,
    ) {
        let (run, decision, is_held) = (proposal.key(), verdict.decision, verdict.held_out() == Some(true));
        let why = verdict.obstacles().next().map(|finding| finding.reason.to_string()).unwrap_or_default();
        let expires_at = now + world.settings.approval_expires;
        self.put(now, Record::Proposed { run, proposal: Box::new(proposal), verdict, expires_at, ranked }, turn);
        match decision {
            Decision::Deny if is_held => self.close(now, run, Outcome::HeldOut, why, turn),
            Decision::Deny => self.close(now, run, Outcome::Refused, why, turn),
            Decision::Shadow => self.close(now, run, Outcome::Shadowed, why, turn),
            Decision::Ask => {}
            Decision::Allow => turn.acts.push(Act::Read { run }),
        }
    }

    fn heard(&mut self, now: Timestamp, run: RunKey, (by, is_approved, reason): (&str, bool, &str), turn: &mut Turn) {
        let Some(known) = self.get(run).filter(|known| matches!(known.phase, Phase::Waiting { until } if now < until)) else { return };
        if is_approved && known.objection_to(by).is_some() {
            return;
        }
        let (by, reason) = (by.to_owned(), reason.to_owned());
        if is_approved {
            self.put(now, Record::Approved { run, by, reason }, turn);
            turn.acts.push(Act::Read { run });
        } else {
            let why = format!("{by} said no: {reason}");
            self.put(now, Record::Rejected { run, by, reason }, turn);
            self.close(now, run, Outcome::Rejected, why, turn);
        }
    }

    /// What was frozen at the gate is read again, and the gate asked once more: between a proposal and its start lie seconds or a person's
    /// lunch.
    fn begin(&mut self, now: Timestamp, key: RunKey, targets: &[String], known: Option<Known<'_>>, world: World<'_>, turn: &mut Turn) {
        let Some(run) = self.get(key).filter(|run| matches!(run.phase, Phase::Reading { .. })) else { return };
        let mut sorted = targets.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        let abort = if sorted.is_empty() || sorted != run.proposal.targets {
            Some(format!("what it would act on has changed: {} at the gate, {} now", run.proposal.targets.join(", "), sorted.join(", ")))
        } else if let Some(known) = known.filter(|known| known.prediction.id == run.proposal.prediction) {
            let verdict = self.judge(now, known, &run.proposal, world);
            let least = if run.approved.is_some() { Decision::Ask } else { Decision::Allow };
            let obstacle = verdict.obstacles().next().map(|finding| finding.reason.to_string());
            (verdict.decision < least).then(|| obstacle.unwrap_or_default())
        } else {
            Some("the prediction is no longer known".to_owned())
        };
        let before = known.and_then(|known| match &run.proposal.playbook.verify {
            Some(_) => known.around.before,
            None => Some(known.prediction.current_value),
        });
        let before = before.filter(|value| value.is_finite());
        match abort {
            Some(why) => self.close(now, key, Outcome::Aborted, why, turn),
            None => self.put(now, Record::Claimed { run: key, before }, turn),
        }
    }

    fn reported(&mut self, now: Timestamp, key: RunKey, what: Turnout, (end, note): (StepEnd, &str), turn: &mut Turn) {
        let Some(run) = self.get(key) else { return };
        let is_awaited = matches!(&run.phase, Phase::Running { what: own, .. } | Phase::Probing { what: own, .. } if *own == what);
        if !is_awaited || end == StepEnd::Skipped {
            return;
        }
        self.end_step(now, key, what, end, note.to_owned(), turn);
    }

    fn end_step(&mut self, now: Timestamp, key: RunKey, what: Turnout, end: StepEnd, note: String, turn: &mut Turn) {
        let Some(run) = self.get(key) else { return };
        let action = match run.step(what.step) {
            Some(step) if what.is_undo => step.undo.as_ref().map(|undo| undo.action.clone()).unwrap_or_default(),
            Some(step) => step.does.action.clone(),
            None => return,
        };
        let name = run.step(what.step).map(|step| step.name.clone()).unwrap_or_default();
        self.put(now, Record::Ended { run: key, what, action, end, note }, turn);
        let Some(run) = self.get(key) else { return };
        let is_tried_again = matches!(&run.phase, Phase::Ready { what: next, .. } if next.step == what.step);
        match end {
            StepEnd::Succeeded | StepEnd::Skipped => {}
            _ if is_tried_again => {}
            StepEnd::Unknown => {
                let why = format!("nobody knows what became of {name:?}: a person must look");
                self.close(now, key, Outcome::Escalated, why, turn);
            }
            StepEnd::Failed | StepEnd::TimedOut if what.is_undo || run.is_handled(what.step, end) => {}
            StepEnd::Failed | StepEnd::TimedOut => self.undo(now, key, format!("{name:?} did not succeed"), turn),
        }
    }

    /// Takes back what was done, if there is anything and it is not too late.
    fn undo(&mut self, now: Timestamp, key: RunKey, why: String, turn: &mut Turn) {
        let Some(run) = self.get(key) else { return };
        let rollback = run.proposal.playbook.rollback;
        let is_late = run.began_at.is_none_or(|began| now - began > rollback.window);
        match run.to_undo() {
            Some(step) if rollback.enabled && !is_late => self.put(now, Record::Undoing { run: key, step, why }, turn),
            Some(_) if is_late => self.close(now, key, Outcome::Escalated, format!("{why}; too late to take it back"), turn),
            _ => self.close(now, key, Outcome::Escalated, format!("{why}; nothing is taken back"), turn),
        }
    }

    fn measured(&mut self, now: Timestamp, key: RunKey, value: Option<f64>, turn: &mut Turn) {
        let Some(run) = self.get(key) else { return };
        let Phase::Verifying { since, good_since, .. } = run.phase else { return };
        let value = value.filter(|value| value.is_finite());
        let answer = run.check().judge(value, now, since, good_since);
        self.put(now, Record::Measured { run: key, answer, value }, turn);
        match answer {
            Answer::NotYet => {}
            Answer::Success => self.close(now, key, Outcome::Verified, "it helped", turn),
            Answer::Failure => self.undo(now, key, "it did not help".to_owned(), turn),
            Answer::Inconclusive => {
                self.close(now, key, Outcome::Escalated, "nobody can tell whether it helped: a person must look", turn);
            }
        }
    }

    /// After a restart, whoever was asked to do something is asked whether it was done. Nothing is done again.
    fn recover(&mut self, now: Timestamp, turn: &mut Turn) {
        let open: Vec<(RunKey, Phase)> = self.open().map(|(key, run)| (key, run.phase.clone())).collect();
        for (run, phase) in open {
            match phase {
                Phase::Running { what, .. } | Phase::Probing { what, .. } => self.lose(now, run, what, turn),
                Phase::Reading { .. } => turn.acts.push(Act::Read { run }),
                _ => {}
            }
        }
    }

    fn lose(&mut self, now: Timestamp, run: RunKey, what: Turnout, turn: &mut Turn) {
        self.put(now, Record::Lost { run, what }, turn);
        let Some(known) = self.get(run) else { return };
        let Some(step) = known.step(what.step) else { return };
        let does = if what.is_undo { step.undo.clone() } else { Some(step.does.clone()) };
        let targets = known.proposal.targets.clone();
        turn.acts.extend(does.map(|does| Act::Probe { run, what, does, targets }));
    }

    /// What is due by now.
    fn pass(&mut self, now: Timestamp, is_tick: bool, turn: &mut Turn) {
        let due: Vec<RunKey> = self.open().filter(|(_, run)| run.due_at().is_some_and(|due| due <= now)).map(|(key, _)| key).collect();
        for key in due {
            for _ in 0..MAX_TURNS {
                if !self.advance(now, key, is_tick, turn) {
                    break;
                }
            }
        }
    }

    /// One move of one run; whether there may be another.
    fn advance(&mut self, now: Timestamp, key: RunKey, is_tick: bool, turn: &mut Turn) -> bool {
        let Some(run) = self.get(key).filter(|run| run.due_at().is_some_and(|due| due <= now)) else { return false };
        match run.phase.clone() {
            Phase::Waiting { .. } => self.close(now, key, Outcome::Expired, "nobody answered in time", turn),
            Phase::Reading { .. } => self.close(now, key, Outcome::Aborted, "what it would act on could not be read in time", turn),
            Phase::Ready { what, .. } => return self.go_on(now, key, what, turn),
            Phase::Running { what, .. } => self.lose(now, key, what, turn),
            Phase::Probing { what, .. } => self.end_step(now, key, what, StepEnd::Unknown, "no report has come".to_owned(), turn),
            // Asked for by time alone: whatever else comes in would ask for every one again.
            Phase::Verifying { .. } if !is_tick => return false,
            Phase::Verifying { since, .. } => {
                let check = run.check();
                if now - since > check.within + check.holds + MEASURE_EVERY {
                    self.measured(now, key, None, turn);
                } else {
                    let query = run.proposal.playbook.verify.as_ref().map(|verify| verify.query.clone());
                    turn.acts.push(Act::Measure { run: key, query });
                }
                return false;
            }
            Phase::Closed { .. } => return false,
        }
        true
    }

    /// The next step, or what comes after the last.
    fn go_on(&mut self, now: Timestamp, key: RunKey, what: Turnout, turn: &mut Turn) -> bool {
        let Some(run) = self.get(key) else { return false };
        if let Some(by) = self.stopped.clone() {
            let outcome = if run.began_at.is_some() { Outcome::Escalated } else { Outcome::Aborted };
            self.close(now, key, outcome, format!("everything was stopped by {by}"), turn);
            return false;
        }
        if what.is_undo {
            return self.go_back(now, key, what, turn);
        }
        let Some(step) = run.step(what.step) else {
            let bad = |end: &Option<StepEnd>| matches!(end, Some(StepEnd::Failed | StepEnd::TimedOut));
            if run.ends.iter().any(bad) {
                self.undo(now, key, "not every step succeeded".to_owned(), turn);
            } else {
                self.put(now, Record::Checking { run: key }, turn);
            }
            return true;
        };
        if what.attempt == 1 && !run.is_wanted(step) {
            self.end_step(now, key, what, StepEnd::Skipped, String::new(), turn);
            return true;
        }
        let (does, timeout, targets) = (step.does.clone(), step.timeout, run.proposal.targets.clone());
        self.put(now, Record::Started { run: key, what, action: does.action.clone() }, turn);
        turn.acts.push(Act::Start { run: key, what, does, targets, timeout });
        false
    }

    /// The next step to be taken back, from the last to the first.
    fn go_back(&mut self, now: Timestamp, key: RunKey, what: Turnout, turn: &mut Turn) -> bool {
        let Some(run) = self.get(key) else { return false };
        let why = run.undoing.clone().unwrap_or_default();
        // A try that failed stands as undone: it is either repeated, or it was the last.
        let again = (what.attempt > 1).then_some(what.step);
        let Some(index) = again.or_else(|| run.to_undo()) else {
            let is_whole = run.undone.iter().flatten().all(|end| *end == StepEnd::Succeeded);
            let (outcome, how) = if is_whole {
                (Outcome::RolledBack, "it was taken back")
            } else {
                (Outcome::Escalated, "not all of it could be taken back")
            };
            self.close(now, key, outcome, format!("{why}; {how}"), turn);
            return false;
        };
        let Some((does, timeout)) = run.step(index).and_then(|step| Some((step.undo.clone()?, step.timeout))) else { return false };
        let what = Turnout { step: index, attempt: what.attempt, is_undo: true };
        let targets = run.proposal.targets.clone();
        self.put(now, Record::Started { run: key, what, action: does.action.clone() }, turn);
        turn.acts.push(Act::Start { run: key, what, does, targets, timeout });
        false
    }
}
