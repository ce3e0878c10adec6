//! Series that fill and are emptied: logs and their rotation, heaps and their collector, leaks and restarts. Each tooth is a segment of its
//! own, and the next fall is foretold as the past ones came: at their level, or at their rhythm, whichever they kept to better.
//!
//! A smoother averages the teeth away and a line runs through the roof; here the line is drawn to where such lines have ended and begins
//! again where they have begun. Segments as in piecewise linear representation (Keogh et al., "An online algorithm for segmenting time
//! series", 2001), but cut at falls alone, which need no search.

use super::super::told::{Past, Rule, Told};
use crate::robust::{SIGMA_PER_MAD, median_mut, median_slope};

/// Whole teeth that make a pattern: with fewer a fall is an event.
const MIN_TEETH: usize = 3;
/// Teeth that are remembered.
const MAX_TEETH: usize = 12;
/// What varies more than this share of its median is no pattern.
const MAX_SPREAD: f64 = 0.35;

/// See the module.
pub(in super::super) struct Sawtooth;

struct Teeth {
    length: (f64, f64),
    top: (f64, f64),
    bottom: f64,
    slope: f64,
    height: f64,
}

impl Teeth {
    /// What the whole teeth of the values have in common; `since` says where the tooth of a value began.
    fn of(values: &[f64], since: impl Fn(usize) -> usize) -> Option<Self> {
        let mut starts: Vec<usize> = Vec::new();
        let mut at = since(values.len() - 1);
        starts.push(at);
        while at > 0 && starts.len() <= MAX_TEETH {
            at = since(at - 1);
            starts.push(at);
        }
        starts.reverse();
        // The first one's beginning was not seen if it is the series' own.
        let from = usize::from(starts.first() == Some(&0));
        let whole: Vec<&[usize]> = starts[from..].windows(2).collect();
        if whole.len() < MIN_TEETH {
            return None;
        }
        let spread = |values: &[f64]| {
            let mut v = values.to_vec();
            let middle = median_mut(&mut v);
            for x in &mut v {
                *x = (*x - middle).abs();
            }
            (middle, SIGMA_PER_MAD * median_mut(&mut v))
        };
        let lengths: Vec<f64> = whole.iter().map(|w| (w[1] - w[0]) as f64).collect();
        let tops: Vec<f64> = whole.iter().map(|w| values[w[1] - 1]).collect();
        let mut bottoms: Vec<f64> = starts[from..].iter().map(|&s| values[s]).collect();
        let mut slopes: Vec<f64> = whole
            .iter()
            .filter(|w| w[1] - w[0] >= 2)
            .map(|w| {
                let tooth = &values[w[0]..w[1]];
                let slope = median_slope(tooth);
                if slope.is_finite() { slope } else { (tooth[tooth.len() - 1] - tooth[0]) / (tooth.len() - 1) as f64 }
            })
            .collect();
        let bottom = median_mut(&mut bottoms);
        let (length, top) = (spread(&lengths), spread(&tops));
        let height = top.0 - bottom;
        let slope = median_mut(&mut slopes);
        (height > 0.0 && slope > 0.0 && length.0 >= 3.0).then_some(Self { length, top, bottom, slope, height })
    }

    /// Whether falls come at a level (else by the clock); `None` where they come as they like.
    fn by_level(&self) -> Option<bool> {
        let (level, clock) = (self.top.1 / self.height, self.length.1 / self.length.0);
        (level.min(clock) <= MAX_SPREAD).then_some(level < clock)
    }
}

impl Rule for Sawtooth {
    fn name(&self) -> &'static str {
        "sawtooth"
    }

    fn tell(&self, past: &Past<'_>, told: &mut Told) {
        for (o, &origin) in past.origins.iter().enumerate() {
            let values = &past.values[..origin];
            if origin < 12 {
                continue;
            }
            let Some(teeth) = Teeth::of(values, |at| past.resets.since(o, at)) else { continue };
            let Some(by_level) = teeth.by_level() else { continue };
            let start = past.resets.since(o, origin - 1);
            let tooth = &values[start..];
            // This tooth's own slope, as far as it has one yet.
            let own = median_slope(tooth);
            let trust = (tooth.len() as f64 / teeth.length.0).min(1.0);
            let mut slope = if own.is_finite() { trust * own + (1.0 - trust) * teeth.slope } else { teeth.slope };
            let tail = tooth.len().min(3);
            let mut level = median_mut(&mut tooth[tooth.len() - tail..].to_vec()) + slope * (tail / 2) as f64;
            let mut age = tooth.len() as f64;
            told.write(o, |out| {
                for o in out.iter_mut() {
                    let falls = if by_level { level + slope > teeth.top.0 + 0.5 * slope } else { age >= teeth.length.0 };
                    if falls {
                        (level, age, slope) = (teeth.bottom, 1.0, teeth.slope);
                    } else {
                        level += slope;
                        age += 1.0;
                    }
                    *o = level;
                }
                true
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::said;
    use super::*;

    #[test]
    fn the_next_fall_is_foretold_by_its_level_or_by_the_clock() {
        // Fills by two a step to 60 and starts again at 2, thirty steps a tooth.
        let tooth = |i: usize| 2.0 + 2.0 * (i % 30) as f64;
        let values: Vec<f64> = (0..255).map(tooth).collect();
        for (h, v) in said(&Sawtooth, &values, 0, 80).unwrap().iter().enumerate() {
            assert!((v - tooth(255 + h)).abs() < 4.5, "{h}: {v} for {}", tooth(255 + h));
        }
        // Falls every thirty steps from wherever it has come to: slopes differ from tooth to tooth.
        let clock = |i: usize| (i % 30) as f64 * [1.0, 3.0, 2.0][(i / 30) % 3];
        let values: Vec<f64> = (0..285).map(clock).collect();
        let path = said(&Sawtooth, &values, 0, 30).unwrap();
        let fall = (1..30).find(|&h| path[h] < path[h - 1]).unwrap();
        assert!((14..=16).contains(&fall), "{fall}");
    }

    #[test]
    fn what_does_not_fall_again_and_again_is_no_sawtooth() {
        let values: Vec<f64> = (0..200).map(|i| if i < 120 { f64::from(i) } else { f64::from(i) - 110.0 }).collect();
        assert!(said(&Sawtooth, &values, 0, 20).is_none());
    }
}
