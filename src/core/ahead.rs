//! What one series will do after an origin, from its samples alone: what `forecast` and `chart` say about a file.
//!
//! The engine looks ahead through its baseline's buckets, because it keeps no samples. Here the samples themselves are at hand, so the model
//! gets them on a grid that ends at the last of them: the next step then is the next sample, and a breach can be asked to last a number of
//! samples. Nothing after the origin is looked at.

use portent_models::breach::{Chance, FirstPassage, Question};
use portent_models::forecast::{Bounds, FitError, Fitted, Forecast, Model, NAMES, by_name, fit_or_level};

use super::calendar::Days;
use super::outlook::slope_per_minute;
use super::time::{Span, Timestamp};
use super::watch::Side;

/// Steps ahead at most. Errors are looked at along whole paths from two dozen past origins: twice the steps are twice the time and memory,
/// and past this point it is minutes a series.
pub const MAX_STEPS: usize = 10_000;

/// Samples in a row that a breach can be asked to last.
pub const MAX_SUSTAIN: usize = 1_000;

/// The past that models look at is 28 days; in steps it is cut here.
const MAX_PAST_STEPS: usize = 200_000;

/// Values that the present rate of change is read from: five hours, but at least so many steps.
const RATE_OVER: Span = Span::from_secs(5 * 3_600);
const MIN_RATE_STEPS: i64 = 24;

/// What is known of a series besides its samples.
#[derive(Clone, Copy, Debug)]
pub struct Given<'a> {
    pub days: &'a Days,
    /// What no value lies beyond.
    pub bounds: Bounds,
}

/// Why nothing can be said.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum AheadError {
    #[error("it has no samples up to the origin {origin}")]
    NoSamples { origin: Timestamp },
    #[error("its last sample is of {last}, too long before the origin {origin}")]
    TooOld { last: Timestamp, origin: Timestamp },
    #[error("a horizon of {horizon} is {steps} steps of {step}, more than {MAX_STEPS}")]
    TooManySteps { horizon: Span, step: Span, steps: i64 },
    #[error(transparent)]
    Fit(#[from] FitError),
}

/// A fitted series.
#[derive(Clone, Debug)]
pub struct Ahead {
    pub origin: Timestamp,
    pub step: Span,
    pub horizon: Span,
    /// The last sample's value.
    pub current: f64,
    /// 0 where there are too few samples for a slope.
    pub rate_per_minute: f64,
    pub fitted: Fitted,
    /// The last grid point of the past: at the origin, or less than a step before.
    end: Timestamp,
    /// The past on its grid.
    values: Vec<f64>,
    /// What has been asked and answered.
    asked: Option<(Side, f64, usize, Breach)>,
}

/// Whether and when.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Breach {
    /// Probability of a breach within the horizon.
    pub likelihood: f64,
    /// Seconds after the origin at 10, 50 and 90 %; `None` where that quantile lies past the horizon.
    pub eta_s: [Option<f64>; 3],
}

/// Steps of the season by the calendar: a day where the step divides it, the week of a daily series; 0 for none.
pub fn season_steps(step: Span) -> usize {
    let (day, step) = (Span::DAY.as_millis(), step.as_millis().max(1));
    match step {
        step if step == day => 7,
        step if step < day && day % step == 0 => (day / step) as usize,
        _ => 0,
    }
}

impl Ahead {
    /// Fits a model to the samples up to `origin` (in order of time) on a grid of `step`, for breaches of up to `sustain` samples.
    pub fn new(
        samples: &[(Timestamp, f64)],
        step: Span,
        origin: Timestamp,
        horizon: Span,
        sustain: usize,
        model: &dyn Model,
    ) -> Result<Self, AheadError> {
        let given = Given { days: &Days::default(), bounds: Bounds::default() };
        Self::given(samples, step, origin, horizon, sustain, model, given)
    }

