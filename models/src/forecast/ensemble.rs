//! The default: a weighted median of many simple rules, each weighed by its own recent errors on this very series, distance by distance.
//!
//! Why not the best single rule: which one was best lately is itself noisy, and a median of several good ones is beaten by few
//! (Makridakis et al., "The M4 Competition", 2020). Why the median and not the mean: one rule that runs away does not pull it along.

use ndarray::Array2;

use super::paths::{ErrorPaths, origins};
use super::pool::Pool;
use super::rules::{
    ANALOG_LEVEL, ANALOG_QUARTER, ANALOG_SHORT, DRIFT, LAST, MEDIAN_DAY, NARROW, Resets, SEASONAL_GROWTH, SEASONAL_MEDIAN, Sawtooth,
    TREND_LONG, TREND_SHORT, TwoRhythms, WEEKLY_SHIFTED, WIDE,
};
use super::told::{Past, Rule};
use super::{Context, FitError, Fitted, MIN_POINTS, Model};

/// See the module.
#[derive(Clone, Copy, Debug)]
pub struct Ensemble;

const NAME: &str = "ensemble";

/// In the order in which ties are broken. Holt, Holt-Winters, theta, the plain seasonal naive and the shape of a whole day are not among
/// them: measured on hourly and 5-minute loads they cost time and moved the result by less than its noise. MSTL and ETS cost a thousand times as much.
const RULES: [&dyn Rule; 15] = [
    &LAST,
    &TREND_SHORT,
    &TREND_LONG,
    &DRIFT,
    &SEASONAL_GROWTH,
    &SEASONAL_MEDIAN,
    &WEEKLY_SHIFTED,
    &MEDIAN_DAY,
    &ANALOG_SHORT,
    &ANALOG_LEVEL,
    &ANALOG_QUARTER,
    &TwoRhythms,
    &Sawtooth,
    &WIDE,
    &NARROW,
];
/// Means of two that are a member of their own: (name, the two).
const BLENDS: [(&str, &str, &str); 1] = [("autoregression", "ar-wide", "ar-narrow")];

impl Model for Ensemble {
    fn name(&self) -> &'static str {
        NAME
    }

    fn fit(&self, context: &Context, horizon: usize) -> Result<Fitted, FitError> {
        forecast_by(NAME, context, horizon, |past, horizon| Pool::new(&RULES, &BLENDS, past, horizon))
    }
}

/// Asks a pool of rules at past origins and now: the median path, and the errors of such paths.
pub(super) fn forecast_by(
    model: &'static str,
    context: &Context,
    horizon: usize,
    ask: impl Fn(&Past<'_>, usize) -> Pool,
) -> Result<Fitted, FitError> {
    if context.present() < MIN_POINTS {
        return Err(FitError::TooShort { model, have: context.present(), need: MIN_POINTS });
    }
    let (values, reach) = (context.values(), context.reach(horizon));
    let mut origins = origins(context, reach);
    let present = origins.len();
    origins.push(values.len());
    let resets = Resets::new(values, &origins);
    let pool = ask(&Past { values, season: context.season(), resets: &resets, origins: &origins, context }, reach);
    if pool.is_empty() {
        return Err(FitError::Numerics { model, cause: "no rule gave a finite forecast".into() });
    }
    let mut path = vec![0.0; reach];
    pool.path(present, &mut path);
    let median = context.told(&path, horizon);

    // An origin at which nobody spoke has no errors; left in, it would pass for one without any.
    let (mut spoken, mut rows) = (Vec::with_capacity(present), Vec::with_capacity(present * horizon));
    for (o, &origin) in origins[..present].iter().enumerate() {
        let known = horizon.min(values.len() - origin);
        pool.path(o, &mut path[..known]);
        if path[..known].iter().any(|v| v.is_finite()) {
            spoken.push(origin);
            rows.extend_from_slice(&path[..known]);
            rows.resize(spoken.len() * horizon, f64::NAN);
        }
    }
    let predicted = Array2::from_shape_vec((spoken.len(), horizon), rows).expect("each origin has added a row of the horizon's length");
    let errors = ErrorPaths::new(context, &spoken, predicted);
    Ok(Fitted { model, median, errors, bounds: context.bounds(), weights: pool.shares() })
}
