//! What `portent demo` plays on: two weeks of a small fleet made from a seed, served over a real socket in Prometheus' API, a receiver for
//! the webhooks, and the configuration that ties them together. The daemon in the middle is the real one; only the world around it is made.

mod answer;
pub mod config;
pub mod generate;
pub mod incidents;
pub mod receiver;
pub mod sandbox;
pub mod server;

use std::sync::Arc;

pub use config::{Acts, config_yaml};
pub use generate::{END, START, STEP, data_set, write_csv};
pub use incidents::{INCIDENTS, Incident, dataset_toml};

use crate::core::time::Timestamp;

/// A clock that the demo turns: what the made world calls now.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;
