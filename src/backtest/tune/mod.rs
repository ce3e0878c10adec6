//! Settings proposed from the past: what would have told most within a budget of false alarms, had it been set.
//!
//! Causal: candidates are compared on the first part of what could be judged, with what was known at its end; the figures that are shown
//! come from the rest, which the choice has not seen. All candidates of a round are fed by one reading of the past. Today's settings stay
//! unless another tells more events, or as many earlier, or keeps to the budget where today's don't.

mod candidate;
mod choice;
mod figures;
pub mod patch;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use rayon::prelude::*;
use serde::Serialize;

pub use self::candidate::{Change, MOST_COMBINED, MOST_SINGLE};
pub use self::choice::MIN_EVENTS;
pub use self::figures::Figures;

use self::candidate::{Candidate, changed, combined, single};
use self::choice::{Budget, best, worth_combining};
use self::figures::{Part, figures};
use super::past::Take;
use super::report::{Event, Report};
use super::truth::Truth;
use super::{Backtest, Judging, SummaryError};
use crate::chart::ChartError;
use crate::core::frame::Frame;
use crate::core::time::{Span, Timestamp};
use crate::core::watch::Watch;

/// Share of the judged time on which candidates are compared.
const CHOSEN_ON: f64 = 0.6;

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    /// Of one watch, all its series together.
    pub false_alarms_per_week: f64,
    /// What is told later than that does not count as told.
    pub min_lead: Span,
}

/// Several settings of the same watches side by side on the same samples.
#[derive(Debug)]
pub struct Trials {
    trials: Vec<Trial>,
    /// Of each watch, once it was fed: where its data ends.
    ends: Vec<Option<Timestamp>>,
    notes: Vec<String>,
}

#[derive(Debug)]
struct Trial {
    backtest: Backtest,
    /// Of each watch, what is tried; none where there is nothing left to try.
    tries: Vec<Option<Candidate>>,
}

impl Take for Trials {
    fn watch(&self, watch: usize) -> Option<&Watch> {
        self.trials.first()?.backtest.watch(watch)
    }

    fn take(&mut self, watch: usize, frame: &Frame, thresholds: Option<&Frame>, ends: Timestamp) -> Result<(), ChartError> {
        self.ends[watch] = Some(ends);
        self.trials
            .par_iter_mut()
            .filter(|trial| trial.tries[watch].is_some())
            .try_for_each(|trial| trial.backtest.feed(watch, frame, thresholds, ends).map(|_| ()))
    }

    fn hear(&mut self, note: String) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }
}

/// The work under way.
#[derive(Debug)]
pub struct Tuning {
    watches: Vec<Arc<Watch>>,
    judging: Judging,
    wish: Wish,
    truth: Option<Truth>,
    /// By today's settings.
    events: Vec<Event>,
    parts: Vec<Option<(Part, Part)>>,
    /// Of each watch: what was tried, and what it came to on either part. Today's settings first.
    tried: Vec<Vec<Tried>>,
    notes: Vec<String>,
    was_stopped: bool,
    /// Rounds that came to the end of the past.
    whole_rounds: usize,
}

/// One candidate's figures.
#[derive(Clone, Debug)]
struct Tried {
    changes: Candidate,
    chosen_on: Figures,
    shown_on: Figures,
}

/// Before and after, on one part of the past.
#[derive(Clone, Debug, Serialize)]
pub struct Compared {
    pub from: Timestamp,
    pub to: Timestamp,
    pub today: Figures,
    /// None where today's settings stay.
    pub proposed: Option<Figures>,
}

/// What is proposed for one watch.
#[derive(Clone, Debug, Serialize)]
pub struct Proposal {
    pub watch: String,
    /// None: what is set stays.
    pub changes: Vec<Change>,
    /// In words.
    pub because: String,
    /// Settings that were compared, today's among them.
    pub compared: usize,
    pub chosen_on: Option<Compared>,
    /// What the choice has not seen.
    pub shown_on: Option<Compared>,
}

/// All of it.
#[derive(Clone, Debug, Serialize)]
pub struct Tuned {
    pub false_alarms_per_week: f64,
    pub min_lead_s: f64,
    pub stopped_early: bool,
    pub proposals: Vec<Proposal>,
    pub notes: Vec<String>,
    #[serde(skip)]
    watches: Vec<Arc<Watch>>,
}

impl Tuning {
    pub fn new(watches: Vec<Arc<Watch>>, judging: Judging, wish: Wish) -> Self {
        let (parts, tried) = (vec![None; watches.len()], vec![Vec::new(); watches.len()]);
        Self {
            watches,
            judging,
            wish,
            truth: None,
            events: Vec::new(),
            parts,
            tried,
            notes: Vec::new(),
            was_stopped: false,
            whole_rounds: 0,
        }
    }

    /// Judges by what somebody else says has happened, and not by thresholds.
    pub fn judge_by(&mut self, truth: Truth) {
        self.truth = Some(truth);
    }

