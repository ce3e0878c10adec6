//! Forecasts of a shard's series over one ring, each made at most once a bucket: what can't be fitted is not tried again before one closes.

use std::collections::BTreeMap;

use portent_models::baseline::Block;
use portent_models::forecast::FitError;

use crate::core::outlook::{Fit, Ring, newest};

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Fits {
    ring: Ring,
    by_row: BTreeMap<usize, Tried>,
}

#[derive(Clone, Debug)]
enum Tried {
    /// Boxed: most of what is kept for long are series of too few hours.
    Fitted(Box<Fit>),
    /// Too little to go by for this threshold, in the bucket of this number.
    Failed { in_bucket: i64, threshold: f64 },
}

impl Tried {
    fn is_current(&self, block: &Block, ring: Ring, wanted: f64) -> bool {
        match self {
            Self::Fitted(fit) => fit.is_current(block, wanted),
            Self::Failed { in_bucket, threshold } => *in_bucket == newest(block, ring) && threshold.to_bits() == wanted.to_bits(),
        }
    }

    fn fit(&self) -> Option<&Fit> {
        match self {
            Self::Fitted(fit) => Some(fit),
            Self::Failed { .. } => None,
        }
    }
}

impl Fits {
    pub fn over(ring: Ring) -> Self {
        Self { ring, by_row: BTreeMap::new() }
    }

    /// The fit of a row that holds now for this threshold, made if need be.
    pub fn current(&mut self, block: &Block, row: usize, threshold: f64, make: impl FnOnce(Ring) -> Result<Fit, FitError>) -> Option<&Fit> {
        if !self.by_row.get(&row).is_some_and(|tried| tried.is_current(block, self.ring, threshold)) {
            let failed = Tried::Failed { in_bucket: newest(block, self.ring), threshold };
            self.by_row.insert(row, make(self.ring).map_or(failed, |fit| Tried::Fitted(Box::new(fit))));
        }
        self.get(row)
    }

    /// What was made last, if it was.
    pub fn get(&self, row: usize) -> Option<&Fit> {
        self.by_row.get(&row).and_then(Tried::fit)
    }

    pub fn remove(&mut self, row: usize) {
        self.by_row.remove(&row);
    }

    pub fn clear(&mut self) {
        self.by_row.clear();
    }
}
