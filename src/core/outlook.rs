//! What one series will do within the horizon, as of one sample: the numbers a prediction is made of.
//!
//! Looks only at a [`Block`]'s closed buckets for the model and at the newest ones for where the series stands now. The fit is a function of
//! closed buckets alone, so it can be thrown away and made again at any moment without changing a single answer.

use std::sync::Arc;

use portent_models::baseline::Block;
use portent_models::breach::{Passage, Recalibration, RingQuestion, Week};
use portent_models::forecast::{Bounds, Context, Ensemble, FitError, Fitted, Model, around_level};
use portent_models::robust::{SIGMA_PER_MAD, median_mut, median_slope};

use super::civil;
use super::heritage::Heritage;
use super::time::{Span, Timestamp};
use super::watch::{Side, Watch};
use super::widths::Widths;

/// How far the fine ring looks ahead at most: with 63 closed buckets behind, further would be guessing.
const FINE_STEPS: usize = 36;
/// The fine ring needs this many closed buckets to say anything.
const MIN_FINE: usize = 24;
/// Hours of its own that the forecast of a young series needs: with fewer, its own errors say less than its siblings' noise.
const MIN_YOUNG: usize = 24;
/// Past origins at which half of the full confidence is reached.
const HALF_CONFIDENCE_ORIGINS: f64 = 6.0;
/// Steps of a forecast at most: 60 days of hours.
const MAX_STEPS: usize = 1_440;

/// An interval lies this many hours ahead at most to be judged: a ring holds a week, and a value must still be there when it is asked for.
const MAX_AHEAD: i64 = 160;

/// A fitted forecast and the time axis it lies on.
#[derive(Clone, Debug)]
pub struct Fit {
    pub fitted: Fitted,
    /// Number of the newest (still open) bucket it was made in; in another one it is out of date.
    made_in: i64,
    ring: Ring,
    /// What the closed hours say about the threshold it was made for.
    week: Option<Arc<Week>>,
    /// Middle of the last bucket that was looked at.
    pub origin: Timestamp,
    pub step: Span,
    /// How many times as wide its intervals are than its errors make them: of a young series, whose few errors are believed less.
    wider: f64,
}

/// Which of a block's rings a fit looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ring {
    /// A week of hours: rhythms and slow growth.
    Coarse,
    /// Five hours of five minutes: what has begun this morning.
    Fine,
}

impl Fit {
    /// Whether the fit is still what a new one would be.
    pub fn is_current(&self, block: &Block, threshold: f64) -> bool {
        self.made_in == newest(block, self.ring) && self.week.as_ref().is_none_or(|week| week.is_current(block, threshold))
    }

