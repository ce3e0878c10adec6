//! What the benches share: figures as lines, and a fleet of series whose numbers are a function of their index and time.
#![allow(dead_code, reason = "each bench uses a part")]

pub mod figure;
pub mod fleet;
