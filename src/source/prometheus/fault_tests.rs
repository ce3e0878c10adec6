//! The client against a server that misbehaves in every way the documentation of [`prometheus`](super) lists.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::StreamExt;

use super::fake::{Fake, Piece, Received, json, matrix, reply};
use super::*;
use crate::core::frame::Grid;
use crate::core::time::{Span, Timestamp};

fn grid(len: usize) -> Grid {
    Grid { start: Timestamp::from_millis(1_795_341_600_000), step: Span::MINUTE, len }
}

fn settings(url: &str) -> PrometheusSettings {
    let mut settings = PrometheusSettings::new(url.parse().unwrap());
    settings.limits.backoff = Duration::from_millis(5);
    settings.timeouts = Timeouts { connect: Duration::from_secs(2), request: Duration::from_secs(5), idle: Duration::from_millis(300) };
    settings
}

fn ask(len: usize) -> RangeAsk<'static> {
    RangeAsk { query: "disk_used{path=\"/\"} > 0", grid: grid(len), watch: Some("disk"), rows_hint: Some(2) }
}

/// What one answer, given to every try, leads to.
async fn outcome(answer: Vec<Piece>) -> (Result<RangeAnswer, SourceError>, usize) {
    let fake = Fake::start(move |_, _| answer.clone()).await;
    let client = PrometheusClient::new(settings(&fake.url())).unwrap();
    let result = client.query_range(&ask(3)).await;
    (result, fake.received().len())
}

async fn failure(answer: Vec<Piece>) -> (SourceError, usize) {
    let (result, tries) = outcome(answer).await;
    (result.map(|a| a.stats).unwrap_err(), tries)
}

