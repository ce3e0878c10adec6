//! What `portent backtest` prints about a file small enough to check by hand, and what it says to wrong usage.

use std::fmt::Write as _;

use portent::core::time::Timestamp;

use super::world::at;
use crate::support::PortentProcess;

/// Hourly, five days: `full` grows by 0.5 % an hour through 0.9 at 2026-11-06T03:00Z, `calm` goes up and down.
pub fn small_csv() -> String {
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
RAISED (UTC)  WATCH  SERIES  SURE  ETA (P10-P90)          TRUTH      LEAD  ETA OFF
11-05 06:00   files  full    93 %  21h2m (20h36m-21h28m)  came true  21h   +2m

judged 2026-11-05 00:00 to 2026-11-06 23:00 (UTC), learned from 2026-11-02 00:00 on: 0 anomalies = 0.00 a series-week
1 event by thresholds, 0 unknown, over 2 series and 2.0 days; too few events for more than an anecdote

SAME RULES FOR ALL       TOLD  MEDIAN LEAD  FALSE A SERIES-WEEK    TRUE OF RAISED
portent                  1/1   21h          0 = 0.000 (0.00-5.24)  1/1
predict_linear[6h]       1/1   21h          1 = 1.750 (0.09-8.30)  1/2
predict_linear[1h]       0/1   -            0 = 0.000 (0.00-5.24)  -
threshold 10 % lower     1/1   16h          0 = 0.000 (0.00-5.24)  1/1
7 days' mean +- 3 sigma  0/1   -            0 = 0.000 (0.00-5.24)  -
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
    let of_figure = csv.lines().find(|line| line.starts_with("figure,portent,") && line.contains(",told_share,")).unwrap();
    assert!(of_figure.ends_with(",told_share,1,,,1,"), "one event has no interval: {of_figure}");
    let cut: serde_json::Value = serde_json::from_str(&run(&["-o", "json", "--to", "2026-11-06T00:00:00Z"])).unwrap();
    assert_eq!(cut["predictions"][0]["outcome"]["verdict"], "pending", "the data ends before the horizon");
    assert_eq!(cut["predictions"][0]["id"], first["id"]);
}

/// Samples come late, twice, in the wrong order and not at all, and nobody is told anything else for it than a daemon that lived through it.
#[test]
fn rows_in_any_order_and_twice_are_told_of_as_if_they_had_come_in_time() {
    let dir = tempfile::tempdir().unwrap();
    let text = small_csv();
    let (header, rows) = text.split_once('\n').unwrap();
    let rows: Vec<&str> = rows.lines().collect();
    // Every seventh is missing.
    let kept: Vec<&str> = rows.iter().enumerate().filter(|(i, _)| i % 7 != 3).map(|(_, row)| *row).collect();
    std::fs::write(dir.path().join("clean.csv"), format!("{header}\n{}\n", kept.join("\n"))).unwrap();
    // The rest stands in any order, half of it twice; of two at one time the later row counts, and an empty cell never replaces a value.
    let mut mixed: Vec<String> = (0..kept.len())
        .map(|i| kept[i * 41 % kept.len()])
        .flat_map(|row| {
            let time = row.split(',').next().unwrap();
            [format!("{time},77,77"), row.to_owned(), format!("{time},,")]
        })
        .collect();
    mixed.extend(kept.iter().step_by(2).map(|row| (*row).to_owned()));
    std::fs::write(dir.path().join("mixed.csv"), format!("{header}\n{}\n", mixed.join("\n"))).unwrap();
    let run = |file: &str| {
        let output = PortentProcess::output(&["backtest", file, "--above", "0.9", "--warmup", "3d", "-o", "json"], dir.path());
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
    };
    let (mut clean, mut mixed) = (run("clean.csv"), run("mixed.csv"));
    for report in [&mut clean, &mut mixed] {
        report.as_object_mut().unwrap().remove("notes");
    }
    assert_eq!(clean, mixed);
    assert_eq!(clean["predictions"][0]["outcome"]["verdict"], "came_true");
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
        (vec!["backtest", "small.csv", "--truth", "labels"], 2, "--labels FILE"),
        (vec!["backtest", "small.csv", "--truth", "alerts"], 2, "files hold no alerts"),
        (vec!["backtest", "small.csv", "--labels", "l.csv", "--truth", "thresholds"], 2, "leave out --truth"),
        (vec!["backtest", "small.csv", "--alert", "Full"], 2, "--alert is about --truth alerts"),
        (vec!["backtest", "small.csv", "--labels", "gone.csv"], 1, "cannot read labels gone.csv"),
    ] {
        let output = PortentProcess::output(&arguments, dir.path());
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(code) && stderr.contains(says), "{arguments:?}: {} {stderr}", output.status);
    }
}
