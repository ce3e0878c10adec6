//! Prophet: a trend of straight pieces plus a season of a few waves (Taylor and Letham, "Forecasting at scale", 2018), of the augurs
//! crate, with an optimizer of our own ([`map`]).
//!
//! augurs prepares the data and reads the forecast off the parameters; what it has to search them are Stan's compiled program run by
//! wasmtime, 89 packages more, or a Stan toolchain. A day here is the series' season and a week seven of them, whatever their length, with
//! Prophet's own number of waves; values are scaled to their range instead of their largest, so that an offset changes nothing.
//!
//! Its theory of its own errors is not asked: like every member it gets intervals from what it said at past origins.

mod map;

use std::num::NonZeroU32;

use augurs::prophet::optimizer::OptimizeOpts;
use augurs::prophet::{
    PositiveFloat, PredictionData, Prophet as Fit, ProphetOptions, Scaling, Seasonality, SeasonalityOption, TimestampSeconds, TrainingData,
};

use self::map::Posterior;
use super::super::told::{Past, Rule, Told};

/// See the module.
pub(in super::super) struct Prophet;

/// Origins, the present among them, that it is asked at: each is a fit of its own.
const MAX_JUDGED: usize = 13;
/// augurs counts time in seconds and seasons in days: a step is taken for a day, so that every season is whole.
const SECONDS_A_STEP: TimestampSeconds = 86_400;
/// Prophet's own: waves of a day and of a week, and how many weeks it takes to see one.
const DAY_WAVES: usize = 4;
const WEEK_WAVES: usize = 3;
const DAYS_A_WEEK: usize = 7;
const MIN_WEEKS: usize = 2;

impl Rule for Prophet {
    fn name(&self) -> &'static str {
        "prophet"
    }

    fn tell(&self, past: &Past<'_>, told: &mut Told) {
        for (o, &origin) in past.origins.iter().enumerate().skip(past.origins.len().saturating_sub(MAX_JUDGED)) {
            let there: Vec<usize> = (0..origin).filter(|i| past.context.is_present(*i)).collect();
            let times = there.iter().map(|i| time(*i)).collect();
            let values = there.iter().map(|i| past.values[*i]).collect();
            told.write(o, |out| match ahead(times, values, past.season, origin, out.len()) {
                Some(path) => {
                    out.copy_from_slice(&path);
                    true
                }
                None => false,
            });
        }
    }
}

fn time(index: usize) -> TimestampSeconds {
    index as TimestampSeconds * SECONDS_A_STEP
}

/// Steps `origin..origin + horizon` of a series known at `times`; `None` where there is too little to fit anything to.
fn ahead(times: Vec<TimestampSeconds>, values: Vec<f64>, season: usize, origin: usize, horizon: usize) -> Option<Vec<f64>> {
    let off = SeasonalityOption::Manual(false);
    let options = ProphetOptions {
        scaling: Scaling::MinMax,
        yearly_seasonality: off,
        weekly_seasonality: off,
        daily_seasonality: off,
        uncertainty_samples: 0,
        ..ProphetOptions::default()
    };
    let mut fit = Fit::new(options, Posterior);
    let seasons = origin.checked_div(season).unwrap_or(0);
    for (name, days, waves, least) in [("day", 1, DAY_WAVES, 2), ("week", DAYS_A_WEEK, WEEK_WAVES, MIN_WEEKS * DAYS_A_WEEK)] {
        // Waves shorter than two steps cannot be seen.
        let waves = NonZeroU32::new(waves.min(days * season / 2) as u32);
        if let (true, Some(waves)) = (seasons >= least, waves) {
            fit.add_seasonality(name.to_owned(), Seasonality::new(PositiveFloat::try_new((days * season) as f64).ok()?, waves)).ok()?;
        }
    }
    fit.fit(TrainingData::new(times, values).ok()?, OptimizeOpts::default()).ok()?;
    let told = fit.predict(PredictionData::new((origin..origin + horizon).map(time).collect())).ok()?;
    // augurs adds seasons up in the order of a hash map, which is another one each time, and so are the last digits of its sum.
    let mut path = told.trend.point;
    for season in ["day", "week"].iter().filter_map(|name| told.seasonalities.get(*name)) {
        path.iter_mut().zip(&season.point).for_each(|(value, season)| *value += season);
    }
    Some(path)
}

#[cfg(test)]
mod tests {
    use super::super::said;
    use super::*;
    use crate::forecast::conformance::noise;

    #[test]
    fn a_bent_trend_with_a_season_goes_on_as_it_was_made() {
        // Grows by a tenth a step for 400 steps, then by a third; a day of two waves; a gap.
        let truth = |i: usize| {
            let (t, day) = (i as f64, i as f64 / 24.0 * std::f64::consts::TAU);
            20.0 + 0.1 * t + (0.3 - 0.1) * (t - 400.0).max(0.0) + 8.0 * day.sin() + 3.0 * (2.0 * day).cos()
        };
        let mut values: Vec<f64> = (0..720).map(|i| truth(i) + noise(i)).collect();
        values[500..520].fill(f64::NAN);
        let path = said(&Prophet, &values, 24, 48).unwrap();
        let errors = path.iter().enumerate().map(|(h, v)| (v - truth(720 + h)).abs());
        // Noise within ±0.5; a line through all of it would be off by tens, the last value's level by 14.
        assert!(errors.clone().fold(0.0, f64::max) < 2.0, "{:?}", errors.collect::<Vec<f64>>());
    }

    #[test]
    fn without_a_season_it_is_a_line() {
        let values: Vec<f64> = (0..200).map(|i| 1e6 - 3.0 * f64::from(i)).collect();
        let path = said(&Prophet, &values, 0, 20).unwrap();
        for (h, v) in path.iter().enumerate() {
            assert!((v - (1e6 - 3.0 * (200 + h) as f64)).abs() < 3.0, "{h}: {v}");
        }
    }
}
