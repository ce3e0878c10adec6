//! Who may do what: every endpoint of the OpenAPI document for nobody, every role, a wrong token and an expired one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use reqwest::Method;

use super::double::{Double, RUN, busy};
use super::silenced::silences;
use super::*;
use crate::core::access::{Access, Login, Role, TokenHash};
use crate::core::time::Timestamp;

/// By hand and not from the server's table: v, o, p and a are viewer, operator, approver and admin; `*` is everybody, without a token too.
const EXPECTED: [(&str, &str, &str); 28] = [
    ("GET", "/", "*"),
    ("GET", "/approvals", "*"),
    ("GET", "/runs/{run}", "*"),
    ("GET", "/-/healthy", "*"),
    ("GET", "/-/ready", "*"),
    ("GET", "/api/v1/openapi.json", "*"),
    ("GET", "/metrics", "vopa"),
    ("GET", "/charts/{file}", "vopa"),
    ("GET", "/api/v1/login", "vopa"),
    ("GET", "/api/v1/status", "vopa"),
    ("GET", "/api/v1/predictions", "vopa"),
    ("GET", "/api/v1/anomalies", "vopa"),
    ("GET", "/api/v1/series", "vopa"),
    ("GET", "/api/v1/explain", "vopa"),
    ("GET", "/api/v1/runs", "vopa"),
    ("GET", "/api/v1/runs/{run}", "vopa"),
    ("POST", "/api/v1/runs/{run}/dry-run", "opa"),
    ("POST", "/api/v1/playbooks/{name}/run", "opa"),
    ("GET", "/api/v1/playbooks/stats", "vopa"),
    ("POST", "/api/v1/playbooks/{name}/forgive", "pa"),
    ("GET", "/api/v1/approvals", "vopa"),
    ("POST", "/api/v1/approvals/{run}/{word}", "pa"),
    ("POST", "/-/reload", "oa"),
    ("GET", "/api/v1/silences", "vopa"),
    ("POST", "/api/v1/silences", "opa"),
    ("POST", "/api/v1/silences/{id}/expire", "opa"),
    ("POST", "/api/v1/stop", "opa"),
    ("POST", "/api/v1/resume", "a"),
];

fn with_logins(mut view: Double, metrics_without_login: bool) -> Double {
    let past = Timestamp::from_millis(1_000_000_000_000);
    let login = |name: &str, role, expires| Login { name: name.into(), role, hash: TokenHash::of(&format!("pt_{name}")), expires };
    let mut logins: Vec<Login> = Role::ALL.iter().map(|(word, role)| login(word, *role, None)).collect();
    logins.push(login("late", Role::Admin, Some(past)));
    view.access = Arc::new(Access { logins, metrics_without_login });
    view
}

/// Answers of one endpoint to who asks, by their names.
async fn ask(server: &Running, method: &str, path: &str, token: Option<&str>) -> (u16, String) {
    let query = match path {
        path if path.contains("{word}") => "?token=t0",
        path if path.ends_with("{name}/run") => "?on=a=b&dry_run=true",
        "/api/v1/silences" if method == "POST" => "?matchers=a%3D%22b%22&for=2h&comment=c",
        _ => "",
    };
    let silence = silences().all().next().map(|silence| silence.id.to_string()).unwrap_or_default();
    let path = &path.replace("/silences/{id}", &format!("/silences/{silence}"));
    let id = server.view.predictions.first().map(|p| p.id.to_string()).unwrap_or_default();
    let filled =
        path.replace("{file}", "p1.png").replace("{run}", RUN).replace("{word}", "approve").replace("{id}", &id).replace("{name}", "a");
    let mut request = server.http.request(Method::from_bytes(method.as_bytes()).unwrap(), server.url(&format!("{filled}{query}")));
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let (status, _, body) = answer(request).await;
    (status, body)
}

#[tokio::test]
async fn every_role_gets_what_is_its_own_at_every_endpoint_and_nobody_else_does() {
    let server = start(with_logins(busy(), false), Settings::default()).await;
    let document: serde_json::Value = serde_json::from_str(super::super::api::OPENAPI).unwrap();
    let mut listed = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            listed.insert((method.to_uppercase(), path.clone()));
        }
    }
    let expected: BTreeMap<_, _> = EXPECTED.iter().map(|(m, p, who)| (((*m).to_owned(), (*p).to_owned()), *who)).collect();
    assert_eq!(
        listed.iter().collect::<Vec<_>>(),
        expected.keys().collect::<Vec<_>>(),
        "an endpoint without a line in the matrix, or the other way round"
    );
    let mut checked = 0;
    for ((method, path), who) in &expected {
        for (letter, role) in [('v', "viewer"), ('o', "operator"), ('p', "approver"), ('a', "admin")] {
            // Decided once, it is decided: each role has a fresh one.
            *server.view.runs.lock().unwrap() = busy().runs.into_inner().unwrap();
            *server.view.silences.lock().unwrap() = silences();
            let (status, body) = ask(&server, method, path, Some(&format!("pt_{role}"))).await;
            if *who == "*" || who.contains(letter) {
                assert!(status == 200 || (status == 404 && path.starts_with("/charts/")), "{role} {method} {path}: {status} {body}");
            } else {
                assert_eq!(status, 403, "{role} {method} {path}");
                assert!(body.contains("\"errorType\":\"forbidden\"") && body.contains(role), "{body}");
            }
            checked += 1;
        }
        for (token, text) in [(None, "a token is needed"), (Some("pt_wrong"), "not known"), (Some("pt_late"), "has expired")] {
            let (status, body) = ask(&server, method, path, token).await;
            if *who == "*" && token.is_none() {
                assert_eq!(status, 200, "{method} {path}");
            } else {
                assert_eq!(status, 401, "{token:?} {method} {path}");
                assert!(body.contains("\"errorType\":\"unauthorized\"") && body.contains(text), "{body}");
            }
            checked += 1;
        }
    }
    assert_eq!(checked, 7 * expected.len());
}

