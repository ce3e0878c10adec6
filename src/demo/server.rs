//! A server that speaks Prometheus' HTTP API over data held in memory, on a real socket and a made clock.
//!
//! It stands in for Prometheus so that the demo needs nothing installed, and the daemon under it cannot tell: same paths, parameters, limits,
//! errors and lookback (<https://prometheus.io/docs/prometheus/latest/querying/api/>). What it does not know it refuses as Prometheus refuses
//! what it does not know. It never shows a sample from after its clock's now.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{DefaultBodyLimit, Form, Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::Now;
use super::answer::{ApiError, Walk, by_labels, duration, invalid, labels_json, point, push_series, success, time};
use super::generate::METRICS;
use super::sandbox;
use crate::core::labels::Labels;
use crate::core::time::Span;
use crate::source::replay::{DataSeries, DataSet, Query};

/// How far back a point looks for a sample: Prometheus' default. The sample exactly this old is too old, as since Prometheus 3.
pub const LOOKBACK: Span = Span::from_secs(300);

/// Prometheus' limit of points a series in one answer, and its own words.
pub const MAX_POINTS: i64 = 11_000;

/// A query is short; a form larger than this is not one.
const MAX_FORM_BYTES: usize = 1 << 20;

#[derive(Clone)]
struct World {
    data: Arc<DataSet>,
    /// A series that grows while it is served.
    live: Option<Live>,
    now: Now,
}

/// A series that somebody adds samples to.
pub type Live = Arc<Mutex<DataSeries>>;

