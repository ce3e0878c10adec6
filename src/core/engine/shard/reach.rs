//! Which series need no forecast now: those that are so far from their threshold that nothing they have done in the past week would bring
//! them there within the horizon, and those that a forecast found safe and that do nothing new since.
//!
//! A look fits a forecast and most series are healthy; this reads the week's hours once. It errs towards looking: a series that leaves
//! its normal band towards the threshold, has come half way nearer, or would be there within the horizon by its slope, as far as that is not
//! the rise of every day, is looked at; what a forecast found safe in spite of its slope, every few hours.

use portent_models::baseline::SLOTS;

use super::{HOT_LIKELIHOOD, Shard};
use crate::core::civil;
use crate::core::time::Timestamp;
use crate::core::watch::{Limit, Side, Watch};

/// Out of reach is what lies further beyond the extreme of the last day than this many times the furthest that the week has gone towards it
/// within a horizon.
const CLIMBS: f64 = 1.5;
/// The hour's movement is continued over the horizon at this many times its speed.
const SPEED: f64 = 1.5;
/// From the safest on: what is hardly thinkable today is looked at every other day, what is safe for the next two hours in one. What else would
/// wake a series does so at once, so that looking more often tells no more: with half of these stretches the bundled sets tell 1,831 of 2,070
/// breaches in place of 1,832, 11.0 hours before on average in place of 10.9, and 156 times in vain in place of 152, for a fifth more of the work.
const SAFE: [Safe; 3] = [
    Safe { below: 0.005, holds: 48, horizons: 2.0, rising: 4 },
    Safe { below: 0.02, holds: 24, horizons: 1.0, rising: 3 },
    Safe { below: HOT_LIKELIHOOD as f32, holds: 4, horizons: 0.5, rising: 1 },
];
/// Hours that the present speed is taken over.
const RECENT_BUCKETS: i64 = 4;
/// The slope of the past days, and of the last hours, is continued over the horizon at this many times its steepness.
const STEEPER: f64 = 1.5;
/// A day's shape that falls by more than this share of its range within an hour is the tooth of a saw.
const ONE_FALL: f64 = 0.5;
/// Hours that must be known: less is no week to judge by.
const LEAST_HOURS: usize = 24;

/// How long a forecast holds that found a breach less likely than `below`, in buckets of the coarse ring.
struct Safe {
    below: f32,
    /// As long as nothing new happens ...
    holds: i64,
    /// ... and for so many horizons at most.
    horizons: f64,
    /// Where its slope would bring it there within the horizon, which the forecast has seen and not believed.
    rising: i64,
}

impl Safe {
    /// Of what a forecast has found, for a horizon of so many buckets; `None` where that was not safe, or too short to rest in.
    fn found(likelihood: f32, horizon: f64) -> Option<Self> {
        let Self { below, holds, horizons, rising } = SAFE.into_iter().find(|safe| likelihood < safe.below)?;
        let holds = holds.min((horizons * horizon) as i64);
        (holds > 1 && horizon > 1.0).then(|| Self { below, holds, horizons, rising: rising.min(holds) })
    }
}

impl Shard {
    /// Whether a value has left its normal band towards the threshold. The shape knows hours: where it is steep (a nightly job begins), what
    /// is normal an hour before or after is normal now.
    pub(super) fn has_left(&self, row: usize, value: f64, side: Side, at: Timestamp, watch: &Watch) -> bool {
        let toward = if side == Side::Above { 1.0 } else { -1.0 };
        let civil = civil::hour_of_day(&watch.zone, at);
        let heritage = self.heirs.of(row);
        [-1.0, 0.0, 1.0].into_iter().all(|hours| {
            let civil = (civil + hours).rem_euclid(24.0);
            let band = heritage.map(|heritage| heritage.band(civil)).or_else(|| self.block.expected(row, at.as_millis(), civil));
            band.is_some_and(|band| toward * band.sigmas(value) >= watch.baseline.sigma)
        })
    }

    /// Whether the last forecast found the series safe, and still holds: see the module.
    pub(super) fn is_still_safe(&self, row: usize, value: f64, limit: &Limit, at: Timestamp, watch: &Watch) -> bool {
        let state = &self.rows[row];
        let woken = limit.side.is_breach(value, state.wake);
        let bucket_ms = self.block.geometry().bucket_ms;
        let Some(safe) = Safe::found(state.likelihood, watch.horizon.as_millis() as f64 / bucket_ms as f64) else { return false };
        if state.next_look == Timestamp::MIN || woken {
            return false;
        }
        // One bucket of several is the series' own: looks are spread by its fingerprint.
        let (bucket, own) = (at.as_millis().div_euclid(bucket_ms), state.labels.id().0);
        let is_own = |of: i64| bucket.rem_euclid(of) == (own % of.unsigned_abs()).cast_signed();
        if is_own(safe.holds) || (is_own(safe.rising) && !self.is_short_of(row, value, limit.side, at, watch)) {
            return false;
        }
        !self.has_left(row, value, limit.side, at, watch)
    }

