//! Real servers for tests: Prometheus, `node_exporter`, VictoriaMetrics, Alertmanager, a webhook receiver, and Portent itself.
//!
//! Every part takes a free loopback port and a throwaway folder, says when it is ready, and is killed when dropped. Nothing is skipped
//! when a program is missing: the test fails and names the package, which `scripts/install-test-packages` installs.
//!
//! ```ignore
//! let history = OpenMetricsWriter::create(dir.path().join("history.om"));
//! let prometheus = Prometheus::new().backfill(&file).scrape("node", &node.address()).start();
//! let portent = PortentProcess::start(&["run", "--prometheus", &prometheus.url()]);
//! ```
#![allow(dead_code, unused_imports, reason = "a harness offers more than the tests of today use")]

mod alertmanager;
mod browser;
mod http;
mod kubernetes;
mod node_exporter;
mod openmetrics;
mod portent;
mod process;
mod prometheus;
mod receiver;
mod victoria_metrics;

pub use alertmanager::Alertmanager;
pub use browser::Browser;
pub use http::{Reply, get, post, request};
pub use kubernetes::ControlPlane;
pub use node_exporter::NodeExporter;
pub use openmetrics::OpenMetricsWriter;
pub use portent::PortentProcess;
pub use process::{Process, free_port, wait_until};
pub use prometheus::Prometheus;
pub use receiver::{Answer, Received, Receiver};
pub use victoria_metrics::VictoriaMetrics;
