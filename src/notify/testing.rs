//! What the tests of this module share: a real HTTP receiver on loopback, and an outbox in memory that can fail.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use tokio::net::TcpListener;

use super::outbox::{Outbox, Pending};
use super::webhook::WebhookSettings;
use crate::core::time::{Span, Timestamp};
use crate::outbound::Secret;
use crate::outbound::signature::{ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, TOLERANCE, VerifyError, verify};

pub const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

pub fn now() -> Timestamp {
    Timestamp::from_millis(jiff::Timestamp::now().as_millisecond())
}

/// One request as the receiver saw it.
#[derive(Clone, Debug)]
pub struct Seen {
    pub at: Instant,
    pub method: String,
    pub path: String,
    pub headers: BTreeMap<String, String>,
    pub body: Bytes,
}

impl Seen {
    pub fn id(&self) -> &str {
        &self.headers[ID_HEADER]
    }

    pub fn verify(&self, secret: &str) -> Result<(), VerifyError> {
        let secrets = [Secret::parse(secret.as_bytes()).unwrap()];
        verify(&secrets, self.id(), &self.headers[TIMESTAMP_HEADER], &self.headers[SIGNATURE_HEADER], &self.body, now(), TOLERANCE)
    }
}

/// What the receiver answers.
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Body,
    pub delay: Duration,
}

pub fn answer(status: u16) -> Answer {
    Answer { status, headers: vec![], body: Body::empty(), delay: Duration::ZERO }
}

/// A receiver that answers as `script` says of the number of the request (from 0) and the request itself.
pub struct Receiver {
    pub address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    server: tokio::task::JoinHandle<()>,
}

impl Receiver {
    pub async fn start(script: impl Fn(usize, &Seen) -> Answer + Send + Sync + 'static) -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap(), script).await
    }

    pub async fn start_at(address: SocketAddr, script: impl Fn(usize, &Seen) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let (script, store) = (Arc::new(script), seen.clone());
        let handler = move |request: Request| {
            let (script, store) = (script.clone(), store.clone());
            async move {
                let (head, body) = request.into_parts();
                let headers = head.headers.iter().map(|(n, v)| (n.to_string(), v.to_str().unwrap().to_owned())).collect();
                let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
                let request = Seen { at: Instant::now(), method: head.method.to_string(), path: head.uri.to_string(), headers, body };
                let n = {
                    let mut seen = store.lock().unwrap();
                    seen.push(request.clone());
                    seen.len() - 1
                };
                let answer = script(n, &request);
                tokio::time::sleep(answer.delay).await;
                let mut response = Response::builder().status(answer.status);
                for (name, value) in answer.headers {
                    response = response.header(name, value);
                }
                response.body(answer.body).unwrap()
            }
        };
        let app = axum::Router::new().fallback(handler);
        let server = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { address, seen, server }
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub fn ids(&self) -> Vec<String> {
        self.seen().iter().map(|s| s.id().to_owned()).collect()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// A folder with the secret file in it; settings point there.
pub struct Folder(pub tempfile::TempDir);

impl Folder {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("hook.key"), SECRET).unwrap();
        Self(folder)
    }

    pub fn settings(&self, name: &str, url: &str) -> WebhookSettings {
        WebhookSettings {
            name: name.to_owned(),
            url: url.parse().unwrap(),
            secret_file: self.0.path().join("hook.key"),
            headers: BTreeMap::new(),
            ca_file: None,
            timeout: Span::from_secs(5),
            allow_private: true,
        }
    }

    pub fn settings_for(&self, name: &str, receiver: &Receiver) -> WebhookSettings {
        self.settings(name, &format!("http://{}/hook", receiver.address))
    }
}

/// What became of an event in [`MemoryOutbox`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    Waiting { next: Timestamp },
    Delivered,
    Dead { error: String },
}

#[derive(Clone, Debug)]
pub struct Row {
    pub target: String,
    pub event: Pending,
    pub fate: Fate,
    pub error: Option<String>,
}

/// An outbox whose next `failing` writes fail.
#[derive(Default)]
pub struct MemoryOutbox {
    rows: Mutex<Vec<Row>>,
    pub failing: AtomicUsize,
}

impl MemoryOutbox {
    pub fn put(&self, target: &str, id: &str, created_at: Timestamp) {
        let event = Pending { event_id: id.to_owned(), body: Bytes::from(format!("{{\"id\":\"{id}\"}}")), created_at, attempts: 0 };
        let row = Row { target: target.to_owned(), event, fate: Fate::Waiting { next: created_at }, error: None };
        self.rows.lock().unwrap().push(row);
    }

    pub fn row(&self, target: &str, id: &str) -> Row {
        self.rows.lock().unwrap().iter().find(|r| r.target == target && r.event.event_id == id).unwrap().clone()
    }

    pub fn all(&self, fate: &Fate) -> bool {
        self.rows.lock().unwrap().iter().all(|r| r.fate == *fate)
    }

    fn change(&self, target: &str, id: &str, change: impl FnOnce(&mut Row)) -> Result<(), String> {
        if self.failing.fetch_update(SeqCst, SeqCst, |n| n.checked_sub(1)).is_ok() {
            return Err("disk full".to_owned());
        }
        let mut rows = self.rows.lock().unwrap();
        change(rows.iter_mut().find(|r| r.target == target && r.event.event_id == id).unwrap());
        Ok(())
    }
}

impl Outbox for MemoryOutbox {
    type Error = String;

    async fn due(&self, now: Timestamp, target: &str, limit: usize) -> Result<Vec<Pending>, String> {
        let rows = self.rows.lock().unwrap();
        let is_due = |r: &&Row| r.target == target && matches!(r.fate, Fate::Waiting { next } if next <= now);
        let mut due: Vec<Pending> = rows.iter().filter(is_due).map(|r| r.event.clone()).collect();
        due.sort_by_key(|p| p.created_at);
        due.truncate(limit);
        Ok(due)
    }

    async fn next_due(&self, target: &str) -> Result<Option<Timestamp>, String> {
        let rows = self.rows.lock().unwrap();
        let next = |r: &Row| match r.fate {
            Fate::Waiting { next } if r.target == target => Some(next),
            _ => None,
        };
        Ok(rows.iter().filter_map(next).min())
    }

    async fn mark_delivered(&self, event_id: &str, target: &str, _at: Timestamp) -> Result<(), String> {
        self.change(target, event_id, |r| r.fate = Fate::Delivered)
    }

    async fn mark_failed(&self, event_id: &str, target: &str, error: &str, next_attempt_at: Timestamp) -> Result<(), String> {
        self.change(target, event_id, |r| {
            r.event.attempts += 1;
            r.fate = Fate::Waiting { next: next_attempt_at };
            r.error = Some(error.to_owned());
        })
    }

    async fn mark_dead(&self, event_id: &str, target: &str, error: &str) -> Result<(), String> {
        self.change(target, event_id, |r| r.fate = Fate::Dead { error: error.to_owned() })
    }
}

/// Waits until `done`, for at most thirty seconds.
pub async fn until(what: &str, done: impl Fn() -> bool) {
    for _ in 0..3000 {
        if done() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("waited thirty seconds in vain: {what}");
}
