//! The forecast of those who ask only whether and when: nothing but the present level, at no cost.
//!
//! [`Chance`](super::Chance) looks at the values themselves and wants no median path; fitting one for each of a thousand questions would be
//! most of the work.

use ndarray::Array2;

use crate::forecast::{Context, ErrorPaths, FitError, Fitted, MIN_POINTS, Model};

/// See the module.
#[derive(Clone, Copy, Debug)]
pub struct FirstPassage;

const NAME: &str = "first-passage";

impl Model for FirstPassage {
    fn name(&self) -> &'static str {
        NAME
    }

    fn fit(&self, context: &Context, horizon: usize) -> Result<Fitted, FitError> {
        let Some(&level) = context.values().last() else {
            return Err(FitError::TooShort { model: NAME, have: 0, need: MIN_POINTS });
        };
        let median = vec![context.bounds().clamp(level); horizon];
        Ok(Fitted {
            model: NAME,
            median,
            errors: ErrorPaths::imagined(Array2::zeros((0, horizon))),
            bounds: context.bounds(),
            weights: Vec::new(),
        })
    }
}
