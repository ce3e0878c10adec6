//! What runs have taught: how often each playbook helps, where, and how far that can be believed.
//!
//! Like [`Runs`](super::run::Runs) it is nothing but the sum of the audit's records, so a restart knows what the process before it knew, and
//! a replay of the records knows what was known at any moment. Ends are kept one by one, the newest of each case, and weighed when they are
//! asked for: sums that were faded on the way would depend on when they were looked at, and on the order in which they came.

mod benefit;
mod estimate;
mod rank;
mod stats;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use benefit::{Benefit, Side, Trial, Trials};
pub use estimate::{Estimate, LEAST_EVIDENCE, Trust};
pub use rank::{Ranked, order};
pub use stats::{CaseStats, Counts, PlaybookStats, Standing, Stats};

use super::time::{Span, Timestamp};

/// Cases that are remembered at most, the one that was used longest ago is forgotten first: with their ends some 2 MB, and gone through at
/// each proposal.
const MAX_CASES: usize = 1_000;
/// Ends of one case that are remembered, the newest: they tell a rate to a tenth, and what is older has faded.
const MAX_ENDS: usize = 40;

/// What one rate of success is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Case {
    pub playbook: String,
    /// The prediction's code: what kind of trouble it was done about.
    pub cause: String,
    pub service: String,
}

/// How a run ended that had begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// Verified.
    Worked,
    /// It did not help or could not be done, and not all of it was taken back.
    Failed,
    RolledBack,
    /// Nobody can tell: counts neither way.
    Unknown,
}

/// One end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct End {
    pub at: Timestamp,
    /// The run's key: of two ends in one millisecond, always the same comes first.
    pub run: u64,
    pub how: How,
    /// From its first step until the check held for good; only of what worked.
    pub stable_after: Option<Span>,
}

/// What is known from runs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Learned {
    /// Ends by their time.
    cases: BTreeMap<Case, Vec<End>>,
    /// Whose past no longer counts, since when and by whose word.
    forgiven: BTreeMap<String, (Timestamp, String)>,
    /// What became of predictions that were acted upon, and of those held out.
    pub trials: Trials,
}

impl Learned {
    /// A run that had begun has ended.
    pub fn end(&mut self, case: Case, end: End) {
        let ends = self.cases.entry(case).or_default();
        ends.insert(ends.partition_point(|other| *other < end), end);
        if ends.len() > MAX_ENDS {
            ends.remove(0);
        }
        if self.cases.len() > MAX_CASES {
            let newest = |ends: &Vec<End>| ends.last().map(|end| end.at);
            let oldest = self.cases.iter().min_by_key(|(_, ends)| newest(ends)).map(|(case, _)| case.clone());
            oldest.map(|case| self.cases.remove(&case));
        }
    }

    /// A person says that what was, counts no more: the playbook was mended, or its failures were not its own.
    pub fn forgive(&mut self, playbook: &str, at: Timestamp, by: &str) {
        self.cases.retain(|case, _| case.playbook != playbook);
        self.forgiven.insert(playbook.to_owned(), (at, by.to_owned()));
    }

    /// The clock was set by so much: what was is as long ago as before.
    pub fn shift(&mut self, by: Span) {
        self.cases.values_mut().flatten().for_each(|end| end.at = end.at + by);
        self.forgiven.values_mut().for_each(|(at, _)| *at = *at + by);
        self.trials.shift(by);
    }

    /// Ends of a playbook's runs that are remembered, by how.
    pub fn count(&self, playbook: &str, how: How) -> usize {
        let of_playbook = self.cases.iter().filter(|(case, _)| case.playbook == playbook);
        of_playbook.flat_map(|(_, ends)| ends).filter(|end| end.how == how).count()
    }
}
