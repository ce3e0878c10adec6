//! The pair of what rules are given and what they give: the past with its origins, and a path a piece.

use std::rc::Rc;

use super::Context;
use super::rules::Resets;

/// A rule that says how a series goes on, at any number of origins in one pass over it.
///
/// Asking for all origins at once is what makes judging cheap: a recursion passes each origin once on its way to the present, a
/// regression adds rows to what it had. What is said at an origin may depend on values before it and on nothing else.
pub(super) trait Rule: Send + Sync {
    fn name(&self) -> &'static str;

    /// Writes a path for each of the past's origins; those it has nothing to say at are left out.
    fn tell(&self, past: &Past<'_>, told: &mut Told);
}

/// A series as rules see it.
pub(super) struct Past<'a> {
    pub values: &'a [f64],
    /// Steps a season (two of which there are), or 0.
    pub season: usize,
    /// Where the teeth of a sawtooth began, as known at each origin.
    pub resets: &'a Resets,
    /// Lengths of the past from which is forecast, rising; the last is the present.
    pub origins: &'a [usize],
    pub context: &'a Context,
}

/// Paths of one rule.
#[derive(Clone, Debug)]
pub(super) struct Told {
    horizon: usize,
    /// Where each origin's path begins; a path is as long as matters: what lies after the present cannot be judged.
    starts: Rc<[usize]>,
    paths: Vec<f64>,
    said: Vec<bool>,
}

impl Told {
    pub(super) fn new(origins: &[usize], len: usize, horizon: usize) -> Self {
        let mut starts = Vec::with_capacity(origins.len() + 1);
        let mut end = 0;
        starts.push(end);
        for &origin in origins {
            end += if origin == len { horizon } else { horizon.min(len - origin) };
            starts.push(end);
        }
        Self::blank(horizon, starts.into())
    }

    /// The same before anything was said, for another rule.
    pub(super) fn anew(&self) -> Self {
        Self::blank(self.horizon, Rc::clone(&self.starts))
    }

    fn blank(horizon: usize, starts: Rc<[usize]>) -> Self {
        let (end, origins) = (starts.last().copied().unwrap_or(0), starts.len().saturating_sub(1));
        Self { horizon, starts, paths: Vec::with_capacity(end), said: vec![false; origins] }
    }

    pub(super) fn horizon(&self) -> usize {
        self.horizon
    }

    /// How many origins are asked about.
    pub(super) fn origins(&self) -> usize {
        self.said.len()
    }

    /// Steps to forecast at the origin of that number.
    pub(super) fn reach(&self, origin: usize) -> usize {
        self.starts[origin + 1] - self.starts[origin]
    }

    /// Has the path of one origin written; it counts if `write` says so and all of it is finite.
    pub(super) fn write(&mut self, origin: usize, write: impl FnOnce(&mut [f64]) -> bool) {
        let (start, end) = (self.starts[origin], self.starts[origin + 1]);
        // Room that nobody writes to is never made.
        if self.paths.len() < end {
            self.paths.resize(end, 0.0);
        }
        let path = &mut self.paths[start..end];
        self.said[origin] = write(path) && all_finite(path);
    }

    /// The path of an origin, as far as it matters, if the rule spoke there.
    #[inline]
    pub(super) fn path(&self, origin: usize) -> Option<&[f64]> {
        self.said[origin].then(|| &self.paths[self.starts[origin]..self.starts[origin + 1]])
    }
}

/// Whether all are, several side by side: what is no number, or none that ends, times zero is no number.
fn all_finite(values: &[f64]) -> bool {
    const LANES: usize = 4;
    let (chunks, rest) = values.as_chunks::<LANES>();
    let mut zeros = [0.0; LANES];
    for chunk in chunks {
        for lane in 0..LANES {
            zeros[lane] += 0.0 * chunk[lane];
        }
    }
    zeros.iter().chain(rest).all(|v| v.is_finite())
}
