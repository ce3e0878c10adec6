//! The target against real receivers: HTTP by axum, faults by bare sockets, TLS by rustls.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::notify::testing::{Answer, Folder, Receiver, SECRET, answer, now};

const ID: &str = "p0123456789abcdef.0";

async fn send(settings: WebhookSettings) -> SendOutcome {
    WebhookTarget::new(settings).unwrap().send(ID, Bytes::from_static(b"{}"), now()).await
}

/// `delivered`, `dead` or `retry`, and the error's text.
async fn outcome(settings: WebhookSettings) -> (&'static str, Option<Span>, String) {
    match send(settings).await {
        SendOutcome::Delivered => ("delivered", None, String::new()),
        SendOutcome::Retry { after, error } => ("retry", after, error.to_string()),
        SendOutcome::Dead { error } => ("dead", None, error.to_string()),
    }
}

/// A server that reads a request and writes `bytes` instead of HTTP as axum would have it.
async fn bare(bytes: &'static [u8], then_hang: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let _ = socket.read(&mut request).await;
            let _ = socket.write_all(bytes).await;
            if then_hang {
                std::future::pending::<()>().await;
            }
        }
    });
    format!("http://{address}/hook")
}

#[tokio::test]
async fn the_receiver_can_verify_what_it_gets() {
    let (folder, receiver) = (Folder::new(), Receiver::start(|_, _| answer(204)).await);
    let mut settings = folder.settings_for("ops", &receiver);
    settings.headers.insert("Authorization".into(), "Bearer abc".into());
    let body = Bytes::from_static("{\"a\": \"ß\"}".as_bytes());
    let outcome = WebhookTarget::new(settings).unwrap().send(ID, body.clone(), now()).await;
    assert!(matches!(outcome, SendOutcome::Delivered), "{outcome:?}");
    let seen = &receiver.seen()[0];
    assert_eq!((seen.method.as_str(), seen.path.as_str(), seen.id(), &seen.body), ("POST", "/hook", ID, &body));
    assert_eq!(seen.headers["content-type"], "application/cloudevents+json");
    assert_eq!(seen.headers["authorization"], "Bearer abc");
    assert!(seen.headers["user-agent"].starts_with("portent/"));
    assert_eq!(seen.verify(SECRET), Ok(()));
    assert!(seen.verify("another secret, 24 bytes or more").is_err());
}

#[tokio::test]
async fn a_changed_secret_file_counts_from_the_next_attempt() {
    const NEW: &str = "the new secret, of enough bytes";
    let (folder, receiver) = (Folder::new(), Receiver::start(|_, _| answer(200)).await);
    let settings = folder.settings_for("ops", &receiver);
    let file = settings.secret_file.clone();
    let target = WebhookTarget::new(settings).unwrap();
    for text in [SECRET.to_owned(), format!("{NEW}\n{SECRET}\n"), NEW.to_owned()] {
        std::fs::write(&file, text).unwrap();
        assert!(matches!(target.send(ID, Bytes::new(), now()).await, SendOutcome::Delivered));
    }
    let verified: Vec<_> = receiver.seen().iter().map(|s| (s.verify(SECRET).is_ok(), s.verify(NEW).is_ok())).collect();
    assert_eq!(verified, [(true, false), (true, true), (false, true)]);

    std::fs::remove_file(&file).unwrap();
    let outcome = target.send(ID, Bytes::new(), now()).await;
    assert!(matches!(outcome, SendOutcome::Retry { error: SendError { cause: SendCause::Secret(_), .. }, .. }), "{outcome:?}");
    assert_eq!(receiver.seen().len(), 3, "nothing goes out unsigned");
}

