//! What the name of a metric says: its unit, and what it counts or measures.
//!
//! Names follow conventions (<https://prometheus.io/docs/practices/naming/>): the unit is a suffix, counters end in `_total`. Exporters of
//! older systems do not, so further words are looked for inside the name, always as whole words: `lag` is not in `flags`.

use super::quantity::{Dimension, Kind, Quantity, Scale};

/// What one name says, and the word that says it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Said {
    pub quantity: Quantity,
    /// Empty where the name says nothing.
    pub word: &'static str,
}

/// A word (or words) of a name, and what it says.
type Entry = (&'static str, Kind, Scale, Dimension);

use Dimension::{Bytes, Count, Nothing, Seconds};
use Kind::{Countdown, Counter, Failures, Flag, Instant, Latency, Level, Part, Queue, Traffic};
use Scale::{AtLeastZero, Free, Percent, Share, ShareOrPercent};

/// Ends of a name, the more telling ones first.
const SUFFIXES: &[Entry] = &[
    ("_bucket", Counter, AtLeastZero, Count),
    ("_seconds_total", Counter, AtLeastZero, Seconds),
    ("_bytes_total", Counter, AtLeastZero, Bytes),
    ("_total", Counter, AtLeastZero, Count),
    ("_seconds_sum", Counter, AtLeastZero, Seconds),
    ("_milliseconds_sum", Counter, AtLeastZero, Seconds),
    ("_seconds_count", Counter, AtLeastZero, Count),
    ("_sum", Counter, AtLeastZero, Nothing),
    ("_created", Instant, AtLeastZero, Seconds),
    ("_timestamp_seconds", Instant, AtLeastZero, Seconds),
    ("_timestamp", Instant, AtLeastZero, Seconds),
    ("_start_time_seconds", Instant, AtLeastZero, Seconds),
    ("_boot_time_seconds", Instant, AtLeastZero, Seconds),
    ("_completion_time", Instant, AtLeastZero, Seconds),
    ("_cert_expiry", Instant, AtLeastZero, Seconds),
    ("_not_after", Instant, AtLeastZero, Seconds),
    ("_expiry", Instant, AtLeastZero, Seconds),
    ("_seconds_until_expiry", Countdown, Free, Seconds),
    ("_until_expiry_seconds", Countdown, Free, Seconds),
    ("_expires_in_seconds", Countdown, Free, Seconds),
    ("_remaining_seconds", Countdown, Free, Seconds),
    ("_seconds_remaining", Countdown, Free, Seconds),
    ("_ttl_seconds", Countdown, Free, Seconds),
    ("_expiry_seconds", Instant, AtLeastZero, Seconds),
    ("_expiration_seconds", Countdown, Free, Seconds),
    ("_ratio", Part, Share, Nothing),
    ("_fraction", Part, Share, Nothing),
    ("_percent", Part, Percent, Nothing),
    ("_percentage", Part, Percent, Nothing),
    ("_pct", Part, Percent, Nothing),
    ("_info", Flag, Share, Nothing),
    ("_up", Flag, Share, Nothing),
    ("_success", Flag, Share, Nothing),
    ("_healthy", Flag, Share, Nothing),
];

/// Words inside a name, the more telling ones first.
const WORDS: &[Entry] = &[
    ("queue", Queue, AtLeastZero, Count),
    ("queued", Queue, AtLeastZero, Count),
    ("queues", Queue, AtLeastZero, Count),
    ("backlog", Queue, AtLeastZero, Count),
    ("pending", Queue, AtLeastZero, Count),
    ("waiting", Queue, AtLeastZero, Count),
    ("unacked", Queue, AtLeastZero, Count),
    ("unacknowledged", Queue, AtLeastZero, Count),
    ("messages_ready", Queue, AtLeastZero, Count),
    ("lag", Queue, AtLeastZero, Count),
    ("consumergroup_lag", Queue, AtLeastZero, Count),
    ("delayed", Queue, AtLeastZero, Count),
    ("latency", Latency, AtLeastZero, Seconds),
    ("duration", Latency, AtLeastZero, Seconds),
    ("response_time", Latency, AtLeastZero, Seconds),
    ("rtt", Latency, AtLeastZero, Seconds),
    ("utilization", Part, ShareOrPercent, Nothing),
    ("utilisation", Part, ShareOrPercent, Nothing),
    ("saturation", Part, ShareOrPercent, Nothing),
    ("percent", Part, Percent, Nothing),
    ("pct", Part, Percent, Nothing),
    ("ratio", Part, Share, Nothing),
    ("availability", Part, ShareOrPercent, Nothing),
    ("error_rate", Failures, ShareOrPercent, Nothing),
    ("requests_per_second", Traffic, AtLeastZero, Count),
    ("rps", Traffic, AtLeastZero, Count),
    ("qps", Traffic, AtLeastZero, Count),
    ("throughput", Traffic, AtLeastZero, Count),
    ("requests", Traffic, AtLeastZero, Count),
    ("sessions", Traffic, AtLeastZero, Count),
    ("visitors", Traffic, AtLeastZero, Count),
    ("connections", Level, AtLeastZero, Count),
    ("conns", Level, AtLeastZero, Count),
    ("backends", Level, AtLeastZero, Count),
    ("clients", Level, AtLeastZero, Count),
    ("consumers", Level, AtLeastZero, Count),
    ("threads", Level, AtLeastZero, Count),
    ("goroutines", Level, AtLeastZero, Count),
    ("fds", Level, AtLeastZero, Count),
    ("inodes", Level, AtLeastZero, Count),
    ("files", Level, AtLeastZero, Count),
    ("filefd", Level, AtLeastZero, Count),
    ("replicas", Level, AtLeastZero, Count),
    ("partitions", Level, AtLeastZero, Count),
    ("entries", Level, AtLeastZero, Count),
    ("messages", Level, AtLeastZero, Count),
    ("load1", Level, AtLeastZero, Nothing),
    ("load5", Level, AtLeastZero, Nothing),
    ("load15", Level, AtLeastZero, Nothing),
    ("bytes", Level, AtLeastZero, Bytes),
    ("count", Level, AtLeastZero, Count),
    ("size", Level, AtLeastZero, Count),
];

/// Names as a whole.
const WHOLE: &[Entry] = &[("up", Flag, Share, Nothing), ("scrape_samples_scraped", Level, AtLeastZero, Count)];

/// Words of the whole that a part is a part of.
const CAPACITY: [&str; 14] = [
    "size",
    "total",
    "memtotal",
    "limit",
    "limits",
    "max",
    "maximum",
    "capacity",
    "quota",
    "allocatable",
    "swaptotal",
    "hard",
    "available_total",
    "maxpermitted",
];

/// Words, in a name or a matcher, of what has gone wrong.
const FAILURE: [&str; 18] = [
    "error", "errors", "errs", "failed", "failure", "failures", "fail", "5xx", "4xx", "dropped", "drops", "drop", "rejected", "timeout",
    "timeouts", "misses", "refused", "aborted",
];

/// What the name of a metric says; an empty word where it says nothing.
pub fn of_name(name: &str) -> Said {
    let lower = split_words(name);
    let said = |entry: &Entry| Said { quantity: Quantity { kind: entry.1, scale: entry.2, dimension: entry.3 }, word: entry.0 };
    // A rule recorded as `job:http_errors:ratio5m` says at its end what it is.
    if let Some(entry) = WHOLE.iter().find(|entry| lower == entry.0) {
        return said(entry);
    }
    let is_seconds = ["_seconds", "_milliseconds", "_ms", "_microseconds"].iter().any(|unit| lower.ends_with(unit));
    // `_count` and `_sum` of a summary are counters, `..._count` alone is a level: Prometheus' own exporters and everybody's else differ.
    SUFFIXES
        .iter()
        .find(|entry| lower.ends_with(entry.0))
        .or_else(|| WORDS.iter().find(|entry| has(&lower, entry.0)))
        .map_or_else(|| Said { quantity: Quantity::UNKNOWN, word: "" }, said)
        .in_seconds(is_seconds)
}

impl Said {
    /// A length of time, where the name ends in one and says no more.
    fn in_seconds(mut self, is_seconds: bool) -> Self {
        if is_seconds && matches!(self.quantity.kind, Kind::Unknown | Level | Traffic) {
            self.quantity = Quantity { kind: Latency, scale: AtLeastZero, dimension: Seconds };
            self.word = "_seconds";
        }
        if is_seconds && self.quantity.kind == Queue {
            self.quantity.dimension = Seconds;
        }
        self
    }
}

/// Whether a name says that it is the whole of something.
pub fn is_capacity(name: &str) -> bool {
    // A counter's `_total` is no whole, the total inside a name is one.
    let lower = split_words(name.strip_suffix("_total").unwrap_or(name));
    CAPACITY.iter().any(|word| has(&lower, word))
}

/// Whether a name or its matchers say that it counts what has gone wrong.
pub fn is_failure(name: &str, matchers: &str) -> bool {
    let (lower, matched) = (split_words(name), split_words(matchers));
    let is_status = matched.contains("code") || matched.contains("status");
    FAILURE.iter().any(|word| has(&lower, word) || has(&matched, word)) || (is_status && (has(&matched, "5") || matched.contains("_50")))
}

/// Lower case, words joined by `_`: `DiskUsedPercent`, `job:x:ratio` and `cpu.util` become `disk_used_percent`, `job_x_ratio`, `cpu_util`.
fn split_words(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 8);
    let mut before = '_';
    for c in name.chars() {
        if c.is_ascii_uppercase() && (before.is_ascii_lowercase() || before.is_ascii_digit()) {
            out.push('_');
        }
        before = c;
        out.push(if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' });
    }
    out
}

/// Whether `word` stands in `name` between underscores or ends. Only where a word of the name begins is looked: names are asked about dozens
/// of words, every series anew.
fn has(name: &str, word: &str) -> bool {
    let begins_with = |rest: &str| rest.strip_prefix(word).is_some_and(|after| after.is_empty() || after.starts_with('_'));
    let mut rest = name;
    loop {
        if begins_with(rest) {
            return true;
        }
        let Some((_, after)) = rest.split_once('_') else { return false };
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_whole_words_in_any_spelling() {
        assert!(has("kafka_lag_max", "lag") && !has("node_flags", "lag") && !has("flags_lagging", "lag") && has("lag", "lag"));
        assert!(has("ca_b_a_b", "a_b") && !has("a_bc", "a_b"));
        assert_eq!(split_words("DiskUsedPercent"), "disk_used_percent");
        assert_eq!(split_words("instance:node_cpu:ratio"), "instance_node_cpu_ratio");
        assert!(is_capacity("node_memory_MemTotal_bytes") && is_capacity("kube_pod_container_resource_limits"));
        assert!(!is_capacity("node_memory_MemAvailable_bytes"));
        assert!(is_failure("http_requests_total", "code=~\"5..\"") && is_failure("node_network_receive_errs_total", "type=\"error\""));
        assert!(!is_failure("http_requests_total", "code=~\"2..\""));
    }
}