    /// Whether the series stays short of its threshold over the horizon if it goes on as in the past days and in the last hours.
    ///
    /// A leak that was restarted yesterday has no slope of days, but one of hours. A morning's rise has that, too, and continued over the
    /// horizon it would have every rhythm looked at hour by hour: where the day's shape is believed, what it says of these hours is none of
    /// their slope, and the way that is left begins at the upper edge of normal at the day's peak. Not where a day ends in one fall: what is
    /// restarted each night goes on to rise on the night that it is not. And only as long as what the series was told waits for its truth:
    /// the watch would else learn from fewer of its answers.
    fn is_short_of(&self, row: usize, value: f64, side: Side, at: Timestamp, watch: &Watch) -> bool {
        let toward = if side == Side::Above { 1.0 } else { -1.0 };
        let (bucket_ms, horizon_ms) = (self.block.geometry().bucket_ms, watch.horizon.as_millis() as f64);
        let summary = self.block.summary(row);
        let hour = self.block.newest_bucket() - RECENT_BUCKETS;
        let before = self.block.bucket_moments(row, hour);
        let gone = if before.count > 0.0 { toward * (value - before.mean) } else { 0.0 };
        let left = toward * (self.rows[row].threshold - value);
        let growth = |gone: f64| (toward * summary.slope).max(gone / (RECENT_BUCKETS * bucket_ms) as f64) * horizon_ms;
        if STEEPER * growth(gone) < left {
            return true;
        }
        if !summary.seasonal || !self.rows[row].asked.is_full() {
            return false;
        }
        let shape = |civil: f64| toward * self.block.shape_at(row, civil);
        let day: [f64; SLOTS] = std::array::from_fn(|slot| shape(slot as f64 + 0.5));
        let (bottom, peak) = day.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(*v), high.max(*v)));
        if (0..SLOTS).any(|slot| day[slot] - day[(slot + 1) % SLOTS] > ONE_FALL * (peak - bottom)) {
            return false;
        }
        let civil = |at: Timestamp| civil::hour_of_day(&watch.zone, at);
        let now = shape(civil(at));
        let by_shape = now - shape(civil(Timestamp::from_millis(hour * bucket_ms + bucket_ms / 2)));
        STEEPER * growth(gone - by_shape).max(0.0) < left - (peak - now).max(0.0) - watch.baseline.sigma * summary.scale
    }

    /// See the module.
    pub(super) fn is_out_of_reach(&self, row: usize, value: f64, limit: &Limit, at: Timestamp, watch: &Watch) -> bool {
        let toward = if limit.side == Side::Above { 1.0 } else { -1.0 };
        let threshold = self.rows[row].threshold;
        let geometry = self.block.geometry();
        let hours = self.block.coarse_means(row);
        let hours_ahead = watch.horizon.as_millis() as f64 / geometry.bucket_ms as f64;
        let climb = climb(&hours, toward, hours_ahead as usize);
        if hours.iter().filter(|v| v.is_finite()).count() < LEAST_HOURS || climb <= 0.0 {
            // What has never moved says nothing about how far it would.
            return false;
        }
        let windows = (hours_ahead / hours.len().max(1) as f64).max(1.0);
        let day = &hours[hours.len().saturating_sub(geometry.buckets_per_day().max(1))..];
        let nearest = day.iter().filter(|v| v.is_finite()).map(|v| toward * v).fold(toward * value, f64::max);
        let left = toward * threshold - nearest;
        if left <= CLIMBS * windows * climb {
            return false;
        }
        let [.., before, last] = hours[..] else { return false };
        let speed = toward * (value - if before.is_finite() { before } else { last });
        let comes_near = speed.is_finite() && SPEED * speed * hours_ahead >= left;
        !comes_near && !self.has_left(row, value, limit.side, at, watch)
    }
}