#[tokio::test]
async fn every_status_has_its_meaning() {
    let folder = Folder::new();
    for (status, retry_after, want) in [
        (200, None, ("delivered", None)),
        (202, Some("5"), ("delivered", None)),
        (299, None, ("delivered", None)),
        (400, None, ("retry", None)),
        (401, None, ("retry", None)),
        (404, None, ("retry", None)),
        (408, None, ("retry", None)),
        (410, None, ("dead", None)),
        (425, None, ("retry", None)),
        (429, Some("7"), ("retry", Some(Span::from_secs(7)))),
        (500, Some("soon"), ("retry", None)),
        (503, Some("120"), ("retry", Some(Span::from_secs(120)))),
        (599, None, ("retry", None)),
    ] {
        let script = move |_: usize, _: &_| Answer {
            headers: retry_after.map(|v| ("retry-after", v.to_owned())).into_iter().collect(),
            ..answer(status)
        };
        let receiver = Receiver::start(script).await;
        let (kind, after, error) = outcome(folder.settings_for("ops", &receiver)).await;
        assert_eq!((kind, after), want, "{status}");
        assert!(kind == "delivered" || error.contains(&status.to_string()), "{error}");
        assert_eq!(receiver.seen().len(), 1, "one attempt is one request");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (folder, elsewhere) = (Folder::new(), Receiver::start(|_, _| answer(200)).await);
    let location = format!("http://{}/", elsewhere.address);
    for status in [301, 302, 303, 307, 308] {
        let location = location.clone();
        let receiver = Receiver::start(move |_, _| Answer { headers: vec![("location", location.clone())], ..answer(status) }).await;
        let (kind, _, error) = outcome(folder.settings_for("ops", &receiver)).await;
        assert!(kind == "retry" && error.contains("hint: put the final address into url"), "{status}: {kind} {error}");
    }
    assert_eq!(elsewhere.seen().len(), 0);
}

#[tokio::test]
async fn an_endless_or_stuck_answer_body_costs_a_second_at_most() {
    let folder = Folder::new();
    let endless = || {
        let chunk = Bytes::from(vec![b'x'; 64 * 1024]);
        Body::from_stream(futures_util::stream::repeat_with(move || Ok::<_, Infallible>(chunk.clone())))
    };
    let receiver = Receiver::start(move |_, _| Answer { body: endless(), ..answer(200) }).await;
    let start = Instant::now();
    assert_eq!(outcome(folder.settings_for("ops", &receiver)).await.0, "delivered");
    let stuck = bare(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf", true).await;
    assert_eq!(outcome(folder.settings("ops", &stuck)).await.0, "delivered");
    assert!(start.elapsed() < ANSWER_TIMEOUT * 3, "took {:?}", start.elapsed());
}

#[tokio::test]
async fn no_answer_and_nonsense_are_retried_and_named() {
    let folder = Folder::new();
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    for (url, part) in [
        (format!("http://{closed}/hook"), "refused"),
        (bare(b"", false).await, "connection closed"),
        (bare(b"SSH-2.0-OpenSSH_9.2\r\n", false).await, "invalid HTTP version parsed"),
        (bare(b"HTTP/1.1 200 OK\r\n", true).await, "no answer within 300ms"),
        ("http://no-such-host.invalid/hook".to_owned(), "dns error"),
    ] {
        let (kind, after, error) = outcome(WebhookSettings { timeout: Span::from_millis(300), ..folder.settings("ops", &url) }).await;
        let is_dns_slow = part == "dns error" && error.contains("no answer");
        assert!((kind, after) == ("retry", None) && (error.contains(part) || is_dns_slow), "{url}: {kind} {error}");
    }
}

#[tokio::test]
async fn private_addresses_are_refused_unless_allowed() {
    let (folder, receiver) = (Folder::new(), Receiver::start(|_, _| answer(200)).await);
    let port = receiver.address.port();
    for host in ["127.0.0.1", "[::1]", "169.254.169.254", "10.0.0.1", "[::ffff:127.0.0.1]", "0x7f.1", "0.0.0.0"] {
        let settings = WebhookSettings { allow_private: false, ..folder.settings("ops", &format!("http://{host}:{port}/hook")) };
        let error = WebhookTarget::new(settings).expect_err(host).to_string();
        assert!(error.contains("not a public address") && error.contains("allow_private: true"), "{error}");
    }
    let by_name = folder.settings("ops", &format!("http://localhost:{port}/hook"));
    let (kind, _, error) = outcome(WebhookSettings { allow_private: false, ..by_name.clone() }).await;
    assert!(kind == "retry" && error.contains("localhost is ") && error.contains("not a public address"), "{kind} {error}");
    assert_eq!(receiver.seen().len(), 0, "refused after connecting");
    assert_eq!(outcome(by_name).await.0, "delivered");
}

#[tokio::test]
async fn tls_trusts_the_ca_file_and_nothing_else() {
    let folder = Folder::new();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(socket).await else { continue };
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
            let _ = stream.shutdown().await;
        }
    });
    let write = |name: &str, text: &str| {
        let path = folder.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        Some(path)
    };
    let settings = folder.settings("ops", &format!("https://localhost:{port}/hook"));
    let trusted = WebhookSettings { ca_file: write("ca.pem", &made.cert.pem()), ..settings.clone() };
    assert_eq!(outcome(trusted.clone()).await, ("delivered", None, String::new()));

    let other = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (kind, _, error) = outcome(WebhookSettings { ca_file: write("other.pem", &other.cert.pem()), ..settings.clone() }).await;
    assert!(kind == "retry" && error.contains("certificate"), "{kind} {error}");
    let wrong_name = WebhookSettings { url: format!("https://127.0.0.1:{port}/hook").parse().unwrap(), ..trusted };
    let (kind, _, error) = outcome(wrong_name).await;
    assert!(kind == "retry" && error.contains("certificate"), "{kind} {error}");
    for bad in ["", "no pem"] {
        let error = WebhookTarget::new(WebhookSettings { ca_file: write("bad.pem", bad), ..settings.clone() }).unwrap_err();
        assert!(error.to_string().contains("holds no PEM certificate"), "{error}");
    }
}

