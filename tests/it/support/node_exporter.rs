//! A real `node_exporter`, with a folder for metrics that a test makes up.

use std::fs;
use std::process::Command;

use tempfile::TempDir;

use super::process::{Process, READY_WITHIN, free_port};

#[derive(Debug)]
pub struct NodeExporter {
    dir: TempDir,
    port: u16,
    process: Process,
}

impl NodeExporter {
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// With further arguments, such as `--collector.disable-defaults`.
    pub fn start_with(arguments: &[&str]) -> Self {
        let dir = tempfile::tempdir().expect("a throwaway folder");
        let port = free_port();
        let mut command = Command::new("prometheus-node-exporter");
        command
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg(format!("--collector.textfile.directory={}", dir.path().display()))
            .args(arguments);
        let mut process = Process::spawn(command, "Debian's package prometheus-node-exporter", &dir.path().join("log"));
        process.wait_ready(&format!("http://127.0.0.1:{port}/metrics"), READY_WITHIN);
        Self { dir, port, process }
    }

    /// Shows these metrics (Prometheus text) from the next scrape on, in place of what it showed before.
    pub fn show(&self, text: &str) {
        // Written beside and moved: a scrape in between sees the old file or the new one.
        let (new, shown) = (self.dir.path().join("made-up.new"), self.dir.path().join("made-up.prom"));
        fs::write(&new, text).expect("the throwaway folder can be written");
        fs::rename(&new, &shown).expect("a file can be moved in its folder");
    }

    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub fn url(&self) -> String {
        format!("http://{}/metrics", self.address())
    }

    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }
}

#[test]
fn it_shows_the_machine_and_what_a_test_makes_up() {
    let node = NodeExporter::start();
    node.show("made_up_ratio{host=\"a\"} 0.25\n");
    let text = super::http::get(&node.url()).text();
    assert!(text.contains("\nnode_filesystem_avail_bytes{"), "no filesystem among the metrics");
    assert!(text.contains("\nmade_up_ratio{host=\"a\"} 0.25\n"), "the made-up metric is not shown");
}
