//! How rare a distance is for this series: the largest of each hour are counted, and a distance is judged by the share of hours that held
//! one as large.
//!
//! Hours rather than samples, so that a series of a sample a minute and one of a sample an hour are judged alike, and neighbours in time
//! count once. The counts lie in a histogram of the logarithm, halved every two months; hours of many other series count beforehand, as
//! much as a bit more than two weeks of the series' own. Past the rarest seventh the share falls exponentially in the logarithm, which
//! holds for tails of any power.
//!
//! Counts are whole numbers of 16 bits. They don't fade: newer hours weigh more instead, until two months have doubled the weight and all
//! are halved. Fading each hour by a fraction would need the digits of 32 bits. They are kept as sums from the top, so that a sample looks up
//! one number instead of adding up thirty.

use super::codec::{DecodeError, Reader, Writer};

/// Quarters of an octave, from 2^-6 to 2^10: a distance of 1 is usual, one of 1,000 is as far as any.
pub(super) const BINS: usize = 64;
const BINS_AN_OCTAVE: f32 = 4.0;
const LOWEST_LOG2: f32 = -6.0;
/// Hours after which an hour counts half: 60 days.
const HALF_HOURS: u16 = 1440;
/// What an hour counts just after a halving. Twice that, for all 2,078 hours that are ever remembered in one bin, fits 16 bits.
const FIRST_WEIGHT: f32 = 15.5;
/// Hours of other series that count beforehand.
const PRIOR_HOURS: f32 = 400.0;
/// Where the tail begins: with fewer hours in it, each series' own few worst ones would say how it falls (on series that nothing was fitted to,
/// recall 0.011 lower at a twentieth).
const TAIL: f32 = 0.15;
/// Its natural logarithm.
const LN_TAIL: f32 = -1.897_12;
/// No tail falls more steeply than e-fold in an eighth of an octave: fewer hours than that would need have been seen.
const LEAST_BREADTH: f32 = 0.5;
/// Beyond the last bin the tail goes on for some octaves; then nothing is told apart.
const MOST: f32 = 120.0;

/// Share of other series' hours in each bin or above.
pub(super) type Prior = [f32; BINS + 1];

/// From shares of each bin.
pub(super) const fn prior(bins: &[f32; BINS]) -> Prior {
    let mut above = [0.0; BINS + 1];
    let mut b = BINS;
    while b > 0 {
        b -= 1;
        above[b] = above[b + 1] + bins[b];
    }
    above
}

/// Counted hours of one kind of distance. Which prior they come on top of is an argument: it is the same for all series.
#[derive(Clone, Debug)]
pub(super) struct Calibration {
    /// Weight of the hours in each bin or above.
    above: [u16; BINS],
    /// Hours since the last halving.
    age: u16,
    // What follows is made from what stands above, once an hour.
    /// What the prior's hours weigh.
    before: f32,
    /// From a weight to a share.
    scale: f32,
    tail_from: f32,
    breadth: f32,
}

/// Position of a distance on the logarithmic scale, in bins.
fn position(distance: f32) -> f32 {
    ((distance.max(1e-12).log2() - LOWEST_LOG2) * BINS_AN_OCTAVE).clamp(0.0, MOST)
}

impl Calibration {
    pub fn new(prior: &Prior) -> Self {
        let mut made = Self { above: [0; BINS], age: 0, before: 0.0, scale: 0.0, tail_from: 0.0, breadth: 1.0 };
        made.settle(prior);
        made
    }

    fn weight(&self) -> f32 {
        FIRST_WEIGHT * (f32::from(self.age) / f32::from(HALF_HOURS)).exp2()
    }

    /// Counts an hour by its largest distance.
    pub fn count(&mut self, largest: f32, prior: &Prior) {
        self.age += 1;
        if self.age >= HALF_HOURS {
            self.age = 0;
            self.above.iter_mut().for_each(|above| *above /= 2);
        }
        let weight = self.weight().round() as u16;
        let bin = (position(largest) as usize).min(BINS - 1);
        self.above[..=bin].iter_mut().for_each(|above| *above = above.saturating_add(weight));
        self.settle(prior);
    }

    fn settle(&mut self, prior: &Prior) {
        self.before = PRIOR_HOURS * self.weight();
        self.scale = 1.0 / (f32::from(self.above[0]) + self.before * prior[0]);
        let share = |b| self.share(b, prior);
        let first = (0..BINS - 1).rev().find(|b| share(*b) > TAIL).unwrap_or(0);
        let (at, below) = (share(first), share(first + 1));
        let tail_from = first as f32 + ((at - TAIL) / (at - below).max(1e-12)).clamp(0.0, 1.0);
        // The mean excess over the beginning of an exponential tail is its breadth.
        let mut excess = (TAIL - below) * ((first as f32 + 1.0 + tail_from) / 2.0 - tail_from);
        for b in first + 1..BINS {
            excess += (share(b) - share(b + 1)) * (b as f32 + 0.5 - tail_from);
        }
        self.tail_from = tail_from;
        self.breadth = (excess / TAIL).max(LEAST_BREADTH);
    }

    /// Share of hours in a bin or above.
    fn share(&self, b: usize, prior: &Prior) -> f32 {
        let counted = if b < BINS { f32::from(self.above[b]) } else { 0.0 };
        (counted + self.before * prior[b]) * self.scale
    }

    /// The natural logarithm of the share of hours with a distance at least as large.
    pub fn ln_p(&self, distance: f32, prior: &Prior) -> f32 {
        let at = position(distance);
        if at >= self.tail_from {
            return LN_TAIL - (at - self.tail_from) / self.breadth;
        }
        let b = usize::from(at as u8).min(BINS - 1);
        let (here, next) = (self.share(b, prior), self.share(b + 1, prior));
        (here + (next - here) * (at - b as f32)).min(1.0).ln()
    }

    /// The distance that a share of hours reaches: what [`Self::ln_p`] gives this logarithm for.
    pub fn distance(&self, ln_p: f32, prior: &Prior) -> f32 {
        let at = if ln_p <= LN_TAIL {
            self.tail_from + self.breadth * (LN_TAIL - ln_p)
        } else {
            let p = ln_p.exp();
            let b = (0..BINS).rev().find(|b| self.share(*b, prior) > p).unwrap_or(0);
            let (here, next) = (self.share(b, prior), self.share(b + 1, prior));
            b as f32 + ((here - p) / (here - next).max(1e-12)).clamp(0.0, 1.0)
        };
        (at.min(MOST) / BINS_AN_OCTAVE + LOWEST_LOG2).exp2()
    }

    pub fn encode(&self, out: &mut Writer) {
        self.above.iter().for_each(|above| out.u16(*above));
        out.u16(self.age);
    }

    pub fn decode(&mut self, input: &mut Reader<'_>, prior: &Prior) -> Result<(), DecodeError> {
        for above in &mut self.above {
            *above = input.u16()?;
        }
        self.age = input.u16()?;
        if self.age >= HALF_HOURS {
            return Err(input.wrong());
        }
        self.settle(prior);
        Ok(())
    }
}
