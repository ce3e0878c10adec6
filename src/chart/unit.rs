//! Units of the value axis: round steps and the text beside them.
//!
//! Each unit has its own idea of round: 0.25 GiB is round and 0.25 billion bytes is not, ninety seconds are `1m30s`. All labels of one axis
//! share one prefix, so that a column of them compares at a glance.

use super::number::{
    BINARY, DAY_S, LONGEST_IN_DAYS_S, SI, YEAR_S, binary, decimal, duration, percent, power_of, si, sub_second, three_digits, two_largest,
};

/// What the numbers of a series are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Unit {
    /// A part of a whole, 0 to 1, shown as percent.
    Ratio,
    /// Already percent.
    Percent,
    Bytes,
    BytesPerSecond,
    Seconds,
    /// A bare number, with SI prefixes when large.
    #[default]
    Plain,
}

/// One mark on the value axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Tick {
    pub value: f64,
    pub label: String,
}

/// No axis has more; the limit that the loop below keeps whatever the numbers are.
const MAX_TICKS: usize = 24;
/// Round lengths of time up to a day, in seconds.
const ROUND_S: [f64; 18] =
    [1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1_800.0, 3_600.0, 7_200.0, 10_800.0, 21_600.0, 43_200.0, DAY_S];

impl Unit {
    /// Beside the value axis when the scene names nothing better.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ratio | Self::Percent => "percent",
            Self::Bytes => "bytes",
            Self::BytesPerSecond => "bytes per second",
            Self::Seconds => "duration",
            Self::Plain => "value",
        }
    }

    /// A unit from the names that Prometheus' metrics have by convention (<https://prometheus.io/docs/practices/naming/>), read off a
    /// query; `bounds` are the profile's lower and upper bound. A quotient of bytes has no unit; bounds of 0 and 1 make a ratio.
    pub fn guess(query: &str, bounds: (Option<f64>, Option<f64>)) -> Self {
        match bounds {
            (Some(low), Some(high)) if low == 0.0 && high == 1.0 => return Self::Ratio,
            (Some(low), Some(high)) if low == 0.0 && high == 100.0 => return Self::Percent,
            _ => {}
        }
        let outside_selectors = without_braces(query);
        let names = || outside_selectors.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':')).filter(|n| !n.is_empty());
        let is_rate = names().any(|n| matches!(n, "rate" | "irate" | "deriv"));
        if outside_selectors.contains('/') {
            return Self::Plain;
        }
        let has = |word: &str| names().any(|n| n.split('_').any(|part| part == word));
        let is_rate = is_rate || (has("bytes") && (has("per") || has("persec")));
        match (has("bytes"), has("seconds") || has("timestamp"), has("ratio"), has("percent") || has("pct")) {
            (_, _, true, _) => Self::Ratio,
            (_, _, _, true) => Self::Percent,
            (true, ..) if is_rate => Self::BytesPerSecond,
            (true, ..) => Self::Bytes,
            // A rate of seconds is seconds a second: a part of a whole.
            (_, true, ..) if is_rate => Self::Ratio,
            (_, true, ..) => Self::Seconds,
            _ => Self::Plain,
        }
    }

    /// Round values in `[low, high]` with their labels, about `target` of them.
    pub fn ticks(self, low: f64, high: f64, target: usize) -> Vec<Tick> {
        let span = high - low;
        if !(span > 0.0 && span.is_finite()) {
            return Vec::new();
        }
        let step = self.round_up(span / target.clamp(1, MAX_TICKS / 2) as f64);
        let first = (low / step - 1e-9).ceil();
        let largest = low.abs().max(high.abs());
        (0..MAX_TICKS)
            .map(|i| (first + i as f64) * step)
            .take_while(|value| *value <= high + span * 1e-9)
            .filter(|value| *value >= low - span * 1e-9)
            .map(|value| Tick { value, label: self.label(value, step, largest) })
            .collect()
    }

    /// The smallest round step that is not below `raw`.
    fn round_up(self, raw: f64) -> f64 {
        match self {
            Self::Bytes | Self::BytesPerSecond if raw >= 1.0 => raw.log2().ceil().exp2(),
            Self::Seconds if raw > 0.5 && raw <= DAY_S => ROUND_S.into_iter().find(|s| *s >= raw).unwrap_or(DAY_S),
            Self::Seconds if raw > LONGEST_IN_DAYS_S / 8.0 => decimal(raw / YEAR_S) * YEAR_S,
            Self::Seconds if raw > DAY_S => decimal(raw / DAY_S) * DAY_S,
            _ => decimal(raw),
        }
    }

    /// `value` as a tick of an axis with this step, whose largest value is `largest`.
    fn label(self, value: f64, step: f64, largest: f64) -> String {
        match self {
            Self::Ratio => percent(value * 100.0, step * 100.0, largest * 100.0),
            Self::Percent => percent(value, step, largest),
            Self::Bytes => binary(value, step, largest),
            Self::BytesPerSecond => format!("{}/s", binary(value, step, largest)),
            Self::Seconds => duration(value, step, largest),
            Self::Plain => si(value, step, largest),
        }
    }

    /// One value by itself, to three digits: `62.4 %`, `1.25 GiB`, `1h30m`.
    pub fn show(self, value: f64) -> String {
        if !value.is_finite() {
            return if value.is_nan() {
                "no value".into()
            } else if value > 0.0 {
                "∞".into()
            } else {
                "-∞".into()
            };
        }
        let size = value.abs();
        match self {
            Self::Seconds if size >= 60.0 => duration(value, two_largest(size), size),
            Self::Seconds => {
                let (scale, suffix) = sub_second(size);
                format!("{} {suffix}", three_digits(value / scale))
            }
            Self::Ratio => format!("{} %", three_digits(value * 100.0)),
            Self::Percent => format!("{} %", three_digits(value)),
            Self::Bytes | Self::BytesPerSecond => {
                let power = power_of(size, 1024.0, BINARY.len());
                let rate = if self == Self::Bytes { "" } else { "/s" };
                format!("{} {}{rate}", three_digits(value / 1024_f64.powi(power)), BINARY[power.unsigned_abs() as usize])
            }
            Self::Plain if size >= 1e21 || (size > 0.0 && size < 1e-3) => format!("{value:.2e}"),
            Self::Plain => {
                let power = power_of(size, 1000.0, SI.len());
                let (number, prefix) = (three_digits(value / 1000_f64.powi(power)), SI[power.unsigned_abs() as usize]);
                if prefix.is_empty() { number } else { format!("{number} {prefix}") }
            }
        }
    }
}

