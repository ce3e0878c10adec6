//! Fourier transform of real values, as much of it as finding a period takes: a radix-2 transform in place, and autocorrelation by it.
//!
//! Own, because the crate depends on no transform and this is forty lines; 10,080 values take about a millisecond, and a season is looked
//! for once a series.

use std::f64::consts::TAU;

/// Roots of one, the first half of `n` of them: every stage of a transform takes its own from these.
fn roots(n: usize) -> Vec<(f64, f64)> {
    (0..n / 2).map(|k| (-TAU * k as f64 / n as f64).sin_cos()).collect()
}

/// Cooley and Tukey's transform (1965), in place; the length is a power of two.
#[allow(clippy::many_single_char_names, reason = "the letters of the paper")]
fn transform(re: &mut [f64], im: &mut [f64], roots: &[(f64, f64)]) {
    let n = re.len();
    debug_assert!(n.is_power_of_two() && im.len() == n);
    let mut j = 0;
    for i in 1..n {
        let mut bit = n >> 1;
        while j & bit != 0 {
            j ^= bit;
            bit >>= 1;
        }
        j |= bit;
        if i < j {
            re.swap(i, j);
            im.swap(i, j);
        }
    }
    let mut len = 2;
    while len <= n {
        let half = len / 2;
        for start in (0..n).step_by(len) {
            for (k, &(sin, cos)) in roots.iter().step_by(n / len).enumerate() {
                let (a, b) = (start + k, start + k + half);
                let (x, y) = (re[b] * cos - im[b] * sin, re[b] * sin + im[b] * cos);
                (re[b], im[b]) = (re[a] - x, im[a] - y);
                (re[a], im[a]) = (re[a] + x, im[a] + y);
            }
        }
        len *= 2;
    }
}

/// Power at the frequencies k / n' (n' the padded length, which is returned beside it), and the autocorrelation at lags 0, 1, ... below the
/// values' length, each divided by as many products as it has.
pub(super) struct Spectrum {
    pub power: Vec<f64>,
    pub padded: usize,
    pub autocorrelation: Vec<f64>,
}

impl Spectrum {
    /// Of values whose mean is zero.
    pub(super) fn of(values: &[f64]) -> Self {
        let n = values.len();
        let padded = (2 * n.max(1)).next_power_of_two();
        let mut re = values.to_vec();
        re.resize(padded, 0.0);
        let mut im = vec![0.0; padded];
        let roots = roots(padded);
        transform(&mut re, &mut im, &roots);
        let mut power: Vec<f64> = re.iter().zip(&im).map(|(a, b)| a * a + b * b).collect();
        let mut back = power.clone();
        im.fill(0.0);
        // Power is the same at a frequency and its negative: there and back are one.
        transform(&mut back, &mut im, &roots);
        power.truncate(padded / 2);
        let zero = back.first().copied().unwrap_or(0.0) / n.max(1) as f64;
        let autocorrelation = (0..n).map(|lag| if zero > 0.0 { back[lag] / (n - lag) as f64 / zero } else { 0.0 }).collect();
        Self { power, padded, autocorrelation }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sine_has_its_power_at_its_frequency_and_its_correlation_at_its_period() {
        let values: Vec<f64> = (0..256).map(|i| (f64::from(i) / 16.0 * TAU).sin()).collect();
        let spectrum = Spectrum::of(&values);
        let peak = (1..spectrum.power.len()).max_by(|&a, &b| spectrum.power[a].total_cmp(&spectrum.power[b])).unwrap();
        assert_eq!(spectrum.padded / peak, 16);
        assert!((spectrum.autocorrelation[16] - 1.0).abs() < 1e-9 && (spectrum.autocorrelation[8] + 1.0).abs() < 1e-9);
        // Directly, at one lag.
        let direct = values.windows(6).map(|w| w[0] * w[5]).sum::<f64>() / 251.0 / (values.iter().map(|v| v * v).sum::<f64>() / 256.0);
        assert!((spectrum.autocorrelation[5] - direct).abs() < 1e-9);
    }
}
