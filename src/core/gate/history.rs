//! What was done before, as far as limits count it.

use std::collections::{BTreeMap, VecDeque};

use crate::core::time::{Span, Timestamp};

/// Runs that are kept at most, some 20 MB: more than the usual hourly limit allows in a week.
const MAX_RUNS: usize = 100_000;
/// Nothing counts any longer than this: the longest cooldown.
const KEPT: Span = Span::WEEK;

/// How a run ended, as far as limits care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It did what it was to do.
    Helped,
    DidNotHelp,
    /// It was never started, or only in part and by nobody's fault: counts as a start, and neither way else.
    NeitherNor,
}

/// One run that was started.
#[derive(Clone, Debug, PartialEq)]
pub struct Ran {
    pub key: u64,
    pub playbook: String,
    pub targets: Vec<String>,
    pub service: String,
    pub started_at: Timestamp,
    pub ended: Option<(Timestamp, Ended)>,
}

/// Runs of the last week in the order they were started, and how each actuator has fared.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    runs: VecDeque<Ran>,
    /// Failures in a row of each actuator, and when the last one was.
    failures: BTreeMap<String, (u32, Timestamp)>,
}

impl History {
    pub fn start(&mut self, run: Ran) {
        let now = run.started_at;
        self.runs.push_back(run);
        // One that is under way is never forgotten.
        while self.runs.len() > MAX_RUNS || self.runs.front().is_some_and(|old| old.ended.is_some() && now - old.started_at > KEPT) {
            self.runs.pop_front();
        }
    }

    pub fn end(&mut self, key: u64, at: Timestamp, ended: Ended) {
        if let Some(run) = self.runs.iter_mut().rfind(|run| run.key == key) {
            run.ended = Some((at, ended));
        }
    }

    /// An actuator did what it was asked to, or did not.
    pub fn actuator(&mut self, name: &str, at: Timestamp, is_fine: bool) {
        if is_fine {
            self.failures.remove(name);
        } else {
            let (count, last) = self.failures.entry(name.to_owned()).or_insert((0, at));
            (*count, *last) = (*count + 1, at);
        }
    }

    /// The clock was set by so much: what was done is as long ago as before.
    pub fn shift(&mut self, by: Span) {
        for run in &mut self.runs {
            run.started_at = run.started_at + by;
            if let Some((at, _)) = &mut run.ended {
                *at = *at + by;
            }
        }
        self.failures.values_mut().for_each(|(_, last)| *last = *last + by);
    }

    pub(super) fn runs(&self) -> impl DoubleEndedIterator<Item = &Ran> {
        self.runs.iter()
    }

    pub(super) fn failures_of(&self, actuator: &str) -> Option<(u32, Timestamp)> {
        self.failures.get(actuator).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ran(key: u64, started_at: Timestamp, is_over: bool) -> Ran {
        let ended = is_over.then_some((started_at + Span::MINUTE, Ended::Helped));
        Ran { key, playbook: "p".into(), targets: vec!["t".into()], service: "s".into(), started_at, ended }
    }

    fn keys(history: &History) -> Vec<u64> {
        history.runs().map(|run| run.key).collect()
    }

    #[test]
    fn what_is_over_is_forgotten_in_time_and_what_is_under_way_is_not() {
        let now = Timestamp::from_millis(1_793_577_600_000);
        let mut history = History::default();
        history.start(ran(1, now, true));
        history.start(ran(2, now + KEPT, true));
        assert_eq!(keys(&history), [1, 2]);
        history.start(ran(3, now + KEPT + Span::from_millis(1), false));
        assert_eq!(keys(&history), [2, 3]);
        history.start(ran(4, now + KEPT.times(9), true));
        assert_eq!(keys(&history), [3, 4]);
    }

    #[test]
    fn it_is_bounded() {
        let now = Timestamp::from_millis(1_793_577_600_000);
        let mut history = History::default();
        (0..MAX_RUNS as u64).for_each(|key| history.start(ran(key, now, true)));
        assert_eq!(history.runs().count(), MAX_RUNS);
        history.start(ran(MAX_RUNS as u64, now, true));
        assert_eq!((history.runs().count(), keys(&history)[0]), (MAX_RUNS, 1));
    }
}
