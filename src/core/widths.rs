//! How much wider or narrower intervals have to be than a series' own past errors make them, as what came of earlier ones has shown.
//!
//! Adaptive conformal inference (Gibbs and Candès, "Adaptive conformal inference under distribution shift", 2021), in the form of tracking
//! the quantile itself (Angelopoulos, Candès and Tibshirani, "Conformal PID control for time series prediction", 2023): after an interval has
//! missed the next ones are wider, after one has held they are a little narrower, by so much that the two balance where the stated share
//! holds. What is tracked is the logarithm of the width, so that it can neither turn negative nor depends on a unit.
//!
//! One width for all levels keeps intervals nested; one an hour ahead and one at the end of the horizon, because that is where truths are
//! looked at, and what is between the two lies between.

use serde::{Deserialize, Serialize};

/// What one settled interval moves the logarithm of the width by, times the share that it missed too much. After 100 settled intervals nine
/// tenths of errors twice as wide as the past are caught up with, and a width that is right strays by 8 %, coverage by 3 of 100 at 80 %.
const GAIN: f64 = 0.03;
/// Intervals of one hour count as so many at most: series of a watch miss together, and one bad hour is not a hundred proofs.
const MOST_AN_HOUR: f64 = 4.0;
/// Half as wide at the least: errors shrink by more where a series has stopped moving, and its own past will say so within the week.
const LEAST: f64 = 0.5;
/// Three times as wide at most: beyond that the forecast is about another series, and a wider band says nothing any more.
const MOST: f64 = 3.0;

/// See the module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Widths {
    /// Natural logarithms: an hour ahead, and at the end of the horizon.
    logs: [f64; 2],
    /// Intervals that were learnt from.
    settled: [u64; 2],
}

impl Widths {
    /// Times as wide an hour ahead or (`far`) at the end of the horizon.
    pub fn of(&self, far: bool) -> f64 {
        self.logs[usize::from(far)].exp()
    }

    /// Times as wide at a step, where step 1 is an hour ahead and `last` the end of the horizon.
    pub fn at(&self, step: usize, last: usize) -> f64 {
        let share = if last > 1 { (step.max(1) - 1) as f64 / (last - 1) as f64 } else { 0.0 };
        (self.logs[0] + share.min(1.0) * (self.logs[1] - self.logs[0])).exp()
    }

    /// Intervals that were learnt from, near and far.
    pub fn settled(&self) -> u64 {
        self.settled.iter().sum()
    }

    /// Learns from the intervals of one hour: how many there were, and for each level its share that missed and the share that may.
    pub fn learn(&mut self, far: bool, count: u64, missed: impl IntoIterator<Item = (f64, f64)>) {
        let excess: f64 = missed.into_iter().map(|(missed, may)| missed - may).sum();
        let log = &mut self.logs[usize::from(far)];
        *log = (*log + GAIN * (count as f64).min(MOST_AN_HOUR) * excess).clamp(LEAST.ln(), MOST.ln());
        self.settled[usize::from(far)] += count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEVELS: [f64; 2] = [0.8, 0.95];
    /// Standard normal errors lie within these in 80 and 95 of 100 cases.
    const EDGES: [f64; 2] = [1.281_551_565_5, 1.959_963_984_5];

    /// A standard normal number (Box and Muller's).
    fn normal(i: u64) -> f64 {
        let uniform = |i: u64| {
            let x = i.wrapping_mul(0x9E37_79B9_7F4A_7C15);
            let x = (x ^ (x >> 31)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            (((x ^ (x >> 29)) >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
        };
        (-2.0 * uniform(2 * i + 1).ln()).sqrt() * (std::f64::consts::TAU * uniform(2 * i + 2)).cos()
    }

    /// Errors `sigma` times as wide as the past: shares inside over `looks` intervals, and the widths met.
    fn lived(widths: &mut Widths, sigma: f64, looks: std::ops::Range<u64>) -> ([f64; 2], Vec<f64>) {
        let (mut inside, mut met) = ([0.0; 2], Vec::new());
        for look in looks.clone() {
            let width = widths.of(false);
            let held = EDGES.map(|edge| sigma * normal(look).abs() <= width * edge);
            widths.learn(false, 1, held.iter().zip(LEVELS).map(|(held, level)| (f64::from(u8::from(!held)), 1.0 - level)));
            inside.iter_mut().zip(held).for_each(|(sum, held)| *sum += f64::from(u8::from(held)));
            met.push(width);
        }
        (inside.map(|sum| sum / (looks.end - looks.start) as f64), met)
    }

    #[test]
    fn errors_twice_as_wide_as_the_past_are_held_again_after_a_hundred_looks() {
        let mut widths = Widths::default();
        let (first, _) = lived(&mut widths, 2.0, 0..20);
        assert!(first[0] < 0.7 && first[1] < 0.8, "{first:?}");
        lived(&mut widths, 2.0, 20..100);
        let (then, met) = lived(&mut widths, 2.0, 100..1_100);
        assert!((then[0] - 0.8).abs() < 0.03 && (then[1] - 0.95).abs() < 0.02, "{then:?}");
        assert!(met.iter().all(|width| (1.4..2.7).contains(width)), "{met:?}");
        // Errors as before again, and half as wide: as soon.
        lived(&mut widths, 1.0, 1_100..1_300);
        let (back, met) = lived(&mut widths, 1.0, 1_300..2_300);
        assert!((back[0] - 0.8).abs() < 0.03 && met.iter().all(|width| (0.65..1.4).contains(width)), "{back:?}");
    }

    #[test]
    fn what_is_right_stays_within_a_few_of_a_hundred_and_what_is_hopeless_within_bounds() {
        let mut widths = Widths::default();
        let (inside, met) = lived(&mut widths, 1.0, 0..3_000);
        assert!((inside[0] - 0.8).abs() < 0.02 && (inside[1] - 0.95).abs() < 0.01, "{inside:?}");
        assert!(met.iter().all(|width| (0.65..1.4).contains(width)));
        assert!((met.iter().sum::<f64>() / met.len() as f64 - 1.0).abs() < 0.05);
        lived(&mut widths, 100.0, 0..300);
        assert!((widths.of(false) - MOST).abs() < 1e-12);
        lived(&mut widths, 0.0, 0..400);
        assert!((widths.of(false) - LEAST).abs() < 1e-12);
    }

    #[test]
    fn an_hour_in_which_all_series_miss_is_one_bad_hour_and_between_near_and_far_lies_what_is_between() {
        let mut widths = Widths::default();
        widths.learn(true, 1_000, LEVELS.map(|level| (1.0, 1.0 - level)));
        assert!(widths.of(true) < 1.4, "{}", widths.of(true));
        assert_eq!((widths.of(false), widths.settled()), (1.0, 1_000));
        let along: Vec<f64> = (0..30).map(|step| widths.at(step, 24)).collect();
        assert!(along.is_sorted() && along[0] == 1.0 && along[1] == 1.0 && along[24] == widths.of(true) && along[29] == along[24]);
        assert_eq!(widths.at(1, 1), 1.0);
    }
}
