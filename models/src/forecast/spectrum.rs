//! Fourier transform of real values, as much of it as finding a period takes: a radix-2 transform in place, and autocorrelation by it.
//!
//! Own, because the crate depends on no transform and this is forty lines; 10,080 values take about a millisecond, and a season is looked
//! for once a series.

use std::array::from_fn;
use std::f64::consts::TAU;
use std::sync::OnceLock;

/// The largest power of two that a transform is long: twice the values that a season is looked for in.
const MAX_POWER: usize = 15;

/// Roots of one, apart as (sine, cosine): each stage's own side by side, of the longest stage last. Stages follow each other as powers of two
/// do, so that one that takes `half` of them begins at `half - 1`.
struct Roots {
    sin: Vec<f64>,
    cos: Vec<f64>,
}

impl Roots {
    fn new(n: usize) -> Self {
        let all: Vec<(f64, f64)> = (0..n / 2).map(|k| (-TAU * k as f64 / n as f64).sin_cos()).collect();
        let halves = (0..n.ilog2()).map(|power| 1 << power);
        let (sin, cos) = halves.flat_map(|half: usize| all.iter().step_by(n / 2 / half).copied()).unzip();
        Self { sin, cos }
    }

    /// Those of a transform of `n` values, a power of two: worked out once, since series of one kind are all as long.
    fn of(n: usize) -> &'static Self {
        static KNOWN: [OnceLock<Roots>; MAX_POWER + 1] = [const { OnceLock::new() }; MAX_POWER + 1];
        KNOWN[n.ilog2() as usize].get_or_init(|| Self::new(n))
    }
}

/// Cooley and Tukey's transform (1965), in place; the length is a power of two.
#[allow(clippy::many_single_char_names, reason = "the letters of the paper")]
fn transform(re: &mut [f64], im: &mut [f64], roots: &Roots) {
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
    let mut half = 1;
    while half < n {
        let (sin, cos) = (&roots.sin[half - 1..][..half], &roots.cos[half - 1..][..half]);
        for (re, im) in re.chunks_exact_mut(2 * half).zip(im.chunks_exact_mut(2 * half)) {
            let (re, im) = (halves(re, half), halves(im, half));
            if half < LANES { butterflies::<1>(re, im, sin, cos) } else { butterflies::<LANES>(re, im, sin, cos) }
        }
        half *= 2;
    }
}

fn halves(values: &mut [f64], half: usize) -> [&mut [f64]; 2] {
    let (a, b) = values.split_at_mut(half);
    [a, b]
}

/// Butterflies that are worked out side by side.
const LANES: usize = 2;

/// Those of one stage between two halves, real and imaginary parts.
#[inline]
fn butterflies<const N: usize>([re_a, re_b]: [&mut [f64]; 2], [im_a, im_b]: [&mut [f64]; 2], sin: &[f64], cos: &[f64]) {
    let re = re_a.as_chunks_mut::<N>().0.iter_mut().zip(re_b.as_chunks_mut::<N>().0);
    let im = im_a.as_chunks_mut::<N>().0.iter_mut().zip(im_b.as_chunks_mut::<N>().0);
    let roots = sin.as_chunks::<N>().0.iter().zip(cos.as_chunks::<N>().0);
    for (((re_a, re_b), (im_a, im_b)), (sin, cos)) in re.zip(im).zip(roots) {
        let x: [f64; N] = from_fn(|k| re_b[k] * cos[k] - im_b[k] * sin[k]);
        let y: [f64; N] = from_fn(|k| re_b[k] * sin[k] + im_b[k] * cos[k]);
        (*re_b, *im_b) = (from_fn(|k| re_a[k] - x[k]), from_fn(|k| im_a[k] - y[k]));
        (*re_a, *im_a) = (from_fn(|k| re_a[k] + x[k]), from_fn(|k| im_a[k] + y[k]));
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
        let roots = Roots::of(padded);
        transform(&mut re, &mut im, roots);
        let mut power: Vec<f64> = re.iter().zip(&im).map(|(a, b)| a * a + b * b).collect();
        let mut back = power.clone();
        im.fill(0.0);
        // Power is the same at a frequency and its negative: there and back are one.
        transform(&mut back, &mut im, roots);
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
