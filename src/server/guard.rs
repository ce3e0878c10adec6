//! Stands before every route: who may ask, how much at once, for how long; and what every answer carries.
//!
//! Who may do what is `access`'s. Where there are no logins the server listens on loopback, which leaves the browser of somebody on this
//! machine, which any page in it can use to send requests here. Reading is refused to pages under a foreign name that was
//! made to point here (DNS rebinding: the `Host` header tells), writing to pages from elsewhere (`Origin` and `Sec-Fetch-Site` tell; plain
//! tools send neither).

use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::{Request, State};
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::{Method, Uri, uri::Authority};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::{FutureExt, StreamExt};

use super::App;
use super::answer::Refusal;
use crate::metrics::label::StatusClass;

/// Requests worked on at once, health and metrics aside. Each may hold a page of JSON (2 MB) and one connection to the ledger.
pub const MAX_REQUESTS: usize = 32;

/// A handler that has not answered by then answers 503. Answers come from memory or from one indexed query: milliseconds.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// No endpoint takes a body; some tools send an empty form with every POST.
pub const MAX_BODY_BYTES: usize = 4 << 10;

/// Sent by browsers only: <https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header>.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Nothing loads anything, unless a route says otherwise (the page does).
const DEFAULT_POLICY: &str = "default-src 'none'; frame-ancestors 'none'";

/// The one layer.
pub async fn guard(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let answered = AssertUnwindSafe(tokio::time::timeout(app.settings.request_timeout, answer(&app, request, next))).catch_unwind().await;
    let mut response = match answered {
        Ok(Ok(response)) => response,
        Ok(Err(_)) => Refusal::Timeout(app.settings.request_timeout.as_secs()).into_response(),
        // The panic's own text went to the log through the panic hook, and is nobody else's.
        Err(_) => Refusal::Failed("this request broke the handler; see the log".into()).into_response(),
    };
    app.metrics.http_requests.get_or_create(&StatusClass::from(response.status().as_u16())).inc();
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(DEFAULT_POLICY));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

async fn answer(app: &App, request: Request, next: Next) -> Response {
    if let Err(refusal) =
        check_host(app, request.uri(), request.headers()).and_then(|()| check_origin(request.method(), request.uri(), request.headers()))
    {
        return refusal.into_response();
    }
    // Probes and scrapes are answered from memory, always: a busy daemon must not be restarted for being busy.
    let exempt = request.uri().path().starts_with("/-/") || request.uri().path() == "/metrics";
    let _slot = match app.slots.try_acquire() {
        Ok(slot) => Some(slot),
        Err(_) if exempt => None,
        Err(_) => return Refusal::Busy(MAX_REQUESTS).into_response(),
    };
    let (parts, body) = request.into_parts();
    if let Err(refusal) = drain(body).await {
        return refusal.into_response();
    }
    next.run(Request::from_parts(parts, Body::empty())).await
}

/// Reads the body and forgets it, up to its limit; a length that is stated and too large is refused before the first byte.
async fn drain(body: Body) -> Result<(), Refusal> {
    let too_large = Refusal::TooLarge { limit_bytes: MAX_BODY_BYTES };
    let limit = MAX_BODY_BYTES as u64;
    if body.size_hint().lower() > limit {
        return Err(too_large);
    }
    let mut read = 0_u64;
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|why| Refusal::BadData(format!("read request body: {why}")))?;
        read += chunk.len() as u64;
        if read > limit {
            return Err(too_large);
        }
    }
    Ok(())
}

/// The name the client asked for. None with HTTP/1.0 at its plainest, which no browser speaks.
fn asked_for(uri: &Uri, headers: &HeaderMap) -> Result<Option<Authority>, Refusal> {
    if let Some(authority) = uri.authority() {
        return Ok(Some(authority.clone()));
    }
    let Some(host) = headers.get(header::HOST) else { return Ok(None) };
    let unreadable = || Refusal::BadData("the Host header cannot be read".into());
    Authority::try_from(host.as_bytes()).map(Some).map_err(|_| unreadable())
}

/// On loopback only loopback's names, and those that are configured, are answered.
fn check_host(app: &App, uri: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
    let Some(authority) = asked_for(uri, headers)? else { return Ok(()) };
    let host = authority.host().trim_end_matches('.');
    if !app.on_loopback || is_loopback_name(host) || app.settings.allowed_hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(host)) {
        return Ok(());
    }
    Err(Refusal::Forbidden(format!("{host:?} is not a name of this machine's loopback; use localhost or listen on another address")))
}

fn is_loopback_name(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let lower = host.to_ascii_lowercase();
    lower == "localhost" || lower.ends_with(".localhost") || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// What changes something is not done for pages from elsewhere.
fn check_origin(method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
    if method.is_safe() {
        return Ok(());
    }
    let refused = || Refusal::Forbidden("requests from other sites are refused".into());
    if headers.get(SEC_FETCH_SITE).is_some_and(|site| site != "same-origin" && site != "none") {
        return Err(refused());
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return Ok(()) };
    let origin = origin.to_str().map_err(|_| refused())?;
    let from = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://")).ok_or_else(refused)?;
    match asked_for(uri, headers)? {
        Some(authority) if authority.as_str().eq_ignore_ascii_case(from) => Ok(()),
        _ => Err(refused()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_has_many_names_and_no_others() {
        for name in ["localhost", "LOCALHOST", "a.localhost", "127.0.0.1", "127.9.9.9", "[::1]"] {
            assert!(is_loopback_name(name), "{name}");
        }
        for name in ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1", "[::2]", "0.0.0.0", ""] {
            assert!(!is_loopback_name(name), "{name}");
        }
    }
}
