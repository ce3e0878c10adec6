//! Live pages for people, without a build step and without anything from elsewhere.
//!
//! The page is still: its script asks the API like any other client and puts text into it as text, never as markup, since labels can hold
//! anything. Style and script are files of their own, so that the policy can forbid everything that is inline.

use axum::http::header;
use axum::response::{IntoResponse, Response};

const HTML: &str = include_str!("page/index.html");
const APPROVALS: &str = include_str!("page/approvals.html");
const RUN: &str = include_str!("page/run.html");
const STYLE: &str = include_str!("page/page.css");
const COMMON: &str = include_str!("page/common.js");
const SCRIPT: &str = include_str!("page/page.js");
const APPROVALS_SCRIPT: &str = include_str!("page/approvals.js");
const RUN_SCRIPT: &str = include_str!("page/run.js");

/// Own files, own API, own charts; the page's empty icon is a `data:` URL, and a chart that takes a login to see is a `blob:`.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data: blob:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

fn html(text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CONTENT_SECURITY_POLICY, POLICY)], text).into_response()
}

fn js(text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], text).into_response()
}

/// `GET /`
pub async fn index() -> Response {
    html(HTML)
}

/// `GET /approvals`
pub async fn approvals() -> Response {
    html(APPROVALS)
}

/// `GET /runs/{run}`: the same for every run, which its script reads from the address.
pub async fn run() -> Response {
    html(RUN)
}

/// `GET /page.css`
pub async fn style() -> Response {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE).into_response()
}

/// `GET /common.js`
pub async fn common() -> Response {
    js(COMMON)
}

/// `GET /page.js`
pub async fn script() -> Response {
    js(SCRIPT)
}

/// `GET /approvals.js`
pub async fn approvals_script() -> Response {
    js(APPROVALS_SCRIPT)
}

/// `GET /run.js`
pub async fn run_script() -> Response {
    js(RUN_SCRIPT)
}