    /// `breach` is the threshold and its side, where there is one: what led to a breach that is over says little about what comes.
    ///
    /// `heritage` is what a young series goes by: its week knows no day yet, so nothing is asked of that. `week` is what its hours are
    /// already known to say about this breach.
    ///
    /// # Errors
    /// Where the ring holds too little.
    pub fn new(
        block: &Block,
        row: usize,
        watch: &Watch,
        ring: Ring,
        breach: Option<(Side, f64)>,
        heritage: Option<&Heritage>,
        week: Option<Arc<Week>>,
    ) -> Result<Self, FitError> {
        let geometry = block.geometry();
        let newest = newest(block, ring);
        let bucket_ms = if ring == Ring::Fine { geometry.fine_ms } else { geometry.bucket_ms };
        let middle = |bucket: i64| Timestamp::from_millis(bucket * bucket_ms + bucket_ms / 2);
        // One more step than the horizon for what has passed since the origin (up to one and a half), and one to interpolate in.
        let steps = (watch.horizon.as_millis() / bucket_ms) as usize + 3;
        let bounds = Bounds { lower: watch.profile.lower, upper: watch.profile.upper };
        let fitted = match (ring, heritage) {
            (Ring::Fine, _) => {
                let steps = steps.min(FINE_STEPS);
                // The fine ring is too short to see a day in: the daily shape is taken off before and put back after.
                let shape = |bucket: i64| {
                    let civil = civil::hour_of_day(&watch.zone, middle(bucket));
                    heritage.map_or_else(|| block.shape_at(row, civil), |heritage| heritage.shape_at(civil))
                };
                let mut values = block.fine_means(row);
                let present = values.iter().filter(|v| v.is_finite()).count();
                if present < MIN_FINE {
                    return Err(FitError::TooShort { model: "fine", have: present, need: MIN_FINE });
                }
                let first = newest - values.len() as i64;
                values.iter_mut().enumerate().for_each(|(i, v)| *v -= shape(first + i as i64));
                if let Some((side, threshold)) = breach {
                    forget_before(&mut values, side, threshold, 0);
                }
                let flat = Ensemble.fit(&Context::new(&values, 0, Bounds::default()), steps)?;
                flat.plus((0..steps).map(|h| shape(newest + h as i64)))
            }
            (Ring::Coarse, Some(heritage)) => {
                let shape = |bucket: i64| heritage.shape_at(civil::hour_of_day(&watch.zone, middle(bucket)));
                young(block.coarse_means(row), newest, heritage, shape, (steps.min(MAX_STEPS), bounds))?
            }
            (Ring::Coarse, None) => {
                let season = if watch.profile.seasonal { geometry.buckets_per_day() } else { 0 };
                let mut values = block.coarse_means(row);
                if let Some((side, threshold)) = breach.filter(|_| has_changed(block, row, watch)) {
                    forget_before(&mut values, side, threshold, geometry.buckets_per_day());
                }
                let steps = steps.min(MAX_STEPS);
                let context = watch.days().context(&values, season, bounds, middle(newest - 1), Span::from_millis(bucket_ms), steps);
                Ensemble.fit(&context, steps)?
            }
        };
        let asked = breach.filter(|_| heritage.is_none());
        let week =
            asked.and_then(|(side, threshold)| week.or_else(|| Week::new(block, row, &question(watch, side, threshold)).map(Arc::new)));
        let wider = heritage.map_or(1.0, |heritage| heritage.wider);
        Ok(Self { fitted, made_in: newest, ring, week, origin: middle(newest - 1), step: Span::from_millis(bucket_ms), wider })
    }

    /// What the closed hours say, for another fit of the same series and the same breach.
    pub fn week(&self) -> Option<Arc<Week>> {
        self.week.clone()
    }

    /// What the week has to say about where the series stands now. The last hours alone take every morning's jump for the beginning of the
    /// end; but of a level that the week has never seen it knows nothing.
    fn week_about(&self, block: &Block, row: usize) -> Option<&Week> {
        self.week.as_deref().filter(|week| self.ring == Ring::Coarse || !week.is_beyond(level_now(block, row)))
    }

    /// Steps (fractional) from the origin to a time.
    pub fn elapsed(&self, at: Timestamp) -> f64 {
        (at - self.origin).as_millis() as f64 / self.step.as_millis() as f64
    }

    /// The median path at a time after the origin.
    pub fn median_at(&self, at: Timestamp) -> f64 {
        let median = self.fitted.median();
        let position = (self.elapsed(at) - 1.0).clamp(0.0, (median.len() - 1) as f64);
        let left = position.floor() as usize;
        let right = (left + 1).min(median.len() - 1);
        median[left] + (position - left as f64) * (median[right] - median[left])
    }

    /// The worst value of the median path between two times, in steps from the origin: where the series is going, not where it will be at the
    /// very end, which for a daily rhythm is where it is now. From where the series stands now, `shift` off the path, as
    /// [`interval`](Self::interval) has it.
    fn worst_median(&self, side: Side, shift: f64, from: f64, to: f64) -> Option<f64> {
        let (persistence, mut drift) = (self.fitted.errors().persistence(), shift);
        let mut worst: Option<f64> = None;
        for (index, median) in self.fitted.median().iter().enumerate() {
            let step = (index + 1) as f64;
            if step < from || step > to {
                continue;
            }
            let value = median + drift;
            drift *= persistence;
            let is_worse = worst.is_none_or(|worst| if side == Side::Above { value > worst } else { value < worst });
            if value.is_finite() && is_worse {
                worst = Some(value);
            }
        }
        worst
    }

    /// Bounds at levels of the hour `ahead` of the open one, `widen` times as wide as past errors have them, from where the series stands
    /// now, as charts show them: the distance from the median path fades as the model's errors do. `None` past the forecast's end.
    pub fn interval<const N: usize>(
        &self,
        block: &Block,
        row: usize,
        at: Timestamp,
        ahead: usize,
        levels: [f64; N],
        widen: f64,
    ) -> Option<[[f64; 2]; N]> {
        let drift = self.shift(block, row, at) * self.fitted.errors().persistence().powi(i32::try_from(ahead).ok()?);
        self.fitted.bounds(ahead, levels, self.wider * widen).map(|bounds| bounds.map(|[lower, upper]| [lower + drift, upper + drift]))
    }

