//! Analogs: what came after past moments that looked like now, at the same time of other days.
//!
//! After Lorenz, "Atmospheric predictability as revealed by naturally occurring analogues" (1969), with the time of day held fixed: only
//! whole days back are looked at, which is cheap and keeps the rhythm. A weighted median of what followed them is not pulled along by the
//! one day on which something happened.

use super::super::told::{Past, Rule, Told};
use crate::robust::weighted_medians;

/// Past days that are looked at: four weeks.
const MAX_DAYS: usize = 28;
/// Of these, so many take part: the likest say nearly all, and a sort of them is what a step costs.
const MAX_VOTES: usize = 8;

/// Quick: the last eighth of a day, recent days first.
pub(in super::super) static ANALOG_SHORT: Analog =
    Analog { name: "analog-short", compared: 0.125, squared: false, age_power: 0.5, shifted: false };
/// The last quarter of a day.
pub(in super::super) static ANALOG_QUARTER: Analog =
    Analog { name: "analog", compared: 0.25, squared: true, age_power: 0.25, shifted: false };
/// As the quick one, at today's level.
pub(in super::super) static ANALOG_LEVEL: Analog =
    Analog { name: "analog-level", compared: 0.125, squared: false, age_power: 0.5, shifted: true };

/// See the module.
pub(in super::super) struct Analog {
    name: &'static str,
    /// Steps before the origin that are compared, as a share of the season.
    compared: f64,
    /// Whether weight falls with the square of the distance, not the distance.
    squared: bool,
    /// How fast weight falls with age in days: the power.
    age_power: f64,
    /// Whether days are compared and continued after moving them to today's level.
    shifted: bool,
}

impl Analog {
    /// Fills in (weight, where that day's future begins, what is added to it) of past days, the heaviest first; `ages` has what each day's
    /// age leaves of its weight.
    fn days(&self, past: &[f64], season: usize, ages: &[f64], days: &mut Vec<(f64, usize, f64)>) {
        days.clear();
        let n = past.len();
        let compared = ((self.compared * season as f64) as usize).max(2);
        if n < season + compared {
            return;
        }
        let now = &past[n - compared..];
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let mean_now = mean(now);
        let back = ((n - compared) / season).min(ages.len());
        let mut distances = [(0.0, 0.0); MAX_DAYS];
        let distances = &mut distances[..back];
        for (back, (distance, shift)) in (1..).zip(distances.iter_mut()) {
            let start = n - back * season;
            let then = &past[start - compared..start];
            *shift = if self.shifted { mean_now - mean(then) } else { 0.0 };
            *distance = now.iter().zip(then).map(|(a, b)| (a - b - *shift).abs()).sum::<f64>() / compared as f64;
        }
        // A day exactly like today must not silence all others: distances count from a tenth of the usual one.
        let usual = distances.iter().map(|d| d.0).sum::<f64>() / back as f64;
        for ((back, (distance, shift)), age) in (1..).zip(distances).zip(ages) {
            let distance = if usual > 0.0 { *distance / usual + 0.1 } else { 1.0 };
            let far = if self.squared { distance * distance } else { distance };
            let weight = 1.0 / far * age;
            // Into its place among the heaviest so far; of equals the more recent one comes first.
            let place = days.iter().rposition(|day| day.0 >= weight).map_or(0, |heavier| heavier + 1);
            if place < MAX_VOTES {
                days.truncate(MAX_VOTES - 1);
                days.insert(place, (weight, n - back * season, *shift));
            }
        }
    }
}

impl Rule for Analog {
    fn name(&self) -> &'static str {
        self.name
    }

    fn tell(&self, past: &Past<'_>, told: &mut Told) {
        let season = past.season;
        if season == 0 {
            return;
        }
        let mut votes: Vec<(&[f64], f64, f64)> = Vec::with_capacity(MAX_VOTES);
        let mut days = Vec::with_capacity(MAX_VOTES);
        let oldest = (past.values.len() / season).min(MAX_DAYS);
        let ages: Vec<f64> = (1..=oldest).map(|back| (back as f64).powf(-self.age_power)).collect();
        for (o, &origin) in past.origins.iter().enumerate() {
            let known = &past.values[..origin];
            self.days(known, season, &ages, &mut days);
            if days.len() < 2 {
                continue;
            }
            told.write(o, |out| {
                let day = out.len().min(season);
                votes.clear();
                votes.extend(days.iter().map(|&(weight, start, shift)| (&known[start..start + day], shift, weight)));
                weighted_medians(&votes, &mut out[..day]);
                let (day, rest) = out.split_at_mut(day);
                rest.chunks_mut(season).for_each(|rest| rest.copy_from_slice(&day[..rest.len()]));
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
    fn a_day_like_one_of_two_kinds_is_known_by_its_morning() {
        // Two kinds of days by turns of no fixed order; they part at the sixth step.
        let kind = |day: usize| [0, 1, 1, 0, 1, 0, 0, 0, 1, 1, 0, 1][day % 12];
        let value = |i: usize| if kind(i / 24) == 1 && i % 24 >= 6 { 30.0 } else { 10.0 } + (i % 24) as f64 * 0.1;
        // Ten steps into a day of the second kind after one of the first.
        let values: Vec<f64> = (0..24 * 23 + 10).map(value).collect();
        let path = said(&ANALOG_QUARTER, &values, 24, 14).unwrap();
        for (h, v) in path.iter().enumerate() {
            assert!((v - value(24 * 23 + 10 + h)).abs() < 1.0, "{h}: {v}");
        }
    }
}
