//! When a playbook is for something: which watches, and what must hold of what was predicted.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::core::labels::Labels;
use crate::core::prediction::{Cause, Evidence, Prediction};
use crate::core::time::{Span, Timestamp};
use crate::core::watch::Impact;

/// Every condition that is given must hold; one that is left out holds always.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trigger {
    /// What it can begin with; a prediction alone where nothing is said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on: Vec<Cause>,
    /// Names of watches and of health checks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub watches: Vec<String>,
    /// Codes of predictions and alerts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub codes: Vec<String>,
    /// Labels that the series must carry with exactly these values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}

/// What must hold of a number of the prediction, or of a metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// A field of the prediction, or PromQL with `{{label}}` filled from the series.
    pub metric: String,
    #[serde(flatten)]
    pub is: Compare,
    /// It must have held for so long.
    #[serde(default, rename = "for", skip_serializing_if = "is_zero")]
    pub holds: Span,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands references")]
fn is_zero(span: &Span) -> bool {
    *span == Span::ZERO
}

/// `gt: 5`, `le: 0.8`, ...
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compare {
    Gt(f64),
    Ge(f64),
    Lt(f64),
    Le(f64),
    Eq(f64),
}

impl Compare {
    /// NaN is neither more nor less than anything.
    pub fn holds(self, value: f64) -> bool {
        match self {
            Self::Gt(than) => value > than,
            Self::Ge(than) => value >= than,
            Self::Lt(than) => value < than,
            Self::Le(than) => value <= than,
            Self::Eq(than) => value == than,
        }
    }
}

impl fmt::Display for Compare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gt(than) => write!(f, "> {than}"),
            Self::Ge(than) => write!(f, ">= {than}"),
            Self::Lt(than) => write!(f, "< {than}"),
            Self::Le(than) => write!(f, "<= {than}"),
            Self::Eq(than) => write!(f, "= {than}"),
        }
    }
}

/// A number of a prediction, by the name it has in a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    CurrentValue,
    /// The worst value of the forecast's median path within the horizon.
    PredictedValue,
    /// What must not be reached.
    Threshold,
    /// An anomaly's, in units of the normal band.
    Score,
    /// Failures in a row of a health check.
    Failures,
    Likelihood,
    Confidence,
    EtaSeconds,
    Impact,
    RateOfChange,
}

impl Field {
    pub const ALL: [(&'static str, Self); 11] = [
        ("value", Self::CurrentValue),
        ("current_value", Self::CurrentValue),
        ("predicted_value", Self::PredictedValue),
        ("threshold", Self::Threshold),
        ("score", Self::Score),
        ("failures", Self::Failures),
        ("likelihood", Self::Likelihood),
        ("confidence", Self::Confidence),
        ("eta_s", Self::EtaSeconds),
        ("impact", Self::Impact),
        ("rate_of_change", Self::RateOfChange),
    ];

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, field)| *field)
    }

    /// `None` where it is not known: no time within the horizon. Impact counts from low, 1, to critical, 4.
    pub fn of(self, prediction: &Prediction, now: Timestamp) -> Option<f64> {
        Some(match self {
            Self::CurrentValue => prediction.current_value,
            Self::PredictedValue => prediction.predicted_value?,
            Self::Threshold => prediction.threshold,
            Self::Score => prediction.evidence_of(Evidence::ANOMALY)?,
            Self::Failures => prediction.evidence_of(Evidence::CHECK)?,
            Self::Likelihood => prediction.likelihood,
            Self::Confidence => prediction.confidence,
            Self::EtaSeconds => (prediction.eta.p50? - now).as_secs_f64(),
            Self::Impact => match prediction.impact {
                Impact::Low => 1.0,
                Impact::Medium => 2.0,
                Impact::High => 3.0,
                Impact::Critical => 4.0,
            },
            Self::RateOfChange => prediction.rate_of_change,
        })
    }
}

/// What is known about the metrics of conditions: by their filled query, the value and since when the condition has held without a break.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts(pub BTreeMap<String, (f64, Option<Timestamp>)>);

/// A condition that does not hold, or not for long enough, or of which nothing is known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Unmet {
    pub metric: String,
    pub wanted: String,
    /// `None`: not known.
    pub found: Option<f64>,
}

impl Trigger {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it can begin with such a cause.
    pub fn is_on(&self, cause: Cause) -> bool {
        if self.on.is_empty() { cause == Cause::Breach } else { self.on.contains(&cause) }
    }

    /// Whether it is about such a series. `is_suggested` stands for the names: whoever suggests a playbook has chosen.
    pub fn is_about(&self, watch: &str, code: &str, labels: &Labels, is_suggested: bool) -> bool {
        let has_labels = self.labels.iter().all(|(name, value)| labels.get(name) == Some(value));
        if is_suggested {
            return has_labels;
        }
        let names_something = !self.watches.is_empty() || !self.codes.is_empty() || !self.labels.is_empty();
        let is_watch = self.watches.is_empty() || self.watches.iter().any(|name| name == watch);
        let is_code = self.codes.is_empty() || self.codes.iter().any(|name| name == code);
        names_something && has_labels && is_watch && is_code
    }

    /// The conditions that do not hold. What is not known does not hold.
    pub fn unmet(&self, prediction: &Prediction, facts: &Facts, now: Timestamp) -> Vec<Unmet> {
        let unmet = |condition: &Condition| {
            let (found, since) = match Field::named(&condition.metric) {
                // A field is of this moment; what must have held for a time is the engine's hysteresis since it was raised.
                Some(field) => (field.of(prediction, now), Some(prediction.raised_at)),
                None => facts.0.get(&condition.metric).map_or((None, None), |(value, since)| (Some(*value), *since)),
            };
            let holds = found.is_some_and(|value| condition.is.holds(value));
            let is_long = condition.holds == Span::ZERO || since.is_some_and(|since| now - since >= condition.holds);
            (!(holds && is_long)).then(|| Unmet {
                metric: condition.metric.clone(),
                wanted: condition.to_string(),
                found: found.filter(|v| v.is_finite()),
            })
        };
        self.conditions.iter().filter_map(unmet).collect()
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.is)?;
        if self.holds > Span::ZERO { write!(f, " for {}", self.holds) } else { Ok(()) }
    }
}
