//! The source against real servers: Prometheus and VictoriaMetrics, started here on free loopback ports with throwaway folders.

use std::fmt::Write as _;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures_util::StreamExt;
use portent::core::frame::Grid;
use portent::core::labels::Labels;
use portent::core::time::{Span, Timestamp};
use portent::source::prometheus::{
    Cause, MetricKind, PrometheusClient, PrometheusSettings, RangeAnswer, RangeAsk, RemoteRead, Unfit, plan,
};

/// A server of this test; ends with it.
struct Server {
    child: Child,
    url: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts `program`; `args` gets the address to listen on.
fn start(program: &str, args: impl Fn(&str) -> Vec<String>) -> Server {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("127.0.0.1:{port}");
    let child = Command::new(program)
        .args(args(&address))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|e| panic!("{program} can't be started ({e}): install Debian's package `{program}`"));
    Server { child, url: format!("http://{address}/") }
}

fn client(server: &Server) -> PrometheusClient {
    PrometheusClient::new(PrometheusSettings::new(server.url.parse().unwrap())).unwrap()
}

/// Waits until the server answers queries.
async fn ready(server: &Server) {
    let client = client(server);
    let patience = Instant::now() + Duration::from_secs(30);
    while let Err(error) = client.instant("vector(1)", now(), None).await {
        assert!(Instant::now() < patience, "{error}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn now() -> Timestamp {
    let ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    Timestamp::from_millis(i64::try_from(ms).unwrap())
}

const SERIES: usize = 20;

/// Eight days at one minute: more than one answer may hold.
fn eight_days() -> Grid {
    let end = (now() - Span::HOUR).floor(Span::HOUR);
    Grid { start: end - Span::DAY.times(8), step: Span::MINUTE, len: 8 * 1440 + 1 }
}

/// A value with all its digits, so that a lost bit shows; None where a scrape is missing.
fn value(series: usize, minute: usize) -> Option<f64> {
    // Gaps are longer than the lookback of five minutes, so the server shows them.
    let gap = minute % 3000 > 2900 && series.is_multiple_of(3);
    (!gap).then(|| (minute as f64 * 0.01 + series as f64).sin() * 1e3 / 7.0)
}

fn labels(series: usize) -> Labels {
    let mount = format!("/data \"{series}\" \\ é");
    Labels::from_pairs([("__name__", "disk_used"), ("host", &format!("h{series}")), ("mount", &mount)]).unwrap()
}

fn promtool_blocks(grid: Grid, dir: &Path) {
    let mut text = String::from("# TYPE disk_used gauge\n");
    for series in 0..SERIES {
        let labels = labels(series);
        let mount = labels.get("mount").unwrap().replace('\\', "\\\\").replace('"', "\\\"");
        for minute in 0..grid.len {
            if let Some(value) = value(series, minute) {
                let at = grid.at(minute).as_millis() / 1000;
                writeln!(text, "disk_used{{host=\"h{series}\",mount=\"{mount}\"}} {value} {at}").unwrap();
            }
        }
    }
    text.push_str("# EOF\n");
    let file = dir.join("samples.txt");
    std::fs::write(&file, text).unwrap();
    let done = Command::new("promtool")
        .args(["tsdb", "create-blocks-from", "openmetrics", "--max-block-duration=486h"])
        .args([&file, &dir.join("data")])
        .output()
        .unwrap_or_else(|e| panic!("promtool can't be started ({e}): install Debian's package `prometheus`"));
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

fn prometheus(dir: &Path, config: &str, flags: &[&str]) -> Server {
    std::fs::write(dir.join("prometheus.yml"), config).unwrap();
    start("prometheus", |address| {
        let mut args = vec![
            format!("--config.file={}", dir.join("prometheus.yml").display()),
            format!("--storage.tsdb.path={}", dir.join("data").display()),
            format!("--web.listen-address={address}"),
            "--storage.tsdb.retention.time=30d".to_owned(),
        ];
        args.extend(flags.iter().map(|f| (*f).to_owned()));
        args
    })
}

/// Every value of the answer against what was written, bit for bit. With a lookback a gap fills for five minutes.
fn compare(frame: &portent::core::frame::Frame, lookback_min: usize) {
    assert_eq!(frame.rows(), SERIES);
    for series in 0..SERIES {
        let want_labels = labels(series);
        let row = frame.labels().iter().position(|l| *l == want_labels).unwrap_or_else(|| panic!("{want_labels} is missing"));
        let got = frame.row(row);
        for (minute, value_got) in got.iter().enumerate() {
            let want = (0..=lookback_min.min(minute)).find_map(|back| value(series, minute - back));
            assert_eq!((!value_got.is_nan()).then_some(value_got.to_bits()), want.map(f64::to_bits), "series {series}, minute {minute}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_days_come_back_from_prometheus_as_they_were_written() {
    let (dir, grid) = (tempfile::tempdir().unwrap(), eight_days());
    promtool_blocks(grid, dir.path());
    // A lookback below the step: what was written at a minute stands at that minute only.
    let server = prometheus(dir.path(), "global: {}\n", &["--query.lookback-delta=59s"]);
    ready(&server).await;
    let client = client(&server);

    let ask = RangeAsk { query: "disk_used", grid, watch: Some("disk"), rows_hint: None };
    let answer = client.query_range(&ask).await.unwrap();
    assert_eq!(answer.frame.grid(), grid);
    compare(&answer.frame, 0);
    let written = (0..SERIES).flat_map(|s| (0..grid.len).filter_map(move |m| value(s, m))).count();
    assert_eq!(answer.frame.present(), written);
    assert_eq!((answer.stats.placed, answer.stats.samples, answer.stats.off_grid), (written as u64, written as u64, 0));
    assert!(!answer.remarks.partial);

    // The server refuses the same in one piece; we cut it before it can.
    let mut one_piece = PrometheusSettings::new(server.url.parse().unwrap());
    one_piece.limits.max_points = usize::MAX;
    one_piece.limits.max_body_bytes = 1 << 30;
    let unsplit = PrometheusClient::new(one_piece).unwrap();
    let halved = unsplit.query_range(&RangeAsk { rows_hint: Some(1), ..ask.clone() }).await.unwrap();
    assert_eq!(halved.frame.present(), written, "11,521 points are refused and halved");

    // What is new after the first read: the cursor's overlap and what follows, the same values.
    let cursor = grid.at(grid.len - 10);
    let new = plan::to_read(Some(cursor), grid.last() + Span::from_secs(20), Span::MINUTE, Span::WEEK).unwrap();
    assert_eq!((new.start, new.last()), (cursor - Span::MINUTE.times(5), grid.last()));
    let cycle = client.query_range(&RangeAsk { grid: new, rows_hint: Some(SERIES), ..ask.clone() }).await.unwrap();
    let offset = grid.len - new.len;
    for row in 0..SERIES {
        let host = cycle.frame.labels()[row].clone();
        let whole = answer.frame.labels().iter().position(|l| *l == host).unwrap();
        assert_eq!(cycle.frame.row(row), &answer.frame.row(whole)[offset..]);
    }

    let instant = client.instant("disk_used{host=\"h1\"}", grid.at(7), Some("disk")).await.unwrap();
    assert_eq!((instant.samples.len(), instant.samples[0].value), (1, value(1, 7)));
    assert_eq!(instant.samples[0].labels, labels(1));
    let scalar = client.instant("scalar(vector(0.9))", grid.last(), None).await.unwrap();
    assert_eq!((scalar.samples[0].labels.is_empty(), scalar.samples[0].value), (true, Some(0.9)));
    let nothing = client.instant("1/0 * vector(1)", grid.last(), None).await.unwrap();
    assert_eq!((nothing.samples[0].value, nothing.stats.infinite), (None, 1));

    let error = client.query_range(&RangeAsk { query: "disk_used{", ..ask }).await.unwrap_err();
    assert!(matches!(error.cause, Cause::Status { code: 400, .. }), "{error}");
    assert!(error.to_string().starts_with("cannot read range for watch \"disk\" from http://127.0.0.1:"), "{error}");
    let error = client.instant("disk_used[5m]", grid.last(), None).await.unwrap_err();
    assert!(error.to_string().contains("result type is \"matrix\", want vector or scalar"), "{error}");
}

async fn by_remote_read(client: &PrometheusClient, ask: &RangeAsk<'_>) -> Vec<RangeAnswer> {
    let remote = RemoteRead::open(client, ask.query).await.unwrap();
    client.remote_windows(ask, &remote).map(Result::unwrap).collect().await
}

/// One window after the other, as range queries answer it: the same series and the same bits, whatever the step.
async fn same_both_ways(client: &PrometheusClient, ask: &RangeAsk<'_>) {
    let windows = by_remote_read(client, ask).await;
    assert!(windows.len() > 1, "the whole range in one window");
    let mut next = 0;
    for answer in windows {
        let grid = answer.frame.grid();
        assert_eq!(grid.start, ask.grid.at(next));
        next += grid.len;
        let want = client.query_range(&RangeAsk { grid, ..ask.clone() }).await.unwrap().frame;
        assert_eq!(answer.frame.rows(), want.rows(), "{} at {}", ask.query, grid.start);
        for (row, labels) in want.labels().iter().enumerate() {
            let found = answer.frame.labels().iter().position(|l| l == labels).unwrap_or_else(|| panic!("{labels} is missing"));
            let bits = |values: &[f64]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(answer.frame.row(found)), bits(want.row(row)), "{labels} from {}", grid.start);
        }
    }
    assert_eq!(next, ask.grid.len);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn remote_read_shows_what_range_queries_show() {
    let (dir, grid) = (tempfile::tempdir().unwrap(), eight_days());
    promtool_blocks(grid, dir.path());
    // The usual lookback fills gaps; external labels are the server's, not the series'.
    let server = prometheus(dir.path(), "global: {external_labels: {region: eu}}\n", &[]);
    ready(&server).await;
    let client = client(&server);
    let ask = RangeAsk { query: "disk_used", grid, watch: None, rows_hint: None };
    same_both_ways(&client, &ask).await;
    let odd = Grid { start: grid.start + Span::from_secs(17), step: Span::from_secs(97), len: 7_000 };
    same_both_ways(&client, &RangeAsk { query: r#"disk_used{host=~"h1.*",mount!="x"}"#, grid: odd, ..ask.clone() }).await;
    let samples: u64 = by_remote_read(&client, &ask).await.iter().map(|answer| answer.stats.samples).sum();
    let written = (0..SERIES).flat_map(|s| (0..grid.len).filter_map(move |m| value(s, m))).count() as u64;
    assert!(samples >= written && samples < written + written / 50, "{samples} were read of {written} written");

    for query in ["rate(disk_used[5m])", "1 - disk_used", "disk_used offset 1h"] {
        assert_eq!(RemoteRead::open(&client, query).await.unwrap_err(), Unfit::Query);
    }
    let nothing = RangeAsk { query: "no_such_metric", ..ask };
    assert!(by_remote_read(&client, &nothing).await.iter().all(|answer| answer.frame.rows() == 0));

    drop(server);
    let shared = prometheus(dir.path(), "global: {external_labels: {host: h3}}\n", &[]);
    ready(&shared).await;
    assert_eq!(RemoteRead::open(&self::client(&shared), "disk_used").await.unwrap_err(), Unfit::Label("host".into()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prometheus_own_sample_limit_halves_the_window() {
    let (dir, grid) = (tempfile::tempdir().unwrap(), eight_days());
    promtool_blocks(grid, dir.path());
    let server = prometheus(dir.path(), "global: {}\n", &["--query.lookback-delta=59s", "--query.max-samples=50000"]);
    ready(&server).await;
    let ask = RangeAsk { query: "disk_used", grid, watch: Some("disk"), rows_hint: Some(SERIES) };
    let answer = client(&server).query_range(&ask).await.unwrap();
    compare(&answer.frame, 0);
    // A query that is too much even for one point fails with the server's words.
    let heavy = RangeAsk { query: "sum_over_time(disk_used[8d:5s])", ..ask };
    let error = client(&server).query_range(&heavy).await.map(|a| a.stats).unwrap_err();
    assert!(matches!(error.cause, Cause::Status { code: 422, .. }) && error.to_string().contains("too many samples"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prometheus_tells_its_metadata_and_version() {
    let dir = tempfile::tempdir().unwrap();
    let config = "global: {scrape_interval: 1s}\nscrape_configs: [{job_name: self, static_configs: [{targets: [\"ADDRESS\"]}]}]\n";
    // The address is known only when the server starts, so it scrapes itself from the second start on.
    let first = prometheus(dir.path(), "global: {}\n", &["--web.enable-lifecycle"]);
    ready(&first).await;
    let address = first.url.trim_start_matches("http://").trim_end_matches('/').to_owned();
    std::fs::write(dir.path().join("prometheus.yml"), config.replace("ADDRESS", &address)).unwrap();
    assert!(Command::new("kill").args(["-HUP", &first.child.id().to_string()]).status().unwrap().success());
    let client = client(&first);
    let patience = Instant::now() + Duration::from_secs(30);
    let kinds = loop {
        let kinds = client.metadata(None).await.unwrap();
        if !kinds.is_empty() {
            break kinds;
        }
        assert!(Instant::now() < patience, "no metadata after 30 s");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert_eq!(kinds["prometheus_tsdb_head_series"], MetricKind::Gauge);
    assert_eq!(kinds["prometheus_http_requests_total"], MetricKind::Counter);
    assert_eq!(kinds["prometheus_tsdb_compaction_duration_seconds"], MetricKind::Histogram);
    assert_eq!(client.metadata(Some("prometheus_tsdb_head_series")).await.unwrap().len(), 1);
    assert!(client.build_info().await.unwrap().version.starts_with(|c: char| c.is_ascii_digit()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_days_come_back_from_victoria_metrics() {
    let (dir, grid) = (tempfile::tempdir().unwrap(), eight_days());
    let server = start("victoria-metrics", |address| {
        vec![
            format!("-storageDataPath={}", dir.path().join("vm").display()),
            format!("-httpListenAddr={address}"),
            "-retentionPeriod=12".to_owned(),
            "-search.disableCache".to_owned(),
        ]
    });
    ready(&server).await;
    let mut lines = String::new();
    for series in 0..SERIES {
        let (mut values, mut times) = (Vec::new(), Vec::new());
        for minute in 0..grid.len {
            if let Some(value) = value(series, minute) {
                values.push(value);
                times.push(grid.at(minute).as_millis());
            }
        }
        writeln!(lines, "{}", serde_json::json!({"metric": labels(series), "values": values, "timestamps": times})).unwrap();
    }
    let import = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
    let done = import.post(format!("{}api/v1/import", server.url)).body(lines).send().await.unwrap();
    assert!(done.status().is_success(), "{}", done.status());
    assert!(import.get(format!("{}internal/force_flush", server.url)).send().await.unwrap().status().is_success());

    let client = client(&server);
    let ask = RangeAsk { query: "disk_used", grid, watch: Some("disk"), rows_hint: None };
    let patience = Instant::now() + Duration::from_secs(30);
    let answer = loop {
        let answer = client.query_range(&ask).await.unwrap();
        if answer.frame.rows() == SERIES {
            break answer;
        }
        assert!(Instant::now() < patience, "{} series after 30 s", answer.frame.rows());
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    assert_eq!(answer.frame.grid(), grid);
    assert_eq!(answer.stats.off_grid, 0);
    // VictoriaMetrics stores decimals of its own, exact to about 15 digits, and bridges gaps by its own rule.
    let mut compared = 0;
    for series in 0..SERIES {
        let row = answer.frame.labels().iter().position(|l| *l == labels(series)).unwrap();
        for (minute, got) in answer.frame.row(row).iter().enumerate() {
            if let Some(want) = value(series, minute) {
                assert!((got - want).abs() <= want.abs() * 1e-11 + 1e-11, "series {series}, minute {minute}: {got} for {want}");
                compared += 1;
            }
        }
        if series % 3 == 0 {
            assert!(answer.frame.row(row)[2960].is_nan(), "the middle of a gap of 99 minutes has a value");
        }
    }
    assert!(compared > SERIES * 11_000);
    let instant = client.instant("disk_used{host=\"h1\"}", grid.at(7), Some("disk")).await.unwrap();
    assert_eq!(instant.samples.len(), 1);
    assert!(client.metadata(None).await.unwrap().is_empty(), "this version keeps no metadata");
    let error = client.query_range(&RangeAsk { query: "disk_used{", ..ask }).await.unwrap_err();
    assert!(matches!(error.cause, Cause::Status { code: 400 | 422, .. }), "{error}");
}
