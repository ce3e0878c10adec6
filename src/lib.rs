//! Portent.
pub mod config;
pub mod core;
pub mod packs;
pub mod playbooks;
