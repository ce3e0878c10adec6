//! What each endpoint answers.

use std::sync::atomic::Ordering;

use super::double::{Double, NOW, RUN, busy, prediction};
use super::silenced::silences;
use super::*;
use crate::core::prediction::{Prediction, State};
use crate::core::time::Span;
use crate::server::report::{Envelope, Outcome, Readiness, SeriesReport, StatusReport};
use crate::server::silence_report::PredictionReport;

#[tokio::test]
async fn data_comes_back_as_the_types_it_was_made_from() {
    let server = start(busy(), Settings::default()).await;
    let (status, headers, body) = server.get("/api/v1/predictions").await;
    assert_eq!((status, &headers["content-type"]), (200, &"application/json".parse().unwrap()));
    let all: Envelope<Vec<PredictionReport>> = serde_json::from_str(&body).unwrap();
    assert_eq!((all.status, all.more), (Outcome::Success, false));
    let all = all.data.unwrap();
    assert_eq!(all.iter().map(|report| report.prediction.clone()).collect::<Vec<_>>(), server.view.predictions);
    let silenced: Vec<bool> = all.iter().map(|report| report.silenced.is_some()).collect();
    assert_eq!(silenced, [false, true, false, false, false, false]);
    assert_eq!(all[1].silenced.as_ref().unwrap().by, "ann (moving it)");
    let (_, _, body) = server.get("/api/v1/status").await;
    let report: Envelope<StatusReport> = serde_json::from_str(&body).unwrap();
    assert_eq!((report.data.as_ref().unwrap().now, report.data.unwrap().counts.predictions_open), (NOW, 4));
    let (_, _, body) = server.get("/api/v1/series?limit=2").await;
    let page: Envelope<Vec<SeriesReport>> = serde_json::from_str(&body).unwrap();
    assert_eq!((page.more, page.data.unwrap()), (true, server.view.series[..2].to_vec()));
    assert!(body.contains("\"expected\":null"), "a missing number is not null: {body}");
    let (_, answer) = server.json("/api/v1/anomalies?watch=memory").await;
    assert_eq!(answer["data"][0]["sigmas"], 3.6);
}

#[tokio::test]
async fn filters_and_pages_arrive_at_the_view() {
    let server = start(busy(), Settings::default()).await;
    let count = async |path: &str| server.json(path).await.1["data"].as_array().unwrap().len();
    assert_eq!(count("/api/v1/predictions?state=open").await, 4);
    assert_eq!(count("/api/v1/predictions?state=resolved&watch=disk-filling").await, 1);
    assert_eq!(count("/api/v1/predictions?watch=other").await, 0);
    let since = (NOW + Span::MINUTE).as_millis();
    assert_eq!(count(&format!("/api/v1/predictions?since={since}")).await, 0);
    assert_eq!(count("/api/v1/predictions?state=&watch=&since=&limit=").await, 6);
    let (mut offset, mut seen) = (0, Vec::new());
    loop {
        let (_, page) = server.json(&format!("/api/v1/series?watch=disk-filling&limit=60&offset={offset}")).await;
        let items = page["data"].as_array().unwrap();
        offset += items.len();
        seen.extend(items.iter().map(|item| item["id"].as_str().unwrap().to_owned()));
        if page["more"] != true {
            break;
        }
    }
    let expected: Vec<_> = server.view.series[..250].iter().map(|s| s.id.clone()).collect();
    assert_eq!(seen, expected, "pages do not fit together");
}

