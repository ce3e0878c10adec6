//! The crest of a window: the highest level that `sustain` steps in a row reach in it. A threshold is breached within a window exactly if
//! the crest is at or past it, so that one number a window answers for every threshold.

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
    let width = horizon + 1 - sustain;
    if sustain == 1 {
        sliding(values, width, |newer, older| newer >= older)
    } else {
        sliding(&runs(values, sustain), width, |newer, older| newer >= older)
    }
}

/// The crest of one window.
pub fn crest(window: &[f64], sustain: usize) -> f64 {
    let sustain = sustain.clamp(1, window.len().max(1));
    if sustain == 1 {
        return highest(window);
    }
    window.windows(sustain).map(|run| run.iter().copied().fold(f64::INFINITY, f64::min)).fold(f64::NEG_INFINITY, f64::max)
}

/// The largest value, several side by side: none waits for the one before.
fn highest(values: &[f64]) -> f64 {
    const LANES: usize = 8;
    let larger = |a: f64, b: f64| if a > b { a } else { b };
    let (chunks, rest) = values.as_chunks::<LANES>();
    let mut most = [f64::NEG_INFINITY; LANES];
    for chunk in chunks {
        for lane in 0..LANES {
            most[lane] = larger(chunk[lane], most[lane]);
        }
    }
    let mut all = f64::NEG_INFINITY;
    for lane in most {
        all = larger(lane, all);
    }
    for value in rest {
        all = larger(*value, all);
    }
    all
}

/// First step (from 0) of the first run at or over `threshold`.
pub fn first(window: &[f64], sustain: usize, threshold: f64) -> Option<f64> {
    // Most windows stay below it.
    if highest(window) < threshold {
        return None;
    }
    let sustain = sustain.clamp(1, window.len().max(1));
    let mut run = 0;
    for (h, value) in window.iter().enumerate() {
        run = if *value >= threshold { run + 1 } else { 0 };
        if run == sustain {
            return Some((h + 1 - sustain) as f64);
        }
    }
    None
}

/// Extremes over sliding windows with a monotone queue: each value enters and leaves once, whatever the width.
fn sliding(values: &[f64], width: usize, beats: impl Fn(f64, f64) -> bool) -> Vec<f64> {
    if width == 0 || values.len() < width {
        return Vec::new();
    }
    // The queue is what lies from `front` on: what has left it at the front stays where it is.
    let mut queue: Vec<(usize, f64)> = Vec::with_capacity(values.len());
    let mut front = 0;
    let mut out = Vec::with_capacity(values.len() + 1 - width);
    for (i, &value) in values.iter().enumerate() {
        while queue.len() > front && queue.last().is_some_and(|last| beats(value, last.1)) {
            queue.pop();
        }
        queue.push((i, value));
        if queue[front].0 + width <= i {
            front += 1;
        }
        if i + 1 >= width {
            out.push(queue[front].1);
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
