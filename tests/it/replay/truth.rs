//! What is true may come from elsewhere: a file of labels, the alerts of a real Prometheus; and two configurations side by side.

use serde_json::Value;

use super::told::small_csv;
use crate::support::{OpenMetricsWriter, PortentProcess, Prometheus};

fn report(arguments: &[&str], dir: &std::path::Path) -> Value {
    let output = PortentProcess::output(&[arguments, &["-o", "json"]].concat(), dir);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn labels_decide_what_came_true() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("small.csv"), small_csv()).unwrap();
    // The disk's owner was woken three hours before the threshold; what happened to `calm` nobody could see; a third one is not there.
    let labels = "series,start,end,what\n\
        {__name__=\"full\"},2026-11-06T00:00:00Z,2026-11-06T05:00:00Z,writes failed\n\
        full,2026-11-06T04:00:00Z,2026-11-06T06:00:00Z,and reads\n\
        calm,2026-11-06T10:00:00Z,2026-11-06T11:00:00Z,rebooted\n\
        \"{host=\"\"c\"\"}\",2026-11-06T10:00:00Z,,elsewhere\n";
    std::fs::write(dir.path().join("labels.csv"), labels).unwrap();
    let common = ["backtest", "small.csv", "--above", "0.9", "--warmup", "3d", "--labels", "labels.csv"];
    let report = report(&common, dir.path());
    assert_eq!(report["truth"], "labels");
    let outcome = &report["predictions"][0]["outcome"];
    assert_eq!((&outcome["verdict"], &outcome["at"]), (&"came_true".into(), &"2026-11-06T00:00:00Z".into()));
    assert_eq!(outcome["lead_time_s"], 18.0 * 3_600.0, "raised at 06:00 the day before");
    let events = report["events"].as_array().unwrap();
    let [full, calm] = &events[..] else { panic!("{events:?}") };
    assert_eq!((&full["what"], &full["ends_at"]), (&"writes failed, and reads".into(), &"2026-11-06T06:00:00Z".into()), "merged");
    assert_eq!((&full["told_by"], &calm["told_by"]), (&report["predictions"][0]["id"], &Value::Null));
    let summary = &report["summary"];
    assert_eq!((&summary["events"], &summary["told"], &summary["incidents"]), (&2.into(), &1.into(), &2.into()));
    let line = report["rivals"].as_array().unwrap().iter().find(|rival| rival["name"] == "threshold 10 % lower").unwrap();
    assert_eq!((&line["told"], &line["median_lead_time_s"]), (&1.into(), &(13.0 * 3_600.0).into()), "judged by the same labels");
    let notes = report["notes"].to_string();
    assert!(notes.contains("labels about no series that was looked at: {host=\\\"c\\\"}"), "{notes}");

    // Judged by what happened elsewhere in time, the same prediction was in vain.
    std::fs::write(dir.path().join("labels.csv"), "series,start,end\nfull,2026-11-05T02:00:00Z,2026-11-05T03:00:00Z\n").unwrap();
    let vain = super::truth::report(&[&common[..], &["--to", "2026-11-06T12:00:00Z"]].concat(), dir.path());
    assert_eq!(vain["predictions"][0]["outcome"]["verdict"], "did_not");
    assert_eq!((&vain["summary"]["false_alarms"], &vain["summary"]["missed"]), (&1.into(), &1.into()));

    std::fs::write(dir.path().join("labels.csv"), "series,start,end\nfull,then,now\nfull,2026-11-05T02:00:00Z,2026-11-04T03:00:00Z\n")
        .unwrap();
    let output = PortentProcess::output(&common, dir.path());
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && output.stdout.is_empty(), "{output:?}");
    for says in ["labels.csv:2: start: \"then\"", "labels.csv:2: end: \"now\"", "labels.csv:3: the end"] {
        assert!(stderr.contains(says), "{says}: {stderr}");
    }
}

#[test]
fn a_bundled_card_is_labels_too() {
    let dir = tempfile::tempdir().unwrap();
    let root = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_else(|_| env!("CARGO_MANIFEST_DIR").to_owned());
    let of = |name: &str| format!("{root}/datasets/servers/{name}");
    // Half of it is enough to see that incidents are noticed, and a debug build is slow.
    let report = report(&["backtest", &of("data.csv"), "--labels", &of("dataset.toml"), "--to", "2020-10-22T00:00:00Z"], dir.path());
    let summary = &report["summary"];
    let (incidents, noticed) = (summary["incidents"].as_u64().unwrap(), summary["noticed"].as_u64().unwrap());
    assert!(incidents >= 10 && noticed >= incidents / 3, "{summary}");
    assert_eq!((&summary["events"], &report["events"][0]["can_be_told"]), (&0.into(), &false.into()), "nothing says what would be bad");
    let share = summary["noticed_interval"].as_array().unwrap();
    assert!(share[0].as_f64() < summary["noticed_share"].as_f64() && summary["anomaly_precision"].is_f64(), "{summary}");
}

