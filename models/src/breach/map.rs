//! From features to a probability: one logistic map for every kind of series, its constants shipped.
//!
//! Each feature's weight may depend on three others: how long the horizon is, how well the past crests were explained by regression, and how
//! well by the best path. That is what a plain sum cannot say: where the paths are good, listen to them; where nothing explains the past,
//! listen to how often it happened. Trees and networks were no better on series of kinds they had not seen.

use super::constants::{BASE, WEIGHTS};
use super::features::{EXPLAINED, FEATURES, HORIZON, KNOWN};
use super::odds::logistic;

/// Features that weigh others.
pub const GATES: [usize; 3] = [HORIZON, EXPLAINED, KNOWN];

/// Probability of a breach within the horizon.
pub fn likelihood(features: &[f64; FEATURES]) -> f64 {
    let (base, parts) = parts(features);
    logistic(base + parts.iter().sum::<f64>())
}

/// The log odds where every feature is zero, and what each feature adds to them.
pub fn parts(features: &[f64; FEATURES]) -> (f64, [f64; FEATURES]) {
    let gates = GATES.map(|gate| features[gate]);
    let mut parts = [0.0; FEATURES];
    for ((part, x), [own, by_horizon, by_explained, by_known]) in parts.iter_mut().zip(features).zip(&WEIGHTS) {
        *part = x * (own + by_horizon * gates[0] + by_explained * gates[1] + by_known * gates[2]);
    }
    (BASE, parts)
}

#[cfg(test)]
mod tests {
    use super::super::features::NAMES;
    use super::*;

    #[test]
    fn constants_and_gates_are_about_the_features_of_this_version() {
        assert_eq!(GATES.map(|gate| NAMES[gate]), ["logH", "reg_exp", "known"]);
        let unique: std::collections::BTreeSet<&str> = NAMES.into_iter().collect();
        assert_eq!(unique.len(), FEATURES);
        assert!(WEIGHTS.iter().flatten().all(|w| w.is_finite()));
    }
}
