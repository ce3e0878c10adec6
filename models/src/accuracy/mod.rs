//! How right something was: the metrics that accuracy is measured by, for scores, forecasts and probabilities.
//!
//! Here and not in the bench that uses them, so that they are tested like everything else: a figure is worth as much as its metric. Each
//! says where it is defined; none is our own invention.

mod detection;
mod forecast;
mod probability;

pub use detection::{Alarms, Truth, alarms, vus_pr};
pub use forecast::{Errors, errors, seasonal_naive_scale, smape};
pub use probability::{Bin, Brier, average_precision, brier, reliability};
