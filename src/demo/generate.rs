//! Two weeks of a small shop's fleet, made from a seed: three web hosts, two databases, a cache and a batch host.
//!
//! The first week is healthy and is what the daemon learns from; every labelled incident lies in the second. Nothing is stored: the same
//! bits come out everywhere (see `datasets`), and a pinned hash of the CSV form says so.

use std::io::{self, Write};

use crate::core::labels::{Labels, METRIC_NAME};
use crate::core::time::{Span, Timestamp};
use crate::datasets::{Rng, START as MONDAY, Wander, When, at};
use crate::source::replay::{DataSeries, DataSet};

/// Monday 2026-03-02T00:00:00Z.
pub const START: Timestamp = MONDAY;

/// Monday 2026-03-16T00:00:00Z: the last sample.
pub const END: Timestamp = Timestamp::from_millis(1_773_619_200_000);

/// Five minutes: 14 days of all series stay small enough to generate and serve from memory, and every incident is longer.
pub const STEP: Span = Span::from_secs(300);

/// Any would do; this one is pinned by the hash in `datasets/demo/dataset.toml`.
pub const SEED: u64 = 20_260_302;

/// What a metric holds, for the server's metadata: name, unit, help.
pub const METRICS: [(&str, &str, &str); 6] = [
    ("certificate_expiry_seconds", "seconds", "Time until the certificate of a domain expires."),
    ("cpu_busy_ratio", "", "Share of all processors' time that was not idle."),
    ("disk_used_ratio", "", "Share of a filesystem that is used."),
    ("memory_used_ratio", "", "Share of a host's memory that is used."),
    ("queue_depth", "", "Messages waiting in a queue."),
    ("requests_per_second", "", "Requests a service answers in a second."),
];

/// A moving part of the made world: the next value at a time.
type Make = Box<dyn FnMut(When, &mut Rng) -> f64>;

struct Plan {
    labels: Labels,
    /// Places behind the point.
    decimals: i32,
    make: Make,
}

/// The made data.
pub fn data_set() -> DataSet {
    let series: Vec<DataSeries> = plans().into_iter().map(run).collect();
    let rows = series.iter().map(|series| series.samples.len() as u64).sum();
    DataSet { series, rows, ..DataSet::default() }
}

fn run(mut plan: Plan) -> DataSeries {
    // A stream a series: adding one leaves the others as they are.
    let mut rng = Rng::new(SEED ^ plan.labels.id().0);
    let scale = 10_f64.powi(plan.decimals);
    let steps = (END - START).as_millis() / STEP.as_millis();
    let mut samples = Vec::new();
    for i in 0..=steps {
        let when = When { hours: i as f64 / 12.0 };
        let value = ((plan.make)(when, &mut rng) * scale).round() / scale;
        if !is_gap(&plan.labels, when) {
            samples.push((START + STEP.times(i), value));
        }
    }
    DataSeries { name: plan.labels.to_string(), labels: plan.labels, samples, step: STEP }
}

/// web-1 was being reinstalled on the first Friday from 02:10 to 02:50, and nobody could ask it anything.
fn is_gap(labels: &Labels, when: When) -> bool {
    labels.get("instance") == Some("web-1") && when.within(at(4, 2.16), at(4, 2.84))
}

