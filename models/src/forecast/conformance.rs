//! What every model must hold, whatever it is: run over all of [`NAMES`].

use super::{Bounds, Context, Fitted, NAMES, by_name};

const LEVELS: [f64; 3] = [0.5, 0.8, 0.95];

fn noise(i: usize) -> f64 {
    let x = (i as u64).wrapping_mul(0x2545_F491_4F6C_DD1D) ^ 0x9E37_79B9;
    ((x ^ (x >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 11) as f64 / (1_u64 << 53) as f64 - 0.5
}

fn seasonal(n: usize) -> Vec<f64> {
    (0..n).map(|i| 10.0 + 3.0 * (i as f64 / 24.0 * std::f64::consts::TAU).sin() + 0.3 * noise(i)).collect()
}

fn inputs() -> Vec<(&'static str, Vec<f64>)> {
    let mut gaps = seasonal(240);
    gaps[50..70].fill(f64::NAN);
    gaps[230..].fill(f64::NAN);
    vec![
        ("constant", vec![5.0; 240]),
        ("ramp", (0..240).map(f64::from).collect()),
        ("season", seasonal(240)),
        ("gaps", gaps),
        ("short", seasonal(9)),
        ("huge offset", seasonal(240).iter().map(|v| v + 1e9).collect()),
        ("tiny", seasonal(240).iter().map(|v| v * 1e-9).collect()),
        ("spike", seasonal(240).iter().enumerate().map(|(i, v)| if i == 200 { 1e6 } else { *v }).collect()),
    ]
}

fn fit(name: &str, values: &[f64]) -> Fitted {
    by_name(name).unwrap().fit(&Context::new(values, 24, Bounds::default()), 30).unwrap_or_else(|e| panic!("{name}: {e}"))
}

#[test]
fn forecasts_are_finite_ordered_and_nested() {
    for name in NAMES {
        for (what, values) in inputs() {
            let forecast = fit(name, &values).forecast(&LEVELS);
            for h in 0..30 {
                let mut lower = forecast.median[h];
                let mut upper = forecast.median[h];
                assert!(lower.is_finite(), "{name} on {what}");
                for interval in &forecast.intervals {
                    assert!(interval.lower[h] <= lower && interval.upper[h] >= upper, "{name} on {what} at {h}, {}", interval.level);
                    (lower, upper) = (interval.lower[h], interval.upper[h]);
                }
            }
        }
    }
}

#[test]
fn nothing_is_said_about_nothing() {
    for name in NAMES {
        for values in [vec![], vec![f64::NAN; 100], vec![1.0; 5]] {
            let context = Context::new(&values, 24, Bounds::default());
            assert!(by_name(name).unwrap().fit(&context, 10).is_err(), "{name} spoke about {} samples", context.present());
        }
    }
}

#[test]
fn bounds_hold_everywhere() {
    let values: Vec<f64> = (0..200).map(|i| 0.2 + 0.004 * f64::from(i)).collect();
    for name in NAMES {
        let bounds = Bounds { lower: Some(0.0), upper: Some(1.0) };
        let forecast = by_name(name).unwrap().fit(&Context::new(&values, 24, bounds), 30).unwrap().forecast(&LEVELS);
        let all = forecast.intervals.iter().flat_map(|i| i.lower.iter().chain(&i.upper)).chain(&forecast.median);
        assert!(all.into_iter().all(|v| (0.0..=1.0).contains(v)), "{name}");
    }
}

#[test]
fn a_constant_is_forecast_as_itself() {
    for name in NAMES {
        let forecast = fit(name, &[5.0; 240]).forecast(&LEVELS);
        assert!(forecast.median.iter().all(|m| (m - 5.0).abs() < 1e-6), "{name}: {:?}", &forecast.median[..3]);
    }
}

#[test]
fn scale_and_shift_of_the_data_are_scale_and_shift_of_the_forecast() {
    let values = seasonal(240);
    // 2^10 and a small whole number: exact in floating point, so what differs is the model's doing.
    let moved: Vec<f64> = values.iter().map(|v| v * 1024.0 + 4096.0).collect();
    for name in NAMES {
        let (a, b) = (fit(name, &values), fit(name, &moved));
        for (x, y) in a.median().iter().zip(b.median()) {
            let want = x * 1024.0 + 4096.0;
            // MSTL computes in f32 inside.
            assert!((y - want).abs() < 1e-3 * want.abs(), "{name}: {y} for {want}");
        }
    }
}

#[test]
fn what_comes_after_the_origin_changes_nothing() {
    let values = seasonal(300);
    for name in NAMES {
        let before = fit(name, &values[..240]);
        let mut other = values.clone();
        other[240..].fill(1e6);
        assert_eq!(before.median(), fit(name, &other[..240]).median(), "{name}");
    }
}

#[test]
fn the_ensemble_beats_the_naive_rivals_on_a_season_with_growth() {
    let truth = |i: usize| 0.02 * i as f64 + 3.0 * (i as f64 / 24.0 * std::f64::consts::TAU).sin() + 0.3 * noise(i);
    let values: Vec<f64> = (0..240).map(truth).collect();
    let error = |name: &str| fit(name, &values).median().iter().enumerate().map(|(h, m)| (m - truth(240 + h)).abs()).sum::<f64>();
    let ours = error("auto");
    assert!(ours < error("naive") && ours < error("drift") && ours <= 1.05 * error("seasonal-naive"), "{ours}");
}
