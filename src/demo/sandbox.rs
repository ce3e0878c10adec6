//! A process of the demo's own that leaks: the one thing that the demo lets its daemon act on.
//!
//! It is real (its memory is held, and goes when it ends) and small: what it holds is told as a share of a limit of its own. Each request
//! leaks a little, and the demo sends as many requests as time has passed on its clock. It is started again when it ends, as an init system
//! would. To restart it is to ask for it by a file in its folder; `portent sandbox restart` does, and waits until another one serves.
//!
//! It reads requests from its standard input and ends with it, so that nothing is left behind however the demo ends.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::Now;
use super::generate::{END, START, STEP};
use crate::core::labels::{Labels, METRIC_NAME};
use crate::core::time::{Span, Timestamp};
use crate::datasets::Rng;
use crate::source::replay::DataSeries;

/// Its metric: name, unit, help.
pub const METRIC: (&str, &str, &str) = ("sandbox_memory_ratio", "", "Share of its memory limit that the demo's own process holds.");

/// What it may hold in all: enough to be seen in `ps`, little beside the demo itself.
const LIMIT_BYTES: usize = 64 << 20;
/// It holds this share before it has served anything.
const BASE_SHARE: f64 = 0.35;
/// Leaked bytes a request: four requests a minute come to 0.8 % of the limit an hour.
const LEAK_BYTES: usize = 2_236;
const REQUEST_EVERY: Span = Span::from_secs(15);
/// Memory is taken in such pieces.
const PIECE_BYTES: usize = 64 << 10;
/// It ends by itself where it holds so much, as the kernel would see to; the demo's point is that it does not come to that.
const MAX_SHARE: f64 = 1.0;

/// Between two batches of requests: shorter than the demo's step at its greatest speed.
const BEAT: Duration = Duration::from_millis(8);
/// Between two samples at least; the demo's steps are five of them.
const SAMPLE_EVERY: Span = Span::MINUTE;
/// A process that does not serve within this is not waited for; starting one takes milliseconds.
const START_TIMEOUT: Duration = Duration::from_secs(10);
/// Starts in one demo at most: one that ends at once must not be started for ever.
const MAX_STARTS: usize = 1_000;

/// Who serves.
const PID_FILE: &str = "pid";
/// While it is there, whoever serves ends.
const RESTART_FILE: &str = "restart";

/// The process and its samples; dropping it ends both.
#[derive(Debug)]
pub struct Sandbox {
    series: Arc<Mutex<DataSeries>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Sandbox {
    /// Starts `program sandbox serve DIR`, and keeps it running. Its past is made, its present measured.
    pub fn start(program: PathBuf, dir: PathBuf, live_from: Timestamp, now: Now) -> io::Result<Self> {
        fs::create_dir_all(&dir)?;
        let first = serve(&program, &dir)?;
        let (series, stop) = (Arc::new(Mutex::new(past(live_from))), Arc::new(AtomicBool::new(false)));
        let (samples, stopped) = (series.clone(), stop.clone());
        let thread = thread::spawn(move || keep_running(first, &program, &dir, &now, &samples, &stopped));
        Ok(Self { series, stop, thread: Some(thread) })
    }

    /// Its samples, for the demo's Prometheus.
    pub fn series(&self) -> Arc<Mutex<DataSeries>> {
        self.series.clone()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has dropped its process, whose input is closed with it.
            let _ = thread.join();
        }
    }
}

/// A week in which nothing leaked.
fn past(until: Timestamp) -> DataSeries {
    let labels = Labels::from_pairs([(METRIC_NAME, METRIC.0), ("service", "sandbox")]).unwrap_or_default();
    let mut rng = Rng::new(labels.id().0);
    let steps = (until - START).as_millis() / STEP.as_millis();
    let samples = (0..steps).map(|i| (START + STEP.times(i), BASE_SHARE + 0.004 + 0.002 * rng.normal())).collect();
    DataSeries { name: labels.to_string(), labels, samples, step: STEP }
}

fn serve(program: &Path, dir: &Path) -> io::Result<Child> {
    let mut command = Command::new(program);
    command.args(["sandbox", "serve"]).arg(dir).env_clear().stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    // Ctrl-C is for the demo, which ends it in its own time.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command.spawn()
}

/// Until it is stopped: sends requests, keeps what it says, starts it again when it has ended.
fn keep_running(first: Child, program: &Path, dir: &Path, now: &Now, series: &Mutex<DataSeries>, stopped: &AtomicBool) {
    let mut child = first;
    for _ in 0..MAX_STARTS {
        // An error is its end: a pipe without anybody at the other side.
        let _ = talk(&mut child, now, series, stopped);
        // Both fail only where it is gone already.
        let _ = child.kill();
        let _ = child.wait();
        if stopped.load(Ordering::Acquire) {
            return;
        }
        match serve(program, dir) {
            Ok(next) => child = next,
            Err(error) => return tracing::error!(%error, "the sandbox could not be started again"),
        }
    }
}

