//! What the process costs, read from `/proc` when somebody asks.
//!
//! The names are the ones all Prometheus clients use (`process_resident_memory_bytes`, ..., without our prefix), so that existing dashboards,
//! and our own `process` watches, read Portent like any other process:
//! <https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics>. Where there is no `/proc` they are absent: missing is not
//! zero.

use std::fmt;
use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

/// Clock ticks a second in `/proc/self/stat`. The kernel's `USER_HZ` is part of its ABI and 100 on every architecture Rust has a Linux target
/// for: `man 5 proc`, `man 7 time`.
const TICKS_PER_S: f64 = 100.0;

/// More descriptors than this are not counted one by one at every scrape.
const MAX_COUNTED_FDS: usize = 1 << 16;

/// Bytes of this process in RAM.
pub fn resident_memory_bytes() -> Option<u64> {
    status_bytes(&fs::read_to_string("/proc/self/status").ok()?, "VmRSS:")
}

/// A `Name:   123 kB` line of `/proc/self/status`, in bytes.
fn status_bytes(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// User and system time in seconds: fields 14 and 15 of `/proc/self/stat`, counted after the name, which may hold spaces and brackets.
fn cpu_s(stat: &str) -> Option<f64> {
    let after_name = &stat[stat.rfind(')')? + 1..];
    let mut fields = after_name.split_ascii_whitespace().skip(11);
    let (user, system): (u32, u32) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some((f64::from(user) + f64::from(system)) / TICKS_PER_S)
}

/// The soft limit on open files; `None` for "unlimited".
fn max_fds(limits: &str) -> Option<u64> {
    limits.lines().find_map(|line| line.strip_prefix("Max open files"))?.split_ascii_whitespace().next()?.parse().ok()
}

/// Reads anew at every scrape.
#[derive(Debug)]
pub struct ProcessCollector {
    started_s: f64,
}

impl ProcessCollector {
    /// Takes now as the process' start.
    pub fn from_now() -> Self {
        Self { started_s: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |d| d.as_secs_f64()) }
    }
}

impl Collector for ProcessCollector {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let mut gauge = |name: &str, help: &str, value: Option<f64>| -> fmt::Result {
            let Some(value) = value else { return Ok(()) };
            let metric = ConstGauge::new(value);
            metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)
        };
        // Exact up to 2^53: eight petabytes.
        let float = |n: u64| n as f64;
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let fds = fs::read_dir("/proc/self/fd").ok().map(|dir| dir.take(MAX_COUNTED_FDS).count() as f64);
        let fd_limit = fs::read_to_string("/proc/self/limits").ok().and_then(|text| max_fds(&text));
        let start = "Start time of the process since the Unix epoch in seconds.";
        gauge("process_start_time_seconds", start, Some(self.started_s))?;
        let resident = "Resident memory size in bytes.";
        gauge("process_resident_memory_bytes", resident, status_bytes(&status, "VmRSS:").map(float))?;
        gauge("process_virtual_memory_bytes", "Virtual memory size in bytes.", status_bytes(&status, "VmSize:").map(float))?;
        gauge("process_open_fds", "Number of open file descriptors.", fds)?;
        gauge("process_max_fds", "Maximum number of open file descriptors.", fd_limit.map(float))?;
        if let Some(seconds) = fs::read_to_string("/proc/self/stat").ok().and_then(|text| cpu_s(&text)) {
            let metric = ConstCounter::new(seconds);
            let help = "Total user and system CPU time spent in seconds.";
            metric.encode(encoder.encode_descriptor("process_cpu_seconds", help, None, metric.metric_type())?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proc_files_are_read_as_the_kernel_writes_them() {
        assert_eq!(status_bytes("VmSize:\t  10 kB\nVmRSS:\t    8956 kB\n", "VmRSS:"), Some(8_956 * 1024));
        assert_eq!(status_bytes("Name: x\n", "VmRSS:"), None);
        let stat = "42 (a) b (c) S 1 42 42 0 -1 4194560 100 0 0 0 150 50 0 0 20 0 1 0 5 0 0";
        assert_eq!(cpu_s(stat), Some(2.0));
        assert_eq!(max_fds("Max open files            1024                 524288               files\n"), Some(1024));
        assert_eq!(max_fds("Max open files            unlimited            unlimited            files\n"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_uses_memory() {
        assert!(resident_memory_bytes().unwrap() > 1 << 20);
    }
}
