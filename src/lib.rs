//! Portent.
pub mod core;
pub mod source;
