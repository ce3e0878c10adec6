//! What the ends of runs have taught, and a person's word that a playbook's past counts no more.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::Response;

use super::App;
use super::access::Caller;
use super::acting::{named, only_here};
use super::answer::{self, Refusal};
use super::params::Params;

/// `GET /api/v1/playbooks/stats`
pub async fn stats(State(app): State<Arc<App>>, uri: Uri) -> Result<Response, Refusal> {
    Params::read(uri.query(), &[])?;
    Ok(answer::data(app.view.learned().await?))
}

/// `POST /api/v1/playbooks/{name}/forgive?by=`
pub async fn forgive(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    uri: Uri,
) -> Result<Response, Refusal> {
    let by = named(&Params::read(uri.query(), &["by"])?, &caller)?;
    only_here(&app, &caller)?;
    let stats = app.view.forgive(name, by).await?;
    stats.map_or_else(|| Err(Refusal::NotFound(uri.path().to_owned())), |stats| Ok(answer::data(stats)))
}
