//! `portent demo` as a user starts it: it acts on its own process and on nothing else, and leaves nothing behind however it ends.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::support::{PortentProcess, wait_until};

/// Three days of the demo at the speed below, and the seconds of an act, on a machine that runs other tests too.
const ACTED: Duration = Duration::from_secs(180);
const SOON: Duration = Duration::from_secs(20);

/// Processes that this one started and that are still there, zombies aside.
fn children(pid: u32) -> Vec<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let of_threads = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok()).collect::<Vec<_>>().join(" ");
    let mut all: Vec<u32> = format!("{text} {of_threads}").split_whitespace().filter_map(|pid| pid.parse().ok()).collect();
    all.sort_unstable();
    all.dedup();
    all
}

fn is_there(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}/cmdline")).exists()
}

fn sandbox_of(demo: &mut PortentProcess) -> u32 {
    let pid = demo.process().pid();
    wait_until(SOON, || children(pid).first().copied()).unwrap_or_else(|| panic!("it started no process: {}", demo.log()))
}

#[test]
fn it_restarts_its_own_leaking_process_before_it_runs_out_and_shows_every_step() {
    let mut demo = PortentProcess::start(&["demo", "--speed", "8000", "--keep", "kept"]);
    let before = sandbox_of(&mut demo);
    let verified = wait_until(ACTED, || demo.log().lines().find(|line| line.contains(" verified ")).map(str::to_owned));
    let verified = verified.unwrap_or_else(|| panic!("it was not seen to help:\n{}", demo.log()));
    assert!(verified.contains("restart-sandbox has helped 1 of 1 times"), "{verified}");
    let after = sandbox_of(&mut demo);
    assert!(before != after && !is_there(before), "{before} was not restarted");
    demo.process().signal("INT");
    let status = demo.process().wait(SOON).expect("Ctrl-C ends it");
    assert!(status.success() && !is_there(after), "{status}: {}", demo.log());

    let log = demo.log();
    let story = ["PREDICTED", "ALLOWED", "started", "ended", "verified"];
    let own = |line: &&str| line.contains("own process is running") || line.contains("restart") || line.contains("(command)");
    let told: Vec<&str> = log.lines().filter(own).collect();
    let mut rest = told.iter();
    for word in story {
        assert!(rest.any(|line| line.contains(word)), "no {word} in its turn:\n{}", told.join("\n"));
    }
    assert!(log.contains("Its own leaking process was restarted 1 times") && log.contains("portent audit export --data-dir kept"), "{log}");

    // Nothing but that was done, and all of it is in an audit that is whole.
    let dir = demo.into_dir();
    let audit = |verb: &str| PortentProcess::output(&["audit", verb, "--data-dir", "kept"], dir.path());
    assert!(audit("verify").status.success());
    let lines = String::from_utf8(audit("export").stdout).unwrap();
    let records: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|line| serde_json::from_str(line["record"].as_str().unwrap()).unwrap())
        .collect();
    let of = |kind: &str| records.iter().filter(|record| record["record"] == kind).collect::<Vec<_>>();
    let begun: Vec<&Value> = of("claimed").iter().map(|record| &record["run"]).collect();
    assert_eq!(begun.len(), 1, "{begun:?}");
    let proposals = of("proposed");
    let proposal = proposals.iter().find(|record| &record["run"] == begun[0]).unwrap();
    assert_eq!(
        (&proposal["proposal"]["playbook"]["name"], &proposal["proposal"]["targets"][0]),
        (&"restart-sandbox".into(), &"sandbox".into())
    );
}

#[test]
fn its_process_ends_with_it_even_when_it_is_killed() {
    let mut demo = PortentProcess::start(&["demo"]);
    let sandbox = sandbox_of(&mut demo);
    demo.kill9();
    let is_gone = wait_until(SOON, || {
        let stat = fs::read_to_string(format!("/proc/{sandbox}/stat")).unwrap_or_default();
        (stat.is_empty() || stat.contains(") Z ")).then_some(())
    });
    assert!(is_gone.is_some(), "{sandbox} outlived the demo");
}
