//! What is told of remedies: every line of the audit that is worth a message reaches those who asked for such, whatever crashes in between;
//! and the head that was told finds an end that was cut off.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::daemon::{Config, END_WITHIN, KEY, MAKE_ROOM, Running, STARTED};
use super::history::{DISKS, filling_prometheus};
use crate::support::{PortentProcess, Received, Receiver, post, wait_until};

/// What is on its way when somebody looks is there by then, backoff included.
const DELIVERED: Duration = Duration::from_secs(60);

const ACT: &str = "act: { mode: ask, command: { allow: [/usr/bin/touch] }, audit_head: { every: 1s } }\n\
     external_url: https://portent.example/base/\n";

fn hook(name: &str, receiver: &Receiver, more: &str) -> String {
    format!("{{ webhook: {{ name: {name}, url: '{}', allow_private: true, secret_file: hook.key{more} }} }}", receiver.url())
}

fn kinds(events: &[Received]) -> Vec<String> {
    events.iter().map(|event| event.json()["type"].as_str().unwrap().strip_prefix("dev.portent.").unwrap().to_owned()).collect()
}

/// The lines of a stopped daemon's audit.
fn audit(dir: &Path) -> Vec<Value> {
    let output = PortentProcess::output(&["audit", "export", "--data-dir", "data"], dir);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn record(line: &Value) -> Value {
    serde_json::from_str(line["record"].as_str().unwrap()).unwrap()
}

#[test]
fn every_line_that_is_told_arrives_over_a_kill_and_an_outage_and_only_where_it_is_wanted() {
    let prometheus = filling_prometheus(1).start();
    let (mut all, usual, people) = (Receiver::start(), Receiver::start(), Receiver::start());
    all.stop();
    let hooks = [hook("all", &all, ", events: [run, audit]"), hook("usual", &usual, ""), hook("people", &people, ", events: [approval]")];
    let done = tempfile::tempdir().unwrap();
    let done = done.path().join("done");
    let remedy = format!("{ACT}{MAKE_ROOM}").replace("DONE", done.to_str().unwrap());
    let config = Config::new(&prometheus.url()).watch(DISKS).line(&format!("notify: [ {} ]", hooks.join(", "))).line(&remedy);
    let mut portent = Running::start(&config);
    wait_until(STARTED, || portent.readiness()).expect("it listens");
    let waiting = wait_until(STARTED, || portent.data("/api/v1/approvals").as_array().and_then(|all| all.first().cloned()));
    let waiting = waiting.unwrap_or_else(|| panic!("nothing waits\n{}", portent.tail()));

    let wanted = people.wait_for(1, DELIVERED)[0].clone();
    assert!(wanted.is_signed_with(KEY));
    let data = &wanted.json()["data"];
    assert_eq!(wanted.json()["type"], "dev.portent.approval.wanted");
    assert_eq!((&data["run"], &data["approvals_url"]), (&waiting["run"], &"https://portent.example/base/approvals".into()));
    let token = waiting["token"].as_str().unwrap();
    assert!(token.len() > 30 && !String::from_utf8_lossy(&wanted.body).contains(token), "who gets the message could approve");

    let run = waiting["run"].as_str().unwrap();
    let url = format!("{}/api/v1/approvals/{run}/approve?by=ann&reason=night&token={token}", portent.url);
    assert!(post(&url, "text/plain", "").is_success(), "{}", portent.tail());
    portent = portent.kill_and_start_again();
    wait_until(STARTED, || portent.readiness()).expect("it listens");
    let closed = wait_until(STARTED, || portent.data("/api/v1/runs").as_array()?.iter().find(|run| run["phase"] == "closed").cloned());
    let closed = closed.unwrap_or_else(|| panic!("it is not over\n{}", portent.tail()));
    // Where the kill fell between start and report nobody knows what became of it; before the start, what was approved is not known to be so
    // still. Either is told too.
    assert!(["verified", "escalated", "aborted"].contains(&closed["outcome"].as_str().unwrap()), "{closed:#}");
    all.start_again();

    // Told when everything was decided: the last line's head.
    let told = |event: &Received, kind: &str| event.json()["type"] == format!("dev.portent.{kind}");
    let is_over = || all.received().iter().any(|event| told(event, "run.closed")).then_some(());
    assert!(wait_until(DELIVERED, is_over).is_some(), "{:?}\n{}", kinds(&all.received()), portent.tail());
    let heads = || all.received().into_iter().rfind(|event| told(event, "audit.head"));
    let lines = |event: &Received| event.json()["data"]["lines"].as_u64().unwrap();
    let line = all.received().iter().filter_map(|event| event.json()["data"]["audit"]["line"].as_u64()).max().unwrap();
    let head = wait_until(DELIVERED, || heads().filter(|event| lines(event) >= line)).expect("the head comes within seconds");
    assert!(portent.process.sigterm_and_wait(END_WITHIN).success());
    let dir = portent.process.into_dir();
    let audit = audit(dir.path());

    let is_told = |record: &Value| match record["record"].as_str().unwrap() {
        "claimed" | "checking" | "measured" => false,
        "proposed" => record["verdict"]["decision"] == "ask" || record["verdict"]["decision"] == "allow",
        _ => true,
    };
    let expected: BTreeSet<String> = audit
        .iter()
        .filter(|line| is_told(&record(line)))
        .map(|line| format!("{}.{}", record(line)["run"].as_str().unwrap(), line["seq"]))
        .collect();
    let got: BTreeSet<String> = all
        .received()
        .iter()
        .filter(|event| !told(event, "audit.head"))
        .map(|event| event.header("webhook-id").unwrap().to_owned())
        .collect();
    assert_eq!(got, expected, "{:?}", kinds(&all.received()));
    let told_people = kinds(&people.received());
    assert!(
        told_people.iter().all(|kind| kind.starts_with("approval.")) && told_people.contains(&"approval.given".to_owned()),
        "{told_people:?}"
    );
    let told_usual = kinds(&usual.received());
    assert!(!told_usual.is_empty() && told_usual.iter().all(|kind| kind.starts_with("prediction.")), "{told_usual:?}");

    // What the audit itself says: what it stood on, and how it was before and after.
    let proposed = audit.iter().map(record).find(|record| record["record"] == "proposed").unwrap();
    let basis = &proposed["proposal"]["basis"];
    assert!(basis["eta"]["p50"].is_string() && basis["evidence"][0]["value"].is_number() && basis["confidence"].is_number(), "{basis:#}");
    if closed["outcome"] == "verified" {
        assert!(done.exists());
        let record = audit.iter().map(record).find(|record| record["record"] == "closed").unwrap();
        assert_eq!((&record["before"], &record["after"]), (&0.5.into(), &0.5.into()), "{record:#}");
    }
    let head = head.json()["data"]["head"].as_str().unwrap().to_owned();
    let verified = PortentProcess::output(&["audit", "verify", "--data-dir", "data", "--head", &head], dir.path());
    assert!(verified.status.success(), "{verified:?}");
}

#[test]
fn a_head_that_was_told_finds_an_end_that_was_cut_off() {
    let receiver = Receiver::start();
    // Nobody listens there: nothing is read, and people stop and resume all the same.
    let config = Config::new("http://127.0.0.1:9")
        .watch(DISKS)
        .line(&format!("notify: [ {} ]", hook("audit", &receiver, ", events: [audit]")))
        .line("act: { mode: execute, audit_head: { every: 1s } }");
    let mut portent = Running::start(&config);
    let head = |lines: u64| {
        let is_it = |event: &Received| event.json()["data"]["lines"] == lines;
        let found = wait_until(DELIVERED, || receiver.received().into_iter().find(is_it));
        found.unwrap_or_else(|| panic!("no head of {lines} lines: {:?}", kinds(&receiver.received()))).json()["data"]["head"].clone()
    };
    let say = |portent: &Running, word: &str| {
        wait_until(STARTED, || portent.readiness()).expect("it listens");
        assert!(post(&format!("{}/api/v1/{word}?by=ann", portent.url), "text/plain", "").is_success());
    };
    say(&portent, "stop");
    let early = head(1);
    assert!(portent.process.sigterm_and_wait(END_WITHIN).success());
    let dir = portent.process.into_dir();
    fs::create_dir(dir.path().join("cut")).unwrap();
    // A whole, shorter ledger: what somebody leaves who cuts the end off.
    for file in fs::read_dir(dir.path().join("data")).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file()) {
        fs::copy(&file, dir.path().join("cut").join(file.file_name().unwrap())).unwrap();
    }
    let mut portent = Running::start_in(dir, &["-c", "portent.yaml"]);
    say(&portent, "resume");
    let late = head(2);
    assert!(portent.process.sigterm_and_wait(END_WITHIN).success());
    let dir = portent.process.into_dir();

    let verify = |folder: &str, head: &[&str]| {
        let output = PortentProcess::output(&[&["audit", "verify", "--data-dir", folder], head].concat(), dir.path());
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (early, late) = (early.as_str().unwrap(), late.as_str().unwrap());
    for head in [early, late] {
        assert_eq!(verify("data", &["--head", head]).0, Some(0));
    }
    assert_eq!(verify("cut", &[]).0, Some(0), "by itself it is whole");
    assert_eq!(verify("cut", &["--head", early]).0, Some(0));
    let (code, said) = verify("cut", &["--head", late]);
    assert!(code == Some(1) && said.contains("the end was cut off"), "{said}");
}
