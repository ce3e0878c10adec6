//! Settings that are clearly too blind, clearly too nervous, and pasts that say too little to change anything.

use std::sync::Arc;

use super::*;
use crate::backtest::files::{self, Question, Share};
use crate::core::labels::Labels;
use crate::core::watch::{Limit, Side, Threshold};
use crate::source::replay::{DataSeries, DataSet, History};

const STEP: Span = Span::from_secs(600);
const DAY: i64 = 144;

fn at(i: i64) -> Timestamp {
    Timestamp::from_millis(1_793_577_600_000) + STEP.times(i)
}

/// Disks that are emptied when they have been full for half a day, each with its own speed: an event every few days.
fn disks(len: i64) -> History {
    let disk = |number: i64| {
        let days = 4 * DAY + 31 * number;
        let value = move |i: i64| {
            let i = (i + 97 * number) % (days + DAY / 2);
            0.2 + 0.7 * i.min(days) as f64 / days as f64 + 0.002 * ((i * 7919) % 13) as f64 / 13.0
        };
        let name = format!("disk{number}");
        let labels = Labels::named(&name);
        DataSeries { name, labels, samples: (0..len).map(|i| (at(i), value(i))).collect(), step: STEP }
    };
    History::try_from(&DataSet { series: (0..3).map(disk).collect(), ..DataSet::default() }).unwrap()
}

fn tune(history: &History, change: impl Fn(&mut Watch), wish: Wish) -> Tuned {
    let question = Question { limit: Some(Limit { side: Side::Above, threshold: Threshold::Value(0.9) }), horizon: Span::DAY };
    let mut shares = files::make_watches(history, &question);
    for Share { watch, .. } in &mut shares {
        change(Arc::make_mut(watch));
    }
    let judging = Judging { from: None, warmup: Some(Span::DAY.times(3)) };
    let mut tuning = Tuning::new(shares.iter().map(|share| share.watch.clone()).collect(), judging, wish);
    let mut readings = 0;
    while let Some(mut trials) = tuning.round().filter(|_| readings < 2) {
        assert!(files::feed(&mut trials, history, &shares, None, |_| true).unwrap());
        tuning.learn(trials, false).unwrap();
        readings += 1;
    }
    tuning.finish()
}

const WISH: Wish = Wish { false_alarms_per_week: 1.0, min_lead: Span::from_secs(4 * 3_600) };

#[test]
fn who_looks_an_hour_ahead_and_wants_four_is_told_to_look_further() {
    let tuned = tune(&disks(22 * DAY), |watch| watch.horizon = Span::HOUR, WISH);
    let [proposal] = &tuned.proposals[..] else { panic!("{tuned:?}") };
    let horizon = proposal.changes.iter().find_map(|c| if let Change::Horizon(h) = c { Some(*h) } else { None });
    assert!(horizon.is_some_and(|horizon| horizon > Span::HOUR.times(4)), "{proposal:?}");
    let (chosen, shown) = (proposal.chosen_on.as_ref().unwrap(), proposal.shown_on.as_ref().unwrap());
    assert_eq!(chosen.to, shown.from);
    assert!(chosen.today.events >= MIN_EVENTS && chosen.today.told == 0 && shown.today.told == 0);
    let proposed = (chosen.proposed.as_ref().unwrap(), shown.proposed.as_ref().unwrap());
    assert!(proposed.0.told > 0 && proposed.0.false_alarms_per_week <= 1.0, "{proposed:?}");
    assert!(2 * proposed.1.told > proposed.1.events, "it holds on what the choice has not seen: {proposed:?}");
    assert!(proposal.compared > MOST_SINGLE / 2 && proposal.compared <= MOST_SINGLE + MOST_COMBINED);
    let text = patch::yaml(&tuned, |_| true);
    assert!(text.contains("  - name: files\n") && text.contains("    horizon: ") && text.contains("# was 1h\n"), "{text}");
    assert!(!text.contains("query:") && text.contains("on the rest, not seen by the choice"), "{text}");
    let of_a_pack = patch::yaml(&tuned, |_| false);
    assert!(of_a_pack.contains("\nwatches: []\n") && of_a_pack.contains("\n#   - name: files\n"), "{of_a_pack}");
}

