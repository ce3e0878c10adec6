//! VictoriaMetrics in Prometheus' place.

use super::daemon::{Config, Running};
use super::history::{DISKS, HOUR_MS, grid, noise, this_minute_ms};
use crate::support::{Receiver, VictoriaMetrics};

#[test]
fn imported_series_are_watched_and_the_one_that_fills_is_told() {
    let victoria = VictoriaMetrics::start();
    let now = this_minute_ms();
    let (start, step, len) = grid(8, now);
    let times = || (0..len as i64).map(|i| start + i * step).filter(|t| *t <= now);
    let quiet: Vec<(i64, f64)> = times().map(|t| (t, 0.4 + 0.002 * noise(1, t))).collect();
    let filling = |t: i64| 0.9 + 0.003 * (t - now - 5 * HOUR_MS) as f64 / HOUR_MS as f64 + 0.0005 * noise(2, t);
    victoria.import("disk_used_ratio", &[("host", "quiet")], &quiet);
    victoria.import("disk_used_ratio", &[("host", "filling")], &times().map(|t| (t, filling(t))).collect::<Vec<_>>());
    let receiver = Receiver::start();
    let mut portent = Running::start(&Config::new(&victoria.url()).watch(DISKS).hook(&receiver));
    let told = portent.first_event(&receiver).json();
    assert_eq!(told["data"]["labels"]["host"], "filling", "{told:#}");
    portent.wait_ready();
    assert_eq!(portent.series("disks"), 2);
    assert_eq!(portent.watch("disks")["state"], "watching");
}
