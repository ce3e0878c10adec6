//! The engine on whole lives of series: told once, in time, and the same however samples, threads and restarts fall.

use super::*;
use crate::core::frame::{FrameBuilder, Grid};
use crate::core::prediction::{State, Truth};
use crate::core::watch::{BaselineSettings, Hysteresis, Impact, Limit, Profile, Side};

pub(super) const STEP: Span = Span::from_secs(300);

pub(super) fn watch(name: &str, threshold: f64, horizon: Span) -> Arc<Watch> {
    Arc::new(Watch {
        name: name.into(),
        source: "test".into(),
        query: name.into(),
        step: STEP,
        limit: Some(Limit { side: Side::Above, threshold: Threshold::Value(threshold) }),
        horizon,
        baseline: BaselineSettings::default(),
        profile: Profile {
            name: "gauge".into(),
            about: String::new(),
            lower: None,
            upper: None,
            seasonal: true,
            resets: false,
            deadline: false,
        },
        special_days: crate::core::calendar::Kinds::default(),
        selecting: crate::core::selection::Selecting::Written,
        zone: jiff::tz::TimeZone::UTC,
        service: "{{host}}".parse().unwrap(),
        code: name.into(),
        title: "{{host}} fills up".parse().unwrap(),
        why: None,
        impact: Impact::High,
        playbooks: vec!["free-space".into()],
        hysteresis: Hysteresis::default(),
    })
}

fn host(name: &str) -> Labels {
    Labels::from_pairs([("__name__", "m"), ("host", name)]).unwrap()
}

