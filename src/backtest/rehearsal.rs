//! What would have been done about what was told: the daemon's gate, ranking and runs gone through once more, by the data's own clock.
//!
//! It happens after the engine, not beside it: a server's watches are read one after the other, and a limit that counts what all of them do
//! within an hour needs them in the order of time. What was told is put into that order, and every prediction is looked at when it is
//! raised, when it changes, and every so often while something that time alone may lift stands in its way.
//!
//! Nothing is carried out, so nothing is known of how it would have ended: what begins is over at once, counts for cooldowns and rates, and
//! neither as a success nor as a failure.

mod count;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Serialize;

pub use count::{Change, Changed, OfPlaybook, ReasonCount, Rehearsed};

use super::alarm::Verdict;
use crate::core::engine::Effect;
use crate::core::gate::{Around, Decision, Mode, Reason, Settings};
use crate::core::labels::Labels;
use crate::core::playbook::{Facts, Field, Playbook};
use crate::core::prediction::{Prediction, PredictionId};
use crate::core::run::{Act, Entry, Input, Known, Record, Runs, World};
use crate::core::time::{Span, Timestamp};
use crate::core::topology::Topology;
use crate::core::watch::Watch;

/// What only time stands in the way of is looked at again this often: windows and cooldowns are of minutes, and a year has to be gone over.
const LOOK_EVERY: Span = Span::from_secs(900);

/// What would have been done, from the least to the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Would {
    /// The gate would have said no.
    HaveRefused,
    /// It hangs on a metric that the history does not hold.
    NotKnown,
    /// Left alone by lot.
    HaveHeldOut,
    /// Written down as something that would have been done in another mode.
    HaveShadowed,
    /// A person would have been asked.
    HaveAsked,
    HaveActed,
}

impl Would {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HaveRefused => "would_have_refused",
            Self::NotKnown => "not_known",
            Self::HaveHeldOut => "would_have_held_out",
            Self::HaveShadowed => "would_have_shadowed",
            Self::HaveAsked => "would_have_asked",
            Self::HaveActed => "would_have_acted",
        }
    }

    /// The same for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::HaveRefused => "would have refused",
            Self::NotKnown => "not known",
            Self::HaveHeldOut => "would have been held out",
            Self::HaveShadowed => "would have noted only",
            Self::HaveAsked => "would have asked",
            Self::HaveActed => "would have acted",
        }
    }
}

impl Serialize for Would {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// One playbook at the gate for one prediction.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Decided {
    pub prediction: PredictionId,
    pub watch: String,
    pub service: String,
    pub labels: Labels,
    pub at: Timestamp,
    pub playbook: String,
    pub would: Would,
    /// What stood in the way, in words; empty where nothing did.
    pub because: Vec<String>,
    /// The names of those checks.
    pub checks: Vec<String>,
    /// What became of the prediction.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// What is needed to decide, and what was told so far.
#[derive(Debug)]
pub struct Rehearsal {
    settings: Settings,
    topology: Topology,
    playbooks: Vec<Playbook>,
    told: Vec<Prediction>,
}

/// A prediction that stands, at one moment of the rehearsal.
struct Standing<'a> {
    prediction: &'a Prediction,
    playbooks: &'a [&'a Playbook],
    first: Option<Timestamp>,
    is_done: bool,
    /// Something stands in the way that may go away by itself.
    may_change: bool,
}

impl Rehearsal {
    pub fn new(settings: Settings, topology: Topology, playbooks: Vec<Playbook>) -> Self {
        Self { settings, topology, playbooks, told: Vec::new() }
    }

    pub(super) fn hear(&mut self, effect: &Effect) {
        if let Effect::Raised(prediction) | Effect::Updated(prediction) | Effect::Ended(prediction) = effect {
            self.told.push(prediction.clone());
        }
    }

    /// Goes through it. `first` knows the time of a series' first sample.
    pub(super) fn run<'a>(
        mut self,
        watches: impl Iterator<Item = &'a Watch>,
        first: impl Fn(&str, &Labels) -> Option<Timestamp>,
        became: &HashMap<PredictionId, Verdict>,
    ) -> Rehearsed {
        self.told.sort_by(|a, b| {
            let key = |p: &'_ Prediction| (p.updated_at, p.revision);
            key(a).cmp(&key(b)).then_with(|| (&a.watch, &a.labels).cmp(&(&b.watch, &b.labels)))
        });
        let watches: BTreeMap<&str, &Watch> = watches.map(|watch| (&*watch.name, watch)).collect();
        let none: &[String] = &[];
        let mut candidates: BTreeMap<&PredictionId, Vec<&Playbook>> = BTreeMap::new();
        for prediction in self.told.iter().filter(|p| p.revision == 0) {
            let suggested = watches.get(prediction.watch.as_str()).map_or(none, |watch| &watch.playbooks);
            candidates.insert(&prediction.id, crate::core::run::candidates(&self.playbooks, prediction, suggested));
        }
        let mut stage = Stage { rehearsal: &self, runs: Runs::default(), decided: Vec::new(), open: BTreeMap::new(), became };
        let mut next_look = Timestamp::MAX;
        for prediction in &self.told {
            let now = prediction.updated_at;
            while next_look < now && stage.open.values().any(|standing| standing.may_change) {
                stage.look(next_look);
                next_look = next_look + LOOK_EVERY;
            }
            let key = (prediction.raised_at, &prediction.watch, &prediction.labels);
            if prediction.ended_at.is_some() {
                stage.open.remove(&key);
                continue;
            }
            let of = candidates.get(&prediction.id).map_or(&[][..], Vec::as_slice);
            let standing = stage.open.entry(key).or_insert_with(|| Standing {
                prediction,
                playbooks: of,
                first: first(&prediction.watch, &prediction.labels),
                is_done: of.is_empty(),
                may_change: false,
            });
            standing.prediction = prediction;
            stage.consider(now, key);
            next_look = now + LOOK_EVERY;
        }
        let decided = stage.decided;
        let with = candidates.values().filter(|of| !of.is_empty()).count() as u64;
        Rehearsed::new(self.settings.mode, with, decided)
    }
}

