//! Numbers in order, for whoever wants more than one quantile of them, and the median of a few dozen.
//!
//! They are compared as whole numbers that have their order: that takes neither a branch nor care for what is no number.

/// See the module.
#[derive(Clone, Debug)]
pub struct Sorted(Vec<f64>);

/// A number as a whole one of the same order, that of [`f64::total_cmp`].
fn key(value: f64) -> i64 {
    turn(value.to_bits().cast_signed())
}

fn value(key: i64) -> f64 {
    f64::from_bits(turn(key).cast_unsigned())
}

/// Below zero a larger size is less.
fn turn(bits: i64) -> i64 {
    bits ^ ((bits >> 63).cast_unsigned() >> 1).cast_signed()
}

/// As [`crate::robust::median_mut`] has it.
pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut keys: Vec<i64> = values.map(key).collect();
    let Some(below) = keys.len().checked_sub(1).map(|last| last / 2) else { return f64::NAN };
    let is_even = keys.len().is_multiple_of(2);
    let is_four = keys.len() == 4;
    let (_, &mut low, above) = keys.select_nth_unstable(below);
    let low = value(low);
    match above.iter().min() {
        Some(high) if is_even => {
            let high = value(*high);
            if is_four { f64::midpoint(low, high) } else { low + 0.5 * (high - low) }
        }
        _ => low,
    }
}

impl Sorted {
    pub fn new(values: impl Iterator<Item = f64>) -> Self {
        let mut keys: Vec<i64> = values.map(key).collect();
        keys.sort_unstable();
        Self(keys.into_iter().map(value).collect())
    }

    /// All of them after a change that never turns one's order with another, or turns it everywhere.
    pub fn map(&self, change: impl Fn(f64) -> f64) -> Self {
        let mut values: Vec<f64> = self.0.iter().map(|value| change(*value)).collect();
        if values.first() > values.last() {
            values.reverse();
        }
        Self(values)
    }

    /// As [`crate::robust::quantile_mut`] has it.
    pub fn quantile(&self, q: f64) -> f64 {
        let Some(last) = self.0.len().checked_sub(1) else { return f64::NAN };
        let position = q.clamp(0.0, 1.0) * last as f64;
        let below = position as usize;
        let rest = position - below as f64;
        let low = self.0[below];
        if rest == 0.0 || below == last { low } else { low + rest * (self.0[below + 1] - low) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::robust::{median_mut, quantile_mut};

    #[test]
    fn quantiles_are_those_of_a_selection_to_the_bit() {
        for len in 0..60_u32 {
            let values: Vec<f64> = (0..len).map(|i| f64::from(i.wrapping_mul(2_654_435_761) >> 24) / 7.0 - 13.0).collect();
            let sorted = Sorted::new(values.iter().copied());
            for q in [0.0, 0.01, 0.1, 0.5, 0.77, 0.9, 0.99, 1.0] {
                assert_eq!(sorted.quantile(q).to_bits(), quantile_mut(&mut values.clone(), q).to_bits(), "{len} {q}");
            }
            assert_eq!(median(values.iter().copied()).to_bits(), median_mut(&mut values.clone()).to_bits(), "{len}");
            let mirrored = Sorted::new(values.iter().map(|v| -3.0 * v));
            assert_eq!(sorted.map(|v| -3.0 * v).0, mirrored.0);
        }
    }
}
