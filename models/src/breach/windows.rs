//! How often past windows of the same length held a breach: all of them, the latest, those of the same hour of the day or week; taken as
//! they were, and moved to where the series stands now.

use super::history::History;
use super::odds::Share;

/// Windows looked at, evenly spaced: neighbours hold nearly the same.
const MAX_WINDOWS: usize = 3_000;
/// Windows count half after so many days.
const RECENT_DAYS: f64 = 2.0;
const WEEKS_DAYS: f64 = 7.0;

/// Parts of the way from the median (zero in a history's unit) to the threshold.
const PARTS: [f64; 3] = [0.5, 0.75, 0.9];

/// Log odds of a breach in past windows.
#[derive(Clone, Copy, Debug)]
pub struct Frequencies {
    pub all: f64,
    pub recent: f64,
    pub same_time: f64,
    pub same_time_recent: f64,
    pub same_week_time: f64,
    /// As they were after the level of their last three values, moved to today's.
    pub moved: f64,
    pub moved_recent: f64,
    pub moved_same_time: f64,
    /// The same by the level of the last day.
    pub day_moved_same_time: f64,
    /// As `all`, of 50, 75 and 90 % of the way from the middle of the series to the threshold: bursts of any height foretell higher ones.
    pub part_way: [f64; 3],
    /// As `all`, moved so that a window begins at today's mean.
    pub day_moved: f64,
    /// Independent windows there are.
    pub windows: f64,
}

impl Frequencies {
    pub fn new(history: &History, crests: &[f64], horizon: usize, threshold: f64) -> Self {
        let (n, day) = (history.len(), history.day());
        let cycle = history.cycle();
        let values = history.values();
        let stride = (crests.len() / MAX_WINDOWS).max(1);
        let worth = (stride as f64 / horizon as f64).min(1.0);
        let near = (cycle / 24).max(1);
        let (now, today) = (history.mean_before(n, 3), history.mean_before(n, cycle));
        let mut shares = [Share::default(); 13];
        // Newest first, so that windows of the same time are hit whatever the stride; index 0 has no value before it.
        let least = n + 1 - crests.len();
        let (mut into_day, mut into_week) = (least % cycle, least % (7 * cycle));
        let faded = |days: f64, steps: usize| 0.5_f64.powf(steps as f64 / cycle as f64 / days);
        let (mut recent, recent_fades) = (faded(RECENT_DAYS, least), faded(RECENT_DAYS, stride));
        for origin in (1..crests.len()).rev().step_by(stride) {
            let off = |rest: usize, period: usize| rest.min(period - rest);
            let is_same_time = day > 0 && off(into_day, cycle) <= near;
            let is_same_week_time = day > 0 && off(into_week, 7 * cycle) <= 2 * near;
            // Counted on: a division for each would be a fifth of the work.
            let later = |into: usize, period: usize| if into + stride < period { into + stride } else { (into + stride) % period };
            (into_day, into_week) = (later(into_day, cycle), later(into_week, 7 * cycle));
            let weeks = if is_same_time { faded(WEEKS_DAYS, n - origin) } else { 0.0 };
            let crest = crests[origin];
            for (i, part) in PARTS.iter().enumerate() {
                shares[9 + i].add(crest >= part * threshold, 1.0);
            }
            shares[12].add(crest - history.mean_before(origin, cycle) >= threshold - today, 1.0);
            if values[origin - 1] < threshold {
                let hit = crest >= threshold;
                shares[0].add(hit, 1.0);
                shares[1].add(hit, recent);
                if is_same_time {
                    shares[2].add(hit, 1.0);
                    shares[3].add(hit, weeks);
                }
                if is_same_week_time {
                    shares[4].add(hit, 1.0);
                }
            }
            let hit = crest - history.mean_before(origin, 3) >= threshold - now;
            shares[5].add(hit, 1.0);
            shares[6].add(hit, recent);
            if is_same_time {
                shares[7].add(hit, weeks);
                shares[8].add(crest - history.mean_before(origin, cycle) >= threshold - today, weeks);
            }
            recent *= recent_fades;
        }
        // Neighbours of the same hour are one window a day, or one a horizon where that is longer.
        let daily = (stride as f64 / (2 * near + 1) as f64).min(1.0) * (cycle as f64 / horizon as f64).min(1.0);
        let weekly = (stride as f64 / (4 * near + 1) as f64).min(1.0) * ((7 * cycle) as f64 / horizon as f64).min(1.0);
        let same_time = if shares[2].windows() > 0.0 { shares[2].log_odds(daily) } else { shares[0].log_odds(worth) };
        Self {
            all: shares[0].log_odds(worth),
            recent: shares[1].log_odds(worth),
            same_time,
            same_time_recent: if shares[3].windows() > 0.0 { shares[3].log_odds(daily) } else { shares[1].log_odds(worth) },
            same_week_time: if shares[4].windows() > 0.0 { shares[4].log_odds(weekly) } else { same_time },
            moved: shares[5].log_odds(worth),
            moved_recent: shares[6].log_odds(worth),
            moved_same_time: if shares[7].windows() > 0.0 { shares[7].log_odds(daily) } else { shares[6].log_odds(worth) },
            day_moved_same_time: if shares[8].windows() > 0.0 { shares[8].log_odds(daily) } else { shares[6].log_odds(worth) },
            part_way: std::array::from_fn(|i| shares[9 + i].log_odds(worth)),
            day_moved: shares[12].log_odds(worth),
            windows: shares[0].windows() * worth,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::crest::crests;
    use super::super::odds::logistic;
    use super::*;

    #[test]
    fn the_hour_of_the_day_tells() {
        // Over the threshold at step 12 of each day of 24, for three steps; now is step 8.
        let values: Vec<f64> = (0..20 * 24 + 8).map(|i| if (12..15).contains(&(i % 24)) { 1.0 } else { 0.01 * f64::from(i % 5) }).collect();
        let history = History::new(&values, 24, true, 8).unwrap();
        let ask = |horizon: usize| {
            let crests = crests(history.values(), horizon, 3);
            Frequencies::new(&history, &crests, horizon, history.scaled(0.9))
        };
        let (soon, later) = (ask(4), ask(8));
        assert!(logistic(soon.same_time) < 0.1 && logistic(later.same_time) > 0.9, "{soon:?} {later:?}");
        // Any window of 8 steps holds the whole of it in 6 of 24 cases; 21 of the 24 starts are short of the threshold.
        assert!((logistic(later.all) - 6.0 / 21.0).abs() < 0.03, "{later:?}");
    }
}
