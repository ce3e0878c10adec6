//! How far down a series of skewed values goes, and how much nearer a dip is to that than it looks.
//!
//! Requests, bytes and durations reach far up and not far down: one scale for both sides is that of the peaks, and a fall to almost nothing
//! stays within it. Below its middle such a series is measured by the logarithm of the distance from its own lowest values, as one would
//! measure a positive quantity from zero; but zero need not be known, so that a series plus a constant is measured alike.
//!
//! Rejected: the logarithm of the values themselves (VUS-PR 0.047 lower), stretching the lower side evenly (0.007 lower), the same above the
//! middle of series that reach further down than up (0.027 lower).

use super::codec::{DecodeError, Reader, Writer};
use super::season::gain;
use super::{larger, smaller};

/// Days that all of it remembers.
const MEMORY_DAYS: f32 = 28.0;
/// Before so many samples, and before a day, nothing is stretched: half of a rhythm is skewed, too.
const LEAST_SAMPLES: f32 = 32.0;
/// A value counts at most this far up, in mean deviations: one spike is not a skewed series.
const MOST_UP: f32 = 6.0;
/// The share of samples that lie below the lowest values.
const LOWEST_SHARE: f32 = 0.005;
/// The least part of a mean deviation that a sample moves the lowest values by.
const LEAST_GAIN: f32 = 0.05;
/// How much larger the upper mean deviation is than the lower one, as a share, before the series is taken for skewed in full.
const SKEWED: f32 = 0.2;
/// The logarithm's zero lies this far below the middle, in distances to the lowest values: these are no end yet.
const ROOM: f32 = 1.3;
/// From this share of the way left, further down is measured evenly: there are values below the logarithm's zero too.
const EVEN_FROM: f32 = 0.15;
/// Its natural logarithm.
const LN_EVEN_FROM: f32 = -1.897_12;

/// The middle of a series, its mean deviations above and below, and its lowest values: the quantile of half a percent, by stochastic
/// approximation (Robbins, Monro 1951). All counted from the first value.
#[derive(Clone, Debug, Default)]
pub(super) struct Lows {
    middle: f32,
    above: f32,
    below: f32,
    lowest: f32,
}

impl Lows {
    /// How values are measured after `seen` samples.
    pub fn stretch(&self, seen: u32, samples_a_day: f32) -> Stretch {
        if (seen as f32) < larger(samples_a_day, LEAST_SAMPLES) || self.above <= self.below {
            return Stretch::NONE;
        }
        let skew = smaller((self.above / self.below - 1.0) / SKEWED, 1.0);
        let span = ROOM * (self.middle - self.lowest) / skew;
        if span > 0.0 && span.is_finite() { Stretch { middle: self.middle, span } } else { Stretch::NONE }
    }

    /// Takes in a value as it is, the one after `seen`.
    pub fn learn(&mut self, value: f32, seen: u32, samples_a_day: f32) {
        let gain = gain(seen, MEMORY_DAYS * samples_a_day);
        let (spread, away) = (self.above + self.below, value - self.middle);
        let has_moved = spread > 0.0;
        let above = larger(away, 0.0);
        self.middle += gain * if has_moved { away.clamp(-spread, spread) } else { away };
        self.above += gain * (if has_moved { smaller(above, MOST_UP * spread) } else { above } - self.above);
        self.below += gain * (larger(-away, 0.0) - self.below);
        let by = if value < self.lowest { LOWEST_SHARE - 1.0 } else { LOWEST_SHARE };
        self.lowest += by * spread * larger(gain, LEAST_GAIN);
    }

    pub fn encode(&self, out: &mut Writer) {
        for value in [self.middle, self.above, self.below, self.lowest] {
            out.f32(value);
        }
    }

    pub fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { middle: input.f32()?, above: input.f32()?, below: input.f32()?, lowest: input.f32()? })
    }
}

/// A measure that is the value's own above the middle and a logarithm below it, with no bend in between.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch {
    middle: f32,
    /// From the middle down to the zero of the logarithm.
    span: f32,
}

impl Stretch {
    /// Every value as it is.
    const NONE: Self = Self { middle: f32::NEG_INFINITY, span: 1.0 };

    pub fn measure(self, value: f32) -> f32 {
        if value >= self.middle {
            return value;
        }
        let left = 1.0 + (value - self.middle) / self.span;
        let ln = if left > EVEN_FROM { left.ln() } else { LN_EVEN_FROM + (left - EVEN_FROM) / EVEN_FROM };
        self.middle + self.span * ln
    }

    /// The value that measures so much.
    pub fn value(self, measured: f32) -> f32 {
        if measured >= self.middle {
            return measured;
        }
        let ln = (measured - self.middle) / self.span;
        let left = if ln > LN_EVEN_FROM { ln.exp() } else { EVEN_FROM + (ln - LN_EVEN_FROM) * EVEN_FROM };
        self.middle + self.span * (left - 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLES_A_DAY: f32 = 288.0;

    fn learned(values: impl Iterator<Item = f32>) -> (Lows, u32) {
        let (mut lows, mut seen) = (Lows::default(), 0);
        for value in values {
            lows.learn(value, seen, SAMPLES_A_DAY);
            seen += 1;
        }
        (lows, seen)
    }

    /// Quantiles of the exponential distribution in an order without a pattern; the first is zero.
    fn skewed(index: u32) -> f32 {
        -(1.0 - (f64::from(index) * 0.618_033_988_75).fract()).ln() as f32
    }

    #[test]
    fn lowest_and_middle_are_those_of_the_samples() {
        let (lows, _) = learned((0..20_000).map(skewed));
        let share_below = |limit: f32| (0..20_000).filter(|i| skewed(*i) < limit).count() as f32 / 20_000.0;
        assert!((0.4..0.64).contains(&share_below(lows.middle)), "{lows:?}");
        assert!(share_below(lows.lowest) < 0.02, "{lows:?}");
    }

    #[test]
    fn a_dip_of_a_skewed_series_counts_for_more_and_a_peak_for_what_it_is() {
        let (lows, seen) = learned((0..5_000).map(skewed));
        let stretch = lows.stretch(seen, SAMPLES_A_DAY);
        assert_eq!(stretch.measure(20.0), 20.0);
        let dip = -0.3;
        assert!(lows.middle - stretch.measure(dip) > 2.0 * (lows.middle - dip), "{} of {lows:?}", stretch.measure(dip));
    }

    #[test]
    fn even_new_and_constant_series_are_measured_as_they_are() {
        for (lows, seen) in
            [learned((0..5_000).map(|i| -skewed(i))), learned((0..280).map(skewed)), learned(std::iter::repeat_n(0.0, 5_000))]
        {
            assert_eq!(lows.stretch(seen, SAMPLES_A_DAY).measure(-40.0), -40.0, "{lows:?}");
        }
    }

    #[test]
    fn measures_keep_the_order_and_can_be_taken_back() {
        let (lows, seen) = learned((0..5_000).map(skewed));
        let stretch = lows.stretch(seen, SAMPLES_A_DAY);
        let values: Vec<f32> = (-400..400).map(|i| i as f32 * 0.01).collect();
        for pair in values.windows(2) {
            assert!(stretch.measure(pair[0]) < stretch.measure(pair[1]), "{pair:?}");
        }
        for value in values {
            let back = stretch.value(stretch.measure(value));
            assert!((back - value).abs() < 1e-4, "{value} came back as {back}");
        }
    }
}
