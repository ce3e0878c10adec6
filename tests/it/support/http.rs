//! Blocking HTTP for tests, on one background runtime.
//!
//! Our reqwest has no blocking client (a feature more would be built for everyone), so each call is waited for on a thread of its own;
//! that also makes it callable from async tests.

use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{Client, Method};
use tokio::runtime::Runtime;

/// No single answer in a test takes longer unless something hangs.
const TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// # Panics
    /// When the body is not JSON; the message shows it.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in the answer {} {:?}", self.status, self.text()))
    }
}

/// # Panics
/// When no answer comes. An error status is an answer.
pub fn get(url: &str) -> Reply {
    try_get(url, TIMEOUT).unwrap_or_else(|error| panic!("GET {url}: {error}"))
}

/// # Panics
/// When no answer comes. An error status is an answer.
pub fn post(url: &str, content_type: &str, body: impl Into<Vec<u8>>) -> Reply {
    request(Method::POST, url, &[("content-type", content_type)], body.into(), TIMEOUT)
        .unwrap_or_else(|error| panic!("POST {url}: {error}"))
}

pub fn try_get(url: &str, timeout: Duration) -> Result<Reply, String> {
    request(Method::GET, url, &[], Vec::new(), timeout)
}

pub fn request(method: Method, url: &str, headers: &[(&str, &str)], body: Vec<u8>, timeout: Duration) -> Result<Reply, String> {
    static SHARED: OnceLock<(Runtime, Client)> = OnceLock::new();
    let (runtime, client) = SHARED.get_or_init(|| {
        // An error means that somebody was first, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime starts");
        (runtime, Client::builder().no_proxy().pool_max_idle_per_host(0).build().expect("a client is made"))
    });
    let mut request = client.request(method, url).body(body).timeout(timeout);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = async {
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(Reply { status, headers, body: response.bytes().await?.to_vec() })
    };
    thread::scope(|scope| scope.spawn(|| runtime.block_on(answer)).join().expect("the request does not panic"))
        .map_err(|error: reqwest::Error| format!("{error:?}"))
}
