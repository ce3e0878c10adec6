//! Statistics that a few wild values cannot move: median, quantile, median slope.

mod columns;
mod order;

pub(crate) use columns::weighted_medians;

/// The `q`-quantile (0..=1) of `values` by linear interpolation between order statistics (Hyndman and Fan's type 7, R's default);
/// NaN for an empty slice. Reorders the slice.
pub fn quantile_mut(values: &mut [f64], q: f64) -> f64 {
    if values.is_empty() {
        return f64::NAN;
    }
    let position = q.clamp(0.0, 1.0) * (values.len() - 1) as f64;
    let below = position.floor() as usize;
    let (low, high) = order::pair(values, below);
    let rest = position - below as f64;
    if rest == 0.0 || below + 1 == values.len() { low } else { low + rest * (high - low) }
}

/// The `k`-th smallest (from 0) of the values. Reorders the slice.
pub(crate) fn nth_mut(values: &mut [f64], k: usize) -> f64 {
    order::pair(values, k).0
}

/// The same of sorted values.
pub(crate) fn quantile_sorted(sorted: &[f64], q: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let position = q.clamp(0.0, 1.0) * last as f64;
    let below = position.floor() as usize;
    let rest = position - below as f64;
    if rest == 0.0 || below == last { sorted[below] } else { sorted[below] + rest * (sorted[below + 1] - sorted[below]) }
}

/// The smallest first, in the total order of floats.
pub(crate) fn sort(values: &mut [f64]) {
    // As whole numbers of the same order: to compare floats takes several times as long.
    let ordered = |bits: i64| bits ^ ((bits >> 63) as u64 >> 1) as i64;
    let mut keys: Vec<i64> = values.iter().map(|v| ordered(v.to_bits() as i64)).collect();
    keys.sort_unstable();
    values.iter_mut().zip(keys).for_each(|(value, key)| *value = f64::from_bits(ordered(key) as u64));
}

/// Median; NaN for an empty slice. Reorders the slice.
#[inline]
pub fn median_mut(values: &mut [f64]) -> f64 {
    match *values {
        [a, b] => a.min(b) + 0.5 * (a.max(b) - a.min(b)),
        // Forecasts take medians of three and four by the thousand: the middle without a sort.
        [a, b, c] => a.min(b).max(a.max(b).min(c)),
        [a, b, c, d] => {
            let (low, high) = (a.min(b).max(c.min(d)), a.max(b).min(c.max(d)));
            f64::midpoint(low, high)
        }
        _ => quantile_mut(values, 0.5),
    }
}

/// The value at which half of the total weight is passed; NaN without weight. Values are not NaN, weights not negative. Reorders the slice
/// of (value, weight).
pub fn weighted_median_mut(pairs: &mut [(f64, f64)]) -> f64 {
    pairs.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let half = pairs.iter().map(|p| p.1).sum::<f64>() / 2.0;
    let mut passed = 0.0;
    for (i, (value, weight)) in pairs.iter().enumerate() {
        passed += weight;
        // Exactly half on either side: the middle between the two, as for a plain median of an even number.
        if passed == half && i + 1 < pairs.len() {
            return f64::midpoint(*value, pairs[i + 1].0);
        }
        if passed > half {
            return *value;
        }
    }
    f64::NAN
}

/// Theil and Sen's slope of equally spaced values, per step: the median of slopes, here between each value and the one half the range
/// later (n/2 pairs instead of n²/2; a quarter of the values may be wild). NaN values are left out; NaN below four values.
pub fn median_slope(values: &[f64]) -> f64 {
    median_slope_in(values, &mut Vec::new())
}

/// The same with room for the slopes.
pub(crate) fn median_slope_in(values: &[f64], slopes: &mut Vec<f64>) -> f64 {
    if values.len() < 4 {
        return f64::NAN;
    }
    let half = values.len() / 2;
    slopes.clear();
    slopes.extend(values.iter().zip(&values[half..]).map(|(a, b)| (b - a) / half as f64));
    // Seldom there, and what is collected without asking is collected at once.
    if slopes.iter().any(|slope| slope.is_nan()) {
        slopes.retain(|slope| !slope.is_nan());
    }
    median_mut(slopes)
}

/// From the mean absolute deviation of a normal distribution to its sigma: sqrt(pi / 2).
pub const SIGMA_PER_MEAN_ABS: f64 = 1.253_314_137_315_500_3;
/// From the median absolute deviation of a normal distribution to its sigma: 1 / Phi^-1(3/4).
pub const SIGMA_PER_MAD: f64 = 1.482_602_218_505_602;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_interpolate_as_r_does() {
        let mut v = [3.0, 1.0, 4.0, 1.5];
        assert_eq!(quantile_mut(&mut v, 0.0), 1.0);
        assert_eq!(quantile_mut(&mut v, 1.0), 4.0);
        assert_eq!(median_mut(&mut v), 2.25);
        assert!((quantile_mut(&mut v, 0.1) - 1.15).abs() < 1e-12);
        assert!(median_mut(&mut []).is_nan());
    }

    #[test]
    fn values_are_sorted_in_their_total_order() {
        let mut v = [1.5, f64::NAN, -0.0, f64::NEG_INFINITY, 0.0, -1.5, f64::INFINITY, 1e-310, -f64::NAN, -3.0];
        let mut sorted = v;
        sorted.sort_unstable_by(f64::total_cmp);
        sort(&mut v);
        assert_eq!(v.map(f64::to_bits), sorted.map(f64::to_bits));
    }

    #[test]
    fn weighted_median_follows_the_weight() {
        assert_eq!(weighted_median_mut(&mut [(1.0, 1.0), (2.0, 1.0), (9.0, 5.0)]), 9.0);
        assert_eq!(weighted_median_mut(&mut [(1.0, 1.0), (3.0, 1.0)]), 2.0);
        assert!(weighted_median_mut(&mut []).is_nan() && weighted_median_mut(&mut [(1.0, 0.0)]).is_nan());
    }

    #[test]
    fn the_median_of_a_few_is_that_of_a_sort() {
        for values in
            [vec![3.0, 1.0, 2.0], vec![1.0, 1.0, 0.0], vec![4.0, 1.0, 3.0, 2.0], vec![1.0, 9.0, 9.0, 2.0], vec![5.0, 5.0, 1.0, 5.0]]
        {
            assert_eq!(median_mut(&mut values.clone()), quantile_mut(&mut values.clone(), 0.5), "{values:?}");
        }
    }

    #[test]
    fn a_quarter_of_wild_points_does_not_move_the_slope() {
        let mut points: Vec<f64> = (0..40).map(|i| 0.5 * f64::from(i)).collect();
        for i in [3, 11, 20, 27, 33] {
            points[i] += 1e6;
        }
        assert!((median_slope(&points) - 0.5).abs() < 1e-12);
        assert!(median_slope(&points[..3]).is_nan());
    }
}
