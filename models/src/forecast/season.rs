//! Which period a series has: peaks of the periodogram say where to look, hills of the autocorrelation whether there is one.
//!
//! After Vlachos, Yu and Castelli, "On periodicity detection and structural periodic similarity" (2005). A periodogram alone takes the slow
//! wander of any load for a period and splits one that lies between two of its frequencies; autocorrelation alone peaks at every multiple
//! as well. A period must pass both.

use super::spectrum::Spectrum;
use crate::robust::{SIGMA_PER_MAD, median_mut, median_slope};

/// A period counts from so many of it on.
const MIN_REPEATS: usize = 3;
/// Autocorrelation at the period, and how far it stands above the lowest one before it.
const MIN_CORRELATION: f64 = 0.2;
const MIN_HILL: f64 = 0.2;
/// Frequencies that are looked at, the strongest first.
const MAX_PEAKS: usize = 12;
/// A shorter period that correlates this nearly as well as a longer one is the period, and the longer one its multiple.
const AS_GOOD: f64 = 0.85;
/// A period other than the expected one must correlate better by this much.
const BETTER: f64 = 0.15;
/// A second period is looked for where the first leaves this share of the variance.
const MIN_REST: f64 = 1e-4;
/// Values that are looked at, the newest: eight weeks of five minutes, a few milliseconds.
const MAX_VALUES: usize = 16_384;
/// Up to so many values it is quicker to ask first whether there is any hill at all.
const MAX_DIRECT: usize = 1_024;
/// What sums in another order differ by at most.
const ROUNDING: f64 = 1e-6;
/// Values further than this many robust sigmas out are drawn in: one spike has power at every frequency.
const CLIP_SIGMAS: f64 = 4.0;

/// Steps a season of equally spaced values (NaN where missing); 0 where there is none. `expected` is what the calendar says (a day's
/// steps; 0 for nothing): it stands unless another period clearly fits better.
pub fn find(values: &[f64], expected: usize) -> usize {
    let values = &values[values.len().saturating_sub(MAX_VALUES)..];
    let Some(flat) = flattened(values) else { return expected };
    let n = flat.len();
    if n <= MAX_DIRECT && !has_hill(&flat) {
        return expected;
    }
    let spectrum = Spectrum::of(&flat);
    let correlation = &spectrum.autocorrelation;
    let longest = n / MIN_REPEATS;
    let mut peaks: Vec<usize> = (2..spectrum.power.len() - 1)
        .filter(|&k| spectrum.power[k] >= spectrum.power[k - 1] && spectrum.power[k] > spectrum.power[k + 1])
        .collect();
    peaks.sort_unstable_by(|&a, &b| spectrum.power[b].total_cmp(&spectrum.power[a]));
    peaks.truncate(MAX_PEAKS);
    let mut periods: Vec<(usize, f64)> = peaks
        .into_iter()
        .filter_map(|k| {
            // The true period lies between those of the neighbouring frequencies of the values themselves, unpadded.
            let frequency = k as f64 / spectrum.padded as f64;
            let half = 0.5 / n as f64;
            let (short, long) = ((1.0 / (frequency + half)).floor() as usize, (1.0 / (frequency - half).max(1e-9)).ceil() as usize);
            hill(correlation, short.max(2), long.min(longest))
        })
        .collect();
    if expected >= 2 && expected <= longest {
        let slack = (expected / 50).max(1);
        periods.extend(hill(correlation, expected - slack, expected + slack).map(|(_, height)| (expected, height)));
    }
    let best = periods.iter().map(|p| p.1).fold(0.0, f64::max);
    let Some(&(found, height)) = periods.iter().filter(|p| p.1 >= AS_GOOD * best).min_by_key(|p| p.0) else { return expected };
    let found = refined(correlation, found);
    if expected < 2 {
        return found;
    }
    // A part of the expected season, or nearly it, is inside it; of a longer one few repeats were seen, and models look back several days
    // anyway.
    let off = expected % found;
    let divides = off.min(found - off) * 20 <= found;
    let known = correlation.get(expected).copied().unwrap_or(0.0);
    if divides || found > expected || height < known + BETTER { expected } else { found }
}