#[tokio::test]
async fn without_logins_everybody_on_this_machine_may_and_a_token_changes_nothing() {
    let server = start(busy(), Settings::default()).await;
    assert_eq!(ask(&server, "GET", "/api/v1/status", None).await.0, 200);
    assert_eq!(ask(&server, "GET", "/api/v1/status", Some("pt_wrong")).await.0, 200);
    let (_, who) = server.json("/api/v1/login").await;
    assert_eq!((&who["data"]["logins"], &who["data"]["name"]), (&false.into(), &serde_json::Value::Null));
    assert!(who["data"]["may"].as_array().unwrap().contains(&"resume".into()));
}

#[tokio::test]
async fn the_name_in_the_audit_is_the_tokens_and_nobody_elses() {
    let server = start(with_logins(busy(), false), Settings::default()).await;
    let approve = |by: &str| {
        let path = format!("/api/v1/approvals/{RUN}/approve?token=t0&by={by}");
        answer(server.http.post(server.url(&path)).bearer_auth("pt_approver"))
    };
    let (status, _, body) = approve("somebody-else").await;
    assert!(status == 400 && body.contains("the token is approver's"), "{status} {body}");
    let (status, _, body) = approve("").await;
    assert!(status == 200 && body.contains("\"approved_by\":\"approver\""), "{status} {body}");
    let (_, _, who) = answer(server.http.get(server.url("/api/v1/login")).bearer_auth("pt_approver")).await;
    let who: serde_json::Value = serde_json::from_str(&who).unwrap();
    assert_eq!((&who["data"]["name"], &who["data"]["role"]), (&"approver".into(), &"approver".into()));
    assert_eq!(who["data"]["may"], serde_json::json!(["read", "scrape", "dry_run", "propose", "stop", "silence", "decide"]));
}

#[tokio::test]
async fn the_tokens_of_actions_are_shown_to_those_who_may_use_them() {
    let server = start(with_logins(busy(), false), Settings::default()).await;
    for (role, is_shown) in [("viewer", false), ("operator", false), ("approver", true), ("admin", true)] {
        for path in ["/api/v1/approvals", "/api/v1/runs", &format!("/api/v1/runs/{RUN}")] {
            let (status, body) = ask(&server, "GET", path, Some(&format!("pt_{role}"))).await;
            assert_eq!((status, body.contains("\"t0\"")), (200, is_shown), "{role} {path}: {body}");
        }
    }
}

#[tokio::test]
async fn wrong_tokens_wait_and_many_at_once_are_turned_away_while_right_ones_pass() {
    let server = start(with_logins(busy(), false), Settings::default()).await;
    let began = Instant::now();
    assert_eq!(ask(&server, "GET", "/api/v1/status", Some("pt_wrong")).await.0, 401);
    assert!(began.elapsed() >= Duration::from_millis(450), "{:?}", began.elapsed());
    let wrong = || tokio::spawn(server.http.get(server.url("/api/v1/status")).bearer_auth("pt_wrong").send());
    let asked: Vec<_> = (0..12).map(|_| wrong()).collect();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let began = Instant::now();
    assert_eq!(ask(&server, "GET", "/api/v1/status", Some("pt_viewer")).await.0, 200);
    assert!(began.elapsed() < Duration::from_millis(400), "a right one waited for the wrong ones: {:?}", began.elapsed());
    let mut counts = BTreeMap::new();
    for answer in asked {
        let response = answer.await.unwrap().unwrap();
        *counts.entry(response.status().as_u16()).or_insert(0) += 1;
        assert_eq!(response.headers().contains_key("retry-after"), response.status() == 429);
    }
    assert_eq!(counts, BTreeMap::from([(401, super::super::access::MAX_WRONG as i32), (429, 12 - super::super::access::MAX_WRONG as i32)]));
}

#[tokio::test]
async fn probes_learn_whether_it_is_ready_and_not_why_not_and_metrics_may_be_opened() {
    let server = start(with_logins(Double::default(), true), Settings::default()).await;
    *server.view.reasons.lock().unwrap() = vec!["source prod at 10.1.2.3 is down".into()];
    let (status, body) = ask(&server, "GET", "/-/ready", None).await;
    assert!(status == 503 && !body.contains("10.1.2.3") && body.contains("log in"), "{body}");
    let (_, body) = ask(&server, "GET", "/-/ready", Some("pt_viewer")).await;
    assert!(body.contains("10.1.2.3"));
    assert_eq!(ask(&server, "GET", "/metrics", None).await.0, 200);
    assert_eq!(ask(&server, "GET", "/api/v1/status", None).await.0, 401);
}

#[tokio::test]
async fn with_logins_it_decides_for_those_who_come_from_elsewhere_too() {
    let server = start_on("0.0.0.0:0", with_logins(busy(), false), Settings::default()).await;
    let url = format!("http://127.0.0.1:{}/api/v1/stop", server.address.port());
    assert_eq!(answer(server.http.post(&url)).await.0, 401);
    assert_eq!(answer(server.http.post(&url).bearer_auth("pt_operator")).await.0, 200);
}
