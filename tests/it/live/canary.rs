//! Secrets of every kind, given to a daemon whose servers repeat whatever they are sent: nobody finds one of them in anything it writes,
//! shows or sends to someone else.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::thread;
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::daemon::{END_WITHIN, Running, SOON, STARTED};
use super::history::{DISKS, filling_prometheus};
use crate::support::{PortentProcess, get, request, wait_until};

/// In every secret.
const CANARY: &str = "canary-4711";

/// Answers everything with an error that holds every header it got, and what it decodes of them, as a badly made proxy does.
fn parrot() -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let answer = |headers: HeaderMap| async move {
                let values: Vec<String> = headers.values().filter_map(|value| value.to_str().ok()).map(str::to_owned).collect();
                let decoded = values.iter().filter_map(|value| BASE64_STANDARD.decode(value.strip_prefix("Basic ")?).ok());
                let decoded: Vec<String> = decoded.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).collect();
                let said = format!("you sent {} which is {}", values.join(" and "), decoded.join(" and "));
                let body = serde_json::json!({ "status": "error", "errorType": "internal", "error": said });
                (StatusCode::INTERNAL_SERVER_ERROR, [("x-said", "no")], body.to_string())
            };
            let app = Router::new().fallback(answer);
            axum::serve(tokio::net::TcpListener::from_std(listener).unwrap(), app).await.unwrap();
        });
    });
    url
}

/// The folder, and the names of the files in it that hold secrets.
fn prepare(dir: &Path, prometheus: &str, parrot: &str) -> Vec<&'static str> {
    let write = |name: &str, text: &str| fs::write(dir.join(name), text).unwrap();
    write("password", &format!("{CANARY}-password"));
    write("hook.key", &format!("{CANARY}-of-thirty-two-bytes-or-more"));
    write("token", &format!("Bearer {CANARY}-of-a-step"));
    fs::create_dir(dir.join("books")).unwrap();
    let (token, key) = (dir.join("token"), dir.join("hook.key"));
    write(
        "books/tell.yaml",
        &format!(
            "name: tell\nabout: tells the parrot\nwhen: {{ watches: [disks] }}\nsteps: [{{ name: tell, action: http, with: {{ url: '{parrot}/act', \
             json: {{ host: '{{{{host}}}}' }}, header_files: {{ Authorization: {} }}, secret_file: {} }} }}]\n",
            token.display(),
            key.display()
        ),
    );
    write(
        "portent.yaml",
        &format!(
            "interval: 1s\ndata_dir: data\nchart_dir: charts\nlog: {{ level: trace }}\nplaybooks_dir: books\nsources:\n\
             \x20 - {{ name: lab, prometheus: {{ url: '{prometheus}', bearer_token: {CANARY}-inline }} }}\n\
             \x20 - {{ name: parrot, prometheus: {{ url: '{parrot}', timeout: 2s, basic_auth: {{ username: me, password_file: password }} }} }}\n\
             \x20 - {{ name: parrot2, prometheus: {{ url: '{parrot}/two', timeout: 2s, headers: {{ X-Scope-Key: {CANARY}-header }} }} }}\n\
             watches:\n  - {{ {DISKS}, source: lab }}\n  - {{ name: a, query: up, source: parrot }}\n  - {{ name: b, query: up, source: parrot2 }}\n\
             notify: [ {{ webhook: {{ name: hook, url: '{parrot}/hook?key={CANARY}-query', allow_private: true, secret_file: hook.key, \
             headers: {{ Authorization: Bearer {CANARY}-hook }} }} }} ]\n\
             act: {{ mode: execute, http: {{ allow: [127.0.0.1], allow_private: true }} }}\n"
        ),
    );
    vec!["password", "hook.key", "token", "portent.yaml"]
}

/// A secret, or what it is when it is sent.
fn has_canary(bytes: &[u8]) -> bool {
    let encoded = BASE64_STANDARD.encode(format!("me:{CANARY}"));
    // Whole groups of three bytes are the same whatever follows.
    let encoded = &encoded[..encoded.len() / 4 * 4 - 4];
    let found = |needle: &str| bytes.windows(needle.len()).any(|window| window == needle.as_bytes());
    found(CANARY) || found(encoded)
}

fn files(dir: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() { files(&entry.path(), found) } else { found.push(entry.path()) }
    }
}

