//! One figure a line: name, number, unit, and what it was measured on. For people, for `grep`, and for RESULTS.md.

use std::time::Duration;

/// Prints a figure.
pub fn print(name: &str, value: f64, unit: &str, note: &str) {
    let places = match value.abs() {
        v if v >= 100.0 => 0,
        v if v >= 10.0 => 1,
        _ => 2,
    };
    println!("{name:<36} {value:>10.places$} {unit:<12} {note}");
}

pub fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// The `q`-quantile of some times, by the nearest rank. Sorts them.
pub fn quantile(times: &mut [Duration], q: f64) -> Duration {
    times.sort_unstable();
    times[((times.len() as f64 * q).ceil() as usize).clamp(1, times.len()) - 1]
}

/// Memory of this process in MB (10^6 bytes): `VmRSS` now, `VmHWM` at its highest. NaN where there is no /proc.
pub fn memory_mb(field: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    let kib = line.and_then(|rest| rest.trim().strip_suffix("kB")?.trim().parse::<f64>().ok());
    kib.map_or(f64::NAN, |kib| kib * 1024.0 / 1e6)
}
