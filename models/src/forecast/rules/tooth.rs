//! Teeth of a sawtooth: where the present one began.

use crate::robust::{median_mut, quantile_mut};

/// Where the current tooth of a sawtooth began: after the last one-step fall that is more than a quarter of the usual range and more
/// than eight usual steps. 0 where nothing fell so.
pub(in super::super) fn since_reset(values: &[f64]) -> Vec<usize> {
    let mut sorted = values.to_vec();
    let range = quantile_mut(&mut sorted, 0.99) - quantile_mut(&mut sorted, 0.01);
    let mut steps: Vec<f64> = values.windows(2).map(|w| (w[1] - w[0]).abs()).collect();
    let fall = (0.25 * range).max(8.0 * if steps.is_empty() { 0.0 } else { median_mut(&mut steps) });
    let mut since = Vec::with_capacity(values.len());
    let mut start = 0;
    for i in 0..values.len() {
        if i > 0 && fall > 0.0 && values[i - 1] - values[i] > fall {
            start = i;
        }
        since.push(start);
    }
    since
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tooth_starts_after_the_fall() {
        let saw: Vec<f64> = (0..40).map(|i| f64::from(i % 10)).collect();
        let since = since_reset(&saw);
        assert_eq!((since[5], since[9], since[10], since[39]), (0, 0, 10, 30));
        assert_eq!(since_reset(&[1.0; 5]), vec![0; 5]);
    }
}
