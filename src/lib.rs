//! Portent.
pub mod core;
