//! The program itself, as a user starts it.

use std::path::Path;
use std::process::{Command, ExitStatus, Output};
use std::time::Duration;

use tempfile::TempDir;

use super::http;
use super::process::{Process, READY_WITHIN, free_port};

/// A running `portent`, in a throwaway folder that is its working directory.
#[derive(Debug)]
pub struct PortentProcess {
    dir: TempDir,
    process: Process,
}

impl PortentProcess {
    /// The program under test with a clean environment: nothing of the developer's configuration, zone or proxy reaches it.
    pub fn command(arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_portent"));
        command.env_clear().env("RUST_BACKTRACE", "1").args(arguments);
        command
    }

    /// Runs a verb to its end.
    ///
    /// # Panics
    /// When the program cannot be started.
    pub fn output(arguments: &[&str], dir: &Path) -> Output {
        Self::command(arguments).current_dir(dir).output().expect("the program under test starts")
    }

    /// Starts a long-running verb in a new throwaway folder.
    pub fn start(arguments: &[&str]) -> Self {
        Self::start_in(tempfile::tempdir().expect("a throwaway folder"), arguments)
    }

    /// In a folder that a test has prepared, or got back from [`into_dir`](Self::into_dir) after a kill.
    pub fn start_in(dir: TempDir, arguments: &[&str]) -> Self {
        let mut command = Self::command(arguments);
        command.current_dir(dir.path());
        let process = Process::spawn(command, "cargo build", &dir.path().join("portent.log"));
        Self { dir, process }
    }

    /// Started by another program, which becomes it.
    pub fn start_within(program: &[&str], dir: TempDir, arguments: &[&str]) -> Self {
        let mut command = Command::new(program[0]);
        command.env_clear().env("RUST_BACKTRACE", "1").args(&program[1..]).arg(env!("CARGO_BIN_EXE_portent")).args(arguments);
        command.current_dir(dir.path());
        let process = Process::spawn(command, "util-linux", &dir.path().join("portent.log"));
        Self { dir, process }
    }

    /// An address to hand to `--listen` or to the configuration, with its URL.
    pub fn free_address() -> (String, String) {
        let address = format!("127.0.0.1:{}", free_port());
        let url = format!("http://{address}");
        (address, url)
    }

    /// Waits until `GET {url}/-/ready` is a 2xx.
    pub fn wait_ready(&mut self, url: &str) {
        self.wait_ready_within(url, READY_WITHIN);
    }

    pub fn wait_ready_within(&mut self, url: &str, within: Duration) {
        self.process.wait_ready(&format!("{url}/-/ready"), within);
    }

    /// What it says about itself at `GET {url}{path}`.
    pub fn json(url: &str, path: &str) -> serde_json::Value {
        http::get(&format!("{url}{path}")).json()
    }

    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// All of its log so far; a restart in the same folder appends.
    pub fn log(&self) -> String {
        self.process.output()
    }

    pub fn kill9(&mut self) {
        self.process.kill9();
    }

    pub fn sigterm_and_wait(&mut self, within: Duration) -> ExitStatus {
        self.process.sigterm_and_wait(within)
    }

    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Ends it (by SIGKILL if it still runs) and hands its folder back, to start again on the same state.
    pub fn into_dir(self) -> TempDir {
        let Self { dir, process } = self;
        drop(process);
        dir
    }
}

#[test]
fn it_starts_and_ends_well() {
    let dir = tempfile::tempdir().unwrap();
    let output = PortentProcess::output(&["--version"], dir.path());
    assert!(output.status.success(), "{output:?}");

    let mut portent = PortentProcess::start(&["--version"]);
    let status = portent.process().wait(Duration::from_secs(10)).expect("--version ends");
    assert!(status.success(), "{status}: {}", portent.log());
    assert_eq!(portent.log().into_bytes(), output.stdout, "the log is what it says");
    let dir = portent.into_dir();
    assert!(dir.path().join("portent.log").exists());
}
