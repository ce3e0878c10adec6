//! Servers that answer, but not with the truth. One server plays them all, under a path each, to one daemon with a source each: so it is
//! also seen that a bad source does not hold up the good ones. Written by hand, since no real server lies on demand.
//!
//! Whatever samples the lies hold lie past the threshold: taken at their word they would be a breach. One disk that fills is told twice,
//! with and without the remark that the answer is incomplete: only the whole answer may lead to a prediction.

use std::convert::Infallible;
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use tokio::sync::oneshot;

use super::daemon::{Config, Running, SOON, STARTED, raised};
use super::history::noise;
use crate::support::{Receiver, wait_until};

/// What is told, and what the daemon says about it; an empty word: that it is usable.
const LIES: [(&str, &str); 13] = [
    ("honest", ""),
    ("filling", ""),
    ("warning", ""),
    ("not-finite", ""),
    ("empty", ""),
    ("page", "login"),
    ("truncated", "ended early"),
    ("endless", "larger than"),
    ("vector", "result type"),
    ("wrong-type", "want"),
    ("twice", "stands twice"),
    ("drip", "timed out"),
    ("error", "500"),
];

/// Serves until it is dropped.
struct Liar {
    url: String,
    honest: Arc<AtomicBool>,
    _stop: oneshot::Sender<()>,
}

impl Liar {
    fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let honest = Arc::new(AtomicBool::new(false));
        let (stop, stopped) = oneshot::channel::<()>();
        let shared = honest.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                let app = Router::new().route("/{lie}/api/v1/query_range", axum::routing::post(answer)).with_state(shared);
                tokio::select! {
                    _ = axum::serve(listener, app).into_future() => {}
                    _ = stopped => {}
                }
            });
        });
        Self { url, honest, _stop: stop }
    }
}