/// A scramble of i, uniform on (-0.5, 0.5).
pub(super) fn noise(i: usize) -> f64 {
    let x = (i as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let x = (x ^ (x >> 31)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    ((x ^ (x >> 29)) >> 11) as f64 / (1_u64 << 53) as f64 - 0.5
}

/// Monday, 2026-11-02T00:00:00Z.
pub(super) fn start() -> Timestamp {
    "2026-11-02T00:00:00Z".parse().unwrap()
}

pub(super) type Signal = dyn Fn(usize) -> f64 + Sync;

/// Feeds `columns` of the signals in frames of `chunk` columns.
pub(super) fn feed(
    engine: &mut Engine,
    signals: &[(&str, &Signal)],
    columns: std::ops::Range<usize>,
    chunk: usize,
    judge_from: Timestamp,
) -> Vec<Effect> {
    let mut effects = Vec::new();
    let mut at = columns.start;
    while at < columns.end {
        let len = chunk.min(columns.end - at);
        let grid = Grid { start: start() + STEP.times(at as i64), step: STEP, len };
        let mut builder = FrameBuilder::new(grid);
        for (name, signal) in signals {
            let row = builder.add_row(host(name)).unwrap();
            (0..len).for_each(|i| builder.set(row, i, signal(at + i)));
        }
        let frame = builder.finish();
        let now = grid.last();
        effects.extend(engine.step(now, Input::Samples { watch: 0, frame: &frame, thresholds: None, judging: Judged::from(judge_from) }));
        effects.extend(engine.step(now, Input::Tick));
        at += len;
    }
    effects
}

pub(super) const DAY: usize = 288;

fn growing(i: usize) -> f64 {
    0.5 + 0.4 * i as f64 / (8.0 * DAY as f64) + 0.002 * noise(i)
}

pub(super) fn daily(i: usize) -> f64 {
    0.6 + 0.2 * (i as f64 / DAY as f64 * std::f64::consts::TAU).sin() + 0.02 * noise(i + 7)
}

fn engine(threshold: f64) -> Engine {
    let playbook = serde_json::from_value(serde_json::json!({
        "name": "free-space", "about": "makes room", "steps": [{ "name": "rotate", "action": "command" }]
    }));
    Engine::new([watch("disk", threshold, Span::from_secs(24 * 3600))], [playbook.unwrap()])
}

pub(super) fn saved(engine: &mut Engine) -> Vec<Checkpoint> {
    std::iter::from_fn(|| engine.checkpoint()).collect()
}

fn told(effects: &[Effect]) -> Vec<(&'static str, &Prediction)> {
    effects
        .iter()
        .filter_map(|effect| {
            Some(match effect {
                Effect::Raised(p) => ("raised", p),
                Effect::Updated(p) => ("updated", p),
                Effect::Ended(p) => ("ended", p),
                Effect::Scored(p) => ("scored", p),
                _ => return None,
            })
        })
        .collect()
}

#[test]
fn a_filling_disk_is_told_once_with_its_time_and_comes_true() {
    let mut engine = engine(0.9);
    let judge_from = start() + Span::WEEK;
    let effects = feed(&mut engine, &[("a", &growing), ("b", &daily)], 0..9 * DAY, 12, judge_from);
    let events = told(&effects);
    let raised: Vec<_> = events.iter().filter(|(kind, _)| *kind == "raised").map(|(_, p)| *p).collect();
    assert_eq!(raised.len(), 1, "{raised:?}");
    let first = raised[0];
    assert_eq!((first.service.as_str(), first.title.as_str()), ("a", "a fills up"));
    assert_eq!(first.suggested_playbooks[0].would_run, ["rotate (command)"]);
    let truth = start() + STEP.times(8 * DAY as i64);
    let (p10, p90) = (first.eta.p10.unwrap(), first.eta.p90);
    assert_eq!(p90.is_some(), first.likelihood >= 0.9, "a quantile lies past the horizon exactly where the likelihood is below it");
    assert!(p10 <= truth + Span::HOUR && p90.is_none_or(|p90| p90 >= truth - Span::HOUR), "{p10}..{p90:?}, truth {truth}");
    assert!((first.rate_of_change - 0.4 / (8.0 * 24.0 * 60.0)).abs() < 2e-5, "{}", first.rate_of_change);
    let last = events.last().unwrap().1;
    assert_eq!(last.state, State::Resolved);
    let Some(Truth::CameTrue { at, lead_time_s }) = last.truth else { panic!("{last:?}") };
    assert!((at - truth).as_millis().abs() <= 2 * 3_600_000 && lead_time_s > 6.0 * 3600.0);
}

#[test]
fn a_season_that_comes_near_and_a_spike_stay_quiet() {
    let mut engine = engine(0.9);
    let spike = |i: usize| if i == 10 * DAY + 50 { 0.95 } else { 0.5 + 0.02 * noise(i) };
    let effects = feed(&mut engine, &[("season", &daily), ("spike", &spike)], 0..14 * DAY, 12, start() + Span::WEEK);
    assert_eq!(told(&effects), []);
}

#[test]
fn how_samples_are_cut_into_frames_and_how_many_threads_there_are_changes_nothing() {
    // More than a shard holds; one in ten is interesting.
    let series: Vec<(String, Box<Signal>)> = (0..1100)
        .map(|s| {
            let signal: Box<Signal> = match s % 30 {
                0 => Box::new(move |i| growing(i) + 0.0001 * f64::from(s)),
                1 => Box::new(move |i| daily(i + s as usize)),
                2 => Box::new(move |i| if (i + s as usize).is_multiple_of(11) { f64::NAN } else { growing(i + 31 * s as usize % 97) }),
                _ => Box::new(move |i| 0.1 + 0.01 * noise(i + 1000 * s as usize)),
            };
            (format!("h{s}"), signal)
        })
        .collect();
    let signals: Vec<(&str, &Signal)> = series.iter().map(|(name, signal)| (name.as_str(), &**signal)).collect();
    let run = |threads: usize, chunk: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        // From the sixth day on, so that the test is about the interesting part.
        pool.install(|| feed(&mut engine(0.9), &signals, 5 * DAY..8 * DAY + 20, chunk, start() + Span::DAY.times(6)))
    };
    let one = run(1, 48);
    assert!(told(&one).len() > 30, "nothing happened in this test");
    let text = |effects: &[Effect]| effects.iter().map(|e| format!("{e:?}")).collect::<Vec<_>>();
    assert!(text(&one) == text(&run(2, 48)), "two threads differ from one");
    let mut columnwise = text(&run(2, 1));
    let mut chunked = text(&one);
    // Within one step effects are sorted; over several, frames of another length interleave them otherwise.
    columnwise.sort();
    chunked.sort();
    let differs = columnwise.iter().zip(&chunked).find(|(a, b)| a != b);
    assert!(columnwise == chunked, "frames of one column differ from frames of many: {differs:?}");
}

#[test]
fn a_restart_in_the_middle_of_a_streak_changes_nothing() {
    let judge_from = start() + Span::WEEK;
    let wild = |i: usize| if i % 700 > 690 { 0.2 } else { daily(i) };
    let signals: [(&str, &Signal); 3] = [("a", &growing), ("b", &wild), ("c", &|i| growing(i) + 0.35)];
    let mut whole = engine(0.9);
    let all = feed(&mut whole, &signals, 0..9 * DAY, 1, judge_from);
    let told_at = told(&all).iter().filter(|(kind, p)| *kind == "raised" && p.raised_at > judge_from).map(|(_, p)| p.raised_at).min();
    let raised = ((told_at.expect("something is raised") - start()).as_millis() / STEP.as_millis()) as usize;
    for before in [1, 2, 40] {
        let cut = raised + 1 - before;
        let mut first = engine(0.9);
        let mut split = feed(&mut first, &signals, 0..cut, 1, judge_from);
        let open: Vec<Prediction> = first.lives().map(|life| life.prediction.clone()).collect();
        let saved = saved(&mut first);
        let mut second = engine(0.9);
        assert!(second.restore(saved).is_empty());
        let last = open.iter().map(|p| (p.watch.clone(), p.series(), p.updated_at)).collect::<Vec<_>>();
        assert!(second.restore_predictions(open, last).is_empty());
        split.extend(feed(&mut second, &signals, cut..raised + 20, 1, judge_from));
        let until = start() + STEP.times((raised + 20) as i64);
        let same: Vec<&Effect> = all.iter().filter(|effect| effect.at() < until).collect();
        assert_eq!(same, split.iter().collect::<Vec<_>>(), "cut {before} samples before it was raised");
    }
}

#[test]
fn incomplete_samples_are_learned_from_and_raise_nothing() {
    let signals: [(&str, &Signal); 1] = [("a", &growing)];
    let warm = || {
        let mut engine = engine(0.9);
        feed(&mut engine, &signals, 0..7 * DAY, 12, start() + Span::WEEK);
        engine
    };
    let (mut engine, mut held, mut late) = (warm(), warm(), warm());
    let told_of = |engine: &mut Engine, judging: Judged| {
        let grid = Grid { start: start() + STEP.times(7 * DAY as i64), step: STEP, len: DAY };
        let mut builder = FrameBuilder::new(grid);
        let row = builder.add_row(host("a")).unwrap();
        (0..DAY).for_each(|i| builder.set(row, i, growing(7 * DAY + i)));
        let frame = builder.finish();
        engine.step(grid.last(), Input::Samples { watch: 0, frame: &frame, thresholds: None, judging })
    };
    assert_eq!(told(&told_of(&mut held, Judged::WITHHELD)), []);
    let later = start() + Span::WEEK + Span::HOUR.times(12);
    let from_the_end = told_of(&mut late, Judged { from: start(), raise_from: later });
    assert_eq!(told(&from_the_end).iter().map(|(_, p)| p.raised_at).collect::<Vec<_>>(), [later], "heard when somebody listens");
    assert!(told(&told_of(&mut engine, Judged::from(start()))).iter().any(|(_, p)| p.raised_at < later));
    assert_eq!(held.series(0).next().unwrap().block.window(0).mean, engine.series(0).next().unwrap().block.window(0).mean);
}

#[test]
fn a_restart_goes_on_with_what_was_open_and_raises_nothing_twice() {
    let judge_from = start() + Span::WEEK;
    let signals: [(&str, &Signal); 1] = [("a", &growing)];
    let mut whole = engine(0.9);
    let all = feed(&mut whole, &signals, 0..9 * DAY, 1, judge_from);

    let mut first = engine(0.9);
    let cut = 7 * DAY + 200;
    let mut split = feed(&mut first, &signals, 0..cut - 30, 1, judge_from);
    // A checkpoint, some more samples, and then the process is gone.
    let saved = saved(&mut first);
    split.extend(feed(&mut first, &signals, cut - 30..cut, 1, judge_from));
    let open: Vec<Prediction> = first.lives().map(|life| life.prediction.clone()).collect();
    assert_eq!(open.len(), 1, "the test must cut where something is open");
    drop(first);

    let mut second = engine(0.9);
    assert!(second.restore(saved).is_empty());
    let cursor = second.cursor(0).unwrap();
    let last = open.iter().map(|p| (p.watch.clone(), p.series(), p.updated_at)).collect::<Vec<_>>();
    assert!(second.restore_predictions(open, last).is_empty());
    let from = ((cursor - start()).as_millis() / STEP.as_millis()) as usize + 1;
    split.extend(feed(&mut second, &signals, from..9 * DAY, 1, judge_from));

    let ids =
        |effects: &[Effect]| told(effects).iter().filter(|(kind, _)| *kind == "raised").map(|(_, p)| p.id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&all), ids(&split));
    let ends = |effects: &[Effect]| told(effects).last().map(|(_, p)| (p.id.clone(), p.state, p.truth));
    assert_eq!(ends(&all), ends(&split));
}

