//! Playbooks from the command line, and runs that begin with a failing health check: real processes, a real Prometheus and a real Alertmanager.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Output;
use std::time::Duration;

use portent::act::silences;
use serde_json::{Value, json};

use super::server::{Answer, Server};
use crate::support::{self, PortentProcess, wait_until};

/// Some ticks of a second, on a machine that is busy with other tests.
const SOON: Duration = Duration::from_secs(60);

fn portent(dir: &Path, arguments: &[&str]) -> Output {
    PortentProcess::output(arguments, dir)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

const GOOD: &str = "name: say-it\nabout: Says it.\nsteps: [{ name: say, action: log, with: { text: \"{{job}} is slow\" } }]\n";

/// A folder with a configuration, a good playbook and a faulty one.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("books")).unwrap();
    let config =
        "sources: [{ name: a, prometheus: { url: 'http://127.0.0.1:1' } }]\nplaybooks_dir: books\nwatches: [{ name: w, query: up }]\n";
    fs::write(dir.path().join("portent.yaml"), config).unwrap();
    fs::write(dir.path().join("books/say-it.yaml"), GOOD).unwrap();
    fs::write(dir.path().join("books/bad.yaml"), "name: bad\nabout: x\nsteps: [{ name: s, actoin: log }]\n").unwrap();
    dir
}

#[test]
fn one_bad_file_is_named_with_its_lines_and_the_others_are_there() {
    let dir = folder();
    let checked = portent(dir.path(), &["check"]);
    let said = text(&checked.stderr);
    assert_eq!(checked.status.code(), Some(1), "{said}");
    assert!(said.contains("books/bad.yaml:3:9: a step lacks \"action\"") && said.contains("did you mean \"action\"?"), "{said}");
    assert!(said.contains("2 errors to mend in 1 playbook file; the daemon refuses it and goes on"), "{said}");
    let listed = portent(dir.path(), &["playbooks", "list", "-o", "json"]);
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let find = |name: &str| listed.as_array().unwrap().iter().find(|p| p["name"] == name).cloned();
    assert_eq!(find("say-it").unwrap()["from"], "./books/say-it.yaml");
    assert_eq!(
        (&find("critical-latency").unwrap()["kind"], &find("expand-volume").unwrap()["from"]),
        (&json!("Policy"), &json!("bundled"))
    );
    assert!(find("bad").is_none());
    let table = text(&portent(dir.path(), &["playbooks", "list"]).stdout);
    for policy in ["critical-latency", "high-error-rate", "resource-exhaustion", "moderate-latency", "throughput-drop"] {
        assert!(table.lines().any(|line| line.starts_with(policy) && line.contains(" policy ")), "{policy}: {table}");
    }
    assert_eq!(text(&portent(dir.path(), &["playbooks", "show", "say-it"]).stdout), GOOD);
    let schema: Value = serde_json::from_slice(&portent(dir.path(), &["playbooks", "schema"]).stdout).unwrap();
    assert_eq!(schema["$id"], "urn:portent:playbook:1");
}