#[tokio::test]
async fn what_is_wrong_is_said_in_the_same_envelope() {
    let server = start(busy(), Settings::default()).await;
    server.view.broken.store(true, Ordering::Relaxed);
    for (path, status, word, text) in [
        ("/api/v1/predictions?stat=open", 400, "bad_data", "known are state, watch, since, limit"),
        ("/api/v1/series?limit=5000", 400, "bad_data", "1 to 1000"),
        ("/api/v1/series?offset=-1", 400, "bad_data", "offset"),
        ("/api/v1/status?x=1", 400, "bad_data", "none are taken here"),
        ("/api/v2/status", 404, "not_found", "/api/v2/status"),
        ("/charts/p1.png", 404, "not_found", "/charts/p1.png"),
        ("/-/reload", 405, "method_not_allowed", "/-/reload"),
        ("/api/v1/series", 500, "failed", "disk I/O error"),
        ("/api/v1/anomalies", 500, "failed", "see the log"),
    ] {
        let (got, body) = server.json(path).await;
        assert_eq!((got, &body["status"], &body["errorType"]), (status, &"error".into(), &word.into()), "{path}");
        let said = body["error"].as_str().unwrap();
        assert!(said.contains(text) && !said.contains("secret"), "{path}: {said}");
    }
    let (status, headers, _) = answer(server.http.post(server.url("/api/v1/status"))).await;
    assert_eq!(status, 405);
    assert!(headers["allow"].to_str().unwrap().contains("GET"));
    let (status, _) = server.json("/api/v1/status").await;
    assert_eq!(status, 200, "a panic in one request took the server down");
}

#[tokio::test]
async fn readiness_and_health_speak_in_status_codes() {
    let server = start(Double::default(), Settings::default()).await;
    assert_eq!(server.get("/-/healthy").await.0, 200);
    assert_eq!(server.json("/-/ready").await, (200, serde_json::json!({"ready": true, "reasons": []})));
    *server.view.reasons.lock().unwrap() = vec!["source prod is down".into(), "watch memory learns".into()];
    server.view.unhealthy.store(true, Ordering::Relaxed);
    let (status, _, body) = server.get("/-/ready").await;
    let readiness: Readiness = serde_json::from_str(&body).unwrap();
    assert_eq!((status, readiness.ready, readiness.reasons.len()), (503, false, 2));
    assert_eq!(server.get("/-/healthy").await.0, 503);
}

#[tokio::test]
async fn a_reload_succeeds_fails_with_its_reason_and_runs_once_at_a_time() {
    let server = start(Double::default(), Settings::default()).await;
    let reload = || answer(server.http.post(server.url("/-/reload")));
    assert_eq!(reload().await.0, 200);
    *server.view.reload_error.lock().unwrap() = Some("watches[3]: unknown key \"stp\"".into());
    let (status, _, body) = reload().await;
    assert!(status == 500 && body.contains("unknown key") && body.contains("the old one stays"), "{status} {body}");
    server.view.hang.store(true, Ordering::Relaxed);
    let first = tokio::spawn(server.http.post(server.url("/-/reload")).send());
    until("the reload begins", || server.view.reloads_begun.load(Ordering::SeqCst) == 3).await;
    assert_eq!(reload().await.0, 409);
    server.view.release.notify_one();
    assert_eq!(first.await.unwrap().unwrap().status(), 500);
}