/// Another period beside `first`, of values without gaps: what is left without the first one's profile is looked through once more. A week
/// beside a day is one, a job every five hours too; a part of the first is not, since it is inside the first's profile. 0 where there is
/// none.
pub fn second(values: &[f64], first: usize) -> usize {
    if first < 2 || values.len() < MIN_REPEATS * first {
        return 0;
    }
    let values = &values[values.len().saturating_sub(MAX_VALUES)..];
    let mut rest = values.to_vec();
    for slot in 0..first {
        let of_slot = || values.iter().skip(slot).step_by(first);
        let mean = of_slot().sum::<f64>() / of_slot().count() as f64;
        rest.iter_mut().skip(slot).step_by(first).for_each(|v| *v -= mean);
    }
    let spread = |values: &[f64]| {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>()
    };
    // What rounding leaves of a pure season has periods, too.
    if spread(&rest) < MIN_REST * spread(values) {
        return 0;
    }
    let found = find(&rest, 0);
    if found >= 2 && !first.is_multiple_of(found) { found } else { 0 }
}

/// Whether the autocorrelation of values without a mean has a hill that could be a period's; see [`hill`]. Most series have none, and a
/// spectrum costs several times as much.
fn has_hill(flat: &[f64]) -> bool {
    let n = flat.len();
    let at = |lag: usize| product(&flat[lag..], &flat[..n - lag]) / (n - lag) as f64;
    let zero = at(0);
    let (mut valley, mut before) = (f64::INFINITY, f64::INFINITY);
    for lag in 1..=n / MIN_REPEATS {
        let height = at(lag) / zero;
        // A top of a hill is no lower than what stands before it; what comes after is left to the closer look.
        if lag >= 2 && height >= before && height >= MIN_CORRELATION - ROUNDING && height - valley >= MIN_HILL - ROUNDING {
            return true;
        }
        valley = valley.min(height);
        before = height;
    }
    false
}

