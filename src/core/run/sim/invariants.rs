//! What must hold in every storm, seen from outside: by the records on disk and by what the actuators were told, not by the core's own state.

use super::super::{Entry, Outcome, Record, RunKey, Runs, Turnout};
use super::Storm;
use crate::core::gate::Mode;
use crate::core::learn::How;
use crate::core::playbook::StepEnd;
use crate::core::time::Span;

impl Storm {
    pub(super) fn compare(&self) -> Result<(), String> {
        let is_same = Runs::restore(self.disk.iter().cloned()) == self.runs;
        if is_same { Ok(()) } else { Err("what the ledger adds up to is not the state".into()) }
    }

    pub(super) fn note(&mut self, entry: &Entry) -> Result<(), String> {
        match &entry.record {
            Record::Claimed { run, .. } => {
                let proposal = self.runs.get(*run).map(|r| r.proposal.clone()).ok_or("claimed, and not there")?;
                let hour_ago = self.steady - Span::HOUR;
                let recent = self.began.iter().filter(|(at, ..)| *at > hour_ago);
                if recent.clone().filter(|(_, _, service, _)| *service == proposal.service).count() >= 3 {
                    return Err(format!("G2: a fourth run for {} within an hour", proposal.service));
                }
                let cooldown = self.settings.cooldown;
                if self.began.iter().any(|(at, _, _, on)| *on == proposal.targets && self.steady - *at < cooldown) {
                    return Err(format!("G2: {:?} again within its cooldown", proposal.targets));
                }
                let busy = self.runs.open().filter(|(key, r)| key != run && r.began_at.is_some() && r.proposal.targets == proposal.targets);
                if busy.count() > 0 {
                    return Err("two runs on one target".into());
                }
                let known = self.runs.learned().estimate(&proposal.case(), self.now(), self.settings.learning.half_life).trust();
                let is_approved = self.runs.get(*run).is_some_and(|r| r.approved.is_some());
                if known.mode() < Mode::Ask || known.mode() == Mode::Ask && !is_approved {
                    return Err(format!("G1: a demoted playbook began by itself: {known:?}"));
                }
                if self.runs.learned().trials.get(&proposal.prediction).is_some_and(|trial| trial.is_held_out) {
                    return Err("what was held out was acted upon".into());
                }
                let (pod, now) = (proposal.labels.get("pod").unwrap_or_default(), self.now());
                if self.silenced.values().any(|(of, until)| of == pod && now < *until) {
                    return Err(format!("{pod} was silenced and acted upon"));
                }
                if proposal.targets.is_empty() {
                    return Err("G3: nothing became something".into());
                }
                self.began.push((self.steady, *run, proposal.service, proposal.targets));
                self.saw("begun");
            }
            Record::Approved { run, by, .. } => {
                let known = self.runs.get(*run).ok_or("approved, and not there")?;
                if known.proposal.by.as_ref() == Some(by) {
                    if known.is_high_risk() {
                        return Err(format!("{by} has approved what {by} had proposed, and it is of high risk"));
                    }
                    self.saw("approved by who proposed it");
                }
            }
            Record::Closed { run, outcome, .. } => {
                self.learn(*run, *outcome);
                self.saw(match outcome {
                    Outcome::Refused => "refused",
                    Outcome::HeldOut => "held out",
                    Outcome::Shadowed => "shadowed",
                    Outcome::Rejected => "rejected",
                    Outcome::Expired => "expired",
                    Outcome::Aborted => "aborted",
                    Outcome::Verified => "verified",
                    Outcome::RolledBack => "rolled back",
                    Outcome::Escalated => "escalated",
                });
            }
            Record::Escalated { run, tried, .. } => {
                if tried.is_empty() {
                    return Err(format!("{run} was handed to a person, and nothing had been tried"));
                }
                self.saw("handed to a person");
            }
            Record::Silenced { silence } => {
                self.saw("silenced");
                self.silenced.insert(silence.id, (silence.matchers[0].value().to_owned(), silence.ends_at));
            }
            Record::Unsilenced { silence, .. } => {
                self.saw("heard again");
                self.silenced.remove(silence).ok_or("the end of a silence that was not there")?;
            }
            Record::ClockSet { by } => self.silenced.values_mut().for_each(|(_, until)| *until = *until + *by),
            Record::Forgiven { playbook, .. } => {
                self.saw("forgiven");
                self.lessons.retain(|(name, _), _| name != playbook);
            }
            _ => {}
        }
        Ok(())
    }

