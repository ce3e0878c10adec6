//! The views of one series that are measured against their own past: its residual at many scales, and how much it varies.

use super::codec::{DecodeError, Reader, Writer};
use super::season::gain;
use super::taps::{MOST_TAPS, Taps};
use super::whiten::Whitener;

/// Memories of the two whiteners of each view, in days: the short one forgets an incident before the next, the long one has seen a month.
const MEMORIES_DAYS: [f32; 2] = [3.0, 28.0];
/// Samples over which variation is measured.
const VARIATION_OVER: [f32; VARIATIONS] = [4.0, 16.0, 64.0];
const VARIATIONS: usize = 3;
/// A covariance is factored again after this long: MSCloud's hourly series want it after each sample, a minute's would not notice.
const FACTOR_MS: i64 = 20 * 60_000;
/// What variation counts beside distance, in squares. Equal weight costs the sources with noisy variation more than it brings the others.
const VARIATION_WEIGHT: f32 = 0.5;
/// The same of the plain distance from the season, in robust deviations: less than whitened distance, but it does not get used to a drift.
const SEASON_WEIGHT: f32 = 0.1;
/// The plain distance is that of the mean over 2^5 samples.
const SEASON_TAP: usize = 5;
/// From this distance on, what is seen is learned with less weight: an incident shall not become normal ...
const BOUND: f32 = 10.0;
/// ... but never with less than this, since it may be the new normal; and in full after a day of it.
const LEAST_WEIGHT: f32 = 0.1;
/// Time out of bounds counts back this many times as fast.
const BACK: f32 = 4.0;

/// Variance that one smallest move of the series stands for in each band: a move by one is no surprise, one by ten is.
const RESOLUTION_VARIANCE: f32 = 0.02;
/// The same for the logarithm of variation, as its deviation when nothing but single moves is left.
const LOG_SHARE: f32 = 0.1;

/// A small vector against two memories of its past.
#[derive(Clone, Debug)]
struct Pair<const D: usize>([Whitener<D>; 2]);

impl<const D: usize> Pair<D> {
    fn new(dim: usize, is_doubling: bool, samples_a_day: f32, every: u16) -> Self {
        Self(MEMORIES_DAYS.map(|days| Whitener::new(dim, is_doubling, days * samples_a_day, every)))
    }
}

/// What the views say about one sample.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    /// All together.
    pub distance: f32,
    /// The scale that stands out most among the residual's, as the exponent of two samples, and by how much, signed.
    pub scale: usize,
    /// Squared shares of the views in `distance`.
    pub level: f32,
    pub variation: f32,
    pub season: f32,
}

#[derive(Clone, Debug)]
pub(super) struct Views {
    taps: Taps,
    level: Pair<MOST_TAPS>,
    step_size: [f32; VARIATIONS],
    variation: Pair<VARIATIONS>,
    /// Samples out of bounds.
    outside: f32,
    samples_a_day: f32,
}

/// The sample as the views want it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    pub residual: f32,
    /// Distance from the sample before.
    pub step: f32,
    /// Robust deviation.
    pub scale: f32,
    /// Added to variation: below it, less is not told apart.
    pub least: f32,
    /// The smallest move that the series can make, as far as is known.
    pub resolution: f32,
    /// Samples before this one.
    pub seen: u32,
}

impl Views {
    pub fn new(step_ms: i64, samples_a_day: f32) -> Self {
        let every = u16::try_from(FACTOR_MS / step_ms.max(1)).unwrap_or(u16::MAX).clamp(1, 32);
        let taps = Taps::new(samples_a_day);
        let level = Pair::new(taps.len(), true, samples_a_day, every);
        let variation = Pair::new(VARIATIONS, false, samples_a_day, every);
        Self { taps, level, step_size: [0.0; VARIATIONS], variation, outside: 0.0, samples_a_day }
    }

    /// Measures the sample, then learns from it.
    pub fn push(&mut self, sample: Sample) -> Seen {
        let bands = self.taps.push(sample.residual, sample.seen);
        let mut logs = [0.0; VARIATIONS];
        for (k, over) in VARIATION_OVER.into_iter().enumerate() {
            self.step_size[k] += gain(sample.seen, over) * (sample.step - self.step_size[k]);
            logs[k] = (self.step_size[k] + sample.least).ln();
        }
        let level = [self.level.0[0].distance(&bands), self.level.0[1].distance(&bands)];
        let variation = [self.variation.0[0].distance(&logs), self.variation.0[1].distance(&logs)];
        let out = level[0].rms.max(variation[0].rms) > BOUND && sample.seen as f32 >= self.samples_a_day;
        self.outside = if out { self.outside + 1.0 } else { (self.outside - BACK).max(0.0) };
        let used_to = (self.outside / self.samples_a_day).powi(2).max(LEAST_WEIGHT);
        let is_young = (sample.seen as f32) < self.samples_a_day;
        let weight = |distance: f32| {
            if is_young || distance <= BOUND { 1.0 } else { (BOUND / distance).powi(2).max(used_to).min(1.0) }
        };
        let floor = RESOLUTION_VARIANCE * sample.resolution * sample.resolution;
        // What one smallest move would do to the logarithm, once it is nearly all there is.
        let log_floor = (LOG_SHARE * sample.resolution / (self.step_size[VARIATIONS - 1] + sample.least)).powi(2);
        for k in 0..MEMORIES_DAYS.len() {
            self.level.0[k].learn(&bands, weight(level[k].rms), floor);
            self.variation.0[k].learn(&logs, weight(variation[k].rms), log_floor);
        }
        let mean_square = |a: f32, b: f32| f32::midpoint(a * a, b * b);
        let off_season = self.taps.mean(SEASON_TAP) / sample.scale.max(0.3 * sample.resolution);
        let (level_part, variation_part, season_part) = (
            mean_square(level[0].rms, level[1].rms),
            VARIATION_WEIGHT * mean_square(variation[0].rms, variation[1].rms),
            SEASON_WEIGHT * off_season * off_season,
        );
        let loudest = |a: &usize, b: &usize| level[1].parts[*a].abs().total_cmp(&level[1].parts[*b].abs());
        Seen {
            distance: (level_part + variation_part + season_part).sqrt(),
            scale: (0..self.taps.len()).max_by(loudest).unwrap_or(0),
            level: level_part,
            variation: variation_part,
            season: season_part,
        }
    }

    /// Residuals are from now on so much higher, and nothing else has changed: only the longest mean knows of the level.
    pub fn shift(&mut self, by: f32) {
        self.taps.shift(by);
        let last = self.taps.len() - 1;
        self.level.0.iter_mut().for_each(|w| w.shift(last, by));
    }

    pub fn encode(&self, out: &mut Writer) {
        self.taps.encode(out);
        self.level.0.iter().for_each(|w| w.encode(out));
        self.step_size.iter().for_each(|v| out.f32(*v));
        self.variation.0.iter().for_each(|w| w.encode(out));
        out.f32(self.outside);
    }

    pub fn decode(&mut self, input: &mut Reader<'_>) -> Result<(), DecodeError> {
        self.taps.decode(input)?;
        self.level.0.iter_mut().try_for_each(|w| w.decode(input))?;
        for value in &mut self.step_size {
            *value = input.f32()?;
        }
        self.variation.0.iter_mut().try_for_each(|w| w.decode(input))?;
        self.outside = input.f32()?;
        Ok(())
    }
}
