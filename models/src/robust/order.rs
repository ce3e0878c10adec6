//! Order statistics by selection, without a branch that depends on the data where there is one value after another.
//!
//! Forecasts take medians of a few dozen values by the hundred thousand, where the standard library's selection spends most of its time on
//! the total order of floats (values that are not numbers have a place in it) and on branches that are guessed wrong half the time. Here
//! numbers are asked for, an eighth of the machinery does, and what is left goes through a network.

/// Values that are put in order by a network of comparisons.
const FEW: usize = 16;
/// The same, where they are no more.
const FEWER: usize = 8;
/// Values that a pivot is chosen from.
const SAMPLE: usize = 8;
/// Passes after which it is left to a selection that no order of the values slows down. Each is expected to halve what is looked at: sixteen
/// thousand values take a dozen.
const MAX_PASSES: usize = 48;

/// The `k`-th smallest (from 0) of the values and the next after it, infinity where there is none. Reorders the slice. Zeros are equal,
/// whatever their sign.
pub(super) fn pair(values: &mut [f64], k: usize) -> (f64, f64) {
    debug_assert!(k < values.len());
    if has_nan(values) {
        return pair_of_any(values, k);
    }
    // Everything before the range is no larger and everything after it no smaller than what is in it; `above` is the least after it.
    let (mut range, mut k, mut above) = (values, k, f64::INFINITY);
    for _ in 0..MAX_PASSES {
        if range.len() <= FEWER {
            let sorted = padded(range, network_of_8);
            return (sorted[k], if k + 1 < range.len() { sorted[k + 1] } else { above });
        }
        if range.len() <= FEW {
            let sorted = padded(range, network_of_16);
            return (sorted[k], if k + 1 < range.len() { sorted[k + 1] } else { above });
        }
        let sample = sample(range);
        let pivot = sample[beside(k, range.len())];
        #[allow(clippy::neg_cmp_op_on_partial_ord, reason = "nothing is unordered, and said this way round it is one instruction less")]
        let below = partition(range, |value| !(value >= pivot));
        if k < below {
            above = pivot;
            range = &mut range[..below];
        } else if below > 0 {
            range = &mut range[below..];
            k -= below;
        } else {
            // The pivot is the least of them, perhaps many times over.
            let equal = partition(range, |value| value <= pivot);
            if k + 1 < equal {
                return (pivot, pivot);
            }
            range = &mut range[equal..];
            if k < equal {
                return (pivot, range.iter().copied().fold(above, f64::min));
            }
            k -= equal;
        }
    }
    let (low, next) = pair_of_any(range, k);
    (low, next.min(above))
}

/// The same in the total order of floats.
fn pair_of_any(values: &mut [f64], k: usize) -> (f64, f64) {
    let (_, &mut low, above) = values.select_nth_unstable_by(k, f64::total_cmp);
    (low, above.iter().copied().fold(f64::INFINITY, f64::min))
}

fn has_nan(values: &[f64]) -> bool {
    const LANES: usize = 4;
    let (chunks, rest) = values.as_chunks::<LANES>();
    let mut nan = [false; LANES];
    for chunk in chunks {
        for lane in 0..LANES {
            nan[lane] |= chunk[lane].is_nan();
        }
    }
    nan.contains(&true) || rest.iter().any(|v| v.is_nan())
}

/// Which of the sample parts the range. Where `k` lies towards an end, the one beside it on the other side: the little that lies between it
/// and the end is then all that is left, most times. A tenth less is looked at.
fn beside(k: usize, len: usize) -> usize {
    const TOWARDS_AN_END: usize = 3;
    let at = (k * SAMPLE / len).min(SAMPLE - 1);
    match () {
        () if 10 * k < TOWARDS_AN_END * len => at + 1,
        () if 10 * (len - k) < TOWARDS_AN_END * len => at.saturating_sub(1),
        () => at,
    }
}

/// Values from all over the range, in order.
fn sample(range: &[f64]) -> [f64; SAMPLE] {
    let stride = range.len() / SAMPLE;
    let mut sample: [f64; SAMPLE] = std::array::from_fn(|i| range[i * stride + stride / 2]);
    network_of_8(&mut sample);
    sample
}

