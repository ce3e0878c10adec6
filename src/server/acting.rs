//! Runs and approvals: who may be asked what was done, and how a person says yes or no.
//!
//! Only POST decides anything, and only with the token that `GET /api/v1/approvals` gave for that very action: a page from elsewhere can
//! send a request and can't read the token, and a word for one action is never a word for another.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::Response;

use super::App;
use super::answer::{self, Refusal};
use super::params::Params;
use super::view::Word;
use crate::core::run::RunKey;

/// Longest reason and name that are taken, in characters: a sentence.
const MAX_TEXT_CHARS: usize = 500;

/// `GET /api/v1/runs?limit=`: the newest first.
pub async fn runs(State(app): State<Arc<App>>, uri: Uri) -> Result<Response, Refusal> {
    let params = Params::read(uri.query(), &["limit"])?;
    let limit = params.limit()?;
    let mut runs = app.view.runs(false).await?;
    runs.sort_by_key(|run| std::cmp::Reverse(run.proposed_at));
    runs.truncate(limit + 1);
    Ok(answer::page(runs, limit))
}

/// `GET /api/v1/approvals`: what waits for a person's word, the oldest first, each with its token.
pub async fn approvals(State(app): State<Arc<App>>, uri: Uri) -> Result<Response, Refusal> {
    let params = Params::read(uri.query(), &["limit"])?;
    let limit = params.limit()?;
    let mut runs = app.view.runs(true).await?;
    runs.sort_by_key(|run| run.proposed_at);
    runs.truncate(limit + 1);
    Ok(answer::page(runs, limit))
}

/// `POST /api/v1/approvals/{run}/{word}?by=&reason=&token=`: `word` is `approve` or `deny`.
pub async fn decide(State(app): State<Arc<App>>, Path((run, word)): Path<(String, String)>, uri: Uri) -> Result<Response, Refusal> {
    let params = Params::read(uri.query(), &["by", "reason", "token"])?;
    only_here(&app)?;
    let run: RunKey = run.parse().map_err(Refusal::BadData)?;
    let is_approved = match word.as_str() {
        "approve" => true,
        "deny" => false,
        _ => return Err(Refusal::NotFound(uri.path().to_owned())),
    };
    let by = named(&params)?;
    let reason = params.text("reason").unwrap_or_default().chars().take(MAX_TEXT_CHARS).collect();
    let token = params.text("token").ok_or_else(|| Refusal::Forbidden("an answer needs the token that /api/v1/approvals gives".into()))?;
    let said = app.view.decide(run, Word { by, reason, is_approved, token }).await?;
    said.map_or_else(|why| Err(Refusal::Conflict(why)), |report| Ok(answer::data(report)))
}

/// `POST /api/v1/stop?by=` and `/api/v1/resume?by=`: nothing more is started, or it goes on.
pub async fn stop(State(app): State<Arc<App>>, uri: Uri) -> Result<Response, Refusal> {
    let by = named(&Params::read(uri.query(), &["by"])?)?;
    only_here(&app)?;
    let is_stopped = uri.path().ends_with("/stop");
    Ok(answer::data(app.view.stop(by, is_stopped).await?))
}

/// There is no login: whoever reaches the server could say yes.
fn only_here(app: &App) -> Result<(), Refusal> {
    if app.on_loopback {
        return Ok(());
    }
    Err(Refusal::Forbidden("there is no login, so this is taken on loopback only; listen there, behind a proxy that knows people".into()))
}

/// Who says it: it stands in the audit for ever.
fn named(params: &Params) -> Result<String, Refusal> {
    let by = params.text("by").map(|by| by.trim().to_owned()).filter(|by| !by.is_empty());
    let by = by.ok_or_else(|| Refusal::BadData("parameter \"by\": say who decides".into()))?;
    if by.chars().count() > MAX_TEXT_CHARS || by.chars().any(char::is_control) {
        return Err(Refusal::BadData(format!("parameter \"by\": want a name of at most {MAX_TEXT_CHARS} characters")));
    }
    Ok(by)
}