async fn answer(State(honest): State<Arc<AtomicBool>>, Path(lie): Path<String>, form: Bytes) -> Response {
    let lie = if honest.load(Ordering::Relaxed) { "honest" } else { lie.as_str() };
    let json = |text: String| ([(header::CONTENT_TYPE, "application/json")], text).into_response();
    let rising = |value: f64| 0.95 + value / 1e6;
    match lie {
        "honest" => json(matrix(&form, &["a"], |t| (0.4 + 0.002 * noise(1, t)).to_string(), "")),
        "filling" => json(matrix(&form, &["a"], filling, "")),
        "warning" => json(matrix(&form, &["a"], filling, ",\"warnings\":[\"a store is away\"]")),
        "not-finite" => json(matrix(&form, &["a", "b", "c"], |t| ["NaN", "+Inf", "-Inf"][(t / 60_000 % 3) as usize].to_owned(), "")),
        "empty" => json(matrix(&form, &[], |_| String::new(), "")),
        "page" => ([(header::CONTENT_TYPE, "text/html")], "<html><title>login</title></html>").into_response(),
        "truncated" => {
            let mut text = matrix(&form, &["a"], |t| rising(t as f64 % 1e3).to_string(), "");
            text.truncate(text.len() / 2);
            json(text)
        }
        "endless" => {
            let piece = Bytes::from("[1,\"0.95\"],".repeat(6_000));
            let head = Bytes::from_static(
                b"{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[{\"metric\":{\"x\":\"y\"},\"values\":[",
            );
            let pieces = stream::unfold(Some(head), move |next| {
                let piece = piece.clone();
                async move { next.map(|now| (Ok::<_, Infallible>(now), Some(piece))) }
            });
            Body::from_stream(pieces).into_response()
        }
        "vector" => json(
            "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[{\"metric\":{},\"value\":[1,\"0.95\"]}]}}".to_owned(),
        ),
        "wrong-type" => json("{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":{\"metric\":0.95}}}".to_owned()),
        "twice" => json(matrix(&form, &["a", "a"], |_| "0.95".to_owned(), "")),
        "drip" => {
            let pieces = stream::unfold((), |()| async {
                tokio::time::sleep(Duration::from_millis(300)).await;
                Some((Ok::<_, Infallible>(Bytes::from_static(b" ")), ()))
            });
            Body::from_stream(pieces).into_response()
        }
        _ => (StatusCode::INTERNAL_SERVER_ERROR, "{\"status\":\"error\",\"errorType\":\"internal\",\"error\":\"disk broken\"}")
            .into_response(),
    }
}

/// A disk that is 85 % full when the test begins, and 90 % ten hours later.
fn filling(t: i64) -> String {
    static BEGAN_MS: LazyLock<i64> =
        LazyLock::new(|| SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis().try_into().unwrap());
    (0.85 + 0.005 * (t - *BEGAN_MS) as f64 / 3_600_000.0 + 0.0005 * noise(2, t)).to_string()
}

/// A well-formed answer over the grid that was asked for.
fn matrix(form: &[u8], hosts: &[&str], value: impl Fn(i64) -> String, more: &str) -> String {
    let number = |key: &str| url::form_urlencoded::parse(form).find(|(k, _)| k == key).and_then(|(_, v)| v.parse::<f64>().ok()).unwrap();
    let (start, end, step) = (number("start") as i64, number("end") as i64, number("step") as i64);
    let series = |host: &&str| {
        let values: Vec<String> =
            (0..=(end - start) / step).map(|i| start + i * step).map(|s| format!("[{s},\"{}\"]", value(s * 1000))).collect();
        format!("{{\"metric\":{{\"host\":\"{host}\"}},\"values\":[{}]}}", values.join(","))
    };
    let all: Vec<String> = hosts.iter().map(series).collect();
    format!("{{\"status\":\"success\",\"data\":{{\"resultType\":\"matrix\",\"result\":[{}]}}{more}}}", all.join(","))
}

#[test]
fn lies_are_named_for_what_they_are_and_none_is_believed() {
    let liar = Liar::start();
    let receiver = Receiver::start();
    let mut config = Config::default().hook(&receiver).line("limits: { answer_bytes: 2000000 }");
    for (lie, _) in LIES {
        config.sources.push((lie.to_owned(), format!("{}/{lie}", liar.url)));
        config = config.watch(&format!("name: {lie}, source: {lie}, query: used, above: 0.9, horizon: 24h, profile: saturating-gauge"));
    }
    let mut portent = Running::start(&config);
    let good = wait_until(STARTED, || {
        portent.readiness()?;
        (portent.series("honest") == 1).then_some(())
    });
    assert!(good.is_some(), "the good source is held up by the others: {}", portent.tail());
    let bad = LIES.iter().filter(|(_, word)| !word.is_empty());
    for (lie, word) in bad.clone() {
        let named = wait_until(SOON, || {
            let status = portent.data("/api/v1/status");
            let source = status["sources"].as_array()?.iter().find(|s| s["name"] == *lie)?.clone();
            let error = source["last_error"].as_str()?.to_owned();
            (source["up"] == false && error.contains(word) && error.contains(&format!("watch \"{lie}\""))).then_some(())
        });
        assert!(named.is_some(), "{lie} should be called {word:?}: {:#}", portent.data("/api/v1/status")["sources"]);
        portent.wait_not_ready(&format!("source {lie}: "), SOON);
    }
    let before = portent.resident_bytes();
    for (usable, word) in [("honest", None), ("filling", None), ("warning", Some("a store is away")), ("not-finite", None), ("empty", None)]
    {
        let watch = portent.watch(usable);
        assert_ne!(watch["state"], "failing", "{watch:#}");
        assert_eq!(watch["last_error"].as_str().is_some_and(|e| word.is_some_and(|w| e.contains(w))), word.is_some(), "{watch:#}");
    }
    assert!(portent.metric("portent_samples_missing_total{reason=\"not_finite\"}") > 0.0);
    std::thread::sleep(Duration::from_secs(15));
    let grown = portent.resident_bytes().saturating_sub(before);
    assert!(grown < 50 << 20, "{grown} bytes more after further tries");
    let told: Vec<String> = raised(&receiver).iter().map(|hook| hook.json()["data"]["watch"].to_string()).collect();
    assert_eq!(told, ["\"filling\""], "the same signal with a warning, or a lie, was believed (or the honest one was not)");
    assert!(portent.process.process().exit_status().is_none(), "{}", portent.tail());

    liar.honest.store(true, Ordering::Relaxed);
    portent.wait_recovered(SOON);
    for (lie, _) in bad {
        assert_eq!(portent.series(lie), 1, "{lie}");
    }
    assert_eq!(portent.metric("portent_predictions_raised_total"), 1.0);
}
