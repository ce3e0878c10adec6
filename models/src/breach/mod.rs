//! Whether and when a threshold is reached.
//!
//! [`Chance`] is the answer for one series and one [`Question`]: ten simple paths ([`paths`]) judged at their past origins ([`backtest`]), a
//! regression learnt on the series' own past windows ([`regression`]), how often past windows held a breach ([`windows`], [`rounds`],
//! [`hazard`]), what followed moments like this one ([`neighbours`]), the race against the next reset ([`cycles`]): some eighty numbers
//! ([`features`]) that one logistic map ([`map`], constants fitted at natural rates) turns into a probability; [`times`] says when. What
//! counts everywhere is the *crest* of a window ([`crest`]): the highest level that lasts, not the tail at each step.
//!
//! [`Week`] answers the same for the daemon, which keeps hours and no samples.
//!
//! [`Passage`] is the cheaper first-passage distribution over a forecast's own error paths; [`Recalibration`] learns what stated
//! probabilities have turned out to mean.

pub mod backtest;
mod chance;
mod constants;
pub mod crest;
pub mod cycles;
pub mod features;
mod first_passage;
pub mod hazard;
pub mod history;
pub mod map;
pub mod neighbours;
pub mod odds;
mod passage;
pub mod paths;
mod recalibration;
mod recent;
pub mod regression;
mod ring_constants;
pub mod rings;
pub mod rounds;
mod sorted;
pub mod times;
mod why;
pub mod windows;

pub use chance::{Chance, MIN_PRESENT, Question};
pub use first_passage::FirstPassage;
pub use passage::Passage;
pub use recalibration::{Bin, Recalibration};
pub use recent::RECENT_NAMES;
pub use rings::{RingQuestion, Week};
pub use why::{GROUPS, Why};

#[cfg(test)]
mod conformance;
