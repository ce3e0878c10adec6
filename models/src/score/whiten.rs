//! How far a small vector is from where its own past puts it, all directions measured alike: the Mahalanobis distance with a mean and a
//! covariance that are learned as samples come, in two memories at once.
//!
//! A sum of squared z-scores would count one slow wave as many independent surprises, since views of one series rise and fall together.
//! Whitening counts each independent direction once (VUS-PR 0.08 lower without it). What is kept is not the covariance but its factors
//! L D L', which each sample moves by a rank-one update (Gill, Golub, Murray, Saunders, "Methods for modifying matrix factorizations",
//! 1974, method C1). Covariance and factor both would be nearly twice the state, and factoring anew now and then costs more than it
//! saves on series that want it often. Both memories of two directions go through in step, four lanes of the same instructions ([`Quad`]).
//!
//! Numbers are held in 32 bits, as they are written to disk: what is read back goes on exactly as what was written.

use super::codec::{DecodeError, Reader, Writer};
use super::quad::Quad;

/// Memories side by side.
pub(super) const MEMORIES: usize = 2;
/// A number for each memory.
pub(super) type Lanes = [f32; MEMORIES];

/// Share of each direction's variance added to it: what keeps the distance finite when two directions are all but one.
const RIDGE: f32 = 1e-6;
/// Quads at most: as many as the steps that are written out.
const MOST_QUADS: usize = 5;
/// Below it a variance is zero. Values come in units of the series' own scale.
const LEAST_VARIANCE: f32 = 1e-24;

/// Mean and covariance of vectors of up to `D` numbers; `L` is D (D - 1) / 2, `Q` half of D, rounded up.
#[derive(Clone, Debug)]
pub(super) struct Whitener<const D: usize, const L: usize, const Q: usize> {
    mean: [Lanes; D],
    /// D: of each direction, what those before it leave of its variance.
    left: [Lanes; D],
    /// L below its diagonal of ones, column by column: how much of direction a follows from what is left of direction b.
    lower: [Lanes; L],
}

/// What is known from outside of the whitener.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    /// Directions in use.
    pub dim: usize,
    /// Samples that each memory holds by now.
    pub samples: Lanes,
    /// Added to every variance: below it no difference counts.
    pub floor: f32,
}

/// A distance, and what it is made of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Distance<const Q: usize> {
    /// Mean square of independent z-scores, in each memory: about 1 for what is usual.
    pub square: Lanes,
    /// Squared z-scores, each given those before it.
    parts: [Quad; Q],
    /// Difference from the mean.
    error: [Quad; Q],
    /// The same without what follows from the directions before.
    own: [Quad; Q],
    /// What is added to what is left of each variance.
    spare: [Quad; Q],
}

impl<const Q: usize> Distance<Q> {
    /// The direction that stands out most in the longer memory, of `dim`; the last of equals.
    pub fn farthest(&self, dim: usize) -> usize {
        let (mut farthest, mut most) = (0, i32::MIN);
        for b in 0..2 * Q {
            // Numbers from zero up are in order as their bits are.
            let part = self.parts[b / 2].numbers()[b % 2 * MEMORIES + MEMORIES - 1].to_bits().cast_signed();
            (farthest, most) = if part >= most { (b, part) } else { (farthest, most) };
        }
        // Those that are not in use are zero.
        farthest.min(dim - 1)
    }
}

/// Two directions, of which nothing past the last one.
#[inline]
fn quad(of: &[Lanes], at: usize, has_second: bool) -> Quad {
    Quad::of(of[at], if has_second { of[at + 1] } else { [0.0; MEMORIES] })
}

#[inline]
fn set(of: &mut [Lanes], at: usize, has_second: bool, to: Quad) {
    of[at] = to.first();
    if has_second {
        of[at + 1] = to.second();
    }
}

impl<const D: usize, const L: usize, const Q: usize> Whitener<D, L, Q> {
    const IS_TRIANGLE: () = assert!(L == D * (D - 1) / 2 && Q == D.div_ceil(2) && Q <= MOST_QUADS);

    pub fn new() -> Self {
        let () = Self::IS_TRIANGLE;
        Self { mean: [[0.0; MEMORIES]; D], left: [[0.0; MEMORIES]; D], lower: [[0.0; MEMORIES]; L] }
    }

    /// Where it stands in `lower` how much of direction `a` follows from direction `b` before it.
    const fn at(b: usize, a: usize) -> usize {
        b * (2 * D - 1 - b) / 2 + a - b - 1
    }

    #[inline]
    fn quads(of: &[Lanes; D]) -> [Quad; Q] {
        std::array::from_fn(|q| quad(of, 2 * q, 2 * q + 1 < D))
    }

    /// The distance of `x`, which is 0 beyond the directions in use. Where it `IS_DOUBLING`, direction b is a mean over 2^b samples, of which
    /// n samples hold but n / 2^b: with so few its variance is not yet known, and is taken for larger, up to twice.
    pub fn distance<const IS_DOUBLING: bool>(&self, x: &[f32; D], known: Known) -> Distance<Q> {
        let (mean, left) = (Self::quads(&self.mean), Self::quads(&self.left));
        let x = Self::quads(&x.map(|x| [x; MEMORIES]));
        let error: [Quad; Q] = std::array::from_fn(|q| x[q] - mean[q]);
        let (mut own, mut variance) = (error, left);
        self.unfollow::<0>(&left, &mut own, &mut variance);
        self.unfollow::<1>(&left, &mut own, &mut variance);
        self.unfollow::<2>(&left, &mut own, &mut variance);
        self.unfollow::<3>(&left, &mut own, &mut variance);
        self.unfollow::<4>(&left, &mut own, &mut variance);
        // All divisions at once: among the steps above each would wait for the one before.
        let (mut spare, mut parts) = ([Quad::all(0.0); Q], [Quad::all(0.0); Q]);
        let mut square = [0.0; MEMORIES];
        for q in 0..Q {
            let mut share = Quad::all(RIDGE);
            if IS_DOUBLING {
                let size = Quad::of([(1_u32 << (2 * q)) as f32; MEMORIES], [(2_u32 << (2 * q)) as f32; MEMORIES]);
                share = share + size / (size + Quad::twice(known.samples) + Quad::all(f32::MIN_POSITIVE));
            }
            spare[q] = share * variance[q] + Quad::all(known.floor) + Quad::all(LEAST_VARIANCE);
            parts[q] = own[q] * own[q] / (left[q] + spare[q]);
            let (first, second) = (parts[q].first(), parts[q].second());
            square = [square[0] + first[0] + second[0], square[1] + first[1] + second[1]];
        }
        Distance { square: square.map(|s| s / known.dim as f32), parts, error, own, spare }
    }

