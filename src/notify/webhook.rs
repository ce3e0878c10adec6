//! One HTTP target: posts an encoded event, signed, and says what came of it.
//!
//! What an answer means (Standard Webhooks, "Delivery success and failure"): 2xx is delivered, 410 says "never again", and everything else
//! is tried again until the event is too old. That holds for 4xx too, though most of them mean a wrong setting and not a passing fault:
//! somebody will mend the setting, and then the prediction should still arrive; the backoff makes waiting for it cheap.
//!
//! Redirects are not followed (they would turn a POST into a GET, or carry a signed body to somebody else), there is no proxy, and the
//! body of an answer is thrown away: what a receiver echoes may hold our own secrets, so it never gets into an error.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode};
use url::Url;

use super::event;
use super::retry::parse_retry_after;
use crate::core::time::{Span, Timestamp};
use crate::outbound::address::{PrivateAddress, PublicOnly, check_literal};
use crate::outbound::{SecretError, SecretFile, client as outgoing, signature};

/// Standard Webhooks, "Request timeouts": 15 to 30 s give a receiver time enough.
pub const DEFAULT_TIMEOUT: Span = Span::from_secs(15);

/// Of an answer's body this much is read, and thrown away, so that the connection can be used again; a longer one costs the connection.
const MAX_ANSWER_BYTES: usize = 16 * 1024;

/// An answer's body is waited for no longer: the status has already said everything.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

/// A CA bundle of every public authority is a quarter of this.
const MAX_CA_FILE_BYTES: u64 = 1024 * 1024;

/// Idle connections kept: a worker sends one event at a time.
const MAX_IDLE_CONNECTIONS: usize = 1;

/// Headers that a target sets itself or that would change what the message is.
const OWN_HEADERS: [&str; 6] = ["content-type", "content-length", "transfer-encoding", "host", "connection", "user-agent"];

/// A target as configured. Its `Debug` shows neither the URL's path and query nor the headers' values: tokens live there.
#[derive(Clone)]
pub struct WebhookSettings {
    /// Unique among the targets; names it in logs, metrics and the outbox.
    pub name: String,
    /// `http` or `https`. User and password in it are sent as basic auth.
    pub url: Url,
    /// One secret a line; read again for every attempt.
    pub secret_file: PathBuf,
    /// Sent with every request.
    pub headers: BTreeMap<String, String>,
    /// PEM; trusted instead of the system's authorities, not besides them.
    pub ca_file: Option<PathBuf>,
    /// From looking up the name to the answer's head.
    pub timeout: Span,
    /// Whether loopback, private, link-local and other addresses that are not the public internet's are fine.
    pub allow_private: bool,
}

/// Why a target cannot be used as configured.
#[derive(Debug, thiserror::Error)]
#[error("cannot use {kind} {name:?}: {cause}")]
pub struct SettingsError {
    /// `webhook`, `alertmanager`.
    pub kind: &'static str,
    pub name: String,
    pub cause: SettingsCause,
}

#[derive(Debug, thiserror::Error)]
pub enum SettingsCause {
    #[error("the URL's scheme is {found:?}, want http or https")]
    Scheme { found: String },
    #[error(transparent)]
    Private(#[from] PrivateAddress),
    #[error("{0:?} is not a header's name")]
    HeaderName(String),
    #[error("header {0:?} has a value with characters that no header may hold")]
    HeaderValue(String),
    #[error("header {0:?} is set by the webhook itself")]
    OwnHeader(String),
    #[error("the timeout is {0}, want more than zero")]
    Timeout(Span),
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error("cannot read ca_file {}: {cause}", path.display())]
    CaFile { path: PathBuf, cause: String },
    #[error("cannot set up the HTTP client: {0}; hint: without the system's CA certificates (package ca-certificates) name a ca_file")]
    Client(String),
}

