//! The views of one series that are measured against their own past: its residual at many scales, and how much it varies.

use super::codec::{DecodeError, Reader, Writer};
use super::season::gain;
use super::taps::{MOST_TAPS, Taps};
use super::whiten::{Known, Lanes, MEMORIES, Whitener};
use super::{larger, smaller};

/// Memories of the two whiteners of each view, in days: the short one forgets an incident before the next, the long one has seen a month.
const MEMORIES_DAYS: Lanes = [3.0, 28.0];
/// Samples over which variation is measured.
const VARIATION_OVER: [f32; VARIATIONS] = [4.0, 16.0, 64.0];
const VARIATIONS: usize = 3;
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

/// Further than this nothing is told apart, and the sums stay finite.
const MOST_DISTANCE: f32 = 1e8;

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
    level: Whitener<MOST_TAPS, { MOST_TAPS * (MOST_TAPS - 1) / 2 }, { MOST_TAPS.div_ceil(2) }>,
    step_size: [f32; VARIATIONS],
    variation: Whitener<VARIATIONS, { VARIATIONS * (VARIATIONS - 1) / 2 }, { VARIATIONS.div_ceil(2) }>,
    /// Samples out of bounds.
    outside: f32,
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
    pub samples_a_day: f32,
    /// How many taps.
    pub taps: usize,
}

impl Views {
    pub fn new() -> Self {
        Self { taps: Taps::new(), level: Whitener::new(), step_size: [0.0; VARIATIONS], variation: Whitener::new(), outside: 0.0 }
    }

    /// Measures the sample, then learns from it.
    pub fn push(&mut self, sample: Sample) -> Seen {
        let bands = self.taps.push(sample.taps, sample.residual, sample.seen);
        // What one smallest move would do to the logarithm, once it is nearly all there is.
        let log_floor = (LOG_SHARE * sample.resolution / (self.step_size[VARIATIONS - 1] + sample.least)).powi(2);
        let mut logs = [0.0; VARIATIONS];
        for (k, over) in VARIATION_OVER.into_iter().enumerate() {
            self.step_size[k] += gain(sample.seen, over) * (sample.step - self.step_size[k]);
            logs[k] = (self.step_size[k] + sample.least).ln();
        }
        let memories = MEMORIES_DAYS.map(|days| (days * sample.samples_a_day).max(1.0));
        let samples = memories.map(|memory| smaller(sample.seen as f32, memory));
        let floor = RESOLUTION_VARIANCE * sample.resolution * sample.resolution;
        let level = self.level.distance::<true>(&bands, Known { dim: sample.taps, samples, floor });
        let variation = self.variation.distance::<false>(&logs, Known { dim: VARIATIONS, samples, floor: log_floor });

        let is_young = (sample.seen as f32) < sample.samples_a_day;
        let out = larger(level.square[0], variation.square[0]) > BOUND * BOUND && !is_young;
        self.outside = if out { self.outside + 1.0 } else { (self.outside - BACK).max(0.0) };
        let used_to = (self.outside / sample.samples_a_day).powi(2).max(LEAST_WEIGHT);
        let weight = |square: f32| {
            if is_young || square <= BOUND * BOUND { 1.0 } else { smaller(larger(BOUND * BOUND / square, used_to), 1.0) }
        };
        let gains = memories.map(|memory| gain(sample.seen, memory));
        let weighed = |square: Lanes| [gains[0] * weight(square[0]), gains[1] * weight(square[1])];
        self.level.learn(weighed(level.square), &level);
        self.variation.learn(weighed(variation.square), &variation);

        let off_season = self.taps.mean(SEASON_TAP.min(sample.taps - 1)) / larger(sample.scale, 0.3 * sample.resolution);
        let mean = |square: Lanes| square.iter().sum::<f32>() / MEMORIES as f32;
        let (level_part, variation_part, season_part) =
            (mean(level.square), VARIATION_WEIGHT * mean(variation.square), SEASON_WEIGHT * off_season * off_season);
        Seen {
            distance: (level_part + variation_part + season_part).sqrt().min(MOST_DISTANCE),
            scale: level.farthest(sample.taps),
            level: level_part,
            variation: variation_part,
            season: season_part,
        }
    }

    /// Residuals are from now on so much higher, and nothing else has changed: only the longest mean knows of the level.
    pub fn shift(&mut self, taps: usize, by: f32) {
        self.taps.shift(by);
        self.level.shift(taps - 1, by);
    }

    pub fn encode(&self, taps: usize, out: &mut Writer) {
        self.taps.encode(taps, out);
        self.level.encode(out);
        self.step_size.iter().for_each(|v| out.f32(*v));
        self.variation.encode(out);
        out.f32(self.outside);
    }

    pub fn decode(&mut self, taps: usize, input: &mut Reader<'_>) -> Result<(), DecodeError> {
        self.taps.decode(taps, input)?;
        self.level.decode(input)?;
        for value in &mut self.step_size {
            *value = input.f32()?;
        }
        self.variation.decode(input)?;
        self.outside = input.f32()?;
        Ok(())
    }
}
