//! One exchange: a request out, its answer streamed into a reader, under every limit of time and size.

use std::time::{Duration, Instant};

use reqwest::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::{Client, Method, Response};
use tokio::time::timeout_at;
use url::Url;

use super::answer::clip;
use super::decode::{DecodeError, DecodeLimits, Decoder};
use super::error::{Cause, Phase, chain, redact};
use super::retry::parse_retry_after;
use super::settings::Timeouts;

/// Bytes read of an answer that is an error: enough for its JSON, or to show what page it was.
pub const MAX_ERROR_BYTES: usize = 16 * 1024;

/// Characters shown of an answer that is not JSON.
pub const MAX_EXCERPT_CHARS: usize = 120;

/// A body slower than this, over its whole length after [`SLOW_GRACE`], is not going to end. A 64 MB body at this rate would take 18 hours.
pub const MIN_BYTES_PER_S: u64 = 1024;

/// A server may compute between the first bytes and the rest; so long the rate doesn't count.
pub const SLOW_GRACE: Duration = Duration::from_secs(10);

/// What is asked.
#[derive(Debug)]
pub(super) struct Request {
    pub method: Method,
    pub url: Url,
    pub body: Option<Posted>,
    pub headers: HeaderMap,
    pub authorization: Option<HeaderValue>,
}

/// Body of a POST, as it goes out.
#[derive(Debug, Clone)]
pub(super) struct Posted {
    pub bytes: bytes::Bytes,
    pub headers: &'static [(HeaderName, &'static str)],
}

impl Posted {
    const FORM: &'static [(HeaderName, &'static str)] = &[(CONTENT_TYPE, "application/x-www-form-urlencoded")];

    pub fn form(text: String) -> Self {
        Self { bytes: text.into(), headers: Self::FORM }
    }
}

/// Bounds on the exchange.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub timeouts: Timeouts,
    pub max_body_bytes: usize,
    pub slow_grace: Duration,
}

/// Takes a body as it comes.
pub(super) trait Reader {
    type Output;
    /// Whether a body that begins as a page in HTML cannot be meant.
    const IS_TEXT: bool = true;

    fn feed(&mut self, chunk: &[u8]) -> Result<(), Cause>;
    fn finish(self) -> Result<Self::Output, Cause>;
}

pub(super) async fn exchange<R: Reader>(client: &Client, request: Request, bounds: &Bounds, reader: R) -> Result<R::Output, Cause> {
    let deadline = Instant::now() + bounds.timeouts.request;
    let late = |phase| Cause::Timeout { phase, after: bounds.timeouts.request };
    let base = redact(&request.url);
    let mut builder = client.request(request.method, request.url).headers(request.headers);
    if let Some(authorization) = request.authorization {
        builder = builder.header(AUTHORIZATION, authorization);
    }
    if let Some(Posted { bytes, headers }) = request.body {
        for (name, value) in headers {
            builder = builder.header(name, HeaderValue::from_static(value));
        }
        builder = builder.body(bytes);
    }
    let response = match timeout_at(deadline.into(), builder.send()).await {
        Err(_) => return Err(late(Phase::Answer)),
        Ok(Err(error)) => return Err(failed(error, &bounds.timeouts)),
        Ok(Ok(response)) => response,
    };
    let body = Body { response, deadline, bounds: *bounds, read: 0, since: Instant::now() };
    if !body.response.status().is_success() {
        return Err(body.refusal(&base).await);
    }
    body.stream(reader).await
}

/// What a request without an answer died of.
fn failed(error: reqwest::Error, timeouts: &Timeouts) -> Cause {
    let error = error.without_url();
    if error.is_timeout() {
        return Cause::Timeout { phase: Phase::Connect, after: timeouts.connect };
    }
    let text = chain(&error);
    if is_tls(&error) { Cause::Tls(text) } else { Cause::Connect(text) }
}

fn is_tls(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.is::<rustls::Error>() {
            return true;
        }
        // An IO error hides what it wraps from `source`.
        let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if wrapped.is_some_and(|inner| is_tls(inner)) {
            return true;
        }
        next = error.source();
    }
    false
}

struct Body {
    response: Response,
    deadline: Instant,
    bounds: Bounds,
    read: u64,
    since: Instant,
}

