//! Portent.
pub mod core;
pub mod demo;
pub mod export;
pub mod source;
