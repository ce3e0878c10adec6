//! A small world in which much happens: disks that fill, queues that run over, a spool that falls silent with a prediction open.

use std::path::Path;

use portent::config::{self, Config};
use portent::core::labels::Labels;
use portent::core::time::{Span, Timestamp};
use portent::source::replay::{DataSeries, DataSet};

pub const STEP: Span = Span::from_secs(300);
const DAY: i64 = 288;
/// The daemon starts here. There is more data before than its baselines' window, so that where it begins to read matters.
const BEGIN: i64 = 8 * DAY;
pub const END: i64 = BEGIN + 2 * DAY + 60;
/// With these the disks are more than one shard of 1,024 series, so that two threads have something to share.
const IDLE: i64 = 1_030;

/// What is watched. The queues' step is not the data's, and the spool's last sample comes before the others'.
const WATCHES: &str = r"
watches:
  - { name: disk, query: disk, step: 5m, above: 0.9, horizon: 24h, profile: saturating-gauge, service: '{{host}}' }
  - { name: queue, query: queue, step: 10m, above: 900, horizon: 3h, profile: queue-depth, service: '{{host}}', zone: Europe/Berlin }
  - { name: spool, query: spool, step: 5m, above: 0.9, horizon: 12h, profile: saturating-gauge, service: '{{host}}' }
  - { name: odd, query: queue, step: 5m, baseline: { false_alarms: 2/week, direction: above, lower: 0 }, zone: America/New_York }
";

/// Some seconds after a column, as a process starts.
pub fn begin() -> Timestamp {
    at(BEGIN) + Span::from_secs(17)
}

pub fn at(column: i64) -> Timestamp {
    // Monday, 2026-11-02T00:00:00Z.
    Timestamp::from_millis(1_793_577_600_000) + STEP.times(column)
}

/// A scramble of i, uniform on (-0.5, 0.5).
fn noise(i: i64) -> f64 {
    let x = i.cast_unsigned().wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let x = (x ^ (x >> 31)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    ((x ^ (x >> 29)) >> 11) as f64 / (1_u64 << 53) as f64 - 0.5
}

/// Growing disks that cross at different times, one with holes and one with NaN, a sawtooth, many that idle, queues that run over, a spool
/// that grows and is gone.
pub fn data() -> DataSet {
    let mut series = Vec::new();
    let mut add = |metric: &str, host: &str, value: &dyn Fn(i64) -> f64| {
        let labels = Labels::from_pairs([("__name__", metric), ("host", host)]).unwrap();
        let samples = (0..END).map(|i| (at(i), value(i))).filter(|(_, v)| v.is_finite()).collect();
        series.push(DataSeries { name: labels.to_string(), labels, samples, step: STEP });
    };
    for k in 0..12_i64 {
        let crossing = (BEGIN + DAY / 2 + k * DAY / 9) as f64;
        // Half of them stand behind the idle ones in every order, and so in another shard.
        let host = if k < 6 { format!("grow{k}") } else { format!("tall{k}") };
        if k == 6 {
            for i in 0..IDLE {
                add("disk", &format!("idle{i:04}"), &move |column| if column % DAY < 2 { 0.1 + 0.0001 * i as f64 } else { f64::NAN });
            }
        }
        add("disk", &host, &move |i| {
            let hole = (k == 3 && (i % 50) < 7) || (k == 5 && noise(i * 31) > 0.4);
            if hole { f64::NAN } else { 0.3 + 0.6 * i as f64 / crossing + 0.004 * noise(i + 1000 * k) }
        });
    }
    // Somebody cleans up before it is full: what was told is taken back, and has its truth a day later.
    add("disk", "cleaned", &|i| {
        let grows = 0.3 + 0.6 * i as f64 / (BEGIN + DAY) as f64;
        (if i < BEGIN + 130 { grows } else { 0.3 }) + 0.004 * noise(i + 11)
    });
    add("disk", "saw", &|i| 0.4 + 0.3 * ((i % DAY) as f64 / DAY as f64) + 0.01 * noise(i));
    add("disk", "steady", &|i| 0.87 + 0.01 * noise(i + 5));
    add("disk", "late", &|i| if i < BEGIN - DAY { f64::NAN } else { 0.2 + 0.0008 * (i - BEGIN + DAY) as f64 + 0.002 * noise(i) });
    add("queue", "calm", &|i| 200.0 + 100.0 * (i as f64 / DAY as f64 * std::f64::consts::TAU).sin() + 20.0 * noise(i));
    for k in 0..3 {
        let begins = BEGIN + 100 + 140 * k;
        add("queue", &format!("stuck{k}"), &move |i| {
            let stuck = (i - begins).clamp(0, 60) as f64 * 16.0;
            100.0 + if i < begins + 60 { stuck } else { 0.0 } + 10.0 * noise(i + 77 * k)
        });
    }
    add("spool", "gone", &|i| {
        let grows = 0.3 + 0.6 * i as f64 / (BEGIN + DAY) as f64 + 0.004 * noise(i + 9);
        if i < BEGIN + 200 { grows } else { f64::NAN }
    });
    DataSet { series, ..DataSet::default() }
}

/// The same without what came before `from`.
pub fn since(data: &DataSet, from: Timestamp) -> DataSet {
    let mut data = data.clone();
    data.series.iter_mut().for_each(|series| series.samples.retain(|(time, _)| *time >= from));
    data
}

/// A configuration file for a server, a folder and a tick.
pub fn config_text(url: &str, data_dir: &Path, interval: Span) -> String {
    format!(
        "sources: [ {{ name: s, prometheus: {{ url: '{url}' }} }} ]\ninterval: {interval}\ndata_dir: '{}'\nchart_dir: off\nlisten: 127.0.0.1:0\n{WATCHES}",
        data_dir.display()
    )
}

pub fn config(url: &str, data_dir: &Path, interval: Span) -> Config {
    config::parse(&config_text(url, data_dir, interval), "portent.yaml").unwrap()
}
