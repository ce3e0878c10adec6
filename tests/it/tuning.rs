//! `portent tune` as a user runs it, and long work that is stopped.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::support::PortentProcess;

/// Disks that fill at their own speeds and are emptied half a day after they were full, at ten minutes for 24 days.
fn disks(path: &Path) {
    let mut out = std::io::BufWriter::new(std::fs::File::create(path).unwrap());
    writeln!(out, "timestamp,value,__name__,instance").unwrap();
    for disk in 0..4_i64 {
        let days = 4 * 144 + 31 * disk;
        for i in 0..24 * 144_i64 {
            let since = (i + 97 * disk) % (days + 72);
            let value = 0.2 + 0.7 * since.min(days) as f64 / days as f64 + 0.002 * ((i * 7_919) % 13) as f64 / 13.0;
            writeln!(out, "{},{value},disk_used_ratio,d{disk}", 1_793_577_600 + i * 600).unwrap();
        }
    }
}

/// A patch put into a configuration as its first line says: watches by name, deeper keys one by one.
fn merged(config: &str, patch: &str) -> String {
    fn merge(into: &mut Value, from: &Value) {
        match (into, from) {
            (Value::Object(into), Value::Object(from)) => {
                for (key, value) in from {
                    merge(into.entry(key.clone()).or_insert(Value::Null), value);
                }
            }
            (into, from) => *into = from.clone(),
        }
    }
    let mut whole: Value = serde_saphyr::from_str(config).unwrap();
    let patch: Value = serde_saphyr::from_str(patch).unwrap();
    for change in patch["watches"].as_array().unwrap() {
        let watches = whole["watches"].as_array_mut().unwrap();
        let watch = watches.iter_mut().find(|watch| watch["name"] == change["name"]).expect("only watches that are there");
        merge(watch, change);
    }
    whole.to_string()
}

#[test]
fn a_patch_holds_what_changes_and_the_configuration_with_it_is_fine_and_tells_more() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).display().to_string();
    disks(Path::new(&path("disks.csv")));
    let config = "sources: [ { name: p, prometheus: { url: 'http://127.0.0.1:1' } } ]\nwatches:\n  \
        - { name: disk-filling, query: disk_used_ratio, above: 0.9, horizon: 1h, raise: { after: 5 } }\n  \
        - { name: never, query: 'disk_used_ratio{instance=\"d0\"}', above: 7 }\n";
    std::fs::write(path("portent.yaml"), config).unwrap();
    let (own, data, into) = (path("portent.yaml"), path("disks.csv"), path("patch.yaml"));
    let tune = ["tune", "-c", &own, &data, "--warmup", "3d", "--min-lead", "4h", "--patch", &into, "-o", "json"];
    let output = PortentProcess::output(&tune, dir.path());
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let tuned: Value = serde_json::from_slice(&output.stdout).unwrap();
    let [filling, never] = &tuned["proposals"].as_array().unwrap()[..] else { panic!("{tuned}") };
    assert_eq!((never["changes"].as_array().map(Vec::len), never["shown_on"]["proposed"].is_null()), (Some(0), true));
    assert!(never["because"].as_str().unwrap().starts_with("0 events to choose by"), "{never}");
    let shown = &filling["shown_on"];
    assert_eq!(shown["today"]["told"], 0, "an hour ahead is too late for who wants four");
    assert!(shown["proposed"]["told"].as_u64() > Some(0), "{filling}");
    assert_eq!(std::fs::read_to_string(path("portent.yaml")).unwrap(), config, "nothing is changed");

    let patch = std::fs::read_to_string(path("patch.yaml")).unwrap();
    assert!(patch.contains("# was 1h") && patch.contains("# never: kept as it is") && !patch.contains("query"), "{patch}");
    std::fs::write(path("merged.yaml"), merged(config, &patch)).unwrap();
    let check = PortentProcess::output(&["check", "-c", &path("merged.yaml")], dir.path());
    assert!(check.status.success(), "{}{patch}", String::from_utf8_lossy(&check.stderr));
    let told = |config: &str| -> u64 {
        let backtest = ["backtest", "-c", &path(config), &path("disks.csv"), "--warmup", "3d", "-o", "json", "--watch", "disk-filling"];
        let report: Value = serde_json::from_slice(&PortentProcess::output(&backtest, dir.path()).stdout).unwrap();
        let early = |event: &&Value| event["lead_time_s"].as_f64() >= Some(4.0 * 3_600.0);
        report["events"].as_array().unwrap().iter().filter(early).count() as u64
    };
    assert_eq!(told("portent.yaml"), 0);
    assert!(told("merged.yaml") >= shown["proposed"]["told"].as_u64().unwrap(), "a backtest with the patch tells them too");
}

#[test]
fn ctrl_c_ends_a_backtest_with_what_it_has() {
    let dir = tempfile::tempdir().unwrap();
    let (data, charts) = (dir.path().join("data.csv"), dir.path().join("charts"));
    let mut out = std::io::BufWriter::new(std::fs::File::create(&data).unwrap());
    // Rhythms that nearly reach the threshold are looked at all the time: on one thread seconds of work, in windows of a sixth.
    let names: Vec<String> = (0..100).map(|i| format!("s{i}")).collect();
    writeln!(out, "timestamp,{}", names.join(",")).unwrap();
    for row in 0..12_000_i64 {
        let value = |i: i64| 0.6 + 0.28 * ((row + 31 * i) as f64 / 30.0).sin() + ((row * 7_919 + i * 31) % 97) as f64 * 1e-4;
        let values: Vec<String> = (0..100).map(|i| format!("{:.4}", value(i))).collect();
        writeln!(out, "{},{}", 1_793_577_600 + row * 60, values.join(",")).unwrap();
    }
    out.flush().unwrap();
    // How far it comes in a while depends on the machine: the first while in which an hour was gone over is looked at.
    let stopped_after = |wait: Duration| {
        let _ = std::fs::remove_dir_all(&charts);
        let child = Command::new(env!("CARGO_BIN_EXE_portent"))
            .args(["backtest", "-o", "json", "--threads", "1", "--above", "0.9", "--horizon", "12h", "--charts"])
            .args([&charts, &data])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let patience = Instant::now() + Duration::from_secs(60);
        // The folder is made when everything is read and the going over begins.
        while !charts.exists() && Instant::now() < patience {
            std::thread::sleep(Duration::from_millis(10));
        }
        std::thread::sleep(wait);
        assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["stopped_early"], true);
        Some((report["from"].as_str()?.to_owned(), report["to"].as_str()?.to_owned()))
    };
    let (from, to) = [50, 200, 800, 3_200].into_iter().map(Duration::from_millis).find_map(stopped_after).expect("an hour gone over");
    assert!(from < to && to.as_str() < "2026-11-10", "some of it was gone over: {from} to {to}");
}
