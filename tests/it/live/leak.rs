//! Processes that leak, in front of a real Prometheus: each writes down how much it holds, is started again when it is killed, and is scraped
//! every second. Their past is made up; what happens to them is not.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use tempfile::TempDir;

use super::history::{DAY_MS, HOUR_MS, MINUTE_MS, noise, this_minute_ms};
use crate::support::{OpenMetricsWriter, Process, Prometheus, free_port};

/// What it holds, in millionths: as much as the made past ends with.
const AT_FIRST: u32 = 885_000;

/// Holds a little more every half second, and ends with the shell that watches over it.
const LEAK: &str = "#!/bin/sh
cd \"$1\" || exit 1
held=$(cat start)
while kill -0 \"$PPID\" 2>/dev/null; do
  held=$((held + 1))
  hoard=\"$hoard................\"
  echo $held > held.new && mv held.new held
  sleep 0.5
done
";

/// What systemd does with `Restart=always`.
const SUPERVISOR: &str = "#!/bin/sh
cd \"$1\" || exit 1
while :; do
  sh ../leak.sh \"$1\" & echo $! > pid
  wait $!
  echo again >> restarts
done
";

/// What the playbook may start.
const RESTART: &str = "#!/bin/sh
kill \"$(cat \"$(dirname \"$0\")/$1/pid\")\"
";
const RESTORE: &str = "#!/bin/sh
echo \"$1\" >> \"$(dirname \"$0\")/restored\"
";

pub struct Workers {
    dir: TempDir,
    port: u16,
    names: Vec<&'static str>,
    _processes: Vec<Process>,
}

impl Workers {
    /// Each by its name, and what it holds after a restart, in millionths.
    pub fn start(workers: &[(&'static str, u32)]) -> Self {
        let dir = tempfile::tempdir().expect("a throwaway folder");
        for (name, text) in [("leak.sh", LEAK), ("supervisor.sh", SUPERVISOR), ("restart.sh", RESTART), ("restore.sh", RESTORE)] {
            let path = dir.path().join(name);
            fs::write(&path, text).expect("the throwaway folder can be written");
            Command::new("chmod").arg("755").arg(&path).status().expect("chmod starts");
        }
        let one = |(name, after): &(&'static str, u32)| {
            let own = dir.path().join(name);
            fs::create_dir(&own).expect("the throwaway folder can be written");
            fs::write(own.join("start"), AT_FIRST.to_string()).expect("the throwaway folder can be written");
            let mut command = Command::new("sh");
            command.arg(dir.path().join("supervisor.sh")).arg(&own);
            let process = Process::spawn(command, "dash", &dir.path().join("log"));
            let held = crate::support::wait_until(std::time::Duration::from_secs(20), || fs::read(own.join("held")).ok());
            assert!(held.is_some(), "{name} does not begin");
            fs::write(own.join("start"), after.to_string()).expect("the throwaway folder can be written");
            process
        };
        let processes = workers.iter().map(one).collect();
        let names = workers.iter().map(|(name, _)| *name).collect();
        let workers = Self { dir, port: free_port(), names, _processes: processes };
        workers.serve();
        workers
    }

    /// An exporter: what each worker has written down last.
    fn serve(&self) {
        let listener = TcpListener::bind(("127.0.0.1", self.port)).expect("the port is free");
        let (dir, names) = (self.dir.path().to_owned(), self.names.clone());
        // Ends with the test's process.
        thread::spawn(move || listener.incoming().flatten().for_each(|stream| answer(stream, &dir, &names)));
    }

    /// A Prometheus that knows three days of them, leaking, and scrapes them every second.
    pub fn prometheus(&self) -> Prometheus {
        let folder = TempDir::new().expect("a throwaway folder");
        let mut writer = OpenMetricsWriter::create(folder.path().join("leak.om"));
        let (address, now) = (format!("127.0.0.1:{}", self.port), this_minute_ms());
        for (index, worker) in self.names.iter().enumerate() {
            let labels = [("instance", address.as_str()), ("job", "workers"), ("worker", worker)];
            let grid = (now - 3 * DAY_MS, MINUTE_MS, 3 * 24 * 60);
            writer.gauge("worker_memory_ratio", &labels, grid, |t| {
                let held = f64::from(AT_FIRST) / 1e6 + 0.003 * (t - now) as f64 / HOUR_MS as f64;
                Some(held + 0.0003 * noise(index as u64, t))
            });
        }
        Prometheus::new().backfill(&writer.finish()).scrape("workers", &address).start()
    }

    pub fn script(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// How often it was started again.
    pub fn restarts(&self, worker: &str) -> usize {
        fs::read_to_string(self.dir.path().join(worker).join("restarts")).unwrap_or_default().lines().count()
    }

    /// Of whom a restart was taken back.
    pub fn restored(&self) -> String {
        fs::read_to_string(self.dir.path().join("restored")).unwrap_or_default()
    }
}

fn answer(mut stream: TcpStream, dir: &Path, names: &[&str]) {
    let mut request = [0; 4096];
    // One that asks nothing gets nothing.
    if !stream.read(&mut request).is_ok_and(|read| read > 0) {
        return;
    }
    let line = |name: &&str| {
        let held: f64 = fs::read_to_string(dir.join(name).join("held")).ok()?.trim().parse().ok()?;
        Some(format!("worker_memory_ratio{{worker=\"{name}\"}} {}\n", held / 1e6))
    };
    let body: String = names.iter().filter_map(line).collect();
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nConnection: close\r\n";
    // Whoever hangs up before asks again.
    let _ = stream.write_all(format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes());
}