/// What came of one attempt.
#[derive(Debug)]
pub enum SendOutcome {
    Delivered,
    /// Worth another try, not before `after` if the receiver asked for that.
    Retry {
        after: Option<Span>,
        error: SendError,
    },
    /// The receiver wants this never again.
    Dead {
        error: SendError,
    },
}

/// Why an attempt failed. Shows of the URL only its scheme, host and port.
#[derive(Debug, thiserror::Error)]
#[error("cannot deliver to webhook {target:?} at {origin}: {cause}")]
pub struct SendError {
    pub target: String,
    pub origin: String,
    pub cause: SendCause,
}

#[derive(Debug, thiserror::Error)]
pub enum SendCause {
    #[error("server answered {0}")]
    Status(StatusCode),
    #[error("server answered {0}, and redirects are not followed; hint: put the final address into url")]
    Redirect(StatusCode),
    #[error("no answer within {0}")]
    Timeout(Span),
    #[error(transparent)]
    Private(PrivateAddress),
    #[error("{0}")]
    Transport(String),
    #[error(transparent)]
    Secret(SecretError),
}

/// A target that is ready to be sent to.
#[derive(Debug)]
pub struct WebhookTarget {
    settings: WebhookSettings,
    secrets: SecretFile,
    client: Client,
}

impl WebhookTarget {
    /// Checks the settings and sets up the client. Reads the secret and CA files once, so that a wrong one is heard of at the start.
    pub fn new(settings: WebhookSettings) -> Result<Self, SettingsError> {
        let fail = |cause| SettingsError { kind: "webhook", name: settings.name.clone(), cause };
        let secrets = SecretFile::new(&settings.secret_file);
        secrets.read().map_err(|e| fail(e.into()))?;
        let WebhookSettings { url, headers, ca_file, timeout, allow_private, .. } = &settings;
        let client = client(url, headers, ca_file.as_deref(), *timeout, *allow_private).map_err(fail)?;
        Ok(Self { settings, secrets, client })
    }

    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// One attempt at `attempt_time`, which has to be the real time: receivers compare it with their clock. Ends within the timeout and a
    /// second; dropping the future abandons the attempt.
    pub async fn send(&self, event_id: &str, body: Bytes, attempt_time: Timestamp) -> SendOutcome {
        let retry = |cause| SendOutcome::Retry { after: None, error: self.error(cause) };
        let secrets = self.secrets.clone();
        let secrets = match tokio::task::spawn_blocking(move || secrets.read()).await {
            Ok(Ok(secrets)) => secrets,
            Ok(Err(e)) => return retry(SendCause::Secret(e)),
            Err(e) => return retry(SendCause::Transport(format!("reading the secret file was cut short: {e}"))),
        };
        let timestamp_s = signature::unix_seconds(attempt_time);
        let request = self
            .client
            .post(self.settings.url.clone())
            .header(CONTENT_TYPE, event::CONTENT_TYPE)
            .header(signature::ID_HEADER, event_id)
            .header(signature::TIMESTAMP_HEADER, timestamp_s)
            .header(signature::SIGNATURE_HEADER, signature::sign(&secrets, event_id, timestamp_s, &body))
            .body(body);
        match request.send().await {
            Ok(response) => self.judge(response, attempt_time).await,
            Err(e) => retry(self.transport(e)),
        }
    }

    async fn judge(&self, response: Response, attempt_time: Timestamp) -> SendOutcome {
        let status = response.status();
        let after = response.headers().get(RETRY_AFTER).and_then(|v| v.to_str().ok()).and_then(|v| parse_retry_after(v, attempt_time));
        discard(response).await;
        match status {
            s if s.is_success() => SendOutcome::Delivered,
            StatusCode::GONE => SendOutcome::Dead { error: self.error(SendCause::Status(status)) },
            s if s.is_redirection() => SendOutcome::Retry { after: None, error: self.error(SendCause::Redirect(status)) },
            _ => SendOutcome::Retry { after, error: self.error(SendCause::Status(status)) },
        }
    }

