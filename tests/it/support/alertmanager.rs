//! A real Alertmanager.

use std::fs;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use super::http;
use super::process::{Process, READY_WITHIN, free_port};

#[derive(Debug)]
pub struct Alertmanager {
    _dir: TempDir,
    port: u16,
    process: Process,
}

impl Alertmanager {
    /// One that keeps alerts and tells nobody.
    pub fn start() -> Self {
        Self::start_with("route: { receiver: nobody }\nreceivers: [ { name: nobody } ]\n")
    }

    /// One that posts every alert to `url`, at once.
    pub fn start_posting_to(url: &str) -> Self {
        Self::start_with(&format!(
            "route: {{ receiver: hook, group_by: ['...'], group_wait: 0s, group_interval: 1s }}\n\
             receivers: [ {{ name: hook, webhook_configs: [ {{ url: '{url}' }} ] }} ]\n"
        ))
    }

    fn start_with(config: &str) -> Self {
        let dir = tempfile::tempdir().expect("a throwaway folder");
        let port = free_port();
        let file = dir.path().join("alertmanager.yml");
        fs::write(&file, config).expect("the throwaway folder can be written");
        let mut command = Command::new("prometheus-alertmanager");
        command
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.path={}", dir.path().join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            // Empty turns the gossip port off.
            .arg("--cluster.listen-address=");
        let mut process = Process::spawn(command, "Debian's package prometheus-alertmanager", &dir.path().join("log"));
        process.wait_ready(&format!("http://127.0.0.1:{port}/-/ready"), READY_WITHIN);
        Self { _dir: dir, port, process }
    }

    /// The alerts it holds now (API v2).
    pub fn alerts(&self) -> Vec<Value> {
        http::get(&format!("{}/api/v2/alerts", self.url())).json().as_array().cloned().unwrap_or_default()
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }
}

#[test]
fn it_keeps_an_alert_and_posts_it_on() {
    let receiver = super::Receiver::start();
    let alertmanager = Alertmanager::start_posting_to(&receiver.url());
    let alert = serde_json::json!([{ "labels": { "alertname": "DiskFills", "host": "a" } }]);
    let reply = http::post(&format!("{}/api/v2/alerts", alertmanager.url()), "application/json", alert.to_string());
    assert!(reply.is_success(), "{}", reply.text());
    assert_eq!(alertmanager.alerts()[0]["labels"]["host"], "a");
    let posted = receiver.wait_for(1, READY_WITHIN);
    assert_eq!(posted[0].json()["alerts"][0]["labels"]["alertname"], "DiskFills");
}