#[test]
fn crossings_are_the_labels_of_a_set_that_has_a_threshold() {
    let dir = tempfile::tempdir().unwrap();
    let root = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_else(|_| env!("CARGO_MANIFEST_DIR").to_owned());
    let of = |name: &str| format!("{root}/datasets/disks/{name}");
    let common = ["backtest", &of("data.csv"), "--above", "0.9", "--to", "2026-03-16T00:00:00Z"];
    let by_labels = report(&[&common[..], &["--labels", &of("dataset.toml")]].concat(), dir.path());
    let by_thresholds = report(&common, dir.path());
    // The set's rule for a crossing is ours, so both must see the same.
    let times = |report: &Value| report["events"].as_array().unwrap().iter().map(|event| event["at"].clone()).collect::<Vec<_>>();
    assert!(times(&by_labels).len() >= 4);
    assert_eq!(times(&by_labels), times(&by_thresholds));
    for key in ["told", "missed", "came_true", "false_alarms", "told_share", "median_lead_time_s", "precision_interval"] {
        assert_eq!(by_labels["summary"][key], by_thresholds["summary"][key], "{key}");
    }
}

const HOUR_MS: i64 = 3_600_000;
const STEP_MS: i64 = 300_000;
/// 2026-11-02T00:00:00Z.
const BEGIN_MS: i64 = 1_793_577_600_000;

#[test]
fn alerts_of_a_real_prometheus_decide_what_came_true() {
    let dir = tempfile::tempdir().unwrap();
    let hours = |ms: i64| (ms - BEGIN_MS) as f64 / HOUR_MS as f64;
    let mut writer = OpenMetricsWriter::create(dir.path().join("om"));
    // a fills up in nine days; b only rises and falls with the day.
    let whole = (BEGIN_MS, STEP_MS, 10 * 288);
    writer.gauge("disk", &[("instance", "a"), ("mount", "/data")], whole, |t| Some(0.9 * hours(t) / 216.0));
    writer.gauge("disk", &[("instance", "b"), ("mount", "/data")], whole, |t| {
        Some(0.5 + 0.1 * (hours(t) / 24.0 * std::f64::consts::TAU).sin())
    });
    // Fires from 0.85 on, flaps once; another one about the same host and another mount; one about the other host; one about nobody.
    let fires = |from: f64, to: f64| move |t: i64| ((from..=to).contains(&hours(t)) && !(207.0..208.0).contains(&hours(t))).then_some(1.0);
    let firing = [("alertstate", "firing"), ("severity", "page")];
    for (name, labels, (from, to)) in [
        ("DiskFull", &[("instance", "a"), ("mount", "/data")][..], (204.0, 220.0)),
        ("DiskFull", &[("instance", "a"), ("mount", "/")], (190.0, 191.0)),
        ("NodeSlow", &[("instance", "b")], (195.0, 196.0)),
        ("AllBad", &[("team", "x")], (190.0, 191.0)),
    ] {
        let labels: Vec<(&str, &str)> = [&[("alertname", name)][..], labels, &firing].concat();
        writer.gauge("ALERTS", &labels, (BEGIN_MS, 60_000, 10 * 1_440), fires(from, to));
    }
    let text = writer.finish();
    let mut prometheus = Prometheus::new().backfill(&text).start();
    let config = format!(
        "sources: [ {{ name: s, prometheus: {{ url: '{}' }} }} ]\nwatches:\n  - {{ name: disk, query: disk, step: 5m, above: 0.9, horizon: 24h, profile: gauge }}\n",
        prometheus.url()
    );
    std::fs::write(dir.path().join("portent.yaml"), config).unwrap();
    let common = [
        "backtest",
        "-c",
        "portent.yaml",
        "--from",
        "2026-11-09T00:00:00Z",
        "--to",
        "2026-11-11T18:00:00Z",
        "--cache",
        "cache",
        "--truth",
        "alerts",
    ];
    let run = |more: &[&str]| report(&[&common[..], more].concat(), dir.path());
    let all = run(&[]);
    let events = all["events"].as_array().unwrap();
    let [slow, full] = &events[..] else { panic!("{events:#?}") };
    assert_eq!(
        (&slow["what"], &slow["labels"]["instance"], &slow["at"]),
        (&"NodeSlow".into(), &"b".into(), &"2026-11-10T03:00:00Z".into())
    );
    assert_eq!(
        (&full["what"], &full["labels"]["instance"], &full["at"]),
        (&"DiskFull".into(), &"a".into(), &"2026-11-10T12:00:00Z".into())
    );
    // What was backfilled has no marker at its end: the server shows the last sample for its five minutes.
    assert_eq!(full["ends_at"], "2026-11-11T04:05:00Z", "it flapped and is one event");
    assert!(full["told_by"].is_string() && slow["told_by"].is_null(), "{events:#?}");
    let told = &all["predictions"][0]["outcome"];
    assert_eq!((&told["verdict"], &told["at"]), (&"came_true".into(), &"2026-11-10T12:00:00Z".into()));
    let notes = all["notes"].to_string();
    assert!(notes.contains("judged by 5 stretches of alerts that fired"), "{notes}");
    assert!(notes.contains("alerts about no series that was looked at") && notes.contains("AllBad"), "{notes}");

    // The second run needs no server, and asks only about the disks.
    prometheus.stop();
    let named = run(&["--alert", "disk=DiskFull"]);
    assert_eq!((&named["summary"]["events"], &named["summary"]["told"]), (&1.into(), &1.into()));
    let none = run(&["--alert", "disk=NoSuchAlert"]);
    assert_eq!((&none["summary"]["events"], &none["predictions"][0]["outcome"]["verdict"]), (&0.into(), &"did_not".into()));
    assert!(none["notes"].to_string().contains("no alert of the names disk=NoSuchAlert fired"), "{none}");
}

