//! What a person silenced is foretold and shown, and nothing is told or done about it: over a kill, and until the silence ends.

use std::fs;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::daemon::{Config, END_WITHIN, MAKE_ROOM, Running, SOON, STARTED};
use super::history::{DISKS, filling_prometheus};
use crate::support::{PortentProcess, Received, Receiver, wait_until};

/// Longer than a few ticks, going-overs and resends: what would be told or done is told or done by then.
const LONG_ENOUGH: Duration = Duration::from_secs(6);

/// Allowed and carried out at once, were it not silenced.
const ACT: &str = "act: { mode: execute, command: { allow: [/usr/bin/touch] } }\n";

/// `portent silence ARGUMENTS` as a person types it: its exit code, and what it says on stdout and stderr.
fn silence(portent: &Running, arguments: &[&str]) -> (Option<i32>, String, String) {
    let all = [&["silence"], arguments, &["--url", &portent.url]].concat();
    let output = PortentProcess::output(&all, portent.process.dir());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn what_is_silenced_is_shown_and_neither_told_nor_acted_upon_until_somebody_ends_that() {
    let mut prometheus = filling_prometheus(1).start();
    // The silence is there before anything is foretold.
    prometheus.stop();
    let (hook, alerts, done) = (Receiver::start(), Receiver::start(), tempfile::tempdir().unwrap());
    let done = done.path().join("done");
    let receivers = format!(
        "notify: [ {{ webhook: {{ name: hook, url: '{}', allow_private: true, secret_file: hook.key }} }}, \
         {{ alertmanager: {{ name: alerts, url: '{}', allow_private: true, resend: 1s }} }} ]",
        hook.url(),
        alerts.url()
    );
    let remedy = format!("{ACT}{MAKE_ROOM}").replace("DONE", done.to_str().unwrap());
    let mut portent = Running::start(&Config::new(&prometheus.url()).watch(DISKS).line(&receivers).line(&remedy));
    wait_until(STARTED, || portent.readiness()).expect("it listens");

    for (wrong, code, why) in [
        (&["add", "host", "--for", "2h", "--comment", "c"][..], 2, "no matcher"),
        (&["add", "host=a", "--comment", "c"], 2, "without an end"),
        (&["add", "host=a", "--for", "2h"], 2, "without a reason"),
        (&["add", "host=~.*", "--for", "2h", "--comment", "c", "--by", "ann"], 1, "of everything"),
        (&["expire", "s00000000000000ff", "--by", "ann"], 1, "never there"),
    ] {
        let (found, _, said) = silence(&portent, wrong);
        assert_eq!(found, Some(code), "{why}: {said}");
    }
    let add = ["add", "service=filling", "host=~fill.*", "job!=other", "--for", "2h", "--comment", "moving it", "--by", "ann"];
    let (code, made, said) = silence(&portent, &add);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("service=\"filling\",host=~\"fill.*\",job!=\"other\" is silenced"), "{said}");
    let id = made.trim();

    prometheus.start_again();
    let open = || Some(portent.data("/api/v1/predictions?state=open")[0].clone()).filter(Value::is_object);
    let prediction = wait_until(STARTED, open).unwrap_or_else(|| panic!("nothing is foretold\n{}", portent.tail()));
    assert_eq!((&prediction["silenced"]["id"], &prediction["silenced"]["by"]), (&id.into(), &"ann (moving it)".into()));
    let refused = || portent.data("/api/v1/runs").as_array()?.iter().find(|run| run["outcome"] == "refused").cloned();
    let refused = wait_until(SOON, refused).unwrap_or_else(|| panic!("no gate was asked\n{}", portent.tail()));
    let is_why = |why: &Value| why.as_str().is_some_and(|why| why.starts_with("silenced by ann (moving it) until ") && why.contains(id));
    assert!(refused["reasons"].as_array().unwrap().iter().any(is_why), "{refused:#}");
    let quiet = |portent: &Running| {
        thread::sleep(LONG_ENOUGH);
        let told: Vec<Value> = [&hook, &alerts].iter().flat_map(|one| one.received()).map(|event| event.json()).collect();
        assert!(told.is_empty() && !done.exists(), "{told:#?}\n{}", portent.tail());
        assert!((portent.metric("portent_silences_active") - 1.0).abs() < f64::EPSILON);
    };
    quiet(&portent);
    assert!(portent.metric("portent_predictions_silenced_total") >= 1.0);
    let listed = PortentProcess::output(&["predictions", "--url", &portent.url], portent.process.dir());
    assert!(String::from_utf8_lossy(&listed.stdout).contains("open, silenced until "), "{listed:?}");

    portent = portent.kill_and_start_again();
    portent.wait_ready();
    quiet(&portent);
    let (code, listed, said) = silence(&portent, &["list", "-o", "json"]);
    let listed: Value = serde_json::from_str(&listed).unwrap_or_else(|error| panic!("{error}: {said}"));
    assert_eq!((code, &listed[0]["id"], &listed[0]["state"]), (Some(0), &id.into(), &"active".into()));
    assert_eq!(listed[0]["predictions_open"], 1, "{listed:#}");

    assert_eq!(silence(&portent, &["expire", id, "--by", "bob"]).0, Some(0));
    assert_eq!(silence(&portent, &["expire", id, "--by", "bob"]).0, Some(1), "once");
    assert!(silence(&portent, &["list"]).1.contains("nothing is silenced"));
    assert!(silence(&portent, &["list", "--all"]).1.contains("ann, ended by bob"));
    let acted = wait_until(SOON, || done.exists().then_some(()));
    assert!(acted.is_some(), "{:#}\n{}", portent.data("/api/v1/runs"), portent.tail());
    let alerted = wait_until(SOON, || alerts.received().last().map(Received::json));
    let alerted = alerted.unwrap_or_else(|| panic!("no alert\n{}", portent.tail()));
    assert_eq!(alerted[0]["labels"]["host"], "filling");
    // Its next event goes out as ever: its watch is taken away, which ends it.
    let file = portent.process.dir().join("portent.yaml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("name: disks,", "name: others,").replace("above: 0.9, ", "")).unwrap();
    assert!(portent.reload().is_success(), "{}", portent.reload().text());
    let ended = |event: &Value| event["type"] == "dev.portent.prediction.resolved" && event["data"]["id"] == prediction["id"];
    let told = wait_until(SOON, || hook.received().iter().map(Received::json).find(ended));
    assert!(told.is_some(), "{:#?}\n{}", hook.received(), portent.tail());

    assert!(portent.process.sigterm_and_wait(END_WITHIN).success());
    let dir = portent.process.into_dir();
    let verified = PortentProcess::output(&["audit", "verify", "--data-dir", "data"], dir.path());
    assert!(verified.status.success(), "{verified:?}");
    let audit = PortentProcess::output(&["audit", "export", "--data-dir", "data"], dir.path());
    let lines = String::from_utf8(audit.stdout).unwrap();
    let records: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["record"].as_str().unwrap().parse().unwrap()).collect();
    let made = records.iter().find(|record| record["record"] == "silenced").expect("who silenced it is in the audit");
    assert_eq!((&made["silence"]["by"], &made["silence"]["comment"]), (&"ann".into(), &"moving it".into()));
    assert!(records.iter().any(|record| record["record"] == "unsilenced" && record["by"] == "bob" && record["silence"] == id));
}
