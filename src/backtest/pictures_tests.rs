//! Pictures from portraits against pictures of an engine that stands still, and what keeping them may not change: anything.

use std::collections::BTreeMap;

use super::files::{self, Question, Share};
use super::*;
use crate::core::frame::{FrameBuilder, Grid};
use crate::core::watch::{Limit, Side, Threshold};
use crate::source::replay::{DataSeries, DataSet, History};

const STEP: Span = Span::from_secs(600);
const DAY: i64 = 144;

fn at(i: i64) -> Timestamp {
    Timestamp::from_millis(1_793_577_600_000) + STEP.times(i)
}

/// One that fills twice, one that jumps without a sign, one that begins to fill and stops.
fn set() -> DataSet {
    let noise = |i: i64| 0.002 * (((i * 7919) % 13) as f64 / 13.0 - 0.5);
    let fills = |i: i64| (if i < 9 * DAY { 0.002 * i as f64 } else { 0.002 * (i - 8 * DAY) as f64 }) / 3.0 + noise(i);
    let jumps = |i: i64| if (10 * DAY..10 * DAY + 12).contains(&i) { 2.0 } else { 0.3 + noise(i) };
    let stops = |i: i64| (if i < 7 * DAY { 0.0 } else { 0.003 * (i.min(7 * DAY + 160) - 7 * DAY) as f64 }) + 0.1 + noise(i);
    let one = |name: &str, value: &dyn Fn(i64) -> f64| DataSeries {
        name: name.into(),
        labels: Labels::from_pairs([("__name__", "disk_used_ratio"), ("host", name)]).unwrap(),
        samples: (0..14 * DAY).map(|i| (at(i), value(i))).collect(),
        step: STEP,
    };
    DataSet { series: vec![one("fills", &fills), one("jumps", &jumps), one("stops", &stops)], ..DataSet::default() }
}

pub(super) fn past() -> History {
    History::try_from(&set()).unwrap()
}

pub(super) fn shares(past: &History) -> Vec<Share> {
    let limit = Limit { side: Side::Above, threshold: Threshold::Value(0.72) };
    files::make_watches(past, &Question { limit: Some(limit), horizon: Span::DAY })
}

pub(super) fn backtest(shares: &[Share]) -> Backtest {
    let judging = Judging { from: None, warmup: Some(Span::DAY.times(3)) };
    Backtest::new(shares.iter().map(|s| s.watch.clone()).collect(), Vec::new(), judging)
}

/// Every chart by its prediction, from an engine that is stepped through column by column and looked at in between.
fn stepped(set: &DataSet, shares: &[Share]) -> BTreeMap<PredictionId, String> {
    let mut backtest = backtest(shares);
    let (mut charts, labels) = (BTreeMap::new(), set.series.iter().map(|s| s.labels.clone()).collect::<Vec<_>>());
    for i in 0..14 * DAY {
        let mut builder = FrameBuilder::new(Grid { start: at(i), step: STEP, len: 1 });
        for (series, labels) in set.series.iter().zip(&labels) {
            let row = builder.row_of(labels);
            builder.set(row, 0, series.samples[i as usize].1);
        }
        let effects = backtest.feed(0, &builder.finish(), None, at(14 * DAY - 1)).unwrap();
        for effect in effects {
            if let Effect::Raised(prediction) = effect {
                let scene = picture::of_prediction(&backtest.engine, &prediction).unwrap();
                charts.insert(prediction.id, chart::svg(&scene, &Style::default()).unwrap());
            }
        }
    }
    charts
}

#[test]
fn a_picture_of_what_was_kept_is_the_picture_of_that_moment_and_keeping_it_changes_nothing() {
    let past = past();
    let shares = shares(&past);
    let run = |pictures: bool| {
        let mut backtest = backtest(&shares);
        if pictures {
            backtest.keep_pictures();
        }
        files::feed(&mut backtest, &past, &shares, None, |_| true).unwrap();
        backtest.finish(false).unwrap()
    };
    let (without, with) = (run(false), run(true));
    let json = |report: &Report| serde_json::to_string(report).unwrap();
    assert_eq!(json(&without), json(&with));
    let charts = stepped(&set(), &shares);
    assert!(charts.len() >= 2 && with.predictions.len() == charts.len(), "{} of {}", charts.len(), with.predictions.len());
    let mut kinds = Vec::new();
    for telling in &with.shown.telling {
        kinds.push(telling.kind);
        let scene = telling.scene.as_ref().unwrap();
        if let Some(prediction) = telling.prediction.map(|p| &with.predictions[p].prediction) {
            assert!(charts[&prediction.id] == chart::svg(scene, &Style::default()).unwrap(), "{prediction:?}");
        } else {
            let event = telling.event.map(|e| &with.events[e]).unwrap();
            assert_eq!((event.at, scene.now > event.at, scene.forecast.is_none()), (at(10 * DAY), true, true));
            assert!(scene.history.iter().all(|(t, _)| *t <= scene.now), "nothing later is in it");
            assert!(telling.last_likelihood.unwrap() < 0.5);
        }
    }
    assert!([Kind::Catch, Kind::Miss, Kind::FalseAlarm].iter().all(|kind| kinds.contains(kind)), "{kinds:?}");
    assert!(without.shown.telling.is_empty());
}

#[test]
fn every_prediction_is_drawn_and_the_files_are_those_of_the_report() {
    let past = past();
    let shares = shares(&past);
    let folder = tempfile::tempdir().unwrap();
    let mut backtest = backtest(&shares);
    backtest.draw_into(folder.path().to_owned(), Style { width: 480, height: 300, theme: chart::Theme::Dark });
    files::feed(&mut backtest, &past, &shares, None, |_| true).unwrap();
    let report = backtest.finish(false).unwrap();
    assert!(!report.predictions.is_empty());
    for told in &report.predictions {
        assert!(std::fs::read(told.outcome.chart.as_ref().unwrap()).unwrap().starts_with(b"\x89PNG"));
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), report.predictions.len());
}