fn talk(child: &mut Child, now: &Now, series: &Mutex<DataSeries>, stopped: &AtomicBool) -> io::Result<()> {
    let ended = || io::Error::from(io::ErrorKind::BrokenPipe);
    let mut requests = child.stdin.take().ok_or_else(ended)?;
    let mut answers = BufReader::new(child.stdout.take().ok_or_else(ended)?).lines();
    let mut served_until = now();
    while !stopped.load(Ordering::Acquire) {
        let at = now();
        let count = ((at - served_until).as_millis() / REQUEST_EVERY.as_millis()).max(0);
        served_until = served_until + REQUEST_EVERY.times(count);
        writeln!(requests, "{count}")?;
        let share: f64 = answers.next().ok_or_else(ended)??.parse().map_err(|_| ended())?;
        let mut series = series.lock().unwrap_or_else(PoisonError::into_inner);
        if at <= END && series.samples.last().is_none_or(|(last, _)| at - *last >= SAMPLE_EVERY) {
            series.samples.push((at, share));
        }
        drop(series);
        thread::sleep(BEAT);
    }
    Ok(())
}

/// The process itself: serves what comes on its standard input and says what it holds, until that is closed or somebody asks for a restart.
///
/// # Errors
/// When its folder can't be written.
pub fn run(dir: &Path, mut requests: impl BufRead, mut answers: impl Write) -> io::Result<()> {
    // Asked of the one before: this one is its restart.
    let _ = fs::remove_file(dir.join(RESTART_FILE));
    let half = dir.join(format!("{PID_FILE}.new"));
    fs::write(&half, std::process::id().to_string())?;
    fs::rename(half, dir.join(PID_FILE))?;
    let mut held: Vec<Vec<u8>> = Vec::new();
    let (mut leaked, mut line) = (0_usize, String::new());
    loop {
        line.clear();
        if requests.read_line(&mut line)? == 0 || dir.join(RESTART_FILE).exists() {
            return Ok(());
        }
        leaked = leaked.saturating_add(line.trim().parse::<usize>().unwrap_or(0).saturating_mul(LEAK_BYTES));
        let wanted = ((BASE_SHARE * LIMIT_BYTES as f64) as usize).saturating_add(leaked).min(LIMIT_BYTES);
        while held.len() * PIECE_BYTES < wanted {
            // Written to, or the kernel would only promise it.
            held.push(vec![1; PIECE_BYTES]);
        }
        let share = (held.len() * PIECE_BYTES) as f64 / LIMIT_BYTES as f64;
        if share >= MAX_SHARE {
            return Ok(());
        }
        // Whoever asked is gone, and so is the reason to serve.
        if writeln!(answers, "{share:.4}").and_then(|()| answers.flush()).is_err() {
            return Ok(());
        }
    }
}

/// Has the one that serves end, and waits for the next. Says both numbers.
///
/// # Errors
/// When none serves, or no other one comes.
pub fn restart(dir: &Path) -> io::Result<(u32, u32)> {
    let pid = || fs::read_to_string(dir.join(PID_FILE)).ok().and_then(|text| text.trim().parse::<u32>().ok());
    let before = pid().ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("nobody serves in {}", dir.display())))?;
    fs::write(dir.join(RESTART_FILE), before.to_string())?;
    let end = Instant::now() + START_TIMEOUT;
    while Instant::now() < end {
        match pid() {
            Some(after) if after != before => return Ok((before, after)),
            _ => thread::sleep(BEAT),
        }
    }
    // Asked for no longer: it must not end an hour from now because of it.
    let _ = fs::remove_file(dir.join(RESTART_FILE));
    Err(io::Error::new(io::ErrorKind::TimedOut, format!("{before} serves on, or no other one within {START_TIMEOUT:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_leaks_with_every_request_and_ends_with_its_input_or_when_it_is_asked_to() {
        let dir = tempfile::tempdir().unwrap();
        let serve = |requests: &str| {
            let mut said = Vec::new();
            run(dir.path(), requests.as_bytes(), &mut said).unwrap();
            let said = String::from_utf8(said).unwrap();
            said.lines().map(|line| line.parse::<f64>().unwrap()).collect::<Vec<_>>()
        };
        // An hour, five, and what is more than there is.
        let shares = serve("0\n240\n1200\n9000000\n0\n");
        assert_eq!(shares.len(), 3, "it ends where it holds all there is: {shares:?}");
        assert!((shares[0] - BASE_SHARE).abs() < 0.002 && (shares[1] - shares[0] - 0.008).abs() < 0.002, "{shares:?}");
        assert!((shares[2] - shares[0] - 0.048).abs() < 0.002, "{shares:?}");
        assert_eq!(fs::read_to_string(dir.path().join(PID_FILE)).unwrap(), std::process::id().to_string());
        assert!(restart(&dir.path().join("none")).is_err());
    }

    #[test]
    fn its_past_is_calm() {
        let until = START + Span::WEEK;
        let past = past(until);
        assert_eq!(past.samples.len(), 7 * 288);
        assert!(past.samples.iter().all(|(at, share)| *at < until && (share - BASE_SHARE).abs() < 0.02));
    }
}
