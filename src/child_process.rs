//! For tests: another process that runs one ignored test of this binary and is killed, or meets a full disk.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Names the folder to work in; only set in the child.
const FOLDER: &str = "PORTENT_TEST_CHILD_FOLDER";

/// Begins every line that the child acknowledges something with.
const ACKNOWLEDGED: &str = "acknowledged ";

/// The folder, if this process is such a child.
pub fn folder() -> Option<PathBuf> {
    std::env::var_os(FOLDER).map(PathBuf::from)
}

pub fn acknowledge(what: impl std::fmt::Display) {
    println!("{ACKNOWLEDGED}{what}");
}

/// The test `name` of this binary in a process that ignores SIGXFSZ, so that a file size limit is an error and not its end.
fn command(name: &str, dir: &Path) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]).arg(std::env::current_exe().unwrap());
    command.args(["--exact", name, "--ignored", "--nocapture", "--test-threads=1"]);
    command.env(FOLDER, dir).stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

/// Runs it, kills it (SIGKILL) some time after its `count`-th acknowledgement, and returns all that it acknowledged.
pub fn kill_after(name: &str, dir: &Path, count: usize, then: Duration) -> Vec<String> {
    let mut child = command(name, dir).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut said: Vec<String> = lines.by_ref().filter_map(|line| acknowledgement(&line)).take(count).collect();
    assert_eq!(said.len(), count, "the child ended by itself after {said:?}");
    std::thread::sleep(then);
    child.kill().unwrap();
    child.wait().unwrap();
    said.extend(lines.filter_map(|line| acknowledgement(&line)));
    said
}

/// Runs it to its end, which must be a success, and returns all that it acknowledged.
pub fn run(name: &str, dir: &Path) -> Vec<String> {
    let output = command(name, dir).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    text.lines().filter_map(acknowledgement).collect()
}

/// The test harness writes on the same line, so the mark need not stand at its beginning.
fn acknowledgement(line: &str) -> Option<String> {
    line.split_once(ACKNOWLEDGED).map(|(_, what)| what.to_owned())
}
