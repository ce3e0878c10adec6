//! Portent.
pub mod clock;
pub mod core;
pub mod metrics;
pub mod server;
pub mod telemetry;
