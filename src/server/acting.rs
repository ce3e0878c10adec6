//! Runs and approvals: who may be asked what was done, and how a person says yes or no.
//!
//! Only POST decides anything, and only with the token that `GET /api/v1/approvals` gave for that very action: a page from elsewhere can
//! send a request and can't read the token, and a word for one action is never a word for another. Where there are logins, who says it is
//! who is logged in, whatever else the request says.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::Response;

use super::App;
use super::access::{Caller, Deed};
use super::answer::{self, Refusal};
use super::params::Params;
use super::run_report::RunReport;
use super::view::{PlaybookAsk, Subject, Word};
use crate::core::labels::Labels;
use crate::core::run::RunKey;

/// Longest reason and name that are taken, in characters: a sentence.
const MAX_TEXT_CHARS: usize = 500;

/// `GET /api/v1/runs?limit=`: the newest first.
pub async fn runs(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>, uri: Uri) -> Result<Response, Refusal> {
    let params = Params::read(uri.query(), &["limit"])?;
    let limit = params.limit()?;
    let mut runs = app.view.runs(false).await?;
    runs.sort_by_key(|run| std::cmp::Reverse(run.proposed_at));
    runs.truncate(limit + 1);
    Ok(answer::page(for_eyes_of(&caller, runs), limit))
}

/// The tokens are for those who may use them.
fn for_eyes_of(caller: &Caller, mut runs: Vec<RunReport>) -> Vec<RunReport> {
    if !caller.may(Deed::Decide) {
        for run in &mut runs {
            run.token = None;
        }
    }
    runs
}

/// `GET /api/v1/approvals`: what waits for a person's word, the oldest first, each with its token.
pub async fn approvals(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>, uri: Uri) -> Result<Response, Refusal> {
    let params = Params::read(uri.query(), &["limit"])?;
    let limit = params.limit()?;
    let mut runs = app.view.runs(true).await?;
    runs.sort_by_key(|run| run.proposed_at);
    runs.truncate(limit + 1);
    Ok(answer::page(for_eyes_of(&caller, runs), limit))
}

/// `GET /api/v1/runs/{run}`: all about one, with its lines in the audit.
pub async fn run(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(run): Path<String>,
    uri: Uri,
) -> Result<Response, Refusal> {
    Params::read(uri.query(), &[])?;
    let key: RunKey = run.parse().map_err(Refusal::BadData)?;
    let mut detail = app.view.run(key).await?.ok_or_else(|| Refusal::NotFound(uri.path().to_owned()))?;
    if !caller.may(Deed::Decide) {
        detail.run.token = None;
    }
    Ok(answer::data(detail))
}

/// `POST /api/v1/runs/{run}/dry-run`: what each step would do, asked now. POST, because it asks others on our behalf: no page from elsewhere
/// has that done.
pub async fn dry_run(State(app): State<Arc<App>>, Path(run): Path<String>, uri: Uri) -> Result<Response, Refusal> {
    Params::read(uri.query(), &[])?;
    let run: RunKey = run.parse().map_err(Refusal::BadData)?;
    Ok(answer::data(app.view.dry_run(run).await.map_err(Refusal::Conflict)?))
}

/// `POST /api/v1/approvals/{run}/{word}?by=&reason=&token=`: `word` is `approve` or `deny`.
pub async fn decide(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path((run, word)): Path<(String, String)>,
    uri: Uri,
) -> Result<Response, Refusal> {
    let params = Params::read(uri.query(), &["by", "reason", "token"])?;
    only_here(&app, &caller)?;
    let run: RunKey = run.parse().map_err(Refusal::BadData)?;
    let is_approved = match word.as_str() {
        "approve" => true,
        "deny" => false,
        _ => return Err(Refusal::NotFound(uri.path().to_owned())),
    };
    let by = named(&params, &caller)?;
    let reason = params.text("reason").unwrap_or_default().chars().take(MAX_TEXT_CHARS).collect();
    let token = params.text("token").ok_or_else(|| Refusal::Forbidden("an answer needs the token that /api/v1/approvals gives".into()))?;
    let said = app.view.decide(run, Word { by, reason, is_approved, token }).await?;
    said.map_or_else(|why| Err(Refusal::Conflict(why)), |report| Ok(answer::data(report)))
}

