//! How far a small vector is from where its own past puts it, all directions measured alike: the Mahalanobis distance with a mean and a
//! covariance that are learned as samples come, in two memories at once.
//!
//! A sum of squared z-scores would count one slow wave as many independent surprises, since views of one series rise and fall together.
//! Whitening counts each independent direction once (VUS-PR 0.08 lower without it). What is kept is not the covariance but its factors
//! L D L', which each sample moves by a rank-one update (Gill, Golub, Murray, Saunders, "Methods for modifying matrix factorizations",
//! 1974, method C1). Covariance and factor both would be nearly twice the state, and factoring anew now and then costs more than it
//! saves on series that want it often. Both memories go through in step, two lanes of the same instructions.
//!
//! Numbers are held in 32 bits, as they are written to disk: what is read back goes on exactly as what was written.

use super::codec::{DecodeError, Reader, Writer};

/// Memories side by side.
pub(super) const MEMORIES: usize = 2;
/// A number for each memory.
pub(super) type Lanes = [f32; MEMORIES];

/// Share of each direction's variance added to it: what keeps the distance finite when two directions are all but one.
const RIDGE: f32 = 1e-6;
/// Below it a variance is zero. Values come in units of the series' own scale.
const LEAST_VARIANCE: f32 = 1e-24;

/// Mean and covariance of vectors of up to `D` numbers; `L` is D (D - 1) / 2.
#[derive(Clone, Debug)]
pub(super) struct Whitener<const D: usize, const L: usize> {
    mean: [Lanes; D],
    /// D: of each direction, what those before it leave of its variance.
    left: [Lanes; D],
    /// L below its diagonal of ones, column by column: how much of direction a follows from what is left of direction b.
    lower: [Lanes; L],
}

/// Both lanes twice over: four numbers fill a register.
fn twice(lanes: Lanes) -> [f32; 2 * MEMORIES] {
    [lanes[0], lanes[1], lanes[0], lanes[1]]
}

/// What is known from outside of the whitener.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    /// Directions in use.
    pub dim: usize,
    /// Samples that each memory holds by now.
    pub samples: Lanes,
    /// Whether direction b is a mean over 2^b samples, of which n samples hold but n / 2^b: with so few its variance is not yet known, and
    /// is taken for larger, up to twice.
    pub is_doubling: bool,
    /// Added to every variance: below it no difference counts.
    pub floor: f32,
}

/// A distance, and what it is made of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Distance<const D: usize> {
    /// Mean square of independent z-scores, in each memory: about 1 for what is usual.
    pub square: Lanes,
    /// Squared z-scores in the longer memory, each given those before it.
    pub parts: [f32; D],
    /// Difference from the mean.
    error: [Lanes; D],
    /// The same without what follows from the directions before.
    own: [Lanes; D],
    /// What is added to what is left of each variance.
    spare: [Lanes; D],
}

impl<const D: usize, const L: usize> Whitener<D, L> {
    const IS_TRIANGLE: () = assert!(L == D * (D - 1) / 2);

    pub fn new() -> Self {
        let () = Self::IS_TRIANGLE;
        Self { mean: [[0.0; MEMORIES]; D], left: [[0.0; MEMORIES]; D], lower: [[0.0; MEMORIES]; L] }
    }

