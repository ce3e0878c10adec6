//! Portent.
pub mod backtest;
pub mod chart;
#[cfg(test)]
mod child_process;
pub mod cli;
pub mod clock;
pub mod config;
pub mod core;
pub mod daemon;
pub mod demo;
pub mod export;
pub mod ledger;
pub mod metrics;
pub mod notify;
pub mod packs;
pub mod picture;
pub mod playbooks;
pub mod server;
pub mod source;
pub mod store;
pub mod telemetry;
