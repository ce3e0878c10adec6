//! Portent.
pub mod core;
pub mod ledger;
pub mod store;
