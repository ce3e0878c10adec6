//! Anomalies on whole lives of series: one episode each, explained, no more often than stated, and the same however a restart falls.

use portent_models::score::Settings;

use super::tests::{DAY, STEP, Signal, daily, feed, noise, saved, start, watch};
use super::*;
use crate::core::watch::BaselineSettings;

/// A day's rhythm with two hours out of it, as one watch without a threshold sees it.
fn odd_hours(from: usize) -> impl Fn(usize) -> f64 + Sync {
    move |i| daily(i) + if (from..from + 24).contains(&i) { 0.4 } else { 0.0 }
}

fn anomalies_only(score: Settings) -> Arc<Watch> {
    let watch = watch("odd", 0.9, Span::DAY);
    Arc::new(Watch { limit: None, baseline: BaselineSettings { score, ..BaselineSettings::default() }, ..(*watch).clone() })
}

#[test]
fn an_anomaly_is_one_episode_with_its_reason_from_its_first_odd_sample_until_an_hour_after_its_last() {
    let mut engine = Engine::new([anomalies_only(Settings::default())], []);
    let odd = odd_hours(8 * DAY + 30);
    let at = |i: usize| start() + STEP.times(i as i64);
    let effects = feed(&mut engine, &[("a", &odd)], 0..8 * DAY + 40, 12, at(8 * DAY));
    let [Effect::AnomalyStarted(begun)] = &effects[..] else { panic!("{effects:?}") };
    // A lone sample may be a slip of the scrape, unless it is far enough off; the second one is none.
    assert!([30, 31].map(|i| at(8 * DAY + i)).contains(&begun.started_at) && begun.ended_at.is_none(), "{begun:?}");
    assert!(begun.score >= 1.0 && begun.value > begun.upper && begun.because.contains("sigmas from"), "{begun:?}");
    let view = engine.series(0).next().unwrap();
    assert!(view.anomaly.is_some() && view.score >= 1.0);

    let effects = feed(&mut engine, &[("a", &odd)], 8 * DAY + 40..9 * DAY, 12, at(8 * DAY));
    let [Effect::AnomalyEnded(ended)] = &effects[..] else { panic!("{effects:?}") };
    // Longer levels than the incident are unusual for a while after it.
    assert!(ended.last_odd_at >= at(8 * DAY + 53) && ended.last_odd_at < at(8 * DAY + 96), "{ended:?}");
    assert_eq!(ended.ended_at, Some(ended.last_odd_at + Span::HOUR + STEP));
    assert!(ended.score >= begun.score && ended.why.per_week <= begun.why.per_week);
    assert_eq!(engine.anomalies().count(), 0);
}

#[test]
fn an_anomaly_of_a_series_that_falls_silent_ends_where_it_would_have_been_seen() {
    let at = |i: usize| start() + STEP.times(i as i64);
    let odd = odd_hours(8 * DAY + 30);
    let mut engine = Engine::new([anomalies_only(Settings::default())], []);
    let effects = feed(&mut engine, &[("a", &odd)], 0..8 * DAY + 40, 12, at(8 * DAY));
    assert_eq!(effects.len(), 1);
    let late = engine.step(at(10 * DAY), Input::Tick);
    let [Effect::AnomalyEnded(ended)] = &late[..] else { panic!("{late:?}") };
    assert_eq!((ended.last_odd_at, ended.ended_at), (at(8 * DAY + 39), Some(at(8 * DAY + 39) + Span::HOUR + STEP)));
}

#[test]
fn a_restart_in_the_middle_of_an_anomaly_changes_nothing() {
    let judge_from = start() + Span::WEEK;
    let (odd, gaps) = (odd_hours(8 * DAY + 30), |i: usize| if i % 31 < 5 { f64::NAN } else { odd_hours(8 * DAY + 25)(i) });
    let signals: [(&str, &Signal); 3] = [("a", &odd), ("b", &gaps), ("c", &daily)];
    let mut whole = Engine::new([anomalies_only(Settings::default())], []);
    let all = feed(&mut whole, &signals, 0..9 * DAY, 1, judge_from);
    assert!(all.len() >= 4, "{all:?}");
    whole.mark_dirty();
    let whole_state = saved(&mut whole);
    for cut in [8 * DAY + 31, 8 * DAY + 32, 8 * DAY + 45, 8 * DAY + 60] {
        let mut first = Engine::new([anomalies_only(Settings::default())], []);
        let mut split = feed(&mut first, &signals, 0..cut, 1, judge_from);
        let mut second = Engine::new([anomalies_only(Settings::default())], []);
        assert!(second.restore(saved(&mut first)).is_empty());
        split.extend(feed(&mut second, &signals, cut..9 * DAY, 1, judge_from));
        assert_eq!(all, split, "cut at {cut}");
        assert_eq!(whole_state, saved(&mut second), "the state itself, cut at {cut}");
    }
}

