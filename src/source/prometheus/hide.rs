//! Takes our secrets out of what a server says: a proxy that repeats what it was sent would carry them into logs, pages and webhooks.
//!
//! After an answer was shortened, not before: a cut may go through a secret, so a beginning of one at the end of a text is taken out too.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use reqwest::header::{HeaderMap, HeaderValue};

use super::decode::DecodeError;
use super::error::Cause;

/// Shorter texts are no secrets, and stand in every answer.
const SHORTEST: usize = 6;

/// What stands in a secret's place.
const HIDDEN: &str = "***";

/// Texts that must not be shown, the longest first.
pub(super) struct Secrets(Vec<String>);

impl Secrets {
    /// Of headers that are marked as sensitive, and of what they are made of.
    pub fn of(headers: &HeaderMap, authorization: Option<&HeaderValue>) -> Self {
        let mut texts = Vec::new();
        for value in headers.values().filter(|value| value.is_sensitive()).chain(authorization) {
            let Ok(value) = std::str::from_utf8(value.as_bytes()) else { continue };
            let credentials = value.split_once(' ').map(|(_, credentials)| credentials);
            let pair = credentials.and_then(|text| String::from_utf8(BASE64_STANDARD.decode(text).ok()?).ok());
            let password = pair.as_deref().and_then(|pair| pair.split_once(':')).map(|(_, password)| password.to_owned());
            texts.extend([Some(value.to_owned()), credentials.map(str::to_owned), pair, password].into_iter().flatten());
        }
        texts.retain(|text| text.len() >= SHORTEST);
        texts.sort_unstable_by_key(|text| std::cmp::Reverse(text.len()));
        Self(texts)
    }

    /// The same cause without them.
    pub fn hide(&self, cause: Cause) -> Cause {
        let text = |text: String| self.text(&text);
        match cause {
            Cause::Connect(said) => Cause::Connect(text(said)),
            Cause::Tls(said) => Cause::Tls(text(said)),
            Cause::Truncated(said) => Cause::Truncated(text(said)),
            Cause::Status { code, kind, message, retry_after } => {
                Cause::Status { code, kind: text(kind), message: text(message), retry_after }
            }
            Cause::Redirect { code, location } => Cause::Redirect { code, location: text(location) },
            Cause::NotPrometheus { content_type, excerpt } => {
                Cause::NotPrometheus { content_type: text(content_type), excerpt: text(excerpt) }
            }
            Cause::Encoding(said) => Cause::Encoding(text(said)),
            Cause::Decode(DecodeError::Server { kind, message }) => {
                Cause::Decode(DecodeError::Server { kind: text(kind), message: text(message) })
            }
            Cause::Decode(DecodeError::BadValue { place, text: said }) => Cause::Decode(DecodeError::BadValue { place, text: text(said) }),
            other => other,
        }
    }

    fn text(&self, said: &str) -> String {
        let mut said = said.to_owned();
        for secret in &self.0 {
            said = said.replace(secret.as_str(), HIDDEN);
            // `clip` ends what it has cut with an ellipsis.
            let body = said.trim_end_matches('…');
            let cut = (SHORTEST..secret.len()).rev().find(|length| secret.get(..*length).is_some_and(|begin| body.ends_with(begin)));
            if let Some(length) = cut {
                said = format!("{}{HIDDEN}", &body[..body.len() - length]);
            }
        }
        said
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(text: &str) -> Secrets {
        let mut headers = HeaderMap::new();
        let mut key = HeaderValue::from_static("key-12345");
        key.set_sensitive(true);
        headers.insert("x-key", key);
        headers.insert("x-team", HeaderValue::from_static("payments"));
        Secrets::of(&headers, Some(&HeaderValue::from_str(text).unwrap()))
    }

    #[test]
    fn whole_and_cut_secrets_are_hidden_and_nothing_else() {
        let basic = secrets(&format!("Basic {}", BASE64_STANDARD.encode("me:open sesame")));
        for (said, want) in [
            ("you sent bWU6b3BlbiBzZXNhbWU= here", "you sent *** here"),
            ("user me, password open sesame, key key-12345", "user me, password ***, key ***"),
            ("of team payments", "of team payments"),
            ("Authorization: Basic bWU6b3Blb…", "Authorization: ***"),
            ("the key is key-123…", "the key is ***"),
            ("the key is k…", "the key is k…"),
        ] {
            assert_eq!(basic.text(said), want, "{said}");
        }
        let bearer = secrets("Bearer abcdef0123");
        let cause = Cause::Status { code: 500, kind: "x".into(), message: "no abcdef0123".into(), retry_after: None };
        assert_eq!(bearer.hide(cause).to_string(), "server answered 500 (no ***)");
        let cause = Cause::Redirect { code: 302, location: "http://h/?t=abcdef0123".into() };
        assert!(!bearer.hide(cause).to_string().contains("abcdef"));
        assert_eq!(secrets("Bearer short").text("short"), "short", "too short to be one");
    }
}
