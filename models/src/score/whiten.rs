//! How far a small vector is from where its own past puts it, all directions measured alike: the Mahalanobis distance with a mean and a
//! covariance that are learned as samples come.
//!
//! A sum of squared z-scores would count one slow wave as many independent surprises, since views of one series rise and fall together.
//! Whitening counts each independent direction once (VUS-PR 0.08 lower without it). The covariance, not its factor, is updated with each
//! sample, and factored again now and then: a factor that is some samples old moves the distance by less than its own noise, and
//! costs a tenth of a rank-one update each time.
//!
//! Numbers are held in 32 bits, as they are written to disk: what is read back goes on exactly as what was written.

use super::codec::{DecodeError, Reader, Writer};

/// While a covariance changes quickly it is factored after as few samples as this.
const FACTOR_EARLY: u16 = 4;
/// Until here it changes quickly.
const EARLY_SAMPLES: u32 = 256;
/// Share of each direction's variance added to it: what keeps the factor finite when two directions are all but one.
const RIDGE: f32 = 1e-6;
/// Below it a variance is zero. Values come in units of the series' own scale.
const LEAST_VARIANCE: f32 = 1e-24;

/// Mean and covariance of vectors of up to `D` numbers.
#[derive(Clone, Debug)]
pub(super) struct Whitener<const D: usize> {
    dim: usize,
    /// Whether direction b is a mean over 2^b samples, of which n samples hold but n / 2^b: with so few its variance is not yet known, and
    /// is taken for larger, up to twice.
    is_doubling: bool,
    /// Samples that it remembers, about.
    memory: f32,
    seen: u32,
    /// Updates from one factoring to the next.
    every: u16,
    /// Updates since the last factoring.
    age: u16,
    mean: [f32; D],
    /// `covariance[b][a]` for a >= b; the rest is not used.
    covariance: [[f32; D]; D],
    /// Column by column: `factor[b][a]` is L(a, b) for a > b, and 1 / L(b, b) for a = b.
    factor: [[f32; D]; D],
}

/// A distance, and what it is made of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Distance<const D: usize> {
    /// Root of the mean square of `parts`: about 1 for what is usual.
    pub rms: f32,
    /// Independent z-scores, each given those before it.
    pub parts: [f32; D],
}

impl<const D: usize> Whitener<D> {
    pub fn new(dim: usize, is_doubling: bool, memory: f32, every: u16) -> Self {
        let dim = dim.min(D);
        Self {
            dim,
            is_doubling,
            memory,
            every: every.max(1),
            seen: 0,
            age: 0,
            mean: [0.0; D],
            covariance: [[0.0; D]; D],
            factor: [[0.0; D]; D],
        }
    }

    /// The distance of `x`; zero until the first factoring.
    pub fn distance(&self, x: &[f32; D]) -> Distance<D> {
        let mut left = [0.0; D];
        for a in 0..D {
            left[a] = x[a] - self.mean[a];
        }
        let mut sum = 0.0;
        let mut parts = [0.0; D];
        for b in 0..self.dim {
            let column = &self.factor[b];
            let y = left[b] * column[b];
            parts[b] = y;
            sum += y * y;
            for a in 0..D {
                // Rows up to b are done with: what happens to them does not matter, and the loop has no branch.
                left[a] -= column[a] * y;
            }
        }
        Distance { rms: (sum / self.dim as f32).sqrt(), parts }
    }

    /// Direction `a` is from now on so much higher, and nothing else has changed.
    pub fn shift(&mut self, a: usize, by: f32) {
        self.mean[a] += by;
    }

    /// Takes in `x` with a weight of at most 1. `floor` is added to every variance: below it no difference counts.
    pub fn learn(&mut self, x: &[f32; D], weight: f32, floor: f32) {
        self.seen = self.seen.saturating_add(1);
        let gain = weight * (1.0 / self.seen as f32).max(1.0 / self.memory);
        let mut error = [0.0; D];
        for a in 0..D {
            error[a] = x[a] - self.mean[a];
            self.mean[a] += gain * error[a];
        }
        let keep = 1.0 - gain;
        for b in 0..self.dim {
            let scaled = gain * error[b];
            let column = &mut self.covariance[b];
            for a in 0..D {
                column[a] = keep * (column[a] + scaled * error[a]);
            }
        }
        self.age += 1;
        let every = if self.seen < EARLY_SAMPLES { self.every.min(FACTOR_EARLY) } else { self.every };
        if self.age >= every {
            self.age = 0;
            self.refactor(floor);
        }
    }

    /// Cholesky's method on the covariance with the floor and the ridge on its diagonal.
    fn refactor(&mut self, floor: f32) {
        let d = self.dim;
        for b in 0..d {
            let mut column = self.covariance[b];
            let few =
                if self.is_doubling { (1_u32 << b) as f32 / ((1_u32 << b) as f32 + (self.seen as f32).min(self.memory)) } else { 0.0 };
            column[b] += (RIDGE + few) * column[b] + floor + LEAST_VARIANCE;
            for k in 0..b {
                let (done, lead) = (&self.factor[k], self.factor[k][b]);
                for (value, done) in column.iter_mut().zip(done) {
                    *value -= done * lead;
                }
            }
            // Rounding can take more than there is: a direction that is all but determined by those before it.
            let least = RIDGE * self.covariance[b][b] * 0.1 + floor + LEAST_VARIANCE;
            let inverse = 1.0 / column[b].max(least).sqrt();
            for (a, (factor, value)) in self.factor[b].iter_mut().zip(column).enumerate() {
                *factor = if a > b { value * inverse } else { 0.0 };
            }
            self.factor[b][b] = inverse;
        }
    }

    pub fn encode(&self, out: &mut Writer) {
        out.u32(self.seen);
        out.u16(self.age);
        for b in 0..self.dim {
            out.f32(self.mean[b]);
            (b..self.dim).for_each(|a| out.f32(self.covariance[b][a]));
            (b..self.dim).for_each(|a| out.f32(self.factor[b][a]));
        }
    }

    /// Reads back into one made with the same dimension and memory.
    pub fn decode(&mut self, input: &mut Reader<'_>) -> Result<(), DecodeError> {
        self.seen = input.u32()?;
        self.age = input.u16()?;
        for b in 0..self.dim {
            self.mean[b] = input.f32()?;
            for a in b..self.dim {
                self.covariance[b][a] = input.f32()?;
            }
            for a in b..self.dim {
                self.factor[b][a] = input.f32()?;
            }
        }
        Ok(())
    }
}
