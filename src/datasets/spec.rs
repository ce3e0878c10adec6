//! What a made set is: its settings, and columns whose parameters are drawn from its seed.

use super::{Rng, When};
use crate::core::time::Span;
use crate::core::watch::Side;

/// A moving part of a made world: the next value at a time.
pub(super) type Make = Box<dyn FnMut(When, &mut Rng) -> f64>;

/// A made data set.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    pub name: &'static str,
    pub about: &'static str,
    /// Any would do; the hash on the card pins it.
    pub seed: u64,
    pub step_min: u32,
    pub days: u32,
    /// What is a breach: side, threshold.
    pub limit: (Side, f64),
    /// How far ahead it is asked for, in hours.
    pub horizon_hours: u32,
    /// Whether its incidents are all that is odd in it, so that a detector can be judged by them.
    pub anomalies: bool,
    pub(super) columns: fn(&mut Rng) -> Vec<Column>,
}

impl Spec {
    pub fn step(&self) -> Span {
        Span::MINUTE.times(i64::from(self.step_min))
    }
}

/// A series of a made set.
pub(super) struct Column {
    pub name: String,
    /// Ten to the number of places behind the point.
    pub scale: f64,
    pub make: Make,
    pub causes: Vec<Cause>,
    /// Hours in which nobody could ask it.
    pub gaps: Vec<(f64, f64)>,
}

impl Column {
    /// A column of four places in which nothing happens.
    pub fn new(name: String, make: Make) -> Self {
        Self { name, scale: 10_000.0, make, causes: Vec::new(), gaps: Vec::new() }
    }

    pub fn cause(mut self, begins: f64, ends: f64, about: &'static str) -> Self {
        self.causes.push(Cause { begins, ends, about });
        self
    }

    pub fn gap(mut self, from: f64, to: f64) -> Self {
        self.gaps.push((from, to));
        self
    }
}

/// Something that happens to a column, in hours since the start.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cause {
    pub begins: f64,
    pub ends: f64,
    pub about: &'static str,
}

/// A number in `[from, to)`.
pub(super) fn between(rng: &mut Rng, from: f64, to: f64) -> f64 {
    from + (to - from) * rng.uniform()
}

/// A whole number in `[from, to)`.
pub(super) fn whole(rng: &mut Rng, from: u32, to: u32) -> f64 {
    between(rng, f64::from(from), f64::from(to)).floor()
}
