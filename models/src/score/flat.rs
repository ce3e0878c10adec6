//! Runs of the same value and runs of no value: how unlikely their length is, had each sample been like the last by chance alone.
//!
//! A series that often stands still has long runs, and one that never does has none; so the measure is the run's length times the logarithm
//! of how rarely a sample equals the one before it. It is not a probability, since runs come in bursts; the calibration makes it one.

use super::codec::{DecodeError, Reader, Writer};

/// However rarely a value repeats, a repeat is not rarer than this: two equal samples prove no sensor dead.
const LEAST_SHARE: f32 = 0.05;
/// However often a value repeats, some share of samples would have moved.
const MOST_SHARE: f32 = 0.99;

#[derive(Clone, Debug, Default)]
pub(super) struct Runs {
    /// Samples in a row that were as the one before.
    still: f32,
    /// Share of samples that are.
    still_share: f32,
    /// Steps without a sample before the last one.
    missed: f32,
    /// Share of steps without a sample.
    missed_share: f32,
}

impl Runs {
    /// Takes in whether a sample is as the one before, and how many steps lie without one in between.
    pub fn push(&mut self, is_still: bool, missed: f32, gain: f32) {
        self.still = if is_still { self.still + 1.0 } else { 0.0 };
        self.still_share += gain * (f32::from(u8::from(is_still)) - self.still_share);
        self.missed = missed;
        self.missed_share += gain * (missed / (1.0 + missed) - self.missed_share);
    }

    pub fn still(&self) -> f32 {
        if self.still > 0.0 { self.still * rarity(self.still_share) } else { 0.0 }
    }

    pub fn missed(&self) -> f32 {
        if self.missed > 0.0 { self.missed * rarity(self.missed_share) } else { 0.0 }
    }

    pub fn encode(&self, out: &mut Writer) {
        for value in [self.still, self.still_share, self.missed, self.missed_share] {
            out.f32(value);
        }
    }

    pub fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { still: input.f32()?, still_share: input.f32()?, missed: input.f32()?, missed_share: input.f32()? })
    }
}

fn rarity(share: f32) -> f32 {
    -(share * MOST_SHARE).max(LEAST_SHARE).ln()
}
