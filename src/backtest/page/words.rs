//! Numbers and times as a page says them.

use crate::backtest::Interval;
use crate::core::labels::{Labels, METRIC_NAME};
use crate::core::time::{Span, Timestamp};

/// Longest value of a label that is shown whole; what is longer is cut out of the middle, as both ends tell names apart.
const MAX_VALUE_CHARS: usize = 48;
/// Longest name of a series.
const MAX_SERIES_CHARS: usize = 160;

/// `1,204`: thousands apart.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

pub fn plural(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// `85 %`; never a certain 0 or 100 that was only rounded.
pub fn share(part: f64) -> String {
    match part {
        p if p > 0.0 && p < 0.005 => "<1 %".to_owned(),
        p if p < 1.0 && p > 0.995 => ">99 %".to_owned(),
        p => format!("{:.0} %", 100.0 * p),
    }
}

/// Of something a series-week: two digits that count.
pub fn rate(a_week: f64) -> String {
    match a_week {
        0.0 => "0".to_owned(),
        r if r >= 10.0 => format!("{r:.0}"),
        r if r >= 1.0 => format!("{r:.1}"),
        r if r >= 0.1 => format!("{r:.2}"),
        r => format!("{r:.3}"),
    }
}

/// Two units at most: `2d4h`, `14h10m`, `35m`.
pub fn length(seconds: f64) -> String {
    let unit = if seconds >= 86_400.0 {
        Span::HOUR
    } else if seconds >= 60.0 {
        Span::MINUTE
    } else {
        Span::from_secs(1)
    };
    let rounded = (seconds * 1_000.0 / unit.as_millis() as f64).round() as i64;
    if rounded == 0 { "0 s".to_owned() } else { unit.times(rounded).to_string() }
}

/// `, 90 % interval 68–95 %`; nothing where there is none.
pub fn interval(ends: Option<Interval>, show: &dyn Fn(f64) -> String) -> String {
    ends.map_or_else(String::new, |[low, high]| format!("<br>90 % interval {} to {}", show(low), show(high)))
}

/// The same for a table's cell.
pub fn between(ends: Option<Interval>, show: &dyn Fn(f64) -> String) -> String {
    ends.map_or_else(String::new, |[low, high]| format!("<small>{} to {}</small>", show(low), show(high)))
}

/// `2026-03-13 01:15`.
pub fn day(at: Timestamp) -> String {
    let text = at.to_string();
    match text.get(..16) {
        Some(minute) if text.as_bytes().get(10) == Some(&b'T') => minute.replace('T', " "),
        _ => text,
    }
}

/// The metric's name and its labels, without quotes; long values cut in the middle.
pub fn series(labels: &Labels) -> String {
    let others =
        labels.iter().filter(|(name, _)| *name != METRIC_NAME).map(|(name, value)| format!("{name}={}", cut(value, MAX_VALUE_CHARS)));
    let parts: Vec<String> = labels.metric().map(str::to_owned).into_iter().chain(others).collect();
    cut(&parts.join("  "), MAX_SERIES_CHARS)
}

/// At most so many characters.
pub fn cut(text: &str, most: usize) -> String {
    let chars: Vec<char> = text.chars().collect();
    if chars.len() <= most {
        return text.to_owned();
    }
    let (head, tail) = (most / 2, most - most / 2 - 1);
    chars[..head].iter().chain(&['…']).chain(&chars[chars.len() - tail..]).collect()
}

/// 90 % limits of a share (Wilson, 1927): sound for few and for all alike.
pub fn wilson(hits: u64, of: u64) -> [f64; 2] {
    const Z: f64 = 1.645;
    let (n, p) = (of as f64, hits as f64 / of.max(1) as f64);
    let middle = (p + Z * Z / (2.0 * n)) / (1.0 + Z * Z / n);
    let half = Z / (1.0 + Z * Z / n) * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    [(middle - half).max(0.0), (middle + half).min(1.0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_said_as_people_say_them() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([0.0, 0.001, 0.85, 0.999, 1.0].map(share), ["0 %", "<1 %", "85 %", ">99 %", "100 %"]);
        assert_eq!([0.0, 0.0123, 0.234, 3.21, 45.6].map(rate), ["0", "0.012", "0.23", "3.2", "46"]);
        assert_eq!([0.0, 20.0, 300.0, 51_000.0, 190_000.0].map(length), ["0 s", "20s", "5m", "14h10m", "2d5h"]);
        assert_eq!(cut("abcdefghij", 5), "ab…ij");
        let [low, high] = wilson(8, 10);
        assert!((low - 0.541).abs() < 0.002 && (high - 0.931).abs() < 0.002, "{low} {high}");
        assert!(wilson(0, 7)[0] == 0.0 && wilson(7, 7)[1] == 1.0);
    }
}
