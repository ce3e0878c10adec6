//! What every series may ask of a score, whatever its values are.

use proptest::prelude::*;

use super::*;

const MINUTE: i64 = 60_000;
const STEP: i64 = 5 * MINUTE;
const DAY: usize = 288;

/// Repeatable noise of mean 0 and deviation 1, about normal.
fn noise(seed: u64) -> impl FnMut() -> f64 {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move || {
        (0..12)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                (state >> 11) as f64 / (1_u64 << 53) as f64
            })
            .sum::<f64>()
            - 6.0
    }
}

fn seasonal(days: usize, seed: u64) -> Vec<f64> {
    let mut noise = noise(seed);
    (0..days * DAY).map(|i| 100.0 + 20.0 * (i as f64 / DAY as f64 * std::f64::consts::TAU).sin() + 2.0 * noise()).collect()
}

fn scores(values: &[f64]) -> Vec<Option<Scored>> {
    let mut scorer = Scorer::new(STEP, Settings::default());
    values.iter().enumerate().map(|(i, v)| scorer.push(i as i64 * STEP, 0, *v)).collect()
}

fn most(scored: &[Option<Scored>]) -> f64 {
    scored.iter().flatten().map(|s| s.score).fold(0.0, f64::max)
}

fn feed(scorer: &mut Scorer, step_ms: i64, values: &[f64]) {
    for (i, value) in values.iter().enumerate() {
        scorer.push(i as i64 * step_ms, 0, *value);
    }
}

/// Episodes of anomalies, an hour or more apart.
fn episodes(scored: &[Option<Scored>]) -> usize {
    let odd: Vec<usize> = (0..scored.len()).filter(|i| scored[*i].is_some_and(|s| s.is_anomaly())).collect();
    usize::from(!odd.is_empty()) + odd.windows(2).filter(|w| w[1] - w[0] > 12).count()
}

#[test]
fn a_constant_series_is_normal_and_so_is_a_move_by_one() {
    for level in [0.0, 3.0, 1e12] {
        let mut values = vec![level; 10 * DAY];
        assert_eq!(episodes(&scores(&values)), 0);
        values.extend([level + 1.0, level, level, level + 1.0, level + 1.0, level]);
        assert!(most(&scores(&values)) < 1.0, "{level}: {}", most(&scores(&values)));
    }
}

#[test]
fn a_small_count_that_leaps_is_an_anomaly() {
    let mut noise = noise(5);
    let mut values: Vec<f64> = (0..10 * DAY).map(|_| if noise() > 1.5 { 4.0 } else { 3.0 }).collect();
    values.extend([30.0; 6]);
    assert!(most(&scores(&values)[10 * DAY..]) >= 1.0);
}

#[test]
fn a_ramp_is_normal() {
    let mut noise = noise(2);
    let values: Vec<f64> = (0..14 * DAY).map(|i| i as f64 * 0.01 + noise()).collect();
    assert!(episodes(&scores(&values)[3 * DAY..]) <= 2);
    let steep: Vec<f64> = (0..2 * DAY).map(|i| i as f64 + noise()).collect();
    assert_eq!(episodes(&scores(&steep)[DAY..]), 0, "the second day is not measured as the first");
}

#[test]
fn a_season_keeps_to_the_stated_rate() {
    let weeks = 12;
    let found: usize = (0..4).map(|seed| episodes(&scores(&seasonal(7 * weeks, seed + 1))[3 * DAY..])).sum();
    assert!(found <= 4 * weeks, "{found} episodes in {} series-weeks", 4 * weeks);
}

#[test]
fn spike_shift_missing_peak_and_noise_are_found() {
    /// From the minute of the incident, the value as it was and a noise: the value.
    type Incident = fn(usize, f64, f64) -> f64;
    let (from, days) = (20 * DAY, 21);
    let cases: [(&str, Incident); 5] = [
        ("spike", |i, v, _| if i < 3 { v + 30.0 } else { v }),
        ("dip", |i, v, _| if i < 3 { v - 40.0 } else { v }),
        ("shift", |i, v, _| if i < 60 { v + 15.0 } else { v }),
        ("missing peak", |i, v, _| if (30..120).contains(&i) { v.min(102.0) } else { v }),
        ("noise", |i, v, n| if i < 60 { v + 10.0 * n } else { v }),
    ];
    for (name, change) in cases {
        let mut values = seasonal(days, 7);
        let mut noise = noise(70);
        for i in 0..DAY {
            values[from + i] = change(i, values[from + i], noise());
        }
        let scored = scores(&values);
        assert!(most(&scored[from..]) >= 1.0, "{name}: {}", most(&scored[from..]));
    }
}

