//! What a model got wrong at past origins of the same series: the one honest source of its intervals and of breach probabilities.
//!
//! An error path is truth minus prediction at steps 1, 2, ... after one past origin. Whole paths are kept, not only their quantiles: the
//! chance to cross a threshold *at some time* within the horizon depends on how errors hang together along a path, and the largest
//! marginal tail overstates it.

use ndarray::Array2;

use super::bands::Bands;
use super::context::{Context, MIN_POINTS};
use crate::robust::quantile_mut;

/// Past origins that are looked at, where the horizon is short. More cost time linearly; calibration gained little beyond this (error paths
/// of neighbouring origins overlap).
const MAX_ORIGINS: usize = 40;
/// However long the horizon, so many.
const MIN_ORIGINS: usize = 16;
/// Steps that are looked at over all origins, between the two.
const MAX_STEPS: usize = 6_912;
/// Origins are this far apart, in seasons: near enough for the recent past to be what counts, and meeting every part of the day within a
/// few days.
const SPACING_SEASONS: f64 = 7.0 / 24.0;
/// At the last origin this part of the horizon has been seen, but no more than this part of what can be judged is given up for it.
const SEEN_SHARE: usize = 6;
const PAST_SHARE: usize = 4;
/// Past windows that are kept; they lie evenly over the whole past.
const MAX_WINDOWS: usize = 24;

/// What happened in one past window of the horizon's length.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    /// The value at the window's origin.
    pub start: f64,
    /// The values after it, NaN where missing.
    pub values: Vec<f64>,
    /// The lowest and the highest of them.
    pub extremes: (f64, f64),
}

impl Window {
    fn new(start: f64, values: Vec<f64>) -> Self {
        let extremes = values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(*v), high.max(*v)));
        Self { start, values, extremes }
    }
}

/// Error paths at past origins; NaN where the truth is missing or lies after the present.
#[derive(Clone, Debug)]
pub struct ErrorPaths {
    /// Shape `[origin][step]`.
    errors: Array2<f64>,
    windows: Vec<Window>,
    bands: Bands,
}

/// First and last length of the past from which a model can be judged; `None` where there is too little.
fn judgeable(context: &Context, horizon: usize) -> Option<(usize, usize)> {
    let n = context.len();
    // Seasonal rules speak from two seasons on; with little history the others are judged from its middle.
    let first = MIN_POINTS.max((2 * context.season() + 3).min(n / 2)).min(n.saturating_sub(1)).max(4);
    // A sixth of the horizon must have been seen; where the horizon is longer than the past, what can be: many origins that saw its
    // first steps say more than one that saw a sixth.
    (n > first).then(|| (first, n.saturating_sub((horizon / SEEN_SHARE).min((n - first) / PAST_SHARE).max(1)).max(first)))
}

/// `count` lengths from `first` to `last`, evenly spaced.
fn spread(first: usize, last: usize, count: usize) -> impl Iterator<Item = usize> {
    let count = count.min(last - first + 1);
    (0..count).map(move |i| if count == 1 { last } else { first + (last - first) * i / (count - 1) })
}

/// Lengths of the past (in samples) from which a model is judged, oldest first. Recent ones have seen only the first steps of their
/// horizon. Each ends with a sample that was there: what bridges a gap knows the gap's other end.
pub(super) fn origins(context: &Context, horizon: usize) -> Vec<usize> {
    let Some((first, last)) = judgeable(context, horizon) else { return Vec::new() };
    let mut origins = evenly(context, horizon, first, last);
    for origin in &mut origins {
        *origin = (first..=*origin).rev().find(|o| context.is_present(o - 1)).unwrap_or(0);
    }
    origins.retain(|origin| *origin > 0);
    origins.dedup();
    origins
}

fn evenly(context: &Context, horizon: usize, first: usize, last: usize) -> Vec<usize> {
    let most = (MAX_STEPS / horizon.max(1)).clamp(MIN_ORIGINS, MAX_ORIGINS);
    let spacing = (SPACING_SEASONS * context.season() as f64) as usize;
    // Without a season nothing repeats, and the whole past says how this series errs.
    if spacing == 0 || (last - first) / spacing < MIN_ORIGINS {
        return spread(first, last, MIN_ORIGINS).collect();
    }
    let mut origins: Vec<usize> = (0..most).map_while(|back| last.checked_sub(back * spacing)).take_while(|o| *o >= first).collect();
    origins.reverse();
    origins
}

