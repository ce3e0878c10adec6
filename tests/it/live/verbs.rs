//! The verbs that go with a daemon: `check` before it starts, `status` and `predictions` while it runs.

use super::daemon::{Config, Running, SOON};
use super::history::{DISKS, filling_prometheus};
use crate::support::{PortentProcess, Receiver};

#[test]
fn check_says_everything_that_is_wrong_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let text = "sources: [ { name: lab, prometheus: { url: 'http://127.0.0.1:9090' } } ]\n\
                watches:\n\
                \x20 - { name: a, query: up, abvoe: 1 }\n\
                \x20 - { name: b, query: 'sum(up' }\n\
                \x20 - { name: c, query: up, horizon: soon }\n\
                intervall: 5s\n";
    std::fs::write(dir.path().join("bad.yaml"), text).unwrap();
    let output = PortentProcess::output(&["check", "-c", "bad.yaml"], dir.path());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    for (line, word) in [(3, "abvoe"), (4, "PromQL"), (5, "soon"), (6, "intervall")] {
        assert!(
            said.lines().any(|l| l.contains(&format!("bad.yaml:{line}:")) && l.contains(word)),
            "no line {line} with {word:?} in\n{said}"
        );
    }
    assert!(said.contains("4 errors"), "{said}");
    // The daemon does not start on it, says the same, and calls it wrong usage.
    let output = PortentProcess::output(&["run", "-c", "bad.yaml"], dir.path());
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("bad.yaml:6:"), "{output:?}");
}

#[test]
fn status_and_predictions_tell_of_the_running_daemon() {
    let prometheus = filling_prometheus(2).start();
    let receiver = Receiver::start();
    let mut portent =
        Running::start(&Config::new(&prometheus.url()).watch(DISKS).watch("name: up, query: up, step: 5s, horizon: 1h").hook(&receiver));
    let told = portent.first_event(&receiver).json();
    portent.wait_ready();
    let folder = tempfile::tempdir().unwrap();
    let ask = |arguments: &[&str]| {
        let url = portent.url.clone();
        let all: Vec<&str> = arguments.iter().copied().chain(["--url", &url]).collect();
        let output = PortentProcess::output(&all, folder.path());
        (output.status.code(), String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, status, errors) = ask(&["status"]);
    assert_eq!(code, Some(0), "{errors}");
    assert!(status.contains("3 series, 1 open predictions"), "{status}");
    assert!(status.lines().any(|l| l.contains("disks") && l.contains("watching")), "{status}");
    let (_, all, _) = ask(&["status", "--all"]);
    assert!(all.contains("host=\"filling\"") && all.contains("predicted"), "{all}");
    let (code, table, errors) = ask(&["predictions"]);
    assert_eq!(code, Some(0), "{errors}");
    assert!(table.contains(told["data"]["id"].as_str().unwrap()) && table.contains("filling"), "{table}");
    let (_, json, _) = ask(&["predictions", "-o", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((json.as_array().unwrap().len(), &json[0]["id"]), (1, &told["data"]["id"]));
    drop(prometheus);
    portent.wait_not_ready("source lab", SOON);
    let (code, status, _) = ask(&["status"]);
    assert_eq!(code, Some(1), "a finding");
    assert!(status.contains("NOT READY") && status.contains("source lab"), "{status}");
    drop(portent);
    let output = PortentProcess::output(&["status", "--url", "http://127.0.0.1:1"], folder.path());
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("cannot ask the daemon at http://127.0.0.1:1") && said.contains("hint:"), "{said}");
}
