//! What is watched: a query, what would be bad, and how far ahead to look.

use std::sync::Arc;

use jiff::tz::TimeZone;
use portent_models::forecast::Bounds;
use serde::{Deserialize, Serialize};

use super::calendar::{Days, Kinds};
use super::labels::Labels;
use super::selection::{Behaviour, Reason, Selecting, Selection};
use super::template::Template;
use super::time::Span;

/// One thing to watch on one source. Made by `config`, which has checked every field; nobody checks them again.
#[derive(Clone, Debug)]
pub struct Watch {
    /// Unique among the watches of one configuration.
    pub name: Arc<str>,
    /// Name of the source the query goes to.
    pub source: Arc<str>,
    /// PromQL. Every series it returns is watched on its own.
    pub query: String,
    pub step: Span,
    pub limit: Option<Limit>,
    /// How far ahead a breach is looked for.
    pub horizon: Span,
    pub baseline: BaselineSettings,
    /// By the configuration, or what `selecting` makes of the query alone; a series' own may differ.
    pub profile: Profile,
    pub selecting: Selecting,
    /// Where "every night at two" is measured.
    pub zone: TimeZone,
    /// Days unlike others, by the calendar of that zone.
    pub special_days: Kinds,
    pub service: Template,
    /// A short machine-readable kind, for routing; the watch's name unless configured.
    pub code: String,
    pub title: Template,
    /// One sentence for people: why this is worth watching.
    pub why: Option<String>,
    pub impact: Impact,
    /// Names of suggested playbooks.
    pub playbooks: Vec<String>,
    pub hysteresis: Hysteresis,
}

/// The edge of what is fine.
#[derive(Clone, Debug, PartialEq)]
pub struct Limit {
    pub side: Side,
    pub threshold: Threshold,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Values at or above the threshold are bad.
    Above,
    /// Values at or below the threshold are bad.
    Below,
}

impl Side {
    pub fn is_breach(self, value: f64, threshold: f64) -> bool {
        match self {
            Self::Above => value >= threshold,
            Self::Below => value <= threshold,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Above => "above",
            Self::Below => "below",
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub enum Threshold {
    Value(f64),
    /// PromQL; its series are matched to the watched ones by their labels without the metric's name. One series without labels is for all.
    Query(String),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BaselineSettings {
    /// How much of the past is "normal".
    pub window: Span,
    /// Half the width of the band that charts draw, and outside of which the last hours are asked for a forecast of their own.
    pub sigma: f64,
    /// Nothing is said about a series with less history than this.
    pub min_history: Span,
    /// What counts as an anomaly, and how often one may be called when nothing is wrong.
    pub score: portent_models::score::Settings,
}

impl Default for BaselineSettings {
    fn default() -> Self {
        Self { window: Span::WEEK, sigma: 2.0, min_history: Span::DAY, score: portent_models::score::Settings::default() }
    }
}

/// Declarative model settings for one kind of metric (`models/profiles/*.yaml`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    pub name: String,
    pub about: String,
    /// No value of this kind lies below it.
    #[serde(default)]
    pub lower: Option<f64>,
    #[serde(default)]
    pub upper: Option<f64>,
    /// Follows the clock (daily, weekly rhythm).
    #[serde(default = "yes")]
    pub seasonal: bool,
    /// Falls back now and then (log rotation, restart, collection) and grows on between.
    #[serde(default)]
    pub resets: bool,
    /// Moves with the clock itself (a certificate's remaining time): extrapolated exactly, without noise.
    #[serde(default)]
    pub deadline: bool,
}

impl Profile {
    /// Any level that moves freely.
    pub fn gauge() -> Self {
        let name = "gauge".to_owned();
        Self { name, about: String::new(), lower: None, upper: None, seasonal: true, resets: false, deadline: false }
    }

    /// Its bounds, but for one that a threshold lies beyond: whoever asks about values there knows of some.
    pub fn bounds(&self, threshold: Option<(Side, f64)>) -> Bounds {
        let holds = |is_within: &dyn Fn(f64) -> bool| threshold.is_none_or(|(_, threshold)| is_within(threshold));
        Bounds {
            lower: self.lower.filter(|lower| holds(&|threshold| threshold >= *lower)),
            upper: self.upper.filter(|upper| holds(&|threshold| threshold <= *upper)),
        }
    }
}

impl Watch {
    /// What the calendar says where the watch lives.
    pub fn days(&self) -> Days {
        Days { zone: self.zone.clone(), kinds: self.special_days.clone() }
    }

    /// The profile of one of its series, and why it is that.
    pub fn select(&self, labels: &Labels, behaviour: &Behaviour) -> Selection {
        match &self.selecting {
            Selecting::Written => Selection { profile: self.profile.clone(), reasons: vec![Reason::Written] },
            Selecting::Auto(auto) => {
                let mut selection = auto.select(labels, behaviour);
                self.heed_threshold(&mut selection);
                selection
            }
        }
    }

    /// Whoever states a threshold beyond a bound knows values there: the bound was a wrong guess.
    fn heed_threshold(&self, selection: &mut Selection) {
        let Some(Limit { threshold: Threshold::Value(threshold), .. }) = self.limit else { return };
        let profile = &mut selection.profile;
        if let Some(bound) = profile.upper.filter(|upper| threshold > *upper) {
            profile.upper = None;
            selection.reasons.push(Reason::Beyond { value: threshold, bound });
        }
        if let Some(bound) = profile.lower.filter(|lower| threshold < *lower) {
            profile.lower = None;
            selection.reasons.push(Reason::Beyond { value: threshold, bound });
        }
    }
}

fn yes() -> bool {
    true
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Impact {
    Low,
    Medium,
    High,
    Critical,
}

/// When a prediction is raised and when it is taken back. The gap between the two levels and the repeats keep it from flapping.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hysteresis {
    /// Raised at or above this likelihood ...
    pub raise: f64,
    /// ... at this many evaluations in a row.
    pub raise_after: u16,
    /// Resolved below this likelihood ...
    pub clear: f64,
    /// ... at this many evaluations in a row.
    pub clear_after: u16,
    /// A breach is this many samples in a row at or past the threshold.
    pub sustain: u16,
}

impl Default for Hysteresis {
    fn default() -> Self {
        Self { raise: 0.8, raise_after: 3, clear: 0.4, clear_after: 10, sustain: 3 }
    }
}
