//! How right a forecast and its intervals are. Missing truths (NaN) are left out everywhere.

/// Mean absolute error of the naive forecast of a past, one season back: what MASE divides by (Hyndman, Koehler, "Another look at measures
/// of forecast accuracy", 2006). NaN where no two values are a season apart.
pub fn seasonal_naive_scale(past: &[f64], season: usize) -> f64 {
    let errors = past.iter().zip(past.iter().skip(season.max(1))).map(|(a, b)| (b - a).abs());
    mean(errors)
}

/// Mean of those that are numbers.
fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.filter(|v| v.is_finite()).fold((0.0, 0.0), |(s, c), v| (s + v, c + 1.0));
    sum / count
}

/// Symmetric mean absolute percentage error, 0 to 200 (as in the M4 competition: Makridakis et al. 2020).
pub fn smape(truth: &[f64], median: &[f64]) -> f64 {
    const TINY: f64 = 1e-12;
    mean(truth.iter().zip(median).map(|(y, f)| 200.0 * (y - f).abs() / (y.abs() + f.abs()).max(TINY)))
}

/// Of one forecast against the truth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Errors {
    /// Mean absolute error over the scale.
    pub mase: f64,
    /// Share of truths inside the interval.
    pub coverage: f64,
    /// Width of the interval, plus 2 / (1 - level) times by how much it was missed, over the scale: MSIS (Gneiting, Raftery 2007, as in M4).
    pub msis: f64,
}

/// `bounds` is the interval at `level`; `scale` as from [`seasonal_naive_scale`].
pub fn errors(truth: &[f64], median: &[f64], bounds: (&[f64], &[f64]), level: f64, scale: f64) -> Errors {
    let (lower, upper) = bounds;
    let penalty = 2.0 / (1.0 - level);
    let each = || truth.iter().zip(lower).zip(upper).filter(|((y, _), _)| y.is_finite());
    Errors {
        mase: mean(truth.iter().zip(median).map(|(y, f)| (y - f).abs())) / scale,
        coverage: mean(each().map(|((y, l), u)| f64::from(u8::from(l <= y && y <= u)))),
        msis: mean(each().map(|((y, l), u)| u - l + penalty * ((l - y).max(0.0) + (y - u).max(0.0)))) / scale,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_what_their_formulas_say() {
        let past = [1.0, 2.0, 3.0, f64::NAN, 5.0];
        assert_eq!(seasonal_naive_scale(&past, 1), 1.0);
        assert_eq!(seasonal_naive_scale(&past, 2), 2.0);
        assert!(seasonal_naive_scale(&past, 5).is_nan());
        let (truth, median) = ([1.0, f64::NAN, 3.0], [2.0, 0.0, 3.0]);
        assert!((smape(&truth, &median) - 100.0 / 3.0).abs() < 1e-12);
        // One of two inside; the other misses by a half, at 95 % forty times that.
        let got = errors(&truth, &median, (&[1.5, 0.0, 2.0], &[2.5, 1.0, 4.0]), 0.95, 2.0);
        assert_eq!((got.mase, got.coverage), (0.25, 0.5));
        assert!((got.msis - (1.0 + 20.0 + 2.0) / 2.0 / 2.0).abs() < 1e-9, "{}", got.msis);
    }
}
