//! The packs against the real exporters and a real Prometheus: every query is issued, every metric's name is looked for.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::*;
use crate::core::watch::Threshold;

/// How long the servers may take to start and to scrape twice; alone it takes four seconds.
const PATIENCE: Duration = Duration::from_secs(90);

#[test]
fn every_pack_is_read_and_says_what_a_reader_needs() {
    let names: Vec<&str> = all().iter().map(|p| p.name.as_str()).collect();
    assert_eq!(names, ["node", "prometheus", "process", "tls", "kubernetes"]);
    let mut watches = BTreeSet::new();
    for pack in all() {
        assert!(!pack.watches.is_empty() && pack.about.len() > 20 && pack.source_text.contains(&pack.probe));
        for watch in &pack.watches {
            assert!(watches.insert(watch.name.clone()), "{} stands twice", watch.name);
            assert!(watch.name.starts_with(&pack.name), "{}: a name begins with its pack's, so packs never collide", watch.name);
            assert!(watch.why.as_ref().is_some_and(|w| w.len() > 40), "{} says no why", watch.name);
            assert!(watch.limit.is_some() && watch.source.is_empty(), "{}", watch.name);
        }
    }
    assert!(find("node").is_some() && find("nothing").is_none());
    let there = find("tls").unwrap().watches_on(&"prod".into(), true);
    assert_eq!((&*there[0].source, &*there[0].name), ("prod", "tls-certificate-expiry"));
}

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(program: &str, args: &[String]) -> Server {
    let child = Command::new(program).args(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    Server(
        child
            .unwrap_or_else(|e| panic!("cannot start {program}: {e}; install the Debian packages prometheus and prometheus-node-exporter")),
    )
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// What this machine may not have, in the exporters' own exposition format.
fn exposition(now_s: u64) -> String {
    let ends = now_s + 30 * 86_400;
    format!(
        r#"node_filesystem_avail_bytes{{device="/dev/sda1",fstype="ext4",mountpoint="/data"}} 25
node_filesystem_size_bytes{{device="/dev/sda1",fstype="ext4",mountpoint="/data"}} 100
node_filesystem_files{{device="/dev/sda1",fstype="ext4",mountpoint="/data"}} 100
node_filesystem_files_free{{device="/dev/sda1",fstype="ext4",mountpoint="/data"}} 50
node_filesystem_readonly{{device="/dev/sda1",fstype="ext4",mountpoint="/data"}} 0
node_filesystem_avail_bytes{{device="tmpfs",fstype="tmpfs",mountpoint="/tmp"}} 0
node_filesystem_size_bytes{{device="tmpfs",fstype="tmpfs",mountpoint="/tmp"}} 100
node_filesystem_avail_bytes{{device="/dev/sda1",fstype="ext4",mountpoint="/var/lib/docker/volumes/a"}} 0
node_filesystem_size_bytes{{device="/dev/sda1",fstype="ext4",mountpoint="/var/lib/docker/volumes/a"}} 100
node_filesystem_avail_bytes{{device="/dev/sr0",fstype="udf",mountpoint="/media"}} 0
node_filesystem_size_bytes{{device="/dev/sr0",fstype="udf",mountpoint="/media"}} 100
node_filesystem_readonly{{device="/dev/sr0",fstype="udf",mountpoint="/media"}} 1
node_filesystem_avail_bytes{{device="/dev/sdb1",fstype="vfat",mountpoint="/boot/efi"}} 0
node_filesystem_size_bytes{{device="/dev/sdb1",fstype="vfat",mountpoint="/boot/efi"}} 0
node_filesystem_readonly{{device="/dev/sdb1",fstype="vfat",mountpoint="/boot/efi"}} 0
node_memory_SwapFree_bytes 75
node_memory_SwapTotal_bytes 100
node_timex_maxerror_seconds 0.5
node_timex_sync_status 1
node_nf_conntrack_entries 10
node_nf_conntrack_entries_limit 100
probe_ssl_earliest_cert_expiry {ends}
kubelet_volume_stats_available_bytes{{namespace="n",persistentvolumeclaim="c"}} 25
kubelet_volume_stats_capacity_bytes{{namespace="n",persistentvolumeclaim="c"}} 100
kubelet_volume_stats_inodes{{namespace="n",persistentvolumeclaim="c"}} 100
kubelet_volume_stats_inodes_used{{namespace="n",persistentvolumeclaim="c"}} 10
container_memory_working_set_bytes{{namespace="n",pod="p",container="c",id="/a",image="i"}} 50
container_memory_working_set_bytes{{namespace="n",pod="p",container="",id="/",image=""}} 70
kube_pod_container_resource_limits{{namespace="n",pod="p",container="c",node="w",resource="memory",unit="byte"}} 100
kube_pod_status_phase{{namespace="n",pod="p",phase="Running"}} 1
kube_pod_status_phase{{namespace="n",pod="p",phase="Failed"}} 0
kube_pod_info{{namespace="n",pod="p",node="w",host_ip="1.2.3.4"}} 1
kube_node_status_allocatable{{node="w",resource="pods",unit="integer"}} 110
kube_resourcequota{{namespace="n",resourcequota="q",resource="pods",type="used"}} 5
kube_resourcequota{{namespace="n",resourcequota="q",resource="pods",type="hard"}} 10
"#
    )
}

struct Lab {
    _servers: [Server; 3],
    _folder: tempfile::TempDir,
    url: String,
}

/// Prometheus scraping itself, a node_exporter as it is, and one that exposes [`exposition`] only.
fn lab() -> Lab {
    let folder = tempfile::tempdir().unwrap();
    let at = |path: &str| folder.path().join(path).display().to_string();
    let [own, real, made] = [free_port(), free_port(), free_port()];
    let now_s = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    fs::write(at("made.prom"), exposition(now_s)).unwrap();
    fs::write(at("rules.yml"), "groups: [{ name: g, interval: 1s, rules: [{ record: r, expr: vector(1) }] }]").unwrap();
    let jobs: Vec<String> = [("prometheus", own), ("node", real), ("made", made)]
        .iter()
        .map(|(job, port)| format!("{{ job_name: {job}, static_configs: [{{ targets: ['127.0.0.1:{port}'] }}] }}"))
        .collect();
    let config = format!("global: {{ scrape_interval: 1s }}\nrule_files: [rules.yml]\nscrape_configs: [{}]\n", jobs.join(", "));
    fs::write(at("prometheus.yml"), config).unwrap();
    let made_only = [
        format!("--web.listen-address=127.0.0.1:{made}"),
        "--collector.disable-defaults".into(),
        "--collector.textfile".into(),
        format!("--collector.textfile.directory={}", folder.path().display()),
    ];
    let prometheus = [
        format!("--config.file={}", at("prometheus.yml")),
        format!("--storage.tsdb.path={}", at("data")),
        format!("--web.listen-address=127.0.0.1:{own}"),
    ];
    let node = start("prometheus-node-exporter", &[format!("--web.listen-address=127.0.0.1:{real}")]);
    let servers = [node, start("prometheus-node-exporter", &made_only), start("prometheus", &prometheus)];
    Lab { _servers: servers, _folder: folder, url: format!("http://127.0.0.1:{own}") }
}

impl Lab {
    /// The answer's lines, one a series: `{labels} => value @[time]`.
    fn ask(&self, query: &str) -> Result<Vec<String>, String> {
        let answer = Command::new("promtool").args(["query", "instant", &self.url, query]).output().map_err(|e| e.to_string())?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if !answer.status.success() {
            return Err(format!("{query}\n  {}", text(&answer.stderr)));
        }
        Ok(text(&answer.stdout).lines().map(str::to_owned).filter(|l| !l.is_empty()).collect())
    }

    /// Asks again until there is an answer that is not empty.
    fn wait_for(&self, query: &str, until: Instant) -> Vec<String> {
        loop {
            match self.ask(query) {
                Ok(lines) if !lines.is_empty() => return lines,
                other if Instant::now() > until => panic!("{query}\n  answered {other:?} at the last try"),
                _ => std::thread::sleep(Duration::from_millis(300)),
            }
        }
    }
}

/// Without data in a server of a few seconds: the log's quantiles are NaN until it has synced a whole segment.
const NEEDS_MORE_TIME: [&str; 1] = ["prometheus-wal-fsync"];

/// The metrics that a query names.
fn metrics(query: &str) -> impl Iterator<Item = &str> {
    let words = query.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|w| ["node_", "prometheus_", "process_", "scrape_"].iter().any(|p| w.starts_with(p)))
}

#[test]
fn every_query_is_answered_by_a_real_prometheus() {
    let lab = lab();
    let until = Instant::now() + PATIENCE;
    lab.wait_for("sum(up) == 3 and sum(count_over_time(up[5m])) > 9", until);
    let exposed = lab.ask(r#"count by (__name__) ({job=~"node|prometheus"})"#).unwrap().join("\n");
    for pack in all() {
        lab.wait_for(&pack.probe, until);
        for watch in &pack.watches {
            if NEEDS_MORE_TIME.contains(&&*watch.name) {
                lab.ask(&watch.query).unwrap();
            } else {
                lab.wait_for(&watch.query, until);
            }
            if let Some(Threshold::Query(query)) = watch.limit.as_ref().map(|l| &l.threshold) {
                lab.ask(query).unwrap();
            }
            // The exporters themselves know these names; connection tracking needs a kernel module that is not everywhere.
            for metric in metrics(&watch.query).filter(|m| !m.contains("conntrack")) {
                let known = metric.starts_with("scrape_") || exposed.contains(metric);
                assert!(known, "{}: no exporter exposes {metric}", watch.name);
            }
        }
    }
    let made = |pack: &str, name: &str| {
        let watch = find(pack).unwrap().watches.iter().find(|w| &*w.name == name).unwrap();
        let lines = lab.ask(&watch.query).unwrap();
        lines.into_iter().filter(|l| l.contains("job=\"made\"") || !l.contains("job=")).collect::<Vec<_>>()
    };
    let filling = made("node", "node-filesystem-filling");
    assert_eq!(filling.len(), 1, "memory, container, read-only and empty filesystems are left out: {filling:#?}");
    assert!(filling[0].contains("mountpoint=\"/data\"") && filling[0].contains("=> 0.75 @"), "{filling:?}");
    assert!(made("node", "node-inodes-filling")[0].contains("=> 0.5 @"));
    assert!(made("kubernetes", "kubernetes-container-memory")[0].contains("=> 0.5 @"));
    assert!(made("kubernetes", "kubernetes-node-pods")[0].contains("=> 0.00909"));
    let left: f64 = made("tls", "tls-certificate-expiry")[0].split(['>', '@']).nth(1).unwrap().trim().parse().unwrap();
    assert!((left - 30.0 * 86_400.0).abs() < 300.0, "{left}");
}

/// A pack's fault is said with its place, as a configuration's is.
#[test]
fn a_faulty_pack_is_refused_with_the_line() {
    let faults =
        read_pack("x.yaml", "name: x\nabout: y\nexporter: z\nprobe: up\nwatches:\n  - { name: a, query: up, abov: 1 }\n").unwrap_err();
    assert_eq!(faults, ["x.yaml:6:27: unknown key \"abov\" in a watch; did you mean \"above\"?"]);
}
