//! How often something succeeds, from few tries: Beta distributions of a rate, and intervals of shares and of their difference.
//!
//! Quantiles and not random numbers: whoever wants a draw hands in a number in 0..1, and the same number gives the same draw.

use statrs::distribution::{Beta, ContinuousCDF};

/// Two-sided 90 % of a normal distribution.
const Z: f64 = 1.644_853_626_951_472;

/// Halvings of 0..1 until nothing is left between two numbers: a rate to the last digit that a double has.
const HALVINGS: u32 = 52;

/// The rate below which a share `p` of the distribution lies; NaN where the shapes are none. By halving, because statrs' own inverse does not
/// grow with `p` where the density is without bound.
pub fn quantile(p: f64, worked: f64, failed: f64) -> f64 {
    let Ok(beta) = Beta::new(worked, failed) else { return f64::NAN };
    let (mut low, mut high) = (0.0_f64, 1.0_f64);
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        if beta.cdf(middle) < p { low = middle } else { high = middle }
    }
    f64::midpoint(low, high)
}

/// How surely the rate is `least` or more.
pub fn above(least: f64, worked: f64, failed: f64) -> f64 {
    Beta::new(worked, failed).map_or(f64::NAN, |beta| 1.0 - beta.cdf(least.clamp(0.0, 1.0)))
}

/// 90 % limits of a share (Wilson, 1927): sound for few and for all alike. Of nothing, everything is possible.
pub fn wilson(hits: u64, of: u64) -> [f64; 2] {
    if of == 0 {
        return [0.0, 1.0];
    }
    let (n, p) = (of as f64, hits as f64 / of as f64);
    let middle = (p + Z * Z / (2.0 * n)) / (1.0 + Z * Z / n);
    let half = Z / (1.0 + Z * Z / n) * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    [(middle - half).max(0.0), (middle + half).min(1.0)]
}

/// 90 % limits of the first share minus the second (Newcombe, 1998, method 10); `None` where one of them is of nothing.
pub fn difference(first: (u64, u64), second: (u64, u64)) -> Option<[f64; 2]> {
    if first.1 == 0 || second.1 == 0 {
        return None;
    }
    let share = |(hits, of): (u64, u64)| hits as f64 / of as f64;
    let (p, q) = (share(first), share(second));
    let ([low_p, high_p], [low_q, high_q]) = (wilson(first.0, first.1), wilson(second.0, second.1));
    let low = p - q - (p - low_p).hypot(high_q - q);
    let high = p - q + (high_p - p).hypot(q - low_q);
    Some([low.max(-1.0), high.min(1.0)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_come_back_and_grow() {
        for (a, b) in [(1.0, 1.0), (0.05, 4.0), (4.0, 0.05), (2.0, 2.0), (0.5, 9.5), (40.0, 3.0), (400.0, 600.0)] {
            let at = |i: i32| f64::from(i) / 200.0;
            let drawn: Vec<f64> = (1..200).map(|i| quantile(at(i), a, b)).collect();
            assert!(drawn.is_sorted() && drawn.iter().all(|rate| (0.0..=1.0).contains(rate)), "{a} {b}: {drawn:?}");
            for (i, rate) in (1..200).zip(&drawn) {
                let below = 1.0 - above(*rate, a, b);
                // Where the density is without bound a quantile is 0 or 1 to the last digit.
                let is_edge = *rate < 1e-9 || *rate > 1.0 - 1e-9;
                assert!(is_edge || (below - at(i)).abs() < 1e-6, "{a} {b}: {} gave {rate}, of {below}", at(i));
            }
            let mean = drawn.iter().sum::<f64>() / drawn.len() as f64;
            assert!((mean - a / (a + b)).abs() < 0.01, "{a} {b}: {mean}");
        }
        assert!(quantile(0.5, 0.0, 1.0).is_nan() && above(0.5, -1.0, 1.0).is_nan());
    }

    #[test]
    fn intervals_are_those_of_the_papers() {
        // Newcombe's own example (a): 56/70 against 48/80, there at 95 %: 0.0524 to 0.3339. At 90 %, narrower by z.
        let [low, high] = difference((56, 70), (48, 80)).unwrap();
        assert!(low > 0.0524 && high < 0.3339 && (low - 0.076).abs() < 0.003 && (high - 0.314).abs() < 0.003, "{low} {high}");
        let [low, high] = wilson(8, 10);
        assert!((low - 0.541).abs() < 0.002 && (high - 0.931).abs() < 0.002, "{low} {high}");
        assert_eq!((wilson(0, 0), difference((0, 0), (1, 2))), ([0.0, 1.0], None));
        let (few, many) = (difference((1, 4), (2, 4)).unwrap(), difference((100, 400), (200, 400)).unwrap());
        assert!(few[0] < many[0] && many[1] < few[1] && many[1] < 0.0 && few[1] > 0.0);
    }
}
