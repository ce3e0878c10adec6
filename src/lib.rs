//! Portent.
pub mod core;
pub mod notify;
