//! What a chart shows, as plain data: filled by whoever has a prediction, a forecast or just a series, drawn by `png`.
//!
//! A scene is data and not a builder that draws as it is fed: the same scene gives the same bytes, a test can look at it, and nothing
//! in here knows of pixels. Every number may be NaN, every list empty and every label long; what that looks like is the layout's business.

use jiff::tz::TimeZone;
use portent_models::baseline::Band;
use portent_models::forecast::{Forecast, Interval};

use super::unit::Unit;
use crate::core::labels::Labels;
use crate::core::prediction::{Eta, Prediction};
use crate::core::time::{Span, Timestamp};
use crate::core::watch::Side;

/// Everything on one chart.
#[derive(Clone, Debug)]
pub struct Scene {
    /// First line, bold: what is watched.
    pub title: String,
    /// Second line: whose series it is. Shortened to what fits.
    pub labels: Labels,
    /// Beside the value axis; the unit's own name when `None`.
    pub value_name: Option<String>,
    /// Ticks stand at round times of this zone, and the axis names it.
    pub zone: TimeZone,
    pub now: Timestamp,
    /// When the prediction was raised and at what value, where `now` is later than that.
    pub raised: Option<(Timestamp, f64)>,
    pub unit: Unit,
    /// Samples in order of time. NaN, infinity or a jump in time is a gap in the line.
    pub history: Vec<(Timestamp, f64)>,
    /// The normal band, over the past, the future or both.
    pub normal: Vec<BandPoint>,
    pub forecast: Option<Fan>,
    pub threshold: Option<(Side, f64)>,
    pub eta: Option<Eta>,
    /// Probability of a breach within the horizon, [0, 1].
    pub likelihood: Option<f64>,
    /// Marked samples.
    pub anomalies: Vec<(Timestamp, f64)>,
    /// Short remarks, on one line under the labels.
    pub notes: Vec<String>,
}

/// Interval levels that a fan shows unless others are asked for.
pub const FAN_LEVELS: [f64; 2] = [0.8, 0.95];

/// What is normal at one time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BandPoint {
    pub at: Timestamp,
    pub expected: f64,
    pub lower: f64,
    pub upper: f64,
}

/// A forecast: a median and intervals around it on one future grid.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fan {
    pub at: Vec<Timestamp>,
    pub median: Vec<f64>,
    pub levels: Vec<FanLevel>,
}

/// One interval of a [`Fan`]: the value lies in it with probability `level`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FanLevel {
    /// In (0, 1), as in 0.8.
    pub level: f64,
    pub lower: Vec<f64>,
    pub upper: Vec<f64>,
}

impl BandPoint {
    /// `sigma` is how many sigmas from the expectation the edge of normal lies.
    pub fn new(at: Timestamp, band: Band, sigma: f64) -> Self {
        Self { at, expected: band.expected, lower: band.lower(sigma), upper: band.upper(sigma) }
    }
}

impl Fan {
    /// Of a forecast the steps that lie in `(after, until]`; step `h` (from 0) is at `at(h)`.
    pub fn new(forecast: &Forecast, at: impl Fn(usize) -> Timestamp, after: Timestamp, until: Timestamp) -> Self {
        let ahead: Vec<usize> = (0..forecast.median.len()).filter(|&h| at(h) > after && at(h) <= until).collect();
        let pick = |values: &[f64]| ahead.iter().map(|&h| values[h]).collect::<Vec<f64>>();
        let level = |i: &Interval| FanLevel { level: i.level, lower: pick(&i.lower), upper: pick(&i.upper) };
        Self {
            at: ahead.iter().map(|&h| at(h)).collect(),
            median: pick(&forecast.median),
            levels: forecast.intervals.iter().map(level).collect(),
        }
    }
}

impl Scene {
    /// An empty chart in UTC.
    pub fn new(title: impl Into<String>, now: Timestamp) -> Self {
        Self {
            title: title.into(),
            labels: Labels::default(),
            value_name: None,
            zone: TimeZone::UTC,
            now,
            raised: None,
            unit: Unit::Plain,
            history: Vec::new(),
            normal: Vec::new(),
            forecast: None,
            threshold: None,
            eta: None,
            likelihood: None,
            anomalies: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Takes over what a prediction says: title, labels, threshold, ETA, likelihood, and its last look as `now`.
    pub fn of_prediction(prediction: &Prediction, zone: TimeZone, unit: Unit) -> Self {
        Self {
            labels: prediction.labels.clone(),
            zone,
            unit,
            threshold: Some((prediction.side, prediction.threshold)),
            eta: Some(prediction.eta),
            likelihood: Some(prediction.likelihood),
            ..Self::new(prediction.title.clone(), prediction.updated_at)
        }
    }

    /// The times at which ETA quantiles lie, in order, those that are known.
    pub fn eta_times(&self) -> impl Iterator<Item = Timestamp> {
        self.eta.into_iter().flat_map(|eta| [eta.p10, eta.p50, eta.p90]).flatten()
    }
}

/// How much of the past reads well beside a forecast of `horizon`: three parts of past to one of future, but at least six hours (one
/// hour says nothing about a rhythm) and at most the seven days that the baseline knows.
pub fn past_worth_showing(horizon: Span) -> Span {
    horizon.times(3).clamp(Span::HOUR.times(6), Span::WEEK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_past_shown_is_three_horizons_within_limits() {
        assert_eq!(past_worth_showing(Span::HOUR), Span::HOUR.times(6));
        assert_eq!(past_worth_showing(Span::DAY), Span::DAY.times(3));
        assert_eq!(past_worth_showing(Span::WEEK), Span::WEEK);
    }
}
