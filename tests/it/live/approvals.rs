//! From a leak to a restart that a person has approved, in a real browser; and what takes two people.

use std::fs;
use std::thread;
use std::time::Duration;

use portent::core::access::TokenHash;
use serde_json::Value;

use super::daemon::{Config, Running, SOON, STARTED};
use super::history::{DISKS, filling_prometheus};
use super::leak::Workers;
use crate::support::{Browser, PortentProcess, Reply, free_port, get, request, wait_until};

const WATCH: &str = "name: leaks, query: worker_memory_ratio, above: 0.9, horizon: 24h, profile: saturating-gauge, service: '{{worker}}', \
                     title: '{{worker}} is running out of memory', playbooks: [restart-worker]";

/// A line for the configuration: logins of these names and roles, whose tokens are `pt_` and the name.
fn logins(all: &[(&str, &str)]) -> String {
    let line = |(name, role): &(&str, &str)| {
        let hash = TokenHash::of(&format!("pt_{name}"));
        format!("{{ name: {name}, role: {role}, hash: '{hash}' }}")
    };
    format!("server: {{ tokens: [{}] }}", all.iter().map(line).collect::<Vec<_>>().join(", "))
}

fn ask(portent: &Running, method: reqwest::Method, path: &str, token: &str) -> Reply {
    let bearer = format!("Bearer {token}");
    let url = format!("{}{path}", portent.url);
    request(method, &url, &[("authorization", &bearer)], Vec::new(), Duration::from_secs(20)).expect("it answers")
}

fn data(portent: &Running, path: &str, token: &str) -> Value {
    ask(portent, reqwest::Method::GET, path, token).json()["data"].take()
}

/// A verb of the command line, with a token in a file.
fn verb(portent: &Running, name: &str, arguments: &[&str]) -> (bool, String) {
    let file = portent.process.dir().join(format!("{name}.token"));
    fs::write(&file, format!("pt_{name}\n")).expect("the throwaway folder can be written");
    let file = file.display().to_string();
    let all: Vec<&str> = arguments.iter().copied().chain(["--url", &portent.url, "--token-file", &file]).collect();
    let output = PortentProcess::output(&all, portent.process.dir());
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.success(), text)
}

