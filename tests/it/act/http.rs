//! `http` against a real server.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use portent::act::http::Http;
use portent::act::places::Places;
use portent::act::{Actuator as _, Done, MAX_NOTE_CHARS};
use portent::core::playbook::StepEnd;
use serde_json::{Value, json};

use super::server::{Answer, Server};
use super::{hostile, job, lasting, now};

/// One that may call this machine.
fn local() -> Http {
    Http::new(Places::new(["127.0.0.1".to_owned()], true), now())
}

async fn start(with: Value, value: &str) -> Done {
    local().start(&lasting(job(with, value), Duration::from_secs(10))).await
}

fn unescaped(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((first, more)) = rest.split_first() {
        let is_escape = *first == b'%';
        bytes.push(if is_escape { u8::from_str_radix(std::str::from_utf8(&more[..2]).unwrap(), 16).unwrap() } else { *first });
        rest = if is_escape { &more[2..] } else { more };
    }
    String::from_utf8(bytes).unwrap()
}

#[tokio::test]
async fn two_hundred_hostile_values_change_nothing_but_their_own_place() {
    let server = Server::start(Answer::Status(204, String::new()));
    let with = |last: (&str, Value)| {
        let mut with = json!({ "url": server.url("/v1/pods/{{x}}/restart?pod={{x}}&force=false"), "method": "PUT" });
        with[last.0] = last.1;
        with
    };
    let host = server.address.to_string();
    let (mut sent, mut refused) = (0, 0);
    for value in hostile::values() {
        let before = server.got().len();
        let done = start(with(("json", json!({ "pod": "{{x}}", "all": ["{{ x }}", "a {{x}} b"], "{{x}}": 1 }))), &value).await;
        let new = server.got().split_off(before);
        let escaped_bytes: usize = value.bytes().map(|b| if b.is_ascii_alphanumeric() || b"-._~".contains(&b) { 1 } else { 3 }).sum();
        if value == "." || value == ".." || escaped_bytes > 3_900 {
            assert_eq!((done.end, new.len()), (StepEnd::Failed, 0), "{value:?}");
            assert!(done.note.starts_with("nothing was sent: url "), "{}", done.note);
            refused += 1;
        } else {
            assert_eq!((done.end, new.len()), (StepEnd::Succeeded, 1), "{value:?}: {}", done.note);
            let line = new[0].line.strip_prefix("PUT /v1/pods/").and_then(|line| line.strip_suffix("&force=false HTTP/1.1")).unwrap();
            let (path, query) = line.split_once("/restart?pod=").unwrap();
            assert!(!path.contains(['/', '?', '#', '&', ' ']) && !query.contains(['/', '?', '#', '&', ' ']), "{line}");
            assert_eq!((unescaped(path), unescaped(query)), (value.clone(), value.clone()));
            assert_eq!(new[0].header("host"), Some(host.as_str()));
            assert_eq!(new[0].header("content-type"), Some("application/json"));
            let body: Value = serde_json::from_slice(&new[0].body).unwrap();
            assert_eq!(body, json!({ "pod": value, "all": [value, format!("a {value} b")], "{{x}}": 1 }));
            sent += 1;
        }
        // In a header: as it is, or nothing is sent at all.
        let before = server.got().len();
        let done =
            start(json!({ "url": server.url("/"), "headers": { "X-Pod": "a{{x}}b" }, "method": "POST", "body": "{{x}}" }), &value).await;
        let new = server.got().split_off(before);
        let fits = value.bytes().all(|b| b == b'\t' || (b >= b' ' && b != 127)) && value.len() < 10_000;
        if fits {
            assert_eq!((done.end, new.len()), (StepEnd::Succeeded, 1), "{value:?}: {}", done.note);
            assert_eq!((new[0].header("x-pod").unwrap(), &new[0].body[..]), (format!("a{value}b").as_str(), value.as_bytes()));
        } else if new.is_empty() {
            assert_eq!(done.end, StepEnd::Failed, "{value:?}: {}", done.note);
        } else {
            assert!(value.len() >= 10_000 && new[0].header("x-pod") == Some(&format!("a{value}b")), "{value:?}: {:?}", new[0].line);
        }
    }
    assert!(sent + refused >= 200 && refused >= 2, "{sent} sent, {refused} refused");
    let gone = local().start(&job(json!({ "url": server.url("/v1/pods/{{pod}}"), "method": "DELETE" }), "a")).await;
    assert!(gone.end == StepEnd::Failed && gone.note.contains("\"pod\""), "no pod is not all pods: {gone:?}");
}

