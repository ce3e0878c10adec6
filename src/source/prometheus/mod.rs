//! Reads a Prometheus HTTP API (Prometheus, VictoriaMetrics, Thanos, Mimir speak it).
//!
//! ```text
//! RangeAsk -> plan (windows) -> client (auth, retries, limits) -> fetch (one exchange, streamed) -> json -> document -> collect -> Frame
//! ```
//!
//! What each fault means is decided once, here:
//!
//! | fault | meaning |
//! |---|---|
//! | `warnings`, `isPartial` | the answer is usable but [`RangeAnswer::partial`]: whoever acts on it must hold back |
//! | infos, `PromQL info:` warnings | remarks on the query, kept, not partial |
//! | HTML, other `resultType`, bad JSON, duplicate label sets, every sample off the grid | [`SourceError`], no frame |
//! | truncated, reset, timed out, slow-loris, 408, 429, 5xx | [`SourceError::is_retryable`]: tried again with backoff, then an error |
//! | body, series or cells over the limit, 422/400 that says so, the server's query timeout | the window is halved, then an error |
//! | NaN, ±Inf, the stale marker | missing (never zero), each counted in [`DecodeStats`] |
//! | unsorted samples | placed by their timestamp, counted |
//! | two samples at one point | the last one wins, counted |
//! | sample more than 1 ms off the grid, or outside the window | ignored, counted |
//! | native histograms | ignored, counted |

mod answer;
mod auth;
mod client;
mod collect;
mod decode;
mod document;
mod error;
#[cfg(test)]
mod fake;
#[cfg(test)]
mod fault_tests;
mod fetch;
mod hide;
mod json;
mod number;
mod place;
pub mod plan;
mod range;
mod remote_read;
mod retry;
mod scan;
mod settings;
mod tls;
#[cfg(test)]
mod tls_tests;
mod token;

pub use answer::{BuildInfo, DecodeStats, InstantAnswer, InstantSample, MetricKind, RangeAnswer, Remarks};
pub use client::PrometheusClient;
pub use collect::{Reading, STALE_MARKER_BITS, TOLERANCE_MS, classify};
pub use decode::{DecodeError, DecodeLimits, Decoded, Decoder, Payload};
pub use error::{Cause, Phase, SourceError};
pub use json::{JsonError, JsonFault};
pub use range::RangeAsk;
pub use remote_read::{RemoteRead, Unfit};
pub use settings::{Auth, Limits, PrometheusSettings, Secret, SecretSource, Timeouts, TlsSettings};
