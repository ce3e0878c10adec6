//! `argocd`: syncs an application, or tries its failed operation again, by Argo CD's REST API.
//!
//! An operation carries our step's id among its infos. So one that is there already is waited for and not asked for again, and what became of it can be told by
//! whoever asks later. It is ended by nobody: a sync that was cut short leaves an application half of the one and half of the other.

mod operation;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use serde_json::{Value, json};
use url::Url;

use self::operation::{Operation, Phase};
use super::args::Args;
use super::kept::Kept;
use super::kubernetes::is_name;
use super::places::Places;
use super::send::{Answer, Request, Sent, send};
use super::{Acting, Actuator, Done, Job, Risk, filled};
use crate::core::labels::Labels;
use crate::core::playbook::StepEnd;
use crate::outbound::token;

/// Applications with thousands of resources have megabytes of status.
const MAX_ANSWER_BYTES: usize = 16 * 1024 * 1024;

/// Between one look at an operation and the next; syncs take seconds to minutes.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// For one request at most, so that a hanging one leaves time for another.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);

/// Answers in a row that do not come before it is no longer waited for.
const MAX_SILENCES: usize = 5;

/// What became of a request is looked for so long, also past the step's own time: less than the daemon waits for a report.
const SETTLE_WITHIN: Duration = Duration::from_secs(10);

/// See the module.
#[derive(Clone, Debug)]
pub struct ArgoCd {
    places: Places,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verb {
    Sync,
    Retry,
}

/// What is asked for.
#[derive(Debug)]
struct Wish<'a> {
    verb: Verb,
    url: Url,
    args: Args<'a>,
    token_file: &'a str,
    prune: bool,
}

impl<'a> Wish<'a> {
    /// `labels` are `None` while only the playbook is looked at.
    fn read(with: &'a BTreeMap<String, Value>, labels: Option<&Labels>, places: &Places) -> Result<Self, String> {
        let (verb, own): (_, &[&str]) = match with.get("verb").and_then(Value::as_str).unwrap_or_default() {
            "sync" => (Verb::Sync, &["revision", "prune"]),
            "retry" => (Verb::Retry, &[]),
            other => return Err(format!("verb is {other:?}, want sync or retry")),
        };
        let known: Vec<&str> = ["verb", "url", "app", "bearer_token_file"].into_iter().chain(own.iter().copied()).collect();
        let args = Args::of(with, &known)?;
        let token_file = args.need_text("bearer_token_file")?;
        if !token_file.starts_with('/') || filled::has_labels(token_file)? {
            return Err(format!("bearer_token_file {token_file:?}: want an absolute path"));
        }
        let prune = match args.get("prune") {
            None => false,
            Some(value) => value.as_bool().ok_or_else(|| format!("prune is {value}, want true or false"))?,
        };
        if let Some(revision) = args.text("revision")?.filter(|text| text.is_empty() || text.contains("{{")) {
            return Err(format!("revision is {revision:?}, want a branch, tag or commit that the playbook names itself"));
        }
        let app = args.need_text("app")?;
        let name = if labels.is_none() && filled::has_labels(app)? {
            None
        } else {
            Some(filled::text(app, labels.unwrap_or(&Labels::default()))?)
        };
        if let Some(name) = name.as_deref().filter(|name| !is_name(name)) {
            let shown: String = name.chars().take(80).collect();
            return Err(format!("app would be {shown:?}, which is no application's name (RFC 1123: a-z, 0-9 and -)"));
        }
        let url = base(args.need_text("url")?, name.as_deref().unwrap_or("app"), places)?;
        Ok(Self { verb, url, args, token_file, prune })
    }

    /// What is posted for it, by what the application is.
    fn body(&self, last: Option<&Operation>, id: &str) -> Result<Value, String> {
        let infos = json!([{ "name": operation::MARK, "value": id }]);
        match self.verb {
            Verb::Sync => {
                let mut body = json!({ "prune": self.prune, "dryRun": false, "infos": infos });
                if let Some(revision) = self.args.text("revision")? {
                    body["revision"] = json!(revision);
                }
                Ok(body)
            }
            Verb::Retry => {
                let failed = last.filter(|last| last.phase == Phase::Failed);
                let failed = failed.ok_or("its last operation has not failed, so there is nothing to try again")?;
                let mut body = failed.again()?;
                body["infos"] = infos;
                Ok(body)
            }
        }
    }
}

