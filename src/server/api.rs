//! `/api/v1`: what the daemon knows, as JSON.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::Uri;
use axum::response::{IntoResponse, Response};

use super::App;
use super::access::Caller;
use super::answer::{self, Refusal};
use super::params::Params;
use super::report::LoginReport;
use super::view::{AnomalyFilter, ExplainFilter, PredictionFilter, SeriesFilter, ViewError};

impl From<ViewError> for Refusal {
    fn from(error: ViewError) -> Self {
        Self::Failed(error.0)
    }
}

/// `GET /api/v1/login`: who asks, and what they may do.
pub async fn login(Extension(caller): Extension<Caller>, uri: Uri) -> Result<Response, Refusal> {
    Params::read(uri.query(), &[])?;
    let (name, role) = match &caller {
        Caller::Known { name, role } => (Some(name.clone()), Some(*role)),
        Caller::Anybody | Caller::Stranger => (None, None),
    };
    Ok(answer::data(LoginReport { logins: caller != Caller::Anybody, name, role, may: caller.deeds() }))
}

/// `GET /api/v1/status`
pub async fn status(State(app): State<Arc<App>>, uri: Uri) -> Result<Response, Refusal> {
    Params::read(uri.query(), &[])?;
    Ok(answer::data(app.view.status()))
}

/// `GET /api/v1/predictions?state=&watch=&since=&limit=`
pub async fn predictions(State(app): State<Arc<App>>, uri: Uri) -> Result<Response, Refusal> {
    let params = Params::read(uri.query(), &["state", "watch", "since", "limit"])?;
    let limit = params.limit()?;
    let filter = PredictionFilter { state: params.state()?, watch: params.text("watch"), since: params.parsed("since")?, limit: limit + 1 };
    Ok(answer::page(app.view.predictions(filter).await?, limit))
}

/// `GET /api/v1/anomalies?watch=&since=&limit=`
pub async fn anomalies(State(app): State<Arc<App>>, uri: Uri) -> Result<Response, Refusal> {
    let params = Params::read(uri.query(), &["watch", "since", "limit"])?;
    let limit = params.limit()?;
    let filter = AnomalyFilter { watch: params.text("watch"), since: params.parsed("since")?, limit: limit + 1 };
    Ok(answer::page(app.view.anomalies(filter).await?, limit))
}

/// `GET /api/v1/series?watch=&limit=&offset=`
pub async fn series(State(app): State<Arc<App>>, uri: Uri) -> Result<Response, Refusal> {
    let params = Params::read(uri.query(), &["watch", "limit", "offset"])?;
    let limit = params.limit()?;
    let filter = SeriesFilter { watch: params.text("watch"), offset: params.parsed("offset")?.unwrap_or(0), limit: limit + 1 };
    Ok(answer::page(app.view.series(filter).await?, limit))
}

/// Explanations of one answer at most, and unless asked: each costs a fit, a millisecond or so under the engine's lock.
const MAX_EXPLAINED: usize = 20;

/// `GET /api/v1/explain?watch=&selector=&limit=`
pub async fn explain(State(app): State<Arc<App>>, uri: Uri) -> Result<Response, Refusal> {
    let params = Params::read(uri.query(), &["watch", "selector", "limit"])?;
    let limit = match params.parsed::<usize>("limit")? {
        None => MAX_EXPLAINED,
        Some(limit) if (1..=MAX_EXPLAINED).contains(&limit) => limit,
        Some(limit) => return Err(Refusal::BadData(format!("parameter \"limit\" is {limit}: want 1 to {MAX_EXPLAINED}"))),
    };
    let filter = ExplainFilter { watch: params.text("watch"), selector: params.parsed("selector")?, limit: limit + 1 };
    Ok(answer::page(app.view.explain(filter).await?, limit))
}

/// `GET /api/v1/openapi.json`
pub async fn openapi() -> Response {
    ([(axum::http::header::CONTENT_TYPE, "application/json")], OPENAPI).into_response()
}

/// Written by hand and held against the routes by a test: a dozen routes do not justify a generator.
pub const OPENAPI: &str = include_str!("openapi.json");

/// Whatever is not there.
pub async fn not_found(uri: Uri) -> Refusal {
    Refusal::NotFound(uri.path().to_owned())
}

/// Whatever is there for other methods; the router adds `Allow`.
pub async fn method_not_allowed(uri: Uri) -> Refusal {
    Refusal::MethodNotAllowed(uri.path().to_owned())
}
