//! Statistics that a few wild values cannot move: median, quantile, median slope.

/// The `q`-quantile (0..=1) of `values` by linear interpolation between order statistics (Hyndman and Fan's type 7, R's default);
/// NaN for an empty slice. Reorders the slice.
pub fn quantile_mut(values: &mut [f64], q: f64) -> f64 {
    if values.is_empty() {
        return f64::NAN;
    }
    let position = q.clamp(0.0, 1.0) * (values.len() - 1) as f64;
    let below = position.floor() as usize;
    let (_, &mut low, above) = values.select_nth_unstable_by(below, f64::total_cmp);
    let rest = position - below as f64;
    if rest == 0.0 || above.is_empty() {
        return low;
    }
    let high = above.iter().copied().fold(f64::INFINITY, f64::min);
    low + rest * (high - low)
}

/// Median; NaN for an empty slice. Reorders the slice.
pub fn median_mut(values: &mut [f64]) -> f64 {
    match *values {
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

/// Steps that are worked on side by side: what a processor's registers hold.
const LANES: usize = 4;
/// Rows that [`weighted_medians`] compares pair by pair.
const MAX_ROWS: usize = 8;

/// The weighted median of several rows, column by column; rows past the first [`MAX_ROWS`] are not heard. Each row is (values, what is
/// added to them, weight above zero) and at least as long as `out`.
///
/// Forecasts are made of such medians. All rows are compared with all, over several columns side by side and without a branch that depends
/// on the data: a fraction of what a sort of each column takes.
pub(crate) fn weighted_medians(rows: &[(&[f64], f64, f64)], out: &mut [f64]) {
    let rows = &rows[..rows.len().min(MAX_ROWS)];
    let mut weights = [0.0; MAX_ROWS];
    weights.iter_mut().zip(rows).for_each(|(weight, row)| *weight = row.2);
    let total = rows.iter().map(|row| row.2).sum::<f64>();
    if total.is_nan() || total <= 0.0 {
        out.fill(f64::NAN);
        return;
    }
    let half = total / 2.0;
    for (chunk, out) in out.chunks_mut(LANES).enumerate() {
        let at = chunk * LANES;
        let mut values = [[0.0; LANES]; MAX_ROWS];
        for (lanes, (row, added, _)) in values.iter_mut().zip(rows) {
            for (lane, value) in lanes.iter_mut().zip(&row[at..at + out.len()]) {
                *lane = value + added;
            }
        }
        // The lowest value that no more than half of the weight lies above.
        let above = |of: &[f64; LANES]| {
            let mut above = [0.0; LANES];
            for (other, weight) in values.iter().zip(&weights).take(rows.len()) {
                for lane in 0..LANES {
                    let counts = 0_u64.wrapping_sub(u64::from(other[lane] > of[lane]));
                    above[lane] += f64::from_bits(weight.to_bits() & counts);
                }
            }
            above
        };
        let mut low = [f64::INFINITY; LANES];
        for value in values.iter().take(rows.len()) {
            let above = above(value);
            for lane in 0..LANES {
                low[lane] = if above[lane] <= half && value[lane] < low[lane] { value[lane] } else { low[lane] };
            }
        }
        // Where exactly half lies above it, the middle between it and the next.
        let above = above(&low);
        let mut high = [f64::INFINITY; LANES];
        for value in values.iter().take(rows.len()) {
            for lane in 0..LANES {
                high[lane] = if value[lane] > low[lane] && value[lane] < high[lane] { value[lane] } else { high[lane] };
            }
        }
        for (lane, o) in out.iter_mut().enumerate() {
            *o = if above[lane] == half && high[lane].is_finite() { f64::midpoint(low[lane], high[lane]) } else { low[lane] };
        }
    }
}

/// Theil and Sen's slope of equally spaced values, per step: the median of slopes, here between each value and the one half the range
/// later (n/2 pairs instead of n²/2; a quarter of the values may be wild). NaN values are left out; NaN below four values.
pub fn median_slope(values: &[f64]) -> f64 {
    if values.len() < 4 {
        return f64::NAN;
    }
    let half = values.len() / 2;
    let mut slopes: Vec<f64> =
        values.iter().zip(&values[half..]).map(|(a, b)| (b - a) / half as f64).filter(|slope| !slope.is_nan()).collect();
    median_mut(&mut slopes)
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
    fn weighted_median_follows_the_weight() {
        assert_eq!(weighted_median_mut(&mut [(1.0, 1.0), (2.0, 1.0), (9.0, 5.0)]), 9.0);
        assert_eq!(weighted_median_mut(&mut [(1.0, 1.0), (3.0, 1.0)]), 2.0);
        assert!(weighted_median_mut(&mut []).is_nan() && weighted_median_mut(&mut [(1.0, 0.0)]).is_nan());
    }

    #[test]
    fn columns_side_by_side_have_the_median_that_each_has_alone() {
        let mut state = 7_u64;
        let mut next = |of: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((state >> 33) % of) as f64
        };
        for len in 0..300 {
            // Whole weights: sums are exact, so that ties are ties either way. More rows than are heard, too.
            let columns = 1 + len % 11;
            let rows: Vec<(Vec<f64>, f64, f64)> =
                (0..=next(10) as usize).map(|_| ((0..columns).map(|_| next(6)).collect(), next(3), 1.0 + next(4))).collect();
            let mut out = vec![0.0; columns];
            weighted_medians(&rows.iter().map(|(values, added, weight)| (&values[..], *added, *weight)).collect::<Vec<_>>(), &mut out);
            for (column, median) in out.iter().enumerate() {
                let heard = rows.iter().take(MAX_ROWS);
                let mut alone: Vec<(f64, f64)> = heard.map(|(values, added, weight)| (values[column] + added, *weight)).collect();
                let alone = weighted_median_mut(&mut alone);
                assert!(*median == alone || (median.is_nan() && alone.is_nan()), "{rows:?} at {column}: {median}, not {alone}");
            }
        }
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
