//! One rule alone, with honest intervals: the rivals that every claim stands beside.

use ndarray::Array2;

use super::members::{self, Rule, since_reset};
use super::paths::{ErrorPaths, origins};
use super::{Context, FitError, Fitted, MIN_POINTS, Model};

/// The present level for ever.
#[derive(Clone, Copy, Debug)]
pub struct Naive;

/// As at the same time of the last day; without a season, as [`Naive`].
#[derive(Clone, Copy, Debug)]
pub struct SeasonalNaive;

/// A straight line through the last three days (at most back to the last reset).
#[derive(Clone, Copy, Debug)]
pub struct Drift;

impl Model for Naive {
    fn name(&self) -> &'static str {
        "naive"
    }

    fn fit(&self, context: &Context, horizon: usize) -> Result<Fitted, FitError> {
        fit_rule(self.name(), members::last, context, horizon)
    }
}

impl Model for SeasonalNaive {
    fn name(&self) -> &'static str {
        "seasonal-naive"
    }

    fn fit(&self, context: &Context, horizon: usize) -> Result<Fitted, FitError> {
        fit_rule(self.name(), if context.season() > 0 { members::seasonal } else { members::last }, context, horizon)
    }
}

impl Model for Drift {
    fn name(&self) -> &'static str {
        "drift"
    }

    fn fit(&self, context: &Context, horizon: usize) -> Result<Fitted, FitError> {
        fit_rule(self.name(), members::trend_days, context, horizon)
    }
}

fn fit_rule(model: &'static str, rule: Rule, context: &Context, horizon: usize) -> Result<Fitted, FitError> {
    let since = since_reset(context.values());
    fit_with(model, context, horizon, |past, out| rule(past, context.season(), since[past.len() - 1], out))
}

/// Fits by asking `predict` at past origins and now. It gets the values up to an origin and writes the steps after it; `false` where it
/// has nothing to say there.
pub(super) fn fit_with(
    model: &'static str,
    context: &Context,
    horizon: usize,
    mut predict: impl FnMut(&[f64], &mut [f64]) -> bool,
) -> Result<Fitted, FitError> {
    if context.present() < MIN_POINTS {
        return Err(FitError::TooShort { model, have: context.present(), need: MIN_POINTS });
    }
    let mut median = vec![0.0; horizon];
    if !predict(context.values(), &mut median) || median.iter().any(|m| !m.is_finite()) {
        return Err(FitError::Numerics { model, cause: "the forecast is not finite".into() });
    }
    let mut used = Vec::new();
    let mut rows: Vec<f64> = Vec::new();
    let mut row = vec![0.0; horizon];
    for past in origins(context, horizon) {
        if predict(&context.values()[..past], &mut row) {
            used.push(past);
            rows.extend_from_slice(&row);
        }
    }
    let predicted = Array2::from_shape_vec((used.len(), horizon), rows).expect("a row of the horizon's length for each origin");
    let errors = ErrorPaths::new(context, &used, &predicted);
    for m in &mut median {
        *m = context.bounds().clamp(*m);
    }
    Ok(Fitted { model, median, errors, bounds: context.bounds(), weights: vec![(model, 1.0)] })
}
