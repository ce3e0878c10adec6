//! How rare a distance is for this series: the largest of each hour are counted, and a distance is judged by the share of hours that held
//! one as large.
//!
//! Hours rather than samples, so that a series of a sample a minute and one of a sample an hour are judged alike, and neighbours in time
//! count once. The counts lie in a histogram of the logarithm, halved every two months; hours of many other series count beforehand, as
//! much as a bit more than two weeks of the series' own. Past the rarest twentieth the share falls exponentially in the logarithm, which
//! holds for tails of any power.

use super::codec::{DecodeError, Reader, Writer};

/// Quarters of an octave, from 2^-6 to 2^10: a distance of 1 is usual, one of 1,000 is as far as any.
const BINS: usize = 64;
const BINS_AN_OCTAVE: f32 = 4.0;
const LOWEST_LOG2: f32 = -6.0;
/// What an hour's count is worth an hour later: half after 60 days.
const KEEP: f32 = 0.999_518_8;
/// Hours of other series that count beforehand.
const PRIOR_HOURS: f32 = 400.0;
/// Where the tail begins.
const TAIL: f32 = 0.05;
/// No tail falls more steeply than e-fold in an eighth of an octave: fewer hours than that would need have been seen.
const LEAST_BREADTH: f32 = 0.5;
/// Beyond the last bin the tail goes on for some octaves; then nothing is told apart.
const MOST: f32 = 120.0;

/// Counted hours of one kind of distance.
#[derive(Clone, Debug)]
pub(super) struct Calibration {
    hours: [f32; BINS],
    prior: &'static [f32; BINS],
    // What follows is made from what stands above, once an hour.
    /// Share of hours with a distance in this bin or above.
    share: [f32; BINS + 1],
    tail_from: f32,
    breadth: f32,
}

/// Position of a distance on the logarithmic scale, in bins.
fn position(distance: f32) -> f32 {
    ((distance.max(1e-12).log2() - LOWEST_LOG2) * BINS_AN_OCTAVE).clamp(0.0, MOST)
}

impl Calibration {
    pub fn new(prior: &'static [f32; BINS]) -> Self {
        let mut made = Self { hours: [0.0; BINS], prior, share: [0.0; BINS + 1], tail_from: 0.0, breadth: 1.0 };
        made.settle();
        made
    }

    /// Counts an hour by its largest distance.
    pub fn count(&mut self, largest: f32) {
        self.hours.iter_mut().for_each(|h| *h *= KEEP);
        self.hours[(position(largest) as usize).min(BINS - 1)] += 1.0;
        self.settle();
    }

    fn settle(&mut self) {
        let mut sum = 0.0;
        for b in (0..BINS).rev() {
            sum += self.hours[b] + PRIOR_HOURS * self.prior[b];
            self.share[b] = sum;
        }
        self.share.iter_mut().for_each(|s| *s /= sum);
        self.share[BINS] = 0.0;
        let first = (0..BINS - 1).find(|b| self.share[b + 1] <= TAIL).unwrap_or(BINS - 1);
        let (above, below) = (self.share[first], self.share[first + 1]);
        self.tail_from = first as f32 + ((above - TAIL) / (above - below).max(1e-12)).clamp(0.0, 1.0);
        // The mean excess over the beginning of an exponential tail is its breadth.
        let mut excess = (TAIL - below) * ((first as f32 + 1.0 + self.tail_from) / 2.0 - self.tail_from);
        for b in first + 1..BINS {
            excess += (self.share[b] - self.share[b + 1]) * (b as f32 + 0.5 - self.tail_from);
        }
        self.breadth = (excess / TAIL).max(LEAST_BREADTH);
    }

    /// The natural logarithm of the share of hours with a distance at least as large.
    pub fn ln_p(&self, distance: f32) -> f32 {
        let at = position(distance);
        if at >= self.tail_from {
            return TAIL.ln() - (at - self.tail_from) / self.breadth;
        }
        let b = (at as usize).min(BINS - 1);
        (self.share[b] + (self.share[b + 1] - self.share[b]) * (at - b as f32)).ln()
    }

    /// The distance that a share `p` of hours reaches: what [`Self::ln_p`] gives the logarithm of `p` for.
    pub fn distance(&self, p: f32) -> f32 {
        let at = if p <= TAIL {
            self.tail_from + self.breadth * (TAIL / p.max(1e-30)).ln()
        } else {
            let b = (0..BINS - 1).find(|b| self.share[b + 1] <= p).unwrap_or(BINS - 1);
            b as f32 + ((self.share[b] - p) / (self.share[b] - self.share[b + 1]).max(1e-12)).clamp(0.0, 1.0)
        };
        (at.min(MOST) / BINS_AN_OCTAVE + LOWEST_LOG2).exp2()
    }

    pub fn encode(&self, out: &mut Writer) {
        self.hours.iter().for_each(|h| out.f32(*h));
    }

    pub fn decode(&mut self, input: &mut Reader<'_>) -> Result<(), DecodeError> {
        for h in &mut self.hours {
            *h = input.f32()?;
        }
        self.settle();
        Ok(())
    }
}
