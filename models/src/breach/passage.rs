//! Whether and when a threshold is reached: the first-passage distribution over paths that the past makes plausible.
//!
//! Each error path of a past origin, laid over today's median path, is one way things may go. What counts is the highest point *so far* on
//! each path, not the tail at each step: a path that was over the threshold at noon has crossed, wherever it is by night. Few paths give a
//! coarse distribution, so each path's distance to the threshold is smoothed by a normal kernel.

use super::odds::{LOWER_END, UPPER_END, normal_share};
use crate::forecast::Fitted;
use crate::robust::quantile_sorted;

/// First-passage distribution on the forecast's grid.
#[derive(Clone, Debug, PartialEq)]
pub struct Passage {
    /// Probability that the threshold has been reached by step 1, 2, ...: never falling, in [0, 1].
    reached: Vec<f64>,
    /// Step (from 0, fractional) at which the median path reaches it.
    median: Option<f64>,
}

/// What stands against the paths' own say, as if that many paths more had said the base rate: even where all of them cross, certainty is
/// not to be had. A week of hours has 17 paths; they then say 96 %.
const PRIOR_PATHS: f64 = 0.7;

impl Passage {
    pub(crate) fn new(fitted: &Fitted, threshold: f64, upward: bool, shift: f64, elapsed: f64, sustain: usize) -> Self {
        let sign = if upward { 1.0 } else { -1.0 };
        let horizon = fitted.horizon();
        let errors = fitted.errors();
        let persistence = errors.persistence();
        let mut drift = Vec::with_capacity(horizon);
        let mut rest = shift;
        for _ in 0..horizon {
            drift.push(rest);
            rest *= persistence;
        }
        // How far past the threshold (positive) or short of it (negative) the median path is.
        let lead: Vec<f64> = fitted.median().iter().zip(&drift).map(|(median, drift)| sign * (median + drift - threshold)).collect();

        // Steps that lie in the past by now can no longer be the first to reach anything; a run that would end past the horizon is not known.
        let begin = (elapsed.max(0.0).floor() as usize).min(horizon);
        let sustain = sustain.clamp(1, horizon.max(1));
        let starts = begin..(horizon + 1 - sustain).max(begin);
        let paths = errors.origins();
        // How far past it every path is: step by step, since a step asks all paths.
        let mut margins = vec![0.0; horizon * paths];
        let mut path = vec![0.0; horizon];
        for p in 0..paths {
            errors.path(p, &mut path);
            for ((margin, lead), error) in margins[p..].iter_mut().step_by(paths).zip(&lead).zip(&path) {
                *margin = lead + sign * error;
            }
        }
        let step = |h: usize| &margins[h * paths..(h + 1) * paths];
        let base = base_rate(fitted, threshold, upward, sustain);
        let mut best = Highest::of(paths);
        let mut reached = vec![0.0; begin];
        let mut weakest = Vec::with_capacity(paths);
        let (mut p, mut is_old) = (0.0, false);
        let mut so_far: f64 = 0.0;
        let mut lead_so_far = f64::NEG_INFINITY;
        for h in begin..horizon {
            if starts.contains(&h) {
                lead_so_far = lead_so_far.max(lead[h..h + sustain].iter().copied().fold(f64::INFINITY, f64::min));
                // The margin of a run is that of its weakest step: all of them have to be at or past the threshold.
                weakest.clear();
                weakest.extend_from_slice(step(h));
                for later in h + 1..h + sustain {
                    weakest.iter_mut().zip(step(later)).for_each(|(weakest, margin)| *weakest = weakest.min(*margin));
                }
                is_old &= !best.rise(&weakest);
            }
            // Most steps bring no path nearer than it has been: what was said of them stands.
            if !is_old {
                p = if paths == 0 { f64::from(u8::from(lead_so_far >= 0.0)) } else { best.share_over() };
                is_old = paths > 0;
            }
            let weight = paths as f64;
            // The base rate is about the whole horizon: it enters in proportion to the time that has passed.
            let prior = base * (h + 1) as f64 / horizon as f64;
            so_far = so_far.max((p * weight + prior * PRIOR_PATHS) / (weight + PRIOR_PATHS));
            reached.push(so_far.clamp(0.0, 1.0));
        }
        let median = crossing(starts, sustain, |h| lead[h]);
        Self { reached, median }
    }

    /// Probability that the threshold is reached within `steps` steps after the origin; between steps by a straight line.
    pub fn within(&self, steps: f64) -> f64 {
        let at = |step: usize| step.min(self.reached.len()).checked_sub(1).map_or(0.0, |h| self.reached[h]);
        let below = steps.max(0.0).floor();
        let (low, high) = (at(below as usize), at(below as usize + 1));
        low + (steps.max(0.0) - below) * (high - low)
    }