#[test]
fn a_leak_is_foretold_approved_in_a_browser_restarted_and_verified_and_one_that_stays_is_taken_back() {
    let workers = Workers::start(&[("mendable", 200_000), ("stubborn", 880_000)]);
    let prometheus = workers.prometheus();
    let (restart, restore) = (workers.script("restart.sh").display().to_string(), workers.script("restore.sh").display().to_string());
    let config = Config::new(&prometheus.url())
        .watch(WATCH)
        .line(&format!("act: {{ mode: ask, command: {{ allow: ['{restart}', '{restore}'] }} }}"))
        .line("topology: { services: { mendable: {}, shop: { depends_on: [mendable] }, web: { depends_on: [shop] } } }")
        .line("playbooks:")
        .line("  - name: restart-worker")
        .line("    about: Restarts a worker that leaks.")
        .line("    target: '{{worker}}'")
        .line("    steps:")
        .line(&format!("      - {{ name: restart it, action: command, with: {{ run: ['{restart}', '{{{{worker}}}}'] }}, timeout: 10s,"))
        .line(&format!("          undo: {{ action: command, with: {{ run: ['{restore}', '{{{{worker}}}}'] }} }} }}"))
        .line("    verify: { query: 'worker_memory_ratio{worker=\"{{worker}}\"}', success: { lt: 0.5 }, within: 20s }")
        .line(&logins(&[("ann", "approver"), ("vic", "viewer")]));
    let portent = Running::start(&config);

    let mut browser = Browser::start();
    browser.look(1200, 900, false);
    let page = format!("{}/approvals", portent.url);
    wait_until(STARTED, || portent.readiness()).expect("it listens");
    browser.open(&page);
    browser.wait_for("the form for the token", "document.querySelector('#token') === document.activeElement");
    browser.write("pt_wrong");
    browser.press("Enter");
    browser.wait_for("that it is not known", "document.body.innerText.includes('the token is not known')");
    browser.write("pt_ann");
    browser.click("#login button");
    let card = |worker: &str| {
        format!("[...document.querySelectorAll('article')].find((a) => a.querySelector('h3').innerText.endsWith('on {worker}'))")
    };
    for worker in ["mendable", "stubborn"] {
        browser.wait_for("a card for each worker", &card(worker));
        browser.wait_for("what would be started", &format!("{}.innerText.includes('would start [')", card(worker)));
        browser.wait_for("the chart", &format!("{}.querySelector('img').naturalWidth > 300", card(worker)));
    }
    // What came before it was let in is no complaint.
    browser.complaints.clear();
    let text = browser.value(&format!("{}.innerText", card("mendable"))).as_str().unwrap_or_default().to_owned();
    for part in [
        "mendable is running out of memory",
        "mode is ask",
        "2 services depend on it",
        "shop",
        "Expires in",
        "UTC",
        "Taken back by command",
    ] {
        assert!(text.contains(part), "{part:?} is not to be seen:\n{text}");
    }
    browser.show("approvals-1200");
    for is_night in [false, true] {
        browser.look(360, 740, is_night);
        assert_eq!(browser.value("document.documentElement.scrollWidth"), 360, "it is wider than a telephone");
        browser.show(if is_night { "approvals-360-night" } else { "approvals-360" });
    }
    browser.look(1200, 900, false);

    let waiting = data(&portent, "/api/v1/approvals", "pt_ann");
    let run_of = |worker: &str| {
        let found = waiting.as_array().into_iter().flatten().find(|run| run["targets"][0] == worker);
        found.unwrap_or_else(|| panic!("{worker} does not wait: {waiting:#}"))["run"].as_str().unwrap_or_default().to_owned()
    };
    let (mendable, stubborn) = (run_of("mendable"), run_of("stubborn"));
    assert!(data(&portent, "/api/v1/approvals", "pt_vic")[0]["token"].is_null(), "a viewer gets no token");
    let denied = ask(&portent, reqwest::Method::POST, &format!("/api/v1/approvals/{mendable}/approve"), "pt_vic");
    assert_eq!(denied.status, 403, "{}", denied.text());

    // Enter in the reason answers nothing; a click does.
    browser.click(&format!("#reason-{mendable}"));
    browser.write("it leaks every week");
    browser.press("Enter");
    thread::sleep(Duration::from_millis(500));
    assert_eq!(data(&portent, &format!("/api/v1/runs/{mendable}"), "pt_vic")["run"]["phase"], "waiting");
    browser.click(&format!("#{mendable} .go"));
    browser.click(&format!("#{stubborn} .go"));
    let became = |worker: &str, words: &str| format!("{}.innerText.includes({words:?})", card(worker));
    let fared = || {
        let stats = data(&portent, "/api/v1/playbooks/stats", "pt_vic");
        let known = stats["playbooks"].as_array().into_iter().flatten().find(|known| known["playbook"] == "restart-worker").cloned();
        known.map(|known| (known["rate"].as_f64().unwrap_or_default(), known["counts"].clone()))
    };
    assert_eq!(fared(), None, "nothing is known of it, which counts as a half");
    browser.wait_for("that the restart helped", &became("mendable", "done, and it helped"));
    let (raised, counts) = fared().unwrap_or_default();
    assert!(raised > 0.5 && counts["worked"] == 1, "{raised} {counts}");
    browser.wait_for("that the other did not", &became("stubborn", "did not help, and was taken back"));
    let (lowered, counts) = fared().unwrap_or_default();
    assert!(lowered < raised && counts["worked"] == 1 && counts["rolled_back"] == 1, "{lowered} after {raised}, {counts}");
    browser.show("approvals-done");
    assert_eq!((workers.restarts("mendable"), workers.restarts("stubborn"), workers.restored()), (1, 1, "stubborn\n".to_owned()));
    assert!(prometheus.query("worker_memory_ratio{worker='mendable'} < 0.5", None).len() == 1);

    browser.open(&format!("{}/runs/{mendable}", portent.url));
    browser.wait_for("who approved it and why", "document.body.innerText.includes('Approved by ann: it leaks every week')");
    browser.wait_for("how it ended", "document.body.innerText.includes('verified: it helped')");
    browser.show("run-1200");
    assert_eq!(browser.complaints, Vec::<String>::new());

    let again = ask(&portent, reqwest::Method::POST, &format!("/api/v1/runs/{mendable}/dry-run"), "pt_ann");
    assert_eq!(again.status, 409, "what is over is not tried: {}", again.text());
    let detail = data(&portent, &format!("/api/v1/runs/{stubborn}"), "pt_vic");
    assert_eq!((&detail["run"]["outcome"], &detail["run"]["approved_by"]), (&"rolled_back".into(), &"ann".into()));
    let handed_on = detail["audit"].as_array().and_then(|lines| lines.last()).cloned().unwrap_or_default();
    assert_eq!((&handed_on["record"], handed_on["tried"].as_array().map(Vec::len)), (&"escalated".into(), Some(2)), "{handed_on:#}");
    assert_eq!((&handed_on["tried"][0]["end"], &handed_on["tried"][1]["is_undo"]), (&"succeeded".into(), &true.into()));
    browser.open(&format!("{}/runs/{stubborn}", portent.url));
    browser.wait_for("what was tried", "document.body.innerText.includes('Handed to a person. Tried: restart it (command) succeeded')");
    browser.show("run-escalated-1200");
    let id = detail["run"]["prediction"].as_str().unwrap_or_default();
    let (is_done, said) = verb(&portent, "ann", &["playbooks", "run", "restart-worker", "--about", id]);
    assert!(!is_done && said.contains("already"), "{said}");
    let whole = PortentProcess::output(&["audit", "verify", "--data-dir", "data"], portent.process.dir());
    assert!(whole.status.success(), "{}", String::from_utf8_lossy(&whole.stdout));
}

