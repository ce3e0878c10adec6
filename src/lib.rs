//! Portent reads a Prometheus, learns what is normal for every series, and says what will break, when, how surely and why.
//!
//! ```text
//!             shell (IO, async)         |        functional core (sync, no IO, no clock)          |       shell (IO, async)
//!  Prometheus --query_range--> source --+-> Frame --> Baseline --> Forecast --> Prediction -------+-> ledger (SQLite), notify (webhooks)
//!  CSV/Parquet --------------> replay --+  (Arrow)        \--> Anomaly                            |-> store (sled)
//!  clock ------------ now: Timestamp ---+-> Engine::step(now, Input) -> Vec<Effect>               |-> chart (PNG), page, log, metrics
//!
//!  live:      system clock + Prometheus + sled + SQLite       portent run
//!  backtest:  data's clock + files or a range                 portent backtest      (the same engine, the same predictions)
//! ```
//!
//! Everything is decided in [`core`](crate::core), by one function of state, time and input:
//! [`Engine::step`](crate::core::engine::Engine::step). It decides for each sample at the sample's own time, so the same samples
//! give the same predictions whoever feeds them, however they are cut into frames, with one thread or many.
//! The shells around it read, write and wait, and decide nothing. What can be rebuilt from samples lies in [`store`]; what cannot, predictions
//! with their later truth and the webhooks that must still go out, lies in [`ledger`].
//!
//! Imports point one way: `portent_models <- core <- {source, store, ledger, notify, chart, export} <- {daemon, backtest, server, demo} <- cli`.
//! Adapters never import each other; the daemon puts one behind the other. A test (`tests/it/tidy`) reads the `use` lines and says which rule broke
//! and what to do instead. More: `ARCHITECTURE.md` for where things are and what must hold, `DESIGN.md` for why.
pub mod act;
pub mod backtest;
pub mod chart;
#[cfg(test)]
mod child_process;
pub mod cli;
pub mod clock;
pub mod config;
pub mod core;
pub mod daemon;
pub mod datasets;
pub mod demo;
pub mod export;
pub mod ledger;
pub mod metrics;
pub mod notify;
pub mod outbound;
pub mod packs;
pub mod picture;
pub mod playbooks;
pub mod server;
pub mod source;
pub mod store;
pub mod telemetry;
