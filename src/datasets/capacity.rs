//! Load against capacity: daily and weekly rhythms that grow, some until a Friday's peak no longer fits, some not so far; two that are busy
//! in two shifts or every few hours, to whose rhythm the day alone is no answer.

use super::spec::{Column, Make, Spec, between, whole};
use super::{Rng, Wander, at};
use crate::core::watch::Side;

pub(super) const SPEC: Spec = Spec {
    name: "capacity",
    about: "Six weeks of ten services' load as a share of capacity: rhythms of day and week, growth, a peak that no longer fits",
    seed: 20_260_403,
    step_min: 15,
    days: 42,
    limit: (Side::Above, 1.0),
    horizon_hours: 24,
    anomalies: false,
    columns,
};

fn columns(rng: &mut Rng) -> Vec<Column> {
    let mut columns = Vec::new();
    for i in 0..4 {
        let (swing, peak) = (between(rng, 0.18, 0.3), whole(rng, 11, 20));
        // Friday's peak of the fourth or fifth week is the first that does not fit.
        let (from, a_day) = (at(14, 0.0), between(rng, 0.012, 0.02));
        let (expands, fits) = (at(41, 8.0), at(24 + 2 * i, 12.0));
        let at_peak = 1.1 * (1.0 + a_day * (fits - from) / 24.0);
        columns.push(Column::new(format!("growing-{i}"), load(1.0 / at_peak - swing, swing, peak, from, a_day, expands)).cause(
            from,
            expands,
            "grows week by week; capacity is doubled when its peaks have not fitted for some days",
        ));
    }
    for i in 0..4 {
        let (base, swing, peak) = (between(rng, 0.3, 0.45), between(rng, 0.15, 0.3), whole(rng, 10, 21));
        let make = load(base, swing, peak, at(7, 0.0), between(rng, 0.0, 0.002), at(60, 0.0));
        columns.push(Column::new(format!("steady-{i}"), make).gap(at(10 + i, 6.0), at(10 + i, 7.0)));
    }
    columns.push(Column::new("two-shifts".into(), rhythm(12.0, between(rng, 0.5, 0.6))));
    columns.push(Column::new("every-five-hours".into(), rhythm(5.0, between(rng, 0.5, 0.6))));
    columns
}

/// Peaks on Fridays at `base + swing` times 1.1; grows by `a_day` of that a day since `from`, halves at `expands`.
fn load(base: f64, swing: f64, peak: f64, from: f64, a_day: f64, expands: f64) -> Make {
    let mut noise = Wander::default();
    Box::new(move |when, rng| {
        let week = when.weekly([0.97, 0.98, 0.99, 1.02, 1.10, 0.78, 0.74]);
        let grown = 1.0 + a_day * ((when.hours - from) / 24.0).max(0.0);
        let capacity = if when.hours < expands { 1.0 } else { 2.0 };
        ((base + swing * when.daily(peak)) * week * grown * (1.0 + noise.next(rng, 0.012)) / capacity).max(0.0)
    })
}

/// A sawtooth of `period` hours on a day's wave.
fn rhythm(period: f64, base: f64) -> Make {
    let mut noise = Wander::default();
    Box::new(move |when, rng| base + 0.15 * when.daily(14.0) + 0.12 * (when.hours % period) / period + noise.next(rng, 0.008))
}
