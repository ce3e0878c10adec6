//! Intervals on whole lives of series: what they missed makes the next ones wider, in the daemon as in a backtest.

use super::tests::{DAY, Signal, feed, noise, saved, start, watch};
use super::*;
use crate::core::explain;

/// Hours that tremble around a half, from the seventh day on four times as much.
fn restless(i: usize, series: usize) -> f64 {
    let size = if i < 7 * DAY { 0.02 } else { 0.08 };
    0.5 + size * noise(i / 12 + 1_000 * series) + 0.002 * noise(i)
}

fn engine() -> Engine {
    Engine::new([watch("disk", 0.56, Span::HOUR.times(3))], [])
}

fn lived(engine: &mut Engine, columns: std::ops::Range<usize>, chunk: usize) {
    let signals: [(&str, &Signal); 3] = [("a", &|i| restless(i, 1)), ("b", &|i| restless(i, 2)), ("c", &|i| restless(i, 3))];
    feed(engine, &signals, columns, chunk, start() + Span::DAY.times(6));
}

#[test]
fn live_misses_widen_what_is_shown_and_neither_frames_nor_a_restart_change_that() {
    let end = 10 * DAY;
    let mut whole = engine();
    lived(&mut whole, 0..end, DAY);
    let tally = *whole.tally(0);
    let inside = |kept: [Kept; 2]| kept.iter().map(|k| k.inside).sum::<u64>() as f64 / kept.iter().map(|k| k.count).sum::<u64>() as f64;
    assert!(tally.intervals[0][0].count > 20 && tally.intervals.map(|k| k[0].count) == tally.uncorrected.map(|k| k[0].count), "{tally:?}");
    assert!(inside(tally.uncorrected[0]) < 0.75 && inside(tally.intervals[0]) >= inside(tally.uncorrected[0]), "{tally:?}");

    let view = whole.series(0).next().unwrap();
    let (widths, id) = (view.widths, view.labels.id());
    assert!(widths.of(false) > 1.02, "{widths:?}");
    let (_, fit) = whole.find(0, id).unwrap();
    let plain = fit.unwrap().fitted.forecast(&explain::LEVELS);
    let said = explain::of_series(&whole, 0, id).unwrap().forecast.unwrap();
    assert_eq!(said.widths.map(|w| (w.near, w.far, w.settled)), Some((widths.of(false), widths.of(true), widths.settled())));
    // The first point told is the open hour or the one after it.
    let told = &said.ahead[0].bands[1];
    let wider = |h: usize| (told.upper - told.lower) / (plain.intervals[1].upper[h] - plain.intervals[1].lower[h]);
    assert!((0..2).any(|h| (wider(h) - widths.of(false)).abs() < 1e-9), "{said:?}");

    let mut pieces = engine();
    lived(&mut pieces, 0..end, 7);
    assert_eq!((*pieces.tally(0), pieces.series(0).next().unwrap().widths), (tally, widths));

    // In the middle of an hour, with some of it settled already.
    let cut = 8 * DAY + 5;
    let mut before = engine();
    lived(&mut before, 0..cut, 60);
    let mut after = engine();
    assert!(after.restore(saved(&mut before)).is_empty());
    assert_eq!(after.series(0).next().unwrap().widths, before.series(0).next().unwrap().widths);
    lived(&mut after, cut..end, 60);
    assert_eq!((*after.tally(0), after.series(0).next().unwrap().widths), (tally, widths));
}
