//! What can be said about a series of a handful of samples: its level goes on, and nobody knows how far it strays.
//!
//! There are no past origins to learn errors from, so the errors are those of a random walk whose steps are as large as the largest seen.
//! That is wide on purpose. The alternative, no answer at all, makes a person ask again with less care.

use ndarray::Array2;
use statrs::distribution::{ContinuousCDF, Normal};

use super::paths::ErrorPaths;
use super::{Bounds, Context, FitError, Fitted, Model};

/// Imagined error paths: enough for a 95 % interval to lie inside the outermost.
const PATHS: usize = 40;

/// Where not even two samples say how much the series moves, it is taken to move by this share of itself a step.
const UNKNOWN_STEP: f64 = 0.1;

/// The model's fit or, where it has too few samples for one and there is at least one sample, the level with wide intervals.
///
/// # Errors
/// Whatever else the model has to complain about, and a context without any sample.
pub fn fit_or_level(model: &dyn Model, context: &Context, horizon: usize) -> Result<Fitted, FitError> {
    match model.fit(context, horizon) {
        Err(FitError::TooShort { .. }) if context.present() > 0 => Ok(level(context, horizon)),
        other => other,
    }
}

/// A level that goes on, off as others like it were: `errors` are their paths, of one length at least. Past their end errors grow as a random
/// walk's.
///
/// # Errors
/// Where there is no path.
pub fn around_level(level: f64, errors: &[Vec<f64>], horizon: usize) -> Result<Fitted, FitError> {
    if errors.is_empty() {
        return Err(FitError::TooShort { model: SIBLINGS, have: 0, need: 1 });
    }
    let errors = Array2::from_shape_fn((errors.len(), horizon), |(path, h)| {
        let path = &errors[path];
        let last = path.len().saturating_sub(1);
        let known = path.get(h.min(last)).copied().unwrap_or(0.0);
        if h <= last { known } else { known * ((h + 1) as f64 / (last + 1) as f64).sqrt() }
    });
    Ok(Fitted {
        model: SIBLINGS,
        median: vec![level; horizon],
        errors: ErrorPaths::imagined(errors),
        bounds: Bounds::default(),
        weights: vec![(SIBLINGS, 1.0)],
    })
}

/// What a forecast is called that others' errors make.
const SIBLINGS: &str = "siblings";

fn level(context: &Context, horizon: usize) -> Fitted {
    let values = context.values();
    let last = values.last().copied().unwrap_or_default();
    let largest = values.windows(2).map(|w| (w[1] - w[0]).abs()).fold(0.0, f64::max);
    let step = if values.len() > 1 { largest } else { UNKNOWN_STEP * last.abs() };
    let normal = Normal::standard();
    let errors = Array2::from_shape_fn((PATHS, horizon), |(path, h)| {
        let z = normal.inverse_cdf((path as f64 + 0.5) / PATHS as f64);
        z * step * ((h + 1) as f64).sqrt()
    });
    Fitted {
        model: "naive",
        median: vec![context.bounds().clamp(last); horizon],
        errors: ErrorPaths::imagined(errors),
        bounds: context.bounds(),
        weights: vec![("naive", 1.0)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forecast::Ensemble;

    #[test]
    fn few_samples_get_their_level_and_wide_intervals() {
        let context = Context::new(&[10.0, 12.0, 11.0], 0, Bounds::default());
        let fitted = fit_or_level(&Ensemble, &context, 5).unwrap();
        let forecast = fitted.forecast(&[0.8, 0.95]);
        assert_eq!((forecast.model, forecast.median[4]), ("naive", 11.0));
        let (narrow, wide) = (&forecast.intervals[0], &forecast.intervals[1]);
        assert!(wide.lower[4] < narrow.lower[4] && narrow.upper[4] < wide.upper[4]);
        // Largest step 2, five steps, 1.96 sigma.
        assert!(wide.upper[4] - 11.0 > 1.9 * 2.0 * 5_f64.sqrt(), "{}", wide.upper[4]);
        let likelihood = fitted.passage(30.0, true, 0.0, 0.0, 1).likelihood();
        assert!(likelihood < 0.05, "{likelihood}");
        assert!(fit_or_level(&Ensemble, &Context::new(&[f64::NAN], 0, Bounds::default()), 5).is_err());
    }
}
