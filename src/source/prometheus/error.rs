//! Why a Prometheus could not be read: act, subject, cause, and what to do about it.

use std::error::Error;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::decode::DecodeError;

/// A failed read. Its text names the watch and the URL; passwords, tokens and query strings are left out of the URL.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceError {
    /// What was tried, as in "read range".
    pub act: &'static str,
    pub watch: Option<Arc<str>>,
    /// Redacted.
    pub url: Arc<str>,
    pub cause: Cause,
    /// Tries made, the first included; 0 when nothing was sent.
    pub attempts: u32,
}

impl SourceError {
    /// Worth another try later, with nothing changed on our side.
    pub fn is_retryable(&self) -> bool {
        self.cause.is_retryable()
    }

    /// How long the server asked us to stay away.
    pub fn retry_after(&self) -> Option<Duration> {
        match &self.cause {
            Cause::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// What the user can do.
    pub fn hint(&self) -> Option<&'static str> {
        self.cause.hint()
    }
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {}", self.act)?;
        if let Some(watch) = &self.watch {
            write!(f, " for watch {watch:?}")?;
        }
        write!(f, " from {}: {}", self.url, self.cause)?;
        if self.attempts > 1 {
            write!(f, " (tried {} times)", self.attempts)?;
        }
        match self.hint() {
            Some(hint) => write!(f, "; hint: {hint}"),
            None => Ok(()),
        }
    }
}

impl Error for SourceError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.cause)
    }
}

/// What was being waited for when time ran out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    Connect,
    Answer,
    Body,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "connecting",
            Self::Answer => "waiting for the answer",
            Self::Body => "waiting for more of the body",
        })
    }
}

/// The cause alone.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Cause {
    #[error("{field} is unusable: {why}")]
    Settings { field: &'static str, why: String },
    #[error("cannot read {}: {why}", .path.display())]
    File { path: PathBuf, why: String },
    #[error("cannot connect: {0}")]
    Connect(String),
    #[error("TLS failed: {0}")]
    Tls(String),
    #[error("timed out after {after:?} {phase}")]
    Timeout { phase: Phase, after: Duration },
    #[error("body came slower than {floor} bytes a second")]
    TooSlow { floor: u64 },
    #[error("body ended early: {0}")]
    Truncated(String),
    #[error("server answered {code} ({message})")]
    Status { code: u16, kind: String, message: String, retry_after: Option<Duration> },
    #[error("server answered {code} with a redirect to {location}")]
    Redirect { code: u16, location: String },
    #[error("answer is {content_type}, not JSON: {excerpt:?}")]
    NotPrometheus { content_type: String, excerpt: String },
    #[error("answer is compressed ({0}), which was not asked for")]
    Encoding(String),
    #[error("body is larger than {limit} bytes")]
    BodyTooLarge { limit: usize },
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

impl Cause {
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Connect(_) | Self::Timeout { .. } | Self::TooSlow { .. } | Self::Truncated(_) => true,
            // 501 says "never", the other 5xx and these two say "not now".
            Self::Status { code, .. } => matches!(code, 408 | 429 | 500 | 502..=599),
            _ => false,
        }
    }

    /// A smaller window may succeed where this one failed.
    pub fn wants_smaller(&self) -> bool {
        match self {
            Self::BodyTooLarge { .. } | Self::Decode(DecodeError::TooManyCells { .. }) => true,
            Self::Status { code: 413, .. } => true,
            // A query that ran into the server's own time limit would run into it again, at the server's cost.
            Self::Status { code: 503 | 504, kind, .. } if kind == "timeout" => true,
            Self::Status { code: 400 | 422, message, .. } => says_too_much(message),
            Self::Decode(DecodeError::Server { message, .. }) => says_too_much(message),
            _ => false,
        }
    }

    fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::Connect(_) => "is the server up, and is the url's host and port right?",
            Self::Tls(_) => "a private authority goes into tls.ca_file, a client certificate into tls.cert_file and tls.key_file",
            Self::Status { code: 401 | 403, .. } => "check the user, password or token of this source",
            Self::Status { code: 404, .. } => "is the url's path right? /api/v1/... is appended to it",
            Self::Status { code: 405, .. } => "queries are sent as POST; a proxy on the way must let it through",
            Self::Status { code: 400 | 422, .. } if self.wants_smaller() => "the query reads too much even over a short window: narrow it",
            Self::Redirect { .. } => {
                "redirects are not followed, so that credentials stay with the named server: use that url if it is right"
            }
            Self::NotPrometheus { .. } => "a login page or a proxy may stand before the server",
            Self::Encoding(_) => "a proxy on the way must respect `Accept-Encoding: identity`",
            Self::BodyTooLarge { .. } | Self::Decode(DecodeError::TooManySeries { .. } | DecodeError::TooManyCells { .. }) => {
                "narrow the query, or raise the limit of this source"
            }
            Self::Decode(DecodeError::DuplicateSeries { .. }) => {
                "aggregate the query (`sum by`, `max by`), or drop no label that tells the series apart"
            }
            Self::Decode(DecodeError::ResultType { .. }) => "is the url that of a Prometheus, and the query an instant vector or scalar?",
            Self::Decode(DecodeError::OffGrid { .. }) => "a proxy or cache on the way must not align the query's start",
            _ => return None,
        })
    }
}

