//! What is normal for one series: a daily shape by civil time, a level with its slope, and a robust scale.
//!
//! Worked out from the closed buckets each time one closes, the shape every few hours, and nothing else is asked. Medians throughout: one bad
//! day in seven does not become normal, and an incident while it lasts does not widen the band that should show it.

use super::block::{BUCKETS, Block, Geometry};
use super::octaves;
use crate::robust::{SIGMA_PER_MAD, SIGMA_PER_MEAN_ABS, median_mut, median_slope, nth_mut};

/// Slots of a civil day.
pub const SLOTS: usize = 24;

/// Days that a slot's median is of at most: a window holds seven, and one more where clocks go back.
const DAYS: usize = 8;

/// Days of evidence before a daily shape is believed.
const MIN_DAYS: usize = 3;

/// A shape must bring the typical distance of bucket means down to this share, else it is noise dressed up: medians of seven values at
/// each slot alone bring pure noise down to about 0.85.
const SHAPE_MUST_EXPLAIN: f64 = 0.65;

/// The share of bucket means that the comparison looks at, the nearest ones: a job of three hours a night must count (a median would not
/// see it), an incident of a few hours must not.
const SHAPE_COUNTS: f64 = 0.95;

/// Buckets whose median distance from the shape is the present level: a day. Shorter learns an incident as normal, longer lags behind.
const LEVEL_BUCKETS: usize = 24;

/// Buckets that the slope is read from: three days.
const SLOPE_BUCKETS: usize = 72;

/// Buckets that must lie before one of the past to say what was expected in it: with fewer, one odd hour would be the level.
const MIN_BEFORE: usize = 6;

/// No band is narrower than this share of the level: a constant series that moves by its last digit is not broken.
const MIN_RELATIVE_SCALE: f64 = 0.002;

/// What is kept for every row between two refreshes. Level and slope are at the middle of the newest closed bucket.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// Deseasonalised value at `level_at_ms`; NaN while unknown.
    pub level: f64,
    /// Per millisecond.
    pub slope: f64,
    /// Robust sigma of samples around the expectation; NaN while unknown.
    pub scale: f64,
    /// Robust sigma of bucket means around the expectation.
    pub wander: f64,
    pub level_at_ms: i64,
    /// Whether the daily shape is believed.
    pub seasonal: bool,
}

impl Default for Summary {
    fn default() -> Self {
        Self { level: f64::NAN, slope: 0.0, scale: f64::NAN, wander: f64::NAN, level_at_ms: 0, seasonal: false }
    }
}

/// What a value is expected to be, and the edges of normal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Band {
    pub expected: f64,
    /// Standard deviation around it.
    pub sigma: f64,
}

impl Band {
    /// Signed distance of a value in sigmas.
    pub fn sigmas(&self, value: f64) -> f64 {
        (value - self.expected) / self.sigma
    }

    pub fn lower(&self, sigmas: f64) -> f64 {
        self.expected - sigmas * self.sigma
    }

    pub fn upper(&self, sigmas: f64) -> f64 {
        self.expected + sigmas * self.sigma
    }
}

/// The summary of one row.
#[derive(Clone, Debug, PartialEq)]
pub struct Normal {
    pub summary: Summary,
    /// Median of the buckets' residuals.
    pub(super) typical: f64,
}

/// A row's closed buckets, as they are read once for everything that is asked of them.
#[derive(Clone, Debug)]
pub(super) struct Past {
    /// Means by age in buckets; NaN where empty, and at 0, the open one.
    means: [f64; BUCKETS],
    /// How many buckets have a residual of each code of [`super::octaves`].
    residuals: [u16; octaves::CODES],
    is_empty: bool,
}

impl Past {
    pub fn new() -> Self {
        Self { means: [f64::NAN; BUCKETS], residuals: [0; octaves::CODES], is_empty: true }
    }

    /// A bucket that holds something.
    pub fn push(&mut self, age: usize, mean: f64, residual: u8) {
        self.is_empty = false;
        self.means[age] = mean;
        self.residuals[usize::from(residual)] += u16::from(mean.is_finite());
    }

