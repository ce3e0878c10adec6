//! What would have been done, added up: by playbook, by what stood in the way, and against another configuration.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::{Decided, Would};
use crate::backtest::alarm::Verdict;
use crate::core::gate::Mode;
use crate::core::prediction::PredictionId;

/// What a replay of past samples cannot know about acting.
const ASSUMED: [&str; 4] = [
    "silences, stops by people, health checks and answers that a source called incomplete are not in the history",
    "data is taken to have just come at each look",
    "what would have begun is over at once: it counts for cooldowns and rates, and neither as a success nor as a failure",
    "nothing is learned, so several playbooks of one priority go first by lot",
];

/// All of it. Serialized as it stands.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rehearsed {
    pub mode: Mode,
    /// Predictions that a playbook is for.
    pub predictions: u64,
    /// Of those, by the most that would have been done about each.
    pub would_have_acted: u64,
    pub would_have_asked: u64,
    pub would_have_shadowed: u64,
    pub would_have_held_out: u64,
    pub would_have_refused: u64,
    /// It hangs on metrics that the history does not hold.
    pub not_known: u64,
    /// What stood in the way, the most frequent first; one decision may name several.
    pub reasons: Vec<ReasonCount>,
    pub playbooks: Vec<OfPlaybook>,
    /// In order of time.
    pub decisions: Vec<Decided>,
    pub assumed: Vec<String>,
}

/// How often one check stood in the way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReasonCount {
    pub check: String,
    pub count: u64,
    /// As it was said the first time.
    pub example: String,
}

/// One playbook's part. What was acted upon is counted by what became of the prediction, had nothing been done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct OfPlaybook {
    pub playbook: String,
    pub would_have_acted: u64,
    /// Of those it would have acted or asked about.
    pub came_true: u64,
    pub did_not: u64,
    pub would_have_asked: u64,
    pub would_have_shadowed: u64,
    pub would_have_held_out: u64,
    pub would_have_refused: u64,
    pub not_known: u64,
}

/// What another configuration changes about acting.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Change {
    /// Predictions about which more would be done, and less.
    pub adds: u64,
    pub drops: u64,
    pub changed: Vec<Changed>,
}

/// One prediction about which something else would be done; `None` where a configuration does not raise it or has no playbook for it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Changed {
    pub this: Option<Decided>,
    pub other: Option<Decided>,
}

impl Rehearsed {
    pub(super) fn new(mode: Mode, predictions: u64, decisions: Vec<Decided>) -> Self {
        let mut counts: BTreeMap<Would, u64> = BTreeMap::new();
        for decided in best(&decisions).values() {
            *counts.entry(decided.would).or_default() += 1;
        }
        let count = |would| counts.get(&would).copied().unwrap_or(0);
        let mut reasons: Vec<ReasonCount> = Vec::new();
        let mut playbooks: BTreeMap<&str, OfPlaybook> = BTreeMap::new();
        for decided in &decisions {
            for (check, said) in decided.checks.iter().zip(&decided.because) {
                match reasons.iter_mut().find(|known| known.check == *check) {
                    Some(known) => known.count += 1,
                    None => reasons.push(ReasonCount { check: check.clone(), count: 1, example: said.clone() }),
                }
            }
            playbooks.entry(&decided.playbook).or_default().count(decided);
        }
        reasons.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.check.cmp(&b.check)));
        Self {
            mode,
            predictions,
            would_have_acted: count(Would::HaveActed),
            would_have_asked: count(Would::HaveAsked),
            would_have_shadowed: count(Would::HaveShadowed),
            would_have_held_out: count(Would::HaveHeldOut),
            would_have_refused: count(Would::HaveRefused),
            not_known: count(Would::NotKnown),
            reasons,
            playbooks: playbooks.into_iter().map(|(name, of)| OfPlaybook { playbook: name.to_owned(), ..of }).collect(),
            decisions,
            assumed: ASSUMED.map(str::to_owned).into(),
        }
    }

    /// The counts by their words.
    pub fn counts(&self) -> [(&'static str, u64); 6] {
        [
            ("would_have_acted", self.would_have_acted),
            ("would_have_asked", self.would_have_asked),
            ("would_have_shadowed", self.would_have_shadowed),
            ("would_have_held_out", self.would_have_held_out),
            ("would_have_refused", self.would_have_refused),
            ("not_known", self.not_known),
        ]
    }

    /// The most that would have been done about each prediction, in order of time.
    pub fn best(&self) -> Vec<&Decided> {
        let mut best: Vec<&Decided> = best(&self.decisions).into_values().collect();
        best.sort_by(|a, b| (a.at, &a.watch, &a.labels).cmp(&(b.at, &b.watch, &b.labels)));
        best
    }
}

/// Of several playbooks, the one with the most; of several of them the first.
fn best(decisions: &[Decided]) -> HashMap<&PredictionId, &Decided> {
    let mut best: HashMap<&PredictionId, &Decided> = HashMap::new();
    for decided in decisions {
        let known = best.entry(&decided.prediction).or_insert(decided);
        if decided.would > known.would {
            *known = decided;
        }
    }
    best
}

impl OfPlaybook {
    fn count(&mut self, decided: &Decided) {
        let to = match decided.would {
            Would::HaveActed => &mut self.would_have_acted,
            Would::HaveAsked => &mut self.would_have_asked,
            Would::HaveShadowed => &mut self.would_have_shadowed,
            Would::HaveHeldOut => &mut self.would_have_held_out,
            Would::HaveRefused => &mut self.would_have_refused,
            Would::NotKnown => &mut self.not_known,
        };
        *to += 1;
        if decided.would >= Would::HaveAsked {
            self.came_true += u64::from(matches!(decided.verdict, Verdict::CameTrue { .. }));
            self.did_not += u64::from(decided.verdict == Verdict::DidNot);
        }
    }
}

impl Change {
    /// `pairs` are the predictions of both that are the same one, or of one of them alone.
    pub fn between(this: Option<&Rehearsed>, other: Option<&Rehearsed>, pairs: &[(Option<PredictionId>, Option<PredictionId>)]) -> Self {
        let of = |report: Option<&Rehearsed>| -> HashMap<PredictionId, Decided> {
            let best = report.map(Rehearsed::best).unwrap_or_default();
            best.into_iter().map(|decided| (decided.prediction.clone(), decided.clone())).collect()
        };
        let (mine, theirs) = (of(this), of(other));
        let mut change = Self::default();
        for (a, b) in pairs {
            let (a, b) = (a.as_ref().and_then(|id| mine.get(id)), b.as_ref().and_then(|id| theirs.get(id)));
            let would = |decided: Option<&Decided>| decided.map(|decided| decided.would);
            let does = |decided: Option<&Decided>| decided.filter(|d| d.would > Would::NotKnown).map(|d| (d.would, d.playbook.clone()));
            if would(a) == would(b) && does(a) == does(b) {
                continue;
            }
            match would(b).cmp(&would(a)) {
                std::cmp::Ordering::Greater => change.adds += 1,
                std::cmp::Ordering::Less => change.drops += 1,
                std::cmp::Ordering::Equal => {}
            }
            change.changed.push(Changed { this: a.cloned(), other: b.cloned() });
        }
        let at = |changed: &Changed| changed.this.as_ref().or(changed.other.as_ref()).map(|d| (d.at, d.watch.clone(), d.labels.clone()));
        change.changed.sort_by_key(at);
        change
    }
}