#[test]
fn silence_is_not_a_breach_and_its_predictions_end_as_not_known() {
    let mut engine = engine(0.9);
    let judge_from = start() + Span::WEEK;
    let stop = 7 * DAY + 60;
    let effects = feed(&mut engine, &[("a", &growing)], 0..stop, 12, judge_from);
    assert_eq!(told(&effects).len(), 1);
    let later = start() + STEP.times(stop as i64) + Span::DAY.times(2);
    let effects = engine.step(later, Input::Tick);
    let events = told(&effects);
    assert_eq!(events.len(), 1);
    assert_eq!((events[0].1.state, events[0].1.truth), (State::Expired, Some(Truth::NotKnown)));
    assert!(engine.step(later, Input::Tick).is_empty());
}

#[test]
fn nothing_is_said_about_the_future_the_young_and_the_already_broken() {
    let mut engine = engine(0.9);
    let judge_from = start();
    assert_eq!(told(&feed(&mut engine, &[("young", &|i| 0.5 + 0.002 * i as f64)], 0..DAY - 1, 12, judge_from)), []);

    let mut engine = self::engine(0.9);
    let broken = |i: usize| 0.95 + 0.001 * noise(i);
    assert_eq!(told(&feed(&mut engine, &[("broken", &broken)], 0..3 * DAY, 12, judge_from)), []);

    let mut engine = self::engine(0.9);
    let grid = Grid { start: start(), step: STEP, len: 10 };
    let mut builder = FrameBuilder::new(grid);
    let row = builder.add_row(host("a")).unwrap();
    (0..10).for_each(|i| builder.set(row, i, 1.0));
    engine.step(grid.at(3), Input::Samples { watch: 0, frame: &builder.finish(), thresholds: None, judging: Judged::from(judge_from) });
    assert_eq!(engine.cursor(0), Some(grid.at(3)), "columns after now were read");
    assert_eq!(engine.series(0).next().unwrap().block.window(0).count, 4.0);
}