    /// The daily shape, if the buckets have one. `slots[age]` is the civil slot of the bucket `age` back from the newest.
    pub fn shape(&self, geometry: Geometry, slots: &[usize]) -> Option<[f64; SLOTS]> {
        let per_day = geometry.buckets_per_day();
        if self.is_empty || per_day == 0 {
            return None;
        }
        daily_shape(&self.means, slots, per_day).filter(|shape| explains(&self.means, slots, shape))
    }
}

impl Normal {
    /// From a row's closed buckets, the daily shape that is believed and the base of its residuals. `slots[age]` is the civil slot of the
    /// bucket `age` back from the newest.
    pub(super) fn new(past: &Past, shape: Option<[f64; SLOTS]>, base: i16, geometry: Geometry, slots: &[usize]) -> Self {
        let means = &past.means;
        let mut summary = Summary { seasonal: shape.is_some(), ..Summary::default() };
        let shape = shape.unwrap_or_default();
        if past.is_empty {
            return Self { summary, typical: f64::NAN };
        }

        // Oldest first from here on.
        let mut flat = [f64::NAN; SLOPE_BUCKETS];
        for (age, flat) in (1..=SLOPE_BUCKETS).rev().zip(&mut flat) {
            *flat = means[age] - shape[slots[age]];
        }
        let Line { mut recent, slope, wander } = Line::through(&flat);
        if recent.is_empty() {
            // Silent for three days: the last level known.
            recent = means.iter().zip(slots).filter(|(m, _)| m.is_finite()).map(|(m, s)| m - shape[*s]).take(LEVEL_BUCKETS).collect();
        }
        summary.level = median_mut(&mut recent);
        summary.slope = slope / geometry.bucket_ms as f64;
        summary.wander = wander;

        let typical = octaves::median(&past.residuals, base);
        summary.scale = (SIGMA_PER_MEAN_ABS * typical).max(MIN_RELATIVE_SCALE * summary.level.abs()).max(f64::MIN_POSITIVE);
        Self { summary, typical }
    }
}

/// What the last days' bucket means, without the daily shape, say about level and slope.
struct Line {
    /// What each mean of the last day says the level is at the last of them.
    recent: Vec<f64>,
    /// A bucket; 0 where it is within the noise.
    slope: f64,
    /// Robust sigma of means around the line.
    wander: f64,
}

impl Line {
    /// Oldest first, [`SLOPE_BUCKETS`] of them.
    fn through(flat: &[f64]) -> Self {
        let mut slope = median_slope(flat);
        let mut distances = around(flat, slope);
        let middle = median_mut(&mut distances);
        for distance in &mut distances {
            *distance = (*distance - middle).abs();
        }
        let wander = SIGMA_PER_MAD * median_mut(&mut distances);
        // A slope that is within the noise of its ends is none.
        if !slope.is_finite() || slope.abs() * (SLOPE_BUCKETS as f64) < 2.0 * wander {
            slope = 0.0;
        }
        let mut recent = around(&flat[flat.len() - LEVEL_BUCKETS..], slope);
        if recent.is_empty() {
            recent = around(flat, slope);
        }
        Self { recent, slope, wander }
    }
}

/// Each value minus the slope's line through the last one, gaps left out: what the level would be at the end.
fn around(values: &[f64], slope: f64) -> Vec<f64> {
    let slope = if slope.is_finite() { slope } else { 0.0 };
    let end = values.len() as f64 - 1.0;
    let mut at_end = Vec::with_capacity(values.len());
    at_end.extend(values.iter().enumerate().filter(|(_, v)| v.is_finite()).map(|(i, v)| v + slope * (end - i as f64)));
    at_end
}

