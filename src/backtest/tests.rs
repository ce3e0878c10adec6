//! What is counted, against what one counts by hand.

use std::sync::Arc;

use super::files::{self, Question};
use super::*;
use crate::core::watch::{Limit, Side, Threshold};
use crate::source::replay::{DataSeries, DataSet, History};

const STEP: Span = Span::from_secs(600);
const DAY: i64 = 144;

fn at(i: i64) -> Timestamp {
    Timestamp::from_millis(1_793_577_600_000) + STEP.times(i)
}

fn question(threshold: f64) -> Question {
    Question { limit: Some(Limit { side: Side::Above, threshold: Threshold::Value(threshold) }), horizon: Span::DAY }
}

fn set(series: &[(&str, &dyn Fn(i64) -> f64)], len: i64) -> History {
    let one = |(name, value): &(&str, &dyn Fn(i64) -> f64)| DataSeries {
        name: (*name).into(),
        labels: Labels::named(name),
        samples: (0..len).map(|i| (at(i), value(i))).filter(|(_, v)| v.is_finite()).collect(),
        step: STEP,
    };
    History::try_from(&DataSet { series: series.iter().map(one).collect(), ..DataSet::default() }).unwrap()
}

fn run(set: &History, question: &Question, warmup: Option<Span>) -> Report {
    let shares = files::make_watches(set, question);
    let mut backtest = Backtest::new(shares.iter().map(|s| s.watch.clone()).collect(), Vec::new(), Judging { from: None, warmup });
    let whole = files::feed(&mut backtest, set, &shares, None, |_| true).unwrap();
    backtest.finish(!whole).unwrap()
}

#[test]
fn events_that_nobody_told_are_missed_and_trembling_is_one_event() {
    // Jumps without a sign: three high samples at 3d, again an hour later (the same event), and for good at 5d.
    let jumps = |i: i64| {
        let high = (3 * DAY..3 * DAY + 3).contains(&i) || (3 * DAY + 9..3 * DAY + 12).contains(&i) || i >= 5 * DAY;
        if high { 10.0 } else { 1.0 }
    };
    // Two high samples are no breach; and a breach in the warm-up is no event.
    let short = |i: i64| if i == 4 * DAY || i == 4 * DAY + 1 || (DAY..DAY + 9).contains(&i) { 10.0 } else { 1.0 };
    let report = run(&set(&[("jumps", &jumps), ("short", &short)], 6 * DAY), &question(5.0), Some(Span::DAY.times(2)));
    let events: Vec<_> = report.events.iter().map(|e| (e.at, e.ends_at, e.told_by.is_some())).collect();
    assert_eq!(events, [(at(3 * DAY), Some(at(3 * DAY + 11)), false), (at(5 * DAY), None, false)]);
    assert_eq!((report.summary.events, report.summary.told, report.summary.missed), (2, 0, 2));
    assert_eq!(report.judged_from, Some(at(2 * DAY)));
    assert_eq!(report.summary.series_weeks, 2.0 * 4.0 / 7.0, "two series for four days");
}

#[test]
fn a_growth_is_told_and_scored_as_it_was_raised() {
    let grows = |i: i64| 0.002 * i as f64 + 0.0001 * ((i * 7919) % 13) as f64;
    let report = run(&set(&[("grows", &grows)], 6 * DAY), &question(0.002 * 720.0), Some(Span::DAY.times(3)));
    let [told] = &report.predictions[..] else { panic!("{:?}", report.predictions) };
    assert_eq!((told.prediction.truth, told.prediction.revision), (None, 0), "as raised");
    let Verdict::CameTrue { at: crossed } = told.outcome.verdict else { panic!("{told:?}") };
    let [event] = &report.events[..] else { panic!("{:?}", report.events) };
    assert_eq!((event.at, event.told_by.as_ref()), (crossed, Some(&told.prediction.id)));
    let lead = (crossed - told.prediction.raised_at).as_secs_f64();
    assert_eq!((event.lead_time_s, told.outcome.lead_time_s, report.summary.median_lead_time_s), (Some(lead), Some(lead), Some(lead)));
    let off = (told.prediction.eta.p50.unwrap() - crossed).as_secs_f64();
    assert_eq!((told.outcome.eta_error_s, told.outcome.eta_held), (Some(off), Some(true)));
    assert_eq!((report.summary.raised, report.summary.came_true, report.summary.false_alarms), (1, 1, 0));
    assert_eq!((report.rival.events, report.rival.told, report.rival.false_alarms), (1, 1, 0), "a straight line is the rival's best case");
    assert!((report.rival.median_lead_time_s.unwrap() - 86_400.0).abs() < 3_600.0);
}

