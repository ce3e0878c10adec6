//! What every model must hold, whatever it is: run over all of [`NAMES`].

use super::properties::{CHANGES, knew_nothing};
use super::{Bounds, Calendar, Context, Fitted, NAMES, by_name};

const LEVELS: [f64; 3] = [0.5, 0.8, 0.95];

pub(super) fn noise(i: usize) -> f64 {
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
        ("zeros", vec![0.0; 240]),
        ("ramp", (0..240).map(f64::from).collect()),
        ("season", seasonal(240)),
        ("gaps", gaps),
        ("short", seasonal(9)),
        ("huge offset", seasonal(240).iter().map(|v| v + 1e9).collect()),
        ("tiny", seasonal(240).iter().map(|v| v * 1e-9).collect()),
        ("sawtooth", (0..240).map(|i| f64::from(i % 30) + 0.1 * noise(i as usize)).collect()),
        ("steps", (0..240).map(|i| f64::from(i / 50)).collect()),
        ("nearly all missing", (0..240).map(|i| if i % 24 == 3 { f64::from(i) } else { f64::NAN }).collect()),
        ("huge offset with gaps", seasonal(240).iter().enumerate().map(|(i, v)| if i % 7 == 0 { f64::NAN } else { v - 1e12 }).collect()),
        ("two rhythms", (0..240).map(|i| seasonal(240)[i] + (i % 5) as f64).collect()),
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
            // MSTL computes in f32 inside; a root of values far from zero is another one than of values near it.
            assert!((y - want).abs() < 2e-3 * want.abs(), "{name}: {y} for {want}");
        }
    }
}

#[test]
fn scale_alone_changes_nothing_but_the_scale() {
    let values = seasonal(240);
    let scaled: Vec<f64> = values.iter().map(|v| v * 1024.0).collect();
    for name in NAMES {
        let (a, b) = (fit(name, &values).forecast(&LEVELS), fit(name, &scaled).forecast(&LEVELS));
        let all = |f: &super::Forecast| {
            f.intervals.iter().flat_map(|i| [i.lower.clone(), i.upper.clone()]).chain([f.median.clone()]).flatten().collect::<Vec<f64>>()
        };
        for (x, y) in all(&a).into_iter().zip(all(&b)) {
            assert!((y - 1024.0 * x).abs() < 1e-4 * y.abs(), "{name}: {y} for {}", 1024.0 * x);
        }
    }
}

#[test]
fn the_same_question_has_the_same_answer_on_any_thread() {
    let values = seasonal(240);
    for name in NAMES.iter().filter(|name| **name != "ets") {
        let here = fit(name, &values).forecast(&LEVELS);
        let there = std::thread::scope(|scope| {
            let asked: Vec<_> = (0..3).map(|_| scope.spawn(|| fit(name, &values).forecast(&LEVELS))).collect();
            asked.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        });
        assert!(there.iter().all(|forecast| *forecast == here), "{name}");
    }
}

#[test]
fn what_was_said_at_a_past_origin_knew_nothing_of_what_came() {
    // The same past, two futures: what was said before they part must be the same.
    let values = seasonal(240);
    let mut other = values.clone();
    other[200..].iter_mut().for_each(|v| *v += 50.0);
    for name in NAMES {
        let of = |values: &[f64]| {
            let fitted = fit(name, values);
            let mut path = vec![0.0; 30];
            fitted.errors().path(0, &mut path);
            path
        };
        for (a, b) in of(&values).into_iter().zip(of(&other)) {
            // Which members speak is decided by all errors, so the combination may differ; a single rule may not.
            // Where the truth has moved by 50, so has the error: what was said has not.
            let moved = b - a;
            assert!(moved.abs() < 1e-9 || (moved - 50.0).abs() < 1e-9 || name == "auto", "{name}: {a} and {b}");
        }
    }
}

#[test]
fn a_horizon_longer_than_the_past_is_judged_at_more_than_one_moment() {
    // A walk: whoever has seen a single error of it is sure of far too much or of nothing.
    let mut level = 0.0;
    let walk: Vec<f64> = (0..60)
        .map(|i| {
            level += noise(i);
            level
        })
        .collect();
    for name in ["auto", "naive", "drift"] {
        let fitted = by_name(name).unwrap().fit(&Context::new(&walk, 24, Bounds::default()), 500).unwrap();
        assert!(fitted.errors().origins() > 4, "{name}: {}", fitted.errors().origins());
        let forecast = fitted.forecast(&[0.95]);
        let width = |h: usize| forecast.intervals[0].upper[h] - forecast.intervals[0].lower[h];
        assert!(width(499) > 2.0 * width(20) && width(20) > 0.0, "{name}: what nobody has seen is known less and less");
    }
}

#[test]
fn intervals_hold_what_they_say() {
    // Two dozen seeds of a season with noise: the share of truths inside.
    for name in ["auto", "seasonal-naive", "autoregression", "analog"] {
        let (mut inside, mut all) = (0.0, 0.0);
        for seed in 0..24 {
            let truth = |i: usize| 50.0 + 10.0 * (i as f64 / 24.0 * std::f64::consts::TAU).sin() + 4.0 * noise(i + 10_000 * seed);
            let values: Vec<f64> = (0..480).map(truth).collect();
            let forecast = fit(name, &values).forecast(&[0.8]);
            for h in 0..30 {
                let y = truth(480 + h);
                inside += f64::from(u8::from((forecast.intervals[0].lower[h]..=forecast.intervals[0].upper[h]).contains(&y)));
                all += 1.0;
            }
        }
        let share = inside / all;
        assert!((0.76..0.95).contains(&share), "{name}: {share}");
    }
}