/// Moves the values that are wanted to the front, and says how many they are.
#[inline]
fn partition(range: &mut [f64], wanted: impl Fn(f64) -> bool) -> usize {
    let mut count = 0;
    for i in 0..range.len() {
        let value = range[i];
        // Never past `i`: said for the compiler, which then checks nothing.
        let front = count.min(i);
        range[i] = range[front];
        range[front] = value;
        count += usize::from(wanted(value));
    }
    count
}

/// A few values in order, infinities after them.
#[inline]
fn padded<const N: usize>(values: &[f64], network: impl Fn(&mut [f64; N])) -> [f64; N] {
    let mut sorted = [f64::INFINITY; N];
    sorted.iter_mut().zip(values).for_each(|(place, value)| *place = *value);
    network(&mut sorted);
    sorted
}

/// Puts pairs of an array in order, one after another: written out, since a loop over pairs is compiled to one.
macro_rules! in_order {
    ($values:ident: $($a:literal $b:literal),*) => {
        $(
            let (low, high) = ($values[$a], $values[$b]);
            $values[$a] = if high < low { high } else { low };
            $values[$b] = if high < low { low } else { high };
        )*
    };
}

/// Batcher's odd-even mergesort ("Sorting networks and their applications", 1968).
#[inline]
fn network_of_8(v: &mut [f64; 8]) {
    in_order!(v: 0 2, 1 3, 4 6, 5 7, 0 4, 1 5, 2 6, 3 7, 0 1, 2 3, 4 5, 6 7, 2 4, 3 5, 1 4, 3 6, 1 2, 3 4, 5 6);
}

/// Green's: the fewest comparisons known for sixteen (Knuth, "The Art of Computer Programming" 3, 5.3.4).
fn network_of_16(v: &mut [f64; 16]) {
    in_order!(v: 0 1, 2 3, 4 5, 6 7, 8 9, 10 11, 12 13, 14 15, 0 2, 4 6, 8 10, 12 14, 1 3, 5 7, 9 11, 13 15);
    in_order!(v: 0 4, 8 12, 1 5, 9 13, 2 6, 10 14, 3 7, 11 15, 0 8, 1 9, 2 10, 3 11, 4 12, 5 13, 6 14, 7 15);
    in_order!(v: 5 10, 6 9, 3 12, 13 14, 4 8, 7 11, 1 2, 1 4, 7 13, 2 8, 11 14, 5 6, 9 10, 2 4, 11 13);
    in_order!(v: 3 8, 7 12, 6 8, 10 12, 3 5, 7 9, 3 4, 5 6, 7 8, 9 10, 11 12, 6 7, 8 9);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_selected_is_what_a_sort_has_there() {
        let mut state = 11_u64;
        let mut next = |of: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % of
        };
        for round in 0..3_000 {
            let len = 1 + next(if round % 50 == 0 { 2_000 } else { 90 }) as usize;
            // From all equal to all apart, in no order, rising, falling, and in teeth.
            let kinds = [1, 2, 5, 40, 1 << 30][round % 5];
            let mut values: Vec<f64> = (0..len).map(|_| next(kinds) as f64 - 3.0).collect();
            match round % 4 {
                1 => values.sort_unstable_by(f64::total_cmp),
                2 => values.sort_unstable_by(|a, b| b.total_cmp(a)),
                3 => values.iter_mut().enumerate().for_each(|(i, v)| *v = (i % 7) as f64),
                _ => {}
            }
            let mut sorted = values.clone();
            sorted.sort_unstable_by(f64::total_cmp);
            let k = next(len as u64) as usize;
            let after = if k + 1 < len { sorted[k + 1] } else { f64::INFINITY };
            assert_eq!(pair(&mut values, k), (sorted[k], after), "{k} of {sorted:?}");
            values.sort_unstable_by(f64::total_cmp);
            assert_eq!(values, sorted, "the same values as before");
        }
    }

    #[test]
    fn what_is_no_number_comes_last_and_stops_nothing() {
        let mut values = [f64::NAN, 3.0, f64::INFINITY, 1.0, f64::NAN, 2.0, 0.0, -1.0, 7.0, 8.0, f64::NEG_INFINITY];
        assert_eq!(pair(&mut values, 0), (f64::NEG_INFINITY, -1.0));
        assert_eq!(pair(&mut values, 7).0, 8.0);
    }
}
