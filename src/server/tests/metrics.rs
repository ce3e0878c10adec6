//! `/metrics`, read by those it is for.

use std::process::{Child, Command, Stdio};

use super::double::busy;
use super::*;

#[tokio::test]
async fn the_format_is_the_one_asked_for() {
    let server = start(busy(), Settings::default()).await;
    let (_, headers, body) = server.get("/metrics").await;
    assert_eq!(headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    assert!(body.contains("# TYPE portent_ticks_total counter"));
    let request = server.http.get(server.url("/metrics")).header("accept", "application/openmetrics-text;version=1.0.0,*/*;q=0.1");
    let (_, headers, body) = answer(request).await;
    assert!(headers["content-type"].to_str().unwrap().starts_with("application/openmetrics-text"));
    assert!(body.ends_with("# EOF\n"));
    assert!(body.contains("portent_http_requests_total{class=\"2xx\"} 1"), "{body}");
}

/// A real Prometheus on a free port, ended when dropped.
struct Prometheus {
    child: Child,
    url: String,
    _folder: tempfile::TempDir,
}

impl Prometheus {
    fn scraping(target: SocketAddr) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("prometheus.yml");
        let yaml = format!(
            "global: {{scrape_interval: 1s}}\nscrape_configs:\n- job_name: portent\n  static_configs: [{{targets: [\"{target}\"]}}]\n"
        );
        std::fs::write(&config, yaml).unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("tsdb").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("Prometheus is needed for this test: apt-get install prometheus");
        Self { child, url: format!("http://127.0.0.1:{port}"), _folder: folder }
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_prometheus_scrapes_us() {
    let server = start(busy(), Settings::default()).await;
    server.metrics.ticks.inc_by(7);
    let prometheus = Prometheus::scraping(server.address);
    let query = async |promql: &str| -> Option<serde_json::Value> {
        let url = url::Url::parse_with_params(&format!("{}/api/v1/query", prometheus.url), [("query", promql)]).unwrap();
        let body = server.http.get(url).send().await.ok()?.text().await.ok()?;
        let answer: serde_json::Value = serde_json::from_str(&body).ok()?;
        answer["data"]["result"].get(0).cloned()
    };
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    let ticks = loop {
        if let Some(ticks) = query("portent_ticks_total").await {
            break ticks;
        }
        assert!(tokio::time::Instant::now() < deadline, "not scraped within a minute");
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    assert_eq!(ticks["value"][1], "7");
    assert_eq!(query("up").await.unwrap()["value"][1], "1", "the scrape failed");
    let counted = query("count(process_resident_memory_bytes > 1e6)").await.unwrap();
    assert_eq!(counted["value"][1], "1");
    let metadata = server.http.get(format!("{}/api/v1/targets/metadata?metric=portent_build", prometheus.url)).send().await.unwrap();
    let metadata = metadata.text().await.unwrap();
    assert!(metadata.contains("\"type\":\"info\""), "not read as OpenMetrics: {metadata}");
}
