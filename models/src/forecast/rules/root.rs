//! The fourth root of a series that is never negative: loads and sizes swing in proportion to their level, and on the root's scale they
//! swing evenly.
//!
//! Milder than the logarithm and defined at zero. The median of a forecast passes through unchanged, since the root keeps order.

use std::ops::Range;

use super::super::told::Past;

/// Fourth root where all values are non-negative, else nothing at all.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Root {
    on: bool,
}

impl Root {
    /// What could be known at each origin: the root up to the first value below zero, none at the origins after it. Each with the numbers
    /// of its origins; one of the two but for a series that goes below zero while it is being judged.
    pub(super) fn known(past: &Past<'_>) -> impl Iterator<Item = (Self, Range<usize>)> {
        let below = past.values.iter().position(|v| *v < 0.0).unwrap_or(past.values.len());
        let (before, all) = (past.origins.partition_point(|origin| *origin <= below), past.origins.len());
        [(Self { on: true }, 0..before), (Self { on: false }, before..all)].into_iter().filter(|(_, origins)| !origins.is_empty())
    }

    pub(super) fn apply(self, value: f64) -> f64 {
        if self.on { value.max(0.0).sqrt().sqrt() } else { value }
    }

    pub(super) fn undo(self, value: f64) -> f64 {
        if self.on {
            let square = value.max(0.0) * value.max(0.0);
            square * square
        } else {
            value
        }
    }
}