    fn transport(&self, error: reqwest::Error) -> SendCause {
        if error.is_timeout() {
            return SendCause::Timeout(self.settings.timeout);
        }
        outgoing::words(error).map_or_else(SendCause::Private, SendCause::Transport)
    }

    fn error(&self, cause: SendCause) -> SendError {
        SendError { target: self.settings.name.clone(), origin: origin(&self.settings.url), cause }
    }
}

impl fmt::Debug for WebhookSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookSettings")
            .field("name", &self.name)
            .field("url", &format_args!("{}/***", origin(&self.url)))
            .field("secret_file", &self.secret_file)
            .field("headers", &self.headers.keys().collect::<Vec<_>>())
            .field("ca_file", &self.ca_file)
            .field("timeout", &self.timeout)
            .field("allow_private", &self.allow_private)
            .finish()
    }
}

/// Scheme, host and port: what of a URL may be shown.
fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

/// Reads the rest of an answer up to its limits, so that the connection can be used again.
async fn discard(mut response: Response) {
    let read = async {
        let mut left = MAX_ANSWER_BYTES;
        while let Ok(Some(chunk)) = response.chunk().await {
            match left.checked_sub(chunk.len()) {
                Some(rest) => left = rest,
                None => break,
            }
        }
    };
    // Nothing hangs on it: what was not read in time is dropped together with the connection.
    let _ = tokio::time::timeout(ANSWER_TIMEOUT, read).await;
}

/// A client for one receiver.
///
/// # Errors
/// Settings that can't work.
pub(super) fn client(
    url: &Url,
    configured: &BTreeMap<String, String>,
    ca_file: Option<&Path>,
    timeout: Span,
    allow_private: bool,
) -> Result<Client, SettingsCause> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(SettingsCause::Scheme { found: url.scheme().to_owned() });
    }
    if timeout <= Span::ZERO {
        return Err(SettingsCause::Timeout(timeout));
    }
    let mut builder =
        outgoing::builder().default_headers(headers(configured)?).timeout(timeout.to_std()).pool_max_idle_per_host(MAX_IDLE_CONNECTIONS);
    if !allow_private {
        check_literal(url)?;
        builder = builder.dns_resolver(PublicOnly);
    }
    if let Some(path) = ca_file {
        builder = builder.tls_certs_only(authorities(path)?);
    } else if url.scheme() == "http" {
        // Without this, a machine that has no CA certificates could not even send without TLS.
        builder = builder.tls_certs_only([]);
    }
    builder.build().map_err(|e| SettingsCause::Client(e.source().map_or_else(|| e.to_string(), ToString::to_string)))
}

fn authorities(path: &Path) -> Result<Vec<reqwest::Certificate>, SettingsCause> {
    let fail = |cause: String| SettingsCause::CaFile { path: path.to_owned(), cause };
    let meta = std::fs::metadata(path).map_err(|e| fail(e.to_string()))?;
    if !meta.is_file() || meta.len() > MAX_CA_FILE_BYTES {
        return Err(fail(format!("want a PEM file of at most {MAX_CA_FILE_BYTES} bytes")));
    }
    let pem = std::fs::read(path).map_err(|e| fail(e.to_string()))?;
    match reqwest::Certificate::from_pem_bundle(&pem) {
        Ok(found) if found.is_empty() => Err(fail("it holds no PEM certificate".to_owned())),
        Ok(found) => Ok(found),
        Err(e) => Err(fail(e.to_string())),
    }
}

fn headers(configured: &BTreeMap<String, String>) -> Result<HeaderMap, SettingsCause> {
    let mut headers = HeaderMap::new();
    for (name, value) in configured {
        let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| SettingsCause::HeaderName(name.clone()))?;
        if OWN_HEADERS.contains(&header.as_str()) || header.as_str().starts_with("webhook-") {
            return Err(SettingsCause::OwnHeader(name.clone()));
        }
        let mut value = HeaderValue::from_str(value).map_err(|_| SettingsCause::HeaderValue(name.clone()))?;
        value.set_sensitive(true);
        headers.insert(header, value);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests;