    /// By the reports on disk alone, what the end of a run should teach.
    fn learn(&mut self, run: RunKey, outcome: Outcome) {
        let Some(known) = self.runs.get(run).filter(|known| known.began_at.is_some()) else { return };
        let name = known.proposal.playbook.name.clone();
        let how = match outcome {
            Outcome::Verified => How::Worked,
            Outcome::RolledBack => How::RolledBack,
            // What else it was is a matter of why: together they must be all that escalated.
            Outcome::Escalated => How::Failed,
            _ => return,
        };
        *self.lessons.entry((name, how)).or_default() += 1;
    }

    pub(super) fn has_learned(&self) -> Result<(), String> {
        for playbook in &self.playbooks {
            let count = |how| self.runs.learned().count(&playbook.name, how);
            let wanted =
                [How::Worked, How::RolledBack, How::Failed].map(|how| *self.lessons.get(&(playbook.name.clone(), how)).unwrap_or(&0));
            let found = [count(How::Worked), count(How::RolledBack), count(How::Failed) + count(How::Unknown)];
            if wanted != found {
                return Err(format!("of {} was learned {found:?}, not {wanted:?}", playbook.name));
            }
        }
        Ok(())
    }

    /// G1, A1, and that nothing begins while everything is stopped: by what is on disk alone.
    pub(super) fn may_start(&self, run: RunKey, what: Turnout) -> Result<(), String> {
        let of_run = |record: &Record| match record {
            Record::Proposed { run: own, verdict, .. } => *own == run && verdict.decision == crate::core::gate::Decision::Allow,
            Record::Approved { run: own, .. } => *own == run,
            _ => false,
        };
        let records = || self.disk.iter().map(|entry| &entry.record);
        if !records().any(of_run) {
            return Err(format!("G1: {run} was started and not allowed"));
        }
        if !records().any(|r| matches!(r, Record::Claimed { run: own, .. } if *own == run)) {
            return Err(format!("A1: {run} was started before it was claimed"));
        }
        if !records().any(|r| matches!(r, Record::Started { run: own, what: w, .. } if *own == run && *w == what)) {
            return Err(format!("A1: {run} {what:?} was started before that was written down"));
        }
        if what.attempt > 1 {
            let before = Turnout { attempt: what.attempt - 1, ..what };
            let failed =
                |r: &Record| matches!(r, Record::Ended { run: own, what: w, end: StepEnd::Failed, .. } if *own == run && *w == before);
            if !records().any(failed) {
                return Err(format!("R1: {run} {what:?} was tried again without a failure"));
            }
        }
        let stops = records().filter(|r| matches!(r, Record::Stopped { .. })).count();
        let resumes = records().filter(|r| matches!(r, Record::Resumed { .. })).count();
        if stops > resumes { Err("something was started while everything was stopped".into()) } else { Ok(()) }
    }
}

/// What leaves something behind is handed to a person in the same breath, and nothing else is.
pub(super) fn is_handed_on(records: &[Entry]) -> Result<(), String> {
    let left = records.iter().filter_map(|entry| match &entry.record {
        Record::Closed { run, outcome: Outcome::RolledBack | Outcome::Escalated, .. } => Some(*run),
        _ => None,
    });
    let handed = records.iter().filter_map(|entry| if let Record::Escalated { run, .. } = &entry.record { Some(*run) } else { None });
    if left.clone().eq(handed.clone()) {
        Ok(())
    } else {
        Err(format!("left behind: {:?}; handed to a person: {:?}", left.collect::<Vec<_>>(), handed.collect::<Vec<_>>()))
    }
}
