//! One rule alone, with honest intervals: the rivals that every claim stands beside.

use super::ensemble::forecast_by;
use super::pool::Pool;
use super::told::Rule;
use super::{Context, FitError, Fitted, Model};

/// A model of one rule. Where that has nothing to say (a season where there is none, a regression on a dozen values), the present level
/// speaks for it.
pub(super) struct Single(pub &'static dyn Rule);

impl Model for Single {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn fit(&self, context: &Context, horizon: usize) -> Result<Fitted, FitError> {
        forecast_by(self.name(), context, horizon, |past, horizon| {
            let pool = Pool::new(&[self.0], &[], past, horizon);
            if pool.is_empty() { Pool::new(&[&super::rules::LAST], &[], past, horizon) } else { pool }
        })
    }
}