#[test]
fn a_damaged_checkpoint_costs_the_watch_its_memory_and_is_told() {
    let mut first = engine(0.9);
    feed(&mut first, &[("a", &growing)], 0..DAY, 12, start());
    let good = saved(&mut first);
    assert_eq!(first.checkpoint(), None, "nothing changed since");
    let mut cut = good.clone();
    let half = cut[0].bytes.len() / 2;
    cut[0].bytes.truncate(half);
    let mut second = engine(0.9);
    let errors = second.restore(cut);
    assert!(matches!(errors[..], [RestoreError::Header { .. }]), "{errors:?}");
    assert_eq!((second.cursor(0), second.series_count(0)), (None, 0));

    // As it was before there were scorers: the header without its number.
    let header = br#"{"watch":"disk","question":"q","cursor":null,"rows":[],"anomalies":{}}"#;
    let old = snapshot::pack(&[(header.len() as u32).to_le_bytes().as_slice(), header].concat());
    let errors = engine(0.9).restore(vec![Checkpoint { key: "disk/0".into(), bytes: old }]);
    assert!(matches!(errors[..], [RestoreError::Layout { found: 0, .. }]), "{errors:?}");

    let mut other = Engine::new([watch("cpu", 0.9, Span::DAY)], []);
    assert!(matches!(other.restore(good)[..], [RestoreError::OtherQuestion { .. }]));
}
