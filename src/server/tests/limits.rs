//! Clients that send too much, too slowly, too often, or never read.

use std::sync::atomic::Ordering;

use super::double::{Double, busy, prediction};
use super::*;
use crate::core::prediction::State;
use crate::server::{MAX_BODY_BYTES, MAX_CONNECTIONS, MAX_REQUESTS, Patience, SHUTDOWN_GRACE};

fn impatient() -> Settings {
    let patience = Patience { idle: Duration::from_secs(1), exchange: Duration::from_millis(400), stall: Duration::from_millis(400) };
    Settings { patience, ..Settings::default() }
}

#[tokio::test]
async fn a_body_is_refused_before_or_while_it_is_read() {
    let server = start(Double::default(), Settings::default()).await;
    let fits = server.http.post(server.url("/-/reload")).body(vec![b'x'; MAX_BODY_BYTES]);
    assert_eq!(answer(fits).await.0, 200);
    let stated = format!("POST /-/reload HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", 1_u64 << 40);
    let said = server.raw(stated.as_bytes()).await;
    assert!(said.starts_with("HTTP/1.1 413") && said.contains("too_large"), "{said}");
    let mut chunked = b"POST /-/reload HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..2 {
        chunked.extend_from_slice(format!("{MAX_BODY_BYTES:x}\r\n{}\r\n", "x".repeat(MAX_BODY_BYTES)).as_bytes());
    }
    let said = server.raw(&chunked).await;
    assert!(said.starts_with("HTTP/1.1 413"), "{said}");
    assert_eq!(server.view.reloads_begun.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn headers_without_end_and_endless_addresses_are_refused() {
    let server = start(Double::default(), Settings::default()).await;
    let many: String = (0..500).map(|n| format!("X-{n}: y\r\n")).collect();
    let said = server.raw(format!("GET / HTTP/1.1\r\nHost: localhost\r\n{many}\r\n").as_bytes()).await;
    assert!(said.starts_with("HTTP/1.1 431"), "{said}");
    let said = server.raw(format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "a".repeat(100_000)).as_bytes()).await;
    assert!(said.starts_with("HTTP/1.1 414"), "{said}");
    let said = server.raw(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 tls to a plain port\r\n\r\n").await;
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 400"), "{said}");
}

#[tokio::test]
async fn a_client_that_dribbles_is_cut_off_and_blocks_nobody() {
    let server = start(busy(), impatient()).await;
    let mut slow = TcpStream::connect(server.address).await.unwrap();
    let began = tokio::time::Instant::now();
    let mut sent = 0;
    let cut_off = loop {
        if slow.write_all(if sent == 0 { b"GET / HTTP/1.1\r\nX: " } else { b"y" }).await.is_err() {
            break true;
        }
        sent += 1;
        assert_eq!(server.get("/-/healthy").await.0, 200);
        tokio::time::sleep(Duration::from_millis(20)).await;
        if began.elapsed() > PATIENCE {
            break false;
        }
    };
    assert!(cut_off, "a byte every 20 ms keeps a connection for ever");
    assert!(began.elapsed() >= Duration::from_millis(350), "cut off after {:?} already", began.elapsed());
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    let mut nothing = [0; 1];
    assert_eq!(tokio::time::timeout(PATIENCE, silent.read(&mut nothing)).await.expect("kept for ever").unwrap_or(0), 0);
}

#[tokio::test]
async fn a_client_that_never_reads_is_cut_off() {
    // Several megabytes, more than the kernel takes off our hands.
    let wordy = |n| {
        let mut p = prediction(n, State::Open);
        p.title = "x".repeat(20_000);
        p
    };
    let view = Double { predictions: (0..1_000).map(wordy).collect(), ..Double::default() };
    let server = start(view, impatient()).await;
    let mut deaf = TcpStream::connect(server.address).await.unwrap();
    deaf.write_all(b"GET /api/v1/predictions?limit=1000 HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    until("it is connected", || server.metrics.http_connections.get() == 1).await;
    until("it is cut off", || server.metrics.http_connections.get() == 0).await;
    drop(deaf);
    // One that reads, slowly but steadily, gets all of it.
    let (status, _, body) = server.get("/api/v1/predictions?limit=1000").await;
    assert_eq!(status, 200);
    assert!(body.len() > 20_000_000 && serde_json::from_str::<serde_json::Value>(&body).is_ok());
}

#[tokio::test]
async fn a_kept_connection_serves_request_after_request_then_idles_out() {
    let server = start(busy(), impatient()).await;
    let mut kept = TcpStream::connect(server.address).await.unwrap();
    for _ in 0..4 {
        // Longer than an exchange may take in all, shorter than idle.
        tokio::time::sleep(Duration::from_millis(250)).await;
        kept.write_all(b"GET /-/healthy HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"healthy.\n") {
            assert_ne!(kept.read_buf(&mut answer).await.unwrap(), 0, "closed in between");
        }
        assert!(answer.starts_with(b"HTTP/1.1 200 OK"));
    }
    let mut rest = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, kept.read_to_end(&mut rest)).await.expect("kept for ever");
}

#[tokio::test]
async fn more_requests_than_can_be_worked_on_are_told_to_come_back_and_health_still_answers() {
    let server = start(busy(), Settings::default()).await;
    server.view.hang.store(true, Ordering::Relaxed);
    let ask = || tokio::spawn(server.http.get(server.url("/api/v1/predictions")).send());
    let waiting: Vec<_> = (0..MAX_REQUESTS).map(|_| ask()).collect();
    until("all hang", || server.view.hanging.load(Ordering::Relaxed) == MAX_REQUESTS).await;
    let (status, headers, body) = server.get("/api/v1/status").await;
    assert_eq!((status, headers["retry-after"].to_str().unwrap()), (503, "1"));
    assert!(body.contains("\"busy\""), "{body}");
    assert_eq!((server.get("/-/healthy").await.0, server.get("/metrics").await.0), (200, 200));
    server.view.hang.store(false, Ordering::Relaxed);
    server.view.release.notify_waiters();
    for request in waiting {
        assert_eq!(request.await.unwrap().unwrap().status(), 200);
    }
    assert_eq!(server.get("/api/v1/status").await.0, 200);
}

#[tokio::test]
async fn a_view_that_hangs_is_answered_for() {
    let server = start(busy(), Settings { request_timeout: Duration::from_millis(100), ..Settings::default() }).await;
    server.view.hang.store(true, Ordering::Relaxed);
    let (status, body) = server.json("/api/v1/predictions").await;
    assert_eq!((status, &body["errorType"]), (503, &"timeout".into()));
}

#[tokio::test]
async fn connections_are_bounded_and_the_next_one_waits_its_turn() {
    let server = start(busy(), Settings::default()).await;
    let mut held = Vec::new();
    for _ in 0..MAX_CONNECTIONS {
        held.push(TcpStream::connect(server.address).await.unwrap());
    }
    until("all are accepted", || server.metrics.http_connections.get() == MAX_CONNECTIONS as i64).await;
    let next = tokio::spawn(server.http.get(server.url("/-/healthy")).send());
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!next.is_finished() && server.metrics.http_connections.get() == MAX_CONNECTIONS as i64);
    held.pop();
    assert_eq!(next.await.unwrap().unwrap().status(), 200);
}

