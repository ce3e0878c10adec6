//! Portent.
pub mod core;
pub mod store;
