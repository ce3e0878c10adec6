//! Weighted medians of several rows, column by column: what forecasts are made of.
//!
//! A sort of each column would guess every comparison wrong half the time. Here columns go side by side through a network of comparisons
//! that is the same for all of them, values with their weights, and the median is where half of the weight has been passed: no branch
//! depends on the data.

/// Columns that are worked on side by side: what a processor's registers hold of eight rows.
const LANES: usize = 2;
/// Rows that are heard: more change nothing but the time a median takes.
pub(crate) const MAX_ROWS: usize = 8;

/// One row's values, what is added to them, and its weight, above zero.
pub(crate) type Row<'a> = (&'a [f64], f64, f64);

/// The weighted median of several rows, column by column; rows past the first [`MAX_ROWS`] are not heard. Each row is at least as long as
/// `out`.
pub(crate) fn weighted_medians(rows: &[Row<'_>], out: &mut [f64]) {
    let rows = &rows[..rows.len().min(MAX_ROWS)];
    let half = rows.iter().map(|row| row.2).sum::<f64>() / 2.0;
    if half.is_nan() || half <= 0.0 {
        out.fill(f64::NAN);
        return;
    }
    // Who has more than half of the say has all of it.
    if let Some((row, added, _)) = rows.iter().find(|row| row.2 > half) {
        out.iter_mut().zip(*row).for_each(|(o, value)| *o = value + added);
        return;
    }
    match rows.len() {
        2 => by_network::<2>(rows, half, out),
        3 => by_network::<3>(rows, half, out),
        4 => by_network::<4>(rows, half, out),
        5 => by_network::<5>(rows, half, out),
        6 => by_network::<6>(rows, half, out),
        7 => by_network::<7>(rows, half, out),
        _ => by_network::<8>(rows, half, out),
    }
}

/// The same for `N` rows, none of which has more than `half` of the weight.
fn by_network<const N: usize>(rows: &[Row<'_>], half: f64, out: &mut [f64]) {
    let len = out.len();
    let Some(rows) = rows.first_chunk::<N>() else { return };
    let rows: [Row<'_>; N] = std::array::from_fn(|i| (&rows[i].0[..len], rows[i].1, rows[i].2));
    let mut at = 0;
    while at < len {
        // The last columns once more where they are fewer than lanes, so that there is no rest.
        let from = if at + LANES > len { len.saturating_sub(LANES) } else { at };
        let mut values = [[0.0; LANES]; N];
        for (lanes, (row, added, _)) in values.iter_mut().zip(&rows) {
            let of_row = row[from..].first_chunk::<LANES>().copied().unwrap_or([row[from]; LANES]);
            *lanes = of_row.map(|value| value + added);
        }
        let medians = medians(values, std::array::from_fn(|i| [rows[i].2.to_bits(); LANES]), half);
        let end = (from + LANES).min(len);
        out[from..end].copy_from_slice(&medians[..end - from]);
        at = end;
    }
}

/// The median of each lane.
#[inline]
fn medians<const N: usize>(mut values: [[f64; LANES]; N], mut weights: [[u64; LANES]; N], half: f64) -> [f64; LANES] {
    falling(&mut values, &mut weights);
    // From the highest down: the lowest value that no more than half of the weight lies above, and where exactly half does the middle
    // between it and the next.
    let (mut above, mut median, mut before) = ([0.0; LANES], [0.0; LANES], values[0]);
    for (value, weight) in values.iter().zip(&weights) {
        for lane in 0..LANES {
            let middle = 0.5 * value[lane] + 0.5 * before[lane];
            let own = if above[lane] == half { middle } else { value[lane] };
            median[lane] = if above[lane] <= half { own } else { median[lane] };
            above[lane] += f64::from_bits(weight[lane]);
        }
        before = *value;
    }
    median
}

/// Puts values and their weights in order, lane by lane, the highest first.
#[inline]
fn falling<const N: usize>(values: &mut [[f64; LANES]; N], weights: &mut [[u64; LANES]; N]) {
    /// Pair after pair, written out: a loop over pairs is compiled to one.
    macro_rules! in_order {
        ($($a:literal $b:literal),*) => {{ $( exchange(values, weights, $a, $b); )* }};
    }
    // The shortest networks there are: Knuth, "The Art of Computer Programming" 3, 5.3.4.
    match N {
        2 => in_order!(0 1),
        3 => in_order!(0 2, 0 1, 1 2),
        4 => in_order!(0 2, 1 3, 0 1, 2 3, 1 2),
        5 => in_order!(0 3, 1 4, 0 2, 1 3, 0 1, 2 4, 1 2, 3 4, 2 3),
        6 => in_order!(0 5, 1 3, 2 4, 1 2, 3 4, 0 3, 2 5, 0 1, 2 3, 4 5, 1 2, 3 4),
        7 => in_order!(0 6, 2 3, 4 5, 0 2, 1 4, 3 6, 0 1, 2 5, 3 4, 1 2, 4 6, 2 3, 4 5, 1 2, 3 4, 5 6),
        8 => in_order!(0 2, 1 3, 4 6, 5 7, 0 4, 1 5, 2 6, 3 7, 0 1, 2 3, 4 5, 6 7, 2 4, 3 5, 1 4, 3 6, 1 2, 3 4, 5 6),
        // One is in order, and more than eight are not heard.
        _ => {}
    }
}

/// The higher value with its weight to the first place.
#[inline]
fn exchange<const N: usize>(values: &mut [[f64; LANES]; N], weights: &mut [[u64; LANES]; N], first: usize, second: usize) {
    for lane in 0..LANES {
        let (a, b) = (values[first][lane], values[second][lane]);
        let exchanged = b > a;
        values[first][lane] = if exchanged { b } else { a };
        values[second][lane] = if exchanged { a } else { b };
        let differ = (weights[first][lane] ^ weights[second][lane]) & 0_u64.wrapping_sub(u64::from(exchanged));
        weights[first][lane] ^= differ;
        weights[second][lane] ^= differ;
    }
}

#[cfg(test)]
mod tests {
    use super::super::weighted_median_mut;
    use super::*;

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
}