fn base(text: &str, app: &str, places: &Places) -> Result<Url, String> {
    let mut url = Url::parse(text).map_err(|error| format!("url {text:?}: {error}"))?;
    if filled::has_labels(text)? || url.query().is_some() || url.fragment().is_some() {
        return Err(format!("url {text:?}: want where Argo CD is, without labels, query and fragment"));
    }
    places.check(&url).map_err(|error| error.to_string())?;
    let path = format!("{}/api/v1/applications/{app}", url.path().trim_end_matches('/'));
    url.set_path(&path);
    Ok(url)
}

/// An answer that is no good news.
enum Silence {
    /// Nothing was done, for this reason.
    No(String),
    Unclear(String),
}

impl ArgoCd {
    /// `places` as `http` has them.
    pub fn new(places: Places) -> Self {
        Self { places }
    }

    async fn ask(&self, wish: &Wish<'_>, post: Option<&Value>, until: Instant) -> Result<Value, Silence> {
        let no = |why: String| Silence::No(why);
        let timeout = REQUEST_TIMEOUT.min(until.saturating_duration_since(Instant::now()));
        let token = token::from_file(wish.token_file.as_ref()).await.map_err(no)?;
        let mut headers = HeaderMap::from_iter([(AUTHORIZATION, token.clone())]);
        let (mut url, mut body, mut method) = (wish.url.clone(), Bytes::new(), Method::GET);
        if let Some(post) = post {
            url.set_path(&format!("{}/sync", wish.url.path()));
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            (body, method) = (Bytes::from(post.to_string()), Method::POST);
        }
        let answer = match send(&self.places, Request { method, url, headers, body, timeout, most_bytes: MAX_ANSWER_BYTES }).await {
            Sent::Answer(answer) => answer,
            Sent::Unsent(why) => return Err(no(why)),
            Sent::Lost(why) => return Err(Silence::Unclear(why)),
        };
        let status = answer.status;
        let said = || said(&answer, &token);
        if status.is_client_error() || status.is_redirection() {
            return Err(no(said()));
        }
        if !status.is_success() || !answer.is_whole {
            return Err(Silence::Unclear(said()));
        }
        let app: Value = serde_json::from_slice(&answer.body).map_err(|_| Silence::Unclear(format!("no application: {}", said())))?;
        let name = wish.url.path_segments().and_then(|mut parts| parts.next_back()).unwrap_or_default();
        if app["metadata"]["name"] == name { Ok(app) } else { Err(Silence::Unclear(format!("no application called {name}: {}", said()))) }
    }

    async fn once(&self, job: &Job) -> Result<Done, String> {
        let wish = Wish::read(&job.with, Some(&job.labels), &self.places)?;
        let deadline = Instant::now() + job.timeout;
        let app = self.ask(&wish, None, deadline).await.map_err(why)?;
        if operation::ours(&app, &job.id).is_none() {
            if operation::is_busy(&app) {
                return Err("another operation is under way".to_owned());
            }
            let body = wish.body(operation::last(&app).as_ref(), &job.id)?;
            match self.ask(&wish, Some(&body), deadline).await {
                Ok(_) => {}
                Err(Silence::No(why)) => return Err(why),
                Err(Silence::Unclear(why)) => {
                    // It may have begun, or begin yet: only where it is seen can be said what became of it.
                    let until = Instant::now() + SETTLE_WITHIN;
                    let is_there = self.ask(&wish, None, until).await.is_ok_and(|app| operation::ours(&app, &job.id).is_some());
                    if !is_there {
                        return Ok(Done::new(StepEnd::Unknown, format!("it may have been received: {why}")));
                    }
                }
            }
        }
        Ok(self.wait(&wish, &job.id, deadline).await)
    }

