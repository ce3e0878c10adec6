//! Is this sample normal for its series? A score that means the same for every series and every step: 1.0 is the edge of normal at a stated
//! rate of false alarms.
//!
//! Each sample is measured by how far up and down its series goes, passes the season (what is expected now), the residual goes through taps
//! of many lengths, a whitener says how far the taps and the variation are from their own past, and the calibration how rare an hour with
//! such a distance is. Everything is one pass: constant work a sample, a fixed 1.7 KB of state, nothing looked at twice and nothing ahead,
//! so a score never changes.
//!
//! Rejected: averaging the p-values of single views (what is far in one view drowns in the others), smoothing the score (late), a threshold
//! in sigmas (heavy tails raise it every hour, quiet series never).

mod calibrate;
mod codec;
#[cfg(test)]
mod conformance;
mod explain;
mod flat;
mod lows;
mod prior;
mod quad;
mod season;
mod settings;
mod table;
mod taps;
mod views;
mod whiten;

pub use codec::DecodeError;
pub use explain::{Scored, View};
pub use settings::{Direction, Settings};

use calibrate::Calibration;
use flat::Runs;
use lows::Lows;
use prior::HOUR_P_AT_ONE;
use season::{Moment, Season, Slots, gain};
use settings::Rules;
use taps::taps_of;
use views::{Sample, Seen, Views};

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: f32 = 86_400_000.0;
/// Samples before anything is said: fewer do not fill a covariance.
const SILENT_SAMPLES: u32 = 64;
/// The part of the false alarms that runs (of one value, or of none) may take.
const RUN_SHARE: f64 = 0.02;
/// Deviations are held at so many robust deviations when the scale is learned.
const MOST_SIGMAS: f32 = 3.0;
/// The mean of a normal variable's size, held at three deviations, is 0.8 of its deviation.
const SIGMA_OF_MEAN: f32 = 1.25;
/// Days that scale and spread remember.
const SCALE_DAYS: f32 = 7.0;
/// The distance is held for about this long: an odd stretch is odd between its oddest samples too.
const HOLD_MS: f32 = 30.0 * 60_000.0;
/// Rounding of 64-bit sums: less of a difference is none.
const ROUNDING: f64 = 1e-12;
/// A value this many times further away than the first move ever seen is of another world: what was learned is in units that it cannot be
/// measured with, and is learned anew.
const MOST_UNITS: f64 = 1e9;
/// The score of such a value, and of one where none can be.
const MOST_SCORE: f64 = 100.0;
/// The score of what does not count by the settings: just under the edge.
const NOT_COUNTED: f64 = 0.99;

/// The larger of two numbers that are both there: without the care for missing ones that [`f32::max`] takes, a fifth of its instructions.
fn larger<T: PartialOrd>(a: T, b: T) -> T {
    if a > b { a } else { b }
}

/// The smaller of two numbers that are both there.
fn smaller<T: PartialOrd>(a: T, b: T) -> T {
    if a < b { a } else { b }
}

/// What is normal for one sample, as in [`Scored`].
#[derive(Clone, Copy, Debug)]
struct Band {
    expected: f64,
    lower: f64,
    upper: f64,
    sigmas: f64,
}

/// One series, sample by sample in order of time.
#[derive(Clone, Debug)]
pub struct Scorer {
    rules: Rules,
    step_ms: i64,
    last_ms: i64,
    last: f64,
    /// Everything below is in units of the first move, from the first value: 32 bits hold any series that way.
    origin: f64,
    /// 0 while the series has not moved.
    unit: f64,
    samples_a_day: f32,
    /// Samples so far.
    seen: u32,
    resolution: f32,
    /// Robust deviation of the residual, its mean size, and mean and variance of the values.
    scale: f32,
    size: f32,
    centre: f32,
    spread: f32,
    /// Distances of the two samples before, and the held one.
    before: [f32; 2],
    held: f32,
    /// Largest of this hour: of distances, and of runs.
    largest: [f32; 2],
    /// The distance at a score of 1.0.
    edge: f32,
    slots: Slots,
    taps: u8,
    season: Season,
    lows: Lows,
    runs: Runs,
    views: Views,
    distances: Calibration,
    run_lengths: Calibration,
}

impl Scorer {
    /// Bytes of one in memory. It has nothing on the heap.
    pub const BYTES: usize = size_of::<Self>();

    /// `step_ms` is the usual time between samples.
    pub fn new(step_ms: i64, settings: Settings) -> Self {
        Self::with(step_ms, Rules::new(settings, HOUR_P_AT_ONE))
    }

