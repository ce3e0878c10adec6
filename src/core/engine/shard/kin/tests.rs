//! Newcomers beside their siblings: how much of their first day the borrowed bands hold, and that nothing is raised in it.

use super::*;
use crate::core::engine::calibration::Calibration;
use crate::core::engine::shard::Column;
use crate::core::engine::{Effect, Judged};
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
        self.shard.column(column, present, &mut self.effects);
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
                assert_eq!((inherited.siblings, inherited.wider), (5, WIDER));
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
        world.column(begin + DAY, &[(row, value(newcomer, begin + DAY))]);
        assert_eq!(world.shard.inherited(row, &world.watch), None, "it has a day of its own now");
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
    (0..2 * DAY).for_each(|i| world.column(i, &[(0, value(0, i)), (1, value(1, i)), (2, value(2, i))]));
    let (web, _) = world.shard.add(&pod("web", 2)).unwrap();
    let (db, _) = world.shard.add(&pod("db", 1)).unwrap();
    world.column(2 * DAY, &[(0, 1.0), (1, 1.0), (2, 1.0), (web, 80.0), (db, 80.0)]);
    assert_eq!(world.shard.inherited(web, &world.watch).map(|i| i.siblings), Some(2));
    assert_eq!(world.shard.inherited(db, &world.watch), None, "one sibling is no family");
    assert_eq!(world.shard.inherited(0, &world.watch), None, "it is old");
    assert_eq!(kin(&pod("web", 1)), kin(&pod("web", 7)));
    assert_ne!(kin(&pod("web", 1)), kin(&pod("db", 1)));
}
