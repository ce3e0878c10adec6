//! Shares, odds and the squashing that keeps a feature from shouting.

use statrs::distribution::{ContinuousCDF, Normal};

/// What a share is before anything has been seen, and how many windows that is worth.
pub const PRIOR: f64 = 0.1;
const PRIOR_WINDOWS: f64 = 1.0;
/// Log odds beyond this (98.2 %) say no more: there are never enough windows to know.
const MOST: f64 = 4.0;

/// Log odds, bounded.
pub fn logit(p: f64) -> f64 {
    let p = p.clamp(1e-9, 1.0 - 1e-9);
    (p / (1.0 - p)).ln().clamp(-MOST, MOST)
}

/// Log odds of a share seen in so many independent windows.
pub fn seen(share: f64, windows: f64) -> f64 {
    logit((share * windows + PRIOR * PRIOR_WINDOWS) / (windows + PRIOR_WINDOWS))
}

/// Past the ends of a standard normal distribution nothing is left for 64 bits to tell (at the upper one) or nothing that moves a sum of shares
/// (1e-33 at the lower one).
pub const LOWER_END: f64 = -12.0;
pub const UPPER_END: f64 = 8.5;

/// Share of a standard normal distribution up to `x`. Past the ends the exponential function is spared.
pub fn normal_share(x: f64) -> f64 {
    if x > UPPER_END {
        1.0
    } else if x < LOWER_END {
        0.0
    } else {
        Normal::standard().cdf(x)
    }
}

/// The logistic function.
pub fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// A number into (-`most`, `most`), straight near zero; what is not a number says nothing.
pub fn squash(x: f64, most: f64) -> f64 {
    if x.is_nan() {
        return 0.0;
    }
    if x.is_infinite() {
        return most * x.signum();
    }
    x / (1.0 + (x / most).abs())
}

/// A weighted share in the making.
#[derive(Clone, Copy, Debug, Default)]
pub struct Share {
    hits: f64,
    weight: f64,
    squares: f64,
}

impl Share {
    /// Of so many of the same weight.
    pub fn of(hits: usize, count: usize) -> Self {
        Self { hits: hits as f64, weight: count as f64, squares: count as f64 }
    }

    pub fn add(&mut self, is_hit: bool, weight: f64) {
        self.weight += weight;
        self.squares += weight * weight;
        if is_hit {
            self.hits += weight;
        }
    }

    /// Windows that weigh the same as these unequal ones (Kish's effective size).
    pub fn windows(&self) -> f64 {
        if self.squares > 0.0 { self.weight * self.weight / self.squares } else { 0.0 }
    }

    pub fn share(&self) -> f64 {
        if self.weight > 0.0 { self.hits / self.weight } else { PRIOR }
    }

    /// Log odds where each window counts as `worth` of an independent one.
    pub fn log_odds(&self, worth: f64) -> f64 {
        seen(self.share(), self.windows() * worth)
    }
}
