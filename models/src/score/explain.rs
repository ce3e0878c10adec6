//! What is said about one sample, and why.

use super::prior::HOUR_P_AT_ONE;

/// The view of the series in which the sample stood out most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum View {
    /// The level over about this long, given what shorter and longer times show.
    Level { over_ms: i64 },
    /// The distance from what is usual at this time of the day and week.
    Season,
    /// How much the values vary from one to the next: more, or less, than usual.
    Variation,
    /// The same value for unusually long.
    Flatline,
    /// No value for unusually long before this one.
    Silence,
    /// A value where none can be, by the settings.
    Range,
}

/// How far from normal one sample is. Nothing that comes later changes it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scored {
    pub expected: f64,
    /// The edges of normal for a value on its own. A shape or a run of values can be out of the ordinary inside of them.
    pub lower: f64,
    pub upper: f64,
    /// Signed distance from `expected`, in the robust standard deviations of the series.
    pub sigmas: f64,
    /// 1.0 is the edge of normal at the configured rate of false alarms.
    pub score: f64,
    /// Natural logarithm of [`Self::hour_p`]: most samples are never asked for more.
    pub ln_hour_p: f64,
    pub view: View,
}

impl Scored {
    pub fn is_anomaly(&self) -> bool {
        self.score >= 1.0
    }

    /// Share of this series' hours that hold something as odd as this.
    pub fn hour_p(&self) -> f64 {
        self.ln_hour_p.exp()
    }

    /// How many episodes as odd as this a week without anything wrong would bring.
    pub fn per_week(&self) -> f64 {
        self.hour_p() / HOUR_P_AT_ONE
    }
}