/// How far values have gone at most, towards where `toward` points, from one of them to one of the `within` after it. NaN is a gap.
///
/// The lowest of a window is that of the end of one piece of the window's length and of the beginning of the next one (van Herk, "A fast
/// algorithm for local minimum and maximum filters", 1992): one pass back and one forth, and no branch that depends on a value.
fn climb(values: &[f64], toward: f64, within: usize) -> f64 {
    let lower = |a: f64, b: f64| if a < b { a } else { b };
    let values: Vec<f64> = values.iter().map(|v| if v.is_finite() { toward * v } else { f64::INFINITY }).collect();
    let width = within + 1;
    let mut lowest_after = values.clone();
    for piece in lowest_after.chunks_mut(width) {
        let mut lowest = f64::INFINITY;
        for value in piece.iter_mut().rev() {
            lowest = lower(*value, lowest);
            *value = lowest;
        }
    }
    let mut furthest = 0.0;
    for (at, piece) in (0..).step_by(width).zip(values.chunks(width)) {
        let before = if at == 0 { &[] } else { &lowest_after[at + 1 - width..at] };
        let mut lowest = f64::INFINITY;
        for (i, value) in piece.iter().enumerate() {
            lowest = lower(*value, lowest);
            let climbed = value - before.get(i).map_or(lowest, |before| lower(lowest, *before));
            furthest = if climbed > furthest && *value < f64::INFINITY { climbed } else { furthest };
        }
    }
    furthest
}

#[cfg(test)]
mod tests {
    use portent_models::baseline::Geometry;

    use super::*;
    use crate::core::engine::Judged;
    use crate::core::engine::calibration::Calibration;
    use crate::core::engine::shard::Column;
    use crate::core::labels::Labels;
    use crate::core::time::Span;

    const STEP: Span = Span::from_secs(300);
    const DAY: i64 = 288;

    fn at(i: i64) -> Timestamp {
        Timestamp::from_millis(1_793_577_600_000) + STEP.times(i)
    }

    /// A watch above 0.9 within a day, and one series of it after so many samples.
    fn fed(samples: i64, value: impl Fn(i64) -> f64) -> (Shard, Watch) {
        let text =
            "sources: [{ name: a, prometheus: { url: \"http://127.0.0.1:1\" } }]\nwatches: [{ name: w, query: x, step: 5m, above: 0.9 }]\n";
        let watch = crate::config::parse(text, "test.yaml").unwrap().watches.remove(0);
        let geometry = Geometry::new(watch.baseline.window.as_millis(), watch.step.as_millis());
        let mut shard = Shard::new(geometry, watch.baseline.score);
        shard.add(&Labels::named("x"));
        shard.set_all_thresholds(0.9);
        let (learnt, mut effects) = (Calibration::default(), Vec::new());
        for i in 0..samples {
            let column = Column { at: at(i), watch: &watch, playbooks: &[], judging: Judged::from(Timestamp::MIN), learnt: &learnt };
            shard.unscored(column, &[(0, value(i))], &mut effects);
        }
        (shard, watch)
    }

    fn noise(i: i64) -> f64 {
        (i * 7_919 % 97) as f64 / 97.0 - 0.5
    }

    #[test]
    fn what_is_far_and_does_nothing_new_is_out_of_reach_and_no_other() {
        let reach = |end: i64, last: f64, value: &dyn Fn(i64) -> f64| {
            let (shard, watch) = fed(end, value);
            let limit = watch.limit.clone().unwrap();
            shard.is_out_of_reach(0, last, &limit, at(end), &watch)
        };
        let calm = |i: i64| 0.2 + 0.02 * noise(i);
        assert!(reach(5 * DAY, 0.2, &calm));
        assert!(!reach(5 * DAY, 0.3, &calm), "it has left its normal band");
        assert!(!reach(DAY / 2, 0.2, &calm), "half a day is no week");
        assert!(!reach(5 * DAY, 0.2, &|_| 0.2), "what never moved says nothing");
        let swings = |i: i64| 0.45 + 0.3 * (i as f64 / DAY as f64 * std::f64::consts::TAU).sin();
        assert!(!reach(5 * DAY, 0.45, &swings), "its own range would bring it there");
    }

    #[test]
    fn a_climb_is_the_furthest_way_within_so_many_steps() {
        let values = [5.0, 1.0, 2.0, f64::NAN, 4.0, 3.0, 9.0];
        assert_eq!([1, 3, 4, 9].map(|within| climb(&values, 1.0, within)), [6.0, 6.0, 7.0, 8.0]);
        assert_eq!([1, 3].map(|within| climb(&values, -1.0, within)), [4.0, 4.0]);
        assert_eq!(climb(&[f64::NAN, 2.0, 2.0], 1.0, 2), 0.0);
    }