fn plans() -> Vec<Plan> {
    let mut plans = Vec::new();
    let mut add = |metric: &str, labels: &[(&str, &str)], decimals: i32, make: Make| {
        let pairs = labels.iter().copied().chain([(METRIC_NAME, metric)]);
        let labels = Labels::from_pairs(pairs).expect("every label is given once");
        plans.push(Plan { labels, decimals, make });
    };
    for (i, host) in ["web-1", "web-2", "web-3", "db-1", "db-2", "cache-1", "batch-1"].into_iter().enumerate() {
        let i = i as f64;
        let root: Make = Box::new(move |when, rng| 0.34 + 0.03 * i + 0.0012 * when.days() + 0.0004 * rng.normal());
        add("disk_used_ratio", &[("instance", host), ("mountpoint", "/")], 4, root);
        let memory: Make = match host {
            "web-3" => leaking_memory(),
            "batch-1" => restarted_memory(),
            _ => memory(0.52 + 0.04 * i),
        };
        add("memory_used_ratio", &[("instance", host)], 4, memory);
        let cpu = if host == "batch-1" { batch_cpu() } else { cpu(0.30 + 0.02 * i) };
        add("cpu_busy_ratio", &[("instance", host)], 4, cpu);
    }
    for (host, incident) in [("web-1", false), ("web-2", true), ("web-3", false)] {
        add("disk_used_ratio", &[("instance", host), ("mountpoint", "/var/log")], 4, log_disk(incident));
    }
    add("disk_used_ratio", &[("instance", "db-1"), ("mountpoint", "/var/lib/postgresql")], 4, near_full_disk());
    let growing: Make = Box::new(|when, rng| 0.44 + 0.004 * when.days() + 0.002 * when.daily(14.0) + 0.0006 * rng.normal());
    add("disk_used_ratio", &[("instance", "db-2"), ("mountpoint", "/var/lib/postgresql")], 4, growing);
    add("disk_used_ratio", &[("instance", "batch-1"), ("mountpoint", "/scratch")], 4, scratch_disk());
    add("requests_per_second", &[("service", "shop")], 1, traffic(520.0, 380.0, 0.065));
    add("requests_per_second", &[("service", "api")], 1, traffic(310.0, 140.0, 0.0));
    add("requests_per_second", &[("service", "search")], 1, traffic(150.0, 90.0, 0.0));
    add("queue_depth", &[("queue", "mail")], 0, mail_queue());
    add("queue_depth", &[("queue", "orders")], 0, queue(140.0, 90.0, None));
    add("queue_depth", &[("queue", "thumbnails")], 0, queue(60.0, 30.0, Some((at(9, 14.33), at(9, 14.55), 1_740.0))));
    add("certificate_expiry_seconds", &[("domain", "shop.example.com")], 0, certificate(at(17, 10.0), at(11, 9.0)));
    add("certificate_expiry_seconds", &[("domain", "api.example.com")], 0, certificate(at(81, 0.0), at(60, 0.0)));
    add("certificate_expiry_seconds", &[("domain", "mail.example.com")], 0, certificate(at(33, 6.0), at(3, 6.0)));
    plans
}

fn memory(base: f64) -> Make {
    let mut noise = Wander::default();
    Box::new(move |when, rng| base + 0.03 * when.daily(15.0) + noise.next(rng, 0.005))
}

/// A release on the second Tuesday leaks 1.8 % an hour; the kernel ends the process at 97.5 %, which begins anew and leaks on, until a fixed
/// release on Thursday.
fn leaking_memory() -> Make {
    let (mut noise, mut leaked) = (Wander::default(), 0.0);
    Box::new(move |when, rng| {
        leaked = if when.within(at(8, 6.0), at(10, 9.0)) { leaked + 0.018 / 12.0 } else { 0.0 };
        let value = 0.58 + 0.015 * when.daily(15.0) + leaked + noise.next(rng, 0.003);
        if value >= 0.975 {
            leaked = 0.0;
        }
        value
    })
}

/// Grows all day and is restarted every night at four, on purpose, well below what hurts.
fn restarted_memory() -> Make {
    let mut noise = Wander::default();
    Box::new(move |when, rng| 0.36 + 0.50 * ((when.hours + 20.0) % 24.0) / 24.0 + noise.next(rng, 0.004))
}

fn cpu(base: f64) -> Make {
    let mut noise = Wander::default();
    Box::new(move |when, rng| {
        (base + 0.16 * when.daily(15.0) * when.weekly([1.0, 1.0, 1.0, 1.0, 1.1, 0.7, 0.6]) + noise.next(rng, 0.02)).clamp(0.01, 0.94)
    })
}

/// Busy from one to four every night: high, and normal.
fn batch_cpu() -> Make {
    let mut noise = Wander::default();
    Box::new(move |when, rng| {
        let base = if (1.0..4.0).contains(&when.hour_of_day()) { 0.86 } else { 0.12 };
        (base + noise.next(rng, 0.015)).clamp(0.01, 0.93)
    })
}

/// Logs grow with the traffic and are rotated at three, eight percent a day both ways. With the incident, a debug switch left on from the second
/// Monday noon doubles the growth, and rotation no longer keeps up; on Friday at 15:00 somebody cleans up and turns it off.
fn log_disk(incident: bool) -> Make {
    let mut level = 0.59;
    Box::new(move |when, rng| {
        let debug = incident && when.within(at(7, 12.0), at(11, 15.0));
        let a_day = if debug { 0.165 } else { 0.08 };
        level += a_day * (1.0 + 0.3 * when.daily(15.0)) / 288.0;
        if (3.0..3.08).contains(&when.hour_of_day()) {
            level -= 0.08;
        }
        if incident && when.within(at(11, 15.0), at(11, 15.08)) {
            level = 0.40;
        }
        level + 0.0006 * rng.normal()
    })
}

