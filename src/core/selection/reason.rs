//! One reason for a profile, with its numbers.

use std::fmt;

use serde::ser::{Serialize, SerializeStruct, Serializer};

use super::quantity::{MetricType, Source};
use crate::core::prediction::Evidence;

/// Why a profile, or a bound of it, was chosen or not.
#[derive(Clone, Debug, PartialEq)]
pub enum Reason {
    /// The configuration names the profile.
    Written,
    /// A function or an operator of the query.
    Form { what: &'static str },
    /// A word of a metric's name.
    Name { metric: String, word: &'static str },
    /// The server's word for a metric.
    Type { metric: String, metric_type: MetricType },
    /// Values that a stated bound does not hold for.
    Beyond { value: f64, bound: f64 },
    /// The values told shares from percentages.
    Between { low: f64, high: f64, upper: f64 },
    /// Falls by one a second.
    CountsDown,
    /// Called a countdown, and does not fall.
    DoesNotCountDown { per_second: f64 },
    /// Follows the time of day.
    Seasonal,
    /// Falls back by more than half of its range in one step, and grows again.
    FallsBack,
    /// Neither name nor behaviour says anything.
    NothingKnown,
}

impl From<Source> for Reason {
    fn from(source: Source) -> Self {
        match source {
            Source::Name { metric, word } => Self::Name { metric, word },
            Source::Type { metric, metric_type } => Self::Type { metric, metric_type },
            Source::Form(what) => Self::Form { what },
        }
    }
}

impl Reason {
    /// A stable word for programs.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Written => "written",
            Self::Form { .. } => "form",
            Self::Name { .. } => "name",
            Self::Type { .. } => "type",
            Self::Beyond { .. } => "beyond",
            Self::Between { .. } => "between",
            Self::CountsDown => "counts_down",
            Self::DoesNotCountDown { .. } => "does_not_count_down",
            Self::Seasonal => "seasonal",
            Self::FallsBack => "falls_back",
            Self::NothingKnown => "nothing_known",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Written => f.write_str("the configuration names it"),
            Self::Form { what } => write!(f, "the query: {what}"),
            Self::Name { metric, word } => write!(f, "the name {metric}: \"{}\"", word.trim_matches('_')),
            Self::Type { metric, metric_type } => {
                write!(f, "the server calls {metric} a {}", format!("{metric_type:?}").to_lowercase())
            }
            Self::Beyond { value, bound } => write!(f, "{value} was seen, or is asked about: {bound} is no bound here"),
            Self::Between { low, high, upper } => write!(f, "values from {low} to {high} were seen: they end at {upper}"),
            Self::CountsDown => f.write_str("it falls by one second a second"),
            Self::DoesNotCountDown { per_second } => {
                write!(f, "it changes by {per_second:.3} a second and not by -1: no deadline as it stands")
            }
            Self::Seasonal => f.write_str("it follows the time of day"),
            Self::FallsBack => f.write_str("it falls back by half of its range now and then, and grows again"),
            Self::NothingKnown => f.write_str("neither name nor behaviour says more: no bounds are assumed"),
        }
    }
}

impl Serialize for Reason {
    /// `{"kind": ..., "text": ...}`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut reason = serializer.serialize_struct("Reason", 2)?;
        reason.serialize_field("kind", self.kind())?;
        reason.serialize_field("text", &self.to_string())?;
        reason.end()
    }
}

impl From<&Reason> for Evidence {
    fn from(reason: &Reason) -> Self {
        Self { kind: reason.kind().into(), text: reason.to_string(), value: 0.0 }
    }
}
