//! A noisy and healthy fleet: whatever is said about it is a false alarm. Bursts, batch jobs whose start jitters, steps between levels that
//! all are normal, weekly work, quiet gauges that sometimes move by one.

use super::spec::{Column, Make, Spec, between, whole};
use super::{Rng, Wander};
use crate::core::watch::Side;

pub(super) const SPEC: Spec = Spec {
    name: "fleet",
    about: "Four weeks of fourteen healthy hosts' processors, noisy in seven ways: nothing in it is wrong",
    seed: 20_260_405,
    step_min: 5,
    days: 28,
    limit: (Side::Above, 0.97),
    horizon_hours: 4,
    anomalies: true,
    columns,
};

fn columns(rng: &mut Rng) -> Vec<Column> {
    (0..14)
        .map(|i| {
            let (kind, make): (&str, Make) = match i % 7 {
                0 => ("web", web(between(rng, 0.25, 0.4), between(rng, 0.01, 0.04))),
                1 => ("batch", batch(whole(rng, 0, 20), between(rng, 1.0, 4.0))),
                2 => ("bursty", bursty(between(rng, 0.1, 0.3))),
                3 => ("levels", levels()),
                4 => ("backup", backup(whole(rng, 1, 6))),
                5 => ("quiet", quiet(between(rng, 0.02, 0.1))),
                _ => ("noisy", noisy(between(rng, 0.3, 0.6))),
            };
            Column::new(format!("{kind}-{i}"), make)
        })
        .collect()
}

fn bounded(value: f64) -> f64 {
    value.clamp(0.003, 0.94)
}

fn web(base: f64, sigma: f64) -> Make {
    let mut noise = Wander::default();
    Box::new(move |when, rng| {
        let week = when.weekly([1.0, 1.0, 1.0, 1.0, 1.1, 0.7, 0.6]);
        bounded(base + 0.16 * when.daily(15.0) * week + noise.next(rng, sigma))
    })
}

/// A job a day that begins up to forty minutes late and takes its time.
fn batch(hour: f64, hours: f64) -> Make {
    let (mut noise, mut late, mut takes) = (Wander::default(), 0.0, hours);
    Box::new(move |when, rng| {
        if when.hour_of_day() == 0.0 {
            late = 0.66 * rng.uniform();
            takes = hours * between(rng, 0.8, 1.2);
        }
        let busy = (hour + late..hour + late + takes).contains(&when.hour_of_day());
        bounded(if busy { 0.82 } else { 0.1 } + noise.next(rng, 0.02))
    })
}

/// Short bursts at any time, about twelve a day.
fn bursty(base: f64) -> Make {
    let mut burst = 0.0;
    Box::new(move |_, rng| {
        burst = if rng.uniform() < 0.042 { between(rng, 0.1, 0.6) } else { burst * 0.6 };
        bounded(base + burst + 0.02 * rng.normal())
    })
}

/// Moves between three levels every few hours.
fn levels() -> Make {
    let mut level = 0.3;
    Box::new(move |_, rng| {
        if rng.uniform() < 0.012 {
            level = 0.2 + 0.15 * whole(rng, 0, 3);
        }
        bounded(level + 0.012 * rng.normal())
    })
}

/// A backup each night, a long one on Sundays.
fn backup(hour: f64) -> Make {
    let mut noise = Wander::default();
    Box::new(move |when, rng| {
        let takes = if (when.days() % 7.0).floor() == 6.0 { 5.0 } else { 1.0 };
        let busy = (hour..hour + takes).contains(&when.hour_of_day());
        bounded(0.15 + if busy { 0.4 } else { 0.0 } + 0.05 * when.daily(14.0) + noise.next(rng, 0.015))
    })
}

/// Mostly one value to the digit; now and then a hundredth more.
fn quiet(base: f64) -> Make {
    let level = (base * 100.0).round() / 100.0;
    Box::new(move |_, rng| level + if rng.uniform() < 0.02 { 0.01 } else { 0.0 })
}

fn noisy(base: f64) -> Make {
    Box::new(move |_, rng| bounded(base + 0.12 * rng.normal()))
}
