//! Alertmanager's silences, read: what people want to hear nothing of now (API v2).
//!
//! Only reading, and only from the place that the configuration names. A silence whose matchers can't be understood is an error of the
//! whole reading: leaving it out would be to act against it.

use std::time::Duration;

use bytes::Bytes;
use reqwest::Method;
use reqwest::header::HeaderMap;
use serde::Deserialize;
use url::Url;

use super::places::Places;
use super::send::{Request, Sent, send};
use crate::core::operator::Operator;
use crate::core::silence::{Matcher, Silence};
use crate::core::time::Timestamp;

/// Some ten thousand silences.
const MAX_ANSWER_BYTES: usize = 8 * 1024 * 1024;
/// An Alertmanager nearby answers in milliseconds; a decision waits for this, and is taken without it after.
const TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Deserialize)]
struct Given {
    #[serde(rename = "createdBy", default)]
    created_by: String,
    #[serde(default)]
    comment: String,
    #[serde(rename = "startsAt")]
    starts_at: Timestamp,
    #[serde(rename = "endsAt")]
    ends_at: Timestamp,
    matchers: Vec<GivenMatcher>,
    status: Status,
}

#[derive(Deserialize)]
struct Status {
    state: String,
}

#[derive(Deserialize)]
struct GivenMatcher {
    name: String,
    value: String,
    #[serde(rename = "isRegex")]
    is_regex: bool,
    /// Older ones know no other.
    #[serde(rename = "isEqual", default = "yes")]
    is_equal: bool,
}

fn yes() -> bool {
    true
}

/// Those of the Alertmanager at `base` that are not over.
///
/// # Errors
/// Why they are not known.
pub async fn read(base: &Url) -> Result<Vec<Silence>, String> {
    let url = base.join("api/v2/silences").map_err(|error| error.to_string())?;
    // The operator's own words choose whom to ask, and no label's.
    let places = Places::new(url.host().map(|host| host.to_string()), true);
    let request =
        Request { method: Method::GET, url, headers: HeaderMap::new(), body: Bytes::new(), timeout: TIMEOUT, most_bytes: MAX_ANSWER_BYTES };
    let answer = match send(&places, request).await {
        Sent::Answer(answer) => answer,
        Sent::Unsent(why) | Sent::Lost(why) => return Err(format!("Alertmanager can't be asked for its silences: {why}")),
    };
    if !answer.status.is_success() || !answer.is_whole {
        return Err(format!("Alertmanager answered {} to the question for its silences", answer.status));
    }
    parse(&answer.body)
}

fn parse(body: &[u8]) -> Result<Vec<Silence>, String> {
    let given: Vec<Given> = serde_json::from_slice(body).map_err(|error| format!("Alertmanager's silences are no list: {error}"))?;
    let silence = |given: Given| {
        let matchers = given.matchers.iter().map(|m| Matcher::new(&m.name, Operator::new(m.is_regex, m.is_equal), &m.value));
        let by = if given.comment.is_empty() { given.created_by } else { format!("{} ({})", given.created_by, given.comment) };
        Ok(Silence { by, starts_at: given.starts_at, ends_at: given.ends_at, matchers: matchers.collect::<Result<_, String>>()? })
    };
    given.into_iter().filter(|given| given.status.state != "expired").map(silence).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_over_is_left_out_and_what_is_not_understood_is_an_error() {
        let one = |state: &str, value: &str| {
            format!(
                r#"{{"id":"x","createdBy":"ann","comment":"mending","startsAt":"2026-11-22T10:00:00.000Z","endsAt":"2026-11-22T12:00:00.000Z",
                "updatedAt":"2026-11-22T10:00:00.000Z","matchers":[{{"name":"pod","value":"{value}","isRegex":true}}],"status":{{"state":"{state}"}}}}"#
            )
        };
        let read = parse(format!("[{},{},{}]", one("active", "a.*"), one("expired", "("), one("pending", "b")).as_bytes()).unwrap();
        assert_eq!((read.len(), read[0].by.as_str()), (2, "ann (mending)"));
        assert!(parse(format!("[{}]", one("active", "(")).as_bytes()).unwrap_err().contains("no expression"));
        assert!(parse(b"{}").unwrap_err().contains("no list"));
    }
}