/// Median deviation of each civil slot from its own day's mean; `None` below [`MIN_DAYS`] of evidence at any slot.
fn daily_shape(means: &[f64; BUCKETS], slots: &[usize], per_day: usize) -> Option<[f64; SLOTS]> {
    // Prefix sums give the mean of the day around each bucket.
    let mut sums = [0.0; BUCKETS + 1];
    let mut counts = [0usize; BUCKETS + 1];
    for (age, mean) in means.iter().enumerate() {
        let here = mean.is_finite();
        sums[age + 1] = sums[age] + if here { *mean } else { 0.0 };
        counts[age + 1] = counts[age] + usize::from(here);
    }
    let mut deviations = [[f64::INFINITY; SLOTS]; DAYS];
    let mut filled = [0usize; SLOTS];
    for age in 1..BUCKETS {
        if !means[age].is_finite() {
            continue;
        }
        let from = age.saturating_sub(per_day / 2).clamp(1, BUCKETS - per_day.min(BUCKETS - 1));
        let to = (from + per_day).min(BUCKETS);
        let count = counts[to] - counts[from];
        if count * 2 < per_day {
            continue;
        }
        let slot = slots[age] % SLOTS;
        if filled[slot] < DAYS {
            deviations[filled[slot]][slot] = means[age] - (sums[to] - sums[from]) / count as f64;
            filled[slot] += 1;
        }
    }
    let used = SLOTS.min(per_day.max(1));
    if filled.iter().filter(|filled| **filled >= MIN_DAYS).count() < used {
        return None;
    }
    rising(&mut deviations);
    Some(std::array::from_fn(|slot| {
        let (low, high) = (filled[slot].saturating_sub(1) / 2, filled[slot] / 2);
        let (low, high) = (deviations[low][slot], deviations[high.min(DAYS - 1)][slot]);
        match filled[slot] {
            days if days < MIN_DAYS => 0.0,
            // As medians of four are taken elsewhere: they differ in the last bit.
            4 => f64::midpoint(low, high),
            _ => low + 0.5 * (high - low),
        }
    }))
}

/// Puts each slot's values in order, the least first: all slots at once, since a network asks the same of each.
fn rising(values: &mut [[f64; SLOTS]; DAYS]) {
    // Batcher's odd-even mergesort ("Sorting networks and their applications", 1968).
    const NETWORK: [(usize, usize); 19] = [
        (0, 2),
        (1, 3),
        (4, 6),
        (5, 7),
        (0, 4),
        (1, 5),
        (2, 6),
        (3, 7),
        (0, 1),
        (2, 3),
        (4, 5),
        (6, 7),
        (2, 4),
        (3, 5),
        (1, 4),
        (3, 6),
        (1, 2),
        (3, 4),
        (5, 6),
    ];
    for (a, b) in NETWORK {
        let (first, second) = (values[a], values[b]);
        for slot in 0..SLOTS {
            let (low, high) = (first[slot], second[slot]);
            values[a][slot] = if high < low { high } else { low };
            values[b][slot] = if high < low { low } else { high };
        }
    }
}

fn explains(means: &[f64; BUCKETS], slots: &[usize], shape: &[f64; SLOTS]) -> bool {
    let (mut without, mut with) = ([0.0; BUCKETS], [0.0; BUCKETS]);
    let mut len = 0;
    for (mean, slot) in means.iter().zip(slots).filter(|(mean, _)| mean.is_finite()) {
        (without[len], with[len]) = (*mean, mean - shape[slot % SLOTS]);
        len += 1;
    }
    let without = spread(&mut without[..len]);
    without > 0.0 && spread(&mut with[..len]) < SHAPE_MUST_EXPLAIN * without
}

/// Mean distance of the nearest of the values from their own line.
fn spread(values: &mut [f64]) -> f64 {
    let slope = median_slope(values);
    let (slope, end) = (if slope.is_finite() { slope } else { 0.0 }, values.len() as f64 - 1.0);
    values.iter_mut().enumerate().for_each(|(i, v)| *v += slope * (end - i as f64));
    let middle = median_mut(values);
    for distance in &mut *values {
        *distance = (*distance - middle).abs();
    }
    let near = (values.len() as f64 * SHAPE_COUNTS) as usize;
    let Some(last) = near.checked_sub(1) else { return 0.0 };
    // Which are the nearest is said by the furthest of them: no order of the others is needed for their sum.
    let furthest = nth_mut(values, last);
    let nearer = |value: &&f64| **value < furthest;
    let (sum, count) = (sum_below(values, furthest), values.iter().filter(nearer).count());
    (sum + (near - count) as f64 * furthest) / near as f64
}

