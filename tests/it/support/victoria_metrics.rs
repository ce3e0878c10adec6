//! A real VictoriaMetrics: the second server that speaks Prometheus' query API.

use std::process::Command;

use serde_json::{Map, Value, json};
use tempfile::TempDir;

use super::http;
use super::process::{Process, READY_WITHIN, free_port};

#[derive(Debug)]
pub struct VictoriaMetrics {
    _dir: TempDir,
    port: u16,
    process: Process,
}

impl VictoriaMetrics {
    pub fn start() -> Self {
        let dir = tempfile::tempdir().expect("a throwaway folder");
        let port = free_port();
        let mut command = Command::new("victoria-metrics");
        command
            .arg(format!("-storageDataPath={}", dir.path().join("data").display()))
            .arg(format!("-httpListenAddr=127.0.0.1:{port}"))
            // Keeps everything a test may write; answers include samples of the last seconds; no request leaves the machine.
            .args(["-retentionPeriod=12", "-search.latencyOffset=0s", "-loggerLevel=WARN"]);
        let mut process = Process::spawn(command, "Debian's package victoria-metrics", &dir.path().join("log"));
        process.wait_ready(&format!("http://127.0.0.1:{port}/health"), READY_WITHIN);
        Self { _dir: dir, port, process }
    }

    /// Adds one series with `(time_ms, value)` points and makes it visible to queries.
    ///
    /// # Panics
    /// When the server refuses it.
    pub fn import(&self, metric: &str, labels: &[(&str, &str)], points: &[(i64, f64)]) {
        let mut names: Map<String, Value> = labels.iter().map(|(n, v)| ((*n).to_owned(), json!(v))).collect();
        names.insert("__name__".to_owned(), json!(metric));
        let (times, values): (Vec<i64>, Vec<f64>) = points.iter().copied().unzip();
        let line = json!({ "metric": names, "timestamps": times, "values": values }).to_string();
        let reply = http::post(&format!("{}/api/v1/import", self.url()), "application/json", line);
        assert!(reply.is_success(), "import: {} {}", reply.status, reply.text());
        assert!(http::get(&format!("{}/internal/force_flush", self.url())).is_success());
    }

    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }
}

#[test]
fn it_answers_range_queries_about_what_was_imported() {
    use std::time::{SystemTime, UNIX_EPOCH};
    let victoria = VictoriaMetrics::start();
    let now_s = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap() / 60 * 60;
    let points: Vec<(i64, f64)> = (0..10).map(|i| ((now_s - 600 + i * 60) * 1000, i as f64)).collect();
    victoria.import("disk_used_ratio", &[("host", "a")], &points);
    let form = format!("query=disk_used_ratio&start={}&end={}&step=60", now_s - 600, now_s - 60);
    let answer = http::post(&format!("{}/api/v1/query_range", victoria.url()), "application/x-www-form-urlencoded", form).json();
    let values = answer["data"]["result"][0]["values"].as_array().unwrap_or_else(|| panic!("{answer}"));
    assert_eq!(values.len(), 10, "{answer}");
    assert_eq!(values[9], json!([now_s - 60, "9"]));
}