    #[test]
    fn what_was_found_safe_rests_most_hours_until_it_does_something_new() {
        // It has passed noon and falls.
        let end = 6 * DAY + DAY / 2;
        let usual = |i: i64| 0.5 + 0.1 * (i as f64 / DAY as f64 * std::f64::consts::TAU).sin();
        let (mut shard, watch) = fed(end, |i| usual(i) + 0.01 * noise(i));
        let limit = watch.limit.clone().unwrap();
        assert!(shard.rows[0].next_look > Timestamp::MIN);
        shard.rows[0].likelihood = 0.01;
        let rests = |shard: &Shard, hour: i64, more: f64| {
            let i = end + 12 * hour;
            shard.is_still_safe(0, usual(i) + more, &limit, at(i), &watch)
        };
        let looked_at = |shard: &Shard| (0..24).filter(|hour| !rests(shard, *hour, 0.0)).count();
        assert_eq!(looked_at(&shard), 1, "one hour of the day is its own");
        let hour = (0..12).find(|hour| rests(&shard, *hour, 0.0)).unwrap();
        assert!(!rests(&shard, hour, 0.25), "it has left its normal band");
        shard.rows[0].wake = 0.3;
        assert!(!rests(&shard, hour, 0.0), "it has come half way");
        shard.rows[0].wake = f64::NAN;
        shard.rows[0].likelihood = 0.03;
        assert_eq!(looked_at(&shard), 6, "found a little less safe, one hour in four is its own");
        shard.rows[0].likelihood = 0.05;
        assert!(!rests(&shard, hour, 0.0), "it was not found safe");
        shard.rows[0].likelihood = 0.0;
        let short = Watch { horizon: Span::HOUR, ..watch.clone() };
        assert!((0..6).all(|hour| !shard.is_still_safe(0, 0.5, &limit, at(end + 12 * hour), &short)), "an hour's safety is over in one");
    }

    #[test]
    fn a_rise_of_every_morning_rests_where_its_peak_stays_clear_of_the_threshold() {
        let day = |i: i64| (i as f64 / DAY as f64 * std::f64::consts::TAU).sin();
        let rests = |peak: f64, more: f64| {
            let usual = |i: i64| peak - 0.25 + 0.25 * day(i) + 0.005 * noise(i);
            let (mut shard, watch) = fed(6 * DAY, usual);
            shard.rows[0].likelihood = 0.03;
            let limit = watch.limit.clone().unwrap();
            // One of two hours in a row is not its own.
            [0, 12].iter().any(|i| shard.is_still_safe(0, usual(6 * DAY + i) + more, &limit, at(6 * DAY + i), &watch))
        };
        assert!(rests(0.7, 0.0), "six hours like this would bring it there, but it turns at 0.7 each day");
        assert!(!rests(0.88, 0.0), "its peak is nearly there");
        assert!(!rests(0.7, 0.05), "it rises faster than each morning");
    }

    /// Of twelve hours in a row, at this value.
    fn looked_at(shard: &Shard, watch: &Watch, value: f64, from: i64) -> usize {
        let limit = watch.limit.clone().unwrap();
        (0..12).filter(|hour| !shard.is_still_safe(0, value, &limit, at(from + 12 * hour), watch)).count()
    }

    #[test]
    fn what_its_last_hours_would_bring_there_rests_for_less() {
        // A leak that is restarted each midnight: its slope of days is none.
        let (mut shard, watch) = fed(5 * DAY + DAY / 2, |i| 0.3 + 0.45 * (i % DAY) as f64 / DAY as f64 + 0.002 * noise(i));
        let (value, now) = (0.3 + 0.45 / 2.0, 5 * DAY + DAY / 2);
        for (likelihood, hours) in [(0.0, 3), (0.01, 4), (0.03, 12)] {
            shard.rows[0].likelihood = likelihood;
            assert_eq!(looked_at(&shard, &watch, value, now), hours, "found to be {likelihood}");
            assert!(looked_at(&shard, &watch, value - 0.1, now) < hours, "as it stood four hours ago");
        }
    }

    #[test]
    fn what_will_be_there_by_its_slope_rests_for_less() {
        // 0.5 a day: from 0.6 on the rest of the way is less than a day and a half.
        let (mut shard, watch) = fed(5 * DAY, |i| -1.9 + 0.5 * i as f64 / DAY as f64 + 0.002 * noise(i));
        shard.rows[0].likelihood = 0.0;
        assert_eq!(looked_at(&shard, &watch, -1.9 + 2.5, 5 * DAY), 3);
    }
}
