//! The fourth root of a series that is never negative: loads and sizes swing in proportion to their level, and on the root's scale they
//! swing evenly.
//!
//! Milder than the logarithm and defined at zero. The median of a forecast passes through unchanged, since the root keeps order.

/// Fourth root where all values are non-negative, else nothing at all.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Root {
    on: bool,
}

impl Root {
    pub(super) fn of(values: &[f64]) -> Self {
        Self { on: values.iter().all(|v| *v >= 0.0) }
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