#[test]
fn what_nobody_answered_is_proposed_by_a_person_and_approved_by_another() {
    let prometheus = filling_prometheus(1).start();
    let config = Config::new(&prometheus.url())
        .watch(&format!("{DISKS}, playbooks: [tell]"))
        .line("act: { mode: ask, approval_expires: 15s }")
        .line("topology: { services: { filling: { tier: critical } } }")
        .line("playbooks: [{ name: tell, about: Says so., steps: [{ name: say it, action: log, with: { text: '{{host}} fills up' } }] }]");
    let with_logins = config.clone().line(&logins(&[("ann", "approver"), ("bob", "approver"), ("olga", "operator")]));
    let portent = Running::start(&with_logins);
    let run = || {
        wait_until(STARTED, || {
            portent.readiness().map(|_| data(&portent, "/api/v1/runs", "pt_ann")).filter(|runs| runs[0]["run"].is_string())
        })
    };
    let first = run().unwrap_or_else(|| panic!("nothing was proposed\n{}", portent.tail()));
    let (key, id) = (first[0]["run"].as_str().unwrap_or_default(), first[0]["prediction"].as_str().unwrap_or_default());
    assert_eq!((&first[0]["proposed_by"], &first[0]["is_high_risk"]), (&Value::Null, &true.into()));
    let (_, said) = verb(&portent, "ann", &["approvals", "dry-run", key]);
    assert!(said.contains("would say: filling fills up"), "{said}");
    let is_now = |field: &str, wanted: &str| {
        let found =
            wait_until(SOON, || Some(data(&portent, &format!("/api/v1/runs/{key}"), "pt_olga")).filter(|d| d["run"][field] == wanted));
        found.unwrap_or_else(|| panic!("{field} is never {wanted}\n{}", portent.tail()))
    };
    is_now("outcome", "expired");
    let (is_proposed, said) = verb(&portent, "ann", &["playbooks", "run", "tell", "--about", id]);
    assert!(is_proposed && said.contains("a person is asked") && said.contains("waiting"), "{said}");
    let (is_taken, said) = verb(&portent, "olga", &["approvals", "approve", key]);
    assert!(!is_taken && said.contains("nobody waits for your word"), "an operator gets no token: {said}");
    let (is_taken, said) = verb(&portent, "ann", &["approvals", "approve", key]);
    assert!(!is_taken && said.contains("somebody else must approve it"), "{said}");
    let (is_taken, said) = verb(&portent, "bob", &["approvals", "approve", key, "--reason", "seen"]);
    assert!(is_taken, "{said}");
    let detail = is_now("approved_by", "bob");
    assert_eq!(detail["run"]["proposed_by"], "ann");
    let approved = detail["audit"].as_array().into_iter().flatten().find(|line| line["record"] == "approved");
    assert_eq!(approved.map(|line| (&line["by"], &line["reason"])), Some((&"bob".into(), &"seen".into())));

    // A reload takes new logins, and an old token is none any more.
    assert_eq!(ask(&portent, reqwest::Method::POST, "/-/reload", "pt_ann").status, 403);
    config.clone().line(&logins(&[("bob", "approver"), ("carl", "admin")])).write(portent.process.dir());
    assert_eq!(ask(&portent, reqwest::Method::POST, "/-/reload", "pt_olga").status, 200);
    assert_eq!(ask(&portent, reqwest::Method::GET, "/api/v1/status", "pt_olga").status, 401);
    let (is_answered, said) = verb(&portent, "carl", &["status"]);
    assert!(is_answered && said.contains("mode ask"), "{said}");
    let (is_refused, said) = verb(&portent, "olga", &["status"]);
    assert!(!is_refused && said.contains("--token-file"), "{said}");
}