    /// The last step within the horizon whose interval is promised and judged.
    pub fn last_step(&self, watch: &Watch) -> usize {
        let whole = (watch.horizon.as_millis() / self.step.as_millis()).clamp(1, MAX_AHEAD) as usize;
        whole.min(self.fitted.horizon().saturating_sub(1))
    }

    /// How many times as wide the interval at each step (from 0) is to be. The last hours' own forecast is as its errors make it: its
    /// intervals are not promised to anybody, so nobody knows better.
    pub fn widen(&self, widths: Widths, watch: &Watch) -> impl Fn(usize) -> f64 {
        let (ring, last, wider) = (self.ring, self.last_step(watch), self.wider);
        move |step| wider * if ring == Ring::Coarse { widths.at(step, last) } else { 1.0 }
    }

    /// How far the present level lies from the median path, as far as it is more than noise.
    pub fn shift(&self, block: &Block, row: usize, at: Timestamp) -> f64 {
        let distance = level_now(block, row) - self.median_at(at);
        let noise = block.within_sigma(row) * if self.ring == Ring::Fine { 0.5 } else { 1.0 };
        let model = self.fitted.errors().typical(0) * SIGMA_PER_MAD;
        // What lies further off than noise explains is the series itself, whatever the model's usual error: after a clean-up nothing of the old
        // level is left.
        let explained = (model * model).max(distance * distance - noise * noise);
        let gain = if explained > 0.0 { explained / (explained + noise * noise) } else { f64::from(u8::from(noise == 0.0)) };
        if distance.is_finite() { gain * distance } else { 0.0 }
    }
}

/// The forecast of a young series: what is left of its hours without the inherited day goes on, and the day comes back on top. Before it
/// has enough hours for that, its level goes on, and is as far off as its siblings' hours are.
fn young(
    mut values: Vec<f64>,
    newest: i64,
    heritage: &Heritage,
    shape: impl Fn(i64) -> f64,
    (steps, bounds): (usize, Bounds),
) -> Result<Fitted, FitError> {
    let first = newest - values.len() as i64;
    values.iter_mut().enumerate().for_each(|(i, v)| *v -= shape(first + i as i64));
    let flat = if values.iter().filter(|v| v.is_finite()).count() < MIN_YOUNG {
        around_level(heritage.level, &heritage.errors, steps)?
    } else {
        Ensemble.fit(&Context::new(&values, 0, Bounds::default()), steps)?
    };
    Ok(flat.plus((0..steps).map(|h| shape(newest + h as i64))).within(bounds))
}

/// Whether the series is no longer what its daily shape says, or never had one. A series that still follows its shape after a breach (a
/// peak that was a little too high) is the same series.
fn has_changed(block: &Block, row: usize, watch: &Watch) -> bool {
    /// Three sigmas are no accident.
    const FAR_SIGMAS: f64 = 3.0;
    let geometry = block.geometry();
    let closed = Timestamp::from_millis((block.newest_bucket() - 1) * geometry.bucket_ms + geometry.bucket_ms / 2);
    let last = block.bucket_moments(row, block.newest_bucket() - 1);
    let band = block.expected(row, closed.as_millis(), civil::hour_of_day(&watch.zone, closed));
    match band {
        Some(band) if block.summary(row).seasonal && last.count > 0.0 => band.sigmas(last.mean).abs() > FAR_SIGMAS,
        _ => true,
    }
}

