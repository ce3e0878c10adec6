//! The verbs that read files, run as a user runs them: columns, keys, what they may look at, and how they fail.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::support::{OpenMetricsWriter, PortentProcess, Prometheus};

fn fixture(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/data").join(name).display().to_string()
}

fn run(arguments: &[&str]) -> Output {
    PortentProcess::output(arguments, &std::env::temp_dir())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("output is UTF-8")
}

/// Stdout of a run that must end well and quietly.
fn ok(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    assert_eq!(text(&output.stderr), "", "{arguments:?} is quiet in a pipe");
    text(&output.stdout)
}

/// Exit code and stderr of a run that must fail without a word on stdout.
fn fails(arguments: &[&str]) -> (i32, String) {
    let output = run(arguments);
    assert_eq!(text(&output.stdout), "", "{arguments:?}");
    (output.status.code().expect("it ended by itself"), text(&output.stderr))
}

fn json(arguments: &[&str]) -> Vec<Value> {
    serde_json::from_str(&ok(arguments)).expect("one JSON array")
}

/// Lines of each series of a CSV, the header aside.
fn by_series(csv: &str) -> BTreeMap<&str, Vec<&str>> {
    let mut series: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for line in csv.lines().skip(1) {
        series.entry(line.split(',').next().expect("a line has a first cell")).or_default().push(line);
    }
    series
}

/// The first `lines` lines of a fixture, in a throwaway folder.
fn head_of(name: &str, lines: usize) -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let path: PathBuf = dir.path().join(name);
    let whole = std::fs::read_to_string(fixture(name)).unwrap();
    std::fs::write(&path, whole.lines().take(lines).map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    let path = path.display().to_string();
    (dir, path)
}

#[test]
fn detect_scores_every_sample_in_the_documented_columns() {
    let csv = ok(&["detect", &fixture("wide.csv"), "-o", "csv"]);
    assert_eq!(csv.lines().next(), Some("series,timestamp,value,expected,lower,upper,score,anomaly"));
    let series = by_series(&csv);
    // 480 times, ten of them without a value: missing, not zero.
    assert_eq!((series["cpu_usage_percent"].len(), series["disk_used_ratio"].len()), (470, 480));
    assert_eq!(series["cpu_usage_percent"][0], "cpu_usage_percent,2026-11-01T00:00:00Z,41.179,,,,0,false");
    for line in series["cpu_usage_percent"].iter().chain(&series["disk_used_ratio"]) {
        let cells: Vec<&str> = line.split(',').collect();
        assert_eq!(cells.len(), 8, "{line}");
        let number = |i: usize| cells[i].parse::<f64>().ok();
        let score = number(6).unwrap();
        assert_eq!(cells[7], if score >= 1.0 { "true" } else { "false" }, "{line}");
        match (number(3), number(4), number(5)) {
            (Some(expected), Some(lower), Some(upper)) => assert!(lower < expected && expected < upper, "{line}"),
            (None, None, None) => assert_eq!(score, 0.0, "{line}"),
            _ => panic!("half a band: {line}"),
        }
        assert_eq!(cells[3].is_empty(), cells[1] < "2026-11-02T00:00:00Z", "a day of history first: {line}");
    }
    let incident: Vec<&&str> = series["cpu_usage_percent"].iter().filter(|line| line.contains(",97.5,")).collect();
    assert_eq!(incident.len(), 4);
    assert!(incident.iter().all(|line| line.ends_with(",true")), "{incident:?}");
}

#[test]
fn detect_looks_at_nothing_ahead() {
    let whole = ok(&["detect", &fixture("wide.csv"), "-o", "csv"]);
    let (_dir, part) = head_of("wide.csv", 403);
    let part = ok(&["detect", &part, "-o", "csv"]);
    let (whole, part) = (by_series(&whole), by_series(&part));
    for (name, lines) in &part {
        assert_eq!(lines[..], whole[name][..lines.len()], "{name}");
    }
    assert_eq!(part["disk_used_ratio"].len(), 402);
}