#[tokio::test]
async fn no_secret_gets_into_errors_or_debug() {
    let folder = Folder::new();
    let echo = |_: usize, seen: &crate::notify::testing::Seen| Answer { body: Body::from(format!("{seen:?}")), ..answer(500) };
    let receiver = Receiver::start(echo).await;
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    for address in [receiver.address, closed] {
        let mut settings = folder.settings("ops", &format!("http://hidden-user:hidden-pass@{address}/hidden-path?token=hidden-token"));
        settings.headers.insert("x-api-key".into(), "hidden-header".into());
        let target = WebhookTarget::new(settings.clone()).unwrap();
        let outcome = target.send(ID, Bytes::from_static(b"{}"), now()).await;
        let SendOutcome::Retry { error, .. } = &outcome else { panic!("{outcome:?}") };
        let all = format!("{settings:?} {settings:#?} {target:?} {outcome:?} {error}");
        assert!(!all.contains("hidden") && !all.contains(&SECRET[6..]), "{all}");
        assert!(error.to_string().starts_with(&format!("cannot deliver to webhook \"ops\" at http://{address}: ")), "{error}");
    }
    assert_eq!(receiver.seen()[0].headers["authorization"], "Basic aGlkZGVuLXVzZXI6aGlkZGVuLXBhc3M=");
}

#[test]
fn wrong_settings_are_refused_at_the_start() {
    let folder = Folder::new();
    let good = folder.settings("ops", "https://ops.example/hook");
    let with_header = |name: &str, value: &str| WebhookSettings { headers: [(name.to_owned(), value.to_owned())].into(), ..good.clone() };
    for (settings, part) in [
        (WebhookSettings { url: "ftp://ops.example/".parse().unwrap(), ..good.clone() }, "want http or https"),
        (WebhookSettings { timeout: Span::ZERO, ..good.clone() }, "the timeout is 0s"),
        (WebhookSettings { secret_file: folder.0.path().join("none"), ..good.clone() }, "cannot read secret file"),
        (WebhookSettings { ca_file: Some(folder.0.path().join("none")), ..good.clone() }, "cannot read ca_file"),
        (with_header("webhook-id", "1"), "is set by the webhook itself"),
        (with_header("Content-Type", "text/plain"), "is set by the webhook itself"),
        (with_header("a b", "1"), "is not a header's name"),
        (with_header("x-key", "hidden\r\nx: y"), "no header may hold"),
    ] {
        let error = WebhookTarget::new(settings).unwrap_err().to_string();
        assert!(error.starts_with("cannot use webhook \"ops\": ") && error.contains(part) && !error.contains("hidden"), "{error}");
    }
}
