//! How far a figure can be believed: its 90 % interval, by drawing the series anew.
//!
//! Events of one series are not independent (one leak crosses its threshold every night), so whole series are drawn and not events. Only where
//! what is counted lies in one series are its events drawn. Two cases are left to exact limits, since drawing anew says nothing about what never
//! occurred: a share of nothing or of all (Clopper and Pearson), and fewer than five false alarms (Poisson). The seed is a hash of what is drawn
//! from: the same report gives the same intervals, with no clock and no chance from outside.

use xxhash_rust::xxh3::Xxh3;

/// The two ends.
pub type Interval = [f64; 2];

/// Share of the intervals that hold what they are about, for series that are alike.
pub const INTERVAL_LEVEL: f64 = 0.9;
/// Fewer than so many events, and a figure is an anecdote: no interval is given for it.
pub const FEW: usize = 5;
/// Draws at most: the ends of an interval then tremble by a hundredth of its width.
const MAX_DRAWS: usize = 1_000;
/// Draws at least: with fewer, one draw in twenty is decided by a handful.
const MIN_DRAWS: usize = 200;
/// Things drawn for one table at most, or the least draws where those are more: 200,000 events in 1,000 series stay below a second.
const MAX_DRAWN: usize = 20_000_000;
/// A tenth lies outside, on both sides alike.
const TAIL: f64 = (1.0 - INTERVAL_LEVEL) / 2.0;
/// Limits of a Poisson mean, 90 %, for counts of 0 to 4.
const POISSON: [Interval; FEW] = [[0.0, 2.996], [0.051, 4.744], [0.355, 6.296], [0.818, 7.754], [1.366, 9.154]];

/// How often to draw where so many things are drawn from in all.
pub(super) fn draws(things: usize) -> usize {
    (MAX_DRAWN / things.max(1)).clamp(MIN_DRAWS, MAX_DRAWS)
}

/// Of a share: each series' hits and of how many. `None` for fewer than [`FEW`].
pub(super) fn share(series: impl Iterator<Item = (u64, u64)>, draws: usize) -> Option<Interval> {
    let mut units: Vec<(u64, u64)> = series.filter(|(_, of)| *of > 0).collect();
    let (hits, of) = units.iter().fold((0, 0), |(h, o), unit| (h + unit.0, o + unit.1));
    if of < FEW as u64 {
        return None;
    }
    if units.len() < 2 {
        units = (0..of).map(|i| (u64::from(i < hits), 1)).collect();
    }
    if hits == 0 || hits == of {
        let least = TAIL.powf(1.0 / units.len() as f64);
        return Some(if hits == 0 { [0.0, 1.0 - least] } else { [least, 1.0] });
    }
    let mut dice = Dice::new(units.iter().flat_map(|unit| [unit.0, unit.1]));
    let draw = |_| {
        let drawn = (0..units.len()).fold((0, 0), |(h, o), _| {
            let unit = units[dice.below(units.len())];
            (h + unit.0, o + unit.1)
        });
        drawn.0 as f64 / drawn.1 as f64
    };
    ends((0..draws).map(draw).collect())
}

/// Of the median of all series' values. `None` for fewer than [`FEW`].
pub(super) fn median<'a>(series: impl Iterator<Item = &'a [f64]>, draws: usize) -> Option<Interval> {
    let mut units: Vec<&[f64]> = series.filter(|values| !values.is_empty()).collect();
    if units.iter().map(|values| values.len()).sum::<usize>() < FEW {
        return None;
    }
    if let [one] = units[..] {
        units = one.chunks(1).collect();
    }
    let mut sorted: Vec<(f64, usize)> =
        units.iter().enumerate().flat_map(|(unit, values)| values.iter().map(move |v| (*v, unit))).collect();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let mut dice = Dice::new(sorted.iter().flat_map(|(value, unit)| [value.to_bits(), *unit as u64]));
    let mut times = vec![0_usize; units.len()];
    let draw = |_| {
        times.fill(0);
        let mut count = 0;
        for _ in 0..units.len() {
            let unit = dice.below(units.len());
            times[unit] += 1;
            count += units[unit].len();
        }
        let (low, high) = ((count - 1) / 2, count / 2);
        let (mut passed, mut lower) = (0, None);
        for (value, unit) in &sorted {
            passed += times[*unit];
            if passed > low {
                let lower = *lower.get_or_insert(*value);
                if passed > high {
                    return f64::midpoint(lower, *value);
                }
            }
        }
        f64::NAN
    };
    ends((0..draws).map(draw).collect())
}

/// Of a rate: each series' count and for how long it was looked at. `None` where nothing was looked at.
pub(super) fn rate(series: impl Iterator<Item = (u64, f64)>, draws: usize) -> Option<Interval> {
    let units: Vec<(u64, f64)> = series.filter(|(_, weeks)| *weeks > 0.0).collect();
    let count: u64 = units.iter().map(|unit| unit.0).sum();
    let weeks: f64 = units.iter().map(|unit| unit.1).sum();
    if weeks <= 0.0 {
        return None;
    }
    if let Some(limits) = POISSON.get(usize::try_from(count).unwrap_or(usize::MAX)) {
        return Some(limits.map(|limit| limit / weeks));
    }
    let mut dice = Dice::new(units.iter().flat_map(|unit| [unit.0, unit.1.to_bits()]));
    let draw = |_| {
        if units.len() < 2 {
            return (0..count).map(|_| dice.poisson()).sum::<u64>() as f64 / weeks;
        }
        let drawn = (0..units.len()).fold((0, 0.0), |(c, w), _| {
            let unit = units[dice.below(units.len())];
            (c + unit.0, w + unit.1)
        });
        drawn.0 as f64 / drawn.1
    };
    ends((0..draws).map(draw).collect())
}

