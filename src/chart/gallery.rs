//! Scenes as users have them, and as they should not: for the tests, and for looking at with `PORTENT_GALLERY=folder`.

use jiff::tz::TimeZone;

use super::scene::{BandPoint, Fan, FanLevel, Scene};
use super::unit::Unit;
use crate::core::labels::Labels;
use crate::core::prediction::Eta;
use crate::core::time::{Span, Timestamp};
use crate::core::watch::Side;

pub const NOW: Timestamp = Timestamp::from_millis(1_795_387_320_000); // 2026-11-22T22:42:00Z

/// Deterministic noise in [-1, 1].
pub fn noise(seed: u64) -> f64 {
    let mut x = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x1234_5678;
    x ^= x >> 31;
    x = x.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x ^= x >> 29;
    (x >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
}

pub fn history(past: Span, step: Span, value: impl Fn(f64, u64) -> f64) -> Vec<(Timestamp, f64)> {
    let count = past.as_millis() / step.as_millis();
    (0..=count)
        .map(|i| {
            let at = NOW - step.times(count - i);
            (at, value(at.as_secs_f64() / 3_600.0 - NOW.as_secs_f64() / 3_600.0, u64::try_from(i).unwrap()))
        })
        .collect()
}

pub fn fan(horizon: Span, step: Span, median: impl Fn(f64) -> f64, spread: impl Fn(f64) -> f64) -> Fan {
    let count = horizon.as_millis() / step.as_millis();
    let hours: Vec<f64> = (1..=count).map(|i| step.times(i).as_secs_f64() / 3_600.0).collect();
    let level = |level: f64, z: f64| FanLevel {
        level,
        lower: hours.iter().map(|h| median(*h) - z * spread(*h)).collect(),
        upper: hours.iter().map(|h| median(*h) + z * spread(*h)).collect(),
    };
    Fan {
        at: (1..=count).map(|i| NOW + step.times(i)).collect(),
        median: hours.iter().map(|h| median(*h)).collect(),
        levels: vec![level(0.95, 1.96), level(0.5, 0.674), level(0.8, 1.282)],
    }
}

pub fn band(past: Span, future: Span, step: Span, expected: impl Fn(f64) -> f64, half: f64) -> Vec<BandPoint> {
    let (from, to) = (-past.as_millis() / step.as_millis(), future.as_millis() / step.as_millis());
    (from..=to)
        .map(|i| {
            let expected = expected(step.times(i).as_secs_f64() / 3_600.0);
            BandPoint { at: NOW + step.times(i), expected, lower: expected - half, upper: expected + half }
        })
        .collect()
}

fn labels(pairs: &[(&str, &str)]) -> Labels {
    Labels::from_pairs(pairs.iter().copied()).unwrap()
}

fn hours(h: f64) -> Timestamp {
    NOW + Span::from_secs_f64(h * 3_600.0)
}

fn eta(p10: f64, p50: f64, p90: f64) -> Eta {
    Eta { p10: Some(hours(p10)), p50: Some(hours(p50)), p90: Some(hours(p90)) }
}

/// A disk that fills tonight.
pub fn disk() -> Scene {
    let day = |h: f64| 0.58 + 0.01 * (h / 24.0 * std::f64::consts::TAU).sin();
    Scene {
        labels: labels(&[
            ("__name__", "disk_used_ratio"),
            ("device", "/dev/nvme0n1p2"),
            ("fstype", "ext4"),
            ("instance", "db-3.prod:9100"),
            ("mountpoint", "/var/lib/postgresql"),
        ]),
        value_name: Some("used space".into()),
        zone: TimeZone::get("Europe/Berlin").unwrap(),
        unit: Unit::Ratio,
        history: history(Span::DAY, Span::MINUTE, |h, i| day(h) + 0.003 * noise(i) + if h > -5.0 { (h + 5.0) * 0.034 } else { 0.0 }),
        normal: band(Span::DAY, Span::HOUR.times(9), Span::HOUR, day, 0.02),
        forecast: Some(fan(Span::HOUR.times(9), Span::MINUTE.times(5), |h| (day(0.0) + 0.17 + h * 0.0306).min(1.0), |h| 0.004 + h * 0.009)),
        threshold: Some((Side::Above, 0.9)),
        eta: Some(eta(3.4, 4.97, 7.6)),
        likelihood: Some(0.87),
        ..Scene::new("Filesystem /var/lib/postgresql on db-3 is filling", NOW)
    }
}

/// Every kind of scene by name.
pub fn all() -> Vec<(&'static str, Scene)> {
    let week = Span::WEEK;
    let traffic =
        |h: f64| 900.0 + 500.0 * ((h - 4.0) / 24.0 * std::f64::consts::TAU).sin() + 60.0 * (h / 168.0 * std::f64::consts::TAU).cos();
    let long = "x".repeat(90) + "/" + &"y".repeat(110);
    let gib = 1024_f64.powi(3);
    let mut gaps = disk();
    gaps.history.iter_mut().skip(500).take(240).for_each(|s| s.1 = f64::NAN);
    gaps.history.drain(1_000..1_120);
    gaps.notes = vec!["2 gaps in the last day".into(), "model: robust trend with daily season".into()];
    let mut open = disk();
    open.eta = Some(Eta { p90: None, ..open.eta.unwrap() });
    let mut touch = disk();
    touch.raised = Some((hours(-0.4), 0.735));
    touch.forecast = Some(fan(Span::HOUR.times(9), Span::MINUTE.times(5), |h| 0.75 + 0.14 * (h / 6.0).min(1.0), |h| 0.01 * h));
    for level in touch.forecast.iter_mut().flat_map(|f| &mut f.levels) {
        level.lower = (1..=108).map(|i| 0.748 + 0.138 * (f64::from(i) / 72.0).min(1.0)).collect();
    }
    let mut late = disk();
    late.eta = Some(Eta { p10: Some(hours(7.0)), ..Eta::default() });
    late.likelihood = Some(0.23);
    let mut soon = disk();
    soon.eta = Some(eta(0.05, 0.1, 0.3));
    soon.likelihood = Some(0.999);
    let mut wide = disk();
    wide.title = format!("A very long title {long}");
    wide.labels = labels(&[
        ("__name__", "a_metric"),
        ("pod", &long),
        ("container", &long),
        ("namespace", "default"),
        ("node", "n-17"),
        ("image", &long),
        ("uid", &long),
        ("zone", "eu"),
    ]);
    wide.value_name = Some(long.clone());
    wide.notes = vec![long.clone(), long.clone()];
    let mut wild = disk();
    wild.eta = None;
    wild.forecast = Some(fan(Span::HOUR.times(9), Span::MINUTE.times(5), |h| 0.75 + h * h * 1e6, |h| 1e9 * h));
    let plain = |title: &str, h: Vec<(Timestamp, f64)>| Scene { history: h, ..Scene::new(title, NOW) };
    let constant = Scene {
        unit: Unit::Ratio,
        threshold: Some((Side::Above, 0.9)),
        likelihood: Some(0.0),
        ..plain("Constant at 40 %", history(Span::DAY, Span::MINUTE, |_, _| 0.4))
    };
    vec![
        ("disk", disk()),
        ("gaps", gaps),
        ("open-eta", open),
        ("late-eta", late),
        ("first-touch", touch),
        ("soon-eta", soon),
        ("long-labels", wide),
        ("blow-up", wild),
        (
            "week-traffic",
            Scene {
                labels: labels(&[("handler", "/api/checkout"), ("job", "shop")]),
                value_name: Some("requests per second".into()),
                normal: band(week, Span::DAY, Span::HOUR, traffic, 120.0),
                forecast: Some(fan(Span::DAY, Span::HOUR, traffic, |h| 40.0 + 2.0 * h)),
                threshold: Some((Side::Above, 2_000.0)),
                likelihood: Some(0.04),
                anomalies: vec![(NOW - Span::HOUR.times(60), 1_950.0), (NOW - Span::HOUR.times(30), 200.0)],
                ..plain(
                    "Checkout traffic against capacity",
                    history(week, Span::MINUTE, |h, i| match i {
                        6_480 => 1_950.0,
                        8_280..8_284 => 200.0,
                        _ => traffic(h) + 45.0 * noise(i),
                    }),
                )
            },
        ),
        (
            "memory-sawtooth",
            Scene {
                labels: labels(&[("__name__", "process_resident_memory_bytes"), ("job", "indexer"), ("pod", "indexer-7c9f6d5b8-x2x4q")]),
                unit: Unit::Bytes,
                forecast: Some(fan(Span::DAY, Span::MINUTE.times(15), |h| gib * (2.2 + 0.09 * h), |h| gib * (0.03 + 0.015 * h))),
                threshold: Some((Side::Above, 4.0 * gib)),
                eta: Some(Eta { p10: Some(hours(16.5)), p50: Some(hours(20.0)), p90: None }),
                likelihood: Some(0.81),
                zone: TimeZone::get("America/New_York").unwrap(),
                ..plain(
                    "indexer leaks memory",
                    history(Span::HOUR.times(72), Span::MINUTE, |h, i| gib * (0.6 + 0.09 * (h + 72.0).rem_euclid(27.0) + 0.02 * noise(i))),
                )
            },
        ),
        (
            "certificate",
            Scene {
                labels: labels(&[("instance", "https://shop.example")]),
                unit: Unit::Seconds,
                forecast: Some(fan(Span::DAY.times(30), Span::HOUR.times(6), |h| (21.0 * 24.0 - h) * 3_600.0, |_| 0.0)),
                threshold: Some((Side::Below, 7.0 * 86_400.0)),
                eta: Some(eta(14.0 * 24.0, 14.0 * 24.0, 14.0 * 24.0)),
                likelihood: Some(1.0),
                ..plain("Certificate of shop.example expires", history(week.times(4), Span::HOUR, |h, _| (21.0 * 24.0 - h) * 3_600.0))
            },
        ),
        ("constant", constant),
        (
            "far-threshold",
            Scene {
                threshold: Some((Side::Above, 65_536.0)),
                likelihood: Some(0.0),
                ..plain("Open files", history(Span::HOUR.times(6), Span::MINUTE, |_, i| 120.0 + 4.0 * noise(i)))
            },
        ),
        ("single", Scene { threshold: Some((Side::Above, 50.0)), ..plain("One sample", vec![(NOW, 42.0)]) }),
        ("empty", Scene::new("Nothing yet", NOW)),
        (
            "all-nan",
            Scene {
                likelihood: Some(f64::NAN),
                threshold: Some((Side::Above, f64::NAN)),
                forecast: Some(fan(Span::HOUR, Span::MINUTE, |_| f64::NAN, |_| f64::NAN)),
                normal: band(Span::HOUR, Span::HOUR, Span::MINUTE, |_| f64::NAN, 1.0),
                anomalies: vec![(NOW, f64::NAN)],
                ..plain("NaN everywhere", history(Span::HOUR, Span::MINUTE, |_, _| f64::NAN))
            },
        ),
        ("huge", plain("Huge", history(Span::HOUR.times(3), Span::MINUTE, |h, i| 1e15 * (1.0 + 0.1 * h) + 1e12 * noise(i)))),
        (
            "tiny-negative",
            Scene {
                threshold: Some((Side::Below, -5e-7)),
                forecast: Some(fan(Span::HOUR, Span::MINUTE, |h| -3e-7 - 1e-7 * h, |h| 1e-7 * h)),
                ..plain("Tiny and negative", history(Span::HOUR.times(3), Span::MINUTE, |h, i| -3e-7 + 1e-7 * h / 3.0 * noise(i / 20)))
            },
        ),
        (
            "stale",
            Scene {
                now: NOW + Span::HOUR.times(3),
                ..plain("Scrape ended three hours ago", history(Span::HOUR.times(6), Span::MINUTE, |h, i| 20.0 + h + noise(i)))
            },
        ),
        (
            "extreme",
            Scene {
                now: Timestamp::MIN,
                ..plain(
                    "Extreme",
                    vec![
                        (Timestamp::MIN, f64::MAX),
                        (NOW, f64::INFINITY),
                        (NOW, -1e300),
                        (NOW + Span::HOUR, 1e300),
                        (Timestamp::from_millis(i64::MAX), 0.0),
                    ],
                )
            },
        ),
        (
            "dst",
            Scene {
                zone: TimeZone::get("Europe/Berlin").unwrap(),
                now: "2026-10-25T10:00:00Z".parse().unwrap(),
                ..plain(
                    "The clocks go back",
                    (0..1_800)
                        .map(|i| (Timestamp::from_millis(1_792_893_600_000) + Span::MINUTE.times(i), noise(u64::try_from(i).unwrap() / 30)))
                        .collect(),
                )
            },
        ),
    ]
}