#[test]
fn a_flatline_is_found_and_says_so() {
    let mut values = seasonal(20, 3);
    let stuck = *values.last().unwrap();
    values.extend([stuck; 120]);
    let scored = scores(&values);
    let odd = scored[20 * DAY..].iter().flatten().find(|s| s.is_anomaly()).expect("a flatline");
    assert!(matches!(odd.view, View::Flatline | View::Variation), "{odd:?}");
}

#[test]
fn silence_is_told_when_it_ends() {
    let values = seasonal(20, 4);
    let mut scorer = Scorer::new(STEP, Settings::default());
    let mut last = None;
    for (i, value) in values.iter().enumerate() {
        let late = if i + 1 == values.len() { 6 * 12 } else { 0 };
        last = scorer.push((i as i64 + late) * STEP, 0, *value);
    }
    let last = last.unwrap();
    assert!(last.is_anomaly() && last.view == View::Silence, "{last:?}");
}

#[test]
fn a_new_level_is_learned_and_an_incident_is_not() {
    let mut shifted = seasonal(40, 8);
    shifted[20 * DAY..].iter_mut().for_each(|v| *v += 60.0);
    let scored = scores(&shifted);
    assert!(most(&scored[20 * DAY..20 * DAY + 12]) >= 1.0);
    assert!(episodes(&scored[33 * DAY..]) <= 2, "still odd after two weeks: {}", episodes(&scored[33 * DAY..]));
    let mut hit = seasonal(40, 8);
    for start in [20 * DAY, 23 * DAY + 50] {
        hit[start..start + 24].iter_mut().for_each(|v| *v += 60.0);
    }
    let scored = scores(&hit);
    for start in [20 * DAY, 23 * DAY + 50] {
        assert!(most(&scored[start..start + 24]) >= 1.0, "the incident at {start}");
    }
    let after = scored[21 * DAY].unwrap();
    assert!((after.expected - 100.0).abs() < 8.0, "{after:?}");
}

#[test]
fn settings_decide_what_counts() {
    let mut values = seasonal(20, 9);
    values.extend([20.0; 6]);
    let at = |settings: Settings| {
        let mut scorer = Scorer::new(STEP, settings);
        let scored: Vec<_> = values.iter().enumerate().map(|(i, v)| scorer.push(i as i64 * STEP, 0, *v)).collect();
        most(&scored[20 * DAY..])
    };
    let usual = at(Settings::default());
    assert!(usual >= 1.0);
    assert!(at(Settings { direction: Direction::Below, ..Settings::default() }) >= 1.0);
    assert!(at(Settings { direction: Direction::Above, ..Settings::default() }) < 1.0);
    assert!(at(Settings { least_deviation: 500.0, ..Settings::default() }) < 1.0);
    assert!(at(Settings { least_share: 2.0, ..Settings::default() }) < 1.0);
    assert!(at(Settings { false_alarms_per_week: 0.01, ..Settings::default() }) < usual);
    assert_eq!(at(Settings { lower: Some(50.0), ..Settings::default() }), MOST_SCORE);
}

#[test]
fn missing_late_and_repeated_samples_are_not_scored_nor_learned() {
    let values = seasonal(5, 1);
    let mut scorer = Scorer::new(STEP, Settings::default());
    feed(&mut scorer, STEP, &values);
    let before = bytes(&scorer);
    for (at, value) in [(values.len() as i64 * STEP, f64::NAN), (values.len() as i64 * STEP, f64::INFINITY), (STEP, 1e6)] {
        assert_eq!(scorer.push(at, 0, value), None);
    }
    assert_eq!(bytes(&scorer), before);
    assert!(scores(&[f64::NAN; 100]).iter().all(Option::is_none));
    assert!(scores(&values[..40]).iter().all(Option::is_none), "too few to say anything");
}