#[test]
fn no_secret_is_found_in_anything_that_is_written_shown_or_sent() {
    assert!(has_canary(format!("x{CANARY}").as_bytes()) && has_canary(BASE64_STANDARD.encode(format!("me:{CANARY}-password")).as_bytes()));
    let prometheus = filling_prometheus(1).start();
    let dir = tempfile::tempdir().unwrap();
    let secret_files = prepare(dir.path(), &prometheus.url(), &parrot());
    let mut portent = Running::start_in(dir, &["-c", "portent.yaml"]);
    // It foretold, told, acted and was answered, all of it with secrets.
    wait_until(STARTED, || portent.readiness()).unwrap_or_else(|| panic!("it does not run\n{}", portent.tail()));
    let is_done = || portent.data("/api/v1/runs")[0]["steps"][0]["end"].is_string().then_some(());
    wait_until(STARTED, is_done).unwrap_or_else(|| panic!("nothing was done\n{}", portent.tail()));
    let was_told = || portent.process.log().contains("webhook failed").then_some(());
    wait_until(SOON, was_told).unwrap_or_else(|| panic!("nothing was told\n{}", portent.tail()));
    thread::sleep(Duration::from_secs(3));

    let mut shown = Vec::new();
    let openapi = get(&format!("{}/api/v1/openapi.json", portent.url)).json();
    for (path, methods) in openapi["paths"].as_object().unwrap() {
        if path.contains('{') || methods.get("get").is_none() {
            continue;
        }
        let address = format!("{}{path}", portent.url);
        let reply = request(reqwest::Method::GET, &address, &[], Vec::new(), Duration::from_secs(10)).unwrap();
        shown.push((path.clone(), reply.text().into_bytes()));
    }
    for path in ["/", "/metrics", "/-/ready", "/-/healthy"] {
        let address = format!("{}{path}", portent.url);
        let reply = request(reqwest::Method::GET, &address, &[], Vec::new(), Duration::from_secs(10)).unwrap();
        shown.push((path.to_owned(), reply.text().into_bytes()));
    }
    assert!(shown.len() > 10, "{} places are looked at", shown.len());
    let folder = portent.process.dir().to_owned();
    for verb in [
        vec!["audit", "export", "--data-dir", "data"],
        vec!["check", "-c", "portent.yaml"],
        vec!["approvals", "list", "--url", &portent.url, "-o", "json"],
        vec!["playbooks", "list", "-o", "json"],
    ] {
        let output = PortentProcess::output(&verb, &folder);
        shown.push((verb.join(" "), [output.stdout, output.stderr].concat()));
    }
    // A slip right beside each secret: the message about it repeats none.
    let text = fs::read_to_string(folder.join("portent.yaml")).unwrap();
    let (inline, hook) = (format!("{CANARY}-inline"), format!("Bearer {CANARY}-hook"));
    for (of, slip) in [
        ("bearer_token", "bearer_tokn".to_owned()),
        (inline.as_str(), format!("[{inline}]")),
        (inline.as_str(), format!("{{ a: {inline} }}")),
        ("headers: { X-Scope", "headres: { X-Scope".to_owned()),
        (hook.as_str(), format!("[{hook}]")),
        (hook.as_str(), format!("\"{hook}\\x01a\"")),
    ] {
        assert!(text.contains(of), "{of}");
        fs::write(folder.join("slip.yaml"), text.replacen(of, &slip, 1)).unwrap();
        let output = PortentProcess::output(&["check", "-c", "slip.yaml"], &folder);
        assert!(!output.status.success(), "{slip}");
        shown.push((format!("check with {slip}"), [output.stdout, output.stderr].concat()));
    }
    fs::remove_file(folder.join("slip.yaml")).unwrap();
    assert!(portent.process.sigterm_and_wait(END_WITHIN).success());
    let mut written = Vec::new();
    files(&folder, &mut written);
    for path in written.iter().filter(|path| !secret_files.iter().any(|secret| path.ends_with(secret))) {
        shown.push((path.display().to_string(), fs::read(path).unwrap()));
    }
    assert!(shown.iter().any(|(name, _)| name.ends_with("ledger.sqlite")) && shown.iter().any(|(name, _)| name.ends_with("portent.log")));
    let leaks: Vec<String> = shown
        .iter()
        .filter(|(_, bytes)| has_canary(bytes))
        .map(|(name, bytes)| {
            let text = String::from_utf8_lossy(bytes);
            let lines: Vec<&str> = text.lines().filter(|line| has_canary(line.as_bytes())).take(3).collect();
            format!("{name}: {}", lines.join("\n").chars().take(1_500).collect::<String>())
        })
        .collect();
    assert!(leaks.is_empty(), "secrets are in\n{}", leaks.join("\n"));
}