/// Sum of the values below a bound, several side by side.
fn sum_below(values: &[f64], bound: f64) -> f64 {
    const LANES: usize = 4;
    let (chunks, rest) = values.as_chunks::<LANES>();
    let counted = |value: f64| if value < bound { value } else { 0.0 };
    let mut sums = [0.0; LANES];
    for chunk in chunks {
        for lane in 0..LANES {
            sums[lane] += counted(chunk[lane]);
        }
    }
    sums.iter().sum::<f64>() + rest.iter().map(|value| counted(*value)).sum::<f64>()
}

impl Block {
    /// What is expected of a row at a time. `civil` is the civil slot with its fraction, `[0, 24)`: 13.5 is half past one. `None` before the
    /// first bucket has closed.
    pub fn expected(&self, row: usize, at_ms: i64, civil: f64) -> Option<Band> {
        let summary = self.summary(row);
        if !summary.level.is_finite() || !summary.scale.is_finite() {
            return None;
        }
        // A trend is followed for a day past the last closed bucket; further out nobody said it goes on.
        let ahead = (at_ms - summary.level_at_ms).clamp(-(BUCKETS as i64) * self.geometry().bucket_ms, 86_400_000);
        let expected = summary.level + summary.slope * ahead as f64 + self.shape_at(row, civil);
        Some(Band { expected, sigma: summary.scale })
    }

    /// What was expected in the middle of a closed bucket when it began, as far as the ring still tells: level and slope from the buckets
    /// before it alone where two days of them are known, daily shape and scale as they are now (medians of a week, which one day moves
    /// little). `civil` gives the civil slot, with its fraction, of a bucket's middle. `None` where too little lies before the bucket.
    pub fn expected_then(&self, row: usize, bucket: i64, civil: &dyn Fn(i64) -> f64) -> Option<Band> {
        let summary = self.summary(row);
        if !summary.scale.is_finite() || bucket >= self.newest_bucket() {
            return None;
        }
        let flat = |bucket: i64| {
            let moments = self.bucket_moments(row, bucket);
            if moments.count > 0.0 { moments.mean - self.shape_at(row, civil(bucket)) } else { f64::NAN }
        };
        let flat: Vec<f64> = (1..=SLOPE_BUCKETS as i64).rev().map(|age| flat(bucket - age)).collect();
        let known = flat.iter().filter(|v| v.is_finite()).count();
        let (mut recent, slope) = if known * 3 >= SLOPE_BUCKETS * 2 {
            let Line { recent, slope, .. } = Line::through(&flat);
            (recent, slope)
        } else {
            // The ring's beginning is not the series': a slope of the present says more than none.
            let slope = summary.slope * self.geometry().bucket_ms as f64;
            (around(&flat[flat.len() - LEVEL_BUCKETS..], slope), slope)
        };
        if recent.len() < MIN_BEFORE {
            return None;
        }
        Some(Band { expected: median_mut(&mut recent) + slope + self.shape_at(row, civil(bucket)), sigma: summary.scale })
    }

    /// The daily shape between slot middles, by a straight line.
    pub fn shape_at(&self, row: usize, civil: f64) -> f64 {
        if !self.summary(row).seasonal {
            return 0.0;
        }
        // Of a time within a day, the usual, the same without a division.
        let position = if (0.5..SLOTS as f64).contains(&civil) { civil - 0.5 } else { (civil - 0.5).rem_euclid(SLOTS as f64) };
        let whole = position as usize;
        let (left, share) = (whole % SLOTS, position - whole as f64);
        let (a, b) = (self.shape(row, left), self.shape(row, (left + 1) % SLOTS));
        a + share * (b - a)
    }
}

#[cfg(test)]
mod tests;
