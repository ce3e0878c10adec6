//! What has been learned, for people and programs: each playbook with what it may do, and each case it was used in.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Benefit, Case, End, Estimate, How, LEAST_EVIDENCE, Learned, Trust};
use crate::core::gate::Mode;
use crate::core::time::{Span, Timestamp};

/// All of it at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stats {
    pub at: Timestamp,
    pub half_life_s: f64,
    /// From fewer runs nothing is concluded.
    pub least_evidence: f64,
    /// By name.
    pub playbooks: Vec<PlaybookStats>,
    /// What acting is worth, measured against predictions that were held out by lot.
    pub benefit: Vec<Benefit>,
}

/// Runs that had begun, by how they ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    pub worked: u64,
    pub failed: u64,
    pub rolled_back: u64,
    pub unknown: u64,
}

/// A rate of success and what follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    pub counts: Counts,
    /// How often it is expected to help; the true rate lies nine times in ten between `low` and `high`.
    pub rate: f64,
    pub low: f64,
    pub high: f64,
    /// Runs of the playbook whose end is known, faded by their age.
    pub evidence: f64,
    /// Fewer than anything is concluded from.
    pub too_little_evidence: bool,
    /// How surely it helps at least every second time.
    pub trust: f64,
    /// What it may do at most by itself; the configuration may allow less.
    pub mode_at_most: Mode,
    /// Of those that worked, from the first step until it held.
    pub median_stable_s: Option<f64>,
}

/// One playbook.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlaybookStats {
    pub playbook: String,
    #[serde(flatten)]
    pub standing: Standing,
    /// Since when its past counts no more, and by whose word.
    pub forgiven_at: Option<Timestamp>,
    pub forgiven_by: Option<String>,
    pub cases: Vec<CaseStats>,
}

/// One cause at one service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CaseStats {
    pub cause: String,
    pub service: String,
    #[serde(flatten)]
    pub standing: Standing,
}

impl Standing {
    fn new<'a>(ends: &(impl Iterator<Item = &'a End> + Clone), known: Estimate) -> Self {
        let count = |how: How| ends.clone().filter(|end| end.how == how).count() as u64;
        let mut stable: Vec<Span> = ends.clone().filter_map(|end| end.stable_after).collect();
        stable.sort_unstable();
        let median = stable.get(stable.len() / 2).map(|upper| {
            let lower = stable[(stable.len() - 1) / 2];
            f64::midpoint(lower.as_secs_f64(), upper.as_secs_f64())
        });
        let trust = known.trust();
        Self {
            counts: Counts {
                worked: count(How::Worked),
                failed: count(How::Failed),
                rolled_back: count(How::RolledBack),
                unknown: count(How::Unknown),
            },
            rate: trust.rate,
            low: trust.low,
            high: trust.high,
            evidence: trust.evidence,
            too_little_evidence: trust.is_little(),
            trust: known.surely_helps(),
            mode_at_most: trust.mode(),
            median_stable_s: median,
        }
    }
}

impl Learned {
    /// Which cases there are, and how far a playbook can be trusted in each.
    pub fn trusts(&self, now: Timestamp, half_life: Span) -> Vec<(Case, Trust)> {
        let weights = self.weights(now, half_life);
        self.cases.keys().map(|case| (case.clone(), weights.estimate(case).trust())).collect()
    }

    pub fn stats(&self, now: Timestamp, half_life: Span) -> Stats {
        let weights = self.weights(now, half_life);
        let mut by_playbook: BTreeMap<&str, Vec<(&Case, &Vec<End>)>> = BTreeMap::new();
        for (case, ends) in &self.cases {
            by_playbook.entry(&case.playbook).or_default().push((case, ends));
        }
        self.forgiven.keys().for_each(|name| _ = by_playbook.entry(name).or_default());
        let of_case = |(case, ends): &(&Case, &Vec<End>)| CaseStats {
            cause: case.cause.clone(),
            service: case.service.clone(),
            standing: Standing::new(&ends.iter(), weights.estimate(case)),
        };
        let of_playbook = |(name, cases): (&str, Vec<(&Case, &Vec<End>)>)| {
            let (forgiven_at, forgiven_by) = self.forgiven.get(name).cloned().unzip();
            let ends = cases.iter().flat_map(|(_, ends)| ends.iter());
            PlaybookStats {
                playbook: name.to_owned(),
                standing: Standing::new(&ends, weights.estimate_anywhere(name)),
                forgiven_at,
                forgiven_by,
                cases: cases.iter().map(of_case).collect(),
            }
        };
        Stats {
            at: now,
            half_life_s: half_life.as_secs_f64(),
            least_evidence: LEAST_EVIDENCE,
            playbooks: by_playbook.into_iter().map(of_playbook).collect(),
            benefit: self.trials.benefits(),
        }
    }
}
