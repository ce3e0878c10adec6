//! Headers and body of a request.

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

use super::super::args::Args;
use super::super::filled;
use super::put;
use crate::core::labels::Labels;
use crate::outbound::SecretFile;

/// Longest body: acts are orders, not uploads.
const MAX_BODY_BYTES: usize = 1024 * 1024;

/// Headers that say how the request is carried, and those that are ours.
const OWN_HEADERS: [&str; 11] = [
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "te",
    "trailer",
    "upgrade",
    "expect",
    "user-agent",
    "accept-encoding",
    "idempotency-key",
];

/// Headers that hold a secret, by what stands in their names. A playbook is shown, listed and written into the audit: a secret does not belong in it.
const SECRET_HEADERS: [&str; 6] = ["authorization", "cookie", "token", "secret", "password", "key"];

/// What is sent.
#[derive(Clone, Copy, Debug)]
pub enum Content<'a> {
    None,
    Json(&'a Value),
    Text(&'a str),
}

impl<'a> Content<'a> {
    /// # Errors
    /// Both are there, one is no template, or a text is JSON with labels in it.
    pub fn of(args: Args<'a>) -> Result<Self, String> {
        match (args.get("json"), args.text("body")?) {
            (None, None) => Ok(Self::None),
            (Some(json), None) => filled::check(json).map(|()| Self::Json(json)),
            // Within a text nobody can keep a value with a quote in it from being more than a value.
            (None, Some(text)) if filled::has_labels(text)? && filled::head(text)?.trim_start().starts_with(['{', '[', '<']) => {
                Err("body holds labels inside JSON or XML, which their values could change; hint: write JSON under `json:`".to_owned())
            }
            (None, Some(text)) => Ok(Self::Text(text)),
            (Some(_), Some(_)) => Err("json and body exclude each other".to_owned()),
        }
    }

    /// The bytes; says of what kind they are where the headers do not.
    pub fn fill(self, labels: &Labels, headers: &mut HeaderMap) -> Result<Bytes, String> {
        let (bytes, kind) = match self {
            Self::None => return Ok(Bytes::new()),
            Self::Json(json) => {
                let bytes = serde_json::to_vec(&filled::value(json, labels)?).map_err(|error| format!("json: {error}"))?;
                (bytes, "application/json")
            }
            Self::Text(text) => (filled::text(text, labels)?.into_bytes(), "text/plain; charset=utf-8"),
        };
        if bytes.len() > MAX_BODY_BYTES {
            return Err(format!("the body would be {} bytes long, want {MAX_BODY_BYTES} at most", bytes.len()));
        }
        headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static(kind));
        Ok(bytes.into())
    }
}

/// The headers of a playbook, filled.
pub fn headers(args: Args<'_>, labels: &Labels) -> Result<HeaderMap, String> {
    check_headers(args)?;
    let mut headers = HeaderMap::new();
    for (name, value) in args.texts_by_name("headers")? {
        put(&mut headers, name, &filled::text(value, labels)?)?;
    }
    Ok(headers)
}

/// Whether they may be set.
pub fn check_headers(args: Args<'_>) -> Result<(), String> {
    for (name, value) in args.texts_by_name("headers")? {
        let header = header_name("headers", name)?;
        if SECRET_HEADERS.iter().any(|part| header.as_str().contains(part)) {
            let hint = "hint: header_files names a file that holds it";
            return Err(format!("headers: {name} is a secret, which does not belong in a playbook; {hint}"));
        }
        filled::has_labels(value)?;
    }
    for (name, file) in args.texts_by_name("header_files")? {
        header_name("header_files", name)?;
        if !file.starts_with('/') || filled::has_labels(file)? {
            return Err(format!("header_files: {name} is {file:?}, want an absolute path"));
        }
    }
    Ok(())
}

fn header_name(key: &str, name: &str) -> Result<HeaderName, String> {
    let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("{key}: {name:?} is no header's name"))?;
    if OWN_HEADERS.contains(&header.as_str()) || header.as_str().starts_with("webhook-") {
        return Err(format!("{key}: {name} is set by the actuator itself"));
    }
    Ok(header)
}

/// Headers whose values lie in files, as they are now. Blocks for disk reads.
pub fn secret_headers(files: Vec<(String, String)>) -> Result<Vec<(String, HeaderValue)>, String> {
    files
        .into_iter()
        .map(|(name, file)| {
            let value = SecretFile::new(file).read_value().map_err(|error| error.to_string())?;
            let mut value =
                HeaderValue::from_bytes(&value).map_err(|_| format!("header {name} would hold characters that no header may"))?;
            value.set_sensitive(true);
            Ok((name, value))
        })
        .collect()
}
