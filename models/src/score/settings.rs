//! What a user may set about scores, apart from what the models learn for themselves.

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

impl Settings {
    /// Whether a deviation from what was expected may count.
    pub(super) fn counts(&self, value: f64, expected: f64) -> bool {
        let deviation = value - expected;
        let side = match self.direction {
            Direction::Both => true,
            Direction::Above => deviation > 0.0,
            Direction::Below => deviation < 0.0,
        };
        side && deviation.abs() >= self.least_deviation && deviation.abs() >= self.least_share * expected.abs()
    }

    /// Whether a value lies where none can.
    pub(super) fn is_impossible(&self, value: f64) -> bool {
        self.lower.is_some_and(|lower| value < lower) || self.upper.is_some_and(|upper| value > upper)
    }

    pub(super) fn within(&self, value: f64) -> f64 {
        let value = self.lower.map_or(value, |lower| value.max(lower));
        self.upper.map_or(value, |upper| value.min(upper))
    }
}
