//! The same samples give the same predictions, bit for bit: through `portent backtest`, from files and from a server, and through the real
//! daemon, tick by tick over a socket; with one thread and with two.
//!
//! What may legitimately differ is when a thing is noticed: the backtest decides at a sample's own time, and the daemon comes by with its next
//! tick. So ticks are part of the comparison: the daemon's are shown to lie where its interval puts them, and each of its ledger's entries must
//! carry the time of the first tick at or after what it is about.

mod daemon;
mod told;
mod truth;
mod world;

use std::sync::{Arc, mpsc};

use portent::backtest::{Backtest, Judging, Report, files, range};
use portent::core::engine::Effect;
use portent::core::prediction::Prediction;
use portent::core::time::{Span, Timestamp};
use portent::demo::server::DemoServer;
use portent::demo::write_csv;
use portent::source::prometheus::{PrometheusClient, PrometheusSettings};
use portent::source::replay::{DataSet, History};

use self::daemon::{Life, Lived, live};
use self::world::{END, STEP, at, begin, config, config_text, data, since};
use crate::support::PortentProcess;

/// The last column, and a little: the daemon's last tick comes by then.
const LAST: Span = Span::from_secs(120);

/// As a daemon that starts at [`begin`]: it learns from a baseline's window before.
fn judging() -> Judging {
    Judging { from: Some(begin()), warmup: Some(Span::ZERO) }
}

fn reads_from() -> Timestamp {
    begin() - Span::WEEK
}

fn pool(threads: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
}

fn watches() -> Vec<portent::core::watch::Watch> {
    config("http://127.0.0.1:1", std::path::Path::new("."), STEP).watches
}

fn through_files(data: &DataSet, threads: usize) -> (Vec<Effect>, Report) {
    let data = History::try_from(data).unwrap();
    let (shares, notes) = files::share_out(&data, &watches());
    assert_eq!(shares.len(), watches().len());
    assert_eq!(notes, Vec::<String>::new());
    let mut backtest = Backtest::new(shares.iter().map(|s| s.watch.clone()).collect(), Vec::new(), judging());
    let (sender, receiver) = mpsc::channel();
    backtest.show_to(sender);
    let whole = pool(threads).install(|| files::feed(&mut backtest, &data, &shares, None, |_| true)).unwrap();
    let report = backtest.finish(!whole).unwrap();
    (receiver.into_iter().collect(), report)
}

fn through_a_range(data: Arc<DataSet>) -> Vec<Effect> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let server = DemoServer::start(data, Arc::new(|| at(END))).await.unwrap();
        let client = PrometheusClient::new(PrometheusSettings::new(server.url().parse().unwrap())).unwrap();
        let watches = watches().into_iter().map(Arc::new).collect::<Vec<_>>();
        let mut backtest = Backtest::new(watches.clone(), Vec::new(), judging());
        let (sender, receiver) = mpsc::channel();
        backtest.show_to(sender);
        let source = range::Server { client: &client, cache: None, now: at(END) };
        for index in 0..watches.len() {
            assert!(range::feed(&mut backtest, index, source, (reads_from(), at(END - 1)), |_| true).await.unwrap());
        }
        backtest.finish(false).unwrap();
        receiver.into_iter().collect()
    })
}

/// One line an effect, complete and in an order that does not depend on how samples were cut into frames.
fn lines<'a>(effects: impl IntoIterator<Item = &'a Effect>) -> Vec<String> {
    let line = |effect: &Effect| {
        let json = match effect {
            Effect::Raised(p) | Effect::Updated(p) | Effect::Ended(p) | Effect::Scored(p) => serde_json::to_string(p),
            Effect::AnomalyStarted(a) | Effect::AnomalyEnded(a) => serde_json::to_string(a),
        };
        format!("{} {} {}", effect.at(), kind(effect), json.unwrap())
    };
    let mut lines: Vec<String> = effects.into_iter().map(line).collect();
    lines.sort();
    lines
}

/// As the ledger calls it.
fn kind(effect: &Effect) -> &'static str {
    match effect {
        Effect::Raised(_) => "raised",
        Effect::Updated(_) => "updated",
        Effect::Ended(_) => "resolved",
        Effect::Scored(_) => "scored",
        Effect::AnomalyStarted(_) => "anomaly started",
        Effect::AnomalyEnded(_) => "anomaly ended",
    }
}

fn entry(at: Timestamp, kind: &str, prediction: &Prediction) -> String {
    format!("{at} {kind} {}", serde_json::to_string(prediction).unwrap())
}

/// What a ledger must hold of these effects: every one with the first tick that could have seen it.
fn entries(effects: &[Effect], ticks: &[Timestamp]) -> Vec<String> {
    let tick = |at: Timestamp| *ticks.iter().find(|tick| **tick >= at).unwrap();
    let mut entries: Vec<String> =
        effects.iter().filter_map(|effect| Some(entry(tick(effect.at()), kind(effect), effect.prediction()?))).collect();
    entries.sort();
    entries
}

fn assert_same(a: &[String], b: &[String], what: &str) {
    let first = a.iter().zip(b).find(|(a, b)| a != b);
    assert!(a == b, "{what}: {} and {} lines; the first that differ:\n{first:#?}", a.len(), b.len());
}

/// The daemon ticks when it starts, then two seconds after every multiple of its interval.
fn ticks_of(interval: Span) -> Vec<Timestamp> {
    let first = begin().floor(interval) + Span::from_secs(2);
    let later = (1..).map(|n| first + interval.times(n)).take_while(|t| *t <= at(END - 1) + LAST);
    std::iter::once(begin()).chain(later).collect()
}