/// Sum of products, several side by side: in another order than one after another, which [`ROUNDING`] allows for.
fn product(a: &[f64], b: &[f64]) -> f64 {
    const LANES: usize = 4;
    let ((a, rest_a), (b, rest_b)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut sums = [0.0; LANES];
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    sums.iter().sum::<f64>() + rest_a.iter().zip(rest_b).map(|(a, b)| a * b).sum::<f64>()
}

/// The lag of the highest correlation in `short..=long` if it is the top of a hill there, and its height.
fn hill(correlation: &[f64], short: usize, long: usize) -> Option<(usize, f64)> {
    let long = long.min(correlation.len().checked_sub(2)?);
    let lag = (short..=long).max_by(|&a, &b| correlation[a].total_cmp(&correlation[b]))?;
    let height = correlation[lag];
    let is_top = lag >= 2 && height >= correlation[lag - 1] && height >= correlation[lag + 1];
    let valley = correlation[1..lag].iter().copied().fold(f64::INFINITY, f64::min);
    (is_top && height >= MIN_CORRELATION && height - valley >= MIN_HILL).then_some((lag, height))
}

/// The period near `period` whose multiples correlate best: noise moves one hill by a step, but not all of them by as many as they are
/// away.
fn refined(correlation: &[f64], period: usize) -> usize {
    /// Multiples that are looked at.
    const MULTIPLES: usize = 4;
    let slack = (period / 25).max(1);
    let multiples = (correlation.len() / 2 / (period + slack)).clamp(1, MULTIPLES);
    let height = |p: usize| (1..=multiples).filter_map(|k| correlation.get(k * p)).sum::<f64>();
    let near = period.saturating_sub(slack).max(2)..=period + slack;
    near.max_by(|&a, &b| height(a).total_cmp(&height(b))).unwrap_or(period)
}

/// Without its line and its wild values, gaps at zero; `None` where nothing varies or too little is there.
fn flattened(values: &[f64]) -> Option<Vec<f64>> {
    const MIN_VALUES: usize = 12;
    if values.iter().filter(|v| v.is_finite()).count() < MIN_VALUES {
        return None;
    }
    let slope = median_slope(values);
    let slope = if slope.is_finite() { slope } else { 0.0 };
    let mut flat: Vec<f64> = values.iter().enumerate().map(|(i, v)| v - slope * i as f64).collect();
    let middle = median_mut(&mut flat.iter().copied().filter(|v| v.is_finite()).collect::<Vec<f64>>());
    for v in &mut flat {
        *v -= middle;
    }
    let mut sizes: Vec<f64> = flat.iter().filter(|v| v.is_finite()).map(|v| v.abs()).collect();
    let reach = CLIP_SIGMAS * SIGMA_PER_MAD * median_mut(&mut sizes);
    let largest = sizes.iter().copied().fold(0.0, f64::max);
    // Rounding alone is no variation.
    if largest <= 1e-12 * middle.abs() {
        return None;
    }
    let reach = if reach > 0.0 { reach } else { largest };
    for v in &mut flat {
        *v = if v.is_finite() { v.clamp(-reach, reach) } else { 0.0 };
    }
    let mean = flat.iter().sum::<f64>() / flat.len() as f64;
    for v in &mut flat {
        *v -= mean;
    }
    Some(flat)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(i: usize) -> f64 {
        let x = (i as u64).wrapping_mul(0x2545_F491_4F6C_DD1D) ^ 0x9E37_79B9;
        ((x ^ (x >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 11) as f64 / (1_u64 << 53) as f64 - 0.5
    }

    #[test]
    fn periods_are_found_with_trend_noise_gaps_and_spikes() {
        for period in [7_usize, 10, 24, 36, 96, 100] {
            let mut values: Vec<f64> = (0..12 * period.max(20))
                .map(|i| 100.0 + 0.01 * i as f64 + 3.0 * ((i % period) as f64 / period as f64 - 0.5).abs() + 0.5 * noise(i))
                .collect();
            values[30..36].fill(f64::NAN);
            values[50] = 1e4;
            let found = find(&values, 0);
            assert!(found.abs_diff(period) * 50 <= period, "{found} for {period}");
        }
    }

    #[test]
    fn noise_walks_and_constants_have_none() {
        assert_eq!(find(&[3.0; 500], 0), 0);
        assert_eq!(find(&(0..600).map(noise).collect::<Vec<f64>>(), 0), 0);
        let mut level = 0.0;
        let walk: Vec<f64> = (0..600)
            .map(|i| {
                level += noise(i);
                level
            })
            .collect();
        assert_eq!(find(&walk, 0), 0);
        assert_eq!(find(&[f64::NAN; 100], 24), 24);
    }

    #[test]
    fn the_day_stands_unless_another_period_is_clearly_there() {
        let day: Vec<f64> = (0..480).map(|i| (i as f64 / 24.0 * std::f64::consts::TAU).sin() + noise(i)).collect();
        assert_eq!(find(&day, 24), 24);
        // Every ten hours, whatever the sun does.
        let batch: Vec<f64> = (0..480).map(|i| f64::from(u8::from(i % 10 < 3)) + 0.2 * noise(i)).collect();
        assert_eq!(find(&batch, 24), 10);
        // Four times a day is inside a day.
        let quarter: Vec<f64> = (0..480).map(|i| f64::from(u8::from(i % 6 < 2)) + 0.2 * noise(i)).collect();
        assert_eq!(find(&quarter, 24), 24);
    }

    #[test]
    fn a_second_period_is_found_beside_the_first_and_none_where_there_is_none() {
        let day = |i: usize| 3.0 * (i as f64 / 24.0 * std::f64::consts::TAU).sin();
        let of = |f: &dyn Fn(usize) -> f64| (0..672).map(f).collect::<Vec<f64>>();
        assert_eq!(second(&of(&|i| day(i) + (i % 5) as f64 + 0.3 * noise(i)), 24), 5);
        assert_eq!(second(&of(&|i| day(i) + if i / 24 % 7 >= 5 { 2.0 } else { 0.0 } + 0.3 * noise(i)), 24), 168);
        assert_eq!(second(&of(&|i| day(i) + 0.3 * noise(i)), 24), 0);
        assert_eq!(second(&of(&day), 24), 0, "what rounding leaves");
        assert_eq!(second(&of(&|i| (i % 6) as f64 + 0.1 * noise(i)), 24), 0, "inside the first");
    }
}
