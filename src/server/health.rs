//! What machines ask of a daemon: is it alive, can it be relied on, what does it count, read your configuration again.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::App;
use super::access::{Caller, Deed};
use super::answer::{self, Refusal};
use crate::metrics::text::Exposition;

/// `GET /-/healthy`: 200, or 503 when a restart would help. Waits for nothing, so that a busy daemon is not taken for a dead one.
pub async fn healthy(State(app): State<Arc<App>>) -> Response {
    if app.view.healthy() {
        (StatusCode::OK, "Portent is healthy.\n").into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "Portent is not healthy.\n").into_response()
    }
}

/// `GET /-/ready`: `{"ready":true,"reasons":[]}`, with 503 and the reasons when predictions cannot be relied on. Whether it is ready is for
/// everybody, as probes have no login; the reasons name sources, and are not.
pub async fn ready(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>) -> Response {
    let mut readiness = app.view.ready();
    if !readiness.ready && !caller.may(Deed::Read) {
        readiness.reasons = vec!["the reasons are shown to those who log in".to_owned()];
    }
    answer::json(if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, &readiness)
}

/// `GET /metrics`
pub async fn metrics(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or("");
    let exposition = Exposition::accepted_by(accept);
    ([(header::CONTENT_TYPE, exposition.content_type())], app.metrics.encode(exposition)).into_response()
}

/// `POST /-/reload`: 200 once the new configuration is in force; 500 with the reason when the old one was kept, as Prometheus answers.
pub async fn reload(State(app): State<Arc<App>>) -> Result<Response, Refusal> {
    let turn = app.reloading.clone().try_lock_owned().map_err(|_| Refusal::Conflict("a reload is running already".into()))?;
    // In a task of its own: this handler is dropped when its client hangs up or the time is over, and a reload must not stop half way.
    let view = app.view.clone();
    let reload = tokio::spawn(async move {
        let result = view.reload().await;
        drop(turn);
        result
    });
    match reload.await {
        Ok(Ok(())) => Ok((StatusCode::OK, "Configuration reloaded.\n").into_response()),
        Ok(Err(why)) => Err(Refusal::Failed(format!("reload configuration: {why}; the old one stays"))),
        Err(_) => Err(Refusal::Failed("reload configuration: it broke off; see the log".into())),
    }
}
