//! The present level goes on.
//!
//! The naive forecast (and hard to beat for walks); taken as a median, so that one wild value is not the origin of everything.

use super::{Plain, kept};
use crate::robust::median_mut;

/// The median of the last three values, for ever.
pub(in super::super) static LAST: Plain = Plain { name: "naive", say: last };
/// The median of the last day, for ever: where a series comes back to once its bursts are over.
pub(in super::super) static MEDIAN_DAY: Plain = Plain { name: "median-day", say: median_day };

/// Points of a "day" without a season.
const DAY: usize = 36;

/// The present level: the median of the last three values.
pub(super) fn level(past: &[f64]) -> f64 {
    let mut tail = [0.0; 3];
    let n = past.len().min(3);
    tail[..n].copy_from_slice(&past[past.len() - n..]);
    median_mut(&mut tail[..n])
}

fn last(past: &[f64], _season: usize, _since: usize, out: &mut [f64], _room: &mut Vec<f64>) -> bool {
    out.fill(level(past));
    !past.is_empty()
}

fn median_day(past: &[f64], season: usize, _since: usize, out: &mut [f64], room: &mut Vec<f64>) -> bool {
    let window = if season > 0 { season } else { DAY };
    out.fill(median_mut(kept(room, past[past.len().saturating_sub(window)..].iter().copied())));
    !past.is_empty()
}
