//! The crest of a window: the highest level that `sustain` steps in a row reach in it. A threshold is breached within a window exactly if
//! the crest is at or past it, so that one number a window answers for every threshold.

use std::collections::VecDeque;

/// The least of each `sustain` values in a row; entry `i` is about the run that begins at `i`.
pub fn runs(values: &[f64], sustain: usize) -> Vec<f64> {
    let sustain = sustain.max(1);
    if values.len() < sustain {
        return Vec::new();
    }
    if sustain <= 8 {
        return values.windows(sustain).map(|run| run.iter().copied().fold(f64::INFINITY, f64::min)).collect();
    }
    sliding(values, sustain, |newer, older| newer <= older)
}

/// The crest of each whole window of `horizon` steps; entry `o` is about the window that begins at index `o`.
pub fn crests(values: &[f64], horizon: usize, sustain: usize) -> Vec<f64> {
    let sustain = sustain.clamp(1, horizon.max(1));
    sliding(&runs(values, sustain), horizon + 1 - sustain, |newer, older| newer >= older)
}

/// The crest of one window.
pub fn crest(window: &[f64], sustain: usize) -> f64 {
    runs_of(window, sustain).fold(f64::NEG_INFINITY, f64::max)
}

/// First step (from 0) of the first run at or over `threshold`, fractional where the path crosses between two steps.
pub fn first(window: &[f64], sustain: usize, threshold: f64) -> Option<f64> {
    runs_of(window, sustain).position(|run| run >= threshold).map(|h| h as f64)
}

fn runs_of(window: &[f64], sustain: usize) -> impl Iterator<Item = f64> + '_ {
    window.windows(sustain.clamp(1, window.len().max(1))).map(|run| run.iter().copied().fold(f64::INFINITY, f64::min))
}

/// Extremes over sliding windows with a monotone queue: each value enters and leaves once, whatever the width.
fn sliding(values: &[f64], width: usize, beats: impl Fn(f64, f64) -> bool) -> Vec<f64> {
    if width == 0 || values.len() < width {
        return Vec::new();
    }
    let mut queue: VecDeque<usize> = VecDeque::new();
    let mut out = Vec::with_capacity(values.len() + 1 - width);
    for (i, &value) in values.iter().enumerate() {
        while queue.back().is_some_and(|&b| beats(value, values[b])) {
            queue.pop_back();
        }
        queue.push_back(i);
        if queue.front().is_some_and(|&f| f + width <= i) {
            queue.pop_front();
        }
        if i + 1 >= width {
            out.push(queue.front().map_or(value, |&f| values[f]));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crests_equal_a_look_at_every_window() {
        let values: Vec<f64> = (0..120_u32).map(|i| f64::from(i.wrapping_mul(2_654_435_761) >> 20 & 0xff)).collect();
        for (horizon, sustain) in [(1, 1), (7, 3), (30, 1), (30, 12), (5, 9)] {
            let all = crests(&values, horizon, sustain);
            assert_eq!(all.len(), values.len() + 1 - horizon);
            for (o, c) in all.iter().enumerate() {
                assert_eq!(*c, crest(&values[o..o + horizon], sustain), "{horizon} {sustain} {o}");
            }
        }
        assert!(crests(&values, 121, 1).is_empty());
    }

    #[test]
    fn a_run_has_to_last() {
        let window = [0.0, 9.0, 0.0, 8.0, 8.0, 7.0];
        assert_eq!((crest(&window, 1), crest(&window, 2), crest(&window, 3)), (9.0, 8.0, 7.0));
        assert_eq!((first(&window, 1, 8.5), first(&window, 2, 7.5), first(&window, 3, 7.5)), (Some(1.0), Some(3.0), None));
    }
}