/// Predictions in the order in which they were raised.
type Key<'a> = (Timestamp, &'a String, &'a Labels);

/// The rehearsal at one moment.
struct Stage<'a, 'b> {
    rehearsal: &'a Rehearsal,
    runs: Runs,
    decided: Vec<Decided>,
    open: BTreeMap<Key<'a>, Standing<'b>>,
    became: &'a HashMap<PredictionId, Verdict>,
}

impl<'a: 'b, 'b> Stage<'a, 'b> {
    /// Time has passed.
    fn look(&mut self, now: Timestamp) {
        let waiting: Vec<Key<'a>> = self.open.iter().filter(|(_, standing)| standing.may_change).map(|(key, _)| *key).collect();
        for key in waiting {
            self.consider(now, key);
        }
    }

    fn consider(&mut self, now: Timestamp, key: Key<'a>) {
        let Self { rehearsal, .. } = *self;
        let world = World { settings: &rehearsal.settings, topology: &rehearsal.topology };
        if self.runs.next_due().is_some_and(|due| due <= now) {
            self.runs.step(now, Input::Tick, world);
        }
        let Some(Standing { prediction, playbooks, first, is_done: false, .. }) = self.open.get(&key) else { return };
        let (prediction, playbooks) = (*prediction, *playbooks);
        let group = rehearsal.topology.group(&prediction.service);
        let sick: BTreeSet<&str> = self.open.values().map(|s| s.prediction.service.as_str()).filter(|s| group.contains(s)).collect();
        let known_for = first.map(|first| now - first);
        let around = Around { data_age: Some(Span::ZERO), known_for, sick: sick.len(), ..Around::default() };
        let facts = Facts::default();
        let known = Known { prediction, facts: &facts, around: &around };
        let turn = self.runs.step(now, Input::Prediction { known, playbooks }, world);
        let mut decisions = Vec::new();
        for entry in &turn.records {
            decisions.extend(self.note(entry, prediction));
        }
        for act in turn.acts {
            let Act::Read { run } = act else { continue };
            let targets = self.runs.get(run).map(|run| run.proposal.targets.clone()).unwrap_or_default();
            self.runs.step(now, Input::Targets { run, targets: &targets, known: Some(known) }, world);
            self.runs.step(now, Input::Forgone { run }, world);
        }
        let Some(standing) = self.open.get_mut(&key) else { return };
        standing.is_done = decisions.iter().any(|(would, _)| *would > Would::NotKnown);
        if !decisions.is_empty() {
            standing.may_change = decisions.iter().any(|(_, may_change)| *may_change);
        }
        standing.may_change &= !standing.is_done;
    }

    /// What a record says would have been done, and whether time alone might change it.
    fn note(&mut self, entry: &Entry, prediction: &Prediction) -> Option<(Would, bool)> {
        let Record::Proposed { proposal, verdict, .. } = &entry.record else { return None };
        let obstacles: Vec<&Reason> = verdict.obstacles().map(|finding| &finding.reason).collect();
        let is_foreign =
            |reason: &&Reason| matches!(reason, Reason::Condition(unmet) if Field::named(&unmet.metric).is_none() && unmet.found.is_none());
        let would = match verdict.decision {
            Decision::Allow => Would::HaveActed,
            Decision::Ask => Would::HaveAsked,
            Decision::Shadow => Would::HaveShadowed,
            Decision::Deny if verdict.held_out() == Some(true) => Would::HaveHeldOut,
            Decision::Deny => {
                let denies = verdict.findings.iter().filter(|f| f.admits == Decision::Deny).map(|f| &f.reason);
                if denies.clone().all(|reason| is_foreign(&reason)) { Would::NotKnown } else { Would::HaveRefused }
            }
        };
        self.decided.push(Decided {
            prediction: prediction.id.clone(),
            watch: prediction.watch.clone(),
            service: prediction.service.clone(),
            labels: prediction.labels.clone(),
            at: entry.at,
            playbook: proposal.playbook.name.clone(),
            would,
            because: obstacles.iter().map(ToString::to_string).collect(),
            checks: obstacles.iter().map(|reason| reason.name()).collect(),
            verdict: self.became.get(&prediction.id).copied().unwrap_or(Verdict::Pending),
        });
        // A look is cheap beside a chance that was missed: only what surely stands as it is, is not looked at again.
        let denies = verdict.findings.iter().filter(|f| f.admits == Decision::Deny).map(|f| &f.reason);
        let stays = |reason: &Reason| {
            matches!(reason, Reason::Likelihood { .. } | Reason::Impact { .. } | Reason::Targets { .. } | Reason::Condition(_))
        };
        Some((would, !denies.clone().any(stays)))
    }
}

/// Whether anything would be done at all.
pub fn is_wanted(settings: &Settings) -> bool {
    settings.mode > Mode::Observe
}
