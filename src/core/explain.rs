//! Everything that is known about one series, with its reasons: which profile, how old, what is normal, how odd the last value is, what
//! comes, and why the likelihood is what it is.
//!
//! Plain data that says the same in a terminal and in the API. Made from the engine's state for a running daemon, and from samples for data
//! files, by what `forecast` and `detect` say about the same file.

use portent_models::forecast::Fitted;
use portent_models::forecast::season;
use serde::{Deserialize, Serialize};

use super::labels::Labels;
use super::selection::{Reason, Selection};
use super::time::{Span, Timestamp};
use super::watch::Side;

mod engine;
mod samples;
#[cfg(test)]
mod tests;

pub use engine::of_series;
pub use samples::{Sampled, of_samples};

/// The bands that are told.
pub const LEVELS: [f64; 2] = [0.8, 0.95];

/// Values below which no period is told: two days of hours.
const MIN_VALUES: usize = 48;

/// One reason: a word for programs, a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    pub kind: String,
    pub text: String,
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    pub watch: Option<String>,
    pub series: String,
    pub labels: Labels,
    /// Time and value of the last sample.
    pub at: Option<Timestamp>,
    pub value: Option<f64>,
    pub profile: ProfileSaid,
    pub history: HistorySaid,
    /// Periods found, in seconds.
    pub periods_s: Vec<f64>,
    pub normal: Option<NormalSaid>,
    pub score: Option<ScoreSaid>,
    pub forecast: Option<ForecastSaid>,
    pub breach: Option<BreachSaid>,
    /// What could not be said, and why.
    pub not_said: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProfileSaid {
    pub name: String,
    pub lower: Option<f64>,
    pub upper: Option<f64>,
    pub seasonal: bool,
    pub resets: bool,
    pub deadline: bool,
    pub reasons: Vec<Said>,
}

/// How much of its own past a series has.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct HistorySaid {
    pub span_s: f64,
    /// Nothing is raised about a series with less.
    pub needed_s: f64,
    /// Siblings that a young series has its shape and scale from; 0 for none.
    pub inherited_from: usize,
    /// How many times as wide borrowed bands are.
    pub wider: Option<f64>,
}

impl HistorySaid {
    pub fn is_cold(&self) -> bool {
        self.span_s < self.needed_s
    }
}

/// What is normal now.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct NormalSaid {
    pub expected: f64,
    pub lower: f64,
    pub upper: f64,
}

/// How odd the last value is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScoreSaid {
    /// 1.0 is the edge of normal.
    pub score: f64,
    /// Signed distance from what was expected.
    pub sigmas: f64,
    /// The view of the series in which it stands out most: `level`, `season`, `variation`, `flatline`, `silence`, `range`.
    pub view: String,
    /// Times a week that something as odd comes when nothing is wrong; `None` where the score is a distance only.
    pub per_week: Option<f64>,
    pub text: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ForecastSaid {
    pub model: String,
    pub step_s: f64,
    /// Past origins that errors are known from.
    pub origins: usize,
    /// Heaviest first; weights add up to 1.
    pub members: Vec<MemberSaid>,
    pub ahead: Vec<AheadSaid>,
    /// Of a running watch: how what came of its intervals has corrected their width.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub widths: Option<WidthsSaid>,
}

/// How many times as wide as past errors alone would have them intervals are.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct WidthsSaid {
    /// An hour ahead.
    pub near: f64,
    /// At the end of the horizon.
    pub far: f64,
    /// Intervals of the watch whose truth has come.
    pub settled: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemberSaid {
    pub rule: String,
    pub weight: f64,
}

/// One point ahead.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AheadSaid {
    pub at: Timestamp,
    pub median: f64,
    /// Lower and upper edge for each of [`LEVELS`].
    pub bands: Vec<BandSaid>,
    /// Median size of the errors of past forecasts this far ahead.
    pub typical_error: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BandSaid {
    pub level: f64,
    pub lower: f64,
    pub upper: f64,
}

/// Whether and when the threshold is reached, and why that is believed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BreachSaid {
    pub side: Side,
    pub threshold: f64,
    pub horizon_s: f64,
    pub likelihood: f64,
    /// Seconds from the last sample at 10, 50 and 90 %; null past the horizon.
    pub eta_s: [Option<f64>; 3],
    /// Share of past stretches as long as the horizon in which it was reached.
    pub base_rate: Option<f64>,
    pub reasons: Vec<Said>,
}

