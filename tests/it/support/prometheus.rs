//! A real Prometheus with an optional past and optional targets.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use super::http;
use super::process::{Process, READY_WITHIN, free_port};

const PACKAGE: &str = "Debian's package prometheus";

/// Longer than any test's history. With the default of 15 days blocks stay, but a server that believes them old may drop them at start.
const RETENTION: &str = "60d";

/// Without it `promtool` cuts two-hour blocks and reads the text once for each: 96 passes over eight days.
const BLOCK_DURATION: &str = "486h";

/// Prometheus before or after its start. Stopped and started again it keeps its port and its data.
#[derive(Debug)]
pub struct Prometheus {
    dir: TempDir,
    port: u16,
    jobs: Vec<(String, String)>,
    scrape_interval: String,
    arguments: Vec<String>,
    process: Option<Process>,
}

impl Prometheus {
    pub fn new() -> Self {
        Self {
            dir: tempfile::tempdir().expect("a throwaway folder"),
            port: free_port(),
            jobs: Vec::new(),
            scrape_interval: "1s".to_owned(),
            arguments: Vec::new(),
            process: None,
        }
    }

    /// Gives it a past from OpenMetrics text. The head block covers the last two hours at the start, so blocks come first.
    ///
    /// # Panics
    /// When it runs already, and when `promtool` refuses the text; the message holds its reason.
    #[must_use]
    pub fn backfill(self, open_metrics: &Path) -> Self {
        assert!(self.process.is_none(), "blocks are made before the server starts");
        let maximum = format!("--max-block-duration={BLOCK_DURATION}");
        let made = Command::new("promtool")
            .args(["tsdb", "create-blocks-from", "openmetrics", &maximum])
            .args([open_metrics, &self.data_dir()])
            .output()
            .unwrap_or_else(|error| panic!("cannot start promtool: {error}\nhint: it comes with {PACKAGE}"));
        assert!(made.status.success(), "promtool: {}{}", String::from_utf8_lossy(&made.stdout), String::from_utf8_lossy(&made.stderr));
        self
    }

    /// Scrapes `address` (`host:port`) as `job`.
    #[must_use]
    pub fn scrape(mut self, job: &str, address: &str) -> Self {
        self.jobs.push((job.to_owned(), address.to_owned()));
        self
    }

    #[must_use]
    pub fn scrape_itself(self) -> Self {
        let address = self.address();
        self.scrape("prometheus", &address)
    }

    /// One second unless set.
    #[must_use]
    pub fn scrape_interval(mut self, interval: &str) -> Self {
        interval.clone_into(&mut self.scrape_interval);
        self
    }

    /// A further command-line argument, such as `--query.max-samples=1000` or `--web.config.file=...`.
    #[must_use]
    pub fn argument(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Starts it and waits until it is ready.
    #[must_use]
    pub fn start(mut self) -> Self {
        self.start_again();
        self
    }

    /// After [`stop`](Self::stop) or [`kill9`](Self::kill9): the same port, the same data.
    pub fn start_again(&mut self) {
        assert!(self.process.is_none(), "it runs already");
        let config = self.dir.path().join("prometheus.yml");
        fs::write(&config, self.config()).expect("the throwaway folder can be written");
        let mut command = Command::new("prometheus");
        command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", self.data_dir().display()))
            .arg(format!("--storage.tsdb.retention.time={RETENTION}"))
            .arg(format!("--web.listen-address={}", self.address()))
            .args(["--web.enable-remote-write-receiver", "--web.enable-lifecycle", "--web.enable-admin-api"])
            .args(&self.arguments);
        let mut process = Process::spawn(command, PACKAGE, &self.dir.path().join("log"));
        process.wait_ready(&format!("{}/-/ready", self.url()), READY_WITHIN);
        self.process = Some(process);
    }

    /// SIGTERM, and waits: data is flushed, the port is closed.
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.sigterm_and_wait(READY_WITHIN);
        }
    }

    pub fn kill9(&mut self) {
        self.running().kill9();
        self.process = None;
    }

    /// Freezes it: connections are accepted and never answered.
    pub fn pause(&mut self) {
        self.running().pause();
    }

    pub fn resume(&mut self) {
        self.running().resume();
    }

    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The `result` of an instant query, at `time_s` or now.
    ///
    /// # Panics
    /// When the server refuses the query; the message holds its reason.
    pub fn query(&self, promql: &str, time_s: Option<f64>) -> Vec<Value> {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("query", promql);
        if let Some(time_s) = time_s {
            form.append_pair("time", &time_s.to_string());
        }
        let url = format!("{}/api/v1/query", self.url());
        let answer = http::post(&url, "application/x-www-form-urlencoded", form.finish()).json();
        assert_eq!(answer["status"], "success", "{promql}: {answer}");
        answer["data"]["result"].as_array().cloned().unwrap_or_default()
    }

    fn running(&mut self) -> &mut Process {
        self.process.as_mut().expect("it runs")
    }

    fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn config(&self) -> String {
        let mut text = format!("global: {{ scrape_interval: {} }}\nscrape_configs:\n", self.scrape_interval);
        for (job, address) in &self.jobs {
            writeln!(text, "  - {{ job_name: {job}, static_configs: [ {{ targets: ['{address}'] }} ] }}")
                .expect("a string takes everything");
        }
        if self.jobs.is_empty() { text.replace("scrape_configs:\n", "") } else { text }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime, UNIX_EPOCH};

    use super::*;
    use crate::support::{NodeExporter, OpenMetricsWriter, wait_until};

    #[test]
    fn it_has_the_past_it_was_given_and_keeps_it_over_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let now_s = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap();
        let start_s = now_s - 8 * 86_400;
        let mut writer = OpenMetricsWriter::create(dir.path().join("om"));
        for host in ["a", "b"] {
            writer.gauge("disk_used_ratio", &[("host", host)], (start_s * 1000, 60_000, 8 * 1_440), |t| {
                Some((t / 1000 - start_s) as f64 / 60.0)
            });
        }
        let mut prometheus = Prometheus::new().backfill(&writer.finish()).start();
        for _ in 0..2 {
            let count = prometheus.query("count_over_time(disk_used_ratio[9d])", None);
            assert_eq!(count.len(), 2, "{count:?}");
            assert_eq!(count[0]["value"][1], "11520");
            let exact = prometheus.query("disk_used_ratio{host=\"a\"}", Some((start_s + 3 * 86_400) as f64));
            assert_eq!(exact[0]["value"][1], "4320");
            prometheus.stop();
            assert!(http::try_get(&prometheus.url(), Duration::from_secs(1)).is_err(), "it still answers");
            prometheus.start_again();
        }
    }

    #[test]
    fn it_scrapes_itself_and_others_and_a_paused_one_is_silent() {
        let node = NodeExporter::start();
        let mut prometheus = Prometheus::new().scrape_itself().scrape("node", &node.address()).start();
        let up = wait_until(READY_WITHIN, || Some(prometheus.query("up == 1", None)).filter(|up| up.len() == 2));
        assert!(up.is_some(), "{:?}", prometheus.query("up", None));
        prometheus.pause();
        assert!(http::try_get(&format!("{}/-/ready", prometheus.url()), Duration::from_millis(500)).is_err(), "a frozen server answered");
        prometheus.resume();
        assert!(http::get(&format!("{}/-/ready", prometheus.url())).is_success());
    }

    #[test]
    #[should_panic(expected = "promtool: ")]
    fn text_that_is_not_open_metrics_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("om"), "no_end 1 1\n").unwrap();
        let _ = Prometheus::new().backfill(&dir.path().join("om"));
    }
}
