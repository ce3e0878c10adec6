//! A running daemon with its configuration, and what it says of itself.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{PortentProcess, Received, Receiver, Reply, get, post, request, wait_until};

/// A remedy that marks `DONE`, which stands for a path, and is seen to have helped at once.
pub const MAKE_ROOM: &str = "playbooks:\n\
     \x20 - name: make-room\n\
     \x20   about: makes room\n\
     \x20   when: { watches: [disks] }\n\
     \x20   steps: [ { name: clean up, action: command, with: { run: [/usr/bin/touch, DONE] }, timeout: 10s } ]\n\
     \x20   verify: { query: vector(0.5), success: { lt: 0.6 }, within: 1m }\n";

/// The key in `hook.key`, which signs every webhook here.
pub const KEY: &[u8] = b"thirty-two bytes of a test's key";
/// Nothing is told in less; what is still quiet after it stays so unless something changes.
pub const SOON: Duration = Duration::from_secs(40);
/// Time for the first reading and what follows from it, on a machine that runs other tests too.
pub const STARTED: Duration = Duration::from_secs(60);
/// The promise to whoever stops the service.
pub const END_WITHIN: Duration = Duration::from_secs(10);

/// A configuration in the making: one source called `lab`, a tick a second, and a request is given up after two.
#[derive(Clone, Debug, Default)]
pub struct Config {
    pub sources: Vec<(String, String)>,
    pub watches: Vec<String>,
    pub hook: Option<String>,
    pub more: String,
}

impl Config {
    pub fn new(prometheus_url: &str) -> Self {
        Self { sources: vec![("lab".to_owned(), prometheus_url.to_owned())], ..Self::default() }
    }

    /// One watch, in YAML's flow style without the braces.
    #[must_use]
    pub fn watch(mut self, watch: &str) -> Self {
        self.watches.push(watch.to_owned());
        self
    }

    #[must_use]
    pub fn hook(mut self, receiver: &Receiver) -> Self {
        self.hook = Some(receiver.url());
        self
    }

    /// Further lines.
    #[must_use]
    pub fn line(mut self, line: &str) -> Self {
        self.more += line;
        self.more.push('\n');
        self
    }

    pub fn write(&self, dir: &Path) {
        let mut text = "interval: 1s\ndata_dir: data\nsources:\n".to_owned();
        for (name, url) in &self.sources {
            writeln!(text, "  - {{ name: {name}, prometheus: {{ url: '{url}', timeout: 2s }} }}").expect("a string takes everything");
        }
        text += "watches:\n";
        for watch in &self.watches {
            writeln!(text, "  - {{ {watch} }}").expect("a string takes everything");
        }
        if let Some(url) = &self.hook {
            writeln!(text, "notify: [ {{ webhook: {{ name: hook, url: '{url}', allow_private: true, secret_file: hook.key }} }} ]")
                .expect("a string takes everything");
        }
        text += &self.more;
        fs::write(dir.join("portent.yaml"), text).expect("the throwaway folder can be written");
        fs::write(dir.join("hook.key"), format!("whsec_{}\n", BASE64_STANDARD.encode(KEY))).expect("the throwaway folder can be written");
    }
}

/// `portent run`, listening on an address of its own.
pub struct Running {
    pub process: PortentProcess,
    pub url: String,
}

impl Running {
    pub fn start(config: &Config) -> Self {
        let dir = tempfile::tempdir().expect("a throwaway folder");
        config.write(dir.path());
        Self::start_in(dir, &["-c", "portent.yaml"])
    }

    /// `portent run ARGUMENTS` in a folder that is prepared, or was left by an earlier run.
    pub fn start_in(dir: TempDir, arguments: &[&str]) -> Self {
        let (address, url) = PortentProcess::free_address();
        let all: Vec<&str> = ["run", "--listen", &address].into_iter().chain(arguments.iter().copied()).collect();
        let process = PortentProcess::start_in(dir, &all);
        Self { process, url }
    }