    /// Probability that the threshold is reached within the horizon.
    pub fn likelihood(&self) -> f64 {
        self.reached.last().copied().unwrap_or(0.0)
    }

    /// Steps after the origin by which the threshold is reached with probability `q`; `None` where that lies past the horizon.
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let h = self.reached.iter().position(|&p| p >= q)?;
        let before = if h == 0 { 0.0 } else { self.reached[h - 1] };
        let share = if self.reached[h] > before { (q - before) / (self.reached[h] - before) } else { 1.0 };
        Some(h as f64 + share.clamp(0.0, 1.0))
    }

    /// Steps after the origin at which the median path reaches the threshold.
    pub fn median_path(&self) -> Option<f64> {
        self.median
    }
}

/// Share of past windows of the horizon's length that began short of the threshold and reached it, for `sustain` steps in a row.
fn base_rate(fitted: &Fitted, threshold: f64, upward: bool, sustain: usize) -> f64 {
    let (mut began, mut reached) = (0.0, 0.0);
    for window in fitted.errors().windows() {
        let short = if upward { window.start < threshold } else { window.start > threshold };
        if short {
            began += 1.0;
            let is_past = |v: &f64| if upward { *v >= threshold } else { *v <= threshold };
            let crossed = match sustain {
                1 => is_past(if upward { &window.extremes.1 } else { &window.extremes.0 }),
                _ => window.values.windows(sustain).any(|run| run.iter().all(is_past)),
            };
            reached += f64::from(u8::from(crossed));
        }
    }
    if began > 0.0 { reached / began } else { 0.0 }
}

/// How far past the threshold each path has been at most.
struct Highest {
    margins: Vec<f64>,
    /// Places in `margins`, the lowest first as of the last time that this was asked for. A few paths rise from one step to the next.
    order: Vec<usize>,
    sorted: Vec<f64>,
    /// Bandwidth of the kernel for paths of a spread of one.
    bandwidth: f64,
}

impl Highest {
    fn of(paths: usize) -> Self {
        Self {
            margins: vec![f64::NEG_INFINITY; paths],
            order: (0..paths).collect(),
            sorted: vec![0.0; paths],
            bandwidth: 0.9 * (paths as f64).powf(-0.2),
        }
    }

    /// Takes in the margins of a step; whether a path is higher than before.
    fn rise(&mut self, margins: &[f64]) -> bool {
        let mut has_risen = false;
        for (highest, margin) in self.margins.iter_mut().zip(margins) {
            has_risen |= margin > highest;
            *highest = if margin > highest { *margin } else { *highest };
        }
        has_risen
    }

    /// Sorts by insertion: nearly in order, that is one comparison a path.
    fn sort(&mut self) {
        for i in 0..self.order.len() {
            let place = self.order[i];
            let (margin, mut to) = (self.margins[place], i);
            while to > 0 && self.sorted[to - 1] > margin {
                (self.sorted[to], self.order[to]) = (self.sorted[to - 1], self.order[to - 1]);
                to -= 1;
            }
            (self.sorted[to], self.order[to]) = (margin, place);
        }
    }

    /// Smoothed share of margins at or over zero: the mean of the normal kernel's cumulative distribution, bandwidth by Silverman's rule
    /// ("Density Estimation", 1986, eq. 3.31) with the smaller of sigma and the interquartile range.
    fn share_over(&mut self) -> f64 {
        let n = self.margins.len() as f64;
        let mean = self.margins.iter().sum::<f64>() / n;
        let sigma = (self.margins.iter().map(|m| (m - mean) * (m - mean)).sum::<f64>() / n).sqrt();
        // Where even the widest kernel leaves every path on one side, most steps of most series, nothing has to be put in order.
        let widest = self.bandwidth * sigma;
        if self.margins.iter().all(|m| *m > UPPER_END * widest) {
            return 1.0;
        }
        if self.margins.iter().all(|m| *m < LOWER_END * widest) {
            return 0.0;
        }
        self.sort();
        let sorted = &self.sorted;
        let range = quantile_sorted(sorted, 0.75) - quantile_sorted(sorted, 0.25);
        let spread = if range > 0.0 { sigma.min(range / 1.349) } else { sigma };
        let bandwidth = self.bandwidth * spread;
        if bandwidth <= f64::EPSILON * mean.abs() || !bandwidth.is_finite() {
            return sorted.iter().filter(|m| **m >= 0.0).count() as f64 / n;
        }
        sorted.iter().map(|m| normal_share(m / bandwidth)).sum::<f64>() / n
    }
}

/// Where a path first comes to zero or above and stays for `sustain` steps, in steps after the origin.
fn crossing(mut starts: std::ops::Range<usize>, sustain: usize, lead: impl Fn(usize) -> f64) -> Option<f64> {
    let h = starts.find(|&h| (h..h + sustain).all(|h| lead(h) >= 0.0))?;
    if h == 0 {
        return Some(1.0);
    }
    let (before, after) = (lead(h - 1), lead(h));
    Some(h as f64 + if after > before { -before / (after - before) } else { 1.0 })
}