#[test]
fn another_configuration_makes_predictions_appear_vanish_and_move() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("small.csv"), small_csv()).unwrap();
    let write = |file: &str, watches: &str| {
        let text = format!("sources: [ {{ name: s, prometheus: {{ url: http://h/ }} }} ]\nwatches:\n{watches}");
        std::fs::write(dir.path().join(file), text).unwrap();
    };
    let watch = |name: &str, query: &str, above: f64, horizon: &str| {
        format!("  - {{ name: {name}, query: {query}, step: 1h, above: {above}, horizon: {horizon}, profile: gauge }}\n")
    };
    write(
        "now.yaml",
        &[
            watch("moves", "full", 0.9, "24h"),
            watch("goes", "full", 0.95, "24h"),
            watch("comes", "full", 2.0, "24h"),
            watch("stays", "full", 0.92, "24h"),
        ]
        .concat(),
    );
    write(
        "then.yaml",
        &[
            watch("moves", "full", 0.9, "12h"),
            watch("goes", "full", 2.0, "24h"),
            watch("comes", "full", 0.9, "24h"),
            watch("stays", "full", 0.92, "24h"),
        ]
        .concat(),
    );
    let common = ["backtest", "small.csv", "-c", "now.yaml", "--warmup", "3d", "--diff", "then.yaml"];
    let report = report(&common, dir.path());
    let diff = &report["diff"];
    let names = |list: &Value| list.as_array().unwrap().iter().map(|one| one["watch"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(
        (names(&diff["appeared"]), names(&diff["vanished"]), &diff["same"]),
        (vec!["comes".into()], vec!["goes".into()], &1.into()),
        "{diff:#}"
    );
    let [moved] = &diff["moved"].as_array().unwrap()[..] else { panic!("{diff:#}") };
    assert_eq!(moved["this"]["watch"], "moves");
    let later = moved["raised_change_s"].as_f64().unwrap();
    assert!((9.0 * 3_600.0..=15.0 * 3_600.0).contains(&later), "half the horizon is told half a day later: {moved:#}");
    let change = |group: &str, name: &str| {
        let of = |change: &&Value| change["group"] == group && change["name"] == name;
        diff["figures"].as_array().unwrap().iter().find(of).unwrap_or_else(|| panic!("{group} {name}"))["change"].clone()
    };
    assert_eq!((change("goes", "told"), change("comes", "told"), change("all", "told")), ((-1.0).into(), 1.0.into(), 0.0.into()));
    assert_eq!(change("moves", "median_lead_time_s"), -later);

    let output = PortentProcess::output(&common, dir.path());
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(table.lines().all(|line| line.chars().count() <= 120), "{table}");
    for says in
        ["With then.yaml instead: 1 appear, 1 vanish, 1 move, 1 prediction stay", "APPEARS (UTC)", "VANISHES (UTC)", "MOVES (UTC)", "later"]
    {
        assert!(table.contains(says), "{says}: {table}");
    }
    let csv = String::from_utf8(PortentProcess::output(&[&common[..], &["-o", "csv"]].concat(), dir.path()).stdout).unwrap();
    let kinds: Vec<&str> = csv.lines().filter_map(|line| line.split(',').next()).collect();
    assert!(["appeared", "vanished", "moved", "changed_figure"].iter().all(|kind| kinds.contains(kind)), "{kinds:?}");
    let columns = csv.lines().next().unwrap().split(',').count();
    assert_eq!(columns, 22);
}
