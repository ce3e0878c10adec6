//! `portent backtest --report`, opened in a real browser: what it logs, what stands in its document, and whether anything is to be seen.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use portent::backtest::page::{About, render};
use portent::backtest::{Backtest, Group, Judging, Report, files};
use portent::core::labels::Labels;
use portent::core::time::{Span, Timestamp};
use portent::core::watch::{Limit, Side, Threshold};
use portent::source::replay::{DataSeries, DataSet, History};

use crate::support::PortentProcess;

const PACKAGE: &str = "Debian's package chromium";
const STEP: Span = Span::from_secs(900);
const DAY: i64 = 96;
/// A label that would run if it were taken for markup anywhere.
const EVIL: &str = "</style></svg></title><script>document.title='broken in'</script><img src=x onerror=console.error('broken-in')>\"'";

/// Seven days of disks: some fill, one jumps without a sign.
fn disks() -> DataSet {
    let start = Timestamp::from_millis(1_793_577_600_000);
    let noise = |i: i64| 0.002 * (((i * 7919) % 13) as f64 / 13.0 - 0.5);
    let value = |n: i64, i: i64| match n {
        0..3 => 0.2 + (0.08 + 0.01 * n as f64) * i as f64 / DAY as f64 + noise(i + n),
        3 => {
            if i >= 6 * DAY {
                0.95
            } else {
                0.4 + noise(i)
            }
        }
        _ => 0.3 + noise(i + n),
    };
    let one = |n: i64| DataSeries {
        name: format!("disk-{n}"),
        labels: Labels::from_pairs([("__name__", "disk_used_ratio"), ("host", &format!("h{n}{EVIL}"))]).unwrap(),
        samples: (0..9 * DAY).map(|i| (start + STEP.times(i), value(n, i))).collect(),
        step: STEP,
    };
    DataSet { series: (0..5).map(one).collect(), ..DataSet::default() }
}

/// Opens a file: the document as the browser has built it, and every line of its console.
fn open(file: &Path) -> (String, Vec<String>) {
    let profile = tempfile::tempdir().unwrap();
    let output = chromium(profile.path(), &["--enable-logging=stderr", "--dump-dom"], file);
    let log = String::from_utf8_lossy(&output.stderr);
    let console = log.lines().filter(|line| line.contains("CONSOLE")).map(str::to_owned).collect();
    (String::from_utf8(output.stdout).unwrap(), console)
}

fn screenshot(file: &Path, more: &[&str]) -> Vec<u8> {
    let profile = tempfile::tempdir().unwrap();
    let picture = profile.path().join("page.png");
    let shot = format!("--screenshot={}", picture.display());
    let arguments: Vec<&str> = ["--hide-scrollbars", "--window-size=1280,1600", &shot].into_iter().chain(more.iter().copied()).collect();
    chromium(profile.path(), &arguments, file);
    std::fs::read(&picture).expect("a screenshot")
}