#[cfg(test)]
mod tests {
    use crate::forecast::{Bounds, Context, Ensemble, Model};

    fn noise(i: usize) -> f64 {
        // A fixed scramble: tests must not depend on a generator's version.
        let mut x = (i as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        x ^= x >> 31;
        x = x.wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x ^= x >> 29;
        (x >> 11) as f64 / (1_u64 << 53) as f64 - 0.5
    }

    #[test]
    fn a_steady_growth_is_told_with_its_time() {
        let values: Vec<f64> = (0..168).map(|i| 0.5 + 0.002 * i as f64 + 0.001 * noise(i)).collect();
        let fitted = Ensemble.fit(&Context::new(&values, 24, Bounds::default()), 24).unwrap();
        let now = 0.5 + 0.002 * 167.0;
        let soon = fitted.passage(now + 0.002 * 10.0, true, 0.0, 0.0, 1);
        assert!(soon.likelihood() > 0.95, "{}", soon.likelihood());
        let (p10, p90) = (soon.quantile(0.1).unwrap(), soon.quantile(0.9).unwrap());
        assert!(p10 <= 10.5 && p90 >= 9.5 && p90 - p10 < 4.0, "{p10}..{p90}");
        let never = fitted.passage(now + 0.002 * 60.0, true, 0.0, 0.0, 1);
        assert!(never.likelihood() < 0.05, "{}", never.likelihood());
        assert!(never.quantile(0.5).is_none());
    }

    #[test]
    fn a_season_that_stays_short_of_the_threshold_is_not_called() {
        let values: Vec<f64> = (0..192).map(|i| 50.0 + 30.0 * (i as f64 / 24.0 * std::f64::consts::TAU).sin() + 2.0 * noise(i)).collect();
        let fitted = Ensemble.fit(&Context::new(&values, 24, Bounds::default()), 24).unwrap();
        let passage = fitted.passage(85.0, true, 0.0, 0.0, 1);
        assert!(passage.likelihood() < 0.2, "{}", passage.likelihood());
        assert!(fitted.passage(78.0, true, 0.0, 0.0, 1).likelihood() > 0.8);
        assert!(fitted.passage(22.0, false, 0.0, 0.0, 1).likelihood() > 0.8);
    }

    #[test]
    fn a_spike_a_day_is_no_sustained_breach() {
        // One sample in 24 stands far over the threshold, never two in a row.
        let values: Vec<f64> = (0..240).map(|i| if i % 24 == 12 { 90.0 } else { 10.0 + noise(i) }).collect();
        let fitted = Ensemble.fit(&Context::new(&values, 24, Bounds::default()), 26).unwrap();
        assert!(fitted.passage(50.0, true, 0.0, 0.0, 1).likelihood() > 0.9);
        let sustained = fitted.passage(50.0, true, 0.0, 0.0, 3);
        assert!(sustained.likelihood() < 0.15, "{}", sustained.likelihood());
        assert_eq!(sustained.median_path(), None);
    }

    #[test]
    fn a_sustained_growth_breaches_when_its_first_sample_does() {
        let values: Vec<f64> = (0..168).map(|i| 2.0 * i as f64 + noise(i)).collect();
        let fitted = Ensemble.fit(&Context::new(&values, 0, Bounds::default()), 24).unwrap();
        let (once, thrice) = (fitted.passage(350.0, true, 0.0, 0.0, 1), fitted.passage(350.0, true, 0.0, 0.0, 3));
        assert_eq!(once.median_path(), thrice.median_path());
        assert!(thrice.likelihood() > 0.9 && thrice.likelihood() <= once.likelihood());
        // A run that would end past what is forecast cannot be told.
        assert!(
            fitted.passage(335.0 + 2.0 * 23.5, true, 0.0, 0.0, 3).likelihood()
                < fitted.passage(335.0 + 2.0 * 23.5, true, 0.0, 0.0, 1).likelihood()
        );
    }

    #[test]
    fn the_distribution_never_falls() {
        let values: Vec<f64> = (0..200).map(|i| 10.0 * noise(i)).collect();
        let fitted = Ensemble.fit(&Context::new(&values, 0, Bounds::default()), 30).unwrap();
        let passage = fitted.passage(4.0, true, 0.0, 0.0, 1);
        assert!((1..=60).all(|h| passage.within(f64::from(h) / 2.0) >= passage.within(f64::from(h - 1) / 2.0)));
        let (a, b) = (passage.quantile(0.1), passage.quantile(0.5));
        assert!(a <= b || b.is_none());
    }
}