    /// The distance of `x`, which is 0 beyond the directions in use.
    pub fn distance(&self, x: &[f32; D], known: Known) -> Distance<D> {
        let mut error = [[0.0; MEMORIES]; D];
        for ((error, mean), x) in error.iter_mut().zip(&self.mean).zip(x) {
            *error = mean.map(|mean| x - mean);
        }
        // What each direction is beyond what follows from those before it, and its whole variance.
        let (mut own, mut variance) = (error, self.left);
        let mut column = 0;
        for b in 0..known.dim.min(D) {
            let next = column + D - 1 - b;
            let (follows, follows_rest) = self.lower[column..next].as_flattened().as_chunks::<4>();
            column = next;
            let (y, left) = (twice(own[b]), twice(self.left[b]));
            let (own, own_rest) = own[b + 1..].as_flattened_mut().as_chunks_mut::<4>();
            let (variance, variance_rest) = variance[b + 1..].as_flattened_mut().as_chunks_mut::<4>();
            for ((own, variance), follows) in own.iter_mut().zip(variance).zip(follows) {
                for i in 0..4 {
                    own[i] -= follows[i] * y[i];
                    variance[i] += follows[i] * follows[i] * left[i];
                }
            }
            for i in 0..follows_rest.len() {
                own_rest[i] -= follows_rest[i] * y[i];
                variance_rest[i] += follows_rest[i] * follows_rest[i] * left[i];
            }
        }
        // All divisions at once: inside of the loop above each would wait for the one before.
        let (mut spare, mut parts) = ([[0.0; MEMORIES]; D], [[0.0; MEMORIES]; D]);
        for b in 0..D {
            let size = if known.is_doubling { (1_u32 << b) as f32 } else { 0.0 };
            for m in 0..MEMORIES {
                let few = size / (size + known.samples[m] + f32::MIN_POSITIVE);
                spare[b][m] = (RIDGE + few) * variance[b][m] + known.floor + LEAST_VARIANCE;
                parts[b][m] = own[b][m] * own[b][m] / (self.left[b][m] + spare[b][m]);
            }
        }
        let mut square = [0.0; MEMORIES];
        for part in &parts {
            for m in 0..MEMORIES {
                square[m] += part[m];
            }
        }
        Distance { square: square.map(|s| s / known.dim as f32), parts: parts.map(|part| part[MEMORIES - 1]), error, own, spare }
    }

    /// Direction `a` is from now on so much higher, and nothing else has changed.
    pub fn shift(&mut self, a: usize, by: f32) {
        self.mean[a].iter_mut().for_each(|mean| *mean += by);
    }

    /// Takes in what was at this distance, with a gain for each memory.
    pub fn learn(&mut self, dim: usize, gain: Lanes, of: &Distance<D>) {
        let mut ahead = of.error;
        for (mean, error) in self.mean.iter_mut().zip(&ahead) {
            for m in 0..MEMORIES {
                mean[m] += gain[m] * error[m];
            }
        }
        let keep = gain.map(|g| 1.0 - g);
        // One over what is left of the sample's own weight after the directions so far: a sum, so that no division waits for another.
        let mut rarity = [[0.0; MEMORIES]; D];
        let mut sum = [1.0 / (gain[0] * keep[0]), 1.0 / (gain[1] * keep[1])];
        for ((rarity, own), left) in rarity.iter_mut().zip(&of.own).zip(&self.left) {
            *rarity = sum;
            for m in 0..MEMORIES {
                sum[m] += own[m] * own[m] / (keep[m] * left[m] + LEAST_VARIANCE);
            }
        }
        let mut follow = [[0.0; MEMORIES]; D];
        for b in 0..D {
            for m in 0..MEMORIES {
                let pull = of.own[b][m] / rarity[b][m];
                self.left[b][m] = keep[m] * self.left[b][m] + pull * of.own[b][m];
                // With the spare variance: what moves within rounding only teaches nothing about the others.
                follow[b][m] = pull / (self.left[b][m] + of.spare[b][m]);
            }
        }
        let mut column = 0;
        for b in 0..dim.min(D) {
            let next = column + D - 1 - b;
            let (follows, follows_rest) = self.lower[column..next].as_flattened_mut().as_chunks_mut::<4>();
            column = next;
            let (y, follow) = (twice(of.own[b]), twice(follow[b]));
            let (ahead, ahead_rest) = ahead[b + 1..].as_flattened_mut().as_chunks_mut::<4>();
            for (ahead, follows) in ahead.iter_mut().zip(follows) {
                for i in 0..4 {
                    ahead[i] -= follows[i] * y[i];
                    follows[i] += follow[i] * ahead[i];
                }
            }
            for i in 0..follows_rest.len() {
                ahead_rest[i] -= follows_rest[i] * y[i];
                follows_rest[i] += follow[i] * ahead_rest[i];
            }
        }
    }

    pub fn encode(&self, out: &mut Writer) {
        self.mean.iter().chain(&self.left).chain(&self.lower).flatten().for_each(|v| out.f32(*v));
    }

    pub fn decode(&mut self, input: &mut Reader<'_>) -> Result<(), DecodeError> {
        for value in self.mean.iter_mut().chain(&mut self.left).chain(&mut self.lower).flatten() {
            *value = input.f32()?;
        }
        Ok(())
    }
}