#[test]
fn who_cries_wolf_is_told_to_wait_until_it_is_surer() {
    // Every evening it climbs towards the threshold and turns just below; every sixth day it goes on.
    let value = |i: i64| {
        let (day, hour) = (i / DAY, i % DAY);
        let top = if day % 3 == 2 { 1.02 } else { 0.86 };
        0.3 + (top - 0.3) * (1.0 - (hour as f64 / DAY as f64 * std::f64::consts::TAU).cos()) / 2.0 + 0.01 * ((i * 7919) % 13) as f64 / 13.0
    };
    let series = DataSeries {
        name: "climbs".into(),
        labels: Labels::named("climbs"),
        samples: (0..30 * DAY).map(|i| (at(i), value(i))).collect(),
        step: STEP,
    };
    let history = History::try_from(&DataSet { series: vec![series], ..DataSet::default() }).unwrap();
    let nervous = |watch: &mut Watch| {
        watch.horizon = Span::HOUR.times(6);
        (watch.hysteresis.raise, watch.hysteresis.raise_after, watch.hysteresis.clear) = (0.02, 1, 0.01);
    };
    let wish = Wish { false_alarms_per_week: 1.0, min_lead: Span::ZERO };
    let tuned = tune(&history, nervous, wish);
    let [proposal] = &tuned.proposals[..] else { panic!("{tuned:?}") };
    let chosen = proposal.chosen_on.as_ref().unwrap();
    assert!(chosen.today.false_alarms_per_week > 1.0, "{proposal:?}");
    let proposed = chosen.proposed.as_ref().unwrap();
    assert!(
        proposed.false_alarms_per_week <= 1.0 && proposed.told > 0 && proposal.because.contains("false alarms a week instead of"),
        "{proposal:?}"
    );
}

#[test]
fn too_few_events_change_nothing_and_neither_does_a_past_without_any() {
    let quiet = |history: &History, threshold: Option<f64>| {
        let tuned =
            tune(history, |watch| watch.limit = threshold.map(|t| Limit { side: Side::Above, threshold: Threshold::Value(t) }), WISH);
        assert!(tuned.proposals[0].changes.is_empty());
        (tuned.proposals[0].because.clone(), patch::yaml(&tuned, |_| true))
    };
    let (because, text) = quiet(&disks(12 * DAY), Some(5.0));
    assert_eq!(because, "0 events to choose by; 5 are the least that say anything");
    assert!(text.contains("watches: []\n    # files: kept as it is: 0 events to choose by") && text.contains("chosen on 20"), "{text}");
    let (because, _) = quiet(&disks(12 * DAY), None);
    assert!(because.starts_with("it has no threshold"), "{because}");
    let none = History::try_from(&DataSet::default()).unwrap();
    assert!(tune(&none, |_| (), WISH).proposals.is_empty());
}

#[test]
fn what_is_stopped_proposes_nothing_it_has_not_seen_whole() {
    let history = disks(18 * DAY);
    let question = Question { limit: Some(Limit { side: Side::Above, threshold: Threshold::Value(0.9) }), horizon: Span::HOUR };
    let shares = files::make_watches(&history, &question);
    let judging = Judging { from: None, warmup: Some(Span::DAY.times(3)) };
    let mut tuning = Tuning::new(shares.iter().map(|share| share.watch.clone()).collect(), judging, WISH);
    let mut trials = tuning.round().unwrap();
    let whole = files::feed(&mut trials, &history, &shares, None, |done| done.gone < Span::DAY).unwrap();
    tuning.learn(trials, !whole).unwrap();
    assert!(!whole && tuning.round().is_none());
    let tuned = tuning.finish();
    assert!(
        tuned.stopped_early && tuned.proposals[0].changes.is_empty() && patch::yaml(&tuned, |_| true).contains("stopped before the end")
    );
}
