//! What every member of the family must hold on series that nobody thought of: drawn ones, with gaps, of any length, with and without
//! seasons. What is known by heart lies in `conformance`.

use proptest::prelude::*;

use super::conformance::noise;
use super::{Bounds, Context, FitError, Forecast, NAMES, by_name};

const LEVELS: [f64; 3] = [0.5, 0.8, 0.95];
/// Tens of milliseconds an origin: drawn by the dozen they would cost minutes, and `conformance` runs them.
const SLOW: [&str; 3] = ["mstl", "ets", "prophet"];

/// What a series is drawn from.
#[derive(Clone, Debug)]
struct Drawn {
    values: Vec<f64>,
    season: usize,
    horizon: usize,
}

prop_compose! {
    fn drawn()(
        kind in 0_u8..6, n in 0_usize..420, seed in 0_usize..1_000_000, season in prop::sample::select(vec![0_usize, 2, 7, 24, 48]),
        horizon in 1_usize..80, gaps in prop::collection::vec((0_usize..420, 1_usize..40), 0..4), rough in 0.0..2.0_f64,
    ) -> Drawn {
        let mut level = 10.0;
        let mut values: Vec<f64> = (0..n).map(|i| {
            let shake = rough * noise(i + seed);
            level += noise(i + 7 * seed);
            match kind {
                0 => 5.0,
                1 => i as f64 * 0.25 + shake,
                2 => 10.0 + 3.0 * (i as f64 / 24.0 * std::f64::consts::TAU).sin() + shake,
                3 => level,
                4 => (i % 30) as f64 + shake,
                _ => if noise(i + seed) > 0.47 { 1e4 } else { shake },
            }
        }).collect();
        for (from, len) in gaps {
            let from = from.min(n);
            values[from..(from + len).min(n)].fill(f64::NAN);
        }
        Drawn { values, season, horizon }
    }
}

fn told(name: &str, values: &[f64], drawn: &Drawn) -> Result<Forecast, FitError> {
    let context = Context::new(values, drawn.season, Bounds::default());
    by_name(name).unwrap().fit(&context, drawn.horizon).map(|fitted| fitted.forecast(&LEVELS))
}

fn members() -> impl Iterator<Item = &'static str> {
    NAMES.into_iter().filter(|name| !SLOW.contains(name))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn what_is_told_is_finite_ordered_and_nested_or_too_short(drawn in drawn()) {
        for name in members() {
            let forecast = match told(name, &drawn.values, &drawn) {
                Ok(forecast) => forecast,
                Err(error) => {
                    let present = drawn.values.iter().filter(|v| v.is_finite()).count();
                    let too_short = matches!(error, FitError::TooShort { .. }) && present < super::MIN_POINTS;
                    prop_assert!(too_short, "{name} of {present} samples: {error}");
                    continue;
                }
            };
            prop_assert_eq!(forecast.median.len(), drawn.horizon);
            for h in 0..drawn.horizon {
                let (mut lower, mut upper) = (forecast.median[h], forecast.median[h]);
                prop_assert!(lower.is_finite(), "{name} at {h}");
                for interval in &forecast.intervals {
                    prop_assert!(interval.lower[h] <= lower && upper <= interval.upper[h], "{name} at {h}, {}", interval.level);
                    prop_assert!(interval.lower[h].is_finite() && interval.upper[h].is_finite(), "{name} at {h}");
                    (lower, upper) = (interval.lower[h], interval.upper[h]);
                }
            }
        }
    }

    /// A power of two: exact in floating point, so that nothing but the model can differ.
    #[test]
    fn another_unit_is_another_unit(drawn in drawn(), power in -20_i32..20) {
        let factor = 2_f64.powi(2 * power);
        let scaled: Vec<f64> = drawn.values.iter().map(|v| v * factor).collect();
        for name in members() {
            let (Ok(here), Ok(there)) = (told(name, &drawn.values, &drawn), told(name, &scaled, &drawn)) else { continue };
            let size = drawn.values.iter().copied().filter(|v| v.is_finite()).fold(0.0_f64, |m, v| m.max(v.abs()));
            for (a, b) in here.median.iter().zip(&there.median) {
                prop_assert!((a - b / factor).abs() <= 1e-6 * size, "{name}: {a} and {}", b / factor);
            }
        }
    }

    #[test]
    fn what_was_said_knew_nothing_of_what_came(drawn in drawn(), what in 0_usize..CHANGES.len(), size in -3_i32..7) {
        for name in members() {
            let came = |i: usize, v: f64| CHANGES[what](i, v, 10_f64.powi(size));
            knew_nothing(name, &drawn.values, drawn.season, drawn.horizon, came).map_err(TestCaseError::fail)?;
        }
    }
}

