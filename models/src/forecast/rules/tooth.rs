//! Teeth of a sawtooth: where the present one began, as far as could be known at each moment.

use crate::robust::{median_mut, quantile_mut};

/// A fall is a reset if it is more than this share of the usual range and more than so many usual steps.
const RANGE_SHARE: f64 = 0.25;
const USUAL_STEPS: f64 = 8.0;
/// What is usual is looked at anew once the past is this much longer: a quarter more seldom says otherwise, and three passes do for the
/// origins of a series. The present always has its own.
const GROWTH: f64 = 1.25;

/// Resets of a series, at each of its origins those that could be told from others there: a jump that is still to come must not make
/// yesterday's fall a small one.
pub(in super::super) struct Resets {
    /// Falls that are a reset to one origin at least: the value's place and how far it fell.
    falls: Vec<(usize, f64)>,
    /// By origin, what a reset falls more than.
    least: Vec<f64>,
}

impl Resets {
    /// `origins` are lengths of the past, rising.
    pub(in super::super) fn new(values: &[f64], origins: &[usize]) -> Self {
        let (mut known, mut fall) = (0, f64::INFINITY);
        let least: Vec<f64> = origins
            .iter()
            .map(|&origin| {
                if known == 0 || origin == values.len() || origin as f64 >= GROWTH * known as f64 {
                    (known, fall) = (origin, least_fall(&values[..origin]));
                }
                fall
            })
            .collect();
        let smallest = least.iter().copied().fold(f64::INFINITY, f64::min);
        let falls = values.windows(2).enumerate().map(|(i, w)| (i + 1, w[0] - w[1])).filter(|(_, by)| *by > smallest).collect();
        Self { falls, least }
    }

    /// Where the tooth began that the value at `at` belongs to, as known at the origin of that number; 0 where nothing had fallen so.
    pub(in super::super) fn since(&self, origin: usize, at: usize) -> usize {
        let before = self.falls.partition_point(|(place, _)| *place <= at);
        self.falls[..before].iter().rev().find(|(_, by)| *by > self.least[origin]).map_or(0, |(place, _)| *place)
    }
}

/// What a reset falls more than, by this past; nothing does where nothing has ever moved.
fn least_fall(past: &[f64]) -> f64 {
    let mut sorted = past.to_vec();
    let range = quantile_mut(&mut sorted, 0.99) - quantile_mut(&mut sorted, 0.01);
    let mut steps: Vec<f64> = past.windows(2).map(|w| (w[1] - w[0]).abs()).collect();
    let usual = if steps.is_empty() { 0.0 } else { median_mut(&mut steps) };
    let fall = (RANGE_SHARE * range).max(USUAL_STEPS * usual);
    if fall > 0.0 { fall } else { f64::INFINITY }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tooth_starts_after_the_fall() {
        let saw: Vec<f64> = (0..40).map(|i| f64::from(i % 10)).collect();
        let resets = Resets::new(&saw, &[40]);
        assert_eq!([5, 9, 10, 39].map(|at| resets.since(0, at)), [0, 0, 10, 30]);
        assert_eq!(Resets::new(&[1.0; 5], &[5]).since(0, 4), 0);
    }

    #[test]
    fn what_falls_far_later_takes_back_no_reset_that_was_seen() {
        let mut saw: Vec<f64> = (0..80).map(|i| f64::from(i % 10)).collect();
        saw[60..].iter_mut().for_each(|v| *v *= 1e6);
        let resets = Resets::new(&saw, &[25, 60, 80]);
        assert_eq!((resets.since(0, 24), resets.since(1, 59)), (20, 50));
        assert_eq!((resets.since(2, 59), resets.since(2, 79)), (0, 70));
    }
}
