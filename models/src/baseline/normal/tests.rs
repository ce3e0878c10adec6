//! What is normal, against brute force and on series whose answer is known.

use super::super::block::{Accepted, Geometry};
use super::*;
use crate::moments::Moments;
use proptest::prelude::*;

const HOUR: i64 = 3_600_000;
const WEEK: i64 = 7 * 24 * HOUR;

fn utc_slot(bucket: i64) -> usize {
    bucket.rem_euclid(24) as usize
}

fn civil(at_ms: i64) -> f64 {
    at_ms.rem_euclid(24 * HOUR) as f64 / HOUR as f64
}

fn feed(block: &mut Block, row: usize, at_ms: i64, value: f64) -> Accepted {
    block.advance(at_ms, &utc_slot);
    let expected = block.expected(row, at_ms, civil(at_ms)).map_or(f64::NAN, |b| b.expected);
    block.observe(row, at_ms, value, expected)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn mean_and_sigma_equal_brute_force_over_the_window(
        values in prop::collection::vec(prop::option::weighted(0.8, -1e3..1e3f64), 300..1500),
        offset in prop::sample::select(vec![0.0, 1e6, -1e9]),
    ) {
        let step = 17 * 60_000;
        let mut block = Block::new(Geometry::new(WEEK, step));
        block.add_row();
        let mut kept: Vec<(i64, f64)> = Vec::new();
        for (i, value) in values.iter().enumerate() {
            let at = 1_700_000_000_000 + i as i64 * step;
            block.advance(at, &utc_slot);
            if let Some(value) = value {
                feed(&mut block, 0, at, value + offset);
                kept.push((at, value + offset));
            }
            if i % 97 != 0 {
                continue;
            }
            let oldest = at.div_euclid(HOUR) - 167;
            let window: Vec<f64> = kept.iter().filter(|(t, _)| t.div_euclid(HOUR) >= oldest).map(|(_, v)| *v).collect();
            let got = block.window(0);
            prop_assert_eq!(got.count as usize, window.len());
            if window.len() > 2 {
                // Two passes around the offset: brute force, and itself exact enough to judge by.
                let mean = window.iter().map(|v| v - offset).sum::<f64>() / window.len() as f64;
                let sigma = (window.iter().map(|v| (v - offset - mean).powi(2)).sum::<f64>() / (window.len() - 1) as f64).sqrt();
                prop_assert!((got.mean - (mean + offset)).abs() <= 1e-6 * sigma, "{} {}", got.mean, mean + offset);
                prop_assert!((got.sigma() - sigma).abs() <= 1e-6 * sigma, "{} {}", got.sigma(), sigma);
            }
        }
    }
}

#[test]
fn a_gap_longer_than_the_window_starts_cold_and_a_shorter_one_does_not() {
    let mut block = Block::new(Geometry::new(WEEK, 60_000));
    block.add_row();
    feed(&mut block, 0, 0, 5.0);
    feed(&mut block, 0, 100 * HOUR, 7.0);
    assert_eq!(block.window(0).count, 2.0);
    feed(&mut block, 0, 400 * HOUR, 9.0);
    assert_eq!((block.window(0).count, block.window(0).mean), (1.0, 9.0));
}

#[test]
fn a_jump_of_a_thousand_million_sigmas_costs_no_digits_once_it_is_old() {
    let mut block = Block::new(Geometry::new(WEEK, 300_000));
    block.add_row();
    let steps = WEEK / 300_000;
    let value = |i: i64| f64::from(u8::from(i > 50)) * 1e9 + tremble(i * 300_000);
    for i in 0..2 * steps {
        feed(&mut block, 0, i * 300_000, value(i));
    }
    let oldest = block.newest_bucket() - 167;
    let sum: Moments = (0..2 * steps).filter(|i| (i * 300_000).div_euclid(HOUR) >= oldest).map(|i| value(i) - 1e9).collect();
    let got = block.window(0);
    assert!((got.mean - 1e9 - sum.mean).abs() < 1e-5 * sum.sigma(), "{got:?} {sum:?}");
    assert!((got.sigma() / sum.sigma() - 1.0).abs() < 1e-5, "{got:?} {sum:?}");
    assert!((block.fine_mean(0, block.newest_fine() - 1) - value(2 * steps - 2)).abs() < 1e-5);
}

#[test]
fn values_beyond_thirty_two_bits_stay_finite() {
    let mut block = Block::new(Geometry::new(WEEK, 300_000));
    block.add_row();
    for i in 0..600 {
        feed(&mut block, 0, i * 300_000, [0.0, 1e300, -1e300][i as usize % 3]);
    }
    let at = 600 * 300_000;
    let band = block.expected(0, at, civil(at)).unwrap();
    assert!(band.expected.is_finite() && band.sigma.is_finite() && block.window(0).mean.is_finite(), "{band:?}");
}

#[test]
fn late_samples_count_once_and_repeated_ones_never() {
    let mut block = Block::new(Geometry::new(WEEK, 60_000));
    block.add_row();
    let at = 1000 * HOUR;
    assert_eq!(feed(&mut block, 0, at, 1.0), Accepted::New);
    assert_eq!(feed(&mut block, 0, at + 180_000, 1.0), Accepted::New);
    assert_eq!(block.observe(0, at + 60_000, 4.0, f64::NAN), Accepted::Late);
    assert_eq!(block.observe(0, at + 60_000, 4.0, f64::NAN), Accepted::Ignored);
    assert_eq!(block.observe(0, at + 180_000, 1.0, f64::NAN), Accepted::Ignored);
    assert_eq!((block.window(0).count, block.window(0).mean), (3.0, 2.0));
    assert_eq!(block.observe(0, at - 70 * 60_000, 1.0, f64::NAN), Accepted::Ignored, "too old to know whether it was seen");
}