#[tokio::test]
async fn every_answer_and_every_silence_has_its_meaning() {
    let status = |code| Answer::Status(code, "because".to_owned());
    for (answer, method, expect, end, part) in [
        (status(200), "POST", json!(null), StepEnd::Succeeded, "200 OK: because"),
        (status(202), "GET", json!(null), StepEnd::Succeeded, "202"),
        (status(200), "POST", json!(201), StepEnd::Failed, "200"),
        (status(404), "DELETE", json!([200, 404]), StepEnd::Succeeded, "404"),
        (status(301), "GET", json!(301), StepEnd::Succeeded, "301"),
        (status(302), "GET", json!(null), StepEnd::Failed, "redirects are not followed"),
        (status(400), "POST", json!(null), StepEnd::Failed, "400"),
        (status(409), "POST", json!(null), StepEnd::Failed, "409"),
        (status(500), "POST", json!(null), StepEnd::Failed, "500"),
        (status(503), "PUT", json!(null), StepEnd::Failed, "503"),
        (status(504), "POST", json!(null), StepEnd::Unknown, "504"),
        (status(504), "PUT", json!(null), StepEnd::TimedOut, "504"),
        (Answer::Hangs, "POST", json!(null), StepEnd::Unknown, "it may have been received: no answer within 600ms"),
        (Answer::Hangs, "PATCH", json!(null), StepEnd::Unknown, "it may have been received"),
        (Answer::Hangs, "PUT", json!(null), StepEnd::TimedOut, "it may have been received"),
        (Answer::Hangs, "GET", json!(null), StepEnd::TimedOut, "it may have been received"),
        (Answer::Closes, "POST", json!(null), StepEnd::Unknown, "it may have been received"),
        (Answer::Closes, "DELETE", json!(null), StepEnd::TimedOut, "it may have been received"),
        (Answer::Endless, "POST", json!(null), StepEnd::Succeeded, "64736 bytes left out"),
    ] {
        let server = Server::start(answer.clone());
        let with = json!({ "url": server.url("/"), "method": method, "expect": expect });
        let began = Instant::now();
        let done = local().start(&lasting(job(with, "a"), Duration::from_millis(600))).await;
        assert!(done.end == end && done.note.contains(part), "{answer:?} to {method}: {done:?}");
        assert!(done.note.chars().count() <= MAX_NOTE_CHARS && began.elapsed() < Duration::from_secs(5));
        assert_eq!(server.connections(), 1, "{answer:?} to {method}: one try is one request");
    }
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let done = start(json!({ "url": format!("http://{closed}/"), "method": "POST" }), "a").await;
    assert!(done.end == StepEnd::Failed && done.note.starts_with("nothing was sent: ") && done.note.contains("refused"), "{done:?}");
}

#[tokio::test]
async fn every_try_has_one_key_and_a_receiver_can_verify_it() {
    let receiver = crate::support::Receiver::start();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("key");
    std::fs::write(&file, "a raw secret of enough bytes\n").unwrap();
    let with = json!({ "url": receiver.url(), "json": { "pod": "{{x}}" }, "secret_file": file });
    assert_eq!(local().check(&job(with.clone(), "a").with), Ok(()));
    for _ in 0..2 {
        assert_eq!(start(with.clone(), "a").await.end, StepEnd::Succeeded);
    }
    let received = receiver.received();
    for one in &received {
        assert_eq!((one.header("idempotency-key"), one.header("webhook-id")), (Some("run-7.step-2"), Some("run-7.step-2")));
        assert!(one.is_signed_with(b"a raw secret of enough bytes") && !one.is_signed_with(b"another secret of enough bytes"));
        assert!(one.header("user-agent").unwrap().starts_with("portent/"));
        assert_eq!(one.json(), json!({ "pod": "a" }));
    }
    assert_eq!(received.len(), 2);
    std::fs::remove_file(&file).unwrap();
    let done = start(with, "a").await;
    assert!(done.end == StepEnd::Failed && done.note.contains("cannot read secret file"), "{done:?}");
    assert_eq!(receiver.received().len(), 2, "nothing goes out unsigned");
}

