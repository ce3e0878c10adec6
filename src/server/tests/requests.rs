//! Who may ask: names, origins, and what a browser can be made to send.

use super::double::Double;
use super::*;

async fn status_of(server: &Running, method: &str, path: &str, headers: &[(&str, &str)]) -> u16 {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let answer = server.raw(format!("{method} {path} HTTP/1.1\r\n{headers}Connection: close\r\n\r\n").as_bytes()).await;
    answer.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or_else(|| panic!("no status in {answer:?}"))
}

#[tokio::test]
async fn a_foreign_name_that_points_here_is_refused_on_loopback() {
    let settings = Settings { allowed_hosts: vec!["portent.example".into()], ..Settings::default() };
    let server = start(Double::default(), settings).await;
    for host in
        ["localhost", "localhost:9273", "LocalHost:1", "127.0.0.1:9273", "[::1]:9273", "x.localhost", "portent.example", "localhost."]
    {
        assert_eq!(status_of(&server, "GET", "/api/v1/status", &[("Host", host)]).await, 200, "{host}");
    }
    for host in ["evil.example", "localhost.evil.example:9273", "127.0.0.1.evil.example", "portent.example.evil", "192.168.0.1"] {
        assert_eq!(status_of(&server, "GET", "/api/v1/status", &[("Host", host)]).await, 403, "{host}");
    }
    assert_eq!(status_of(&server, "GET", "http://evil.example/api/v1/status", &[("Host", "localhost")]).await, 403);
    assert_eq!(status_of(&server, "GET", "/", &[("Host", "a b")]).await, 400);
}

#[tokio::test]
async fn pages_from_elsewhere_cannot_reload_and_tools_can() {
    let server = start(Double::default(), Settings::default()).await;
    let here = format!("http://{}", server.address);
    let host = server.address.to_string();
    let with = |extra: &[(&'static str, &str)]| {
        let mut headers = vec![("Host", host.clone())];
        headers.extend(extra.iter().map(|(name, value)| (*name, (*value).to_owned())));
        let server = &server;
        async move {
            let borrowed: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            status_of(server, "POST", "/-/reload", &borrowed).await
        }
    };
    assert_eq!(with(&[]).await, 200, "curl");
    assert_eq!(with(&[("Origin", &here), ("Sec-Fetch-Site", "same-origin")]).await, 200, "our own page");
    for foreign in ["http://evil.example", "null", "http://localhost:1", "https://evil.example", "ftp://x", &format!("{here}.evil")] {
        assert_eq!(with(&[("Origin", foreign)]).await, 403, "{foreign}");
    }
    assert_eq!(with(&[("Sec-Fetch-Site", "cross-site")]).await, 403);
    assert_eq!(with(&[("Sec-Fetch-Site", "same-site")]).await, 403);
    assert_eq!(server.view.reloads_begun.load(std::sync::atomic::Ordering::SeqCst), 2);
}

#[tokio::test]
async fn every_answer_carries_the_headers_that_keep_browsers_out() {
    let server = start(Double::default(), Settings::default()).await;
    for path in ["/", "/metrics", "/api/v1/status", "/nowhere", "/-/healthy", "/page.js"] {
        let (_, headers, _) = server.get(path).await;
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        assert!(headers["content-security-policy"].to_str().unwrap().contains("frame-ancestors 'none'"), "{path}");
        assert_eq!(headers["cache-control"], "no-store", "{path}");
        assert!(!headers.contains_key("access-control-allow-origin"), "{path}");
    }
}