#[test]
fn detect_writes_the_same_as_json_and_a_table_of_the_strongest() {
    let rows = json(&["detect", &fixture("wide.csv"), "-o", "json"]);
    assert_eq!(rows.len(), 950);
    assert_eq!(rows[0]["expected"], Value::Null);
    assert_eq!(rows[0]["timestamp"], "2026-11-01T00:00:00Z");
    let lines = ok(&["detect", &fixture("wide.csv"), "-o", "jsonl"]);
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines, rows);
    let table = ok(&["detect", &fixture("wide.csv")]);
    let first = table.lines().nth(1).unwrap();
    assert!(first.starts_with("cpu_usage_percent") && first.contains("2026-11-05T04:"), "{table}");
}

#[test]
fn detect_takes_its_settings() {
    let wide = fixture("wide.csv");
    let anomalies = |more: &[&str]| {
        let arguments = [&["detect", wide.as_str(), "-o", "csv"], more].concat();
        ok(&arguments).lines().filter(|line| line.ends_with(",true")).count()
    };
    assert!(anomalies(&["--false-alarms", "1/year"]) < anomalies(&["--false-alarms", "1/day"]));
    assert!(anomalies(&["--direction", "below"]) < anomalies(&[]));
    assert_eq!(anomalies(&["--least-deviation", "1e6"]), 0);
    assert_eq!(anomalies(&["--min-history", "30d"]), 0);
    assert!(anomalies(&["--min-history", "6h", "--upper", "99", "--zone", "Europe/Berlin"]) > 0);
    for bad in [["--false-alarms", "often"], ["--least-deviation", "much"], ["--zone", "Mars/Olympus"], ["--min-history", "soon"]] {
        let (code, error) = fails(&["detect", &fixture("wide.csv"), bad[0], bad[1]]);
        assert_eq!(code, 2, "{bad:?}: {error}");
        assert!(error.contains(bad[1]), "{error}");
    }
}

#[test]
fn forecast_writes_a_row_a_step_with_nested_intervals() {
    let csv = ok(&["forecast", &fixture("wide.csv"), "--horizon", "24h", "--levels", "0.95,0.8", "-o", "csv"]);
    assert_eq!(csv.lines().next(), Some("series,origin,timestamp,median,lower_0.8,upper_0.8,lower_0.95,upper_0.95"));
    let series = by_series(&csv);
    assert_eq!((series.len(), series["disk_used_ratio"].len()), (2, 96));
    for line in series.values().flatten() {
        let cells: Vec<&str> = line.split(',').collect();
        assert_eq!(cells[1], "2026-11-05T23:45:00Z", "{line}");
        let n: Vec<f64> = cells[3..].iter().map(|cell| cell.parse().unwrap()).collect();
        assert!(n[3] <= n[1] && n[1] <= n[0] && n[0] <= n[2] && n[2] <= n[4], "{line}");
    }
    let ends: Vec<&str> = [0, 95].iter().map(|i| series["disk_used_ratio"][*i].split(',').nth(2).unwrap()).collect();
    assert_eq!(ends, ["2026-11-06T00:00:00Z", "2026-11-06T23:45:00Z"]);
    let median: f64 = series["disk_used_ratio"][95].split(',').nth(3).unwrap().parse().unwrap();
    assert!((median - (0.5 + 0.0007 * 575.0)).abs() < 0.01, "{median}");
}

#[test]
fn forecast_looks_at_nothing_after_its_origin() {
    let origin = "2026-11-04T12:00:00Z";
    let whole = ok(&["forecast", &fixture("wide.csv"), "--origin", origin, "-o", "csv"]);
    let (_dir, part) = head_of("wide.csv", 1 + 3 * 96 + 49);
    assert_eq!(ok(&["forecast", &part, "-o", "csv"]), whole);
    assert_eq!(ok(&["forecast", &part, "--origin", origin, "-o", "csv"]), whole);
}

