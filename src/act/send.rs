//! One HTTP request of an actuator, and how much is known of what became of it.
//!
//! A client for each request, not one for all: it is bound to the addresses that were judged for this request, and acts are rare.

use std::time::{Duration, Instant};

use bytes::Bytes;
use reqwest::header::HeaderMap;
use reqwest::{Method, Response, StatusCode};
use url::Url;

use super::places::Places;
use crate::outbound::address::PublicOnly;
use crate::outbound::client;

/// A host that is there takes a connection within this, however busy; the rest of the time is for the answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Clone, Debug)]
pub struct Request {
    pub method: Method,
    pub url: Url,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// From looking up the name to the end of the answer.
    pub timeout: Duration,
    /// Of the answer's body no more is read.
    pub most_bytes: usize,
}

/// What became of it.
#[derive(Debug)]
pub enum Sent {
    Answer(Answer),
    /// Nothing of it has left us.
    Unsent(String),
    /// It may have arrived.
    Lost(String),
}

#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub body: Vec<u8>,
    /// Whether the body is all that was said.
    pub is_whole: bool,
}

/// Sends it once.
pub async fn send(places: &Places, request: Request) -> Sent {
    let start = Instant::now();
    let addresses = match tokio::time::timeout(request.timeout, places.find(&request.url)).await {
        Ok(Ok(addresses)) => addresses,
        Ok(Err(error)) => return Sent::Unsent(error.to_string()),
        Err(_) => return Sent::Unsent(format!("the name of the host was not found within {:?}", request.timeout)),
    };
    let left = request.timeout.saturating_sub(start.elapsed());
    // Half of the time at most, so that a host that takes no connection is told from one that gives no answer.
    let mut builder = client::builder().timeout(left).connect_timeout(CONNECT_TIMEOUT.min(left / 2)).pool_max_idle_per_host(0);
    if let Some(name) = request.url.domain() {
        builder = builder.resolve_to_addrs(name, &addresses);
    }
    if !places.allows_private() {
        // Never asked, as the only name has its addresses already; should that ever change, it changes nothing.
        builder = builder.dns_resolver(PublicOnly);
    }
    if request.url.scheme() == "http" {
        // Without this, a machine that has no CA certificates could not even send without TLS.
        builder = builder.tls_certs_only([]);
    }
    let client = match builder.build() {
        Ok(client) => client,
        Err(error) => return Sent::Unsent(format!("cannot set up the HTTP client: {}", words(error))),
    };
    let sent = client.request(request.method, request.url).headers(request.headers).body(request.body).send().await;
    match sent {
        Ok(response) => Sent::Answer(read(response, request.most_bytes).await),
        Err(error) if error.is_builder() || error.is_connect() => Sent::Unsent(words(error)),
        Err(error) if error.is_timeout() => Sent::Lost(format!("no answer within {:?}", request.timeout)),
        Err(error) => Sent::Lost(words(error)),
    }
}

fn words(error: reqwest::Error) -> String {
    client::words(error).unwrap_or_else(|private| private.to_string())
}

/// The status has said what is to be known, so a body that breaks off or never ends is a short one.
async fn read(mut response: Response, most_bytes: usize) -> Answer {
    let (status, mut body) = (response.status(), Vec::new());
    let is_whole = loop {
        match response.chunk().await {
            Ok(Some(chunk)) => {
                let room = most_bytes - body.len();
                body.extend_from_slice(&chunk[..chunk.len().min(room)]);
                if chunk.len() > room {
                    break false;
                }
            }
            Ok(None) => break true,
            Err(_) => break false,
        }
    };
    Answer { status, body, is_whole }
}