fn chromium(profile: &Path, arguments: &[&str], file: &Path) -> std::process::Output {
    let profile = format!("--user-data-dir={}", profile.display());
    let output = Command::new("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", &profile])
        .args(arguments)
        .arg(format!("file://{}", file.display()))
        .output()
        .unwrap_or_else(|error| panic!("cannot start chromium: {error}\nhint: it comes with {PACKAGE}"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

/// The large figure of a card, as text.
fn figure(dom: &str, card: &str) -> String {
    let card = dom.split_once(&format!("id=\"{card}\"")).expect("the card").1;
    let big = card.split_once("<p class=\"big\">").expect("its figure").1;
    big.split_once("</p>").unwrap().0.to_owned()
}

#[test]
fn the_page_of_the_command_holds_the_numbers_of_its_json_and_runs_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut csv = "timestamp,value,host\n".to_owned();
    for series in disks().series {
        for (at, value) in series.samples {
            writeln!(csv, "{at},{value},\"{}\"", series.labels.get("host").unwrap().replace('"', "\"\"")).unwrap();
        }
    }
    std::fs::write(dir.path().join("disks.csv"), csv).unwrap();
    let arguments = ["backtest", "disks.csv", "--above", "0.8", "--warmup", "3d", "--report", "report.html", "--json", "all.json"];
    let output = PortentProcess::output(&arguments, dir.path());
    assert!(output.status.success(), "{output:?}");
    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(dir.path().join("all.json")).unwrap()).unwrap();
    let file = dir.path().join("report.html");
    let (dom, console) = open(&file);
    assert_eq!(console, Vec::<String>::new());
    let summary = &json["summary"];
    let (told, events) = (summary["told"].as_u64().unwrap(), summary["events"].as_u64().unwrap());
    assert!(told >= 2 && events > told, "{summary}");
    assert_eq!(figure(&dom, "caught"), format!("{told} of {events}"));
    let rate = summary["false_alarms_per_series_week"].as_f64().unwrap();
    assert!((figure(&dom, "wrong").parse::<f64>().unwrap() - rate).abs() <= 0.005 + 0.05 * rate, "{rate}");
    let lead = summary["median_lead_time_s"].as_f64().unwrap();
    let shown: Span = figure(&dom, "lead").parse().unwrap();
    assert!((shown.as_secs_f64() - lead).abs() <= 1_800.0, "{shown} {lead}");
    assert!(dom.contains("Too few events to say"), "four are an anecdote");
    assert!(dom.contains("<title>Portent backtest: disks.csv</title>") && !dom.contains("<script") && !dom.contains("<img"));
    assert!(dom.contains("&lt;script&gt;"), "the label is there as text");
    assert!(dom.matches("<svg class=\"chart\"").count() as u64 > told, "every event is worth a picture here");
}

#[test]
fn a_thousand_series_and_two_hundred_events_are_a_small_page_that_can_be_seen_by_day_and_by_night() {
    let past = History::try_from(&disks()).unwrap();
    let limit = Some(Limit { side: Side::Above, threshold: Threshold::Value(0.8) });
    let shares = files::make_watches(&past, &files::Question { limit, horizon: Span::DAY });
    let judging = Judging { from: None, warmup: Some(Span::DAY.times(3)) };
    let mut backtest = Backtest::new(shares.iter().map(|s| s.watch.clone()).collect(), Vec::new(), judging);
    backtest.keep_pictures();
    files::feed(&mut backtest, &past, &shares, None, |_| true).unwrap();
    let report = many(backtest.finish(false).unwrap());
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("report.html");
    let page = render(&report, &About { source: "disks".into(), configuration: "none".into() }).unwrap();
    assert!(page.len() < 5_000_000, "{} bytes", page.len());
    std::fs::write(&file, page).unwrap();
    let (dom, console) = open(&file);
    assert_eq!(console, Vec::<String>::new());
    assert_eq!(dom.matches("<svg class=\"chart\"").count(), 10);
    assert_eq!(dom.matches("class=\"event").count(), 200);
    let (day, night) = (screenshot(&file, &[]), screenshot(&file, &["--blink-settings=preferredColorScheme=0"]));
    // A blank page of this size packs into some kilobytes.
    assert!(day.len() > 60_000 && night.len() > 60_000, "{} {}", day.len(), night.len());
    assert!(day != night);
}

/// The same with 200 events and 1,000 services, and ten pictures.
fn many(mut report: Report) -> Report {
    let later = |times: i64, at: Timestamp| at + Span::from_secs(600).times(times);
    let (events, predictions) = (report.events.clone(), report.predictions.clone());
    report.events = (0..200)
        .map(|i| (i, &events[i as usize % events.len()]))
        .map(|(i, event)| {
            let mut event = event.clone();
            (event.at, event.service) = (later(i, event.at), format!("service-{i}"));
            event
        })
        .collect();
    report.predictions = (0..400)
        .map(|i| (i, &predictions[i as usize % predictions.len()]))
        .map(|(i, told)| {
            let mut told = told.clone();
            told.prediction.service = format!("service-{i}");
            told
        })
        .collect();
    let group = report.by_service[0].clone();
    report.by_service = (0..1_000).map(|i| Group { name: format!("service-{i}"), ..group.clone() }).collect();
    report.shown.telling = report.shown.telling.iter().cycle().take(10).cloned().collect();
    report
}