/// Judged by labels of two series.
fn judged_by(labels: &str, set: &History, question: &Question, warmup: Span) -> Report {
    let shares = files::make_watches(set, question);
    let mut backtest =
        Backtest::new(shares.iter().map(|s| s.watch.clone()).collect(), Vec::new(), Judging { from: None, warmup: Some(warmup) });
    backtest.judge_by(labels::parse("labels.csv", labels).unwrap());
    files::feed(&mut backtest, set, &shares, None, |_| true).unwrap();
    backtest.finish(false).unwrap()
}

#[test]
fn labels_are_told_missed_or_too_early_to_tell() {
    let grows = |i: i64| 0.002 * i as f64 + 0.0001 * ((i * 7919) % 13) as f64;
    let set = set(&[("grows", &grows)], 6 * DAY);
    let question = question(0.002 * 720.0);
    let by_threshold = run(&set, &question, Some(Span::DAY.times(3)));
    let raised = by_threshold.predictions[0].prediction.raised_at;
    // Before there is enough past; while it is open; after it.
    let labels = format!(
        "series,start,end,what\ngrows,{},{},young\ngrows,{},{},seen\ngrows,{},,later\n",
        at(9),
        at(12),
        raised + Span::HOUR,
        raised + Span::HOUR,
        at(6 * DAY - 2)
    );
    let report = judged_by(&labels, &set, &question, Span::DAY.times(3));
    let events: Vec<_> = report.events.iter().map(|e| (e.what.as_deref().unwrap(), e.told_by.is_some(), e.lead_time_s)).collect();
    assert_eq!(events, [("seen", true, Some(3_600.0)), ("later", false, None)]);
    assert_eq!(report.lead_times_s, [3_600.0]);
    let [told] = &report.predictions[..] else { panic!("{:?}", report.predictions) };
    assert_eq!((told.outcome.verdict, told.outcome.lead_time_s), (Verdict::CameTrue { at: raised + Span::HOUR }, Some(3_600.0)));
    assert_eq!(
        (&told.prediction, report.summary.precision, report.summary.told_share),
        (&by_threshold.predictions[0].prediction, Some(1.0), Some(0.5))
    );
    let late = judged_by(
        &format!("series,start,end\ngrows,{},{}\n", raised - Span::HOUR, raised + Span::HOUR),
        &set,
        &question,
        Span::DAY.times(3),
    );
    assert_eq!(late.predictions[0].outcome.verdict, Verdict::Late { at: raised - Span::HOUR });
    assert_eq!((late.summary.late, late.summary.false_alarms, late.summary.precision), (1, 0, None));
    assert!(late.reliability.raised.iter().all(|bin| bin.count == 0) && by_threshold.reliability.raised.iter().any(|bin| bin.count == 1));
}

#[test]
fn anomalies_are_held_against_labels() {
    let noise = |i: i64| ((i * 7919) % 101) as f64 / 101.0;
    let odd = |i: i64| noise(i) + if (9 * DAY..9 * DAY + 20).contains(&i) || (12 * DAY..12 * DAY + 20).contains(&i) { 9.0 } else { 0.0 };
    let set = set(&[("odd", &odd), ("fine", &noise)], 14 * DAY);
    let question = Question { limit: None, horizon: Span::DAY };
    let labels = format!(
        "series,start,end,kind\nodd,{},{},\nodd,{},{},unclear\nfine,{},{},event\n",
        at(9 * DAY - 1),
        at(9 * DAY + 30),
        at(12 * DAY),
        at(12 * DAY + 1),
        at(10 * DAY),
        at(10 * DAY + 6)
    );
    let report = judged_by(&labels, &set, &question, Span::WEEK);
    let summary = &report.summary;
    assert_eq!((summary.events, summary.incidents, summary.noticed, summary.noticed_share), (0, Some(2), Some(1), Some(0.5)));
    assert!(summary.median_notice_delay_s.is_some_and(|s| (600.0..=1_800.0).contains(&s)), "{summary:?}");
    let unclear = report.anomalies.iter().filter(|a| a.started_at >= at(12 * DAY) && a.started_at <= at(12 * DAY + 20)).count();
    assert!(unclear >= 1 && summary.anomalies > summary.anomalies_true.unwrap(), "{summary:?}");
    assert_eq!(summary.anomalies_true, Some(report.anomalies.iter().filter(|a| a.started_at < at(10 * DAY)).count() as u64));
    let by_threshold = run(&set, &question, Some(Span::WEEK)).summary;
    assert_eq!((by_threshold.incidents, by_threshold.anomaly_precision), (None, None), "thresholds say nothing about what is unusual");
}