#[test]
fn an_hour_more_in_autumn_moves_nobodys_morning() {
    // The season runs by local time, which falls back by a step at 150: universal time of the same local hour is a step later from there
    // on.
    let by_local = |local: usize| 10.0 + if local % 24 == 8 { 5.0 } else { 0.0 };
    let offset = |i: usize| i32::from(i < 150);
    let values: Vec<f64> = (0..240).map(|i| by_local(i + offset(i) as usize)).collect();
    let offsets: Vec<i32> = (0..270).map(offset).collect();
    let calendar = Calendar { offset_steps: offsets, kind: Vec::new() };
    let context = Context::with_calendar(&values, 24, Bounds::default(), &calendar);
    for name in ["seasonal-naive", "seasonal-median", "autoregression", "auto"] {
        let fitted = by_name(name).unwrap().fit(&context, 30).unwrap();
        for (h, m) in fitted.median().iter().enumerate() {
            let want = by_local(240 + h);
            assert!((m - want).abs() < 0.5, "{name} at {h}: {m} for {want}");
        }
    }
    // And one that comes: the step ahead of 250 changes back.
    let offsets: Vec<i32> = (0..280).map(|i| i32::from(!(150..250).contains(&i))).collect();
    let calendar = Calendar { offset_steps: offsets, kind: Vec::new() };
    let fitted = by_name("seasonal-naive").unwrap().fit(&Context::with_calendar(&values, 24, Bounds::default(), &calendar), 40).unwrap();
    let peak = (20..40).max_by(|&a, &b| fitted.median()[a].total_cmp(&fitted.median()[b])).unwrap();
    assert_eq!((240 + peak + 1) % 24, 8);
}

#[test]
fn a_holiday_is_no_rhythm_and_the_next_one_is_like_the_last() {
    // Busy days of 20, a quiet one of 5 at day 13 and another to come at day 21.
    let quiet = |i: usize| i / 24 == 13 || i / 24 == 21;
    let value = |i: usize| (if quiet(i) { 5.0 } else { 20.0 }) + (i as f64 / 24.0 * std::f64::consts::TAU).sin();
    let values: Vec<f64> = (0..504).map(value).collect();
    let calendar = Calendar { offset_steps: Vec::new(), kind: (0..552).map(|i| u8::from(quiet(i))).collect() };
    let fitted = by_name("auto").unwrap().fit(&Context::with_calendar(&values, 24, Bounds::default(), &calendar), 48).unwrap();
    for (h, m) in fitted.median().iter().enumerate() {
        let want = value(504 + h);
        assert!((m - want).abs() < 1.0, "at {h}: {m} for {want}");
    }
    // Yesterday a holiday: today is a day like others.
    let values = &values[..336];
    let calendar = Calendar { kind: (0..336).map(|i| u8::from(quiet(i))).collect(), ..Calendar::default() };
    let fitted = by_name("seasonal-naive").unwrap().fit(&Context::with_calendar(values, 24, Bounds::default(), &calendar), 24).unwrap();
    assert!(fitted.median().iter().all(|m| *m > 18.0));
}

#[test]
fn each_kind_of_day_has_its_own_effect_and_none_that_noise_alone_would_show() {
    // Seven weeks: each tenth day quiet, each fourteenth busy, and a kind that is like any other day.
    let kind = |i: usize| match i / 24 {
        day if day % 10 == 4 => 1,
        day if day % 14 == 6 => 2,
        day if day % 14 == 9 => 3,
        _ => 0,
    };
    let effect = |i: usize| [0.0, -12.0, 8.0, 0.0][usize::from(kind(i))];
    let day = |i: usize| 20.0 + 4.0 * (i as f64 / 24.0 * std::f64::consts::TAU).sin();
    let values: Vec<f64> = (0..48 * 24).map(|i| day(i) + effect(i) + 2.0 * noise(i)).collect();
    let told = |kinds: &dyn Fn(usize) -> u8, ahead: u8| {
        let kinds = (0..49 * 24).map(|i| if i < values.len() { kinds(i) } else { ahead }).collect();
        let context = Context::with_calendar(&values, 24, Bounds::default(), &Calendar { offset_steps: Vec::new(), kind: kinds });
        by_name("auto").unwrap().fit(&context, 24).unwrap().median().to_vec()
    };
    let off = |told: &[f64], effect: f64| {
        let apart = told.iter().enumerate().map(|(h, m)| m - day(values.len() + h) - effect);
        apart.sum::<f64>() / told.len() as f64
    };
    for (ahead, effect) in [(0, 0.0), (1, -12.0), (2, 8.0), (3, 0.0)] {
        let with = told(&|i| kind(i), ahead);
        assert!(off(&with, effect).abs() < 1.0, "kind {ahead}: {:.2} off", off(&with, effect));
        // All kinds as one: a quiet day and a busy one are told alike.
        let as_one = told(&|i| u8::from(kind(i) > 0), u8::from(ahead > 0));
        assert!(
            ahead == 0 || ahead == 3 || off(&as_one, effect).abs() > 3.0,
            "one kind is enough for {ahead}: {:.2}",
            off(&as_one, effect)
        );
    }
    // What is like any other day is told as one, hour by hour, though its few days of noise say otherwise.
    let (usual, like) = (told(&|i| kind(i), 0), told(&|i| kind(i), 3));
    let most = usual.iter().zip(&like).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(most < 1.0, "{most}");
}

#[test]
fn what_comes_after_the_origin_changes_nothing() {
    for name in NAMES {
        for change in CHANGES {
            knew_nothing(name, &seasonal(300), 24, 12, |i, v| change(i, v, 1e3)).unwrap();
        }
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