/// What may come instead, so many steps after the last judged moment: a jump, one below zero, a collapse, growth, resets that dwarf all that
/// were, one wild value.
pub(super) const CHANGES: [fn(usize, f64, f64) -> f64; 6] = [
    |_, v, size| v + size,
    |_, v, size| v - size,
    |_, _, size| size,
    |i, v, size| v + size * i as f64,
    |i, v, size| v + size * (i % 3) as f64,
    |i, v, size| if i == 0 { v - size } else { v },
];

/// The same past with another future, `came` of the steps since the last judged moment and of what came there: where the truth is another,
/// so is the error, by as much, and what had been said is not.
pub(super) fn knew_nothing(
    name: &str,
    values: &[f64],
    season: usize,
    horizon: usize,
    came: impl Fn(usize, f64) -> f64,
) -> Result<(), String> {
    // The combination weighs its members by all their errors, and a second rhythm is looked for in all of the past.
    if ["auto", "two-rhythms"].contains(&name) {
        return Ok(());
    }
    let context = Context::new(values, season, Bounds::default());
    let asked = super::paths::origins(&context, horizon);
    let Some(&last) = asked.last() else { return Ok(()) };
    // From the last judged moment on.
    let cut = last + values.len() - context.len();
    let mut other = values.to_vec();
    // Gaps stay gaps: moments that lie in one are judged from before it.
    other[cut..].iter_mut().enumerate().filter(|(_, v)| v.is_finite()).for_each(|(i, v)| *v = came(i, *v));
    let changed = Context::new(&other, season, Bounds::default());
    let [Ok(here), Ok(there)] = [&context, &changed].map(|context| by_name(name).unwrap().fit(context, horizon)) else { return Ok(()) };
    // One that has nothing to say now lets the present level speak for it, then as well.
    if here.weights() != there.weights() {
        return Ok(());
    }
    let origins = [here.errors().origins(), there.errors().origins()];
    // A past that never moved is told by a short cut, which any other future takes away.
    let mut past = values[..cut].iter().filter(|v| v.is_finite());
    let first = past.next();
    if origins[0] != origins[1] {
        return if past.all(|v| Some(v) == first) { Ok(()) } else { Err(format!("{name} judges {origins:?} moments")) };
    }
    // One that was silent at some moments does not say at which; but the first step of all but the last lies before anything changed.
    let all = origins[0] == asked.len();
    let (mut a, mut b) = (vec![0.0; horizon], vec![0.0; horizon]);
    for (origin, &at) in asked.iter().enumerate().take(origins[0]) {
        here.errors().path(origin, &mut a);
        there.errors().path(origin, &mut b);
        let known = if all { horizon.min(context.len() - at) } else { usize::from(origin + 1 < origins[0]) };
        for h in 0..known {
            let by = if all { changed.truth(at + h) - context.truth(at + h) } else { 0.0 };
            let size = 1e-9 * (1.0 + a[h].abs() + b[h].abs() + by.abs());
            if (b[h] - a[h] - by).abs() > size {
                return Err(format!("{name} at {origin}, step {h}: errors {} and {} of truths {by} apart", a[h], b[h]));
            }
        }
    }
    Ok(())
}
