//! The other end of the webhooks: takes them, has their signature checked, and hands the events on to be shown.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::task::JoinHandle;

/// Says whether headers and body are those of a webhook signed with the shared key; the error is the reason shown to the sender.
pub type Verify = Arc<dyn Fn(&HeaderMap, &[u8]) -> Result<(), String> + Send + Sync>;

/// An event is some kilobytes; one with a full evidence list and labels is still below this.
pub const MAX_BODY_BYTES: usize = 256 << 10;

/// Events waiting to be shown. When the one who shows them is behind by this many the sender is told to come again.
const MAX_WAITING: usize = 256;

/// The path that takes events.
pub const HOOK_PATH: &str = "/hook";

/// The receiver while it runs; dropping it closes the socket, and answers under way are finished.
#[derive(Debug)]
pub struct HookReceiver {
    address: SocketAddr,
    task: JoinHandle<()>,
}

#[derive(Clone)]
struct Inbox {
    verify: Verify,
    events: mpsc::Sender<Value>,
}

impl HookReceiver {
    /// Listens on a free port of the loopback interface. Events come out of the channel in the order in which they were accepted, repeats
    /// of one id included: at least once is what a webhook promises.
    ///
    /// # Errors
    /// When no socket can be had.
    pub async fn start(verify: Verify) -> std::io::Result<(Self, mpsc::Receiver<Value>)> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let (events, shown) = mpsc::channel(MAX_WAITING);
        let router =
            Router::new().route(HOOK_PATH, post(take)).layer(DefaultBodyLimit::max(MAX_BODY_BYTES)).with_state(Inbox { verify, events });
        let task = tokio::spawn(async move {
            // axum's accept loop retries by itself and ends only with the task.
            let _ = axum::serve(listener, router).await;
        });
        Ok((Self { address, task }, shown))
    }

    /// Where events are to be posted.
    pub fn url(&self) -> String {
        format!("http://{}{HOOK_PATH}", self.address)
    }
}

impl Drop for HookReceiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn take(State(inbox): State<Inbox>, headers: HeaderMap, body: Bytes) -> (StatusCode, String) {
    if let Err(why) = (inbox.verify)(&headers, &body) {
        return (StatusCode::UNAUTHORIZED, why);
    }
    let event: Value = match serde_json::from_slice(&body) {
        Ok(event) => event,
        Err(why) => return (StatusCode::BAD_REQUEST, format!("the body is not JSON: {why}")),
    };
    match inbox.events.try_send(event) {
        Ok(()) => (StatusCode::NO_CONTENT, String::new()),
        Err(TrySendError::Full(_)) => (StatusCode::SERVICE_UNAVAILABLE, "too many events wait; come again".into()),
        Err(TrySendError::Closed(_)) => (StatusCode::GONE, "nobody reads events any more".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn takes_what_is_signed_and_says_why_not_to_the_rest() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let verify: Verify = Arc::new(|headers, body| match headers.get("x-length") {
            Some(length) if length.to_str().is_ok_and(|text| text == body.len().to_string()) => Ok(()),
            _ => Err("wrong signature".into()),
        });
        let (receiver, mut events) = HookReceiver::start(verify).await.unwrap();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let send = async |body: String, length: usize| {
            let answer = client.post(receiver.url()).header("x-length", length).body(body).send().await.unwrap();
            (answer.status().as_u16(), answer.text().await.unwrap())
        };
        assert_eq!(send(r#"{"id":1}"#.into(), 8).await, (204, String::new()));
        assert_eq!(events.recv().await.unwrap()["id"], 1);
        assert_eq!(send(r#"{"id":2}"#.into(), 9).await, (401, "wrong signature".into()));
        assert_eq!(send("{no".into(), 3).await.0, 400);
        let large = MAX_BODY_BYTES + 1;
        assert_eq!(send(" ".repeat(large), large).await.0, 413);
        for i in 0..MAX_WAITING {
            assert_eq!(send(i.to_string(), i.to_string().len()).await.0, 204);
        }
        assert_eq!(send("0".into(), 1).await.0, 503, "a full inbox asks to come again");
        assert_eq!(events.recv().await.unwrap(), 0, "nothing refused was let through");
        drop(events);
        assert_eq!(send("0".into(), 1).await.0, 410);
    }
}
