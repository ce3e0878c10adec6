//! The server over real sockets, with a view that answers, fails, hangs and panics on demand.

mod access;
mod double;
mod endpoints;
mod explained;
mod limits;
mod metrics;
mod requests;
mod silenced;

use std::net::SocketAddr;
use std::sync::{Arc, Once};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::{Server, ServerError, Settings};
use crate::metrics::Metrics;
use double::Double;

/// Nothing here takes longer unless it hangs.
const PATIENCE: Duration = Duration::from_secs(20);

struct Running {
    address: SocketAddr,
    view: Arc<Double>,
    metrics: Arc<Metrics>,
    http: reqwest::Client,
    stop: Option<oneshot::Sender<()>>,
    served: JoinHandle<Result<(), ServerError>>,
}

async fn start(view: Double, settings: Settings) -> Running {
    start_on("127.0.0.1:0", view, settings).await
}

async fn start_on(address: &str, view: Double, settings: Settings) -> Running {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    let server = Server::bind(address.parse().unwrap()).await.unwrap();
    let (address, view, metrics) = (server.address(), Arc::new(view), Arc::new(Metrics::new()));
    let (stop, stopped) = oneshot::channel::<()>();
    let shutdown = async {
        let _ = stopped.await;
    };
    let served = tokio::spawn(server.serve(view.clone(), metrics.clone(), settings, shutdown));
    let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
    Running { address, view, metrics, http, stop: Some(stop), served }
}

impl Running {
    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    async fn get(&self, path: &str) -> (u16, reqwest::header::HeaderMap, String) {
        answer(self.http.get(self.url(path))).await
    }

    async fn json(&self, path: &str) -> (u16, serde_json::Value) {
        let (status, _, body) = self.get(path).await;
        (status, serde_json::from_str(&body).unwrap_or_else(|why| panic!("{path}: {why}: {body}")))
    }

    /// Sends these bytes and reads until the server closes the connection.
    async fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        // The server may refuse and close before it has read all.
        let _ = stream.write_all(bytes).await;
        let mut answer = Vec::new();
        let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("the server kept the connection open");
        String::from_utf8_lossy(&answer).into_owned()
    }
}

async fn answer(request: reqwest::RequestBuilder) -> (u16, reqwest::header::HeaderMap, String) {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    (status, headers, response.text().await.unwrap())
}

/// Waits until something has become true.
async fn until(what: &str, mut true_now: impl FnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !true_now() {
        assert!(tokio::time::Instant::now() < deadline, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