#[test]
fn backtest_and_daemon_say_the_same_with_one_thread_and_with_two() {
    let data = Arc::new(data());
    let known = since(&data, reads_from());
    let (effects, report) = through_files(&known, 1);
    let one = lines(&effects);
    for (kind, least) in [("raised", 14), ("updated", 6), ("resolved", 12), ("scored", 1), ("anomaly ended", 3)] {
        let count = one.iter().filter(|line| line.split_once(' ').unwrap().1.starts_with(kind)).count();
        assert!(count >= least, "only {count} {kind}: this test would not see much");
    }
    let spool = report.predictions.iter().find(|told| told.prediction.watch == "spool").expect("the spool is told of");
    assert!(spool.outcome.ended_at.is_some(), "its silence is settled though its data has ended: {spool:?}");
    assert_same(&one, &lines(&through_files(&known, 2).0), "backtest of files with one thread and with two");
    assert_same(&one, &lines(&through_a_range(data.clone())), "backtest of files and of a server");

    let never = at(END)..at(END);
    // Long enough to lose ticks, and short enough that nothing is too late to be raised.
    let suspended = at(END - 300)..at(END - 297) + Span::from_secs(40);
    let five = Span::from_secs(300);
    for (threads, interval, suspended) in [(1, five, never.clone()), (2, five, never), (2, Span::from_secs(420), suspended)] {
        let what = format!("backtest and a daemon with {threads} threads that ticks every {interval}");
        let life = Life { threads, interval, end: at(END - 1) + LAST, suspended: suspended.clone() };
        let Lived { ticks, effects: seen, ledger } = live(data.clone(), life);
        let mut due: Vec<Timestamp> = ticks_of(interval);
        if !suspended.is_empty() {
            due.retain(|tick| !suspended.contains(tick));
            due.push(suspended.end);
            due.sort();
        }
        assert_eq!(ticks, due, "{what}: its ticks");
        // The last columns may come after the last tick.
        let told: Vec<Effect> = effects.iter().filter(|effect| ticks.last().is_some_and(|last| effect.at() <= *last)).cloned().collect();
        assert_same(&lines(&told), &lines(&seen), &what);
        let mut written: Vec<String> = ledger.iter().map(|(at, kind, prediction)| entry(*at, kind, prediction)).collect();
        written.sort();
        assert_same(&entries(&told, &ticks), &written, &format!("{what}, in its ledger"));
    }
}

#[test]
fn the_command_prints_what_the_daemon_writes_down() {
    let data = Arc::new(data());
    let never = at(END)..at(END);
    let lived = live(data.clone(), Life { threads: 1, interval: Span::from_secs(600), end: at(END - 1) + LAST, suspended: never });
    let mut raised: Vec<&Prediction> = lived.ledger.iter().filter(|(_, kind, _)| *kind == "raised").map(|(.., p)| p).collect();
    raised.sort_by(|a, b| (a.raised_at, &a.watch, &a.labels).cmp(&(b.raised_at, &b.watch, &b.labels)));
    let raised: Vec<String> = raised.into_iter().map(|p| serde_json::to_string(p).unwrap()).collect();

    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("portent.yaml"), config_text("http://127.0.0.1:1", dir.path(), STEP)).unwrap();
    write_csv(&since(&data, reads_from()), std::fs::File::create(dir.path().join("data.csv")).unwrap()).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let server = runtime.block_on(DemoServer::start(data, Arc::new(|| at(END)))).unwrap();
    // The last tick comes up to an interval before the end of the data.
    let last = lived.ticks.last().unwrap().floor(STEP);
    let (url, from, to) = (server.url(), begin().to_string(), last.to_string());
    let warmup = Span::WEEK.to_string();
    let run = |more: &[&str]| {
        let common = ["backtest", "-c", "portent.yaml", "--from", &from, "--to", &to, "--warmup", &warmup];
        let arguments: Vec<&str> = common.iter().chain(more).copied().collect();
        let output = PortentProcess::output(&arguments, dir.path());
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    for source in [["--prometheus", &url, "--threads", "1"].as_slice(), &["data.csv", "--threads", "1"], &["data.csv", "--threads", "2"]] {
        let told = run(&[source, &["-o", "jsonl"]].concat());
        let told: Vec<String> = told.lines().map(|line| format!("{}}}", line.rsplit_once(",\"outcome\":").unwrap().0)).collect();
        assert_same(&told, &raised, &format!("portent backtest {} and the daemon's ledger", source.join(" ")));
    }

    // The whole report of a server is that of a file, but for the way the samples came.
    let whole = |more: &[&str]| -> serde_json::Value {
        let mut report: serde_json::Value = serde_json::from_str(&run(&[more, &["-o", "json"]].concat())).unwrap();
        report["notes"].as_array_mut().unwrap().retain(|note| !note.as_str().unwrap().contains("samples came by range queries"));
        report
    };
    let (of_server, report) = (whole(&["--prometheus", &url]), whole(&["data.csv"]));
    assert_eq!(of_server, report);
    assert!(report["predictions"].as_array().unwrap().len() >= 14 && report["events"].as_array().unwrap().len() >= 12);

    // Only one of the watches, and a server that is gone.
    let one: serde_json::Value = serde_json::from_str(&run(&["--prometheus", &url, "--watch", "queue", "-o", "json"])).unwrap();
    assert_eq!(one["by_watch"].as_array().unwrap().len(), 1);
    drop(server);
    let gone = ["backtest", "--prometheus", &url, "--watch", "node-memory", "--from", &from, "--to", &to];
    let output = PortentProcess::output(&gone, dir.path());
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && stderr.contains("node-memory"), "{stderr}");
}