#[tokio::test]
async fn an_echoed_token_is_not_noted() {
    let server = Server::start(Answer::Status(403, "you sent Bearer canary-token-77 and canary-key-78".to_owned()));
    let dir = tempfile::tempdir().unwrap();
    let (token, key) = (dir.path().join("token"), dir.path().join("key"));
    std::fs::write(&token, "Bearer canary-token-77\n").unwrap();
    std::fs::write(&key, "canary-key-78").unwrap();
    let with = json!({ "url": server.url("/"), "header_files": { "Authorization": token, "X-Api-Key": key } });
    let done = start(with.clone(), "a").await;
    assert_eq!(done.note, "the server answered 403 Forbidden: you sent *** and ***");
    assert_eq!(server.got()[0].header("authorization"), Some("Bearer canary-token-77"));
    std::fs::write(&key, "\n").unwrap();
    let done = start(with, "a").await;
    assert!(done.end == StepEnd::Failed && done.note.contains("holds no secret") && server.got().len() == 1, "{done:?}");
}

#[tokio::test]
async fn wrong_arguments_are_named_before_anything_is_sent() {
    let server = Server::start(Answer::Status(200, String::new()));
    let url = server.url("/");
    for (with, part) in [
        (json!({}), "url is missing"),
        (json!({ "url": "nowhere" }), "relative URL"),
        (json!({ "url": "http://other.example/" }), "other.example is not among the hosts"),
        (json!({ "url": "http://{{x}}/" }), "never choose the host"),
        (json!({ "url": url, "method": "TRACE" }), "want one of GET, HEAD"),
        (json!({ "url": url, "method": "get" }), "want one of GET, HEAD"),
        (json!({ "url": url, "expect": 99 }), "want a status from 200"),
        (json!({ "url": url, "expect": [] }), "want a status from 200"),
        (json!({ "url": url, "expct": 200 }), "unknown argument \"expct\""),
        (json!({ "url": url, "json": {}, "body": "" }), "exclude each other"),
        (json!({ "url": url, "json": { "a": "{{x" } }), "never closes"),
        (json!({ "url": url, "body": "{\"a\": \"{{x}}\"}" }), "hint: write JSON under `json:`"),
        (json!({ "url": url, "headers": { "Host": "evil.example" } }), "set by the actuator itself"),
        (json!({ "url": url, "headers": { "Idempotency-Key": "1" } }), "set by the actuator itself"),
        (json!({ "url": url, "headers": { "a b": "1" } }), "no header's name"),
        (json!({ "url": url, "headers": { "Authorization": "Bearer abc" } }), "hint: header_files names a file"),
        (json!({ "url": url, "headers": { "X-Api-Key": "abc" } }), "does not belong in a playbook"),
        (json!({ "url": url, "header_files": { "Authorization": "token" } }), "want an absolute path"),
        (json!({ "url": url, "header_files": { "Authorization": "/{{x}}" } }), "want an absolute path"),
        (json!({ "url": url, "header_files": { "Host": "/token" } }), "set by the actuator itself"),
        (json!({ "url": url, "secret_file": "key" }), "want an absolute path"),
    ] {
        let job = job(with, "a");
        let error = local().check(&job.with).unwrap_err();
        assert!(error.contains(part), "{error}");
        assert!(local().dry_run(&job).await.is_err(), "{part}");
        assert_eq!(local().start(&job).await.end, StepEnd::Failed, "{part}");
    }
    let good = job(json!({ "url": server.url("/{{x}}"), "body": "text of {{x}}" }), "a b");
    assert_eq!(local().dry_run(&good).await.unwrap(), format!("would send POST {}\ntext of a b", server.url("/a%20b")));
    assert_eq!(local().probe(&good).await.end, StepEnd::Unknown);
    assert_eq!(server.connections(), 0);
}