    /// The same where more is known than the samples tell.
    ///
    /// # Errors
    /// Too few samples, or too many steps.
    pub fn given(
        samples: &[(Timestamp, f64)],
        step: Span,
        origin: Timestamp,
        horizon: Span,
        sustain: usize,
        model: &dyn Model,
        given: Given<'_>,
    ) -> Result<Self, AheadError> {
        let step = Span::from_millis(step.as_millis().max(1));
        let past = &samples[..samples.partition_point(|(at, _)| *at <= origin)];
        let Some(&(last, current)) = past.last() else { return Err(AheadError::NoSamples { origin }) };
        let passed = (origin - last).as_millis() / step.as_millis();
        let end = last + step.times(passed);
        let reach = (origin - end + horizon).as_millis();
        let steps = (reach.saturating_add(step.as_millis() - 1) / step.as_millis()).max(1);
        if steps > MAX_STEPS as i64 {
            return Err(AheadError::TooManySteps { horizon, step, steps });
        }
        let values = grid(past, end, step);
        if !values.iter().any(|v| v.is_finite()) {
            return Err(AheadError::TooOld { last, origin });
        }
        let season = portent_models::forecast::season::find(&values, season_steps(step));
        let ahead = steps as usize + sustain.clamp(1, MAX_SUSTAIN) - 1;
        let context = given.days.context(&values, season, given.bounds, end, step, ahead);
        let fitted = fit_or_level(model, &context, ahead)?;
        let recent = (RATE_OVER.as_millis() / step.as_millis()).max(MIN_RATE_STEPS) as usize;
        let recent = values[values.len().saturating_sub(recent)..].to_vec();
        let rate_per_minute = slope_per_minute(recent, step).unwrap_or(0.0);
        Ok(Self { origin, step, horizon, current, rate_per_minute, fitted, end, values, asked: None })
    }

    /// The last grid point of the past: at the origin, or less than a step before.
    pub fn end(&self) -> Timestamp {
        self.end
    }

    /// The past on its grid, NaN where missing.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// The forecast's times in `(origin, origin + horizon]` and the values there, step by step.
    pub fn points(&self, levels: &[f64]) -> (Vec<Timestamp>, Forecast) {
        let mut forecast = self.fitted.forecast(levels);
        let until = self.origin + self.horizon;
        let times: Vec<Timestamp> = (1..=self.fitted.horizon() as i64).map(|h| self.end + self.step.times(h)).collect();
        let times: Vec<Timestamp> = times.into_iter().take_while(|at| *at <= until).collect();
        forecast.median.truncate(times.len());
        for interval in &mut forecast.intervals {
            interval.lower.truncate(times.len());
            interval.upper.truncate(times.len());
        }
        (times, forecast)
    }

    /// The first of `sustain` samples in a row at or past the threshold, after the origin. A series that is past it at the origin has its
    /// first run after the origin all the same: the question is about the future.
    ///
    /// The default model's question is answered by [`Chance`]; another one that was chosen by name answers by its own error paths.
    pub fn breach(&self, side: Side, threshold: f64, sustain: usize) -> Breach {
        if let Some((.., breach)) = self.asked.filter(|(s, t, k, _)| (*s, *t, *k) == (side, threshold, sustain)) {
            return breach;
        }
        let in_steps = |span: Span| span.as_millis() as f64 / self.step.as_millis() as f64;
        let (elapsed, horizon) = (in_steps(self.origin - self.end), in_steps(self.horizon));
        let ahead = |steps: f64| Some((steps - elapsed).max(0.0)).filter(|s| *s <= horizon).map(|s| s * self.step.as_secs_f64());
        if is_by_paths(self.fitted.model()) {
            let passage = self.fitted.passage(threshold, side == Side::Above, 0.0, elapsed, sustain);
            return Breach {
                likelihood: passage.within(elapsed + horizon),
                eta_s: [0.1, 0.5, 0.9].map(|q| passage.quantile(q).and_then(ahead)),
            };
        }
        // Whole steps that end within the horizon.
        let steps = ((elapsed + horizon).floor() as usize).max(1);
        let question = Question { threshold, upward: side == Side::Above, horizon: steps, sustain, day: day_steps(self.step) };
        let chance = Chance::new(&self.values, &question);
        Breach { likelihood: chance.likelihood(), eta_s: [0.1, 0.5, 0.9].map(|q| chance.quantile(q).and_then(ahead)) }
    }

    /// Answers a question now, so that [`Self::breach`] gives the answer at no cost.
    #[must_use]
    pub fn asked(mut self, side: Side, threshold: f64, sustain: usize) -> Self {
        self.asked = Some((side, threshold, sustain, self.breach(side, threshold, sustain)));
        self
    }
}

/// Whether a model is one that was asked for by name, other than the default.
fn is_by_paths(model: &str) -> bool {
    model != by_name(NAMES[0]).map_or("", |model| model.name()) && model != FirstPassage.name() && NAMES.contains(&model)
}

