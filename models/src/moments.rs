//! Count, mean and sum of squared deviations of a set of numbers: mergeable, and exact to the last bits even far from zero.
//!
//! Sums of squares lose every digit on a series at 1e9 that moves by 1. These are Welford's update and Chan, Golub and LeVeque's merge
//! ("Updating Formulae and a Pairwise Algorithm for Computing Sample Variances", 1979), which do not.

/// Moments of `count` numbers. `m2` is the sum of squared deviations from `mean`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Moments {
    pub count: f64,
    pub mean: f64,
    pub m2: f64,
}

impl Moments {
    pub fn push(&mut self, value: f64) {
        self.count += 1.0;
        let delta = value - self.mean;
        self.mean += delta / self.count;
        self.m2 += delta * (value - self.mean);
    }

    /// The moments of both sets together.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        if self.count == 0.0 {
            return other;
        }
        if other.count == 0.0 {
            return self;
        }
        let count = self.count + other.count;
        let delta = other.mean - self.mean;
        Self {
            count,
            mean: self.mean + delta * other.count / count,
            m2: self.m2 + other.m2 + delta * delta * self.count * other.count / count,
        }
    }

    /// Sample standard deviation (n - 1); NaN below two numbers.
    pub fn sigma(&self) -> f64 {
        if self.count < 2.0 { f64::NAN } else { (self.m2 / (self.count - 1.0)).sqrt() }
    }
}

impl FromIterator<f64> for Moments {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        let mut moments = Self::default();
        values.into_iter().for_each(|value| moments.push(value));
        moments
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn merging_parts_is_the_whole(a in prop::collection::vec(-1e3..1e3f64, 0..50), b in prop::collection::vec(-1e3..1e3f64, 2..50), offset in -1e9..1e9f64) {
            let shifted = |v: &[f64]| v.iter().map(|x| x + offset).collect::<Vec<_>>();
            let (a, b) = (shifted(&a), shifted(&b));
            let merged = a.iter().copied().collect::<Moments>().merge(b.iter().copied().collect());
            let all: Vec<f64> = a.into_iter().chain(b).collect();
            let mean = all.iter().map(|x| x - offset).sum::<f64>() / all.len() as f64 + offset;
            let sigma = (all.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / (all.len() - 1) as f64).sqrt();
            prop_assert!((merged.mean - mean).abs() <= 1e-9 * mean.abs().max(1.0));
            prop_assert!((merged.sigma() - sigma).abs() <= 1e-9 * sigma.max(1e-3));
        }
    }
}
