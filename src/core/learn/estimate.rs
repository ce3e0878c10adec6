//! How often a playbook helps, with how far that can be believed.
//!
//! A service with two runs says little by itself, so what is known elsewhere stands behind it: the same playbook for the same cause at other
//! services, behind that the playbook for other causes, behind that all others. Each of them counts as [`PRIOR_RUNS`] runs at most, so a few
//! runs of its own outweigh them; none counts its own runs twice, as each level is of what the one before it leaves out.

use portent_models::beta;
use serde::{Deserialize, Serialize};

use super::{Case, End, How, Learned};
use crate::core::gate::Mode;
use crate::core::time::{Span, Timestamp};

/// What is known elsewhere weighs as much as so many runs of its own.
const PRIOR_RUNS: f64 = 4.0;
/// Before anything was ever run: one that helped and one that did not, which says nothing about either.
const NOTHING_KNOWN: [f64; 2] = [1.0, 1.0];
/// Runs of a playbook, faded ones in part, from which on what is known about it is acted upon.
pub const LEAST_EVIDENCE: f64 = 5.0;
/// Of a rate's interval: nine in ten lie within.
const TAILS: [f64; 2] = [0.05, 0.95];
/// A playbook that helps less often than this is not trusted to act alone: a person is asked.
const LEAST_RATE: f64 = 0.5;
/// One that helps less often than this is not even proposed, once people have been asked for as many runs again.
const LEAST_RATE_ASKED: f64 = 0.25;
const LEAST_EVIDENCE_ASKED: f64 = 2.0 * LEAST_EVIDENCE;

/// A rate of success as a Beta distribution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    pub worked: f64,
    pub failed: f64,
    /// Runs of the playbook anywhere whose end is known, faded by their age.
    pub evidence: f64,
}

/// The same as the gate is told it, and as it stands in verdicts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trust {
    /// How often it is expected to help here.
    pub rate: f64,
    pub low: f64,
    pub high: f64,
    pub evidence: f64,
}

/// Ends that count, each by its age: how often it worked, and how often not.
fn weigh<'a>(ends: impl Iterator<Item = &'a End>, now: Timestamp, half_life: Span) -> [f64; 2] {
    let half_life_ms = half_life.as_millis().max(1) as f64;
    ends.fold([0.0, 0.0], |[worked, failed], end| {
        // An end that lies ahead of now is as fresh as one of now.
        let weight = (-((now - end.at).as_millis().max(0) as f64) / half_life_ms).exp2();
        match end.how {
            How::Worked => [worked + weight, failed],
            How::Failed | How::RolledBack => [worked, failed + weight],
            How::Unknown => [worked, failed],
        }
    })
}

fn mean([worked, failed]: [f64; 2]) -> f64 {
    worked / (worked + failed)
}

impl Learned {
    /// What each case weighs at this moment.
    pub(super) fn weights(&self, now: Timestamp, half_life: Span) -> Weights<'_> {
        Weights(self.cases.iter().map(|(case, ends)| (case, weigh(ends.iter(), now, half_life))).collect())
    }

    /// How often a playbook may be expected to help in this case.
    pub fn estimate(&self, case: &Case, now: Timestamp, half_life: Span) -> Estimate {
        self.weights(now, half_life).estimate(case)
    }
}

/// All cases at one moment: how much there is for success in each, and how much against.
#[derive(Debug)]
pub(super) struct Weights<'a>(Vec<(&'a Case, [f64; 2])>);

impl Weights<'_> {
    pub fn estimate(&self, case: &Case) -> Estimate {
        // From the farthest to the nearest: all others, the playbook otherwise, for the same cause elsewhere, here.
        let mut levels = [[0.0_f64; 2]; 4];
        for (other, [worked, failed]) in &self.0 {
            let level = match other {
                _ if other.playbook != case.playbook => 0,
                _ if other.cause != case.cause => 1,
                _ if other.service != case.service => 2,
                _ => 3,
            };
            levels[level] = [levels[level][0] + worked, levels[level][1] + failed];
        }
        let [others, own @ ..] = levels;
        // However many there are, other playbooks are no reason to be sure of this one.
        let scale = (PRIOR_RUNS / others.iter().sum::<f64>()).min(1.0);
        let mut known = [NOTHING_KNOWN[0] + scale * others[0], NOTHING_KNOWN[1] + scale * others[1]];
        for [worked, failed] in own {
            let expected = mean(known);
            known = [PRIOR_RUNS * expected + worked, PRIOR_RUNS * (1.0 - expected) + failed];
        }
        let evidence = own.iter().flatten().sum();
        Estimate { worked: known[0], failed: known[1], evidence }
    }

    /// The same for a service and a cause that it has not been used for: what is known about the playbook itself.
    pub fn estimate_anywhere(&self, playbook: &str) -> Estimate {
        let known = self.estimate(&Case { playbook: playbook.to_owned(), cause: String::new(), service: String::new() });
        // Its mean as the hierarchy has it, and as sure as all its runs make it.
        let (rate, runs) = (known.rate(), PRIOR_RUNS + known.evidence);
        Estimate { worked: rate * runs, failed: (1.0 - rate) * runs, ..known }
    }
}

impl Estimate {
    pub fn rate(self) -> f64 {
        mean([self.worked, self.failed])
    }

    /// The rate that a number in 0..1 stands for: what Thompson sampling draws.
    pub fn draw(self, chance: f64) -> f64 {
        beta::quantile(chance, self.worked, self.failed)
    }

    /// How surely it helps at least every second time.
    pub fn surely_helps(self) -> f64 {
        beta::above(LEAST_RATE, self.worked, self.failed)
    }

    pub fn trust(self) -> Trust {
        let [low, high] = TAILS.map(|tail| self.draw(tail));
        Trust { rate: self.rate(), low, high, evidence: self.evidence }
    }
}

impl Trust {
    /// Fewer runs than anything is concluded from.
    pub fn is_little(&self) -> bool {
        self.evidence < LEAST_EVIDENCE
    }

    /// What it may do at most by itself: a playbook that keeps failing is demoted, first to asking and then to nothing. It comes back as
    /// what it failed at fades, as people approve it and it helps, or by a person's word.
    pub fn mode(&self) -> Mode {
        match self.rate {
            _ if self.is_little() => Mode::Execute,
            rate if rate < LEAST_RATE_ASKED && self.evidence >= LEAST_EVIDENCE_ASKED => Mode::Observe,
            rate if rate < LEAST_RATE => Mode::Ask,
            _ => Mode::Execute,
        }
    }

    /// How much more likely a prediction has to be before this playbook is used: from 1, where it helps no more than every second time, over
    /// 0 to -1, where it always does. Nothing where little is known.
    pub fn caution(&self) -> f64 {
        /// Helping so often is what is expected of a remedy, and changes nothing.
        const USUAL_RATE: f64 = 0.8;
        if self.is_little() {
            return 0.0;
        }
        let off = USUAL_RATE - self.rate;
        if off > 0.0 { (off / (USUAL_RATE - LEAST_RATE)).min(1.0) } else { off / (1.0 - USUAL_RATE) }
    }
}
