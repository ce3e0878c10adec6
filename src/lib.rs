//! Portent.
pub mod chart;
pub mod core;
