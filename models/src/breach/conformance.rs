//! What every answer must hold, whatever the series.

use proptest::prelude::*;

use super::{Chance, Question};

fn noise(i: usize) -> f64 {
    // A fixed scramble: tests must not depend on a generator's version.
    let mut x = (i as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    x ^= x >> 31;
    x = x.wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x ^= x >> 29;
    (x >> 11) as f64 / (1_u64 << 53) as f64 - 0.5
}

fn up(threshold: f64, horizon: usize) -> Question {
    Question { threshold, upward: true, horizon, sustain: 3, day: 96 }
}

/// Two weeks of quarter hours.
fn series(of: impl Fn(f64) -> f64) -> Vec<f64> {
    (0..14 * 96).map(|i| of(i as f64 / 96.0) + 0.01 * noise(i)).collect()
}

fn season(day: f64) -> f64 {
    (day * std::f64::consts::TAU).sin()
}

#[test]
fn a_steady_growth_is_told_with_its_time() {
    // 0.02 a day: from 0.58 to 0.6 takes a day.
    let values = series(|day| 0.3 + 0.02 * day);
    let soon = Chance::new(&values, &up(0.62, 3 * 96));
    assert!(soon.likelihood() > 0.9, "{}", soon.likelihood());
    let [p10, p50, p90] = [0.1, 0.5, 0.9].map(|q| soon.quantile(q).unwrap());
    assert!((p50 - 2.0 * 96.0).abs() < 30.0 && p10 <= p50 && p50 <= p90, "{p10} {p50} {p90}");
    let never = Chance::new(&values, &up(0.8, 3 * 96));
    assert!(never.likelihood() < 0.05, "{}", never.likelihood());
    assert_eq!(never.quantile(0.5), None);
}

#[test]
fn the_side_is_a_mirror() {
    let values = series(|day| 0.3 + 0.02 * day + 0.1 * season(day));
    let mirrored: Vec<f64> = values.iter().map(|v| -v).collect();
    let (a, b) = (Chance::new(&values, &up(0.7, 96)), Chance::new(&mirrored, &Question { upward: false, ..up(-0.7, 96) }));
    assert!((a.likelihood() - b.likelihood()).abs() < 1e-9);
}

#[test]
fn a_season_that_stays_short_of_the_threshold_is_not_called_and_one_that_passes_it_is() {
    let values = series(|day| 50.0 + 30.0 * season(day));
    assert!(Chance::new(&values, &up(90.0, 96)).likelihood() < 0.1);
    assert!(Chance::new(&values, &up(75.0, 96)).likelihood() > 0.8);
    assert!(Chance::new(&values, &Question { upward: false, ..up(25.0, 96) }).likelihood() > 0.8);
}

#[test]
fn nothing_is_nearly_certain_about_a_series_of_which_little_is_known() {
    assert!((Chance::new(&[], &up(1.0, 96)).likelihood() - 0.1).abs() < 1e-9);
    assert!((Chance::new(&[f64::NAN; 500], &up(1.0, 96)).likelihood() - 0.1).abs() < 1e-9);
    for n in [8, 9, 12, 30, 100] {
        let values: Vec<f64> = (0..n).map(|i| 0.5 + 0.01 * noise(i)).collect();
        let p = Chance::new(&values, &up(0.9, 96)).likelihood();
        assert!((0.0001..0.5).contains(&p), "{n}: {p}");
    }
}

#[test]
fn what_lies_many_weeks_back_does_not_matter() {
    let mut longer = vec![7.0; 20 * 96];
    (0..3).for_each(|_| longer.extend(series(|day| 0.4 + 0.1 * season(day))));
    let alone = Chance::new(&longer[20 * 96..], &up(0.6, 96));
    assert_eq!(Chance::new(&longer, &up(0.6, 96)), alone);
}

#[test]
fn a_day_at_a_constant_is_no_alarm() {
    let p = Chance::new(&vec![3.0; 14 * 96], &up(4.0, 96)).likelihood();
    assert!(p < 0.1, "{p}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn one_distribution(
        growth in -0.05..0.05_f64, wave in 0.0..0.3_f64, rough in 0.0..0.2_f64, threshold in 0.0..1.5_f64,
        horizon in 1_usize..300, sustain in 1_usize..6, day in prop::sample::select(vec![0_usize, 24, 96]), gap in 0_usize..300,
        length in 1_usize..1500, upward in any::<bool>(), scale in prop::sample::select(vec![1.0, 1024.0, 1.0 / 4096.0])
    ) {
        let mut values: Vec<f64> = (0..length)
            .map(|i| 0.5 + growth * i as f64 / 96.0 + wave * season(i as f64 / 96.0) + rough * noise(i))
            .collect();
        let from = gap.min(values.len());
        let to = (2 * gap).min(values.len());
        values[from..to].fill(f64::NAN);
        let question = Question { threshold, upward, horizon, sustain, day };
        let chance = Chance::new(&values, &question);
        prop_assert!((0.0..=1.0).contains(&chance.likelihood()));
        // Never falling, all of it within the horizon.
        let reached: Vec<f64> = (0..=2 * horizon).map(|h| chance.within(h as f64 / 2.0)).collect();
        prop_assert!(reached.windows(2).all(|w| w[1] >= w[0] - 1e-12));
        prop_assert!((reached[2 * horizon] - chance.likelihood()).abs() < 1e-9);
        // Quantiles rise, and are there exactly as far as the likelihood goes.
        let told: Vec<Option<f64>> = [0.1, 0.5, 0.9].iter().map(|q| chance.quantile(*q)).collect();
        for (q, step) in [0.1, 0.5, 0.9].iter().zip(&told) {
            prop_assert_eq!(step.is_some(), chance.likelihood() >= *q);
            if let Some(step) = step {
                prop_assert!(*step >= 0.0 && *step <= horizon as f64);
            }
        }
        let known: Vec<f64> = told.into_iter().flatten().collect();
        prop_assert!(known.windows(2).all(|w| w[1] >= w[0]));
        // Same samples, same answer, to the bit; another unit, the same answer.
        prop_assert_eq!(&Chance::new(&values, &question), &chance);
        let moved: Vec<f64> = values.iter().map(|v| v * scale).collect();
        let elsewhere = Chance::new(&moved, &Question { threshold: threshold * scale, ..question });
        prop_assert!((elsewhere.likelihood() - chance.likelihood()).abs() < 1e-6);
    }

    #[test]
    fn far_thresholds_are_less_likely_than_near_ones(rough in 0.01..0.2_f64, wave in 0.0..0.3_f64, horizon in 1_usize..300) {
        let values: Vec<f64> = (0..1344).map(|i| wave * season(i as f64 / 96.0) + rough * noise(i)).collect();
        let top = wave + rough / 2.0;
        let [near, far] = [0.9, 3.0].map(|t| Chance::new(&values, &Question { sustain: 1, ..up(t * top, horizon) }).likelihood());
        prop_assert!(far <= near, "{near} {far}");
    }
}