    /// Until the operation has ended, or the time is over.
    async fn wait(&self, wish: &Wish<'_>, id: &str, deadline: Instant) -> Done {
        let mut silences = 0;
        loop {
            match self.ask(wish, None, deadline).await {
                Ok(app) => {
                    silences = 0;
                    match operation::ours(&app, id) {
                        Some(operation) if operation.phase != Phase::Running => return ended(&operation),
                        _ => {}
                    }
                }
                Err(silence) => {
                    silences += 1;
                    if silences >= MAX_SILENCES {
                        return Done::new(StepEnd::Unknown, format!("it was begun; what became of it cannot be asked: {}", why(silence)));
                    }
                }
            }
            if Instant::now() + LOOK_AGAIN >= deadline {
                return Done::new(StepEnd::Unknown, "it was begun and is still under way");
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    async fn find_out(&self, job: &Job) -> Result<Done, String> {
        let wish = Wish::read(&job.with, Some(&job.labels), &self.places)?;
        let app = self.ask(&wish, None, Instant::now() + job.timeout).await.map_err(why)?;
        Ok(match operation::ours(&app, &job.id) {
            Some(operation) if operation.phase == Phase::Running => Done::new(StepEnd::Unknown, "it is still under way"),
            Some(operation) => ended(&operation),
            None => Done::new(StepEnd::Unknown, "its last operation is not the step's, which may have been before it or be on its way"),
        })
    }
}

fn ended(operation: &Operation) -> Done {
    let end = if operation.phase == Phase::Succeeded { StepEnd::Succeeded } else { StepEnd::Failed };
    Done::new(end, format!("Argo CD says {}: {}", operation.word, operation.message))
}

fn why(silence: Silence) -> String {
    match silence {
        Silence::No(why) | Silence::Unclear(why) => why,
    }
}

/// Without the token, should it be echoed.
fn said(answer: &Answer, token: &HeaderValue) -> String {
    let mut text = String::from_utf8_lossy(&answer.body).into_owned();
    if let Some(token) = token.to_str().ok().and_then(|text| text.strip_prefix("Bearer ")) {
        text = text.replace(token, "***");
    }
    let mut kept = Kept::default();
    kept.add(text.as_bytes());
    format!("Argo CD answered {} {}", answer.status, kept.text())
}

impl Actuator for ArgoCd {
    fn name(&self) -> &'static str {
        "argocd"
    }

    fn risk(&self) -> Risk {
        Risk::High
    }

    /// Syncing what is in sync changes nothing, and an operation that has our mark is not asked for again.
    fn is_idempotent(&self) -> bool {
        true
    }

    fn check(&self, with: &BTreeMap<String, Value>) -> Result<(), String> {
        Wish::read(with, None, &self.places).map(drop)
    }

    fn dry_run<'a>(&'a self, job: &'a Job) -> Acting<'a, Result<String, String>> {
        Box::pin(async move {
            let wish = Wish::read(&job.with, Some(&job.labels), &self.places)?;
            let app = self.ask(&wish, None, Instant::now() + job.timeout).await.map_err(why)?;
            let body = wish.body(operation::last(&app).as_ref(), &job.id)?;
            let state = |path: &str| app.pointer(path).and_then(Value::as_str).unwrap_or("unknown").to_owned();
            let (sync, health) = (state("/status/sync/status"), state("/status/health/status"));
            let busy = if operation::is_busy(&app) { "; another operation is under way now" } else { "" };
            Ok(filled::printable(&format!("would post to {}/sync: {body}\nit is {sync} and {health}{busy}", wish.url)))
        })
    }

    fn start<'a>(&'a self, job: &'a Job) -> Acting<'a, Done> {
        Box::pin(async move {
            self.once(job).await.unwrap_or_else(|why| Done::new(StepEnd::Failed, format!("nothing was done: {}", filled::printable(&why))))
        })
    }

    fn probe<'a>(&'a self, job: &'a Job) -> Acting<'a, Done> {
        Box::pin(async move {
            let found = self.find_out(job).await;
            found.unwrap_or_else(|why| Done::new(StepEnd::Unknown, format!("Argo CD cannot be asked: {}", filled::printable(&why))))
        })
    }
}