#[test]
fn the_rival_cries_wolf_over_every_rhythm() {
    let daily = |i: i64| 50.0 + 30.0 * (i as f64 / DAY as f64 * std::f64::consts::TAU).sin();
    let report = run(&set(&[("daily", &daily)], 10 * DAY), &question(95.0), None);
    assert_eq!((report.summary.raised, report.events.len()), (0, 0));
    // Once each morning; the alarms of the last day's horizon are not due.
    let rival = report.rival;
    assert!(rival.false_alarms >= 3 && rival.false_alarms + rival.pending == rival.raised && rival.told == 0, "{rival:?}");
    assert_eq!(
        report.judged_from,
        Some(at(5 * DAY) - Span::from_secs(300)),
        "half of the data is learned from where there are less than two weeks"
    );
}

#[test]
fn configured_watches_pick_their_series_and_take_the_files_step() {
    let set = set(&[("a", &|_| 1.0), ("b", &|_| 2.0)], 10);
    let text = "sources: [ { name: s, prometheus: { url: http://h/ } } ]\nwatches:\n  - { name: one, query: a, step: 1m }\n  \
                - { name: two, query: '{__name__=~\"a|b\"}', step: 20m, above: { query: b } }\n  - { name: rate, query: 'rate(a[5m])' }\n  - { name: none, query: c }\n";
    let (shares, notes) = files::share_out(&set, &crate::config::parse(text, "x").unwrap().watches);
    let got: Vec<_> = shares.iter().map(|s| (&*s.watch.name, s.series.clone(), s.thresholds.clone(), s.watch.step)).collect();
    assert_eq!(got, [("one", vec![0], vec![], STEP), ("two", vec![0, 1], vec![1], Span::from_secs(1200))]);
    assert_eq!(notes.len(), 3, "{notes:?}");
    assert!(notes[1].starts_with("rate: left out, files answer plain selectors only") && notes[2].starts_with("none: no series"));
}

#[test]
fn a_threshold_that_moves_is_never_known_before_its_time() {
    // The limit falls below the value at 3d: an event. Fed in one piece, nothing may be told before that.
    let limit = |i: i64| if i < 3 * DAY { 100.0 } else { 1.0 };
    let set = set(&[("v", &|i| 5.0 + 0.001 * (i % 7) as f64), ("limit", &limit)], 5 * DAY);
    let text = "sources: [ { name: s, prometheus: { url: http://h/ } } ]\nwatches: [ { name: w, query: v, step: 10m, above: { query: '{__name__=\"limit\"}' } } ]\n";
    let (mut shares, _) = files::share_out(&set, &crate::config::parse(text, "x").unwrap().watches);
    // Only one series without labels but its name is a limit for all.
    shares[0].watch = Arc::new(Watch { name: "w".into(), ..(*shares[0].watch).clone() });
    let judging = Judging { from: None, warmup: Some(Span::DAY.times(2)) };
    let mut backtest = Backtest::new(vec![shares[0].watch.clone()], Vec::new(), judging);
    files::feed(&mut backtest, &set, &shares, None, |_| true).unwrap();
    let report = backtest.finish(false).unwrap();
    assert_eq!(report.predictions.len(), 0);
    assert_eq!(report.events.iter().map(|e| e.at).collect::<Vec<_>>(), [at(3 * DAY)]);
}