    /// Something that the reader should know.
    pub fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    /// What is to be gone over the past with: each key alone; after that has been learned, what did best together. None when there is nothing
    /// to try.
    pub fn round(&self) -> Option<Trials> {
        let is_first = self.tried.iter().all(Vec::is_empty);
        let of_watch = |(watch, tried): (&Arc<Watch>, &Vec<Tried>)| {
            if !is_first {
                return self.budget(tried).map(|budget| combined(&worth_combining(tried, budget))).unwrap_or_default();
            }
            if watch.limit.is_some() { single(watch, self.wish.min_lead) } else { vec![Vec::new()] }
        };
        let tries: Vec<Vec<Candidate>> = self.watches.iter().zip(&self.tried).map(of_watch).collect();
        let most = tries.iter().map(Vec::len).max().filter(|most| *most > 0 && !self.was_stopped)?;
        let trial = |number: usize| {
            let tries: Vec<Option<Candidate>> = tries.iter().map(|tries| tries.get(number).cloned()).collect();
            let with =
                |(watch, changes): (&Arc<Watch>, &Option<Candidate>)| Arc::new(changed(watch, changes.as_deref().unwrap_or_default()));
            let watches = self.watches.iter().zip(&tries).map(with).collect();
            let mut backtest = Backtest::new(watches, Vec::new(), self.judging);
            if !(is_first && number == 0) {
                backtest.only_tell();
            } else if let Some(truth) = &self.truth {
                backtest.judge_by(truth.clone());
            }
            Trial { backtest, tries }
        };
        Some(Trials { trials: (0..most).map(trial).collect(), ends: vec![None; self.watches.len()], notes: Vec::new() })
    }

    /// Takes in what a round came to. `stopped`: not all of the past was gone over.
    ///
    /// # Errors
    /// As [`Backtest::finish`].
    pub fn learn(&mut self, trials: Trials, stopped: bool) -> Result<(), SummaryError> {
        self.was_stopped |= stopped;
        self.whole_rounds += usize::from(!stopped);
        let is_first = self.tried.iter().all(Vec::is_empty);
        // What ended early has seen less than the round before, and says nothing beside it.
        if stopped && !is_first {
            return Ok(());
        }
        for note in trials.notes {
            if !self.notes.contains(&note) {
                self.notes.push(note);
            }
        }
        for (number, Trial { backtest, tries }) in trials.trials.into_iter().enumerate() {
            let judged_from = backtest.judge_from.clone();
            let report = backtest.finish(stopped)?;
            if is_first && number == 0 {
                let reached = report.to;
                let ends = trials.ends.iter().map(|ends| ends.zip(reached).map(|(ends, reached)| ends.min(reached)));
                self.parts = judged_from.iter().zip(ends).map(|(from, to)| from.zip(to).and_then(|(from, to)| parts(from, to))).collect();
                self.events.clone_from(&report.events);
                self.notes.extend(report.notes.iter().cloned());
            }
            self.take_in(&report, tries);
        }
        Ok(())
    }

    fn take_in(&mut self, report: &Report, tries: Vec<Option<Candidate>>) {
        for (watch, changes) in tries.into_iter().enumerate() {
            let (Some(changes), Some((first, rest))) = (changes, self.parts[watch]) else { continue };
            let of = |part: Part| figures(&self.watches[watch].name, &self.events, report, part, self.wish.min_lead);
            self.tried[watch].push(Tried { changes, chosen_on: of(first), shown_on: of(rest) });
        }
    }

    fn budget(&self, tried: &[Tried]) -> Option<Budget> {
        let today = tried.first()?;
        (today.chosen_on.events >= MIN_EVENTS).then_some(Budget(self.wish.false_alarms_per_week))
    }

    /// What is proposed.
    pub fn finish(self) -> Tuned {
        let proposals = (0..self.watches.len()).map(|watch| self.propose(watch)).collect();
        Tuned {
            false_alarms_per_week: self.wish.false_alarms_per_week,
            min_lead_s: self.wish.min_lead.as_secs_f64(),
            stopped_early: self.was_stopped,
            proposals,
            notes: self.notes,
            watches: self.watches,
        }
    }

    fn propose(&self, watch: usize) -> Proposal {
        let (about, tried) = (&self.watches[watch], &self.tried[watch]);
        let (chosen, because) = match (about.limit.is_some(), tried.first(), self.budget(tried)) {
            (false, ..) => (
                0,
                "it has no threshold, so there are no events to tell; baseline.false_alarms says how often an anomaly may be called"
                    .to_owned(),
            ),
            (_, None, _) => (0, "there is not enough data to judge anything".to_owned()),
            (_, Some(today), None) => (0, choice::too_few(&today.chosen_on)),
            _ if self.whole_rounds == 0 => (0, "it was stopped before all of the past had been seen".to_owned()),
            (.., Some(budget)) => best(tried, budget),
        };
        let chosen = tried.get(chosen).filter(|tried| !tried.changes.is_empty());
        let compared = |part: Part, of: fn(&Tried) -> &Figures| {
            let today = tried.first().map(of)?.clone();
            Some(Compared { from: part.0, to: part.1, today, proposed: chosen.map(|chosen| of(chosen).clone()) })
        };
        Proposal {
            watch: about.name.to_string(),
            changes: chosen.map(|chosen| chosen.changes.clone()).unwrap_or_default(),
            because,
            compared: tried.len(),
            chosen_on: self.parts[watch].and_then(|(first, _)| compared(first, |tried| &tried.chosen_on)),
            shown_on: self.parts[watch].and_then(|(_, rest)| compared(rest, |tried| &tried.shown_on)),
        }
    }
}

/// The part to choose on and the part to show; none where there is no time to divide.
fn parts(from: Timestamp, to: Timestamp) -> Option<(Part, Part)> {
    let split = from + Span::from_millis(((to - from).as_millis() as f64 * CHOSEN_ON) as i64);
    (from < split && split < to).then_some(((from, split), (split, to)))
}
