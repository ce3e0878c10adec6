//! Whether somebody answers: one GET, of whose answer only the status counts.
//!
//! No guard of addresses as webhooks have: the URL stands in the configuration with no label in it, health lives on private addresses, and
//! nothing of the answer is read.

use std::time::Duration;

use super::client;

/// Any 2xx is well.
///
/// # Errors
/// Why it is not, for people.
pub async fn get(url: &str, timeout: Duration) -> Result<(), String> {
    let mut builder = client::builder().timeout(timeout).pool_max_idle_per_host(0);
    if url.starts_with("http:") {
        // Without this, a machine that has no CA certificates could not even ask without TLS.
        builder = builder.tls_certs_only([]);
    }
    let words = |error: reqwest::Error| client::words(error).unwrap_or_else(|private| private.to_string());
    let client = builder.build().map_err(words)?;
    let answer = client.get(url).send().await.map_err(words)?;
    let status = answer.status();
    if status.is_success() { Ok(()) } else { Err(format!("answered {status}")) }
}
