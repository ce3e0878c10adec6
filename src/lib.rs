//! Portent.
pub mod clock;
pub mod core;
pub mod metrics;
pub mod telemetry;