#[test]
fn other_settings_of_anomalies_keep_what_was_learned() {
    let at = |i: usize| start() + STEP.times(i as i64);
    let odd = odd_hours(8 * DAY + 30);
    let run = |after: Settings| {
        let mut engine = Engine::new([anomalies_only(Settings::default())], []);
        feed(&mut engine, &[("a", &odd)], 0..8 * DAY, 12, at(8 * DAY));
        assert!(engine.set_watches([anomalies_only(after)], []).is_empty());
        assert_eq!(engine.cursor(0), Some(at(8 * DAY - 1)));
        feed(&mut engine, &[("a", &odd)], 8 * DAY..9 * DAY, 12, at(8 * DAY))
    };
    let mut untouched = Engine::new([anomalies_only(Settings::default())], []);
    let mut same = feed(&mut untouched, &[("a", &odd)], 0..8 * DAY, 12, at(8 * DAY));
    same.extend(feed(&mut untouched, &[("a", &odd)], 8 * DAY..9 * DAY, 12, at(8 * DAY)));
    assert_eq!(run(Settings { upper: Some(1e9), ..Settings::default() }).len(), same.len());
    assert_eq!(run(Settings::default()), same);
    assert_eq!(run(Settings { least_deviation: 10.0, ..Settings::default() }), []);
}

#[test]
fn a_healthy_fleet_is_called_about_as_often_as_stated() {
    const WEEKS: usize = 4;
    const EACH: usize = 1;
    /// A sum of four uniform ones: a bell of deviation 1.
    fn bell(i: usize) -> f64 {
        (0..4).map(|k| noise(4 * i + k)).sum::<f64>() * 1.732
    }
    fn wave(i: usize) -> f64 {
        (i as f64 / DAY as f64 * std::f64::consts::TAU).sin()
    }
    type Kind = fn(usize, usize) -> f64;
    let kinds: [(&str, Kind); 6] = [
        ("flat", |_, r| 50.0 + bell(r)),
        ("daily", |i, r| 100.0 + 20.0 * wave(i) + 2.0 * bell(r)),
        ("weekly", |i, r| (100.0 + 30.0 * wave(i)) * if i / DAY % 7 < 5 { 1.0 } else { 0.7 } + 2.0 * bell(r)),
        ("saw", |i, r| 0.3 + 0.4 * (i % 500) as f64 / 500.0 + 0.005 * bell(r)),
        ("bursts", |i, r| (2.0 + 0.4 * bell(r) + 0.3 * wave(i)).exp()),
        ("counts", |_, r| (3.0 + 1.5 * bell(r)).max(0.0).floor()),
    ];
    let named = kinds.iter().flat_map(|(name, make)| (0..EACH).map(move |n| (format!("{name}{n}"), *make, (n + 1) * 1_000_000)));
    let fleet: Vec<(String, Box<Signal>)> =
        named.map(|(name, make, stream)| (name, Box::new(move |i| make(i, stream + i)) as Box<Signal>)).collect();
    let signals: Vec<(&str, &Signal)> = fleet.iter().map(|(name, signal)| (name.as_str(), signal.as_ref())).collect();
    // Anomalies a series-week, of all and by kind.
    let calls = |false_alarms_per_week: f64| {
        let mut engine = Engine::new([anomalies_only(Settings { false_alarms_per_week, ..Settings::default() })], []);
        let effects = feed(&mut engine, &signals, 0..WEEKS * 7 * DAY, 7 * DAY, start() + Span::WEEK);
        let of = |name: &str, effect: &Effect| matches!(effect, Effect::AnomalyStarted(a) if a.labels.get("host").is_some_and(|host| host.starts_with(name)));
        let series_weeks = ((WEEKS - 1) * EACH) as f64;
        let by_kind: Vec<(&str, f64)> =
            kinds.iter().map(|(name, _)| (*name, effects.iter().filter(|e| of(name, e)).count() as f64 / series_weeks)).collect();
        (by_kind.iter().map(|(_, rate)| rate).sum::<f64>() / kinds.len() as f64, by_kind)
    };
    let (usual, often) = (calls(1.0), calls(7.0));
    assert!(usual.0 <= 1.5 && often.0 <= 14.0, "{usual:?} where 1 is stated, {often:?} where 7 are");
    assert!(usual.0 < 0.5 * often.0, "{usual:?} {often:?}: the setting does nothing");
}
