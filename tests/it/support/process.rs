//! A child process under test: its output goes to a file, its early death is noticed, and it does not outlive its owner.

use std::collections::HashSet;
use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use super::http;

/// The slowest part here (Prometheus with a large backfill) is ready in a few seconds; CI machines under load take ten times as long.
pub const READY_WITHIN: Duration = Duration::from_secs(60);

/// Between two looks at something awaited: short beside every start-up time, long beside the cost of a look.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How much of a dead program's log goes into the failure message.
const LOG_TAIL_LINES: usize = 30;

/// A loopback port nobody listens on, never given out twice by this process.
///
/// Another program can take it before its user does. The kernel hands ephemeral ports out at random, so that is rare.
pub fn free_port() -> u16 {
    static GIVEN: Mutex<Option<HashSet<u16>>> = Mutex::new(None);
    loop {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a loopback socket");
        let port = listener.local_addr().expect("a bound socket has an address").port();
        if GIVEN.lock().expect("nobody panics with it").get_or_insert_default().insert(port) {
            return port;
        }
    }
}

/// Looks again and again until `found` gives something; `None` after `within`.
pub fn wait_until<T>(within: Duration, mut found: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + within;
    loop {
        if let Some(it) = found() {
            return Some(it);
        }
        if Instant::now() >= end {
            return None;
        }
        thread::sleep(LOOK_EVERY);
    }
}

/// A running child; killed when dropped.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command` with stdout and stderr appended to `log`.
    ///
    /// # Panics
    /// When the program is not there, with the package that brings it.
    pub fn spawn(mut command: Command, package: &str, log: &Path) -> Self {
        let name = command.get_program().to_string_lossy().into_owned();
        let file = File::options().create(true).append(true).open(log).expect("the log file opens");
        let errors = file.try_clone().expect("a file handle can be cloned");
        let child = command.stdin(Stdio::null()).stdout(file).stderr(errors).spawn().unwrap_or_else(|error| {
            panic!("cannot start {name}: {error}\nhint: it comes with {package}; run scripts/install-test-packages");
        });
        Self { name, child, log: log.to_owned() }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// All it has written so far.
    pub fn output(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Waits until `url` answers with a 2xx.
    ///
    /// # Panics
    /// When the process ends before that or the time is over; the message holds the end of its log.
    pub fn wait_ready(&mut self, url: &str, within: Duration) {
        let ready = wait_until(within, || {
            if let Some(status) = self.child.try_wait().expect("the child can be waited for") {
                panic!("{} ended with {status} before it was ready:\n{}", self.name, self.log_tail());
            }
            http::try_get(url, Duration::from_secs(2)).ok().filter(http::Reply::is_success)
        });
        assert!(ready.is_some(), "{} was not ready at {url} within {within:?}:\n{}", self.name, self.log_tail());
    }

    /// How it ended; `None` while it runs.
    pub fn exit_status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("the child can be waited for")
    }

    pub fn wait(&mut self, within: Duration) -> Option<ExitStatus> {
        wait_until(within, || self.exit_status())
    }

    /// Sends a signal by its name without `SIG` (`TERM`, `HUP`, `STOP`, `CONT`, `INT`).
    pub fn signal(&self, signal: &str) {
        // The shell's own `kill`: there without a crate for one system call and without the procps package.
        let status = Command::new("sh").arg("-c").arg(format!("kill -{signal} {}", self.pid())).status().expect("sh starts");
        assert!(status.success(), "cannot send {signal} to {}", self.name);
    }

    /// SIGKILL, at once and without a chance to tidy up; returns when the process is gone.
    pub fn kill9(&mut self) {
        self.child.kill().expect("our own child can be killed");
        self.child.wait().expect("our own child can be waited for");
    }

    /// SIGTERM.
    ///
    /// # Panics
    /// When the process is still there after `within`.
    pub fn sigterm_and_wait(&mut self, within: Duration) -> ExitStatus {
        self.signal("TERM");
        self.wait(within).unwrap_or_else(|| panic!("{} ignored SIGTERM for {within:?}:\n{}", self.name, self.log_tail()))
    }

    /// Freezes it: sockets stay open and accept, nobody answers.
    pub fn pause(&self) {
        self.signal("STOP");
    }

    pub fn resume(&self) {
        self.signal("CONT");
    }

    fn log_tail(&self) -> String {
        let all = self.output();
        let lines: Vec<&str> = all.lines().collect();
        lines[lines.len().saturating_sub(LOG_TAIL_LINES)..].join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only when the process is gone already, which is what is wanted. A stopped process dies by SIGKILL too.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn ports_are_free_and_differ() {
    let (a, b) = (free_port(), free_port());
    assert_ne!(a, b);
    TcpListener::bind(("127.0.0.1", a)).expect("the port is free");
}

#[test]
fn a_process_ends_by_term_by_kill_and_with_its_owner() {
    let dir = tempfile::tempdir().unwrap();
    let sleep = || {
        let mut command = Command::new("sleep");
        command.arg("600");
        Process::spawn(command, "coreutils", &dir.path().join("log"))
    };
    let is_there = |pid: u32| Path::new(&format!("/proc/{pid}")).exists();

    assert!(!sleep().sigterm_and_wait(Duration::from_secs(5)).success());
    let mut killed = sleep();
    killed.kill9();
    assert!(killed.exit_status().is_some());
    let paused = sleep();
    let pid = paused.pid();
    paused.pause();
    let state = wait_until(Duration::from_secs(5), || fs::read_to_string(format!("/proc/{pid}/stat")).ok().filter(|s| s.contains(") T ")));
    assert!(state.is_some(), "SIGSTOP did not stop it");
    assert!(is_there(pid));
    drop(paused);
    assert!(!is_there(pid), "it outlived its owner");
}

#[test]
#[should_panic(expected = "before it was ready:\nno such option")]
fn a_process_that_dies_early_shows_its_log() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", "echo no such option >&2; exit 3"]);
    let mut process = Process::spawn(command, "dash", &dir.path().join("log"));
    process.wait_ready(&format!("http://127.0.0.1:{}/", free_port()), READY_WITHIN);
}