    /// One to which a limit of the size of its files is an error, as a full disk is, and not its end.
    pub fn start_outliving_limits(dir: TempDir, arguments: &[&str]) -> Self {
        Self::start_within(&["sh", "-c", "trap '' XFSZ; exec \"$@\"", "sh"], dir, arguments)
    }

    /// One to which the modes of files mean something, whoever runs the tests.
    pub fn start_as_a_plain_user(dir: TempDir, arguments: &[&str]) -> Self {
        Self::start_within(&["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all"], dir, arguments)
    }

    fn start_within(program: &[&str], dir: TempDir, arguments: &[&str]) -> Self {
        let (address, url) = PortentProcess::free_address();
        let all: Vec<&str> = ["run", "--listen", &address].into_iter().chain(arguments.iter().copied()).collect();
        Self { process: PortentProcess::start_within(program, dir, &all), url }
    }

    /// Killed with SIGKILL, and started again on what it left.
    pub fn kill_and_start_again(mut self) -> Self {
        self.process.kill9();
        Self::start_in(self.process.into_dir(), &["-c", "portent.yaml"])
    }

    pub fn wait_ready(&mut self) {
        self.process.wait_ready_within(&self.url, STARTED);
    }

    /// Status and text of `/-/ready`; `None` while nobody listens.
    pub fn readiness(&self) -> Option<Reply> {
        request(reqwest::Method::GET, &format!("{}/-/ready", self.url), &[], Vec::new(), Duration::from_secs(5)).ok()
    }

    /// Waits until it says that it is not ready, and why.
    pub fn wait_not_ready(&self, why: &str, within: Duration) -> String {
        let found = wait_until(within, || self.readiness().filter(|r| r.status == 503 && r.text().contains(why)));
        found.unwrap_or_else(|| panic!("no 503 that names {why:?} within {within:?}, but {:?}\n{}", self.readiness(), self.tail())).text()
    }

    /// Waits until it is ready again without any help.
    pub fn wait_recovered(&self, within: Duration) {
        let ready = wait_until(within, || self.readiness().filter(Reply::is_success));
        assert!(ready.is_some(), "not ready within {within:?}: {:?}\n{}", self.readiness(), self.tail());
    }

    pub fn data(&self, path: &str) -> Value {
        get(&format!("{}{path}", self.url)).json()["data"].take()
    }

    /// What `/api/v1/status` says of one watch.
    pub fn watch(&self, name: &str) -> Value {
        let watches = self.data("/api/v1/status")["watches"].take();
        watches.as_array().into_iter().flatten().find(|w| w["name"] == name).cloned().unwrap_or_default()
    }

    pub fn series(&self, watch: &str) -> u64 {
        self.watch(watch)["series"].as_u64().unwrap_or(0)
    }

    /// A metric without labels, or with them written out.
    pub fn metric(&self, name: &str) -> f64 {
        let text = get(&format!("{}/metrics", self.url)).text();
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.and_then(|v| v.parse().ok()).unwrap_or_else(|| panic!("no {name} in\n{text}"))
    }

    pub fn reload(&self) -> Reply {
        post(&format!("{}/-/reload", self.url), "text/plain", "")
    }

    pub fn resident_bytes(&self) -> u64 {
        self.data("/api/v1/status")["resident_memory_bytes"].as_u64().expect("Linux says how much memory a process has")
    }

    /// The first webhook that comes.
    pub fn first_event(&self, receiver: &Receiver) -> Received {
        let first = wait_until(STARTED, || receiver.received().into_iter().next());
        first.unwrap_or_else(|| panic!("nothing was told: {:#}\n{}", self.data("/api/v1/series"), self.tail()))
    }

    /// Folder of the state.
    pub fn data_dir(&self) -> PathBuf {
        self.process.dir().join("data")
    }

    pub fn tail(&self) -> String {
        let log = self.process.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(25)..].join("\n")
    }
}

/// Raised events among what a receiver got.
pub fn raised(receiver: &Receiver) -> Vec<Received> {
    receiver.received().into_iter().filter(|event| event.json()["type"] == "dev.portent.prediction.raised").collect()
}