    /// Takes from all directions after the `B`-th two what follows from those, and adds up what it makes of their variance.
    ///
    /// Never inlined: as one piece of code with the other steps it is not turned into the few wide instructions that it is on its own.
    #[inline(never)]
    fn unfollow<const B: usize>(&self, left: &[Quad; Q], own: &mut [Quad; Q], variance: &mut [Quad; Q]) {
        if B >= Q {
            return;
        }
        let b = 2 * B;
        let (first, first_left) = (own[B].firsts(), left[B].firsts());
        if b + 1 < D {
            let follows = Quad::twice(self.lower[Self::at(b, b + 1)]);
            own[B] = own[B].with_second(own[B] - follows * first);
            variance[B] = variance[B].with_second(variance[B] + follows * follows * first_left);
        }
        let (second, second_left) = (own[B].seconds(), left[B].seconds());
        for a in B + 1..Q {
            let of_first = quad(&self.lower, Self::at(b, 2 * a), 2 * a + 1 < D);
            let of_second = quad(&self.lower, Self::at(b + 1, 2 * a), 2 * a + 1 < D);
            own[a] = own[a] - of_first * first - of_second * second;
            variance[a] = variance[a] + of_first * of_first * first_left + of_second * of_second * second_left;
        }
    }

    /// Direction `a` is from now on so much higher, and nothing else has changed.
    pub fn shift(&mut self, a: usize, by: f32) {
        self.mean[a].iter_mut().for_each(|mean| *mean += by);
    }

    /// Takes in what was at this distance, with a gain for each memory.
    pub fn learn(&mut self, gain: Lanes, of: &Distance<Q>) {
        let (mean, mut left) = (Self::quads(&self.mean), Self::quads(&self.left));
        let keep = gain.map(|g| 1.0 - g);
        let (gains, keeps, least) = (Quad::twice(gain), Quad::twice(keep), Quad::all(LEAST_VARIANCE));
        // One over what is left of the sample's own weight after the directions so far: a sum, so that no division waits for another.
        let mut rarity = [Quad::all(0.0); Q];
        let mut sum = [1.0 / (gain[0] * keep[0]), 1.0 / (gain[1] * keep[1])];
        for q in 0..Q {
            set(&mut self.mean, 2 * q, 2 * q + 1 < D, mean[q] + gains * of.error[q]);
            let part = of.own[q] * of.own[q] / (keeps * left[q] + least);
            let (first, second) = (part.first(), part.second());
            let before = sum;
            sum = [sum[0] + first[0], sum[1] + first[1]];
            rarity[q] = Quad::of(before, sum);
            sum = [sum[0] + second[0], sum[1] + second[1]];
        }
        let mut follow = [Quad::all(0.0); Q];
        for q in 0..Q {
            let pull = of.own[q] / rarity[q];
            left[q] = keeps * left[q] + pull * of.own[q];
            set(&mut self.left, 2 * q, 2 * q + 1 < D, left[q]);
            // With the spare variance: what moves within rounding only teaches nothing about the others.
            follow[q] = pull / (left[q] + of.spare[q]);
        }
        let mut ahead = of.error;
        self.teach::<0>(&of.own, &follow, &mut ahead);
        self.teach::<1>(&of.own, &follow, &mut ahead);
        self.teach::<2>(&of.own, &follow, &mut ahead);
        self.teach::<3>(&of.own, &follow, &mut ahead);
        self.teach::<4>(&of.own, &follow, &mut ahead);
    }

    /// Has all directions after the `B`-th two learn what follows from those.
    #[inline]
    fn teach<const B: usize>(&mut self, own: &[Quad; Q], follow: &[Quad; Q], ahead: &mut [Quad; Q]) {
        if B >= Q {
            return;
        }
        let b = 2 * B;
        let (first, first_follow) = (own[B].firsts(), follow[B].firsts());
        if b + 1 < D {
            let follows = Quad::twice(self.lower[Self::at(b, b + 1)]);
            let rest = ahead[B].seconds() - follows * first;
            self.lower[Self::at(b, b + 1)] = (follows + first_follow * rest).first();
        }
        let (second, second_follow) = (own[B].seconds(), follow[B].seconds());
        for (a, ahead) in (B + 1..).zip(&mut ahead[B + 1..]) {
            let has_second = 2 * a + 1 < D;
            let (at_first, at_second) = (Self::at(b, 2 * a), Self::at(b + 1, 2 * a));
            let (of_first, of_second) = (quad(&self.lower, at_first, has_second), quad(&self.lower, at_second, has_second));
            *ahead = *ahead - of_first * first;
            set(&mut self.lower, at_first, has_second, of_first + first_follow * *ahead);
            *ahead = *ahead - of_second * second;
            set(&mut self.lower, at_second, has_second, of_second + second_follow * *ahead);
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
