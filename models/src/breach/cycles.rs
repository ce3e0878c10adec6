//! Teeth: a series that is reset now and then (clean-up, garbage collection, restart) breaches only if no reset comes first.

use super::history::History;
use super::odds::{logit, seen};

/// Teeth looked at.
const MAX_TEETH: usize = 40;
/// Pieces that the horizon is cut into for the renewal sum.
const PIECES: usize = 48;

/// What resets say.
#[derive(Clone, Copy, Debug)]
pub struct Cycles {
    /// Whether there are any to speak of.
    pub has_resets: f64,
    /// Log odds that a tooth's peak reaches the threshold, from the peaks seen.
    pub peak: f64,
    /// Log odds that growth reaches the threshold before a reset does away with it, resets coming by chance at their usual rate.
    pub race: f64,
    /// Age of this tooth in usual lengths.
    pub age: f64,
}

impl Cycles {
    pub fn new(history: &History, horizon: usize, threshold: f64) -> Self {
        let n = history.len();
        let values = history.values();
        let resets = history.resets();
        let resets = &resets[resets.len().saturating_sub(MAX_TEETH)..];
        let begun = history.tooth(n - 1);
        let now = history.mean(n - 3.min(n - begun).max(1), n);
        let from = begun.max(n.saturating_sub(3 * history.cycle()));
        let mut slope = if n - from >= 6 { history.line(from, n).1 } else { 0.0 };
        let teeth: Vec<(usize, usize)> = resets.windows(2).map(|w| (w[0], w[1])).filter(|(a, b)| b - a >= 3).collect();
        let mut restart = now;
        if !teeth.is_empty() {
            let mut slopes: Vec<f64> = teeth.iter().map(|(a, b)| history.line(*a, *b).1).collect();
            let usual = crate::robust::median_mut(&mut slopes);
            // A tooth that has just begun grows as the others did.
            let known = ((n - from) as f64 / (history.cycle() as f64 / 4.0)).min(1.0);
            slope = known * slope + (1.0 - known) * usual;
            let mut troughs: Vec<f64> = teeth.iter().map(|(a, _)| values[*a]).collect();
            restart = crate::robust::median_mut(&mut troughs);
        }
        let mut peaks = super::odds::Share::default();
        for (a, b) in &teeth {
            let peak = values[*a..*b].iter().copied().fold(f64::NEG_INFINITY, f64::max);
            if peak >= now {
                peaks.add(peak >= threshold, 1.0);
            }
        }
        let span = (n - resets.first().copied().unwrap_or(0)).max(1) as f64;
        let hazard = if resets.is_empty() { 0.5 / n as f64 } else { (resets.len() as f64 + 0.5) / (span + span / resets.len() as f64) };
        let length = 1.0 / hazard;
        Self {
            has_resets: f64::from(u8::from(teeth.len() >= 2)),
            peak: if teeth.len() >= 2 { seen(peaks.share(), peaks.windows()) } else { 0.0 },
            race: logit(race(now, restart, slope, hazard, threshold, horizon)),
            age: super::odds::squash((n - begun) as f64 / length, 3.0),
        }
    }
}

/// Probability to reach the threshold within the horizon by growth that restarts by chance: a renewal equation on a coarse grid.
fn race(now: f64, restart: f64, slope: f64, hazard: f64, threshold: f64, horizon: usize) -> f64 {
    let horizon = horizon as f64;
    let needs = |from: f64| {
        if from >= threshold {
            0.0
        } else if slope > 0.0 {
            (threshold - from) / slope
        } else {
            f64::INFINITY
        }
    };
    let (first, again) = (needs(now), needs(restart));
    let piece = horizon / PIECES as f64;
    // The share of restarts that come in the middle of each piece.
    let resets: [f64; PIECES] = std::array::from_fn(|j| hazard * piece * (-hazard * ((j as f64 + 0.5) * piece)).exp());
    // fresh[i]: probability to reach it within i pieces from a restart.
    let mut fresh = [0.0; PIECES + 1];
    let within = |need: f64, pieces: usize, fresh: &[f64; PIECES + 1]| {
        let mut p = if need <= pieces as f64 * piece { (-hazard * need).exp() } else { 0.0 };
        for j in 0..pieces {
            let at = (j as f64 + 0.5) * piece;
            if at >= need {
                break;
            }
            p += resets[j] * fresh[pieces - 1 - j];
        }
        p.min(1.0)
    };
    for i in 1..=PIECES {
        fresh[i] = within(again, i, &fresh);
    }
    within(first, PIECES, &fresh)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_race_without_resets_is_about_slope_alone() {
        assert_eq!(race(0.5, 0.0, 0.01, 0.0, 0.8, 31), 1.0);
        assert_eq!(race(0.5, 0.0, 0.01, 0.0, 0.8, 29), 0.0);
        assert_eq!(race(0.5, 0.0, -0.01, 0.0, 0.8, 1_000), 0.0);
    }

    #[test]
    fn chance_resets_win_by_the_exponential_law() {
        // One try only: a restart has too far to go.
        let p = race(0.5, 0.0, 0.01, 0.02, 0.8, 40);
        assert!((p - (-0.02_f64 * 30.0).exp()).abs() < 1e-9, "{p}");
        // With time for many tries it comes at last.
        assert!(race(0.5, 0.4, 0.01, 0.02, 0.8, 2_000) > 0.99);
    }

    #[test]
    fn peaks_that_never_reach_it_say_so() {
        let values: Vec<f64> = (0..480).map(|i| f64::from(i % 48)).collect();
        let history = History::new(&values, 96, true, 8).unwrap();
        let (never, always) = (Cycles::new(&history, 96, history.scaled(60.0)), Cycles::new(&history, 96, history.scaled(40.0)));
        assert_eq!(never.has_resets, 1.0);
        assert!(never.peak < -1.0 && always.peak > 1.0, "{never:?} {always:?}");
    }
}
