//! A week of 500 series at a minute out of a real Prometheus, by remote read and by range queries: what a backtest's first run waits for.
//!
//! Both ways read the same stretches as a backtest does, two at once, through the same client, and must give the same bits. The server is
//! Debian's package; where it is not installed that is said and nothing is measured.

use std::io::{BufWriter, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures_util::StreamExt;
use portent::backtest::cache::Cache;
use portent::core::frame::{Frame, Grid};
use portent::core::time::{Span, Timestamp};
use portent::source::prometheus::{PrometheusClient, PrometheusSettings, RangeAsk, RemoteRead};

use super::support::figure::print;

const SERIES: usize = 500;
const MINUTES: usize = 7 * 1_440;
const QUERY: &str = "pulled";
/// As a backtest reads.
const AT_ONCE: usize = 2;
/// A server that needs longer to come up is not there.
const MAX_WAIT: Duration = Duration::from_secs(60);

/// Ends with the bench.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub fn run() {
    let folder = tempfile::tempdir().expect("a throwaway folder");
    let end =
        Timestamp::from_millis(SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as i64).floor(Span::HOUR);
    let grid = Grid { start: end - Span::MINUTE.times(MINUTES as i64), step: Span::MINUTE, len: MINUTES };
    if let Err(missing) = blocks(folder.path(), grid) {
        println!("pull from a Prometheus: not measured, {missing} (Debian: apt-get install prometheus)");
        return;
    }
    let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port").port();
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(path("prometheus.yml"), "global: {}\n").expect("the folder can be written");
    let flags = [format!("--config.file={}", path("prometheus.yml")), format!("--storage.tsdb.path={}", path("data"))];
    let mut command = Command::new("prometheus");
    command.args(flags).args([format!("--web.listen-address=127.0.0.1:{port}"), "--storage.tsdb.retention.time=30d".to_owned()]);
    let _server = Server(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("promtool is there, so is its server"));
    let settings = PrometheusSettings::new(format!("http://127.0.0.1:{port}/").parse().expect("an address"));
    let client = PrometheusClient::new(settings).expect("settings without files");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(measure(&client, grid));
}

fn blocks(folder: &Path, grid: Grid) -> Result<(), String> {
    let text = folder.join("past.txt");
    let mut out = BufWriter::new(std::fs::File::create(&text).map_err(|e| e.to_string())?);
    let mut write = || -> std::io::Result<()> {
        writeln!(out, "# TYPE {QUERY} gauge")?;
        for series in 0..SERIES {
            for minute in 0..grid.len {
                // A disk's share: slow, with the digits that a quotient of bytes has.
                let value = 0.5 + 0.3 * ((minute + 37 * series) as f64 / 3_000.0).sin() + ((minute * 7_919 + series) % 101) as f64 * 1e-6;
                writeln!(
                    out,
                    "{QUERY}{{instance=\"host-{series}\",mountpoint=\"/data\"}} {value} {}",
                    grid.at(minute).as_millis() / 1_000
                )?;
            }
        }
        writeln!(out, "# EOF")?;
        out.flush()
    };
    write().map_err(|e| e.to_string())?;
    let mut command = Command::new("promtool");
    command.args(["tsdb", "create-blocks-from", "openmetrics", "--max-block-duration=486h"]).args([text, folder.join("data")]);
    let done = command.output().map_err(|e| format!("promtool cannot be started ({e})"))?;
    if done.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&done.stderr).into_owned()) }
}

async fn measure(client: &PrometheusClient, grid: Grid) {
    let patience = Instant::now() + MAX_WAIT;
    while client.instant("vector(1)", grid.last(), None).await.is_err() {
        assert!(Instant::now() < patience, "the server does not come up");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let remote = RemoteRead::open(client, QUERY).await.expect("Prometheus has remote read");
    // The first pass warms the server's page cache for both.
    let (ways, mut times) = ([true, false], [Duration::MAX; 2]);
    let mut bits = Vec::new();
    for round in 0..2 {
        for (way, time) in ways.iter().zip(&mut times) {
            let began = Instant::now();
            let frames = pull(client, grid, way.then_some(&remote)).await;
            *time = (*time).min(began.elapsed());
            if round == 0 {
                bits.push(frames.iter().map(sum).fold((0, 0), |a, b| (a.0 + b.0, a.1 ^ b.1)));
            }
        }
    }
    assert_eq!(bits[0], bits[1], "both ways give the same samples");
    assert_eq!(bits[0].0, SERIES * grid.len, "and all of them");
    let [by_remote, by_range] = times;
    let note = format!("{SERIES} series x 7 d x 1 min, plain selector, the better of two");
    print("pull by range queries", by_range.as_secs_f64(), "s", &note);
    print("pull by remote read", by_remote.as_secs_f64(), "s", &note);
    print("remote read, times as fast", by_range.as_secs_f64() / by_remote.as_secs_f64(), "x", "floor 5, goal 20");
}

async fn pull(client: &PrometheusClient, grid: Grid, remote: Option<&RemoteRead>) -> Vec<Frame> {
    let read = |grid: Grid| async move {
        let ask = RangeAsk { query: QUERY, grid, watch: None, rows_hint: None };
        match remote {
            Some(remote) => client.read_range(&ask, remote).await,
            None => client.query_range(&ask).await,
        }
        .expect("the server answers")
        .frame
    };
    futures_util::stream::iter(Cache::stretches(grid)).map(read).buffered(AT_ONCE).collect().await
}

/// How many samples, and all their bits with where they stand.
fn sum(frame: &Frame) -> (usize, u64) {
    let bits = (0..frame.rows()).flat_map(|row| {
        let labels = frame.labels()[row].id().0;
        frame.row(row).iter().enumerate().map(move |(column, value)| value.to_bits().rotate_left(column as u32 % 64) ^ labels)
    });
    (frame.present(), bits.fold(0, |a, b| a ^ b))
}