/// Full for years and still: noise right below the threshold.
fn near_full_disk() -> Make {
    let mut noise = Wander::default();
    Box::new(move |when, rng| (0.872 + 0.004 * when.daily(4.0) + noise.next(rng, 0.004)).clamp(0.85, 0.893))
}

/// Work files come and go each night; on the second Saturday at 01:30 a job's log runs away, and is removed at 07:00.
fn scratch_disk() -> Make {
    Box::new(move |when, rng| {
        let nightly = if (1.0..4.0).contains(&when.hour_of_day()) { 0.06 } else { 0.0 };
        let runaway = if when.within(at(12, 1.5), at(12, 7.0)) { 0.148 * (when.hours - at(12, 1.5)) } else { 0.0 };
        (0.28 + nightly + runaway + 0.002 * rng.normal()).min(0.997)
    })
}

/// Daily and weekly rhythm, Friday the highest; `growth` a day from the second Monday on.
fn traffic(base: f64, swing: f64, growth: f64) -> Make {
    let mut noise = Wander::default();
    Box::new(move |when, rng| {
        let week = when.weekly([0.97, 0.98, 0.99, 1.02, 1.10, 0.78, 0.74]);
        let grown = 1.0 + growth * (when.days() - 7.0).max(0.0);
        ((base + swing * when.daily(15.0)) * week * grown * (1.0 + noise.next(rng, 0.012))).max(0.0)
    })
}

/// Quiet until its only consumer hangs on the second Sunday at ten; restarted at 17:30.
fn mail_queue() -> Make {
    let mut calm = queue(60.0, 25.0, None);
    Box::new(move |when, rng| {
        let stuck = if when.within(at(13, 10.0), at(13, 17.5)) { 320.0 * (when.hours - at(13, 10.0)) } else { 0.0 };
        calm(when, rng) + stuck
    })
}

/// A rhythm, with one spike where asked: from, to, height.
fn queue(base: f64, swing: f64, spike: Option<(f64, f64, f64)>) -> Make {
    let mut noise = Wander::default();
    Box::new(move |when, rng| {
        let spiked = spike.filter(|(from, to, _)| when.within(*from, *to)).map_or(0.0, |(_, _, height)| height);
        (base + swing * when.daily(15.0) + spiked + noise.next(rng, base * 0.12)).max(0.0)
    })
}

/// Seconds until `expires`; renewed for ninety days at `renewed`.
fn certificate(expires: f64, renewed: f64) -> Make {
    Box::new(move |when, _| {
        let until = if when.hours < renewed { expires } else { renewed + 90.0 * 24.0 };
        (until - when.hours) * 3600.0
    })
}

/// The data as a long CSV file that every other command of the program reads: series after series, labels in columns.
///
/// # Errors
/// Those of the writer.
pub fn write_csv(set: &DataSet, mut out: impl Write) -> io::Result<()> {
    let mut names: Vec<&str> = set.series.iter().flat_map(|series| series.labels.iter().map(|(name, _)| name)).collect();
    names.sort_unstable();
    names.dedup();
    writeln!(out, "timestamp,value,{}", names.join(","))?;
    for series in &set.series {
        let cells: Vec<&str> = names.iter().map(|name| series.labels.get(name).unwrap_or_default()).collect();
        // No name and no value of this data needs quotes.
        let tail = cells.join(",");
        for (time, value) in &series.samples {
            writeln!(out, "{time},{value},{tail}")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::replay;

    #[test]
    fn the_csv_form_reads_back_as_the_same_data() {
        let set = data_set();
        let mut csv = Vec::new();
        write_csv(&set, &mut csv).unwrap();
        let back = replay::read_csv("demo", csv.as_slice()).unwrap();
        assert_eq!(back.series.len(), set.series.len());
        for (a, b) in set.series.iter().zip(&back.series) {
            assert_eq!((&a.labels, &a.samples, a.step), (&b.labels, &b.samples, b.step));
        }
    }

    #[test]
    fn the_fleet_is_whole_and_within_its_bounds() {
        let set = data_set();
        assert_eq!((set.first(), set.last()), (Some(START), Some(END)));
        for series in &set.series {
            let gap = if series.labels.get("instance") == Some("web-1") { 9 } else { 0 };
            assert_eq!(series.samples.len(), 4_033 - gap, "{}", series.name);
            let upper = if series.name.contains("ratio") { 1.0 } else { f64::INFINITY };
            assert!(series.samples.iter().all(|(_, value)| (0.0..upper).contains(value)), "{}", series.name);
        }
        let metrics: Vec<&str> = METRICS.iter().map(|(name, ..)| *name).collect();
        assert!(set.series.iter().all(|series| metrics.contains(&series.labels.metric().unwrap())));
    }
}