/// Leaves only what came after the last breach, if it was an incident: yesterday's disaster at three is no season, and what was done about
/// it changed the series. One that came at the same time of another day, too, is a rhythm, and stays; so does one that is not over, though
/// the series has dropped below the threshold for a while: a disk that log rotation brought from 93 % to 85 % is still filling.
fn forget_before(values: &mut [f64], side: Side, threshold: f64, per_day: usize) {
    /// Breaches this near to each other by the time of day are one rhythm.
    const SAME_TIME_BUCKETS: usize = 2;
    /// Over is what has come at least this share of the way from the threshold back to the usual level.
    const BACK_SHARE: f64 = 0.5;
    let breached: Vec<usize> = (0..values.len()).filter(|&i| values[i].is_finite() && side.is_breach(values[i], threshold)).collect();
    let Some(&last) = breached.last() else { return };
    let present = values.iter().copied().rfind(|v| v.is_finite()).unwrap_or(threshold);
    let usual = median_mut(&mut values.iter().copied().filter(|v| v.is_finite()).collect::<Vec<_>>());
    if (threshold - present).abs() < BACK_SHARE * (threshold - usual).abs() {
        return;
    }
    let is_rhythm = per_day > 0
        && breached.iter().any(|&earlier| {
            let apart = last - earlier;
            let off = apart % per_day;
            apart > per_day / 2 && off.min(per_day - off) <= SAME_TIME_BUCKETS
        });
    if !is_rhythm {
        values[..=last].fill(f64::NAN);
    }
}

/// Number of a ring's newest bucket, which is still open.
pub fn newest(block: &Block, ring: Ring) -> i64 {
    match ring {
        Ring::Coarse => block.newest_bucket(),
        Ring::Fine => block.newest_fine(),
    }
}

/// Where the series stands: the median of its last sample and the two newest fine means, so that one wild sample moves nothing.
fn level_now(block: &Block, row: usize) -> f64 {
    let newest = block.newest_fine();
    let last = block.last(row).map_or(f64::NAN, |(_, value)| value);
    let mut values = [last, block.fine_mean(row, newest), block.fine_mean(row, newest - 1)];
    values.sort_unstable_by(f64::total_cmp);
    let finite = values.iter().filter(|v| v.is_finite()).count();
    let mut present: Vec<f64> = values.into_iter().filter(|v| v.is_finite()).collect();
    median_mut(&mut present[..finite])
}

/// The answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Outlook {
    /// Probability of a breach within the horizon, as this watch's settled answers have corrected it.
    pub likelihood: f64,
    /// The same before that.
    pub stated: f64,
    pub basis: Basis,
    pub confidence: f64,
    /// Seconds from now at 10, 50 and 90 %; `None` where that quantile lies past the horizon.
    pub eta_s: [Option<f64>; 3],
    /// Seconds from now at which the median path reaches the threshold.
    pub median_s: Option<f64>,
    /// The worst value of the median path within the horizon.
    pub predicted_value: Option<f64>,
    pub rate_per_minute: f64,
    /// Typical error of past forecasts at the end of the horizon.
    pub typical_error: f64,
    pub origins: usize,
    /// The heaviest rule and its weight.
    pub leading_rule: (&'static str, f64),
}

/// What a likelihood rests on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Basis {
    /// A known moment: nothing is guessed.
    Clock,
    /// The share of the forecast's error paths that reach the threshold.
    Paths,
    /// That share, with what the hours of the past week say about such thresholds.
    Week { by_paths: f64 },
}

fn question(watch: &Watch, side: Side, threshold: f64) -> RingQuestion {
    RingQuestion { threshold, upward: side == Side::Above, horizon_ms: watch.horizon.as_millis() }
}

