//! A webhook receiver that remembers what it was sent and answers as a test tells it: well, with errors, slowly, or not at all.

use std::collections::{BTreeMap, VecDeque};
use std::net::TcpListener;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tokio::sync::oneshot;

use super::process::wait_until;

/// What the receiver does with a request, after it has remembered it.
#[derive(Clone, Debug)]
pub enum Answer {
    Status(u16),
    /// 429 or 503 with `Retry-After`, in seconds.
    RetryAfter(u16, u32),
    /// The status after a wait.
    Slow(Duration, u16),
    /// A redirect.
    MovedTo(String),
}

/// One request as it came in.
#[derive(Clone, Debug)]
pub struct Received {
    pub at: Instant,
    pub path: String,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Received {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// # Panics
    /// When the body is not JSON; the message shows it.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {:?}", String::from_utf8_lossy(&self.body)))
    }

    /// Whether one of the `v1` signatures is HMAC-SHA256 of `id.timestamp.body` with this key, as
    /// <https://www.standardwebhooks.com> has it. Written from the specification, not with the code under test.
    pub fn is_signed_with(&self, key: &[u8]) -> bool {
        let header = |name| self.header(name).unwrap_or_default();
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
        mac.update(format!("{}.{}.", header("webhook-id"), header("webhook-timestamp")).as_bytes());
        mac.update(&self.body);
        let expected = format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()));
        header("webhook-signature").split(' ').any(|signature| signature == expected)
    }
}

#[derive(Debug, Default)]
struct Shared {
    received: Vec<Received>,
    next: VecDeque<Answer>,
    then: Option<Answer>,
}

/// Listens on loopback from its start until it is dropped.
#[derive(Debug)]
pub struct Receiver {
    port: u16,
    shared: Arc<Mutex<Shared>>,
    server: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl Receiver {
    /// Answers everything with 204.
    pub fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a loopback socket");
        let port = listener.local_addr().expect("a bound socket has an address").port();
        let mut receiver = Self { port, shared: Arc::default(), server: None };
        receiver.serve(listener);
        receiver
    }

    /// Closes the port: from now on connections are refused.
    pub fn stop(&mut self) {
        if let Some((stop, thread)) = self.server.take() {
            // An error means that the server is gone already.
            let _ = stop.send(());
            thread.join().expect("the receiver does not panic");
        }
    }

    /// After [`stop`](Self::stop): the same port, and what was received before is still known.
    pub fn start_again(&mut self) {
        assert!(self.server.is_none(), "it runs already");
        let listener = TcpListener::bind(("127.0.0.1", self.port)).expect("nobody has taken the port");
        self.serve(listener);
    }

    /// The next requests are answered with these, one each; later ones as before.
    pub fn answer_next(&self, answers: impl IntoIterator<Item = Answer>) {
        self.lock().next.extend(answers);
    }

    /// From now on (after those of [`answer_next`](Self::answer_next)) every request is answered so.
    pub fn answer_always(&self, answer: Answer) {
        self.lock().then = Some(answer);
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook", self.port)
    }

    pub fn received(&self) -> Vec<Received> {
        self.lock().received.clone()
    }

    /// What was received once there are at least `count` requests.
    ///
    /// # Panics
    /// When there are fewer after `within`.
    pub fn wait_for(&self, count: usize, within: Duration) -> Vec<Received> {
        wait_until(within, || Some(self.received()).filter(|all| all.len() >= count))
            .unwrap_or_else(|| panic!("{} instead of {count} requests within {within:?}", self.received().len()))
    }

    fn serve(&mut self, listener: TcpListener) {
        let shared = self.shared.clone();
        let (stop, stopped) = oneshot::channel();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
            runtime.block_on(async {
                listener.set_nonblocking(true).expect("a socket can be made non-blocking");
                let listener = tokio::net::TcpListener::from_std(listener).expect("the runtime takes the socket");
                let server = axum::serve(listener, Router::new().fallback(receive).with_state(shared));
                // Ends open connections too, also those that wait for a slow answer: the runtime is dropped with them.
                tokio::select! {
                    _ = server.into_future() => {}
                    _ = stopped => {}
                }
            });
        });
        self.server = Some((stop, thread));
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn receive(State(shared): State<Arc<Mutex<Shared>>>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let headers = headers.iter().map(|(n, v)| (n.to_string(), String::from_utf8_lossy(v.as_bytes()).into_owned())).collect();
    let received = Received { at: Instant::now(), path: uri.path().to_owned(), headers, body: body.to_vec() };
    let answer = {
        let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
        shared.received.push(received);
        shared.next.pop_front().or_else(|| shared.then.clone()).unwrap_or(Answer::Status(204))
    };
    let status = |code| StatusCode::from_u16(code).expect("tests use real status codes");
    match answer {
        Answer::Status(code) => status(code).into_response(),
        Answer::RetryAfter(code, seconds) => (status(code), [("retry-after", seconds.to_string())]).into_response(),
        Answer::Slow(wait, code) => {
            tokio::time::sleep(wait).await;
            status(code).into_response()
        }
        Answer::MovedTo(url) => (StatusCode::TEMPORARY_REDIRECT, [("location", url)]).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use reqwest::Method;

    use super::super::http;
    use super::*;

    const SHORT: Duration = Duration::from_secs(5);

    #[test]
    fn it_remembers_and_answers_as_told() {
        let receiver = Receiver::start();
        receiver.answer_next([Answer::Status(500), Answer::RetryAfter(503, 7), Answer::Slow(Duration::from_millis(300), 200)]);
        let post = |body: &str| http::post(&receiver.url(), "application/json", body);
        assert_eq!(post("{\"n\":1}").status, 500);
        let later = post("2");
        assert_eq!((later.status, later.headers["retry-after"].as_bytes()), (503, &b"7"[..]));
        let started = Instant::now();
        assert_eq!(post("3").status, 200);
        assert!(started.elapsed() >= Duration::from_millis(300));
        assert_eq!(post("4").status, 204);
        receiver.answer_always(Answer::Status(410));
        assert_eq!((post("5").status, post("6").status), (410, 410));
        let all = receiver.wait_for(6, SHORT);
        assert_eq!((all[0].json()["n"].as_i64(), all[0].path.as_str()), (Some(1), "/hook"));
        assert_eq!(all[0].header("content-type"), Some("application/json"));
    }

    #[test]
    fn a_stopped_one_refuses_and_comes_back_on_its_port() {
        let mut receiver = Receiver::start();
        let url = receiver.url();
        let post = || http::request(Method::POST, &url, &[], b"x".to_vec(), SHORT);
        assert!(post().is_ok());
        receiver.stop();
        assert!(post().is_err());
        receiver.start_again();
        assert!(post().is_ok());
        assert_eq!(receiver.received().len(), 2);
    }

    /// The example of the specification's reference implementations.
    #[test]
    fn signatures_are_checked_against_the_published_example() {
        let key = BASE64_STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let headers = [
            ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
            ("webhook-timestamp", "1614265330"),
            ("webhook-signature", "v1,AAAA v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
        ];
        let headers = headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let mut received = Received { at: Instant::now(), path: String::new(), headers, body: br#"{"test": 2432232314}"#.to_vec() };
        assert!(received.is_signed_with(&key));
        received.body[0] = b' ';
        assert!(!received.is_signed_with(&key));
    }
}
