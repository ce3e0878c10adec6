//! How runs ended, by their keys: what must not be done again is remembered long after the run itself is forgotten.

use std::collections::{BTreeMap, VecDeque};

use super::record::{Outcome, RunKey};

/// Keys that are remembered at most, some 50 MB. At the most runs an hour that a configuration can allow they reach back eight days, at the
/// usual limit eighty, and an episode is as long as its prediction is open.
const MAX_KEYS: usize = 1_000_000;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Outcomes {
    by_key: BTreeMap<RunKey, Outcome>,
    /// The oldest first.
    order: VecDeque<RunKey>,
}

impl Outcomes {
    pub fn put(&mut self, key: RunKey, outcome: Outcome) {
        if self.by_key.insert(key, outcome).is_none() {
            self.order.push_back(key);
        }
        while self.order.len() > MAX_KEYS {
            if let Some(oldest) = self.order.pop_front() {
                self.by_key.remove(&oldest);
            }
        }
    }

    pub fn of(&self, key: RunKey) -> Option<Outcome> {
        self.by_key.get(&key).copied()
    }
}