impl Said {
    fn new(kind: &str, text: impl Into<String>) -> Self {
        Self { kind: kind.to_owned(), text: text.into() }
    }
}

impl From<&Reason> for Said {
    fn from(reason: &Reason) -> Self {
        Self::new(reason.kind(), reason.to_string())
    }
}

impl From<Selection> for ProfileSaid {
    fn from(Selection { profile, reasons }: Selection) -> Self {
        let reasons = reasons.iter().map(Said::from).collect();
        let (seasonal, resets, deadline) = (profile.seasonal, profile.resets, profile.deadline);
        Self { name: profile.name, lower: profile.lower, upper: profile.upper, seasonal, resets, deadline, reasons }
    }
}

/// The fitted forecast at the first step, a quarter, half and all of the horizon, intervals `widen` times as wide at each. `from` is the
/// time of step 0, `passed` the steps since.
fn forecast(fitted: &Fitted, from: Timestamp, step: Span, passed: f64, horizon: Span, widen: impl Fn(usize) -> f64) -> ForecastSaid {
    let steps = (horizon.as_millis() as f64 / step.as_millis().max(1) as f64).max(1.0);
    let told = fitted.forecast_widened(&LEVELS, widen);
    let last = told.median.len().saturating_sub(1);
    // The first step after now, and the last one within the horizon.
    let index = |share: f64| ((passed + share * steps).ceil() - 1.0).max(passed.floor()) as usize;
    let mut indices: Vec<usize> = [0.0, 0.25, 0.5, 1.0].iter().map(|share| index(*share).min(last)).collect();
    indices.dedup();
    let ahead = indices.into_iter().map(|h| AheadSaid {
        at: from + step.times(h as i64 + 1),
        median: told.median[h],
        bands: told.intervals.iter().map(|i| BandSaid { level: i.level, lower: i.lower[h], upper: i.upper[h] }).collect(),
        typical_error: fitted.errors().typical(h),
    });
    ForecastSaid {
        model: fitted.model().to_owned(),
        step_s: step.as_secs_f64(),
        origins: fitted.errors().origins(),
        members: fitted.weights().iter().map(|(rule, weight)| MemberSaid { rule: (*rule).to_owned(), weight: *weight }).collect(),
        ahead: ahead.collect(),
        widths: None,
    }
}

/// The period of equally spaced values, as seconds.
fn periods(values: &[f64], step: Span, expected: usize) -> Vec<f64> {
    // In a few values noise looks like anything.
    if values.len() < MIN_VALUES {
        return Vec::new();
    }
    // What the calendar says stands for models unless another fits clearly better, also where there is no rhythm, or a longer one, of which
    // they have seen few repeats: ask without it first.
    let shown = season::find(values, 0);
    let found = season::find(values, expected);
    let told = if shown * 20 > found * 21 { shown } else { found };
    (shown > 0).then(|| told as f64 * step.as_secs_f64()).into_iter().collect()
}

/// Four digits that matter.
fn number(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && !(1e-6..1e12).contains(&size) {
        return format!("{value:.3e}");
    }
    let digits = if size > 0.0 { (3.0 - size.log10().floor()).clamp(0.0, 9.0) as usize } else { 0 };
    let text = format!("{value:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// How fast it moves, and how far it is.
fn trend(per_hour: f64, left: f64) -> Said {
    let sign = if per_hour >= 0.0 { "+" } else { "" };
    Said::new("trend", format!("{sign}{} an hour lately; {} left to the threshold", number(per_hour), number(left)))
}

/// Share of stretches of `horizon` steps, one beginning at each value, in which the threshold was reached; `None` with less than two whole
/// ones after each other.
fn base_rate(values: &[f64], horizon: usize, side: Side, threshold: f64) -> Option<f64> {
    let horizon = horizon.max(1);
    if values.len() < 2 * horizon {
        return None;
    }
    let bad: Vec<bool> = values.iter().map(|v| v.is_finite() && side.is_breach(*v, threshold)).collect();
    let mut inside = bad[..horizon].iter().filter(|b| **b).count();
    let (mut held, mut all) = (usize::from(inside > 0), 1_usize);
    for end in horizon..bad.len() {
        inside += usize::from(bad[end]);
        inside -= usize::from(bad[end - horizon]);
        held += usize::from(inside > 0);
        all += 1;
    }
    Some(held as f64 / all as f64)
}
