//! What a user may set about scores, apart from what the models learn for themselves.

use super::{larger, smaller};

/// At a score of 1.0 never more than every other hour is odd ...
const MOST_HOUR_P: f64 = 0.5;
/// ... and never fewer than one in more hours than there have been.
const LEAST_HOUR_P: f64 = 1e-12;

/// Which deviations count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    #[default]
    Both,
    /// Only values above what was expected.
    Above,
    /// Only values below it.
    Below,
}

/// How a distance becomes a score, and which distances count at all.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// How often a score of 1 or more may come up in a series in which nothing is wrong, in episodes a week.
    pub false_alarms_per_week: f64,
    pub direction: Direction,
    /// A value this near to what was expected is no anomaly, in the series' own unit.
    pub least_deviation: f64,
    /// The same as a share of what was expected: 0.1 is ten percent.
    pub least_share: f64,
    /// No value lies below it: the band ends there, and a value below is an anomaly.
    pub lower: Option<f64>,
    /// No value lies above it.
    pub upper: Option<f64>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { false_alarms_per_week: 1.0, direction: Direction::Both, least_deviation: 0.0, least_share: 0.0, lower: None, upper: None }
    }
}

/// The settings as each series carries them: in half of the bytes, and with the logarithm taken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// Infinite where there is none.
    lower: f64,
    upper: f64,
    least_deviation: f64,
    least_share: f32,
    /// Natural logarithm of the share of hours at or past a score of 1.
    pub ln_p_at_one: f32,
    direction: Direction,
}

impl Rules {
    /// `hour_p` is the share of hours at or past a score of 1 for one false alarm a week.
    pub fn new(settings: Settings, hour_p: f64) -> Self {
        Self {
            lower: settings.lower.unwrap_or(f64::NEG_INFINITY),
            upper: settings.upper.unwrap_or(f64::INFINITY),
            least_deviation: settings.least_deviation,
            least_share: settings.least_share as f32,
            ln_p_at_one: (hour_p * settings.false_alarms_per_week).clamp(LEAST_HOUR_P, MOST_HOUR_P).ln() as f32,
            direction: settings.direction,
        }
    }

    /// Whether a deviation from what was expected may count.
    pub fn counts(&self, value: f64, expected: f64) -> bool {
        let deviation = value - expected;
        let side = match self.direction {
            Direction::Both => true,
            Direction::Above => deviation > 0.0,
            Direction::Below => deviation < 0.0,
        };
        side && deviation.abs() >= self.least_deviation && deviation.abs() >= f64::from(self.least_share) * expected.abs()
    }

    /// Whether a value lies where none can.
    pub fn is_impossible(&self, value: f64) -> bool {
        value < self.lower || value > self.upper
    }

    pub fn within(&self, value: f64) -> f64 {
        smaller(larger(value, self.lower), self.upper)
    }
}