fn bytes(scorer: &Scorer) -> Vec<u8> {
    let mut out = Vec::new();
    scorer.encode(&mut out);
    out
}

#[test]
fn the_state_on_disk_is_no_larger_than_in_memory() {
    for step_ms in [1_000, 15_000, MINUTE, STEP, 60 * MINUTE, 1_440 * MINUTE] {
        let mut scorer = Scorer::new(step_ms, Settings::default());
        feed(&mut scorer, step_ms, &seasonal(3, 1));
        assert!(bytes(&scorer).len() <= Scorer::BYTES, "{} bytes at {step_ms} ms", bytes(&scorer).len());
    }
}

#[test]
fn what_is_read_back_goes_on_alike() {
    let values = seasonal(9, 6);
    let mut whole = Scorer::new(STEP, Settings::default());
    let mut parted = whole.clone();
    for (i, value) in values.iter().enumerate() {
        let (at, offset) = (i as i64 * STEP, 3_600_000);
        if i % 331 == 0 {
            parted = Scorer::decode(&bytes(&parted), STEP, Settings::default()).unwrap();
        }
        assert_eq!(whole.push(at, offset, *value), parted.push(at, offset, *value), "sample {i}");
    }
    let good = bytes(&whole);
    assert!(Scorer::decode(&good[1..], STEP, Settings::default()).is_err());
    assert_eq!(Scorer::decode(&good[..99], STEP, Settings::default()).unwrap_err(), DecodeError::Length { found: 99 });
    assert_eq!(Scorer::decode(&good, MINUTE, Settings::default()).unwrap_err(), DecodeError::Step { found_ms: STEP, wanted_ms: MINUTE });
}

fn walk(seed: u64, kind: u8, len: usize) -> Vec<f64> {
    let mut noise = noise(seed + 1);
    let mut level = 0.0;
    (0..len)
        .map(|i| {
            level += noise();
            match kind {
                0 => level,
                1 => noise().exp(),
                2 => (noise() * 3.0).round(),
                3 => 50.0 + 10.0 * (i as f64 / 40.0).sin() + noise(),
                _ => {
                    if noise() > 2.0 {
                        100.0
                    } else {
                        0.0
                    }
                }
            }
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn nothing_ahead_is_looked_at(seed in 0_u64..1000, kind in 0_u8..5, cut in 100_usize..600) {
        let values = walk(seed, kind, 700);
        let (whole, part) = (scores(&values), scores(&values[..cut]));
        prop_assert_eq!(&whole[..cut], &part[..]);
        prop_assert_eq!(scores(&values), whole);
    }

    #[test]
    fn scores_are_finite_and_bands_in_order(seed in 0_u64..1000, kind in 0_u8..5, size in -300_i32..300) {
        let values: Vec<f64> = walk(seed, kind, 600).iter().map(|v| v * 10_f64.powi(size)).collect();
        for scored in scores(&values).iter().flatten() {
            prop_assert!(scored.score.is_finite() && (0.0..=MOST_SCORE).contains(&scored.score), "{:?}", scored);
            prop_assert!(scored.lower <= scored.expected && scored.expected <= scored.upper, "{:?}", scored);
            prop_assert!((0.0..=1.0).contains(&scored.hour_p()), "{:?}", scored);
        }
    }

    /// Units do not matter: kilobytes or bytes, Celsius or Kelvin. 32 bits round, so alike means to a hundredth.
    #[test]
    fn scale_and_offset_do_not_matter(seed in 0_u64..1000, kind in 0_u8..4, factor in 0.001_f64..1000.0, offset in -1e6_f64..1e6) {
        let values = walk(seed, kind, 900);
        let there: Vec<f64> = values.iter().map(|v| v * factor + offset).collect();
        for (i, (a, b)) in scores(&values).iter().zip(scores(&there)).enumerate() {
            let (a, b) = (a.map_or(0.0, |s| s.score), b.map_or(0.0, |s| s.score));
            prop_assert!((a - b).abs() <= 0.02 + 0.02 * a, "sample {}: {} and {}", i, a, b);
        }
    }
}
