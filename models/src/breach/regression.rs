//! The crest of the coming window by ridge regression on what was known before: a rule learnt on this very series from its own past
//! windows, where the rules of [`paths`](super::paths) are given.
//!
//! The crest itself is the target, not the path: errors of single steps do not add up to the error of a maximum.

use super::history::History;
use super::odds::{logit, normal_share, squash};

/// Past windows that are learnt from: one an hour over four weeks.
const MAX_ROWS: usize = 700;
/// Rows below which nothing is learnt.
const MIN_ROWS: usize = 24;
const INPUTS: usize = 9;
/// Ridge as a share of the mean variance of the inputs.
const RIDGE: f64 = 0.02;
/// A window counts half after so many days: the newest regime is the likeliest to go on.
const HALF_LIFE_DAYS: f64 = 10.0;

/// What the regression says.
#[derive(Clone, Copy, Debug)]
pub struct Regression {
    /// Predicted crest past the threshold, in residual scales.
    pub z: f64,
    /// Log odds from the residuals one by one.
    pub log_odds: f64,
    /// Share of the crest's variance that it explains.
    pub explained: f64,
}

impl Regression {
    /// `None` where too few past windows are there.
    pub fn new(history: &History, crests: &[f64], horizon: usize, threshold: f64) -> Option<Self> {
        let (n, cycle) = (history.len(), history.cycle());
        let first = (cycle + 1).min(crests.len() / 3).max(4);
        if crests.len() <= first {
            return None;
        }
        let stride = ((crests.len() - first) / MAX_ROWS).max(1);
        let origins: Vec<usize> = (first..crests.len()).rev().step_by(stride).collect();
        if origins.len() < MIN_ROWS {
            return None;
        }
        let look = |origin: usize| inputs(history, crests, origin, horizon);
        // Newest first, each so many steps older than the one before: of weights that add up to one.
        let faded = 0.5_f64.powf(stride as f64 / cycle as f64 / HALF_LIFE_DAYS);
        let total: f64 = std::iter::successors(Some(1.0), |w| Some(w * faded)).take(origins.len()).sum();
        let weights = std::iter::successors(Some(1.0 / total), |w| Some(w * faded));
        let rows: Vec<([f64; INPUTS], f64, f64)> =
            origins.iter().zip(weights).map(|(&origin, weight)| (look(origin), crests[origin], weight)).collect();
        let mut mean = [0.0; INPUTS];
        let mut mean_y = 0.0;
        for (x, y, w) in &rows {
            (0..INPUTS).for_each(|i| mean[i] += w * x[i]);
            mean_y += w * y;
        }
        let (mut gram, mut right, mut var_y) = ([[0.0; INPUTS]; INPUTS], [0.0; INPUTS], 0.0);
        for (x, y, w) in &rows {
            let apart: [f64; INPUTS] = std::array::from_fn(|i| x[i] - mean[i]);
            for i in 0..INPUTS {
                let weighed = w * apart[i];
                for j in 0..=i {
                    gram[i][j] += weighed * apart[j];
                }
                right[i] += weighed * (y - mean_y);
            }
            var_y += w * (y - mean_y).powi(2);
        }
        let trace: f64 = (0..INPUTS).map(|i| gram[i][i]).sum::<f64>() / INPUTS as f64;
        // Windows overlap: there are fewer independent ones than rows, and the ridge grows as they get fewer.
        let independent = ((crests.len() - first) as f64 / horizon as f64).max(1.0);
        let ridge = (RIDGE + 1.0 / independent) * trace + 1e-9;
        (0..INPUTS).for_each(|i| gram[i][i] += ridge);
        let weights = solve(gram, right)?;
        let predict = |x: &[f64; INPUTS]| mean_y + (0..INPUTS).map(|i| weights[i] * (x[i] - mean[i])).sum::<f64>();
        let now = predict(&look(n));
        let mut square = 0.0;
        let residuals: Vec<(f64, f64)> = rows
            .iter()
            .map(|(x, y, w)| {
                let residual = y - predict(x);
                square += w * residual * residual;
                (residual, *w)
            })
            .collect();
        // What was fitted looks better than what comes.
        let scale = (square + (0.5 * history.noise() + 1e-4).powi(2)).sqrt() * (1.0 + 2.0 / independent);
        let over: f64 = residuals.iter().map(|(r, w)| w * normal_share((now + r - threshold) / (0.4 * scale))).sum();
        let doubt = 0.5 / (independent + 0.5);
        Some(Self {
            z: squash((now - threshold) / scale, 4.0),
            log_odds: logit(over * (1.0 - doubt) + 0.2 * doubt),
            explained: 1.0 - (square / var_y.max(1e-9)).min(1.0),
        })
    }
}

/// What is known before an origin: recent levels, the crests of the latest finished windows of the same time of the day and week.
fn inputs(history: &History, crests: &[f64], origin: usize, horizon: usize) -> [f64; INPUTS] {
    let (cycle, values) = (history.cycle(), history.values());
    let last = history.mean_before(origin, 3);
    let day = history.mean_before(origin, cycle);
    let back = horizon.div_ceil(cycle);
    // The crest of the window that began `days` ago; what lies before the history is taken from its nearest whole day.
    let most = (origin / cycle).max(back);
    let crest_ago = |days: usize| origin.checked_sub(days.min(most) * cycle).map_or(day, |o| crests[o]);
    let earlier = crest_ago(back);
    let mean = (earlier + crest_ago(back + 1) + crest_ago(back + 2) + crest_ago(back + 3)) / 4.0;
    let tooth = history.tooth(origin - 1).max(origin.saturating_sub(cycle));
    let slope = if origin - tooth >= 6 { history.line(tooth, origin).1 * cycle as f64 } else { 0.0 };
    let peak = values[origin.saturating_sub((cycle / 8).max(3))..origin].iter().copied().fold(f64::NEG_INFINITY, f64::max);
    [
        last,
        history.mean_before(origin, (cycle / 24).max(3)),
        history.mean_before(origin, (cycle / 4).max(4)),
        day,
        earlier,
        mean,
        crest_ago(7.max(back)),
        slope.clamp(-2.0, 2.0),
        peak,
    ]
}

/// Cholesky's way; `None` where the matrix (lower half given) is not positive.
fn solve(mut m: [[f64; INPUTS]; INPUTS], mut y: [f64; INPUTS]) -> Option<[f64; INPUTS]> {
    for i in 0..INPUTS {
        for j in 0..=i {
            let sum = m[i][j] - (0..j).map(|k| m[i][k] * m[j][k]).sum::<f64>();
            if i == j {
                if sum <= 0.0 || !sum.is_finite() {
                    return None;
                }
                m[i][i] = sum.sqrt();
            } else {
                m[i][j] = sum / m[j][j];
            }
        }
    }
    for i in 0..INPUTS {
        y[i] = (y[i] - (0..i).map(|k| m[i][k] * y[k]).sum::<f64>()) / m[i][i];
    }
    for i in (0..INPUTS).rev() {
        y[i] = (y[i] - (i + 1..INPUTS).map(|k| m[k][i] * y[k]).sum::<f64>()) / m[i][i];
    }
    Some(y)
}
