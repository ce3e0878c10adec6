//! What a young series goes by: the day and the noise of its siblings, around its own level, and less of it with every day of its own.
//!
//! Plain data; [`crate::core::engine`] makes it from what the siblings' baselines say. Borrowed shapes are corrected by what the series has
//! shown at the same time of the day, as far as a few days can be believed, and borrowed noise gives way to its own in the same measure.

use portent_models::baseline::{Band, SLOTS};

/// A young series inherits up to this many hours of its own: then it can show a daily shape of its own, or that it has none.
pub const INHERITS_HOURS: i64 = 72;
/// Days of its own that count as much as what was borrowed.
const OWN_DAYS: f64 = 2.0;
/// Borrowed bands are this many times as wide at first: siblings' noise differs by up to about half, and the level is that of a few hours.
pub const WIDER: f64 = 1.5;

/// See the module.
#[derive(Clone, Debug, PartialEq)]
pub struct Heritage {
    pub siblings: usize,
    /// How many times as wide as the siblings' the bands are by now.
    pub wider: f64,
    /// What the series' own hours say its level is when the shape is taken off.
    pub level: f64,
    /// Distance from the level at each civil slot.
    shape: [f64; SLOTS],
    /// Of samples around the expectation.
    sigma: f64,
    /// Paths of what the siblings' next hours would have been told wrong from as few; [`Self::wider`] is not in them.
    pub errors: Vec<Vec<f64>>,
}

/// What siblings have in common, in the unit of the young series.
#[derive(Clone, Debug)]
pub struct Borrowed {
    pub siblings: usize,
    pub shape: [f64; SLOTS],
    pub sigma: f64,
    pub errors: Vec<Vec<f64>>,
}

/// What the young series knows of itself.
#[derive(Clone, Debug)]
pub struct Own<'a> {
    pub level: f64,
    /// Its closed buckets: civil slot and mean.
    pub hours: &'a [(usize, f64)],
    /// How many of them a day has.
    pub a_day: usize,
    /// Robust sigma of its samples; `None` while it says nothing.
    pub sigma: Option<f64>,
}

impl Heritage {
    pub fn new(borrowed: Borrowed, own: &Own<'_>) -> Self {
        let days = own.hours.len() as f64 / own.a_day.max(1) as f64;
        let of_a_slot = SLOTS as f64 / own.a_day.max(1) as f64;
        let kept = OWN_DAYS / (OWN_DAYS + days);
        let wider = 1.0 + (WIDER - 1.0) * kept;
        let (mut sums, mut counts) = ([0.0; SLOTS], [0.0; SLOTS]);
        for (slot, mean) in own.hours {
            sums[*slot] += of_a_slot * (mean - own.level - borrowed.shape[*slot]);
            counts[*slot] += of_a_slot;
        }
        // A mean of n days, drawn towards what was borrowed: sum / n by n / (n + OWN_DAYS).
        let shape = std::array::from_fn(|slot| borrowed.shape[slot] + sums[slot] / (counts[slot] + OWN_DAYS));
        let theirs = wider * borrowed.sigma;
        let ours = own.sigma.unwrap_or(theirs);
        let sigma = (kept * theirs * theirs + (1.0 - kept) * ours * ours).sqrt();
        Self { siblings: borrowed.siblings, wider, level: own.level, shape, sigma, errors: borrowed.errors }
    }

    /// Distance from the level at a civil hour, `[0, 24)`: between slot middles by a straight line.
    pub fn shape_at(&self, civil: f64) -> f64 {
        let position = (civil - 0.5).rem_euclid(SLOTS as f64);
        let whole = position as usize;
        let (a, b) = (self.shape[whole % SLOTS], self.shape[(whole + 1) % SLOTS]);
        a + (position - whole as f64) * (b - a)
    }

    /// What is expected at a civil hour.
    pub fn band(&self, civil: f64) -> Band {
        Band { expected: self.level + self.shape_at(civil), sigma: self.sigma }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn borrowed() -> Borrowed {
        Borrowed { siblings: 3, shape: std::array::from_fn(|slot| slot as f64), sigma: 2.0, errors: Vec::new() }
    }

    #[test]
    fn at_first_all_is_borrowed_and_each_day_of_its_own_counts_more() {
        let none = Heritage::new(borrowed(), &Own { level: 100.0, hours: &[], a_day: SLOTS, sigma: None });
        assert_eq!((none.wider, none.sigma, none.band(6.5).expected), (WIDER, 3.0, 106.0));
        assert_eq!(none.band(0.0).expected, 100.0 + 11.5, "midnight lies between the last slot and the first");
        // Its own day is flat: the borrowed slope is given up by a third, by half, ...
        let after = |days: usize| {
            let hours: Vec<(usize, f64)> = (0..days * SLOTS).map(|i| (i % SLOTS, 100.0)).collect();
            Heritage::new(borrowed(), &Own { level: 100.0, hours: &hours, a_day: SLOTS, sigma: Some(0.5) })
        };
        let at = |days| after(days).band(12.5).expected - 100.0;
        assert!((at(1) - 8.0).abs() < 1e-9 && (at(2) - 6.0).abs() < 1e-9, "{} {}", at(1), at(2));
        assert!(after(1).wider < WIDER && after(2).wider < after(1).wider && after(2).sigma < after(1).sigma);
    }
}
