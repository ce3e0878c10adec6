//! From a prediction to a playbook run that can be trusted: what is proposed, who approved it, what was started and how it ended.
//!
//! State is nothing but the sum of its records: [`Runs::step`] decides, writes each decision down as a [`Record`], and takes it in by the same
//! function that a restart reads the ledger with. The shell must have the records on disk before it does what stands in [`Turn::acts`];
//! so nothing is started that is not written down, and what was written down is not started again, whatever crashes in between.
//!
//! A start without an end is `unknown`: it is probed if the actuator can tell, and otherwise a person's; it is never repeated.

mod apply;
#[cfg(test)]
mod bandit_tests;
mod decide;
#[cfg(test)]
pub mod fixtures;
mod judge;
mod outcomes;
mod record;
mod silenced;
#[cfg(test)]
mod sim;
mod state;
#[cfg(test)]
mod tests;
mod wanted;

pub use decide::{Input, Known, World};
pub use record::{Basis, Entry, Outcome, Proposal, Record, RunKey, Tried};
pub use state::{Phase, Run};

use outcomes::Outcomes;

use std::collections::{BTreeMap, BTreeSet};

use super::gate::{History, Verdict};
use super::labels::Labels;
use super::learn::Learned;
use super::playbook::{Do, Playbook};
use super::prediction::{Cause, Prediction, PredictionId};
use super::silence::own::Silences;
use super::time::{Span, Timestamp};

/// Runs that are not closed at most: each holds a playbook and waits for something.
pub const MAX_OPEN: usize = 1_000;
/// Closed runs whose details are kept in memory; the ledger has all of them.
const MAX_CLOSED: usize = 1_000;

/// Every run there is, and what limits count.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Runs {
    runs: BTreeMap<RunKey, Run>,
    /// Keys of those that are not closed: asked for at every decision, and a few among many.
    open: BTreeSet<RunKey>,
    /// Keys of closed runs, the oldest first.
    closed: std::collections::VecDeque<RunKey>,
    outcomes: Outcomes,
    history: History,
    learned: Learned,
    /// Who has stopped everything.
    stopped: Option<String>,
    silences: Silences,
}

/// What the shell is to do, after it has written down `records`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Turn {
    pub records: Vec<Entry>,
    pub acts: Vec<Act>,
}

/// One step at one moment: what names it in a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Turnout {
    pub step: usize,
    /// From 1.
    pub attempt: u32,
    /// It takes the step back.
    pub is_undo: bool,
}

/// What leaves the core.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// Says what the playbook would act on now: [`Input::Targets`].
    Read { run: RunKey },
    /// Does it, once: [`Input::Report`].
    Start { run: RunKey, what: Turnout, does: Do, targets: Vec<String>, timeout: Span },
    /// Asks whether what was started has been done: [`Input::Report`], `Unknown` where nobody can tell.
    Probe { run: RunKey, what: Turnout, does: Do, targets: Vec<String> },
    /// Asks for the check's value: [`Input::Measured`].
    Measure { run: RunKey, query: Option<String> },
}

/// The playbooks that are for a prediction, the most urgent first; its watch suggests some by name.
pub fn candidates<'a>(playbooks: &'a [Playbook], prediction: &Prediction, suggested: &[String]) -> Vec<&'a Playbook> {
    let is_for =
        |playbook: &&Playbook| playbook.is_for_cause(prediction.cause, &prediction.watch, &prediction.code, suggested, &prediction.labels);
    let mut found: Vec<&Playbook> = playbooks.iter().filter(is_for).collect();
    found.sort_by_key(|playbook| playbook.priority);
    found
}

impl Runs {
    /// What the records add up to.
    pub fn restore(entries: impl IntoIterator<Item = Entry>) -> Self {
        let mut runs = Self::default();
        entries.into_iter().for_each(|entry| runs.apply(&entry));
        runs
    }

    pub fn get(&self, key: RunKey) -> Option<&Run> {
        self.runs.get(&key)
    }

    /// By key.
    pub fn all(&self) -> impl Iterator<Item = (RunKey, &Run)> {
        self.runs.iter().map(|(key, run)| (*key, run))
    }

    pub fn open(&self) -> impl Iterator<Item = (RunKey, &Run)> {
        self.open.iter().filter_map(|key| Some((*key, self.runs.get(key)?)))
    }

    pub fn stopped(&self) -> Option<&str> {
        self.stopped.as_deref()
    }

    /// Those of our own.
    pub fn silences(&self) -> &Silences {
        &self.silences
    }

    pub fn history(&self) -> &History {
        &self.history
    }

    /// The episode that a run was last proposed about, of a cause of one series, and when that was.
    pub fn last_episode(&self, cause: Cause, watch: &str, labels: &Labels) -> Option<(&PredictionId, Timestamp)> {
        let about = self.runs.values().filter(|run| {
            let proposal = &run.proposal;
            proposal.cause == cause && proposal.watch == watch && proposal.labels == *labels
        });
        about.max_by_key(|run| run.proposed_at).map(|run| (&run.proposal.prediction, run.proposed_at))
    }

    /// What would be proposed about something, and what the gate says to it now. Changes nothing.
    pub fn look(&self, now: Timestamp, known: Known<'_>, playbook: &Playbook, world: World<'_>) -> (Proposal, Verdict) {
        let proposal = Proposal::new(playbook, known.prediction);
        let verdict = self.judge(now, known, &proposal, world);
        (proposal, verdict)
    }

    /// What the ends of runs have taught.
    pub fn learned(&self) -> &Learned {
        &self.learned
    }

    /// The next time at which something is due without any input; `None` while nothing is under way.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.open().filter_map(|(_, run)| run.due_at()).min()
    }
}