fn ends(mut drawn: Vec<f64>) -> Option<Interval> {
    drawn.retain(|value| value.is_finite());
    drawn.sort_by(f64::total_cmp);
    let cut = (TAIL * drawn.len() as f64) as usize;
    Some([*drawn.get(cut)?, *drawn.get(drawn.len() - 1 - cut)?])
}

/// SplitMix64: <https://prng.di.unimi.it/splitmix64.c>. Good enough to draw lots, and the same everywhere for ever.
struct Dice(u64);

impl Dice {
    fn new(of: impl Iterator<Item = u64>) -> Self {
        let mut hash = Xxh3::new();
        of.for_each(|word| hash.update(&word.to_le_bytes()));
        Self(hash.digest())
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let x = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        x ^ (x >> 31)
    }

    /// 0 to `end` - 1, all alike to within 2^-32 of a chance.
    fn below(&mut self, end: usize) -> usize {
        (((self.next() >> 32) * end as u64) >> 32) as usize
    }

    /// How often one thing of many comes up in as many draws.
    fn poisson(&mut self) -> u64 {
        /// The chance of a thirteenth time is below what a draw can tell.
        const MAX_TIMES: u64 = 12;
        let mut left = (self.next() >> 11) as f64 / (1_u64 << 53) as f64;
        let mut chance = (-1.0_f64).exp();
        for times in 0..MAX_TIMES {
            if left < chance {
                return times;
            }
            left -= chance;
            chance /= (times + 1) as f64;
        }
        MAX_TIMES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_have_no_interval_and_none_or_all_have_the_exact_one() {
        let draws = 1_000;
        assert_eq!((share([(2, 4)].into_iter(), draws), median([[1.0, 2.0].as_slice()].into_iter(), draws)), (None, None));
        let [low, high] = share([(12, 12)].into_iter(), draws).unwrap();
        assert!((low - 0.05_f64.powf(1.0 / 12.0)).abs() < 1e-12 && high == 1.0, "one series: its 12 events");
        let [low, _] = share([(6, 6), (6, 6)].into_iter(), draws).unwrap();
        assert!((low - 0.05_f64.sqrt()).abs() < 1e-12, "two series are two witnesses, whatever they saw");
        assert_eq!(share([(0, 3), (0, 3)].into_iter(), draws).unwrap()[0], 0.0);
        assert_eq!(rate([(0, 2.0), (0, 1.0)].into_iter(), draws), Some([0.0, 2.996 / 3.0]), "none in three weeks is not never");
        assert_eq!(rate([(1, 1.0)].into_iter(), draws), Some(POISSON[1]));
        assert_eq!(rate([(1, 0.0)].into_iter(), draws), None);
    }

    #[test]
    fn intervals_are_as_wide_as_theory_says() {
        // 100 series with one event each, half of them told: the binomial's 0.5 +- 1.645 * 0.05.
        let [low, high] = share((0..100).map(|i| (i % 2, 1)), 1_000).unwrap();
        assert!((low - 0.418).abs() < 0.02 && (high - 0.582).abs() < 0.02, "{low} {high}");
        // The same share of 2,000 events, told or not by whole series, is no surer for it.
        let [low, high] = share((0..100).map(|i| (20 * (i % 2), 20)), 1_000).unwrap();
        assert!((low - 0.418).abs() < 0.02 && (high - 0.582).abs() < 0.02, "{low} {high}");
        // One series: 64 false alarms in 4 weeks are 16 a week +- 1.645 * 2.
        let [low, high] = rate([(64, 4.0)].into_iter(), 1_000).unwrap();
        assert!((low - 12.7).abs() < 0.5 && (high - 19.3).abs() < 0.5, "{low} {high}");
        let [low, high] = rate((0..64).map(|_| (1, 0.5)), 1_000).unwrap();
        assert_eq!([low, high], [2.0, 2.0], "series that are all alike");
        // Order statistics of 101 values: the median's 90 % interval lies 8 ranks to either side.
        let values: Vec<f64> = (0..101).map(f64::from).collect();
        let [low, high] = median([values.as_slice()].into_iter(), 1_000).unwrap();
        assert!((low - 42.0).abs() <= 2.0 && (high - 58.0).abs() <= 2.0, "{low} {high}");
    }

    #[test]
    fn the_same_again_and_within_bounds_of_work() {
        let values: Vec<Vec<f64>> = (0..40).map(|s| (0..s % 7).map(|i| f64::from(s * 13 % 17 + i)).collect()).collect();
        let once = || median(values.iter().map(Vec::as_slice), 300);
        assert_eq!(once(), once());
        assert!(once().is_some_and(|[low, high]| low < high));
        assert_eq!((draws(10), draws(50_000), draws(10_000_000)), (1_000, 400, 200));
    }
}
