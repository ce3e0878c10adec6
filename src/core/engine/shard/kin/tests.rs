//! Newcomers beside their siblings: how much of their first day the borrowed bands hold, and that nothing is raised in it.

use super::*;
use crate::core::engine::calibration::Calibration;
use crate::core::engine::shard::Column;
use crate::core::engine::{Checkpoint, Effect, Engine, Input, Judged};
use crate::core::frame::{FrameBuilder, Grid};
use crate::core::heritage::WIDER;
use crate::core::time::Span;

const STEP: Span = Span::from_secs(300);
const DAY: i64 = 288;

fn watch(extra: &str) -> Watch {
    let text = format!(
        "sources: [{{ name: a, prometheus: {{ url: \"http://127.0.0.1:1\" }} }}]\nwatches: [{{ name: w, query: app_requests, step: 5m{extra} }}]\n"
    );
    crate::config::parse(&text, "test.yaml").unwrap().watches.remove(0)
}

fn pod(app: &str, n: usize) -> Labels {
    Labels::from_pairs([("__name__", "app_requests".to_owned()), ("app", app.to_owned()), ("pod", format!("{app}-{n}"))]).unwrap()
}

/// A scramble of i, about normal with deviation 1.
fn noise(i: i64) -> f64 {
    let uniform = |i: u64| {
        let x = i.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let x = (x ^ (x >> 31)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        ((x ^ (x >> 29)) >> 11) as f64 / (1_u64 << 53) as f64 - 0.5
    };
    (0..4).map(|k| uniform((4 * i + k).unsigned_abs())).sum::<f64>() * 3.0_f64.sqrt()
}

/// One of a workload: a level of its own, the workload's day, noise of its own size.
fn value(n: usize, i: i64) -> f64 {
    let level = 100.0 * (1.0 + 0.2 * n as f64);
    let own_noise = [0.02, 0.03, 0.025, 0.035, 0.02, 0.03, 0.04, 0.045][n % 8];
    let day = (i as f64 / DAY as f64 * std::f64::consts::TAU).sin();
    level * (1.0 + 0.4 * day + own_noise * noise(i + 100_000 * n as i64))
}

struct World {
    shard: Shard,
    watch: Watch,
    effects: Vec<Effect>,
}

impl World {
    fn new(watch: Watch) -> Self {
        let geometry = portent_models::baseline::Geometry::new(watch.baseline.window.as_millis(), watch.step.as_millis());
        Self { shard: Shard::new(geometry, watch.baseline.score), watch, effects: Vec::new() }
    }

    fn column(&mut self, i: i64, present: &[(usize, f64)]) {
        let at = Timestamp::from_millis(1_793_577_600_000) + STEP.times(i);
        let learnt = Calibration::default();
        let column = Column { at, watch: &self.watch, playbooks: &[], judging: Judged::from(Timestamp::MIN), learnt: &learnt };
        self.shard.unscored(column, present, &mut self.effects);
    }
}

#[test]
fn borrowed_bands_hold_a_newcomers_first_day_and_nothing_is_raised() {
    let (mut inside, mut all, mut alone) = (0_u32, 0_u32, 0_u32);
    for newcomer in 5..13 {
        let mut world = World::new(watch(", above: 1e9"));
        (0..5).for_each(|n| drop(world.shard.add(&pod("web", n)).unwrap()));
        (0..5).for_each(|n| drop(world.shard.add(&pod("other", n)).unwrap()));
        let old = |i: i64| (0..5).map(|n| (n, value(n, i))).chain((5..10).map(|n| (n, 5.0))).collect::<Vec<_>>();
        let begin = 8 * DAY + 17 * newcomer as i64;
        (0..begin).for_each(|i| world.column(i, &old(i)));
        let (row, _) = world.shard.add(&pod("web", newcomer)).unwrap();
        for i in begin..begin + DAY - 1 {
            let own = value(newcomer, i);
            // An hour of its own, then its next value is told before it comes.
            if let Some(inherited) = world.shard.inherited(row, &world.watch).filter(|_| i >= begin + 12) {
                assert_eq!(inherited.siblings, 5);
                assert!((1.3..=WIDER).contains(&inherited.wider), "{} times as wide", inherited.wider);
                all += 1;
                inside += u32::from(inherited.band.sigmas(own).abs() <= 2.0);
                let civil = civil::hour_of_day(&world.watch.zone, Timestamp::from_millis(1_793_577_600_000) + STEP.times(i));
                let band = world.shard.block.expected(row, 1_793_577_600_000 + STEP.times(i).as_millis(), civil);
                alone += u32::from(band.is_some_and(|band| band.sigmas(own).abs() <= 2.0));
            }
            let mut present = old(i);
            present.push((row, own));
            world.column(i, &present);
        }
        assert_eq!(world.effects, [], "something was raised in the first hours");
        for i in begin + DAY - 1..begin + 4 * DAY {
            let mut present = old(i);
            present.push((row, value(newcomer, i)));
            world.column(i, &present);
        }
        assert_eq!(world.shard.inherited(row, &world.watch), None, "it has a day of its own now");
        assert!(world.shard.block.summary(row).seasonal);
    }
    let share = f64::from(inside) / f64::from(all);
    let own = f64::from(alone) / f64::from(all);
    assert!(all > 2_000 && share >= 0.95, "{share:.3} of {all} lie inside");
    assert!(own < share - 0.1, "without siblings {own:.3} lie inside, with them {share:.3}: nothing is gained");
}

#[test]
fn siblings_are_copies_of_one_workload_and_old_enough() {
    let mut world = World::new(watch(""));
    world.shard.add(&pod("web", 0)).unwrap();
    world.shard.add(&pod("web", 1)).unwrap();
    world.shard.add(&pod("db", 0)).unwrap();
    (0..4 * DAY).for_each(|i| world.column(i, &[(0, value(0, i)), (1, value(1, i)), (2, value(2, i))]));
    let (web, _) = world.shard.add(&pod("web", 2)).unwrap();
    let (db, _) = world.shard.add(&pod("db", 1)).unwrap();
    world.column(4 * DAY, &[(0, 1.0), (1, 1.0), (2, 1.0), (web, 80.0), (db, 80.0)]);
    assert_eq!(world.shard.inherited(web, &world.watch).map(|i| i.siblings), Some(2));
    assert_eq!(world.shard.inherited(db, &world.watch), None, "one sibling is no family");
    assert_eq!(world.shard.inherited(0, &world.watch), None, "it is old");
    assert_eq!(kin(&pod("web", 1)), kin(&pod("web", 7)));
    assert_ne!(kin(&pod("web", 1)), kin(&pod("db", 1)));
}

/// Eight days of five siblings and the newcomer from the sixth on, in frames of so many columns.
fn feed(engine: &mut Engine, columns: std::ops::Range<i64>, chunk: i64) -> Vec<String> {
    let start = Timestamp::from_millis(1_793_577_600_000);
    let mut said = Vec::new();
    for from in columns.clone().step_by(chunk as usize) {
        let grid = Grid { start: start + STEP.times(from), step: STEP, len: chunk.min(columns.end - from) as usize };
        let mut builder = FrameBuilder::new(grid);
        for n in 0..6 {
            let row = builder.row_of(&pod("web", n));
            (0..grid.len as i64)
                .filter(|i| n < 5 || from + i >= 5 * DAY + 99)
                .for_each(|i| builder.set(row, i as usize, value(n, from + i)));
        }
        let frame = builder.finish();
        let judging = Judged::from(start);
        let effects = engine.step(grid.last(), Input::Samples { watch: 0, frame: &frame, thresholds: None, judging });
        said.extend(effects.iter().map(|effect| format!("{effect:?}")));
    }
    said.sort();
    said
}

/// The forecast of the newcomer, to the last bit.
fn forecast(engine: &Engine) -> Vec<f64> {
    let (_, fit) = engine.find(0, pod("web", 5).id()).unwrap();
    let forecast = fit.unwrap().fitted.forecast(&[0.95]);
    forecast.median.into_iter().chain(forecast.intervals.into_iter().flat_map(|i| i.lower.into_iter().chain(i.upper))).collect()
}

#[test]
fn what_is_inherited_does_not_depend_on_frames_or_restarts() {
    // Twice the level is not far above the newcomer's crest: something is said about it.
    let watch = || [Arc::new(watch(", above: 260"))];
    let (mut whole, mut single) = (Engine::new(watch(), []), Engine::new(watch(), []));
    let all = feed(&mut whole, 0..8 * DAY - 7, 60);
    assert!(all.iter().any(|effect| effect.contains("web-5")), "nothing is said about the newcomer: {}", all.len());
    assert!(feed(&mut single, 0..8 * DAY - 7, 1) == all, "frames of one column differ from frames of many");
    assert_eq!(forecast(&whole), forecast(&single));

    // In the middle of an hour, with what it had worked out lost.
    let cut = 6 * DAY + 40;
    let mut first = Engine::new(watch(), []);
    let mut split = feed(&mut first, 0..cut, 60);
    let before = forecast(&first);
    let open: Vec<_> = first.lives().map(|life| life.prediction.clone()).collect();
    let saved: Vec<Checkpoint> = std::iter::from_fn(|| first.checkpoint()).collect();
    let mut second = Engine::new(watch(), []);
    assert!(second.restore(saved).is_empty());
    assert_eq!(forecast(&second), before);
    let last = open.iter().map(|p| (p.watch.clone(), p.series(), p.updated_at)).collect::<Vec<_>>();
    assert!(second.restore_predictions(open, last).is_empty());
    split.extend(feed(&mut second, cut..8 * DAY - 7, 60));
    split.sort();
    assert!(split == all, "a restart changes what is told");
}

#[test]
fn a_newcomers_first_day_is_foretold_from_its_siblings() {
    let (mut with, mut without, mut naive, mut inside, mut all) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for newcomer in 5..13 {
        let mut world = World::new(watch(", above: 1e9"));
        (0..5).for_each(|n| drop(world.shard.add(&pod("web", n)).unwrap()));
        let begin = 8 * DAY + 23 * newcomer as i64 / 12 * 12;
        let old = |i: i64| (0..5).map(|n| (n, value(n, i))).collect::<Vec<_>>();
        (0..begin).for_each(|i| world.column(i, &old(i)));
        let (row, _) = world.shard.add(&pod("web", newcomer)).unwrap();
        let (loner, _) = world.shard.add(&pod("loner", newcomer)).unwrap();
        // Nine hours of its own: the least for a forecast without siblings.
        let now = begin + 9 * 12 + 1;
        for i in begin..now {
            let mut present = old(i);
            present.extend([(row, value(newcomer, i)), (loner, value(newcomer, i))]);
            world.column(i, &present);
        }
        let [ours, alone] = [row, loner].map(|row| world.shard.fit(row, &world.watch).unwrap().fitted.forecast(&[0.95]));
        let hour = |h: i64| (0..12).map(|k| value(newcomer, now / 12 * 12 + h * 12 + k)).sum::<f64>() / 12.0;
        for h in 1..24 {
            let truth = hour(h);
            with += (ours.median[h as usize] - truth).abs();
            without += (alone.median[h as usize] - truth).abs();
            naive += (hour(-1) - truth).abs();
            inside += f64::from(u8::from((ours.intervals[0].lower[h as usize]..=ours.intervals[0].upper[h as usize]).contains(&truth)));
            all += 1.0;
        }
    }
    assert!(with < 0.3 * without && with < 0.3 * naive, "{:.2} with, {:.2} without, {:.2} naive", with / all, without / all, naive / all);
    assert!(inside / all > 0.9, "{:.3} inside", inside / all);
}