#[test]
fn a_daily_rhythm_is_expected_and_a_bad_day_does_not_become_normal() {
    let mut block = Block::new(Geometry::new(WEEK, 300_000));
    block.add_row();
    let truth = |at: i64| 100.0 + 40.0 * (civil(at) / 24.0 * std::f64::consts::TAU).sin();
    let steps = WEEK / 300_000;
    for i in 0..steps {
        let at = i * 300_000;
        let incident = (3 * 24 * HOUR..3 * 24 * HOUR + 5 * HOUR).contains(&at);
        feed(&mut block, 0, at, truth(at) + if incident { 300.0 } else { 0.0 });
    }
    assert!(block.summary(0).seasonal);
    for hours in 0..24 {
        let at = WEEK + hours * HOUR / 2;
        let band = block.expected(0, at, civil(at)).unwrap();
        assert!((band.expected - truth(at)).abs() < 6.0, "{hours}: {} for {}", band.expected, truth(at));
    }
    assert!(block.summary(0).scale < 10.0, "{:?}", block.summary(0));
}

#[test]
fn noise_gets_no_shape_and_growth_gets_a_slope() {
    let noise = |i: i64| {
        let x = (i as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let x = (x ^ (x >> 31)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        ((x ^ (x >> 29)) >> 40) as f64 / f64::from(1 << 24) - 0.5
    };
    let mut block = Block::new(Geometry::new(WEEK, 300_000));
    for _ in 0..2 {
        block.add_row();
    }
    for i in 0..WEEK / 300_000 {
        feed(&mut block, 0, i * 300_000, 10.0 + noise(i));
        feed(&mut block, 1, i * 300_000, 10.0 + 0.01 * i as f64 + noise(i));
    }
    assert!(!block.summary(0).seasonal && block.summary(0).slope == 0.0);
    let per_step = block.summary(1).slope * 300_000.0;
    assert!((per_step - 0.01).abs() < 1e-3, "{per_step}");
    // The mean absolute deviation of uniform noise of width 1 is 1/4.
    assert!((block.summary(0).scale - 0.25 * SIGMA_PER_MEAN_ABS).abs() < 0.05, "{:?}", block.summary(0));
}

#[test]
fn state_stays_under_four_kilobytes_a_series() {
    use crate::score::Scorer;
    let (block, scorer) = (Block::bytes_per_row(), Scorer::BYTES);
    assert!(block + scorer <= 4096, "{block} and {scorer}");
}

/// Twelve and a half days of a signal, and what was expected in the middle of each hour when it came.
fn lived(value: &dyn Fn(i64) -> f64) -> (Block, std::collections::BTreeMap<i64, Band>) {
    let mut block = Block::new(Geometry::new(WEEK, 300_000));
    block.add_row();
    let mut said = std::collections::BTreeMap::new();
    for at in (0..12 * 24 * HOUR + HOUR / 2).step_by(300_000) {
        block.advance(at, &utc_slot);
        if at % HOUR == HOUR / 2
            && let Some(band) = block.expected(0, at, civil(at))
        {
            said.insert(at.div_euclid(HOUR), band);
        }
        feed(&mut block, 0, at, value(at));
    }
    (block, said)
}

fn middle(bucket: i64) -> f64 {
    civil(bucket * HOUR + HOUR / 2)
}

fn tremble(at: i64) -> f64 {
    ((at / 300_000 * 7919) % 13) as f64 / 13.0
}

#[test]
fn what_was_expected_then_is_what_was_said_then() {
    let rhythm = |at: i64| 100.0 + 20.0 * (civil(at) / 24.0 * std::f64::consts::TAU).sin() + tremble(at);
    let (block, said) = lived(&rhythm);
    assert!(block.summary(0).seasonal);
    let newest = block.newest_bucket();
    for bucket in newest - 90..newest {
        let then = block.expected_then(0, bucket, &middle).unwrap();
        assert!((then.expected - said[&bucket].expected).abs() < 2.0, "bucket {bucket}: {then:?}, said {:?}", said[&bucket]);
    }
    assert_eq!(block.expected_then(0, newest, &middle), None, "that is what is expected now");
    assert_eq!(block.expected_then(0, newest - 165, &middle), None, "there is nothing before");
}

#[test]
fn what_was_expected_then_knows_nothing_of_what_came_after() {
    // Four days ago it jumped by 50 for good.
    let jump = 8 * 24;
    let level = |at: i64| 100.0 + tremble(at) + if at >= jump * HOUR { 50.0 } else { 0.0 };
    let (block, _) = lived(&level);
    let hour = jump + 3;
    let today = block.expected(0, hour * HOUR, middle(hour)).unwrap().expected;
    let then = block.expected_then(0, hour, &middle).unwrap().expected;
    assert!(today - then > 30.0, "three hours after the jump the old level was still expected: {then}, today {today}");

    let newest = block.newest_bucket();
    let (other, _) = lived(&|at| level(at) + if at >= (newest - 6) * HOUR { 1000.0 } else { 0.0 });
    assert!(!block.summary(0).seasonal && !other.summary(0).seasonal);
    for bucket in newest - 90..newest - 6 {
        let (a, b) = (block.expected_then(0, bucket, &middle).unwrap(), other.expected_then(0, bucket, &middle).unwrap());
        // Means are kept to a ten-millionth of the range that the ring holds, and a jump by 1000 is part of that.
        assert!((a.expected - b.expected).abs() < 1e-4, "bucket {bucket}: {} and {}", a.expected, b.expected);
    }
}
