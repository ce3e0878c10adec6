//! `http`: one request to a host that the configuration names.
//!
//! A label's value may stand in the path, the query, a header or the body, and stays one piece of it: the URL is read once with marks in the
//! labels' places and once filled, and everything but the marks must be the same. What it means that an answer stays away depends on the method:
//! what may be repeated was ended in the middle; of what may not, nobody knows what became of it.

mod address;
mod content;

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode};
use serde_json::Value;

use self::content::Content;
use super::args::Args;
use super::kept::Kept;
use super::places::Places;
use super::send::{Answer, Request, Sent, send};
use super::{Acting, Actuator, Done, Job, Now, Risk, filled};
use crate::core::labels::Labels;
use crate::core::playbook::StepEnd;
use crate::outbound::{SecretFile, signature};

/// Of an answer's body this much is read; its beginning and end are noted. It is for people: the status is what counts.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// Says to receivers that know it that a repeated request is the same one (draft-ietf-httpapi-idempotency-key-header).
const IDEMPOTENCY_KEY: &str = "idempotency-key";

const KNOWN: [&str; 8] = ["url", "method", "headers", "header_files", "json", "body", "expect", "secret_file"];

const METHODS: [Method; 6] = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];

/// See the module.
#[derive(Clone)]
pub struct Http {
    places: Places,
    now: Now,
}

impl Http {
    pub fn new(places: Places, now: Now) -> Self {
        Self { places, now }
    }

    /// Everything but what is read from files, and the signature.
    fn request(&self, with: &BTreeMap<String, Value>, labels: &Labels, timeout: Duration) -> Result<Request, String> {
        let args = Args::of(with, &KNOWN)?;
        let url = address::fill(args.need_text("url")?, labels)?;
        self.places.check(&url).map_err(|error| error.to_string())?;
        let content = Content::of(args)?;
        let mut headers = content::headers(args, labels)?;
        let body = content.fill(labels, &mut headers)?;
        Ok(Request { method: method(args, &content)?, url, headers, body, timeout, most_bytes: MAX_ANSWER_BYTES })
    }

    async fn sign(&self, request: &mut Request, file: &str, id: &str) -> Result<(), String> {
        let file = SecretFile::new(file);
        let secrets = tokio::task::spawn_blocking(move || file.read())
            .await
            .map_err(|error| format!("reading the secret file was cut short: {error}"))?
            .map_err(|error| error.to_string())?;
        let timestamp_s = signature::unix_seconds((self.now)());
        let signed = signature::sign(&secrets, id, timestamp_s, &request.body);
        put(&mut request.headers, signature::ID_HEADER, id)?;
        put(&mut request.headers, signature::TIMESTAMP_HEADER, &timestamp_s.to_string())?;
        put(&mut request.headers, signature::SIGNATURE_HEADER, &signed)
    }

    async fn once(&self, job: &Job) -> Result<Done, String> {
        self.check(&job.with)?;
        let args = Args::of(&job.with, &KNOWN)?;
        let expected = expected(args)?;
        let mut request = self.request(&job.with, &job.labels, job.timeout)?;
        put(&mut request.headers, IDEMPOTENCY_KEY, &job.id)?;
        let files = args.texts_by_name("header_files")?.into_iter().map(|(name, file)| (name.to_owned(), file.to_owned())).collect();
        let secret = tokio::task::spawn_blocking(move || content::secret_headers(files))
            .await
            .map_err(|error| format!("reading the header files was cut short: {error}"))??;
        for (name, value) in secret {
            request.headers.insert(HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("{name:?} is no header's name"))?, value);
        }
        if let Some(file) = args.text("secret_file")? {
            self.sign(&mut request, file, &job.id).await?;
        }
        let (may_repeat, headers) = (is_repeatable(&request.method), request.headers.clone());
        Ok(match send(&self.places, request).await {
            Sent::Answer(answer) => judge(&answer, &expected, &headers, may_repeat),
            Sent::Unsent(why) => Done::new(StepEnd::Failed, format!("nothing was sent: {why}")),
            Sent::Lost(why) => Done::new(lost(may_repeat), format!("it may have been received: {why}")),
        })
    }
}

impl std::fmt::Debug for Http {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Http").field("places", &self.places).finish_non_exhaustive()
    }
}