fn error_json(kind: &str, text: &str) -> String {
    format!(r#"{{"status":"error","errorType":"{kind}","error":"{text}"}}"#)
}

#[tokio::test]
async fn the_request_is_a_form_that_asks_for_plain_bytes_and_says_who_asks() {
    let fake = Fake::start(|r, _| json(&matrix(r, 2, ""))).await;
    let mut settings = settings(&format!("http://me:pa%20ss@{}/prefix?key=hidden", fake.address));
    settings.tenant = Some("team-a".into());
    settings.headers = vec![("X-Extra".into(), Secret::new("yes"))];
    let client = PrometheusClient::new(settings).unwrap();
    let answer = client.query_range(&ask(3)).await.unwrap();
    assert_eq!((answer.frame.rows(), answer.frame.present(), answer.remarks.partial), (2, 6, false));
    assert_eq!(answer.frame.row(1)[0], 1_795_341_600.0 / 60.0 + 1.0);
    let request = &fake.received()[0];
    assert_eq!(request.line, "POST /prefix/api/v1/query_range?key=hidden HTTP/1.1");
    for (name, value) in [
        ("accept-encoding", "identity"),
        ("x-scope-orgid", "team-a"),
        ("x-extra", "yes"),
        ("authorization", "Basic bWU6cGEgc3M="),
        ("content-type", "application/x-www-form-urlencoded"),
    ] {
        assert_eq!(request.headers[name], value, "{name}");
    }
    let form = |name: &str| request.form[name].as_str();
    assert_eq!((form("start"), form("end"), form("step")), ("1795341600.000", "1795341720.000", "60.000"));
    assert_eq!((form("query"), form("timeout")), ("disk_used{path=\"/\"} > 0", "4500ms"));
}

#[tokio::test]
async fn warnings_make_an_answer_partial_and_are_kept() {
    let fake = Fake::start(|r, _| json(&matrix(r, 1, r#","warnings":["store b is gone"]"#))).await;
    let client = PrometheusClient::new(settings(&fake.url())).unwrap();
    let answer = client.query_range(&ask(3)).await.unwrap();
    assert!(answer.remarks.partial);
    assert_eq!((answer.remarks.warnings, answer.frame.present()), (vec!["store b is gone".to_owned()], 3));
}

#[tokio::test]
async fn a_login_page_with_status_200_is_not_a_prometheus() {
    for answer in [reply(200, "content-type: text/html\r\n", "<!doctype html><title>Log in</title>"), json("\n <html></html>")] {
        let (error, tries) = failure(answer).await;
        assert!(matches!(error.cause, Cause::NotPrometheus { .. }), "{error}");
        assert_eq!(tries, 1, "it was asked again");
        assert!(error.to_string().contains("hint: a login page"), "{error}");
    }
}

#[tokio::test]
async fn answers_that_are_no_answers_are_typed_errors_and_not_asked_again() {
    let wrong_type = r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#;
    let twice = r#"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[]},{"metric":{},"values":[]}]}}"#;
    let off = r#"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[7,"1"]]}]}}"#;
    for (body, want) in [
        (wrong_type, "result type is \"vector\", want matrix"),
        (twice, "series {} stands twice in the answer"),
        (off, "none of 1 samples lies on the grid"),
        ("{\"status\":success}", "body is not JSON: word that is not true, false or null at byte 10"),
        (r#"{"status":"error","errorType":"bad_data","error":"parse error"}"#, "server says bad_data: parse error"),
    ] {
        let (error, tries) = failure(json(body)).await;
        let text = error.to_string();
        assert!(text.starts_with("cannot read range for watch \"disk\" from http://127.0.0.1:"), "{text}");
        assert!(text.contains(want), "{text}");
        assert_eq!((tries, error.is_retryable()), (1, false), "{text}");
    }
}

#[tokio::test]
async fn truncated_bodies_are_tried_again_and_then_an_error() {
    let cut = b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{\"status\":\"succ".to_vec();
    let without_length = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{\"status\":\"succ".to_vec();
    let chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"sta\r\n".to_vec();
    for bytes in [cut, without_length, chunked] {
        let (error, tries) = failure(vec![Piece::Bytes(bytes)]).await;
        assert!(matches!(error.cause, Cause::Truncated(_)), "{error}");
        assert_eq!((tries, error.attempts, error.is_retryable()), (4, 4, true));
    }
    let fake = Fake::start(|r, n| {
        let whole = json(&matrix(r, 2, ""));
        let Piece::Bytes(bytes) = &whole[0] else { panic!() };
        if n == 0 { vec![Piece::Bytes(bytes[..bytes.len() / 2].to_vec())] } else { whole }
    })
    .await;
    let client = PrometheusClient::new(settings(&fake.url())).unwrap();
    assert_eq!(client.query_range(&ask(3)).await.unwrap().frame.present(), 6, "a half answer left traces");
}

#[tokio::test]
async fn oversized_bodies_are_cut_off_and_the_window_halved() {
    for stated in [true, false] {
        let fake = Fake::start(move |r, _| {
            let body = matrix(r, 2, "");
            if stated {
                json(&body)
            } else {
                vec![Piece::Bytes(format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{body}").into_bytes())]
            }
        })
        .await;
        let mut settings = settings(&fake.url());
        settings.limits.max_body_bytes = 4_000;
        let client = PrometheusClient::new(settings).unwrap();
        // The hint lies: one series expected, two come, so the first window is too large.
        let ask = RangeAsk { rows_hint: Some(0), ..ask(300) };
        let answer = client.query_range(&ask).await.unwrap();
        assert_eq!((answer.frame.rows(), answer.frame.present()), (2, 600));
        for i in 0..300 {
            assert_eq!(answer.frame.row(1)[i], grid(300).at(i).as_secs_f64() / 60.0 + 1.0);
        }
    }
    let fake = Fake::start(|_, _| json(&" ".repeat(5_000))).await;
    let mut small = settings(&fake.url());
    small.limits.max_body_bytes = 4_000;
    let client = PrometheusClient::new(small).unwrap();
    let error = client.query_range(&RangeAsk { rows_hint: Some(1), ..ask(10_000) }).await.unwrap_err();
    assert_eq!(error.cause, Cause::BodyTooLarge { limit: 4_000 });
    assert!(fake.received().len() <= 8, "halving has no end: {}", fake.received().len());
}

#[tokio::test]
async fn too_many_samples_halves_the_window_until_the_server_bears_it() {
    let worst = Arc::new(AtomicUsize::new(0));
    let seen = worst.clone();
    let fake = Fake::start(move |r, _| {
        let number = |name: &str| r.form[name].parse::<f64>().unwrap();
        let points = ((number("end") - number("start")) / number("step")) as usize + 1;
        seen.fetch_max(points, Ordering::Relaxed);
        if points > 100 {
            return reply(422, "", &error_json("execution", "query processing would load too many samples into memory in query execution"));
        }
        json(&matrix(r, 1, ""))
    })
    .await;
    let client = PrometheusClient::new(settings(&fake.url())).unwrap();
    let answer = client.query_range(&ask(1_000)).await.unwrap();
    assert_eq!((answer.frame.present(), answer.stats.samples), (1_000, 1_000));
    assert_eq!(worst.load(Ordering::Relaxed), 1_000);
    assert!((0..1_000).all(|i| answer.frame.row(0)[i] == grid(1_000).at(i).as_secs_f64() / 60.0));
}

#[tokio::test]
async fn a_query_too_heavy_at_any_length_ends_with_the_servers_words() {
    let (error, tries) = failure(reply(422, "", &error_json("execution", "query processing would load too many samples"))).await;
    assert!(error.to_string().contains("server answered 422 (query processing would load too many samples); hint: "), "{error}");
    assert_eq!(tries, 3, "3 points, 2, 1");
    let (error, tries) = failure(reply(422, "", &error_json("execution", "many-to-many matching not allowed"))).await;
    assert_eq!((tries, error.is_retryable()), (1, false));
}

#[tokio::test]
async fn retry_after_is_waited_out_and_a_long_one_handed_back() {
    // The server's clock is 30 years behind ours: a date counts from the answer's own.
    let dated = "date: Sun, 06 Nov 1994 08:49:37 GMT\r\nretry-after: Sun, 06 Nov 1994 08:49:38 GMT\r\n";
    for headers in ["retry-after: 1\r\n", dated] {
        let fake = Fake::start(move |r, n| if n == 0 { reply(429, headers, "slow down") } else { json(&matrix(r, 1, "")) }).await;
        let client = PrometheusClient::new(settings(&fake.url())).unwrap();
        let start = Instant::now();
        client.query_range(&ask(3)).await.unwrap();
        let waited = start.elapsed();
        assert!(waited >= Duration::from_millis(900) && waited < Duration::from_secs(4), "{waited:?}");
        assert_eq!(fake.received().len(), 2);
    }
    let (error, tries) = failure(reply(503, "retry-after: 3600\r\n", "down for the night")).await;
    assert_eq!((tries, error.retry_after()), (1, Some(Duration::from_secs(3600))));
    assert!(error.is_retryable());
}

#[tokio::test]
async fn five_hundreds_are_tried_again_and_refusals_are_not() {
    for (code, want) in [(500, 4), (502, 4), (503, 4), (401, 1), (403, 1), (404, 1), (400, 1), (405, 1)] {
        let (error, tries) = failure(reply(code, "", "no")).await;
        assert_eq!((tries, error.is_retryable()), (want, want > 1), "{error}");
        assert!(error.to_string().contains(&format!("server answered {code} (no)")), "{error}");
    }
    let fake = Fake::start(|r, n| if n < 2 { reply(500, "", "") } else { json(&matrix(r, 1, "")) }).await;
    let client = PrometheusClient::new(settings(&fake.url())).unwrap();
    assert_eq!(client.query_range(&ask(3)).await.unwrap().frame.present(), 3);
}

#[tokio::test]
async fn redirects_are_not_followed_and_their_secrets_not_shown() {
    let other = Fake::start(|r, _| json(&matrix(r, 1, ""))).await;
    let location = format!("location: http://u:p@{}/x?sid=secret\r\n", other.address);
    let (error, tries) = failure(reply(302, &location, "")).await;
    assert!(matches!(error.cause, Cause::Redirect { code: 302, .. }), "{error}");
    assert!(!error.to_string().contains("secret") && !error.to_string().contains("u:p"), "{error}");
    assert_eq!((tries, other.received().len()), (1, 0));
}

#[tokio::test]
async fn a_compressed_answer_is_refused() {
    let (error, _) = failure(reply(200, "content-encoding: gzip\r\n", "\u{1f}")).await;
    assert_eq!(error.cause, Cause::Encoding("gzip".into()));
}

/// A client of few tries against one that stalls.
async fn stalled(answer: Vec<Piece>, grace: Duration) -> (Cause, Duration) {
    let fake = Fake::start(move |_, _| answer.clone()).await;
    let mut settings = settings(&fake.url());
    settings.limits.max_attempts = 1;
    settings.timeouts.request = Duration::from_secs(1);
    let mut client = PrometheusClient::new(settings).unwrap();
    client.set_slow_grace(grace);
    let start = Instant::now();
    let error = client.query_range(&ask(3)).await.unwrap_err();
    assert!(error.is_retryable());
    (error.cause, start.elapsed())
}

#[tokio::test]
async fn a_server_that_stalls_or_trickles_is_left_in_time() {
    let head = Piece::Bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n".to_vec());
    let long = Duration::from_secs(30);

    let (cause, took) = stalled(vec![Piece::Pause(long)], long).await;
    assert_eq!(cause, Cause::Timeout { phase: Phase::Answer, after: Duration::from_secs(1) });
    assert!(took < Duration::from_secs(3), "{took:?}");

    let (cause, took) = stalled(vec![head.clone(), Piece::Pause(long)], long).await;
    assert_eq!(cause, Cause::Timeout { phase: Phase::Body, after: Duration::from_millis(300) });
    assert!(took < Duration::from_secs(3), "{took:?}");

    let mut loris = vec![head];
    for _ in 0..200 {
        loris.extend([Piece::Bytes(b" ".to_vec()), Piece::Pause(Duration::from_millis(50))]);
    }
    let (cause, took) = stalled(loris.clone(), Duration::from_millis(400)).await;
    assert_eq!(cause, Cause::TooSlow { floor: fetch::MIN_BYTES_PER_S });
    assert!(took < Duration::from_millis(990), "the deadline came first: {took:?}");

    let (cause, took) = stalled(loris, long).await;
    assert_eq!(cause, Cause::Timeout { phase: Phase::Body, after: Duration::from_secs(1) });
    assert!(took < Duration::from_secs(3), "{took:?}");
}

#[tokio::test]
async fn nobody_there_is_a_retryable_error() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let client = PrometheusClient::new(settings(&format!("http://127.0.0.1:{port}"))).unwrap();
    let error = client.query_range(&ask(3)).await.unwrap_err();
    assert!(matches!(error.cause, Cause::Connect(_)), "{error}");
    assert!(error.is_retryable() && error.to_string().contains("(tried 4 times); hint: is the server up"), "{error}");
}

#[tokio::test]
async fn a_rotated_token_counts_from_the_next_request_on() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("token");
    std::fs::write(&path, "old").unwrap();
    let fake = Fake::start(|r, _| {
        let fresh = r.headers.get("authorization").map(String::as_str) == Some("Bearer new");
        if fresh { json(&matrix(r, 1, "")) } else { reply(401, "", "who are you?") }
    })
    .await;
    let mut settings = settings(&fake.url());
    settings.auth = Auth::Bearer(SecretSource::File(path.clone()));
    let client = PrometheusClient::new(settings).unwrap();
    let error = client.query_range(&ask(3)).await.unwrap_err();
    assert!(error.to_string().contains("server answered 401 (who are you?); hint: check the user"), "{error}");
    std::fs::write(&path, "new").unwrap();
    assert_eq!(client.query_range(&ask(3)).await.unwrap().frame.present(), 3);
    std::fs::remove_file(&path).unwrap();
    let error = client.query_range(&ask(3)).await.unwrap_err();
    assert!(matches!(error.cause, Cause::File { .. }), "{error}");
}

#[tokio::test]
async fn windows_come_in_the_order_of_time_and_no_more_than_allowed_at_once() {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let worst = most.clone();
    // The pause lies before the answer's bytes, so a request counts as under way until its answer is written.
    let fake = Fake::start(move |r: &Received, n| {
        worst.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        let counter = now.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(20)).await;
            counter.fetch_sub(1, Ordering::SeqCst);
        });
        let mut pieces = vec![Piece::Pause(Duration::from_millis(if n % 2 == 0 { 80 } else { 30 }))];
        pieces.extend(json(&matrix(r, 1, "")));
        pieces
    })
    .await;
    let mut settings = settings(&fake.url());
    settings.limits.max_points = 100;
    settings.limits.max_concurrency = 3;
    let client = PrometheusClient::new(settings).unwrap();
    let ask = RangeAsk { rows_hint: None, ..ask(1_000) };
    let windows: Vec<_> = client.range_windows(&ask).collect().await;
    let mut next = 0;
    for window in windows {
        let grid = window.unwrap().frame.grid();
        assert_eq!(grid.start, ask.grid.at(next));
        next += grid.len;
    }
    assert_eq!(next, 1_000);
    assert!((2..=3).contains(&most.load(Ordering::SeqCst)), "{most:?} at once");
    assert_eq!(fake.received().len(), 11, "a probe of 60, then 9 x 100 and 40");
    let empty = RangeAsk { grid: grid(0), ..ask };
    assert_eq!(client.query_range(&empty).await.unwrap().frame.rows(), 0);
    assert_eq!(fake.received().len(), 11, "an empty grid was asked for");
}

#[tokio::test]
async fn metadata_and_version() {
    let fake = Fake::start(|r, _| {
        if r.line.contains("buildinfo") {
            json(r#"{"status":"success","data":{"version":"2.42.0","revision":"x"}}"#)
        } else if r.line.contains("metric=bad") {
            json(&error_json("bad_data", "no such thing"))
        } else {
            json(r#"{"status":"success","data":{"a":[{"type":"counter","help":"h","unit":""}],"b":[{"type":"new"}],"c":[]}}"#)
        }
    })
    .await;
    let client = PrometheusClient::new(settings(&fake.url())).unwrap();
    let kinds = client.metadata(None).await.unwrap();
    assert_eq!((kinds["a"], kinds["b"], kinds.len()), (MetricKind::Counter, MetricKind::Unknown, 2));
    assert_eq!(client.build_info().await.unwrap().version, "2.42.0");
    let error = client.metadata(Some("bad")).await.unwrap_err().to_string();
    assert!(error.starts_with("cannot read metadata from http://127.0.0.1:") && error.contains("no such thing"), "{error}");
    assert!(fake.received().iter().all(|r| r.line.starts_with("GET ")));
}
