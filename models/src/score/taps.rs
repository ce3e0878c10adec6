//! One series of residuals seen over many lengths of time: exponential means over 1, 2, 4, ... samples, as the bands between them.
//!
//! The first band is how a sample differs from the mean over two, the next how that differs from the mean over four, and the last is the
//! longest mean itself. Together they hold what the means hold, but nearly independent of each other, which 32 bits can whiten.

use super::codec::{DecodeError, Reader, Writer};
use super::larger;

/// A day of minutes is 2^10.5 samples: means over 512 minutes still follow what the seasonal expectation leaves of a day.
pub(super) const MOST_TAPS: usize = 10;

/// As many as fit into a day of so many samples.
pub(super) fn taps_of(samples_a_day: f32) -> usize {
    samples_a_day.log2().round().clamp(1.0, (MOST_TAPS - 1) as f32) as usize + 1
}

#[derive(Clone, Debug)]
pub(super) struct Taps([f32; MOST_TAPS]);

impl Taps {
    pub fn new() -> Self {
        Self([0.0; MOST_TAPS])
    }

    /// Takes in the `seen`-th residual (from 0), and gives the bands of `len` taps.
    pub fn push(&mut self, len: usize, residual: f32, seen: u32) -> [f32; MOST_TAPS] {
        let start = 1.0 / (seen as f32 + 1.0);
        let mut gain = 1.0_f32;
        // All of them, with steps known beforehand: those beyond are never asked for.
        for mean in &mut self.0 {
            *mean += larger(start, gain) * (residual - *mean);
            gain *= 0.5;
        }
        let mut bands = self.0;
        for (band, longer) in bands.iter_mut().zip(&self.0[1..]) {
            *band -= longer;
        }
        bands[len..].fill(0.0);
        bands[len - 1] = self.0[len - 1];
        bands
    }

    /// Residuals are from now on so much higher, and nothing else has changed.
    pub fn shift(&mut self, by: f32) {
        self.0.iter_mut().for_each(|m| *m += by);
    }

    /// The mean over 2^`k` samples.
    pub fn mean(&self, k: usize) -> f32 {
        self.0[k]
    }

    pub fn encode(&self, len: usize, out: &mut Writer) {
        self.0[..len].iter().for_each(|m| out.f32(*m));
    }

    pub fn decode(&mut self, len: usize, input: &mut Reader<'_>) -> Result<(), DecodeError> {
        for mean in &mut self.0[..len] {
            *mean = input.f32()?;
        }
        Ok(())
    }
}