/// Texts by which servers say that a window is too large: Prometheus ("too many samples", "exceeded maximum resolution of 11,000 points"),
/// VictoriaMetrics ("cannot select more than -search.maxSamplesPerQuery", "too many points"), Thanos and Mimir ("exceeded ... limit").
const TOO_MUCH: [&str; 5] = ["too many samples", "too many points", "cannot select more than", "exceed", "too large"];

fn says_too_much(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    TOO_MUCH.iter().any(|text| message.contains(text))
}

/// The URL without what may be secret: user, password, the values of its query, its fragment.
pub(super) fn redact(url: &Url) -> String {
    let mut shown = url.clone();
    // Both fail only for URLs that can't have them, and then there is nothing to hide.
    let _ = shown.set_username("");
    let _ = shown.set_password(None);
    shown.set_fragment(None);
    let names: Vec<String> = url.query_pairs().map(|(name, _)| name.into_owned()).collect();
    shown.set_query(None);
    let mut text = shown.to_string();
    for (i, name) in names.iter().enumerate() {
        text.push(if i == 0 { '?' } else { '&' });
        text.extend(url::form_urlencoded::byte_serialize(name.as_bytes()));
        text.push_str("=***");
    }
    text
}

/// An error and what caused it, in one line.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let part = cause.to_string();
        if !text.contains(&part) {
            text.push_str(": ");
            text.push_str(&part);
        }
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_lose_their_secrets() {
        for (url, shown) in [
            ("http://h:9090/", "http://h:9090/"),
            ("https://user:pw@h/prom?token=s3cret&x=1#frag", "https://h/prom?token=***&x=***"),
            ("http://only@h", "http://h/"),
        ] {
            assert_eq!(redact(&Url::parse(url).unwrap()), shown);
        }
    }

    #[test]
    fn the_text_has_act_subject_cause_and_hint() {
        let error = SourceError {
            act: "read range",
            watch: Some("disk".into()),
            url: "http://h/".into(),
            cause: Cause::Status {
                code: 422,
                kind: "execution".into(),
                message: "query processing would load too many samples".into(),
                retry_after: None,
            },
            attempts: 1,
        };
        assert_eq!(
            error.to_string(),
            "cannot read range for watch \"disk\" from http://h/: server answered 422 (query processing would load too many samples); \
             hint: the query reads too much even over a short window: narrow it"
        );
        assert!(!error.is_retryable());
    }

    #[test]
    fn what_is_tried_again_and_what_is_halved() {
        let status =
            |code, kind: &str, message: &str| Cause::Status { code, kind: kind.into(), message: message.into(), retry_after: None };
        for code in [408, 429, 500, 502, 503, 504, 520] {
            assert!(status(code, "", "").is_retryable(), "{code}");
        }
        for code in [301, 400, 401, 403, 404, 413, 422, 501] {
            assert!(!status(code, "", "").is_retryable(), "{code}");
        }
        assert!(status(422, "execution", "query processing would load too many samples into memory").wants_smaller());
        assert!(status(400, "bad_data", "exceeded maximum resolution of 11,000 points per timeseries").wants_smaller());
        assert!(status(503, "timeout", "query timed out").wants_smaller());
        assert!(!status(503, "unavailable", "").wants_smaller());
        assert!(!status(422, "execution", "found duplicate series for the match group").wants_smaller());
    }
}