impl Actuator for Http {
    fn name(&self) -> &'static str {
        "http"
    }

    fn risk(&self) -> Risk {
        Risk::High
    }

    fn is_idempotent(&self) -> bool {
        false
    }

    fn check(&self, with: &BTreeMap<String, Value>) -> Result<(), String> {
        let shape = address::shape(Args::of(with, &KNOWN)?.need_text("url")?)?;
        self.places.check(&shape).map_err(|error| error.to_string())?;
        self.check_form(with)
    }

    fn check_form(&self, with: &BTreeMap<String, Value>) -> Result<(), String> {
        let args = Args::of(with, &KNOWN)?;
        address::shape(args.need_text("url")?)?;
        let content = Content::of(args)?;
        content::check_headers(args)?;
        method(args, &content)?;
        expected(args)?;
        match args.text("secret_file")? {
            Some(file) if !file.starts_with('/') || filled::has_labels(file)? => {
                Err(format!("secret_file {file:?}: want an absolute path"))
            }
            _ => Ok(()),
        }
    }

    fn dry_run<'a>(&'a self, job: &'a Job) -> Acting<'a, Result<String, String>> {
        Box::pin(async move {
            self.check(&job.with)?;
            let request = self.request(&job.with, &job.labels, job.timeout)?;
            self.places.find(&request.url).await.map_err(|error| error.to_string())?;
            let body = String::from_utf8_lossy(&request.body);
            Ok(filled::printable(format!("would send {} {}\n{body}", request.method, request.url).trim_end()))
        })
    }

    fn start<'a>(&'a self, job: &'a Job) -> Acting<'a, Done> {
        Box::pin(async move { self.once(job).await.unwrap_or_else(|why| Done::new(StepEnd::Failed, format!("nothing was sent: {why}"))) })
    }

    fn probe<'a>(&'a self, _job: &'a Job) -> Acting<'a, Done> {
        Box::pin(async { Done::new(StepEnd::Unknown, "whether a request was received before cannot be asked") })
    }
}

fn method(args: Args<'_>, content: &Content<'_>) -> Result<Method, String> {
    let usual = if matches!(content, Content::None) { Method::GET } else { Method::POST };
    let Some(text) = args.text("method")? else { return Ok(usual) };
    METHODS
        .into_iter()
        .find(|method| method.as_str() == text)
        .ok_or_else(|| format!("method is {text:?}, want one of {}", METHODS.map(|method| method.to_string()).join(", ")))
}

/// Whether sending it twice is as sending it once (RFC 9110, 9.2.2).
fn is_repeatable(method: &Method) -> bool {
    method.is_idempotent()
}

fn lost(may_repeat: bool) -> StepEnd {
    if may_repeat { StepEnd::TimedOut } else { StepEnd::Unknown }
}

/// A status, or several; empty for any 2xx.
fn expected(args: Args<'_>) -> Result<Vec<u16>, String> {
    let wrong = |value: &Value| format!("expect is {value}, want a status from 200 to 599 or a list of them");
    let status =
        |value: &Value| value.as_u64().filter(|code| (200..600).contains(code)).map(|code| code as u16).ok_or_else(|| wrong(value));
    match args.get("expect") {
        None => Ok(Vec::new()),
        Some(Value::Array(items)) if !items.is_empty() => items.iter().map(status).collect(),
        Some(value) => Ok(vec![status(value)?]),
    }
}

fn judge(answer: &Answer, expected: &[u16], headers: &HeaderMap, may_repeat: bool) -> Done {
    let status = answer.status;
    let is_good = if expected.is_empty() { status.is_success() } else { expected.contains(&status.as_u16()) };
    let end = match status {
        _ if is_good => StepEnd::Succeeded,
        // A gateway gave up waiting; who it asked for us may still be at it.
        StatusCode::GATEWAY_TIMEOUT => lost(may_repeat),
        _ => StepEnd::Failed,
    };
    let hint = if status.is_redirection() && !is_good { " (redirects are not followed; hint: put the final address into url)" } else { "" };
    let mut said = String::from_utf8_lossy(&answer.body).into_owned();
    // A receiver that echoes what it was sent would carry a token into the record. Hidden before it is shortened: a cut through a token would keep half of it.
    for value in headers.values().filter_map(|value| value.to_str().ok()).flat_map(|value| [Some(value), value.split(' ').nth(1)]) {
        if let Some(value) = value.filter(|value| value.len() >= SHORTEST_HIDDEN) {
            said = said.replace(value, "***");
        }
    }
    let mut kept = Kept::default();
    kept.add(said.as_bytes());
    let said = kept.text();
    Done::new(end, format!("the server answered {status}{hint}{}{said}", if said.is_empty() { "" } else { ": " }))
}

/// Header values shorter than this are `*/*` and `close`; a token is longer.
const SHORTEST_HIDDEN: usize = 8;

fn put(headers: &mut HeaderMap, name: &str, value: &str) -> Result<(), String> {
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("{name:?} is no header's name"))?;
    let value = HeaderValue::from_str(value).map_err(|_| format!("header {name} would hold characters that no header may"))?;
    headers.insert(name, value);
    Ok(())
}