impl Body {
    async fn stream<R: Reader>(mut self, mut reader: R) -> Result<R::Output, Cause> {
        let limit = self.bounds.max_body_bytes;
        if let Some(encoding) = self.header(&CONTENT_ENCODING).filter(|e| !e.eq_ignore_ascii_case("identity")) {
            return Err(Cause::Encoding(clip(&encoding, 40)));
        }
        if self.response.content_length().is_some_and(|length| length > limit as u64) {
            return Err(Cause::BodyTooLarge { limit });
        }
        let content_type = self.header(&CONTENT_TYPE).unwrap_or_default();
        let page = content_type.to_ascii_lowercase().starts_with("text/html");
        let mut first = true;
        while let Some(chunk) = self.chunk().await? {
            if first && (page || (R::IS_TEXT && chunk.trim_ascii_start().first() == Some(&b'<'))) {
                let excerpt = clip(&String::from_utf8_lossy(&chunk[..chunk.len().min(MAX_ERROR_BYTES)]), MAX_EXCERPT_CHARS);
                let content_type = if content_type.is_empty() { "no stated type".to_owned() } else { clip(&content_type, 60) };
                return Err(Cause::NotPrometheus { content_type, excerpt });
            }
            first = false;
            if self.read > limit as u64 {
                return Err(Cause::BodyTooLarge { limit });
            }
            reader.feed(&chunk)?;
        }
        reader.finish()
    }

    /// The next piece; None at the body's end.
    async fn chunk(&mut self) -> Result<Option<bytes::Bytes>, Cause> {
        let timeouts = self.bounds.timeouts;
        let idle = Instant::now() + timeouts.idle;
        let until = idle.min(self.deadline);
        match timeout_at(until.into(), self.response.chunk()).await {
            Err(_) if until == idle => Err(Cause::Timeout { phase: Phase::Body, after: timeouts.idle }),
            Err(_) => Err(Cause::Timeout { phase: Phase::Body, after: timeouts.request }),
            Ok(Err(error)) => Err(Cause::Truncated(chain(&error.without_url()))),
            Ok(Ok(None)) => Ok(None),
            Ok(Ok(Some(chunk))) => {
                self.read += chunk.len() as u64;
                let age = self.since.elapsed();
                if age > self.bounds.slow_grace && self.read < MIN_BYTES_PER_S * age.as_secs().max(1) {
                    return Err(Cause::TooSlow { floor: MIN_BYTES_PER_S });
                }
                Ok(Some(chunk))
            }
        }
    }

    /// An answer with another status than 2xx, as a cause.
    async fn refusal(mut self, base: &str) -> Cause {
        let status = self.response.status();
        let code = status.as_u16();
        if status.is_redirection() {
            let target = self.header(&LOCATION).unwrap_or_default();
            let location = match self.response.url().join(&target) {
                Ok(url) if !target.is_empty() => redact(&url),
                _ => format!("nowhere (from {base})"),
            };
            return Cause::Redirect { code, location };
        }
        let retry_after = self.header(&RETRY_AFTER).and_then(|text| parse_retry_after(&text, self.header(&DATE).as_deref()));
        let mut text = Vec::new();
        // What can't be read of an error's text is no second error.
        while let Ok(Some(chunk)) = self.chunk().await {
            let room = MAX_ERROR_BYTES - text.len();
            text.extend_from_slice(&chunk[..chunk.len().min(room)]);
            if text.len() == MAX_ERROR_BYTES {
                break;
            }
        }
        let (kind, message) = words(&text).unwrap_or_else(|| {
            let excerpt = clip(&String::from_utf8_lossy(&text), MAX_EXCERPT_CHARS);
            let reason = status.canonical_reason().unwrap_or("no reason given");
            (String::new(), if excerpt.is_empty() { reason.to_owned() } else { excerpt })
        });
        Cause::Status { code, kind, message, retry_after }
    }

    fn header(&self, name: &HeaderName) -> Option<String> {
        self.response.headers().get(name).map(|v| String::from_utf8_lossy(v.as_bytes()).into_owned())
    }
}

/// `errorType` and `error` of a Prometheus error answer.
fn words(text: &[u8]) -> Option<(String, String)> {
    let mut decoder = Decoder::instant(DecodeLimits::default());
    // A text cut at our limit ends in the middle; what was read before it counts.
    match decoder.feed(text) {
        Ok(()) | Err(_) => decoder.server_words(),
    }
}

/// Collects a body for a small answer that is no samples.
#[derive(Debug, Default)]
pub(super) struct Whole(Vec<u8>);

impl Reader for Whole {
    type Output = Vec<u8>;

    fn feed(&mut self, chunk: &[u8]) -> Result<(), Cause> {
        self.0.extend_from_slice(chunk);
        Ok(())
    }

    fn finish(self) -> Result<Vec<u8>, Cause> {
        Ok(self.0)
    }
}

impl Reader for Decoder {
    type Output = super::decode::Decoded;

    fn feed(&mut self, chunk: &[u8]) -> Result<(), Cause> {
        Self::feed(self, chunk).map_err(cause)
    }

    fn finish(self) -> Result<Self::Output, Cause> {
        Self::finish(self).map_err(cause)
    }
}

/// Text that ends inside a value was cut on the way, which another try may mend; other bad text is the server's.
fn cause(error: DecodeError) -> Cause {
    match error {
        DecodeError::Json(json) if json.fault == super::json::JsonFault::Incomplete => Cause::Truncated(json.to_string()),
        other => Cause::Decode(other),
    }
}