/// Steps of a day, 0 where they make none.
pub(crate) fn day_steps(step: Span) -> usize {
    let (day, step) = (Span::DAY.as_millis(), step.as_millis().max(1));
    if step * 2 <= day && day % step == 0 { (day / step) as usize } else { 0 }
}

/// The newest sample in each `(point - step, point]`, oldest point first, the last point at `end`; NaN where there is none.
fn grid(past: &[(Timestamp, f64)], end: Timestamp, step: Span) -> Vec<f64> {
    let back = |at: Timestamp| usize::try_from((end - at).as_millis() / step.as_millis()).unwrap_or(usize::MAX);
    let Some(&(first, _)) = past.first() else { return Vec::new() };
    let len = back(first).saturating_add(1).min(MAX_PAST_STEPS);
    let mut values = vec![f64::NAN; len];
    let from = past.partition_point(|(at, _)| back(*at) >= len);
    for &(at, value) in &past[from..] {
        values[len - 1 - back(at)] = value;
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;
    use portent_models::forecast::Ensemble;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_millis(minutes * 60_000)
    }

    fn growth(n: i64) -> Vec<(Timestamp, f64)> {
        (0..n).map(|i| (at(5 * i), 0.5 * i as f64)).collect()
    }

    #[test]
    fn only_the_past_is_looked_at_and_points_lie_in_the_horizon() {
        let (some, all) = (growth(200), growth(400));
        let ahead =
            |samples: &[(Timestamp, f64)]| Ahead::new(samples, Span::MINUTE.times(5), at(5 * 199), Span::HOUR, 3, &Ensemble).unwrap();
        let (times, forecast) = ahead(&some).points(&[0.95]);
        assert_eq!((times.len(), times[0], times[11]), (12, at(1000), at(5 * 211)));
        assert!((forecast.median[11] - 0.5 * 211.0).abs() < 0.01);
        assert_eq!(ahead(&all).points(&[0.95]), (times, forecast));
        assert!((ahead(&all).rate_per_minute - 0.1).abs() < 1e-9);
    }

    #[test]
    fn a_breach_is_told_from_the_origin_wherever_it_lies_between_samples() {
        let samples = growth(200);
        // Stands at 99.5; reaches 105 eleven steps after the last sample, 55 minutes.
        for (late, eta_minutes) in [(0, 55.0), (2, 53.0), (12, 43.0)] {
            let origin = at(5 * 199 + late);
            let ahead = Ahead::new(&samples, Span::MINUTE.times(5), origin, Span::HOUR.times(2), 3, &Ensemble).unwrap();
            let breach = ahead.breach(Side::Above, 105.0, 3);
            assert!(breach.likelihood > 0.9, "{late}: {breach:?}");
            let eta = breach.eta_s[1].unwrap() / 60.0;
            // What is missing up to the origin is filled with the last value, so an origin far behind the samples is late by that.
            assert!((eta - eta_minutes).abs() <= 5.0 + late as f64, "{late}: {eta}");
            assert!(ahead.points(&[]).0.iter().all(|t| *t > origin && *t <= origin + Span::HOUR.times(2)));
        }
    }

    #[test]
    fn what_cannot_be_answered_is_said() {
        let samples = growth(100);
        let ask = |step: Span, origin: Timestamp, horizon: Span| Ahead::new(&samples, step, origin, horizon, 1, &Ensemble).unwrap_err();
        assert!(matches!(ask(Span::MINUTE, at(-5), Span::HOUR), AheadError::NoSamples { .. }));
        assert!(matches!(ask(Span::SECOND, at(400), Span::DAY), AheadError::TooManySteps { steps: 86_400, .. }));
        assert!(matches!(ask(Span::MINUTE, at(100_000_000), Span::HOUR), AheadError::TooOld { .. }));
    }

    #[test]
    fn a_grid_ends_at_its_end_and_the_newest_sample_of_a_step_counts() {
        let past = [(at(0), 1.0), (at(4), 2.0), (at(5), 3.0), (at(16), 4.0)];
        let values = grid(&past, at(16), Span::MINUTE.times(5));
        assert_eq!((values[0], values[1], values[3]), (1.0, 3.0, 4.0));
        assert!(values[2].is_nan());
    }

    #[test]
    fn a_season_is_a_day_or_the_week_of_days() {
        let steps = [300, 3600, 86_400, 7 * 86_400, 7_000].map(|s| season_steps(Span::from_secs(s)));
        assert_eq!(steps, [288, 24, 7, 0, 0]);
    }
}
