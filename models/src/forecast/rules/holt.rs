//! Exponential smoothing with a damped trend, several parameter sets in lockstep.
//!
//! Holt's method (1957) with the damping of Gardner and McKenzie, "Forecasting trends in time series" (1985). The usual fit searches for
//! the best parameters again and again over the whole past; here a handful of sets run side by side, one pass, and at any moment the one
//! that has lately been least wrong speaks. That costs a dozen nanoseconds a value and set, and no search can run away.

use super::super::told::{Past, Rule, Told};

/// (level gain, trend gain, damping) of each set.
const SETS: [(f64, f64, f64); 8] = [
    (0.1, 0.02, 0.98),
    (0.1, 0.1, 0.95),
    (0.3, 0.03, 0.98),
    (0.3, 0.15, 0.9),
    (0.6, 0.05, 0.98),
    (0.6, 0.3, 0.9),
    (0.9, 0.1, 0.95),
    (0.9, 0.5, 0.8),
];

/// Steps after which an error counts half when the sets are compared.
const HALF_LIFE_STEPS: f64 = 48.0;

/// See the module.
pub(in super::super) struct DampedHolt;

impl Rule for DampedHolt {
    fn name(&self) -> &'static str {
        "holt"
    }

    fn tell(&self, past: &Past<'_>, told: &mut Told) {
        let Some(&first) = past.values.first() else { return };
        let mut level = [first; SETS.len()];
        let mut trend = [0.0; SETS.len()];
        let mut wrong = [0.0; SETS.len()];
        let keep = 0.5_f64.powf(1.0 / HALF_LIFE_STEPS);
        let mut next = 1;
        for (o, &origin) in past.origins.iter().enumerate() {
            for &value in &past.values[next.min(origin)..origin] {
                for (s, &(alpha, beta, phi)) in SETS.iter().enumerate() {
                    let expected = level[s] + phi * trend[s];
                    let error = value - expected;
                    wrong[s] = keep * wrong[s] + error.abs();
                    level[s] = expected + alpha * error;
                    trend[s] = phi * trend[s] + alpha * beta * error;
                }
            }
            next = next.max(origin);
            let best = (0..SETS.len()).min_by(|&a, &b| wrong[a].total_cmp(&wrong[b])).unwrap_or(0);
            let phi = SETS[best].2;
            told.write(o, |out| {
                let (mut value, mut step) = (level[best], phi * trend[best]);
                for o in out {
                    value += step;
                    step *= phi;
                    *o = value;
                }
                true
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::said;
    use super::*;

    #[test]
    fn growth_goes_on_and_slows() {
        let values: Vec<f64> = (0..200).map(|i| 3.0 + 0.5 * f64::from(i)).collect();
        let path = said(&DampedHolt, &values, 0, 20).unwrap();
        let end = values[199];
        assert!((path[0] - end - 0.5).abs() < 0.25, "{}", path[0] - end);
        let steps: Vec<f64> = path.windows(2).map(|w| w[1] - w[0]).collect();
        assert!(steps.windows(2).all(|w| w[1] <= w[0] + 1e-12) && steps[18] > 0.0);
    }
}
