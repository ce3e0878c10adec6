//! The same samples give the same predictions, bit for bit: through the backtest with one thread and with two, and the way the daemon reads
//! them, over a socket, tick by tick, with overlaps. And what `portent backtest` prints about a file small enough to check by hand.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, mpsc};

use portent::backtest::{Backtest, Judging, Report, files};
use portent::config;
use portent::core::engine::{Effect, Engine, Input, Judged};
use portent::core::labels::Labels;
use portent::core::time::{Span, Timestamp};
use portent::core::watch::Watch;
use portent::demo::server::DemoServer;
use portent::demo::write_csv;
use portent::source::prometheus::{PrometheusClient, PrometheusSettings, RangeAsk, plan};
use portent::source::replay::{DataSeries, DataSet};

use crate::support::PortentProcess;

const STEP: Span = Span::from_secs(300);
const DAY: i64 = 288;
/// Nothing is told in the first six days.
const JUDGED: i64 = 6 * DAY;
const END: i64 = 8 * DAY;

/// How far back the daemon still judges: four steps.
const TOO_LATE: Span = STEP.times(4);

const CONFIG: &str = r"
sources: [ { name: s, prometheus: { url: http://127.0.0.1:1/ } } ]
watches:
  - { name: disk, query: disk, step: 5m, above: 0.9, horizon: 24h, profile: saturating-gauge, service: '{{host}}' }
  - { name: queue, query: queue, step: 5m, above: 900, horizon: 3h, profile: queue-depth, service: '{{host}}', zone: Europe/Berlin }
";

fn at(column: i64) -> Timestamp {
    // Monday, 2026-11-02T00:00:00Z.
    Timestamp::from_millis(1_793_577_600_000) + STEP.times(column)
}

/// A scramble of i, uniform on (-0.5, 0.5).
fn noise(i: i64) -> f64 {
    let x = i.cast_unsigned().wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let x = (x ^ (x >> 31)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    ((x ^ (x >> 29)) >> 11) as f64 / (1_u64 << 53) as f64 - 0.5
}

/// Twelve growing disks that cross at different times, one with holes and one with NaN, a sawtooth, a rhythm, and queues that run over.
fn data() -> DataSet {
    let mut series = Vec::new();
    let mut add = |metric: &str, host: &str, value: &dyn Fn(i64) -> f64| {
        let labels = Labels::from_pairs([("__name__", metric), ("host", host)]).unwrap();
        let samples = (0..END).map(|i| (at(i), value(i))).filter(|(_, v)| v.is_finite()).collect();
        series.push(DataSeries { name: labels.to_string(), labels, samples, step: STEP });
    };
    for k in 0..12_i64 {
        let crossing = (JUDGED + DAY / 2 + k * DAY / 9) as f64;
        add("disk", &format!("grow{k}"), &move |i| {
            let hole = (k == 3 && (i % 50) < 7) || (k == 5 && noise(i * 31) > 0.4);
            if hole { f64::NAN } else { 0.3 + 0.6 * i as f64 / crossing + 0.004 * noise(i + 1000 * k) }
        });
    }
    add("disk", "saw", &|i| 0.4 + 0.3 * ((i % DAY) as f64 / DAY as f64) + 0.01 * noise(i));
    add("disk", "steady", &|i| 0.87 + 0.01 * noise(i + 5));
    add("disk", "late", &|i| if i < 5 * DAY { f64::NAN } else { 0.2 + 0.0008 * (i - 5 * DAY) as f64 + 0.002 * noise(i) });
    add("queue", "calm", &|i| 200.0 + 100.0 * (i as f64 / DAY as f64 * std::f64::consts::TAU).sin() + 20.0 * noise(i));
    for k in 0..3 {
        let begins = JUDGED + 100 + 140 * k;
        add("queue", &format!("stuck{k}"), &move |i| {
            let stuck = (i - begins).clamp(0, 60) as f64 * 16.0;
            100.0 + if i < begins + 60 { stuck } else { 0.0 } + 10.0 * noise(i + 77 * k)
        });
    }
    DataSet { series, ..DataSet::default() }
}

fn watches() -> Vec<Watch> {
    config::parse(CONFIG, "portent.yaml").unwrap().watches
}

/// One line an effect, complete and in an order that does not depend on how samples were cut into frames.
fn lines(effects: &[Effect]) -> Vec<String> {
    let line = |effect: &Effect| {
        let (kind, json) = match effect {
            Effect::Raised(p) => ("raised", serde_json::to_string(p)),
            Effect::Updated(p) => ("updated", serde_json::to_string(p)),
            Effect::Ended(p) => ("ended", serde_json::to_string(p)),
            Effect::Scored(p) => ("scored", serde_json::to_string(p)),
            Effect::AnomalyStarted(a) => ("anomaly started", serde_json::to_string(a)),
            Effect::AnomalyEnded(a) => ("anomaly ended", serde_json::to_string(a)),
        };
        format!("{} {kind} {}", effect.at(), json.unwrap())
    };
    let mut lines: Vec<String> = effects.iter().map(line).collect();
    lines.sort();
    lines
}

fn through_the_backtest(data: &DataSet, threads: usize) -> (Vec<String>, Report) {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let (shares, notes) = files::share_out(data, &watches());
    assert_eq!((shares.len(), notes), (2, Vec::<String>::new()));
    let judging = Judging { from: Some(at(JUDGED)), warmup: Some(Span::ZERO) };
    let mut backtest = Backtest::new(shares.iter().map(|s| s.watch.clone()).collect(), Vec::new(), judging);
    let (sender, receiver) = mpsc::channel();
    backtest.show_to(sender);
    let whole = pool.install(|| files::feed(&mut backtest, data, &shares, None, |_| true)).unwrap();
    let report = backtest.finish(!whole).unwrap();
    (lines(&receiver.into_iter().collect::<Vec<_>>()), report)
}

/// As `daemon::read` does it: a first reading of the whole window, then every tick what is new since the cursor with an overlap.
async fn through_a_socket(data: DataSet) -> Vec<String> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let clock = Arc::new(AtomicI64::new(0));
    let hand = clock.clone();
    let server = DemoServer::start(Arc::new(data), Arc::new(move || Timestamp::from_millis(hand.load(Ordering::SeqCst)))).await.unwrap();
    let client = PrometheusClient::new(PrometheusSettings::new(server.url().parse().unwrap())).unwrap();
    let watches: Vec<Arc<Watch>> = watches().into_iter().map(Arc::new).collect();
    let mut engine = Engine::new(watches.clone(), []);
    let mut effects = Vec::new();
    for column in (JUDGED - 1)..END {
        // A tick comes some seconds after the sample; once several ticks are lost.
        if (JUDGED + 301..JUDGED + 303).contains(&column) {
            continue;
        }
        let now = at(column) + Span::from_secs(17);
        clock.store(now.as_millis(), Ordering::SeqCst);
        let judge_from = at(JUDGED).max(now - TOO_LATE);
        for (index, watch) in watches.iter().enumerate() {
            let Some(grid) = plan::to_read(engine.cursor(index), now, watch.step, watch.baseline.window) else { continue };
            let ask = RangeAsk { query: &watch.query, grid, watch: Some(&watch.name), rows_hint: Some(engine.series_count(index)) };
            let frame = client.query_range(&ask).await.unwrap().frame;
            effects.extend(
                engine.step(now, Input::Samples { watch: index, frame: &frame, thresholds: None, judging: Judged::from(judge_from) }),
            );
        }
        effects.extend(engine.step(now, Input::Tick));
    }
    lines(&effects)
}

fn assert_same(a: &[String], b: &[String], what: &str) {
    let first = a.iter().zip(b).find(|(a, b)| a != b);
    assert!(a == b, "{what}: {} and {} effects; the first that differ:\n{first:#?}", a.len(), b.len());
}

#[test]
fn backtest_and_daemon_say_the_same_with_one_thread_and_with_two() {
    let data = data();
    let (one, report) = through_the_backtest(&data, 1);
    assert!(report.predictions.len() >= 12, "only {} predictions: this test would not see much", report.predictions.len());
    assert!(one.iter().any(|l| l.contains(" anomaly ended ")) && one.iter().any(|l| l.contains(" ended ")));
    let (two, _) = through_the_backtest(&data, 2);
    assert_same(&one, &two, "one thread and two");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let daemon = runtime.block_on(through_a_socket(data));
    assert_same(&one, &daemon, "backtest and daemon");
}

#[test]
fn a_prometheus_range_and_the_same_samples_in_a_file_tell_the_same() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("portent.yaml"), CONFIG).unwrap();
    let data = data();
    write_csv(&data, std::fs::File::create(dir.path().join("data.csv")).unwrap()).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let server = runtime.block_on(DemoServer::start(Arc::new(data), Arc::new(|| at(END)))).unwrap();
    let (url, from, to) = (server.url(), at(JUDGED).to_string(), at(END - 1).to_string());
    let run = |source: &[&str]| {
        let common = ["backtest", "-c", "portent.yaml", "--from", &from, "--to", &to, "--warmup", "6d", "-o", "json"];
        let arguments: Vec<&str> = common.iter().chain(source).copied().collect();
        let output = PortentProcess::output(&arguments, dir.path());
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let (of_server, of_file) = (run(&["--prometheus", &url]), run(&["data.csv"]));
    let differs = of_server.lines().zip(of_file.lines()).find(|(a, b)| a != b);
    assert!(of_server == of_file, "{differs:#?}");
    let report: serde_json::Value = serde_json::from_str(&of_file).unwrap();
    assert!(report["predictions"].as_array().unwrap().len() >= 12 && report["events"].as_array().unwrap().len() >= 12);

    // Only one of the watches, and a server that is gone.
    let one: serde_json::Value = serde_json::from_str(&run(&["--prometheus", &url, "--watch", "queue"])).unwrap();
    assert_eq!(one["by_watch"].as_array().unwrap().len(), 1);
    drop(server);
    let gone = ["backtest", "--prometheus", &url, "--watch", "node-memory", "--from", &from, "--to", &to];
    let output = PortentProcess::output(&gone, dir.path());
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && stderr.contains("node-memory"), "{stderr}");
}

/// Hourly, five days: `full` grows by 0.5 % an hour through 0.9 at 2026-11-06T03:00Z, `calm` goes up and down.
fn small_csv() -> String {
    let mut text = "timestamp,full,calm\n".to_owned();
    for hour in 0..120_i64 {
        let time = at(hour * 12);
        let full = 0.405 + 0.005 * hour as f64;
        let calm = 0.5 + 0.1 * (hour as f64 / 24.0 * std::f64::consts::TAU).sin();
        writeln!(text, "{time},{full:.4},{calm:.4}").unwrap();
    }
    text
}

#[test]
fn the_command_tells_what_it_would_have_told() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("small.csv"), small_csv()).unwrap();
    let run = |more: &[&str]| {
        let arguments: Vec<&str> = ["backtest", "small.csv", "--above", "0.9", "--warmup", "3d"].iter().chain(more).copied().collect();
        let output = PortentProcess::output(&arguments, dir.path());
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let table = run(&["--json", "all.json", "--charts", "charts"]);
    assert!(table.lines().all(|line| line.chars().count() <= 120), "{table}");
    let want = "\
RAISED (UTC)  WATCH  SERIES  SURE  ETA (P10-P90)           TRUTH      LEAD  ETA OFF
11-05 06:00   files  full    96 %  21h47m (20h49m-22h24m)  came true  21h   +47m

judged 2026-11-05 00:00 to 2026-11-06 23:00 (UTC), learned from 2026-11-02 00:00 on: 0 anomalies
1 event, 1 told (median lead time 21h), 0 false alarms = 0.000 a series-week, 0 unknown, over 2 series and 2.0 days
predict_linear[6h] by the same rules: 1 told (median lead time 21h), 1 false alarm = 1.750 a series-week
";
    assert!(table == want, "{table}");
    assert_eq!(run(&["--threads", "1"]), run(&["--threads", "2"]));

    let all: serde_json::Value = serde_json::from_slice(&std::fs::read(dir.path().join("all.json")).unwrap()).unwrap();
    let first = &all["predictions"][0];
    assert_eq!((&first["outcome"]["verdict"], &first["outcome"]["at"]), (&"came_true".into(), &"2026-11-06T03:00:00Z".into()));
    let chart = dir.path().join(first["outcome"]["chart"].as_str().unwrap());
    assert!(std::fs::read(chart).unwrap().starts_with(b"\x89PNG"));
    let raised: Timestamp = first["raised_at"].as_str().unwrap().parse().unwrap();
    let lead = ("2026-11-06T03:00:00Z".parse::<Timestamp>().unwrap() - raised).as_secs_f64();
    assert_eq!(first["outcome"]["lead_time_s"], lead);
    assert!(first["truth"].is_null(), "what became of it is not known when it is raised");

    let csv = run(&["-o", "csv"]);
    assert!(csv.lines().nth(1).unwrap().starts_with("prediction,files,full,full,"), "{csv}");
    let cut: serde_json::Value = serde_json::from_str(&run(&["-o", "json", "--to", "2026-11-06T00:00:00Z"])).unwrap();
    assert_eq!(cut["predictions"][0]["outcome"]["verdict"], "pending", "the data ends before the horizon");
    assert_eq!(cut["predictions"][0]["id"], first["id"]);
}

#[test]
fn wrong_usage_is_said_with_what_to_do_instead() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("small.csv"), small_csv()).unwrap();
    for (arguments, code, says) in [
        (vec!["backtest"], 2, "name data files, a configuration (-c FILE) or --prometheus URL"),
        (vec!["backtest", "gone.csv"], 1, "gone.csv"),
        (vec!["backtest", "small.csv", "--threads", "0"], 2, "want 1 to"),
        (vec!["backtest", "small.csv", "--above", "1", "--below", "2"], 2, "cannot be used with"),
        (vec!["backtest", "small.csv", "--watch", "nothing"], 2, "there is no watch \"nothing\""),
        (vec!["backtest", "small.csv", "--watch", "node-memory"], 1, "files answer plain selectors only"),
        (vec!["backtest", "--watch", "node-memory"], 2, "name one with --prometheus URL"),
        (vec!["backtest", "--above", "1"], 2, "name data files"),
    ] {
        let output = PortentProcess::output(&arguments, dir.path());
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(code) && stderr.contains(says), "{arguments:?}: {} {stderr}", output.status);
    }
}