#[tokio::test]
async fn shutdown_answers_what_was_asked_and_waits_for_nobody_else() {
    let mut server = start(busy(), Settings::default()).await;
    let idle = TcpStream::connect(server.address).await.unwrap();
    let mut half = TcpStream::connect(server.address).await.unwrap();
    half.write_all(b"GET / HTT").await.unwrap();
    server.view.hang.store(true, Ordering::Relaxed);
    let asked = tokio::spawn(server.http.get(server.url("/api/v1/predictions")).send());
    until("it hangs", || server.view.hanging.load(Ordering::Relaxed) == 1).await;
    let began = tokio::time::Instant::now();
    server.stop.take().unwrap().send(()).unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!server.served.is_finished(), "it did not wait for the request in flight");
    server.view.release.notify_waiters();
    assert_eq!(asked.await.unwrap().unwrap().status(), 200);
    server.served.await.unwrap().unwrap();
    assert!(began.elapsed() < SHUTDOWN_GRACE + Duration::from_secs(2), "{:?}", began.elapsed());
    assert!(TcpStream::connect(server.address).await.is_err(), "it still listens");
    drop((idle, half));
}

#[tokio::test]
async fn an_address_in_use_is_an_error_that_says_what_to_do() {
    let server = start(busy(), Settings::default()).await;
    let error = Server::bind(server.address).await.unwrap_err().to_string();
    assert!(error.contains(&server.address.to_string()) && error.contains("`listen`"), "{error}");
}
