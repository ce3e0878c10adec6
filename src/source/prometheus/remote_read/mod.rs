//! Raw samples of a plain selector by remote read, streamed as XOR chunks: a thirtieth of the time and of the server's work of a range query.
//!
//! ```text
//! selector -> ReadRequest (protobuf, snappy) -> POST api/v1/read -> frames (length, CRC) -> wire (protobuf) -> xor -> sample (on the grid)
//! ```
//!
//! What a range query would have shown is made here from raw samples, so the server's lookback and its external labels must be known: both
//! are asked for, and a server that does not tell them, or does not speak the protocol, is [`Unfit`]: then range queries are the way.

mod frames;
mod sample;
mod wire;
mod xor;

use std::collections::BTreeMap;

use prost::Message;
use reqwest::Method;
use reqwest::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE, HeaderName};
use serde::Deserialize;

use self::sample::{Lookback, Sampler};
use self::wire::{LabelMatcher, MatchType, ReadQuery, ReadRequest, ResponseType};
use super::answer::{RangeAnswer, Remarks};
use super::client::{Call, PrometheusClient};
use super::error::SourceError;
use super::fetch::Posted;
use crate::core::frame::Grid;
use crate::core::operator::Operator;
use crate::core::time::Span;
use crate::source::selector;

/// What remote read wants beside the body; the version is the protocol's, not the server's.
static HEADERS: [(HeaderName, &str); 4] = [
    (CONTENT_TYPE, "application/x-protobuf"),
    (CONTENT_ENCODING, "snappy"),
    (ACCEPT, "application/x-streamed-protobuf"),
    (HeaderName::from_static("x-prometheus-remote-read-version"), "0.1.0"),
];

/// Why a query or a server is not for remote read. Not a failure: range queries answer the same.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Unfit {
    #[error("the query is more than a plain selector")]
    Query,
    #[error("the server does not tell its settings ({0})")]
    Settings(String),
    /// The server's own queries show it where a series has it, and its remote read everywhere.
    #[error("label {0:?} is the server's and some series' too")]
    Label(String),
}

/// A plain selector on a server whose settings are known.
#[derive(Clone, Debug)]
pub struct RemoteRead {
    matchers: Vec<LabelMatcher>,
    lookback: Lookback,
    external: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Flags {
    #[serde(rename = "query.lookback-delta")]
    lookback: String,
}

#[derive(Deserialize)]
struct Status {
    yaml: String,
}

/// The part of the server's configuration that matters here.
#[derive(Default, Deserialize)]
struct Written {
    #[serde(default)]
    global: Option<Global>,
}

#[derive(Default, Deserialize)]
struct Global {
    #[serde(default)]
    external_labels: BTreeMap<String, String>,
}

impl RemoteRead {
    /// Asks the server for what a reader must know.
    ///
    /// # Errors
    /// [`Unfit`], with the reason: the query has to be a plain selector, and the server a Prometheus that shows its flags and configuration.
    pub async fn open(client: &PrometheusClient, query: &str) -> Result<Self, Unfit> {
        let matchers = selector::parse(query).map_err(|_| Unfit::Query)?;
        let unfit = |error: SourceError| Unfit::Settings(error.to_string());
        let ask = |path| Call { act: "read settings", watch: None, method: Method::GET, path, params: Vec::new(), posted: None };
        let flags: Flags = client.ask_small(&ask("api/v1/status/flags")).await.map_err(unfit)?;
        let lookback: Span = flags.lookback.parse().map_err(|_| Unfit::Settings(format!("a lookback of {:?}", flags.lookback)))?;
        let status: Status = client.ask_small(&ask("api/v1/status/config")).await.map_err(unfit)?;
        let written: Written = serde_saphyr::from_str(&status.yaml).map_err(|error| Unfit::Settings(error.to_string()))?;
        let version = client.build_info().await.map_err(unfit)?.version;
        let external = written.global.unwrap_or_default().external_labels;
        if !external.is_empty() {
            let params = vec![("match[]", query.to_owned())];
            let call = Call { params, ..ask("api/v1/labels") };
            let names: Vec<String> = client.ask_small(&call).await.map_err(unfit)?;
            if let Some(shared) = names.into_iter().find(|name| external.contains_key(name)) {
                return Err(Unfit::Label(shared));
            }
        }
        let matchers = matchers.into_iter().map(|matcher| LabelMatcher {
            kind: match matcher.operator {
                Operator::Equal => MatchType::Equal,
                Operator::NotEqual => MatchType::NotEqual,
                Operator::Matches => MatchType::Regex,
                Operator::MatchesNot => MatchType::NotRegex,
            }
            .into(),
            name: matcher.label,
            value: matcher.value,
        });
        Ok(Self {
            matchers: matchers.collect(),
            lookback: Lookback { ms: lookback.as_millis(), is_open: looks_back_openly(&version) },
            external,
        })
    }

    /// One window, as a range query would have answered it.
    ///
    /// # Errors
    /// [`SourceError`], after retries.
    pub(super) async fn window(&self, client: &PrometheusClient, watch: Option<&str>, grid: Grid) -> Result<RangeAnswer, SourceError> {
        let request = ReadRequest {
            queries: vec![ReadQuery {
                start_timestamp_ms: grid.start.as_millis() - self.lookback.ms,
                end_timestamp_ms: grid.last().as_millis(),
                matchers: self.matchers.clone(),
            }],
            accepted_response_types: vec![ResponseType::StreamedXorChunks.into()],
        };
        let packed = snap::raw::Encoder::new().compress_vec(&request.encode_to_vec());
        // A request is a selector's length: snappy's limit of 4 GB is beyond any.
        let posted = Posted { bytes: packed.unwrap_or_default().into(), headers: &HEADERS };
        let call = Call { act: "read samples", watch, method: Method::POST, path: "api/v1/read", params: Vec::new(), posted: Some(posted) };
        let limits = client.decode_limits();
        let (frame, stats) = client.ask(&call, || Sampler::new(grid, &self.lookback, &self.external, limits)).await?;
        Ok(RangeAnswer { frame, stats, remarks: Remarks::default() })
    }
}

/// Prometheus 3 leaves a sample out that is exactly as old as the lookback: <https://prometheus.io/docs/prometheus/latest/migration/>.
fn looks_back_openly(version: &str) -> bool {
    let major = version.trim_start_matches('v').split('.').next().and_then(|major| major.parse::<u32>().ok());
    major.is_none_or(|major| major >= 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_says_how_the_server_looks_back() {
        let found = ["2.42.0+ds", "v2.54.1", "3.0.0", "10.1", ""].map(looks_back_openly);
        assert_eq!(found, [false, false, true, true, true]);
    }

    #[test]
    fn external_labels_are_read_from_the_configuration() {
        let read = |text: &str| serde_saphyr::from_str::<Written>(text).unwrap().global.unwrap_or_default().external_labels;
        let text =
            "global:\n  scrape_interval: 1m\n  external_labels:\n    region: eu\n    replica: \"1\"\nscrape_configs:\n- job_name: a\n";
        assert_eq!(read(text), BTreeMap::from([("region".into(), "eu".into()), ("replica".into(), "1".into())]));
        assert_eq!(read("scrape_configs: []\n"), BTreeMap::new());
        assert_eq!(read("global: {}\n"), BTreeMap::new());
    }
}