/// The query without what stands in braces: a label's value is nobody's unit.
fn without_braces(query: &str) -> String {
    let mut depth = 0_u32;
    query
        .chars()
        .filter(|c| {
            match c {
                '{' => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth == 0
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(unit: Unit, low: f64, high: f64) -> Vec<String> {
        unit.ticks(low, high, 6).into_iter().map(|t| t.label).collect()
    }

    #[test]
    fn ticks_stand_at_round_numbers_of_their_unit() {
        assert_eq!(labels(Unit::Ratio, 0.0, 1.0), ["0 %", "20 %", "40 %", "60 %", "80 %", "100 %"]);
        assert_eq!(labels(Unit::Ratio, 0.401, 0.404), ["40.10 %", "40.15 %", "40.20 %", "40.25 %", "40.30 %", "40.35 %", "40.40 %"]);
        let gib = 1024_f64.powi(3);
        assert_eq!(labels(Unit::Bytes, 0.0, 2.2 * gib), ["0 B", "0.5 GiB", "1.0 GiB", "1.5 GiB", "2.0 GiB"]);
        assert_eq!(labels(Unit::Bytes, gib, gib + 4.0 * 1024.0 * 1024.0)[1], "1025 MiB");
        assert_eq!(labels(Unit::Seconds, 0.0, 20_000.0), ["0 s", "1h", "2h", "3h", "4h", "5h"]);
        assert_eq!(labels(Unit::Seconds, 0.0, 0.25), ["0 s", "50 ms", "100 ms", "150 ms", "200 ms", "250 ms"]);
        assert_eq!(labels(Unit::Seconds, 0.0, 30.0 * DAY_S), ["0 s", "5d", "10d", "15d", "20d", "25d", "30d"]);
        assert_eq!(labels(Unit::Plain, -3.0e6, 2.1e6), ["-3 M", "-2 M", "-1 M", "0", "1 M", "2 M"]);
        assert_eq!(labels(Unit::Plain, 0.0, 3.1e-6), ["0", "1e-6", "2e-6", "3e-6"]);
        assert_eq!(labels(Unit::Plain, 1e15, 1.002e15)[1], "1000.5 T");
    }

    #[test]
    fn ticks_are_few_distinct_and_inside_for_any_range() {
        for unit in [Unit::Ratio, Unit::Percent, Unit::Bytes, Unit::BytesPerSecond, Unit::Seconds, Unit::Plain] {
            for middle in [0.0_f64, 1e-9, 0.3, 7.0, 1e3, 1e9, 1e15, 1e24, 1e290, -0.3, -1e15] {
                for span in [1e-3, 0.1, 1.0, 13.0, 1e7] {
                    let half = if middle == 0.0 { span } else { (middle * span).abs() };
                    let (low, high) = (middle - half, middle + half);
                    let ticks = unit.ticks(low, high, 6);
                    assert!(ticks.len() <= 14, "{unit:?} {low} {high}: {}", ticks.len());
                    assert!(ticks.iter().all(|t| t.value >= low - half * 1e-6 && t.value <= high + half * 1e-6), "{unit:?} {ticks:?}");
                    assert!(ticks.windows(2).all(|w| w[0].label != w[1].label), "{unit:?} {ticks:?}");
                    assert!(ticks.iter().all(|t| t.label.chars().count() <= 20), "{unit:?} {ticks:?}");
                }
            }
        }
        assert_eq!(Unit::Plain.ticks(1.0, 1.0, 6), []);
        assert_eq!(Unit::Plain.ticks(f64::NAN, 1.0, 6), []);
    }

    #[test]
    fn single_values_have_three_digits() {
        for (unit, value, text) in [
            (Unit::Ratio, 0.9, "90 %"),
            (Unit::Ratio, 0.62418, "62.4 %"),
            (Unit::Percent, 99.95, "100 %"),
            (Unit::Bytes, 1.25 * 1024_f64.powi(3), "1.25 GiB"),
            (Unit::Bytes, 1024.0, "1 KiB"),
            (Unit::BytesPerSecond, 5e6, "4.77 MiB/s"),
            (Unit::Seconds, 5_400.0, "1h30m"),
            (Unit::Seconds, 0.25, "250 ms"),
            (Unit::Seconds, 14.0 * DAY_S, "14d"),
            (Unit::Plain, 0.0, "0"),
            (Unit::Plain, -1_500.0, "-1.5 k"),
            (Unit::Plain, 3.0e-7, "3.00e-7"),
            (Unit::Plain, f64::NAN, "no value"),
        ] {
            assert_eq!(unit.show(value), text, "{unit:?} {value}");
        }
    }

    #[test]
    fn units_are_read_off_names_and_bounds() {
        for (query, unit) in [
            ("process_resident_memory_bytes", Unit::Bytes),
            ("rate(node_network_receive_bytes_total{device!~\"lo\"}[5m])", Unit::BytesPerSecond),
            ("probe_ssl_earliest_cert_expiry_timestamp_seconds - time()", Unit::Seconds),
            ("rate(process_cpu_seconds_total[5m])", Unit::Ratio),
            ("disk_read_bytes_per_second", Unit::BytesPerSecond),
            ("battery_charge_pct", Unit::Percent),
            ("1 - node_filesystem_avail_bytes / node_filesystem_size_bytes", Unit::Plain),
            ("prometheus_tsdb_head_series{unit=\"bytes\"}", Unit::Plain),
        ] {
            assert_eq!(Unit::guess(query, (None, None)), unit, "{query}");
        }
        assert_eq!(Unit::guess("a_bytes / b_bytes", (Some(0.0), Some(1.0))), Unit::Ratio);
    }
}
