//! Memory: leaks that end in a restart by the kernel and begin anew, beside heaps that grow and are collected, caches that fill and then
//! stay, and workers that are restarted each night, all of which are well.

use super::spec::{Column, Make, Spec, between, whole};
use super::{Rng, Wander, at};
use crate::core::watch::Side;

pub(super) const SPEC: Spec = Spec {
    name: "leaks",
    about: "Three weeks of twelve processes' memory: leaks with restarts, and growth that is as it should be",
    seed: 20_260_402,
    step_min: 5,
    days: 21,
    limit: (Side::Above, 0.95),
    horizon_hours: 24,
    anomalies: false,
    columns,
};

const A_HOUR: f64 = 12.0;
/// The kernel ends the process here.
const KILLED: f64 = 0.985;

fn columns(rng: &mut Rng) -> Vec<Column> {
    let mut columns = Vec::new();
    for i in 0..5 {
        let begins = at(8 + i, whole(rng, 0, 24));
        let ends = begins + between(rng, 90.0, 170.0);
        let (base, an_hour) = (between(rng, 0.35, 0.6), between(rng, 0.008, 0.03));
        columns.push(Column::new(format!("leaking-{i}"), leaking(base, an_hour, begins, ends)).cause(
            begins,
            ends,
            "a release leaks, is killed, begins anew and leaks on, until a fixed release",
        ));
    }
    for i in 0..2 {
        let (low, high, hours) = (between(rng, 0.3, 0.4), between(rng, 0.8, 0.9), between(rng, 2.0, 7.0));
        columns.push(Column::new(format!("collected-{i}"), collected(low, high, hours)));
    }
    for i in 0..2 {
        let top = between(rng, 0.84, 0.92);
        columns.push(Column::new(format!("cache-{i}"), cache(top, at(3 + 5 * i, 9.0))));
    }
    columns.push(Column::new("restarted-nightly".into(), restarted()).gap(at(12, 13.0), at(12, 14.5)));
    for i in 0..2 {
        columns.push(Column::new(format!("steady-{i}"), steady(between(rng, 0.5, 0.8))));
    }
    columns
}

fn leaking(base: f64, an_hour: f64, begins: f64, ends: f64) -> Make {
    let (mut noise, mut leaked) = (Wander::default(), 0.0);
    Box::new(move |when, rng| {
        // Leaks with the requests: more by day.
        let step = an_hour * (1.0 + 0.4 * when.daily(15.0)) / A_HOUR;
        leaked = if when.within(begins, ends) { leaked + step } else { 0.0 };
        let value = base + 0.015 * when.daily(15.0) + leaked + noise.next(rng, 0.003);
        if value >= KILLED {
            leaked = 0.0;
        }
        value.min(KILLED)
    })
}

/// Grows to `high` within about `hours`, is collected to `low`, and neither is quite the same twice.
fn collected(low: f64, high: f64, hours: f64) -> Make {
    let (mut level, mut top) = (low, high);
    Box::new(move |when, rng| {
        level += (high - low) / hours / A_HOUR * (1.0 + 0.3 * when.daily(14.0) + 0.2 * rng.normal());
        if level >= top {
            level = low + 0.01 * rng.normal();
            top = (high + 0.012 * rng.normal()).min(0.93);
        }
        level
    })
}

/// Restarted at `from`, fills fast and then ever more slowly up to `top`.
fn cache(top: f64, from: f64) -> Make {
    let mut level = top;
    Box::new(move |when, rng| {
        level = if when.within(from, from + 0.08) { 0.25 } else { level + (top - level) / (18.0 * A_HOUR) };
        level + 0.002 * rng.normal()
    })
}

fn restarted() -> Make {
    let mut noise = Wander::default();
    Box::new(move |when, rng| 0.36 + 0.50 * ((when.hours + 20.0) % 24.0) / 24.0 + noise.next(rng, 0.004))
}

fn steady(base: f64) -> Make {
    let mut noise = Wander::default();
    Box::new(move |when, rng| base + 0.03 * when.daily(15.0) + noise.next(rng, 0.005))
}