#[test]
fn an_address_that_others_reach_takes_logins() {
    let dir = tempfile::tempdir().unwrap();
    Config::new("http://127.0.0.1:9").watch("name: a, query: up").write(dir.path());
    let output = PortentProcess::output(&["run", "-c", "portent.yaml", "--listen", "0.0.0.0:0"], dir.path());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("there is no login") && said.contains("portent token new"), "{said}");
    let made = PortentProcess::output(&["token", "new", "--name", "ann", "--role", "admin", "-o", "json", "--expires", "90d"], dir.path());
    let made: Value = serde_json::from_slice(&made.stdout).unwrap();
    let (token, hash) = (made["token"].as_str().unwrap(), made["hash"].as_str().unwrap());
    assert!(token.starts_with("pt_") && token.len() == 46 && TokenHash::of(token).to_string() == hash, "{made}");
    let line =
        format!("server: {{ tokens: [{{ name: ann, role: admin, hash: '{hash}', expires: '{}' }}] }}", made["expires"].as_str().unwrap());
    Config::new("http://127.0.0.1:9").watch("name: a, query: up").line("listen: 0.0.0.0:9273").line(&line).write(dir.path());
    let checked = PortentProcess::output(&["check"], dir.path());
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    let port = free_port();
    let folder = dir.path().to_owned();
    let process = PortentProcess::start_in(dir, &["run", "--listen", &format!("0.0.0.0:{port}")]);
    let portent = Running { process, url: format!("http://127.0.0.1:{port}") };
    wait_until(STARTED, || portent.readiness()).expect("it listens");
    assert_eq!(ask(&portent, reqwest::Method::GET, "/api/v1/status", token).status, 200);
    Config::new("http://127.0.0.1:9").watch("name: a, query: up").write(&folder);
    let reply = ask(&portent, reqwest::Method::POST, "/-/reload", token);
    assert!(reply.status == 500 && reply.text().contains("there is no login"), "the last login is not taken away: {}", reply.text());
    assert_eq!(get(&format!("{}/api/v1/status", portent.url)).status, 401);
    let another = PortentProcess::output(&["token", "new", "--name", "ann", "--role", "approver"], &folder);
    let (out, err) = (String::from_utf8_lossy(&another.stdout).into_owned(), String::from_utf8_lossy(&another.stderr).into_owned());
    assert!(
        out.lines().count() == 1 && out.trim() != token && !err.contains(out.trim()),
        "the token alone goes to stdout: {out:?} {err:?}"
    );
}