#[test]
fn silence_settles_a_prediction_while_time_goes_on_elsewhere() {
    // One fills and falls silent four hours after it was told of; the other's hours go on for two days.
    let grows = |i: i64| if i < 4 * DAY { 0.002 * i as f64 + 0.0001 * ((i * 7919) % 13) as f64 } else { f64::NAN };
    let other = |i: i64| if i % 3 == 0 { 1.0 } else { f64::NAN };
    let mut set = set(&[("grows", &grows), ("other", &other)], 8 * DAY);
    set.series[1].step = STEP.times(3);
    let threshold = 0.002 * (5 * DAY - 24) as f64;
    let shares = files::make_watches(&set, &question(threshold));
    let mut backtest = Backtest::new(
        shares.iter().map(|s| s.watch.clone()).collect(),
        Vec::new(),
        Judging { from: None, warmup: Some(Span::DAY.times(2)) },
    );
    files::feed(&mut backtest, &set, &shares, None, |_| true).unwrap();
    let report = backtest.finish(false).unwrap();
    let [told] = &report.predictions[..] else { panic!("{:?}", report.predictions) };
    let due = told.prediction.due_at();
    assert_eq!(
        (told.outcome.verdict, told.outcome.ended_at),
        (Verdict::NotKnown, Some(due + STEP)),
        "at the first column after it was due"
    );
    assert_eq!(report.to, Some(at(8 * DAY - 1).floor(STEP.times(3))));
    assert_eq!(report.judged_from, Some(at(2 * DAY)));
}

#[test]
fn a_history_in_stretches_tells_what_one_whole_frame_does() {
    // Two steps make two watches, of which the slower has gaps and ends early; a disk fills, a rhythm does not.
    let fills = |i: i64| 0.002 * (i % (5 * DAY)) as f64 + 0.0001 * ((i * 7919) % 13) as f64;
    let daily = |i: i64| 0.5 + 0.2 * (i as f64 / DAY as f64 * std::f64::consts::TAU).sin();
    let slow = |i: i64| if i % 3 == 0 && !(2 * DAY..3 * DAY).contains(&i) && i < 6 * DAY { fills(i + 77) } else { f64::NAN };
    let mut history = set(&[("fills", &fills), ("daily", &daily), ("slow", &slow)], 9 * DAY);
    history.series[2].step = STEP.times(3);
    let shares = files::make_watches(&history, &question(1.3));
    assert_eq!(shares.len(), 2);
    let new = || {
        let judging = Judging { from: None, warmup: Some(Span::DAY.times(3)) };
        Backtest::new(shares.iter().map(|s| s.watch.clone()).collect(), Vec::new(), judging)
    };
    let (mut streamed, mut heard) = (new(), Vec::new());
    let all = files::feed(&mut streamed, &history, &shares, None, |done| {
        heard.push(done);
        true
    });
    assert!(all.unwrap() && heard.windows(2).all(|w| w[0].part <= w[1].part && w[0].samples <= w[1].samples));
    assert!(heard.last().is_some_and(|done| done.part == 1.0 && done.gone == done.of && done.series == 3));
    let mut whole = new();
    for (index, share) in shares.iter().enumerate() {
        let mut stretches = history.stretches(share.series.iter().copied());
        while stretches.advance().unwrap() != Some(Timestamp::MAX) {}
        let (grid, ends) = files::grid_of(&history, share, None);
        whole.feed(index, &stretches.frame(&share.series, grid), None, ends).unwrap();
    }
    let said = |backtest: Backtest| serde_json::to_string(&backtest.finish(false).unwrap()).unwrap();
    let said = (said(streamed), said(whole));
    assert!(said.0.contains("came_true") && said.0 == said.1);
}

#[test]
fn what_is_stopped_says_so_and_has_come_equally_far_everywhere() {
    let grows = |i: i64| 0.002 * i as f64 + 0.0001 * ((i * 7919) % 13) as f64;
    let mut history = set(&[("grows", &grows), ("other", &grows)], 40 * DAY);
    history.series[1].step = STEP.times(2);
    let shares = files::make_watches(&history, &question(0.002 * (6 * DAY) as f64));
    let judging = Judging { from: None, warmup: Some(Span::DAY.times(3)) };
    let mut backtest = Backtest::new(shares.iter().map(|s| s.watch.clone()).collect(), Vec::new(), judging);
    let whole = files::feed(&mut backtest, &history, &shares, None, |done| done.gone < Span::DAY.times(12)).unwrap();
    let report = backtest.finish(!whole).unwrap();
    assert!(report.stopped_early && report.to.is_some_and(|to| to >= at(12 * DAY) && to < at(39 * DAY)), "{:?}", report.to);
    assert_eq!(report.predictions.iter().filter(|told| matches!(told.outcome.verdict, Verdict::CameTrue { .. })).count(), 1);
}
