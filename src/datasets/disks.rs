//! Disks: logs that are rotated, until they grow faster than that; slow fills that somebody expands; a job in a loop; a disk that is emptied
//! every Sunday; one that has stood right below its threshold for years.

use super::spec::{Column, Make, Spec, between, whole};
use super::{Rng, Wander, at};
use crate::core::watch::Side;

pub(super) const SPEC: Spec = Spec {
    name: "disks",
    about: "Three weeks of twelve disks with rotated logs: some fill up, some only look like it",
    seed: 20_260_401,
    step_min: 5,
    days: 21,
    limit: (Side::Above, 0.9),
    horizon_hours: 24,
    anomalies: false,
    columns,
};

/// Steps of five minutes a day.
const A_DAY: f64 = 288.0;

fn columns(rng: &mut Rng) -> Vec<Column> {
    let mut columns = Vec::new();
    for i in 0..3 {
        columns.push(Column::new(format!("rotated-{i}"), rotated(rng, None)).gap(at(4, 2.0), at(4, 2.5)));
    }
    for i in 0..3 {
        let begins = at(9 + 2 * i, whole(rng, 1, 20));
        columns.push(Column::new(format!("outgrown-{i}"), rotated(rng, Some(begins))).cause(
            begins,
            begins + 24.0 * 8.0,
            "debug logging left on: rotation no longer keeps up, until somebody cleans up",
        ));
    }
    for i in 0..3 {
        let a_day = between(rng, 0.018, 0.03);
        let full = at(11, 0.0) + between(rng, 0.0, 150.0);
        columns.push(Column::new(format!("filling-{i}"), filling(a_day, full)).cause(
            0.0,
            full + 12.0,
            "fills steadily, a little faster by day; expanded half a day after it was too full",
        ));
    }
    let begins = at(15, whole(rng, 1, 10));
    columns.push(Column::new("runaway".into(), runaway(begins)).cause(begins, begins + 7.0, "a job in a loop fills it within hours"));
    columns.push(Column::new("emptied-on-sundays".into(), emptied()));
    columns.push(Column::new("near-but-steady".into(), steady()));
    columns
}

/// Grows with the traffic of the day, rotated once a night, those that stay healthy nearer to the threshold; from `outgrown` on at twice the pace or more, and cleaned up at 0.95.
fn rotated(rng: &mut Rng, outgrown: Option<f64>) -> Make {
    let (a_day, hour) = (between(rng, 0.05, 0.09), whole(rng, 1, 5));
    let faster = between(rng, 1.8, 2.6);
    let mut level = between(rng, 0.5, 0.65) + if outgrown.is_none() { 0.18 } else { 0.0 };
    let mut cleaned = false;
    Box::new(move |when, rng| {
        let fast = !cleaned && outgrown.is_some_and(|begins| when.hours >= begins);
        level += a_day * if fast { faster } else { 1.0 } * (1.0 + 0.3 * when.daily(15.0)) / A_DAY;
        if when.hour_of_day() == hour {
            level -= a_day;
        }
        if level > 0.95 {
            (level, cleaned) = (0.45, true);
        }
        level + 0.0006 * rng.normal()
    })
}

/// Reaches 0.9 at about `full` and is expanded to half of that twelve hours later.
fn filling(a_day: f64, full: f64) -> Make {
    Box::new(move |when, rng| {
        let level = 0.9 + a_day * (when.hours - full) / 24.0;
        let level = if when.hours >= full + 12.0 { level * 0.5 } else { level };
        level + 0.002 * when.daily(14.0) + 0.0006 * rng.normal()
    })
}

fn runaway(begins: f64) -> Make {
    Box::new(move |when, rng| {
        let nightly = if (1.0..4.0).contains(&when.hour_of_day()) { 0.06 } else { 0.0 };
        let run = if when.within(begins, begins + 7.0) { 0.14 * (when.hours - begins) } else { 0.0 };
        (0.28 + nightly + run + 0.002 * rng.normal()).min(0.997)
    })
}

/// A tenth a day, emptied on Sunday at 23:00: it ends each week at 0.86, and never gets further.
fn emptied() -> Make {
    Box::new(move |when, rng| {
        let since = (when.hours + 1.0) % at(7, 0.0);
        0.2 + 0.66 * since / at(7, 0.0) + 0.0008 * rng.normal()
    })
}

fn steady() -> Make {
    let mut noise = Wander::default();
    Box::new(move |when, rng| (0.872 + 0.004 * when.daily(4.0) + noise.next(rng, 0.004)).clamp(0.85, 0.893))
}
