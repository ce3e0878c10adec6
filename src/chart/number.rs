//! Numbers as people read them: decimals, binary and SI prefixes, lengths of time.
//!
//! What stands on one axis shares one prefix and one count of decimals, so these take the axis' step and its largest value as well.

use crate::core::time::Span;

/// Prefixes in steps of 1,000 and units in steps of 1,024: up to 10^18 and 2^60, beyond which values of monitoring do not go.
pub const SI: [&str; 7] = ["", "k", "M", "G", "T", "P", "E"];
pub const BINARY: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

/// A day, and a year as people count one: a quarter of a day does not show in "2.3 y".
pub const DAY_S: f64 = 86_400.0;
pub const YEAR_S: f64 = 365.0 * DAY_S;
/// Longer ones are told in years.
pub const LONGEST_IN_DAYS_S: f64 = 3_000.0 * DAY_S;

/// 1, 2 or 5 times a power of ten.
pub fn decimal(raw: f64) -> f64 {
    let power = 10_f64.powi(raw.log10().floor().clamp(-300.0, 300.0) as i32);
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|m| m * power).find(|step| *step >= raw * (1.0 - 1e-9)).unwrap_or(10.0 * power)
}

/// The largest power of `base` not above `size`, at least 0 and below `count`.
pub fn power_of(size: f64, base: f64, count: usize) -> i32 {
    // The tiny excess keeps 1024^k itself in its own class in spite of the logarithm's rounding.
    if size < base { 0 } else { ((size.ln() / base.ln() + 1e-9).floor() as i32).min(count as i32 - 1) }
}

/// As many decimals as tell neighbours a `step` apart.
pub fn fixed(value: f64, step: f64) -> String {
    let decimals = (0..10).find(|d| is_whole(step * 10_f64.powi(*d))).unwrap_or(10);
    let text = format!("{value:.*}", usize::try_from(decimals).unwrap_or(0));
    // Rounding may leave "-0".
    if text.trim_start_matches('-').bytes().all(|b| b == b'0' || b == b'.') { text.trim_start_matches('-').into() } else { text }
}

pub fn is_whole(value: f64) -> bool {
    (value - value.round()).abs() <= 1e-6 * value.abs()
}

pub fn three_digits(value: f64) -> String {
    let decimals = if value == 0.0 { 0 } else { (2 - value.abs().log10().floor() as i32).clamp(0, 8) };
    let text = format!("{value:.*}", usize::try_from(decimals).unwrap_or(0));
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').into() } else { text }
}

pub fn percent(value: f64, step: f64, largest: f64) -> String {
    let plain = (1e-3..1e6).contains(&largest);
    format!("{} %", if plain { fixed(value, step) } else { si(value, step, largest) })
}

pub fn binary(value: f64, step: f64, largest: f64) -> String {
    let mut power = power_of(largest, 1024.0, BINARY.len());
    // 1025 MiB reads better than 1.0009765625 GiB.
    while power > 0 && step / 1024_f64.powi(power) < 0.1 {
        power -= 1;
    }
    if value == 0.0 {
        return "0 B".into();
    }
    // Beyond the prefixes' ends only the bare number is left.
    if !(1e-3..1024_f64.powi(7)).contains(&largest) {
        return format!("{} B", si(value, step, largest));
    }
    let scale = 1024_f64.powi(power);
    format!("{} {}", fixed(value / scale, step / scale), BINARY[power.unsigned_abs() as usize])
}

pub fn si(value: f64, step: f64, largest: f64) -> String {
    if value == 0.0 {
        return "0".into();
    }
    if largest >= 1e21 || (largest < 1e-3 && step < 1e-4) {
        let exponent = (largest.log10() / 3.0).floor() as i32 * 3;
        // In two parts: 10^-306 is a number, 10^306 times it may not be.
        let scaled = |v: f64| v / 10_f64.powi(exponent / 2) / 10_f64.powi(exponent - exponent / 2);
        return format!("{}e{exponent}", fixed(scaled(value), scaled(step)));
    }
    let mut power = power_of(largest, 1000.0, SI.len());
    while power > 0 && step / 1000_f64.powi(power) < 0.000_9 {
        power -= 1;
    }
    let scale = 1000_f64.powi(power);
    let (number, prefix) = (fixed(value / scale, step / scale), SI[power.unsigned_abs() as usize]);
    if prefix.is_empty() { number } else { format!("{number} {prefix}") }
}

/// Scale and suffix for seconds below a minute.
pub fn sub_second(size: f64) -> (f64, &'static str) {
    match size {
        s if s >= 1.0 || s == 0.0 => (1.0, "s"),
        s if s >= 1e-3 => (1e-3, "ms"),
        s if s >= 1e-6 => (1e-6, "µs"),
        _ => (1e-9, "ns"),
    }
}

pub fn duration(value: f64, step: f64, largest: f64) -> String {
    if value == 0.0 {
        return "0 s".into();
    }
    if largest < 60.0 || step < 1.0 {
        let (scale, suffix) = sub_second(largest);
        return format!("{} {suffix}", fixed(value / scale, step / scale));
    }
    if largest > LONGEST_IN_DAYS_S {
        return format!("{} y", si(value / YEAR_S, step / YEAR_S, largest / YEAR_S));
    }
    Span::from_secs_f64((value / step).round() * step).to_string()
}

/// The step that leaves the two largest units of a length of time.
pub fn two_largest(size: f64) -> f64 {
    match size {
        s if s >= LONGEST_IN_DAYS_S => YEAR_S / 10.0,
        s if s >= DAY_S => 3_600.0,
        s if s >= 3_600.0 => 60.0,
        _ => 1.0,
    }
}