    fn with(step_ms: i64, rules: Rules) -> Self {
        let step_ms = step_ms.max(1);
        let samples_a_day = (DAY_MS / step_ms as f32).max(1.0);
        let mut made = Self {
            rules,
            step_ms,
            last_ms: i64::MIN,
            last: f64::NAN,
            origin: 0.0,
            unit: 0.0,
            samples_a_day,
            seen: 0,
            resolution: 1.0,
            scale: 0.0,
            size: 0.0,
            centre: 0.0,
            spread: 0.0,
            before: [0.0; 2],
            held: 0.0,
            largest: [0.0; 2],
            edge: 0.0,
            slots: Slots::new(step_ms),
            taps: taps_of(samples_a_day) as u8,
            season: Season::new(),
            lows: Lows::default(),
            runs: Runs::default(),
            views: Views::new(),
            distances: Calibration::new(&prior::DISTANCE),
            run_lengths: Calibration::new(&prior::RUN),
        };
        made.settle();
        made
    }

    /// Works out what follows from the calibration.
    fn settle(&mut self) {
        self.edge = self.distances.distance(self.rules.ln_p_at_one, &prior::DISTANCE);
    }

    /// The largest distance and the largest run of the hour of the last sample, up to it: what the prior is fitted to.
    pub fn hour_so_far(&self) -> [f32; 2] {
        self.largest
    }

    /// Scores a sample, then learns from it. `offset_ms` is how far local time is ahead of UTC at that time.
    ///
    /// `None` where nothing can be said: the first samples of a series, a value that is missing (NaN or infinite), a time that is not after
    /// the last one. The latter two are not learned from.
    pub fn push(&mut self, at_ms: i64, offset_ms: i64, value: f64) -> Option<Scored> {
        if !value.is_finite() || at_ms <= self.last_ms {
            return None;
        }
        let Some(in_units) = self.in_units(value) else { return self.restart(at_ms, offset_ms, value) };
        let stretch = self.lows.stretch(self.seen, self.samples_a_day);
        let z = stretch.measure(in_units);
        self.lows.learn(in_units, self.seen, self.samples_a_day);
        let missed = match at_ms.saturating_sub(self.last_ms) {
            // Up to one and a half, the usual: without a division.
            since if self.seen == 0 || since.saturating_sub(self.step_ms) < self.step_ms - self.step_ms / 2 => 0,
            since => since.saturating_add(self.step_ms / 2) / self.step_ms - 1,
        };
        let step = if self.seen == 0 { 0.0 } else { (value - self.last).abs() };
        let day = gain(self.seen, SCALE_DAYS * self.samples_a_day);
        let is_young = (self.seen as f32) < self.samples_a_day;

        let local_ms = at_ms.saturating_add(offset_ms);
        let now = Moment::new(self.slots, local_ms);
        self.season.advance(self.slots, now, self.scale);
        let expected = self.season.expected(self.slots, now, self.seen as f32 / self.samples_a_day);
        let residual = z - expected.value;
        if !is_young && ((self.seen.saturating_sub(1)) as f32) < self.samples_a_day {
            // The first day was measured from its own mean, from now on the table counts: that is no move of the series.
            self.views.shift(usize::from(self.taps), residual - (z - self.season.recent()));
        }
        self.season.learn(z, expected, self.scale, (self.seen, self.samples_a_day));

        let is_still = step <= 1e-9 * value.abs() + 1e-3 * f64::from(self.scale) * self.unit;
        self.runs.push(is_still && self.seen > 0, missed as f32, day);
        let step = if self.unit > 0.0 { (step / self.unit) as f32 } else { 0.0 };
        // What this sample is judged by is what was known before it.
        let (scale, least) = (self.scale, 0.3 * self.resolution);
        self.learn_scale(z, residual, day, is_young);
        let least_step = larger(larger(least, 0.05 * self.size), 0.02 * self.scale);
        let seen = self.views.push(Sample {
            residual,
            step,
            scale: self.scale,
            least: least_step,
            resolution: self.resolution,
            seen: self.seen,
            samples_a_day: self.samples_a_day,
            taps: usize::from(self.taps),
        });

        let is_silent = self.seen < SILENT_SAMPLES;
        let raw = if is_silent { 0.0 } else { seen.distance };
        let held_over = (HOLD_MS / self.step_ms as f32).max(1.0);
        self.held += (raw - self.held) / held_over;
        // One sample alone can be a slip of the scrape: it counts in full with the next one, or at once when it lifts the held one enough.
        let distance = larger(smaller(raw, larger(self.before[0], self.before[1])), self.held);
        self.before = [raw, self.before[0]];
        let runs = [self.runs.still(), self.runs.missed()];
        let run = larger(runs[0], runs[1]);
        if self.seen > 0 && at_ms.div_euclid(HOUR_MS) != self.last_ms.div_euclid(HOUR_MS) {
            self.turn_hour(is_silent);
        }
        self.largest = [larger(self.largest[0], distance), larger(self.largest[1], run)];

        self.seen = self.seen.saturating_add(1);
        (self.last_ms, self.last) = (at_ms, value);
        if is_silent {
            return None;
        }
        let deviation = larger(scale, least);
        let width = self.edge * deviation;
        let value_of = |measured| self.rules.within(self.origin + f64::from(stretch.value(measured)) * self.unit);
        let band = Band {
            expected: value_of(expected.value),
            lower: value_of(expected.value - width),
            upper: value_of(expected.value + width),
            sigmas: if deviation > 0.0 { f64::from(residual) / f64::from(deviation) } else { 0.0 },
        };
        Some(self.judge(value, band, distance, (run, runs[1] >= run && run > 0.0, is_young), seen))
    }