#[tokio::test]
async fn a_reload_ends_though_its_client_has_gone() {
    let server = start(Double::default(), Settings::default()).await;
    server.view.hang.store(true, Ordering::Relaxed);
    let mut client = TcpStream::connect(server.address).await.unwrap();
    client.write_all(b"POST /-/reload HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    until("the reload begins", || server.view.reloads_begun.load(Ordering::SeqCst) == 1).await;
    drop(client);
    until("the server notices", || server.metrics.http_connections.get() == 0).await;
    server.view.release.notify_one();
    until("the reload ends", || server.view.reloads_ended.load(Ordering::SeqCst) == 1).await;
}

#[tokio::test]
async fn charts_are_served_and_nothing_else_from_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let charts = folder.path().join("charts");
    std::fs::create_dir(&charts).unwrap();
    std::fs::write(charts.join("p1.png"), b"\x89PNG chart").unwrap();
    std::fs::write(charts.join("huge.png"), vec![0; (4 << 20) + 1]).unwrap();
    std::fs::write(folder.path().join("secret.png"), "secret").unwrap();
    std::fs::write(charts.join(".hidden.png"), "secret").unwrap();
    std::fs::write(charts.join("ledger.sqlite"), "secret").unwrap();
    std::os::unix::fs::symlink(folder.path().join("secret.png"), charts.join("link.png")).unwrap();
    std::fs::create_dir(charts.join("folder.png")).unwrap();
    let server = start(Double::default(), Settings { chart_dir: Some(charts), ..Settings::default() }).await;
    let chart = server.http.get(server.url("/charts/p1.png")).send().await.unwrap();
    assert_eq!((chart.status().as_u16(), &chart.headers()["content-type"]), (200, &"image/png".parse().unwrap()));
    assert_eq!(chart.headers()["cache-control"], "private, max-age=60");
    assert_eq!(&*chart.bytes().await.unwrap(), b"\x89PNG chart");
    for path in [
        "../secret.png",
        "..%2fsecret.png",
        "%2e%2e%2fsecret.png",
        "..%5csecret.png",
        "%2e%2e/secret.png",
        ".hidden.png",
        "ledger.sqlite",
        "link.png",
        "folder.png",
        "huge.png",
        "p1.png%00",
        "p2.png",
        "",
    ] {
        let answer = server.raw(format!("GET /charts/{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 404") && !answer.contains("\r\n\r\nsecret"), "{path}: {answer}");
    }
    let odd = server.raw(b"GET /charts/%ff.png HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;
    assert!(odd.starts_with("HTTP/1.1 40"), "{odd}");
}

#[tokio::test]
async fn the_page_and_its_parts_allow_nothing_from_elsewhere() {
    let server = start(busy(), Settings::default()).await;
    for (page, own) in [("/", "page.js"), ("/approvals", "approvals.js"), ("/runs/r0123456789abcdef", "run.js")] {
        let (status, headers, html) = server.get(page).await;
        assert_eq!((status, &headers["content-type"]), (200, &"text/html; charset=utf-8".parse().unwrap()));
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert!(!html.contains("://"), "{page} loads something from elsewhere");
        let script = "text/javascript; charset=utf-8";
        for (part, kind) in [("page.css", "text/css; charset=utf-8"), ("common.js", script), (own, script)] {
            assert!(html.contains(part), "{page} does without {part}");
            let (status, headers, text) = server.get(&format!("/{part}")).await;
            assert_eq!((status, headers["content-type"].to_str().unwrap()), (200, kind));
            assert!(!text.contains("innerHTML") && !text.contains("eval(") && !text.contains("document.cookie"), "{part}");
        }
    }
}

#[tokio::test]
async fn the_openapi_document_says_what_the_server_does() {
    let server = start(busy(), Settings::default()).await;
    let (_, document) = server.json("/api/v1/openapi.json").await;
    let silence = silences().all().next().unwrap().id.to_string();
    let all = document["paths"].as_object().unwrap().iter();
    for (path, method) in all.flat_map(|(path, methods)| methods.as_object().unwrap().keys().map(move |method| (path, method))) {
        let method = reqwest::Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
        let id = server.view.predictions[0].id.to_string();
        let filled = path
            .replace("/silences/{id}", &format!("/silences/{silence}"))
            .replace("{name}", "a")
            .replace("{file}", "p1.png")
            .replace("{run}", RUN);
        let filled = filled.replace("{word}", "approve").replace("{id}", &id);
        let query = match path.as_str() {
            "/api/v1/silences" if method == reqwest::Method::POST => "?matchers=a%3D%22b%22&for=2h&comment=c&by=ann",
            "/api/v1/stop" | "/api/v1/resume" | "/api/v1/playbooks/{name}/forgive" | "/api/v1/silences/{id}/expire" => "?by=ann",
            "/api/v1/playbooks/{name}/run" => "?on=a=b&by=ann&dry_run=true",
            path if path.contains("{word}") => "?by=ann&token=t0",
            _ => "",
        };
        let (status, ..) = answer(server.http.request(method, server.url(&format!("{filled}{query}")))).await;
        assert!(status == 200 || path.starts_with("/charts/"), "{path}: {status}");
    }
    let mut single = server.view.predictions.clone();
    single.push(Prediction { truth: Some(crate::core::prediction::Truth::NotKnown), ..prediction(9, State::Expired) });
    assert_matches(&document, "Prediction", &single.iter().map(|p| serde_json::to_value(p).unwrap()).collect::<Vec<_>>());
    for (schema, path) in
        [("Series", "/api/v1/series"), ("Anomaly", "/api/v1/anomalies"), ("Prediction", "/api/v1/predictions"), ("Run", "/api/v1/runs")]
    {
        let (_, answer) = server.json(path).await;
        assert_matches(&document, schema, answer["data"].as_array().unwrap());
    }
    let (status, explained) = server.json("/api/v1/explain?selector=node_filesystem_avail_bytes%7Binstance%3D~%22host-[12].*%22%7D").await;
    assert_eq!((status, &explained["errorType"]), (400, &"bad_data".into()), "a regular expression that is not known");
    let (_, explained) = server.json("/api/v1/explain?watch=memory&limit=3").await;
    assert_eq!((explained["data"].as_array().unwrap().len(), &explained["more"]), (3, &true.into()));
    assert_matches(&document, "Explanation", explained["data"].as_array().unwrap());
    let (_, one) = server.json("/api/v1/explain?selector=%7Binstance%3D%22host-7:9100%22%7D").await;
    assert_eq!(one["data"][0]["labels"]["instance"], "host-7:9100");
    let (_, silences) = server.json("/api/v1/silences").await;
    assert_matches(&document, "Silence", silences["data"].as_array().unwrap());
    assert!(silences["data"].as_array().unwrap().iter().any(|silence| silence["state"] == "expired"), "{silences}");
    let (_, status) = server.json("/api/v1/status").await;
    let (_, learned) = server.json("/api/v1/playbooks/stats").await;
    assert_matches(&document, "Learned", std::slice::from_ref(&learned["data"]));
    assert_eq!(learned["data"]["benefit"][0]["held_out"]["breached"], 1);
    assert_eq!(learned["data"]["playbooks"][0]["cases"][0]["counts"]["rolled_back"], 1);
    assert_matches(&document, "Status", std::slice::from_ref(&status["data"]));
    let (_, who) = server.json("/api/v1/login").await;
    assert_matches(&document, "Login", std::slice::from_ref(&who["data"]));
    let (_, detail) = server.json(&format!("/api/v1/runs/{RUN}")).await;
    assert_matches(&document, "RunDetail", std::slice::from_ref(&detail["data"]));
    let (_, _, tried) = answer(server.http.post(server.url(&format!("/api/v1/runs/{RUN}/dry-run")))).await;
    let tried: serde_json::Value = serde_json::from_str(&tried).unwrap();
    assert_matches(&document, "Trial", tried["data"].as_array().unwrap());
    assert_eq!(server.json("/api/v1/runs/r00000000000000ff").await.0, 404);
}

#[tokio::test]
async fn only_a_post_with_the_actions_own_token_says_yes_or_no() {
    let server = start(busy(), Settings::default()).await;
    let ask = async |method, path: &str| answer(server.http.request(method, server.url(path))).await.0;
    let approve = format!("/api/v1/approvals/{RUN}/approve");
    let (get, post) = (reqwest::Method::GET, reqwest::Method::POST);
    let (_, waiting) = server.json("/api/v1/approvals").await;
    assert_eq!((waiting["data"].as_array().unwrap().len(), &waiting["data"][0]["token"]), (1, &"t0".into()));
    assert_eq!(ask(get, &format!("{approve}?by=ann&token=t0")).await, 405, "GET never approves");
    assert_eq!(ask(post.clone(), &format!("{approve}?by=ann")).await, 403);
    assert_eq!(ask(post.clone(), &format!("{approve}?token=t0")).await, 400, "nobody says it");
    assert_eq!(ask(post.clone(), &format!("{approve}?by=ann&token=t1")).await, 409);
    assert_eq!(ask(post.clone(), &format!("/api/v1/approvals/{RUN}/perhaps?by=ann&token=t0")).await, 404);
    assert_eq!(ask(post.clone(), "/api/v1/approvals/r12/approve?by=ann&token=t0").await, 400);
    let elsewhere = server.http.post(server.url(&format!("{approve}?by=ann&token=t0"))).header("Sec-Fetch-Site", "cross-site");
    assert_eq!(answer(elsewhere).await.0, 403, "a page from elsewhere");
    let id = server.view.predictions[0].id.to_string();
    for path in [
        format!("/api/v1/runs/{RUN}/dry-run"),
        format!("/api/v1/playbooks/free-space/run?about={id}&by=ann&dry_run=true"),
        "/api/v1/stop?by=ann".to_owned(),
        "/api/v1/resume?by=ann".to_owned(),
    ] {
        assert_eq!(ask(reqwest::Method::GET, &path).await, 405, "{path}: following a link does nothing");
        let elsewhere = server.http.post(server.url(&path)).header("Sec-Fetch-Site", "cross-site");
        assert_eq!(answer(elsewhere).await.0, 403, "{path}: a page from elsewhere");
        assert_eq!(ask(post.clone(), &path).await, 200, "{path}");
    }
    for (query, why) in
        [("by=ann", "about nothing"), ("by=ann&on=a=b&about=p1", "about two"), ("about=p1", "nobody asks"), ("by=ann&on=a", "no labels")]
    {
        assert_eq!(ask(post.clone(), &format!("/api/v1/playbooks/free-space/run?{query}")).await, 400, "{why}");
    }
    assert_eq!(ask(post.clone(), "/api/v1/runs/r00000000000000ff/dry-run").await, 409);
    let forgive = |name: &str| format!("/api/v1/playbooks/{name}/forgive?by=ann");
    assert_eq!((ask(post.clone(), &forgive("restart")).await, ask(post.clone(), &forgive("nothing")).await), (200, 404));
    assert_eq!(ask(post.clone(), "/api/v1/playbooks/restart/forgive").await, 400, "nobody says it");
    assert_eq!(ask(post.clone(), &format!("{approve}?by=ann&token=t0")).await, 200);
    assert_eq!(ask(post, &format!("{approve}?by=ann&token=t0")).await, 409, "once");
    assert_eq!(server.json("/api/v1/approvals").await.1["data"], serde_json::json!([]));
}

#[tokio::test]
async fn a_playbook_is_asked_for_with_a_name_and_the_labels_of_a_series() {
    let server = start(busy(), Settings::default()).await;
    let ask = async |path: &str| answer(server.http.post(server.url(&format!("/api/v1/playbooks/{path}")))).await;
    let (status, _, body) = ask("free-space/run?on=instance=db-1,mountpoint=/data&by=ann&dry_run=true").await;
    let said: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, &said["data"]["labels"]), (200, &serde_json::json!({ "instance": "db-1", "mountpoint": "/data" })));
    let document = server.json("/api/v1/openapi.json").await.1;
    assert_matches(&document, "Plan", &[said["data"].clone()]);
    assert_eq!(ask("free-space/run?on=instance=db-1&by=ann").await.0, 409, "why it can't be is a conflict");
    for wrong in [
        "on=instance=db-1",
        "on=&by=ann",
        "by=ann",
        "on=instance&by=ann",
        "on=in-stance=a&by=ann",
        "on=a=b&by=ann&dry_run=yes",
        "on=a=b&on2=c&by=ann",
    ] {
        assert_eq!(ask(&format!("free-space/run?{wrong}")).await.0, 400, "{wrong}");
    }
    assert_eq!(answer(server.http.get(server.url("/api/v1/playbooks/a/run?on=a=b&by=ann"))).await.0, 405, "looking changes nothing");
}

