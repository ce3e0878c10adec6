//! Two rhythms at once: a day and a job that runs every five hours, a day and a week. Neither rhythm alone repeats what the other does.
//!
//! The last seasons are taken apart into a level, a profile of the one rhythm and a profile of the other, each in turn the mean of what the
//! other leaves over (backfitting: Hastie and Tibshirani, "Generalized Additive Models", 1986), and put together ahead. MSTL takes the same
//! things apart by LOESS; here it costs a few passes an origin instead of tens of milliseconds.

use super::super::told::{Past, Rule, Told};
use crate::robust::median_mut;

/// See the module.
pub(in super::super) struct TwoRhythms;

/// Passes over both profiles: where their periods share no factor the second already changes little.
const ROUNDS: usize = 2;
/// Repeats of the longer rhythm that are looked at: enough for its slots to have means, few enough to follow what changes.
const REPEATS: usize = 8;
/// Repeats of the longer one without which two profiles cannot be told apart.
const MIN_REPEATS: usize = 2;
/// The level is that of the last part of a season.
const LEVEL_SHARE: usize = 4;

impl Rule for TwoRhythms {
    fn name(&self) -> &'static str {
        "two-rhythms"
    }

    fn tell(&self, past: &Past<'_>, told: &mut Told) {
        let (first, second) = (past.season, past.context.second_season());
        if first == 0 || second == 0 {
            return;
        }
        let longer = first.max(second);
        let (mut rest, mut changes) = (Vec::with_capacity(REPEATS * longer), Vec::with_capacity(longer));
        let (mut one, mut other) = (vec![0.0; first], vec![0.0; second]);
        for (o, &origin) in past.origins.iter().enumerate() {
            if origin < MIN_REPEATS * longer {
                continue;
            }
            let from = origin.saturating_sub(REPEATS * longer);
            rest.clear();
            rest.extend_from_slice(&past.values[from..origin]);
            one.fill(0.0);
            other.fill(0.0);
            for _ in 0..ROUNDS {
                take_out(&mut rest, from, &mut one, &mut changes);
                take_out(&mut rest, from, &mut other, &mut changes);
            }
            let recent = rest.len().min((first / LEVEL_SHARE).max(1));
            let at = rest.len() - recent;
            let level = median_mut(&mut rest[at..]);
            told.write(o, |out| {
                for (o, (one, other)) in out.iter_mut().zip(ahead(&one, origin).zip(ahead(&other, origin))) {
                    *o = level + one + other;
                }
                true
            });
        }
    }
}

/// A profile from the slot of a moment on, again and again.
fn ahead(profile: &[f64], at: usize) -> impl Iterator<Item = &f64> {
    profile.iter().cycle().skip(at % profile.len())
}

/// Moves the mean of each slot from the values, the first of which stands at `from`, to the profile. Period by period, whose slots lie side
/// by side; `changes` is room for the means.
fn take_out(rest: &mut [f64], from: usize, profile: &mut [f64], changes: &mut Vec<f64>) {
    let period = profile.len();
    changes.clear();
    changes.resize(period.min(rest.len()), 0.0);
    for values in rest.chunks(period) {
        changes.iter_mut().zip(values).for_each(|(sum, v)| *sum += v);
    }
    // The slots of the last period, which may have ended early, were met once more than the others.
    let (often, extra) = (rest.len() / period, rest.len() % period);
    for (slot, sum) in changes.iter_mut().enumerate() {
        *sum /= (often + usize::from(slot < extra)) as f64;
    }
    for values in rest.chunks_mut(period) {
        values.iter_mut().zip(&*changes).for_each(|(v, change)| *v -= change);
    }
    let (before, after) = profile.split_at_mut(from % period);
    after.iter_mut().chain(before).zip(&*changes).for_each(|(mean, change)| *mean += change);
}

#[cfg(test)]
mod tests {
    use super::super::said;
    use super::*;

    #[test]
    fn a_day_and_a_job_every_five_hours_are_both_continued() {
        let value = |i: usize| 50.0 + 10.0 * (i as f64 / 24.0 * std::f64::consts::TAU).sin() + 8.0 * (i % 5) as f64 / 5.0;
        let values: Vec<f64> = (0..480).map(value).collect();
        let path = said(&TwoRhythms, &values, 24, 60).unwrap();
        for (h, v) in path.iter().enumerate() {
            assert!((v - value(480 + h)).abs() < 0.5, "at {h}: {v} for {}", value(480 + h));
        }
        // Alone, a day says nothing about the job.
        assert!(
            said(&TwoRhythms, &(0..480).map(|i| (f64::from(i) / 24.0 * std::f64::consts::TAU).sin()).collect::<Vec<f64>>(), 24, 9)
                .is_none()
        );
    }
}