/// What happened after evenly spaced moments of the whole past. Only whole windows tell how often something happens in one.
fn windows(context: &Context, horizon: usize) -> Vec<Window> {
    let Some((first, last)) = judgeable(context, horizon) else { return Vec::new() };
    spread(first, last, MAX_WINDOWS)
        .filter(|past| past + horizon <= context.len())
        .map(|past| Window::new(context.values()[past - 1], (past..past + horizon).map(|i| context.truth(i)).collect()))
        .filter(|window| window.values.iter().any(|v| v.is_finite()))
        .collect()
}

impl ErrorPaths {
    /// `predicted` has a row an origin, as [`origins`] gave them.
    pub(super) fn new(context: &Context, origins: &[usize], predicted: Array2<f64>) -> Self {
        let mut errors = predicted;
        let horizon = errors.ncols();
        for (mut row, &past) in errors.rows_mut().into_iter().zip(origins) {
            let known = horizon.min(context.len() - past);
            for (h, error) in row.iter_mut().enumerate() {
                *error = if h < known { context.truth(past + h) - *error } else { f64::NAN };
            }
        }
        let bands = Bands::new(errors.ncols(), Some(origins.to_vec()));
        Self { errors, windows: windows(context, horizon), bands }
    }

    /// Errors that nobody has seen but that have to be thought possible: a row an imagined origin.
    pub(crate) fn imagined(errors: Array2<f64>) -> Self {
        let bands = Bands::new(errors.ncols(), None);
        Self { errors, windows: Vec::new(), bands }
    }

    /// Number of past origins.
    pub fn origins(&self) -> usize {
        self.errors.nrows()
    }

    /// Past windows of a whole horizon and what happened in them.
    pub fn windows(&self) -> &[Window] {
        &self.windows
    }

    /// One origin's error at step `h` (from 0). Past the last known step the last known error goes on, growing as a random walk does.
    pub fn path(&self, origin: usize, out: &mut [f64]) {
        let row = self.errors.row(origin);
        let mut known: Option<(usize, f64)> = None;
        for (h, o) in out.iter_mut().enumerate() {
            let error = row.get(h).copied().unwrap_or(f64::NAN);
            if error.is_finite() {
                known = Some((h, error));
                *o = error;
                continue;
            }
            *o = match known {
                Some((at, error)) => error * (((h + 1) as f64) / ((at + 1) as f64)).sqrt(),
                None => 0.0,
            };
        }
    }

    /// Offsets (below ≤ 0, above ≥ 0) from the median that hold the truth at step `h` (from 0) with probability `level`.
    pub fn interval(&self, h: usize, level: f64) -> (f64, f64) {
        self.bands.at(&self.errors, h, level)
    }

    /// How much of the first step's error is still there a step later, [0, 1]: a trend's error stays, noise does not.
    pub fn persistence(&self) -> f64 {
        if self.errors.ncols() < 2 {
            return 0.0;
        }
        let (mut both, mut first) = (0.0, 0.0);
        for row in self.errors.rows() {
            if row[0].is_finite() && row[1].is_finite() {
                both += row[0] * row[1];
                first += row[0] * row[0];
            }
        }
        if first > 0.0 { (both / first).clamp(0.0, 1.0) } else { 0.0 }
    }

    /// Typical size (median absolute) of the errors at a step (from 0); over all steps where that one has none; 0 without any.
    pub fn typical(&self, step: usize) -> f64 {
        let sizes = |errors: &mut dyn Iterator<Item = &f64>| errors.filter(|e| e.is_finite()).map(|e| e.abs()).collect::<Vec<f64>>();
        let mut known = if step < self.errors.ncols() { sizes(&mut self.errors.column(step).iter()) } else { Vec::new() };
        if known.is_empty() {
            known = sizes(&mut self.errors.iter());
        }
        if known.is_empty() { 0.0 } else { quantile_mut(&mut known, 0.5) }
    }
}