#[tokio::test]
async fn without_a_login_nobody_decides_from_elsewhere() {
    let server = start_on("0.0.0.0:0", busy(), Settings::default()).await;
    let url = |path: &str| format!("http://127.0.0.1:{}{path}", server.address.port());
    let run = "/api/v1/playbooks/a/run?on=a=b&by=ann&dry_run=true";
    for path in [
        "/api/v1/stop?by=ann",
        "/api/v1/resume?by=ann",
        "/api/v1/silences?by=ann&matchers=a%3D%22b%22&for=2h&comment=c",
        "/api/v1/silences/s0123456789abcdef/expire?by=ann",
        "/api/v1/playbooks/restart/forgive?by=ann",
        run,
        &format!("/api/v1/approvals/{RUN}/approve?by=ann&token=t0"),
    ] {
        assert_eq!(answer(server.http.post(url(path))).await.0, 403, "{path}");
    }
    assert_eq!(answer(server.http.get(url("/api/v1/approvals"))).await.0, 200, "reading is free");
}

#[tokio::test]
async fn a_silence_is_made_with_a_post_that_says_of_what_how_long_why_and_whose() {
    let server = start(Double { predictions: busy().predictions, ..Double::default() }, Settings::default()).await;
    let post = async |path: &str| {
        let (status, _, body) = answer(server.http.post(server.url(path))).await;
        (status, serde_json::from_str::<serde_json::Value>(&body).unwrap())
    };
    let whole = "matchers=service%3D%22host-2%22%2Cmountpoint%3D~%22%2Fvar.*%22&for=2h&comment=moving%20it&by=ann";
    let elsewhere = server.http.post(server.url(&format!("/api/v1/silences?{whole}"))).header("Sec-Fetch-Site", "cross-site");
    assert_eq!(answer(elsewhere).await.0, 403, "a page from elsewhere");
    for (wrong, why) in [
        ("for=2h&comment=c&by=ann", "of nothing"),
        ("matchers=%7B%7D&for=2h&comment=c&by=ann", "of nothing"),
        ("matchers=a%3D~%22.*%22&for=2h&comment=c&by=ann", "of everything"),
        ("matchers=a%3D~%22(%22&for=2h&comment=c&by=ann", "no expression"),
        ("matchers=a%3D%22b%22&comment=c&by=ann", "without an end"),
        ("matchers=a%3D%22b%22&for=2h&until=2026-12-01T00:00:00Z&comment=c&by=ann", "with two"),
        ("matchers=a%3D%22b%22&for=91d&comment=c&by=ann", "too long"),
        ("matchers=a%3D%22b%22&for=2h&by=ann", "without a reason"),
        ("matchers=a%3D%22b%22&for=2h&comment=c", "nobody's"),
        ("matchers=a%3D%22b%22&for=2h&comment=c&by=ann&id=s1", "with what is not known"),
    ] {
        let (status, said) = post(&format!("/api/v1/silences?{wrong}")).await;
        assert_eq!((status, &said["errorType"]), (400, &"bad_data".into()), "{why}: {said}");
    }
    assert_eq!(server.json("/api/v1/silences").await.1["data"], serde_json::json!([]));
    let (status, made) = post(&format!("/api/v1/silences?{whole}")).await;
    let (made, document) = (&made["data"], server.json("/api/v1/openapi.json").await.1);
    assert_eq!((status, &made["state"], &made["by"]), (200, &"active".into(), &"ann".into()));
    assert_eq!(made["matchers"][1], serde_json::json!({ "label": "mountpoint", "op": "=~", "value": "/var.*" }));
    assert_matches(&document, "Silence", std::slice::from_ref(made));
    let id = made["id"].as_str().unwrap();
    let (_, shown) = server.json("/api/v1/predictions").await;
    assert_eq!((&shown["data"][2]["silenced"]["id"], &shown["data"][1]["silenced"]), (&id.into(), &serde_json::Value::Null));
    let expire = format!("/api/v1/silences/{id}/expire");
    assert_eq!(answer(server.http.get(server.url(&format!("{expire}?by=ann")))).await.0, 405, "following a link does nothing");
    assert_eq!(post(&expire).await.0, 400, "nobody says it");
    let (status, ended) = post(&format!("{expire}?by=bob")).await;
    assert_eq!((status, &ended["data"]["state"], &ended["data"]["expired_by"]), (200, &"expired".into(), &"bob".into()));
    assert_eq!(post(&format!("{expire}?by=bob")).await.0, 409, "once");
    assert_eq!(post("/api/v1/silences/s00000000000000ff/expire?by=bob").await.0, 404);
    assert_eq!(post("/api/v1/silences/x/expire?by=bob").await.0, 400);
}

/// Every value has the schema's form, and no field that the schema does not name.
fn assert_matches(document: &serde_json::Value, schema: &str, values: &[serde_json::Value]) {
    let mut document = document.clone();
    let schemas = document["components"]["schemas"].as_object_mut().unwrap();
    schemas.values_mut().for_each(|s| s["additionalProperties"] = false.into());
    let mut compiler = boon::Compiler::new();
    compiler.add_resource("http://portent/openapi.json", document).unwrap();
    let mut compiled = boon::Schemas::new();
    let index = compiler.compile(&format!("http://portent/openapi.json#/components/schemas/{schema}"), &mut compiled).unwrap();
    assert!(!values.is_empty());
    for value in values {
        compiled.validate(value, index).unwrap_or_else(|why| panic!("{schema}: {why}: {value}"));
    }
}
