//! Portent.
pub mod core;
pub mod demo;
pub mod source;
