//! One series of residuals seen over many lengths of time: exponential means over 1, 2, 4, ... samples, as the bands between them.
//!
//! The first band is how a sample differs from the mean over two, the next how that differs from the mean over four, and the last is the
//! longest mean itself. Together they hold what the means hold, but nearly independent of each other, which 32 bits can whiten.

use super::codec::{DecodeError, Reader, Writer};

/// A day of minutes is 2^10.5 samples: means over 512 minutes still follow what the seasonal expectation leaves of a day.
pub(super) const MOST_TAPS: usize = 10;

#[derive(Clone, Debug)]
pub(super) struct Taps {
    len: usize,
    mean: [f32; MOST_TAPS],
}

impl Taps {
    /// As many as fit into a day.
    pub fn new(samples_a_day: f32) -> Self {
        let len = samples_a_day.log2().round().clamp(1.0, (MOST_TAPS - 1) as f32) as usize + 1;
        Self { len, mean: [0.0; MOST_TAPS] }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    /// Takes in the `seen`-th residual (from 0), and gives the bands.
    pub fn push(&mut self, residual: f32, seen: u32) -> [f32; MOST_TAPS] {
        let start = 1.0 / (seen as f32 + 1.0);
        let mut gain = 1.0_f32;
        for mean in &mut self.mean[..self.len] {
            *mean += start.max(gain) * (residual - *mean);
            gain *= 0.5;
        }
        let mut bands = [0.0; MOST_TAPS];
        for (k, band) in bands.iter_mut().enumerate().take(self.len) {
            *band = self.mean[k] - if k + 1 < self.len { self.mean[k + 1] } else { 0.0 };
        }
        bands
    }

    /// Residuals are from now on so much higher, and nothing else has changed.
    pub fn shift(&mut self, by: f32) {
        self.mean[..self.len].iter_mut().for_each(|m| *m += by);
    }

    /// The mean over 2^`k` samples, or the longest.
    pub fn mean(&self, k: usize) -> f32 {
        self.mean[k.min(self.len - 1)]
    }

    pub fn encode(&self, out: &mut Writer) {
        self.mean[..self.len].iter().for_each(|m| out.f32(*m));
    }

    pub fn decode(&mut self, input: &mut Reader<'_>) -> Result<(), DecodeError> {
        for mean in &mut self.mean[..self.len] {
            *mean = input.f32()?;
        }
        Ok(())
    }
}