impl World {
    /// The growing series as it is at this moment.
    fn live(&self) -> Option<DataSeries> {
        self.live.as_ref().map(|live| live.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

/// The server while it runs; dropping it closes the socket, and answers under way are finished.
#[derive(Debug)]
pub struct DemoServer {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl DemoServer {
    /// Serves the data on a free port of the loopback interface.
    ///
    /// # Errors
    /// When no socket can be had.
    pub async fn start(data: Arc<DataSet>, now: Now) -> std::io::Result<Self> {
        Self::start_with(data, now, |router| router).await
    }

    /// As [`DemoServer::start`], with a series beside that grows.
    ///
    /// # Errors
    /// When no socket can be had.
    pub async fn start_beside(data: Arc<DataSet>, live: Live, now: Now) -> std::io::Result<Self> {
        Self::serve(routes(World { data, live: Some(live), now })).await
    }

    /// As [`DemoServer::start`], with layers around it: how tests make it slow, broken or rude.
    ///
    /// # Errors
    /// When no socket can be had.
    pub async fn start_with(data: Arc<DataSet>, now: Now, wrap: impl FnOnce(Router) -> Router) -> std::io::Result<Self> {
        Self::serve(wrap(router(data, now))).await
    }

    async fn serve(router: Router) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let task = tokio::spawn(async move {
            // axum's accept loop retries by itself and ends only with the task.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { address, task })
    }

    /// What goes into a configuration as `url`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for DemoServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The API's routes.
pub fn router(data: Arc<DataSet>, now: Now) -> Router {
    routes(World { data, live: None, now })
}

fn routes(world: World) -> Router {
    Router::new()
        .route("/api/v1/query", get(query).post(query))
        .route("/api/v1/query_range", get(query_range).post(query_range))
        .route("/api/v1/metadata", get(metadata))
        .route("/api/v1/labels", get(label_names).post(label_names))
        .route("/api/v1/label/{name}/values", get(label_values))
        .route("/api/v1/status/buildinfo", get(build_info))
        .route("/-/ready", get(async || "Prometheus Server is Ready.\n"))
        .route("/-/healthy", get(async || "Prometheus Server is Healthy.\n"))
        .fallback(async || (StatusCode::NOT_FOUND, "404 page not found\n"))
        .layer(DefaultBodyLimit::max(MAX_FORM_BYTES))
        .with_state(world)
}

#[derive(Deserialize)]
struct QueryForm {
    #[serde(default)]
    query: String,
    time: Option<String>,
}

async fn query(State(world): State<World>, Form(form): Form<QueryForm>) -> Result<Response, ApiError> {
    let now = (world.now)();
    let at = form.time.as_deref().map_or(Ok(now), |text| time("time", text))?;
    let body = match form.query.parse().map_err(|why| invalid("query", why))? {
        Query::Number(number) => format!("\"resultType\":\"scalar\",\"result\":{}", point(at, number)),
        Query::Select(selector) => {
            let live = world.live();
            let found = by_labels(world.data.series.iter().chain(&live), |labels| selector.matches(labels));
            let values = found.into_iter().filter_map(|series| {
                let value = Walk::new(series, now).at(at)?;
                Some(format!("{{\"metric\":{},\"value\":{}}}", labels_json(&series.labels), point(at, value)))
            });
            format!("\"resultType\":\"vector\",\"result\":[{}]", values.collect::<Vec<_>>().join(","))
        }
    };
    Ok(success(&body))
}

#[derive(Deserialize)]
struct RangeForm {
    #[serde(default)]
    query: String,
    #[serde(default)]
    start: String,
    #[serde(default)]
    end: String,
    #[serde(default)]
    step: String,
}

async fn query_range(State(world): State<World>, Form(form): Form<RangeForm>) -> Result<Response, ApiError> {
    let (start, end) = (time("start", &form.start)?, time("end", &form.end)?);
    if end < start {
        return Err(invalid("end", "end timestamp must not be before start time"));
    }
    let step = duration(&form.step)?;
    if step <= Span::ZERO {
        return Err(invalid("step", "zero or negative query resolution step widths are not accepted. Try a positive integer"));
    }
    let steps = (end - start).as_millis() / step.as_millis();
    if steps > MAX_POINTS {
        let why = "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)";
        return Err(ApiError(why.into()));
    }
    let query = form.query.parse().map_err(|why| invalid("query", why))?;
    let now = (world.now)();
    let times = || (0..=steps).map(|i| start + step.times(i));
    let mut result = String::new();
    match query {
        Query::Number(number) => push_series(&mut result, &Labels::default(), times().map(|at| (at, number))),
        Query::Select(selector) => {
            let live = world.live();
            for series in by_labels(world.data.series.iter().chain(&live), |labels| selector.matches(labels)) {
                let mut walk = Walk::new(series, now);
                push_series(&mut result, &series.labels, times().filter_map(|at| Some((at, walk.at(at)?))));
            }
        }
    }
    Ok(success(&format!("\"resultType\":\"matrix\",\"result\":[{result}]")))
}

#[derive(Deserialize)]
struct MetadataForm {
    metric: Option<String>,
}

async fn metadata(State(world): State<World>, Form(form): Form<MetadataForm>) -> Json<serde_json::Value> {
    let wanted = METRICS
        .iter()
        .chain(world.live.is_some().then_some(&sandbox::METRIC))
        .filter(|(name, ..)| form.metric.as_deref().is_none_or(|metric| metric.is_empty() || metric == *name));
    let data: BTreeMap<&str, _> =
        wanted.map(|(name, unit, help)| (*name, json!([{ "type": "gauge", "help": help, "unit": unit }]))).collect();
    Json(json!({ "status": "success", "data": data }))
}

async fn label_names(State(world): State<World>) -> Json<serde_json::Value> {
    let names: BTreeSet<&str> = world.data.series.iter().flat_map(|series| series.labels.iter().map(|(name, _)| name)).collect();
    Json(json!({ "status": "success", "data": names }))
}

async fn label_values(State(world): State<World>, Path(name): Path<String>) -> Json<serde_json::Value> {
    let values: BTreeSet<&str> = world.data.series.iter().filter_map(|series| series.labels.get(&name)).collect();
    Json(json!({ "status": "success", "data": values }))
}

/// The version is one that no Prometheus ever had, so that nobody takes this for a real one.
async fn build_info() -> Json<serde_json::Value> {
    let version = concat!(env!("CARGO_PKG_VERSION"), "+portent.demo");
    Json(json!({ "status": "success", "data": { "version": version, "revision": "", "branch": "", "goVersion": "" } }))
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;
