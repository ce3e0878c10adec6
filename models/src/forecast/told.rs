//! The pair of what rules are given and what they give: the past with its origins, and a path a piece.

use super::Context;

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
    /// For each value, where its tooth of a sawtooth began.
    pub since: &'a [usize],
    /// Lengths of the past from which is forecast, rising; the last is the present.
    pub origins: &'a [usize],
    pub context: &'a Context,
}

/// Paths of one rule.
#[derive(Clone, Debug)]
pub(super) struct Told {
    horizon: usize,
    /// Steps that matter at each origin: what lies after the present cannot be judged.
    reach: Vec<usize>,
    paths: Vec<f64>,
    said: Vec<bool>,
}

impl Told {
    pub(super) fn new(origins: &[usize], len: usize, horizon: usize) -> Self {
        let reach = origins.iter().map(|&o| if o == len { horizon } else { horizon.min(len - o) }).collect();
        Self { horizon, reach, paths: vec![f64::NAN; origins.len() * horizon], said: vec![false; origins.len()] }
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
        self.reach[origin]
    }

    /// Has the path of one origin written; it counts if `write` says so and all of it is finite.
    pub(super) fn write(&mut self, origin: usize, write: impl FnOnce(&mut [f64]) -> bool) {
        let start = origin * self.horizon;
        let path = &mut self.paths[start..start + self.reach[origin]];
        self.said[origin] = write(path) && path.iter().all(|v| v.is_finite());
    }

    /// The path of an origin, as far as it matters, if the rule spoke there.
    pub(super) fn path(&self, origin: usize) -> Option<&[f64]> {
        let start = origin * self.horizon;
        self.said[origin].then(|| &self.paths[start..start + self.reach[origin]])
    }
}
