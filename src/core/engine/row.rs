//! What is kept for one series besides its baseline, and what of it can be seen from outside.

use portent_models::baseline::Block;

use super::life::{BreachWatch, Life};
use crate::core::labels::Labels;
use crate::core::time::Timestamp;

/// What the engine keeps for a series besides its baseline. Small: there are many.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub labels: Labels,
    /// NaN: no threshold is known, nothing is judged.
    pub threshold: f64,
    pub breach: BreachWatch,
    pub raise_streak: u16,
    pub likelihood: f32,
    pub score: f32,
    /// When the next outlook is due at the latest.
    pub next_look: Timestamp,
    /// A value this near to the threshold asks for an outlook at once.
    pub wake: f64,
    /// Nothing is raised up to here: it was, before a restart.
    pub quiet_until: Timestamp,
    pub odd_streak: u16,
    pub even_streak: u16,
}

impl Row {
    pub fn new(labels: Labels) -> Self {
        Self {
            labels,
            threshold: f64::NAN,
            breach: BreachWatch::default(),
            raise_streak: 0,
            likelihood: 0.0,
            score: 0.0,
            next_look: Timestamp::MIN,
            wake: f64::NAN,
            quiet_until: Timestamp::MIN,
            odd_streak: 0,
            even_streak: 0,
        }
    }
}

/// One series as of now, for those who ask.
#[derive(Clone, Debug)]
pub struct SeriesView<'a> {
    pub labels: &'a Labels,
    pub block: &'a Block,
    pub row: usize,
    pub threshold: f64,
    pub likelihood: f64,
    pub score: f64,
    pub breached: bool,
    pub lives: &'a [Life],
}