#[test]
fn forecast_answers_whether_and_when() {
    let wide = fixture("wide.csv");
    let asked = ["forecast", wide.as_str(), "--above", "0.9", "--horizon", "2d", "--sustain", "3", "-o", "json"];
    let raw = ok(&asked);
    let keys = ["series", "origin", "current", "rate_per_minute", "likelihood", "eta_s", "p10", "p50", "p90", "threshold", "model"];
    let places: Vec<usize> = keys.iter().map(|key| raw.find(&format!("\"{key}\":")).unwrap_or_else(|| panic!("{key} in {raw}"))).collect();
    assert!(places.is_sorted(), "{raw}");
    let answers = json(&asked);
    assert_eq!(answers.len(), 2);
    let disk = &answers[1];
    assert_eq!((disk["series"].as_str(), disk["threshold"].as_f64()), (Some("disk_used_ratio"), Some(0.9)));
    assert!(disk["likelihood"].as_f64().unwrap() > 0.9, "{disk}");
    assert!((disk["rate_per_minute"].as_f64().unwrap() - 0.0007 / 15.0).abs() < 0.0001 / 15.0, "{disk}");
    // 0.8353 at the origin, 0.0007 a quarter of an hour.
    let eta = disk["eta_s"]["p50"].as_f64().unwrap();
    assert!((eta - 92.0 * 900.0).abs() < 6.0 * 900.0, "{eta}");

    let never = &json(&["forecast", &fixture("wide.csv"), "--below", "0.1", "-o", "json"])[1];
    assert!(never["likelihood"].as_f64().unwrap() < 0.05, "{never}");
    assert_eq!(never["eta_s"], serde_json::json!({"p10": null, "p50": null, "p90": null}));
}

#[test]
fn forecast_without_a_threshold_holds_the_points() {
    let answers = json(&["forecast", &fixture("wide.csv"), "--horizon", "1h", "--levels", "0.9", "-o", "json"]);
    let points = answers[0]["points"].as_array().unwrap();
    assert_eq!((points.len(), answers[0]["step"].as_str()), (4, Some("15m")));
    assert_eq!(points[0]["timestamp"], "2026-11-06T00:00:00Z");
    assert!(points[0]["lower_0.9"].as_f64() <= points[0]["median"].as_f64());
    let naive = json(&["forecast", &fixture("wide.csv"), "--model", "naive", "--horizon", "1h", "-o", "json"]);
    assert_eq!(naive[0]["model"], "naive");
}

#[test]
fn cases_are_answered_in_their_order_as_if_asked_alone() {
    let answers = json(&["forecast", &fixture("wide.csv"), "--cases", &fixture("cases.csv"), "-o", "json"]);
    let cases: Vec<&str> = answers.iter().map(|answer| answer["case"].as_str().unwrap()).collect();
    assert_eq!(cases, ["grows", "never", "peak"]);
    let likelihood: Vec<f64> = answers.iter().map(|answer| answer["likelihood"].as_f64().unwrap()).collect();
    // Three days of history: sure, not certain.
    assert!(likelihood[0] > 0.8 && likelihood[1] < 0.05 && likelihood[2] > 0.8, "{likelihood:?}");
    let alone =
        json(&["forecast", &fixture("wide.csv"), "--origin", "2026-11-04T00:00:00Z", "--above", "0.75", "--sustain", "3", "-o", "json"]);
    for key in ["series", "current", "likelihood", "eta_s", "threshold"] {
        assert_eq!(alone[1][key], answers[0][key], "{key}");
    }
    let lines = ok(&["forecast", &fixture("wide.csv"), "--cases", &fixture("cases.csv"), "-o", "jsonl"]);
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines, answers);
    // A file that ends at the origins holds the same answers.
    let (_dir, part) = head_of("wide.csv", 1 + 3 * 96 + 1);
    assert_eq!(json(&["forecast", &part, "--cases", &fixture("cases.csv"), "-o", "json"]), answers);
}

#[test]
fn short_series_get_wide_intervals_and_empty_ones_are_named() {
    let output = run(&["forecast", &fixture("long.csv"), "--horizon", "2h", "--levels", "0.95", "-o", "csv"]);
    assert!(output.status.success());
    assert_eq!(text(&output.stderr), "skipped queue_depth{host=\"c\"}: it has no samples\n");
    let csv = text(&output.stdout);
    let short: Vec<&str> = csv.lines().filter(|line| line.contains("host=\"\"b\"\"")).collect();
    assert_eq!(short.len(), 2, "{csv}");
    let cells: Vec<f64> = short[1].rsplitn(4, ',').take(3).map(|cell| cell.parse().unwrap()).collect();
    assert!(cells[2] == 7.0 && cells[1] < 5.0 && cells[0] > 9.0, "{short:?}");
}

