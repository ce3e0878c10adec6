//! Playbooks in a running daemon: one that begins with an anomaly, and a file with faults that keeps nobody from anything.

use serde_json::Value;
use tempfile::TempDir;

use super::daemon::{Config, Running, SOON, STARTED};
use super::history::{DISKS, MINUTE_MS, daily, grid, noise, quiet_prometheus, this_minute_ms};
use crate::support::{OpenMetricsWriter, PortentProcess, Prometheus, wait_until};

/// Four days of requests with their daily wave, of which nine in ten have stayed away for some minutes.
fn dropped_prometheus() -> Prometheus {
    let dir = TempDir::new().expect("a throwaway folder");
    let mut writer = OpenMetricsWriter::create(dir.path().join("dropped.om"));
    let since = this_minute_ms() - 4 * MINUTE_MS;
    writer.gauge("requests", &[("job", "shop")], grid(4, this_minute_ms()), |t| {
        let usual = 100.0 + 20.0 * daily(t) + noise(1, t);
        Some(if t < since { usual } else { usual / 10.0 })
    });
    Prometheus::new().backfill(&writer.finish())
}

fn runs(portent: &Running) -> Vec<Value> {
    PortentProcess::json(&portent.url, "/api/v1/runs")["data"].as_array().cloned().unwrap_or_default()
}

#[test]
fn an_anomaly_begins_one_run_and_asks_a_person_again_only_about_another_one() {
    let prometheus = dropped_prometheus().start();
    let playbook = "playbooks: [{ name: look, about: Looks., when: { on: anomaly, watches: [requests], conditions: [{ metric: score, ge: 1 }, \
        { metric: value, lt: 50 }] }, steps: [{ name: say, action: log, with: { text: \"{{job}} gets few requests\" } }], verify: own }]";
    let config = Config::new(&prometheus.url())
        .watch("name: requests, query: requests, service: '{{job}}'")
        .line("act: { mode: ask }")
        .line(playbook);
    let mut portent = Running::start(&config);
    portent.wait_ready();
    let asked = wait_until(STARTED, || runs(&portent).into_iter().next()).unwrap_or_else(|| panic!("{}", portent.tail()));
    let said = asked["reasons"].to_string();
    assert_eq!(
        (asked["phase"].as_str(), asked["watch"].as_str(), asked["service"].as_str()),
        (Some("waiting"), Some("requests"), Some("shop"))
    );
    assert!(said.contains("score is ") && !said.contains("likelihood is"), "{said}");
    assert!(asked["value"].as_f64().unwrap() < 50.0, "the value, and no threshold: {asked}");

    // Found again after a crash by whichever of its samples: it is the one that a person was asked about.
    portent.process.kill9();
    let mut portent = Running::start_in(portent.process.into_dir(), &["-c", "portent.yaml"]);
    portent.wait_ready();
    let is_found = wait_until(STARTED, || {
        let found = PortentProcess::json(&portent.url, "/api/v1/anomalies")["data"].as_array().is_some_and(|all| !all.is_empty());
        found.then_some(())
    });
    assert!(is_found.is_some(), "{}", portent.tail());
    std::thread::sleep(std::time::Duration::from_secs(4));
    let all = runs(&portent);
    assert_eq!((all.len(), &all[0]["run"]), (1, &asked["run"]), "{all:?}");
}

#[test]
fn a_playbook_file_with_a_fault_is_refused_alone_at_the_start_and_at_a_reload() {
    let prometheus = quiet_prometheus(2).start();
    let dir = TempDir::new().unwrap();
    let books = dir.path().join("books");
    std::fs::create_dir(&books).unwrap();
    let good = "name: NAME\nabout: Says it.\nsteps: [{ name: say, action: log, with: { text: now } }]\n";
    std::fs::write(books.join("one.yaml"), good.replace("NAME", "one")).unwrap();
    std::fs::write(books.join("two.yaml"), good.replace("NAME", "two").replace("action", "actoin")).unwrap();
    Config::new(&prometheus.url()).watch(DISKS).line("playbooks_dir: books").write(dir.path());
    let mut portent = Running::start_in(dir, &["-c", "portent.yaml"]);
    portent.wait_ready();
    let refused = |portent: &Running| PortentProcess::json(&portent.url, "/api/v1/status")["data"]["playbooks_refused"].clone();
    let said = refused(&portent).to_string();
    assert!(said.contains("two.yaml:3:9: a step lacks") && portent.metric("portent_playbooks_refused") == 1.0, "{said}");
    assert!(portent.process.log().contains("a playbook file is refused, the others are used"), "{}", portent.tail());

    let books = portent.process.dir().join("books");
    std::fs::write(books.join("one.yaml"), "name: [").unwrap();
    assert!(portent.reload().is_success(), "{}", portent.tail());
    assert_eq!(portent.metric("portent_playbooks_refused"), 2.0);
    assert!(refused(&portent).to_string().contains("one.yaml:"));
    for name in ["one", "two"] {
        std::fs::write(books.join(format!("{name}.yaml")), good.replace("NAME", name)).unwrap();
    }
    assert!(portent.reload().is_success(), "{}", portent.tail());
    let is_mended = wait_until(SOON, || (portent.metric("portent_playbooks_refused") == 0.0).then_some(()));
    assert!(is_mended.is_some() && refused(&portent) == serde_json::json!([]), "{}", refused(&portent));
}
