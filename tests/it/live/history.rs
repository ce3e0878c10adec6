//! Made-up pasts: pure functions of the time, the same in every run, at one-minute steps.

use std::time::{SystemTime, UNIX_EPOCH};

use tempfile::TempDir;

use crate::support::{OpenMetricsWriter, Prometheus};

pub const MINUTE_MS: i64 = 60_000;
pub const HOUR_MS: i64 = 60 * MINUTE_MS;
pub const DAY_MS: i64 = 24 * HOUR_MS;

/// The server answers with the past up to now and a while on, so that a test sees new samples come in.
const AHEAD_MS: i64 = 15 * MINUTE_MS;

/// The running minute.
pub fn this_minute_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970").as_millis();
    i64::try_from(now).expect("milliseconds fit for a long time") / MINUTE_MS * MINUTE_MS
}

/// Noise of about normal shape, mean 0 and deviation 1, from the series and the time alone (splitmix64, four uniform draws).
pub fn noise(series: u64, time_ms: i64) -> f64 {
    let mut state = series.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ time_ms.unsigned_abs();
    let mut sum = 0.0;
    for _ in 0..4 {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        sum += ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64;
    }
    // Variance of a uniform draw is 1/12, of four 1/3.
    (sum - 2.0) * 3_f64.sqrt()
}

/// One daily wave between -1 and 1.
pub fn daily(time_ms: i64) -> f64 {
    (time_ms.rem_euclid(DAY_MS) as f64 / DAY_MS as f64 * std::f64::consts::TAU).sin()
}

/// `start`, step and length of the last `days` days.
pub fn grid(days: i64, now_ms: i64) -> (i64, i64, usize) {
    let start = now_ms - days * DAY_MS;
    (start, MINUTE_MS, usize::try_from((now_ms + AHEAD_MS - start) / MINUTE_MS).expect("a few thousand minutes"))
}

/// A Prometheus that knows two days of a few quiet disks, and is not running yet.
pub fn quiet_prometheus(disks: u64) -> Prometheus {
    let dir = TempDir::new().expect("a throwaway folder");
    let mut writer = OpenMetricsWriter::create(dir.path().join("quiet.om"));
    let grid = grid(2, this_minute_ms());
    for disk in 0..disks {
        let host = format!("host-{disk}");
        writer.gauge("disk_used_ratio", &[("host", &host)], grid, |t| Some(0.4 + 0.05 * daily(t) + 0.002 * noise(disk, t)));
    }
    Prometheus::new().backfill(&writer.finish())
}

/// A Prometheus that knows eight days of a few quiet disks and of one more that will be at 90 % in five hours.
pub fn filling_prometheus(disks: u64) -> Prometheus {
    let dir = TempDir::new().expect("a throwaway folder");
    let mut writer = OpenMetricsWriter::create(dir.path().join("filling.om"));
    let now = this_minute_ms();
    for disk in 0..=disks {
        let host = if disk == 0 { "filling".to_owned() } else { format!("host-{disk}") };
        writer.gauge("disk_used_ratio", &[("host", &host)], grid(8, now), |t| {
            let used = if disk == 0 { 0.9 + 0.003 * (t - now - 5 * HOUR_MS) as f64 / HOUR_MS as f64 } else { 0.4 + 0.05 * daily(t) };
            Some(used + 0.0005 * noise(disk, t))
        });
    }
    Prometheus::new().backfill(&writer.finish())
}

/// A watch over those disks.
pub const DISKS: &str = "name: disks, query: disk_used_ratio, above: 0.9, horizon: 24h, profile: saturating-gauge, service: '{{host}}'";
