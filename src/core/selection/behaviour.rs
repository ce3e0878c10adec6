//! How a series has behaved, as far as a profile depends on it.

use portent_models::baseline::Block;
use serde::{Deserialize, Serialize};

use super::quantity::{Kind, Quantity, Scale};
use super::reason::Reason;

/// A bound that is passed by less than this share of its size holds: 100.00000001 % is rounding.
const ROUNDING: f64 = 1e-6;
/// A clock runs at one second a second; within this share of it, a series does.
const CLOCK_TOLERANCE: f64 = 0.01;
/// Steps of hours that must tell the same before a series without a telling name is taken for a clock.
const MIN_CLOCK_HOURS: usize = 12;
/// Large falls of a week that make a sawtooth: one may be an incident.
const MIN_FALLS: usize = 2;
/// What counts as a large fall, as a share of the range.
const FALL_SHARE: f64 = 0.5;
/// A share that comes up to ten times its whole is a percentage, whatever its name.
const DISGUISED_PERCENT: f64 = 10.0;
/// Closed hours before anything but the extremes is said.
const MIN_HOURS: usize = 6;

/// The lowest and the highest value ever seen: exact, so that no bound is assumed that one of them lies beyond.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Extremes {
    pub low: f64,
    pub high: f64,
}

impl Default for Extremes {
    fn default() -> Self {
        Self { low: f64::INFINITY, high: f64::NEG_INFINITY }
    }
}

impl Extremes {
    pub fn learn(&mut self, value: f64) {
        self.low = self.low.min(value);
        self.high = self.high.max(value);
    }

    pub fn is_known(&self) -> bool {
        self.low <= self.high
    }
}

impl FromIterator<f64> for Extremes {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        let mut extremes = Self::default();
        values.into_iter().filter(|v| v.is_finite()).for_each(|v| extremes.learn(v));
        extremes
    }
}

/// Whether a value that changed by so much in so many seconds fell with the clock.
pub fn ticks(change: f64, step_s: f64) -> bool {
    (change / step_s + 1.0).abs() <= CLOCK_TOLERANCE
}

/// What a profile depends on.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Behaviour {
    pub extremes: Extremes,
    /// Its daily shape is believed.
    pub is_seasonal: bool,
    /// Sawtooth.
    pub falls_back: bool,
    /// Typical change a second; NaN while unknown.
    pub per_second: Option<f64>,
    /// Every closed step falls by a second a second: there is nothing else in it.
    pub is_clock: bool,
}

impl Behaviour {
    /// Of one row of a block. A function of closed buckets and of the extremes, whatever came in between.
    pub fn of_row(block: &Block, row: usize, extremes: Extremes) -> Self {
        let hours = block.coarse_means(row);
        let step_s = block.geometry().bucket_ms as f64 / 1000.0;
        Self { is_seasonal: block.summary(row).seasonal, ..Self::of_values(&hours, step_s, extremes) }
    }

    /// Of equally spaced values, oldest first, NaN where missing. Whether they have a season is the caller's to say.
    pub fn of_values(values: &[f64], step_s: f64, extremes: Extremes) -> Self {
        let mut behaviour = Self { extremes, ..Self::default() };
        let mut changes = Vec::with_capacity(values.len());
        changes.extend(values.windows(2).map(|w| w[1] - w[0]).filter(|c| c.is_finite()));
        if changes.len() < MIN_HOURS {
            return behaviour;
        }
        let range = values.iter().copied().collect::<Extremes>();
        let large = FALL_SHARE * (range.high - range.low);
        let falls = changes.iter().filter(|c| -**c > large).count();
        let rises = changes.iter().filter(|c| **c > large).count();
        // Falls at once, grows in between: what jumps up and down alike is something else.
        behaviour.falls_back = large > 0.0 && falls >= MIN_FALLS && rises == 0;
        let middle = changes.len() / 2;
        behaviour.per_second = Some(*changes.select_nth_unstable_by(middle, f64::total_cmp).1 / step_s);
        behaviour.is_clock = changes.len() >= MIN_CLOCK_HOURS && changes.iter().all(|change| ticks(*change, step_s));
        behaviour
    }

    /// The kind after the values were heard.
    pub(super) fn settle(&self, kind: Kind, reasons: &mut Vec<Reason>) -> Kind {
        match kind {
            // In whatever unit (days, hours), it must fall; one that stands or rises is no deadline, whatever its name.
            Kind::Countdown => match self.per_second {
                Some(per_second) if per_second >= 0.0 => {
                    reasons.push(Reason::DoesNotCountDown { per_second });
                    Kind::Level
                }
                _ => kind,
            },
            Kind::Unknown | Kind::Level | Kind::Latency if self.is_clock => {
                reasons.push(Reason::CountsDown);
                Kind::Countdown
            }
            kind => kind,
        }
    }

    /// The bounds that a quantity has and the values keep.
    pub(super) fn bounds(&self, quantity: Quantity, reasons: &mut Vec<Reason>) -> (Option<f64>, Option<f64>) {
        let Extremes { low, high } = self.extremes;
        let (lower, upper) = match quantity.scale {
            Scale::Free => (None, None),
            Scale::AtLeastZero => (Some(0.0), None),
            Scale::Share if self.extremes.is_known() && (DISGUISED_PERCENT..=100.0).contains(&high) => {
                reasons.push(Reason::Between { low, high, upper: 100.0 });
                (Some(0.0), Some(100.0))
            }
            Scale::Share => (Some(0.0), Some(1.0)),
            Scale::Percent => (Some(0.0), Some(100.0)),
            Scale::ShareOrPercent if !self.extremes.is_known() => (Some(0.0), None),
            Scale::ShareOrPercent => {
                let upper = if high <= 1.0 { 1.0 } else { 100.0 };
                if high <= upper {
                    reasons.push(Reason::Between { low, high, upper });
                }
                (Some(0.0), Some(upper))
            }
        };
        if !self.extremes.is_known() {
            return (lower, upper);
        }
        let mut keep = |bound: Option<f64>, value: f64, is_beyond: bool| match bound {
            Some(bound) if is_beyond && (value - bound).abs() > ROUNDING * bound.abs().max(ROUNDING) => {
                reasons.push(Reason::Beyond { value, bound });
                None
            }
            bound => bound,
        };
        let lower = keep(lower, low, lower.is_some_and(|lower| low < lower));
        let upper = keep(upper, high, upper.is_some_and(|upper| high > upper));
        (lower, upper)
    }
}