/// What a fitted series will do against a threshold. `settled` corrects what is said by what came of earlier answers.
///
/// Likelihood and times are one distribution: a quantile lies past the horizon exactly where the likelihood is below it. The error paths say
/// when, where they say at least half of what is said; else the hours of past breaches.
#[allow(clippy::too_many_arguments, reason = "a question has a place, a time, a threshold and a correction")]
pub fn outlook(
    block: &Block,
    row: usize,
    fit: &Fit,
    at: Timestamp,
    watch: &Watch,
    side: Side,
    threshold: f64,
    settled: &Recalibration,
) -> Outlook {
    /// Paths that say less of what is said do not know when.
    const PATHS_SAY: f64 = 0.5;
    let elapsed = fit.elapsed(at).max(0.0);
    let horizon = (watch.horizon.as_millis() as f64 / fit.step.as_millis() as f64).min(fit.fitted.horizon() as f64 - elapsed);
    let shift = fit.shift(block, row, at);
    let passage = fit.fitted.passage(threshold, side == Side::Above, shift, elapsed, 1);
    let by_paths = passage.within(elapsed + horizon);
    let week = fit.week_about(block, row);
    let (stated, basis) = match week {
        Some(week) => (week.likelihood(block, row, &question(watch, side, threshold), by_paths), Basis::Week { by_paths }),
        None => (by_paths, Basis::Paths),
    };
    let likelihood = settled.apply(stated);
    let step_s = fit.step.as_secs_f64();
    let ahead = |steps: f64| (steps - elapsed).clamp(0.0, horizon.max(0.0)) * step_s;
    let of_paths = |passage: &Passage, share: f64| ahead(passage.quantile(share * by_paths).unwrap_or(elapsed + horizon));
    let time_of = |share: f64| match week {
        Some(week) if by_paths < PATHS_SAY * stated => {
            (week.quantile_ms(block, at.as_millis(), share) / MS_PER_S).min(watch.horizon.as_secs_f64())
        }
        _ => of_paths(&passage, share),
    };
    let origins = fit.fitted.errors().origins();
    let span = block.first_ms(row).map_or(0.0, |first| (at.as_millis() - first) as f64);
    let full = watch.baseline.window.as_millis() as f64;
    Outlook {
        likelihood,
        stated,
        basis,
        confidence: origins as f64 / (origins as f64 + HALF_CONFIDENCE_ORIGINS) * (span / full).clamp(0.0, 1.0).sqrt(),
        eta_s: [0.1, 0.5, 0.9].map(|q| (q <= likelihood).then(|| time_of(q / likelihood))),
        predicted_value: fit.worst_median(side, shift, elapsed, elapsed + horizon),
        median_s: passage.median_path().filter(|steps| steps - elapsed <= horizon).map(ahead),
        rate_per_minute: rate_per_minute(block, row),
        typical_error: fit.fitted.errors().typical(fit.fitted.horizon() - 1),
        origins,
        leading_rule: fit.fitted.weights().first().copied().unwrap_or(("none", 0.0)),
    }
}

const MS_PER_S: f64 = 1_000.0;

/// A time that comes by itself: the value falls (or rises) with the clock, so the moment is known and not guessed.
pub fn deadline(value: f64, rate_per_s: f64, watch: &Watch, side: Side, threshold: f64) -> Outlook {
    let left_s = (threshold - value) / rate_per_s;
    let toward = if side == Side::Above { rate_per_s > 0.0 } else { rate_per_s < 0.0 };
    let inside = toward && left_s >= 0.0 && left_s <= watch.horizon.as_secs_f64();
    let eta = inside.then_some(left_s);
    Outlook {
        likelihood: f64::from(u8::from(inside)),
        stated: f64::from(u8::from(inside)),
        basis: Basis::Clock,
        confidence: 1.0,
        eta_s: [eta; 3],
        median_s: eta,
        // With the clock it goes one way only.
        predicted_value: Some(value + rate_per_s * watch.horizon.as_secs_f64()).filter(|v| v.is_finite()),
        rate_per_minute: rate_per_s * 60.0,
        typical_error: 0.0,
        origins: 0,
        leading_rule: ("deadline", 1.0),
    }
}

/// Median slope of the fine ring since the last large fall, per minute; of the coarse one where the fine one is too thin; 0 where both are.
pub fn rate_per_minute(block: &Block, row: usize) -> f64 {
    let fine = slope_per_minute(block.fine_means(row), Span::from_millis(block.geometry().fine_ms));
    if let Some(slope) = fine {
        return slope;
    }
    let coarse = block.coarse_means(row);
    let slope = median_slope(&coarse[coarse.len().saturating_sub(24)..]);
    if slope.is_finite() { slope * MINUTE_MS / block.geometry().bucket_ms as f64 } else { 0.0 }
}

const MINUTE_MS: f64 = 60_000.0;

/// Median slope of equally spaced values since their last large fall, per minute; NaN values are gaps. `None` for too few.
pub fn slope_per_minute(values: Vec<f64>, step: Span) -> Option<f64> {
    let slope = median_slope(&tooth(values));
    slope.is_finite().then(|| slope * MINUTE_MS / step.as_millis().max(1) as f64)
}

/// The values after the last one-step fall of more than half their range.
fn tooth(mut values: Vec<f64>) -> Vec<f64> {
    let (low, high) = values.iter().filter(|v| v.is_finite()).fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(*v), h.max(*v)));
    let start = (1..values.len()).rev().find(|&i| values[i - 1] - values[i] > 0.5 * (high - low));
    match start {
        Some(start) if values.len() - start >= 6 => values.split_off(start),
        _ => values,
    }
}
