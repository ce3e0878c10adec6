//! The rhythms that the made series follow, from plain arithmetic only so that every machine makes the same bits.

use super::rng::Rng;

/// Where a sample stands in the made fortnight, which begins on a Monday at midnight UTC.
#[derive(Clone, Copy, Debug)]
pub(crate) struct When {
    /// Since the start.
    pub hours: f64,
}

impl When {
    pub fn days(self) -> f64 {
        self.hours / 24.0
    }

    pub fn hour_of_day(self) -> f64 {
        self.hours % 24.0
    }

    /// Whether the time lies in `[from, to)`.
    pub fn within(self, from: f64, to: f64) -> bool {
        (from..to).contains(&self.hours)
    }

    /// 1 at the hour of day `peak`, -1 twelve hours away.
    pub fn daily(self, peak: f64) -> f64 {
        wave((self.hour_of_day() - peak + 6.0) / 24.0)
    }

    /// A factor a weekday, Monday first, each in full at noon and passing over into the next.
    pub fn weekly(self, factors: [f64; 7]) -> f64 {
        let noons = (self.days() + 6.5) % 7.0;
        // Whole and below 7: the noon before this time, counted from Monday's.
        let before = noons as usize % 7;
        let share = noons - noons.floor();
        factors[before] * (1.0 - share) + factors[(before + 1) % 7] * share
    }
}

/// Hours since the start of this hour on this day of the fortnight, the first day being 0.
pub(crate) const fn at(day: i32, hour: f64) -> f64 {
    day as f64 * 24.0 + hour
}

/// Sine of a whole turn, by Bhaskara's approximation (within 0.0017): the library's differs in its last bits between machines.
fn wave(turn: f64) -> f64 {
    let turn = turn - turn.floor();
    let (half, sign) = if turn < 0.5 { (turn * 2.0, 1.0) } else { (turn * 2.0 - 1.0, -1.0) };
    let arch = half * (1.0 - half);
    sign * 16.0 * arch / (5.0 - 4.0 * arch)
}

/// Noise with a memory, as real gauges have: what was high a sample ago is still a little high.
#[derive(Default)]
pub(crate) struct Wander(f64);

impl Wander {
    /// Next value, of about this sigma.
    pub fn next(&mut self, rng: &mut Rng, sigma: f64) -> f64 {
        // 0.6 = sqrt(1 - 0.8^2) keeps the sigma at 1.
        self.0 = 0.8 * self.0 + 0.6 * rng.normal();
        self.0 * sigma
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waves_peak_where_they_say() {
        for i in 0..1000 {
            let turn = f64::from(i) / 1000.0;
            assert!((wave(turn) - (turn * std::f64::consts::TAU).sin()).abs() < 0.0017, "{turn}");
        }
        let friday = When { hours: at(11, 12.0) };
        assert_eq!(friday.weekly([0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0]), 1.0);
        assert!((When { hours: at(4, 15.0) }.daily(15.0) - 1.0).abs() < 1e-9);
        let midnight = When { hours: at(5, 0.0) };
        assert!((midnight.weekly([0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0]) - 0.5).abs() < 1e-9, "half way from Friday to Saturday");
    }
}