    /// The value in units of the first move; `None` when that is no measure for it.
    fn in_units(&mut self, value: f64) -> Option<f32> {
        if self.seen == 0 {
            self.origin = value;
        }
        let step = (value - self.last).abs();
        if self.seen > 0 && step > ROUNDING * value.abs().max(self.last.abs()) {
            if self.unit == 0.0 {
                self.unit = step;
            }
            self.resolution = self.resolution.min((step / self.unit) as f32);
        }
        let z = if self.unit > 0.0 { (value - self.origin) / self.unit } else { 0.0 };
        (z.abs() <= MOST_UNITS).then_some(z as f32)
    }

    /// Forgets everything but the settings, and begins with this value.
    fn restart(&mut self, at_ms: i64, offset_ms: i64, value: f64) -> Option<Scored> {
        let (was_old, last) = (self.seen >= SILENT_SAMPLES, self.last);
        *self = Self::with(self.step_ms, self.rules);
        self.push(at_ms, offset_ms, value);
        was_old.then(|| Scored {
            expected: last,
            lower: last,
            upper: last,
            sigmas: (value - last).signum() * MOST_UNITS,
            score: if self.rules.counts(value, last) { MOST_SCORE } else { NOT_COUNTED },
            ln_hour_p: f64::NEG_INFINITY,
            view: View::Level { over_ms: self.step_ms },
        })
    }

    fn learn_scale(&mut self, z: f32, residual: f32, slow: f32, is_young: bool) {
        let from_centre = z - self.centre;
        self.spread = (1.0 - slow) * (self.spread + slow * from_centre * from_centre);
        self.centre += slow * from_centre;
        let spread = self.spread.sqrt();
        let most = MOST_SIGMAS * larger(self.scale, if is_young { spread } else { 0.02 * spread });
        let size = smaller(residual.abs(), most);
        self.scale += slow * (SIGMA_OF_MEAN * size - self.scale);
        self.size += slow * (size - self.size);
    }

    fn turn_hour(&mut self, is_silent: bool) {
        if !is_silent {
            if self.largest[0] > 0.0 {
                self.distances.count(self.largest[0], &prior::DISTANCE);
                self.settle();
            }
            self.run_lengths.count(self.largest[1], &prior::RUN);
        }
        self.largest = [0.0; 2];
    }

    fn judge(&self, value: f64, band: Band, distance: f32, (run, is_missed, is_young): (f32, bool, bool), seen: Seen) -> Scored {
        let by_distance = f64::from(self.distances.ln_p(distance, &prior::DISTANCE));
        let by_run =
            if is_young || run == 0.0 { 0.0 } else { (f64::from(self.run_lengths.ln_p(run, &prior::RUN)) - RUN_SHARE.ln()).min(0.0) };
        let is_run = by_run < by_distance;
        let ln_p = by_distance.min(by_run);
        let mut score = (ln_p / f64::from(self.rules.ln_p_at_one)).clamp(0.0, MOST_SCORE);
        let mut view = match () {
            () if is_run && is_missed => View::Silence,
            () if is_run => View::Flatline,
            () if seen.variation > seen.level.max(seen.season) => View::Variation,
            () if seen.season > seen.level => View::Season,
            () => View::Level { over_ms: self.step_ms << seen.scale },
        };
        if score >= 1.0 && !is_run && !self.rules.counts(value, band.expected) {
            score = NOT_COUNTED;
        }
        if self.rules.is_impossible(value) {
            (score, view) = (score.max(MOST_SCORE), View::Range);
        }
        let Band { expected, lower, upper, sigmas } = band;
        Scored { expected, lower, upper, sigmas, score, ln_hour_p: ln_p, view }
    }
}