#[test]
fn lint_says_all_of_all_files_with_lines_and_ends_accordingly() {
    let dir = folder();
    let lint = |arguments: &[&str]| {
        let done = portent(dir.path(), &[&["playbooks", "lint"], arguments].concat());
        (done.status.code(), text(&done.stdout) + &text(&done.stderr))
    };
    let (code, said) = lint(&[]);
    assert!(code == Some(1) && said.contains("./books/bad.yaml:3:9: error: a step lacks"), "{said}");
    assert_eq!(lint(&["books/say-it.yaml"]).0, Some(0));
    fs::write(dir.path().join("refused.yaml"), GOOD.replace("text: ", "txt: ")).unwrap();
    let (code, said) = lint(&["books/say-it.yaml", "refused.yaml", "books/bad.yaml", "gone.yaml"]);
    assert!(code == Some(1) && said.contains("refused.yaml:3:41: error: step \"say\": log refuses it: unknown argument \"txt\""), "{said}");
    assert!(said.contains("books/bad.yaml:3:") && said.contains("gone.yaml: error: no such file"), "{said}");
    let (code, said) = lint(&["--bundled"]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(lint(&["--bundled", "--strict"]).0, Some(1), "its programs are allowed nowhere here");
    let done = portent(dir.path(), &["playbooks", "lint", "refused.yaml", "-o", "json"]);
    let found: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!((&found[0]["line"], &found[0]["kind"], &found[0]["file"]), (&json!(3), &json!("error"), &json!("refused.yaml")));
}

/// Runs `edit` with a shell script for an editor; the copy is its first argument.
fn edit(dir: &Path, name: &str, script: &str) -> Output {
    let editor = dir.join("editor");
    fs::write(&editor, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&editor, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = PortentProcess::command(&["playbooks", "edit", name]);
    command.env("EDITOR", &editor).env("PATH", "/usr/bin:/bin").stdin(std::process::Stdio::null()).current_dir(dir);
    command.output().unwrap()
}

#[test]
fn an_edited_file_is_replaced_whole_or_not_at_all_and_nothing_written_is_lost() {
    let dir = folder();
    let (file, copy) = (dir.path().join("books/say-it.yaml"), dir.path().join("books/.say-it.yaml.edited.yaml"));
    let read = |path: &Path| fs::read_to_string(path).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    let done = edit(dir.path(), "say-it", "true");
    assert!(done.status.success() && read(&file) == GOOD && !copy.exists(), "{}", text(&done.stderr));

    let done = edit(dir.path(), "say-it", "sed -i 's/Says it/Says it aloud/' \"$1\"");
    assert!(done.status.success() && read(&file).contains("aloud") && !copy.exists(), "{}", text(&done.stderr));
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640, "its rights stay");

    let before = read(&file);
    let done = edit(dir.path(), "say-it", "sed -i 's/action: log/action: lgo/' \"$1\"");
    let said = text(&done.stderr);
    assert_eq!(done.status.code(), Some(1), "{said}");
    assert!(said.contains("say-it.yaml:3:30: error: step \"say\": there is no actuator \"lgo\"; did you mean \"log\"?"), "{said}");
    assert!(read(&file) == before && read(&copy).contains("lgo") && said.contains("what you wrote is kept in"), "{said}");
    let done = edit(dir.path(), "say-it", "sed -i 's/action: lgo/action: notify/' \"$1\"");
    let said = text(&done.stderr);
    assert!(done.status.success() && said.contains("going on with what was left") && read(&file).contains("notify"), "{said}");
    assert!(!copy.exists());

    let before = read(&file);
    let done = edit(dir.path(), "say-it", "echo '# half' >> \"$1\"; exit 3");
    assert!(done.status.code() == Some(1) && read(&file) == before && read(&copy).contains("# half"), "{}", text(&done.stderr));
    let touch = format!("echo '# mine' >> \"$1\"; echo '# theirs' >> '{}'", file.display());
    let done = edit(dir.path(), "say-it", &touch);
    assert!(done.status.code() == Some(1) && text(&done.stderr).contains("somebody else"), "{}", text(&done.stderr));
    assert!(read(&file).ends_with("# theirs\n") && read(&copy).contains("# mine"));
    fs::remove_file(&copy).unwrap();

    // A refused one can be mended, a bundled one made one's own.
    let done = edit(dir.path(), "bad", "sed -i 's/actoin: log/action: log, with: { text: a }/' \"$1\"");
    assert!(done.status.success(), "{}", text(&done.stderr));
    assert!(portent(dir.path(), &["check"]).status.success());
    let done = edit(dir.path(), "free-inodes", "sed -i 's/for a week/for a month/' \"$1\"");
    assert!(done.status.success() && read(&dir.path().join("books/free-inodes.yaml")).contains("for a month"), "{}", text(&done.stderr));
    assert_eq!(edit(dir.path(), "nothing-like-it", "true").status.code(), Some(2));
}

#[test]
fn without_a_daemon_a_dry_run_shows_the_steps_and_a_run_says_why_not() {
    let dir = folder();
    let away = "http://127.0.0.1:1";
    let run = |arguments: &[&str]| portent(dir.path(), &[&["playbooks", "run", "say-it", "--url", away], arguments].concat());
    let done = run(&["--on", "job=web", "--dry-run"]);
    let said = text(&done.stdout);
    assert!(done.status.success() && said.contains("would say: web is slow") && said.contains("risk none, harmless to repeat"), "{said}");
    assert!(said.contains("the gate was not asked"), "{said}");
    let done = run(&["--on", "job=web", "--dry-run", "-o", "json"]);
    let report: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!((&report["decision"], &report["steps"][0]["with"]["text"]), (&Value::Null, &json!("web is slow")));
    let done = run(&["--on", "job=web", "--by", "ann"]);
    assert!(done.status.code() == Some(1) && text(&done.stderr).contains("only a running daemon's gate"), "{}", text(&done.stderr));
    assert_eq!(run(&["--on", "job"]).status.code(), Some(2));
    let other = portent(dir.path(), &["playbooks", "run", "gone", "--url", away, "--on", "a=b", "--dry-run"]);
    assert_eq!(other.status.code(), Some(2));
}

/// A daemon that watches a health check and may call the server that counts.
struct Acting {
    prometheus: support::Prometheus,
    counting: Server,
    health: String,
    listen: (String, String),
}

impl Acting {
    fn new() -> Self {
        let counting = Server::start(Answer::Status(200, "done".to_owned()));
        let health = format!("127.0.0.1:{}", support::free_port());
        Self { prometheus: support::Prometheus::new().start(), counting, health, listen: PortentProcess::free_address() }
    }

    fn write(&self, dir: &Path, silences: Option<&str>) {
        let silences = silences.map(|url| format!("silences: {url}, ")).unwrap_or_default();
        let text = format!(
            "sources: [{{ name: a, prometheus: {{ url: '{}' }} }}]\ninterval: 1s\nlisten: {}\nact: {{ mode: execute, {silences}http: {{ allow: [127.0.0.1], allow_private: true }} }}\n\
             checks: [{{ name: shop-health, http: 'http://{}/healthz', labels: {{ service: shop, pod: shop-0 }}, failures: 3, recovers: 2, timeout: 2s }}]\n\
             playbooks:\n  - name: restart-shop\n    about: Restarts the shop.\n    when: {{ on: check, watches: [shop-health], conditions: [{{ metric: failures, ge: 3 }}] }}\n    cooldown: 0s\n    verify: own\n    \
             steps: [{{ name: restart, action: http, with: {{ url: '{}', method: PUT }}, timeout: 5s }}]\n",
            self.prometheus.url(),
            self.listen.0,
            self.health,
            self.counting.url("/restart/{{pod}}"),
        );
        fs::write(dir.join("portent.yaml"), text).unwrap();
    }

    fn start(&self, dir: tempfile::TempDir) -> PortentProcess {
        let mut process = PortentProcess::start_in(dir, &["run"]);
        process.wait_ready(&self.listen.1);
        process
    }

    fn runs(&self) -> Vec<Value> {
        PortentProcess::json(&self.listen.1, "/api/v1/runs")["data"].as_array().cloned().unwrap_or_default()
    }

    fn wait_for_run(&self, wanted: impl Fn(&Value) -> bool) -> Option<Value> {
        wait_until(SOON, || self.runs().into_iter().find(&wanted))
    }
}

#[test]
fn a_check_that_fails_three_times_begins_one_run_an_episode_and_a_restart_begins_none() {
    let acting = Acting::new();
    let dir = tempfile::tempdir().unwrap();
    acting.write(dir.path(), None);
    let mut portent = acting.start(dir);
    let run = acting.wait_for_run(|run| run["phase"] == "verifying").unwrap_or_else(|| panic!("{:?}\n{}", acting.runs(), portent.log()));
    assert_eq!((&run["playbook"], &run["targets"], &run["watch"]), (&json!("restart-shop"), &json!(["shop"]), &json!("shop-health")));
    let reasons = run["reasons"].to_string();
    assert!(reasons.contains("failed 3 times in a row, 3 at least"), "{reasons}");
    assert_eq!(acting.counting.got().len(), 1);
    assert!(acting.counting.got()[0].line.starts_with("PUT /restart/shop-0 "), "{:?}", acting.counting.got());

    // What is asked for by hand goes through the same door: it is under way already, and a look changes nothing.
    let url = acting.listen.1.clone();
    let by_hand = |arguments: &[&str]| portent_at(&url, &[&["restart-shop", "--on", "pod=shop-0", "--by", "ann"], arguments].concat());
    let looked = by_hand(&["--dry-run", "-o", "json"]);
    let report: Value = serde_json::from_slice(&looked.stdout).unwrap_or_else(|_| panic!("{looked:?}"));
    assert_eq!(
        (&report["decision"], &report["steps"][0]["risk"], &report["steps"][0]["is_idempotent"]),
        (&json!("deny"), &json!("high"), &json!(false))
    );
    assert!(report["steps"][0]["would"].as_str().unwrap().starts_with("would send PUT http://127.0.0.1:"), "{report}");
    assert!(report["reasons"].to_string().contains("something is under way on shop"), "{report}");
    let refused = by_hand(&[]);
    assert!(
        refused.status.code() == Some(1) && text(&refused.stderr).contains("something is under way for this prediction already"),
        "{refused:?}"
    );
    let nobody = portent_at(&url, &["restart-shop", "--on", "pod=other", "--dry-run"]);
    assert!(nobody.status.code() == Some(1) && text(&nobody.stdout).contains("nothing is open about a series"), "{nobody:?}");

    // Killed in the middle of the outage: the same episode goes on.
    portent.kill9();
    let mut portent = acting.start(portent.into_dir());
    let fails = |portent: &PortentProcess| portent.log().matches("health check fails").count();
    assert!(wait_until(SOON, || (fails(&portent) == 2).then_some(())).is_some(), "{}", portent.log());
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!((acting.counting.got().len(), acting.runs().len()), (1, 1), "{}", portent.log());

    // Well again: it is seen to have helped.
    let health = Server::start_at(&acting.health, Answer::Status(204, String::new()));
    let helped = wait_until(Duration::from_secs(150), || acting.runs().into_iter().find(|run| run["outcome"] == "verified"));
    assert!(helped.is_some() && health.connections() > 2, "{:?}\n{}", acting.runs(), portent.log());
    assert!(portent.sigterm_and_wait(SOON).success());
}

fn portent_at(url: &str, arguments: &[&str]) -> Output {
    let dir = tempfile::tempdir().unwrap();
    portent(dir.path(), &[&["playbooks", "run", "--url", url], arguments].concat())
}

#[tokio::test]
async fn a_real_alertmanagers_silences_keep_it_from_acting_until_they_are_over() {
    let real = support::Alertmanager::start();
    let silence = |seconds: i64| {
        let at = |s: i64| (jiff::Timestamp::now() + jiff::SignedDuration::from_secs(s)).to_string();
        json!({
            "matchers": [{ "name": "pod", "value": "shop-.", "isRegex": true, "isEqual": true }, { "name": "team", "value": "a", "isRegex": false, "isEqual": false }],
            "startsAt": at(0), "endsAt": at(seconds), "createdBy": "ann", "comment": "mending",
        })
    };
    let made = support::post(&format!("{}/api/v2/silences", real.url()), "application/json", silence(3_600).to_string());
    assert!(made.is_success(), "{}", made.text());
    let base = format!("{}/", real.url()).parse().unwrap();
    let read = silences::read(&base).await.unwrap();
    assert_eq!((read.len(), read[0].by.as_str(), read[0].matchers.len()), (1, "ann (mending)", 2));
    assert!(silences::read(&"http://127.0.0.1:1/".parse().unwrap()).await.unwrap_err().contains("can't be asked"));

    let acting = Acting::new();
    let dir = tempfile::tempdir().unwrap();
    acting.write(dir.path(), Some(&real.url()));
    let portent = acting.start(dir);
    let refused = acting.wait_for_run(|run| run["outcome"] == "refused").unwrap_or_else(|| panic!("{}", portent.log()));
    assert!(refused["why"].as_str().unwrap().starts_with("silenced by ann (mending) until "), "{refused}");
    assert_eq!(acting.counting.got().len(), 0);
    let id = made.json()["silenceID"].as_str().unwrap().to_owned();
    let url = format!("{}/api/v2/silence/{id}", real.url());
    assert!(support::request(reqwest::Method::DELETE, &url, &[], vec![], SOON).unwrap().is_success());
    let begun = acting.wait_for_run(|run| run["phase"] == "verifying");
    assert!(begun.is_some() && acting.counting.got().len() == 1, "{:?}\n{}", acting.runs(), portent.log());
}
