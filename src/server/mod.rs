//! The daemon's HTTP server: health, metrics, a small API, and one page for people.
//!
//! Who may ask for what stands in [`access`]. It decides nothing and knows nothing: it asks a [`View`] and writes down the answer. HTTP/1.1 only and no TLS, because the default address
//! is loopback and whoever wants more has a proxy that does both better. Every request passes one [`guard`], every connection the limits of
//! [`connection`].

mod access;
mod acting;
mod answer;
mod api;
mod chart;
mod connection;
mod guard;
mod health;
mod learning;
mod page;
mod params;
pub mod plan_report;
pub mod report;
pub mod run_report;
pub mod silence_report;
mod silences;
mod view;

use std::future::{Future, IntoFuture};
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::{MethodRouter, get, post};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, Semaphore, oneshot};

pub use acting::labels;
pub use connection::{MAX_CONNECTIONS, Patience};
pub use guard::{MAX_BODY_BYTES, MAX_REQUESTS, REQUEST_TIMEOUT};
pub use params::{DEFAULT_LIMIT, MAX_LIMIT};
pub use view::{AnomalyFilter, ExplainFilter, PlaybookAsk, PredictionFilter, SeriesFilter, Subject, View, ViewError, Word};

use crate::clock::SystemClock;
use crate::metrics::Metrics;

/// After the shutdown signal requests in flight have this long; the process as a whole has ten seconds, and state has to be written too.
pub const SHUTDOWN_GRACE: Duration = Duration::from_secs(2);

/// What the server needs to know besides the view.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where `/charts/{file}` looks; `None` answers 404.
    pub chart_dir: Option<PathBuf>,
    /// Names, besides loopback's own, under which a server on loopback answers: what a proxy in front passes on as `Host`.
    pub allowed_hosts: Vec<String>,
    pub patience: Patience,
    pub request_timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { chart_dir: None, allowed_hosts: Vec::new(), patience: Patience::default(), request_timeout: REQUEST_TIMEOUT }
    }
}

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    #[error("listen on {address}: {why}; is another Portent running, or should `listen` name another port?")]
    Bind { address: SocketAddr, why: io::Error },
    #[error("serve HTTP: {0}")]
    Serve(io::Error),
}

/// What all handlers share.
struct App {
    view: Arc<dyn View>,
    metrics: Arc<Metrics>,
    settings: Settings,
    on_loopback: bool,
    slots: Semaphore,
    /// Turns of those whose token was wrong.
    wrong: Semaphore,
    /// Tokens expire by the machine's time, whatever the engine's clock says.
    clock: SystemClock,
    reloading: Arc<Mutex<()>>,
}

/// A server that has its address and answers nothing yet: clients wait until [`Server::serve`].
#[derive(Debug)]
pub struct Server {
    tcp: TcpListener,
    address: SocketAddr,
}

impl Server {
    /// Takes the address, so that a port in use is an error at the start and not a line in the log. Port 0 takes any free one.
    ///
    /// # Errors
    /// When the address cannot be had.
    pub async fn bind(address: SocketAddr) -> Result<Self, ServerError> {
        let bound = async {
            let tcp = TcpListener::bind(address).await?;
            let address = tcp.local_addr()?;
            Ok(Self { tcp, address })
        };
        bound.await.map_err(|why| ServerError::Bind { address, why })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `shutdown` ends, then takes no more connections, and ends when all requests are answered or [`SHUTDOWN_GRACE`] has
    /// passed.
    ///
    /// # Errors
    /// When the listening socket fails.
    pub async fn serve(
        self,
        view: Arc<dyn View>,
        metrics: Arc<Metrics>,
        settings: Settings,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), ServerError> {
        let listener = connection::BoundedListener::new(self.tcp, settings.patience, metrics.clone());
        let app = App {
            view,
            metrics,
            settings,
            on_loopback: self.address.ip().is_loopback(),
            slots: Semaphore::new(MAX_REQUESTS),
            wrong: Semaphore::new(access::MAX_WRONG),
            clock: SystemClock::new(),
            reloading: Arc::default(),
        };
        let (stopping, stopped) = oneshot::channel();
        let signal = async move {
            shutdown.await;
            // The other end is gone only when the server is.
            let _ = stopping.send(());
        };
        let grace = async {
            if stopped.await.is_err() {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(SHUTDOWN_GRACE).await;
        };
        tokio::select! {
            served = axum::serve(listener, router(Arc::new(app))).with_graceful_shutdown(signal).into_future() => served.map_err(ServerError::Serve),
            () = grace => {
                tracing::warn!(grace_s = SHUTDOWN_GRACE.as_secs(), "gave up on HTTP requests still in flight");
                Ok(())
            }
        }
    }
}

/// Every route with what it is to do: that says whose it is.
fn router(app: Arc<App>) -> Router {
    use access::Deed::{Decide, DryRun, Look, Propose, Read, Reload, Resume, Scrape, Silence, Stop};
    let routes: [(&str, access::Deed, MethodRouter<Arc<App>>); 33] = [
        ("/", Look, get(page::index)),
        ("/page.css", Look, get(page::style)),
        ("/page.js", Look, get(page::script)),
        ("/common.js", Look, get(page::common)),
        ("/approvals", Look, get(page::approvals)),
        ("/approvals.js", Look, get(page::approvals_script)),
        ("/runs/{run}", Look, get(page::run)),
        ("/run.js", Look, get(page::run_script)),
        ("/charts/{file}", Read, get(chart::chart)),
        ("/metrics", Scrape, get(health::metrics)),
        ("/-/healthy", Look, get(health::healthy)),
        ("/-/ready", Look, get(health::ready)),
        ("/-/reload", Reload, post(health::reload)),
        ("/api/v1/login", Read, get(api::login)),
        ("/api/v1/status", Read, get(api::status)),
        ("/api/v1/predictions", Read, get(api::predictions)),
        ("/api/v1/anomalies", Read, get(api::anomalies)),
        ("/api/v1/series", Read, get(api::series)),
        ("/api/v1/explain", Read, get(api::explain)),
        ("/api/v1/runs", Read, get(acting::runs)),
        ("/api/v1/runs/{run}", Read, get(acting::run)),
        ("/api/v1/runs/{run}/dry-run", DryRun, post(acting::dry_run)),
        ("/api/v1/playbooks/{name}/run", Propose, post(acting::run_playbook)),
        ("/api/v1/approvals", Read, get(acting::approvals)),
        ("/api/v1/approvals/{run}/{word}", Decide, post(acting::decide)),
        ("/api/v1/playbooks/stats", Read, get(learning::stats)),
        ("/api/v1/playbooks/{name}/forgive", Decide, post(learning::forgive)),
        ("/api/v1/silences", Read, get(silences::silences)),
        ("/api/v1/silences", Silence, post(silences::add)),
        ("/api/v1/silences/{id}/expire", Silence, post(silences::expire)),
        ("/api/v1/stop", Stop, post(acting::stop)),
        ("/api/v1/resume", Resume, post(acting::stop)),
        ("/api/v1/openapi.json", Look, get(api::openapi)),
    ];
    let mut router = Router::new();
    for (path, deed, methods) in routes {
        let admit = axum::middleware::from_fn_with_state((app.clone(), deed), access::admit);
        router = router.route(path, methods.route_layer(admit));
    }
    router
        .fallback(api::not_found)
        .method_not_allowed_fallback(api::method_not_allowed)
        .layer(axum::middleware::from_fn_with_state(app.clone(), guard::guard))
        .with_state(app)
}

#[cfg(test)]
mod tests;