#[test]
fn a_pipe_is_read_and_a_closed_one_is_no_error() {
    let whole = std::fs::read(fixture("wide.csv")).unwrap();
    let mut child = PortentProcess::command(&["forecast", "-", "--horizon", "1h", "-o", "csv"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&whole).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(text(&output.stdout), ok(&["forecast", &fixture("wide.csv"), "--horizon", "1h", "-o", "csv"]));

    let mut child = PortentProcess::command(&["detect", &fixture("wide.csv"), "-o", "json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(text(&output.stderr), "");
}

#[test]
fn failures_say_what_to_do() {
    let wide = fixture("wide.csv");
    let wide = wide.as_str();
    let (_dir, foreign) = {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cases.csv");
        std::fs::write(&path, "case,series,origin,horizon_s,above\n1,nope,2026-11-04T00:00:00Z,60,1\n").unwrap();
        let path = path.display().to_string();
        (dir, path)
    };
    for (code, word, arguments) in [
        (1, "cannot read nowhere.csv", &["detect", "nowhere.csv"][..]),
        (2, "<FILE>", &["detect"]),
        (2, "cannot be used with", &["forecast", wide, "--above", "1", "--below", "2"]),
        (2, "want a probability", &["forecast", wide, "--levels", "95"]),
        (2, "possible values", &["forecast", wide, "--model", "prophecy"]),
        (1, "choose a longer --step", &["forecast", wide, "--step", "1s"]),
        (1, "no samples up to the origin", &["forecast", wide, "--origin", "2020-01-01T00:00:00Z"]),
        (1, "no series is named \"nope\"", &["forecast", wide, "--cases", &foreign]),
        (1, "cannot read cases nowhere.csv", &["forecast", wide, "--cases", "nowhere.csv"]),
        (2, "--series takes one of: cpu_usage_percent, disk_used_ratio", &["chart", wide, "--out", "x.png"]),
        (2, "--prometheus", &["chart", "--query", "up", "--out", "x.png"]),
        (1, "is not a size for a chart", &["chart", wide, "--series", "disk_used_ratio", "--width", "5", "--out", "x.png"]),
    ] {
        let output = run(arguments);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {error}");
        assert!(error.contains(word), "{arguments:?}: {error}");
    }
    assert_eq!(fails(&["detect", "nowhere.csv"]).0, 1);
    // In this build or not, its name is known.
    let prophet = run(&["forecast", wide, "--model", "prophet"]);
    let error = text(&prophet.stderr);
    assert_eq!(prophet.status.code(), Some(if cfg!(feature = "prophet") { 0 } else { 2 }), "{error}");
    assert!(cfg!(feature = "prophet") || error.contains("cargo build --release --features prophet"), "{error}");
}

fn is_png(path: &Path) -> bool {
    std::fs::read(path).is_ok_and(|bytes| bytes.starts_with(b"\x89PNG\r\n\x1a\n") && bytes.len() > 10_000)
}

#[test]
fn chart_draws_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("disk.png");
    let path = out.display().to_string();
    let drawn = ok(&["chart", &fixture("wide.csv"), "--series", "disk_used_ratio", "--above", "0.9", "--horizon", "2d", "--out", &path]);
    assert_eq!(drawn, "");
    assert!(is_png(&out));
    let first = std::fs::read(&out).unwrap();
    ok(&["chart", &fixture("long.csv"), "--series", "a", "--theme", "dark", "--zone", "Asia/Tokyo", "--out", &path]);
    assert!(is_png(&out));
    assert_ne!(std::fs::read(&out).unwrap(), first);
}

#[test]
fn chart_draws_a_query_to_a_real_prometheus() {
    let dir = tempfile::tempdir().unwrap();
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
    let start_ms = now_ms - 3 * 86_400_000;
    let mut history = OpenMetricsWriter::create(dir.path().join("history.om"));
    for host in ["a", "b"] {
        let growth = |time_ms: i64| Some(100.0 + (time_ms - start_ms) as f64 / 300_000.0);
        history.gauge("queue_depth", &[("host", host)], (start_ms, 300_000, 3 * 288), growth);
    }
    let prometheus = Prometheus::new().backfill(&history.finish()).start();
    let out = dir.path().join("queue.png");
    let path = out.display().to_string();
    let url = prometheus.url();
    let output = run(&["chart", "--query", "queue_depth", "--prometheus", &url, "--out", &path]);
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains(r#"queue_depth{host="a"}, queue_depth{host="b"}"#), "{error}");
    ok(&["chart", "--query", "queue_depth", "--prometheus", &url, "--series", "b", "--above", "1500", "--out", &path]);
    assert!(is_png(&out));
    let (code, error) = fails(&["chart", "--query", "nothing_here", "--prometheus", &url, "--out", &path]);
    assert!(code == 1 && error.contains("it holds no series"), "{error}");
    let (code, error) = fails(&["chart", "--query", "queue_depth", "--prometheus", "http://127.0.0.1:1", "--out", &path]);
    assert!(code == 1 && error.contains("127.0.0.1:1"), "{error}");
}

#[test]
fn a_second_backtest_over_the_same_time_needs_no_server() {
    let dir = tempfile::tempdir().unwrap();
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
    let end_ms = (now_ms - 2 * 3_600_000) / 3_600_000 * 3_600_000;
    let start_ms = end_ms - 10 * 86_400_000;
    let mut history = OpenMetricsWriter::create(dir.path().join("history.om"));
    for (host, rate) in [("a", 0.002), ("b", 0.0)] {
        let growth = |time_ms: i64| Some(100.0 + rate * (time_ms - start_ms) as f64 / 1_000.0);
        history.gauge("queue_depth", &[("host", host)], (start_ms, 300_000, 10 * 288), growth);
    }
    let mut prometheus = Prometheus::new().backfill(&history.finish()).start();
    let url = prometheus.url();
    let config = dir.path().join("portent.yaml");
    let watch = |query: &str| format!("watches: [{{name: queue, query: '{query}', step: 5m, above: 1700, horizon: 1d}}]\n");
    let write =
        |query: &str| std::fs::write(&config, format!("sources: [{{name: p, prometheus: {{url: {url}}}}}]\n{}", watch(query))).unwrap();
    let (config_path, cache) = (config.display().to_string(), dir.path().join("cache").display().to_string());
    let time = |ms: i64| portent::core::time::Timestamp::from_millis(ms).to_string();
    let (from, to) = (time(end_ms - 3 * 86_400_000), time(end_ms));
    let report = |more: &[&str]| -> Value {
        let common = ["backtest", "-c", &config_path, "--from", &from, "--to", &to, "--warmup", "7d", "-o", "json"];
        serde_json::from_str(&ok(&[&common, more].concat())).unwrap()
    };
    let way = |report: &Value| report["notes"][0].as_str().unwrap().rsplit_once("samples came ").unwrap().1.to_owned();
    let same = |a: &Value, b: &Value| {
        for part in ["predictions", "events", "summary", "anomalies"] {
            assert_eq!(a[part], b[part], "{part}");
        }
    };

    write("queue_depth");
    let by_remote_read = report(&["--no-cache"]);
    assert_eq!(way(&by_remote_read), "by remote read");
    assert_eq!(by_remote_read["events"].as_array().map(Vec::len), Some(1), "{by_remote_read}");
    let kept = report(&["--cache", &cache]);
    assert_eq!(way(&kept), "by remote read");
    same(&kept, &by_remote_read);
    // No plain selector, the same values.
    write("queue_depth * 1");
    let by_range_queries = report(&["--cache", &cache]);
    assert_eq!(way(&by_range_queries), "by range queries");
    // Another name is another profile, and another hour at which it is looked at.
    for figure in ["events", "told", "raised", "came_true", "false_alarms", "anomalies"] {
        assert_eq!(by_range_queries["summary"][figure], by_remote_read["summary"][figure], "{figure}");
    }

    prometheus.stop();
    write("queue_depth");
    let again = report(&["--cache", &cache]);
    assert_eq!(way(&again), "from the cache");
    same(&again, &by_remote_read);
    let (code, error) = fails(&["backtest", "-c", &config_path, "--from", &from, "--to", &to, "--no-cache"]);
    assert!(code == 1 && error.contains("cannot connect"), "{error}");
}