/// `POST /api/v1/playbooks/{name}/run?on=a=b,c=d&by=&dry_run=true`, or `about=` with an id: the playbook for what is open there, looked at or
/// handed to the gate.
pub async fn run_playbook(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(playbook): Path<String>,
    uri: Uri,
) -> Result<Response, Refusal> {
    let params = Params::read(uri.query(), &["on", "about", "by", "dry_run"])?;
    let by = named(&params, &caller)?;
    only_here(&app, &caller)?;
    let subject = match (params.text("on"), params.text("about")) {
        (Some(on), None) => Subject::Series(labels(&on).map_err(Refusal::BadData)?),
        (None, Some(id)) => Subject::Open(id),
        _ => return Err(Refusal::BadData("say one of: on (the labels of a series), about (the id of what is open)".to_owned())),
    };
    let is_dry = match params.text("dry_run").as_deref() {
        None | Some("false") => false,
        Some("true") => true,
        Some(other) => return Err(Refusal::BadData(format!("parameter \"dry_run\": found {other:?}, want true or false"))),
    };
    let said = app.view.playbook(PlaybookAsk { playbook, subject, by, is_dry }).await?;
    said.map_or_else(|why| Err(Refusal::Conflict(why)), |report| Ok(answer::data(report)))
}

/// `a=b,c="d e"`, with or without braces, as a selector of equalities.
pub fn labels(text: &str) -> Result<Labels, String> {
    let inner = text.trim().trim_start_matches('{').trim_end_matches('}');
    let wrong = |part: &str| format!("labels: found {part:?}, want name=value, several with commas between");
    let pair = |part: &str| {
        let (name, value) = part.split_once('=').ok_or_else(|| wrong(part))?;
        let (name, value) = (name.trim(), value.trim().trim_matches('"'));
        let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if is_name && !value.is_empty() { Ok((name.to_owned(), value.to_owned())) } else { Err(wrong(part)) }
    };
    let pairs: Vec<(String, String)> = inner.split(',').filter(|part| !part.trim().is_empty()).map(pair).collect::<Result<_, _>>()?;
    if pairs.is_empty() {
        return Err("labels: found none, want those of one series: none would be any".to_owned());
    }
    Labels::from_pairs(pairs).map_err(|error| format!("labels: {error}"))
}

/// `POST /api/v1/stop?by=` and `/api/v1/resume?by=`: nothing more is started, or it goes on.
pub async fn stop(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>, uri: Uri) -> Result<Response, Refusal> {
    let by = named(&Params::read(uri.query(), &["by"])?, &caller)?;
    only_here(&app, &caller)?;
    let is_stopped = uri.path().ends_with("/stop");
    Ok(answer::data(app.view.stop(by, is_stopped).await?))
}

/// Where there is no login, whoever reaches the server could say yes. The configuration refuses an address that others reach then; this
/// stays for whoever finds a way round it.
pub(super) fn only_here(app: &App, caller: &Caller) -> Result<(), Refusal> {
    if app.on_loopback || *caller != Caller::Anybody {
        return Ok(());
    }
    Err(Refusal::Forbidden("there is no login, so this is taken on loopback only; make one (portent token new)".into()))
}

/// Who says it: it stands in the audit for ever.
pub(super) fn named(params: &Params, caller: &Caller) -> Result<String, Refusal> {
    let by = params.text("by").map(|by| by.trim().to_owned()).filter(|by| !by.is_empty());
    if let Caller::Known { name, .. } = caller {
        return match by {
            Some(other) if other != *name => Err(Refusal::BadData(format!("parameter \"by\" is {other:?}, and the token is {name}'s"))),
            _ => Ok(name.clone()),
        };
    }
    let by = by.ok_or_else(|| Refusal::BadData("parameter \"by\": say who decides".into()))?;
    if by.chars().count() > MAX_TEXT_CHARS || by.chars().any(char::is_control) {
        return Err(Refusal::BadData(format!("parameter \"by\": want a name of at most {MAX_TEXT_CHARS} characters")));
    }
    Ok(by)
}
