//! What an operator's disk and ledger do to a daemon that acts: where nothing can be written down, nothing is done.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use super::daemon::{Config, END_WITHIN, Running, SOON, STARTED};
use super::history::{DISKS, filling_prometheus};
use super::restart::damage;
use crate::support::{PortentProcess, Prometheus, wait_until};

/// Longer than a few ticks and going-overs: what would be done is done by then.
const LONG_ENOUGH: Duration = Duration::from_secs(6);

const PLAYBOOK: &str = r#"name: count
about: writes a line each time that it is run
when: { watches: [disks] }
cooldown: 1s
steps: [{ name: count, action: command, with: { run: [SHELL, -c, "echo done >> \"$0\"", "counted/{{host}}"] }, timeout: 10s }]
"#;

/// A daemon that does what the gate allows, with a playbook that leaves a file behind; held up by a stop file until a test takes it away.
struct Acts {
    portent: Running,
    prometheus: Prometheus,
}

fn prepared(prometheus: &Prometheus) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let counted = dir.path().join("counted");
    fs::create_dir(&counted).unwrap();
    fs::create_dir(dir.path().join("books")).unwrap();
    // The shell is a link; programs are started by their own names.
    let shell = fs::canonicalize("/bin/sh").unwrap().display().to_string();
    let playbook = PLAYBOOK.replace("counted/", &format!("{}/", counted.display())).replace("SHELL", &shell);
    fs::write(dir.path().join("books/count.yaml"), playbook).unwrap();
    fs::write(dir.path().join("STOP"), "").unwrap();
    Config::new(&prometheus.url())
        .watch(DISKS)
        .line("playbooks_dir: books")
        .line(&format!("act: {{ mode: execute, stop_file: STOP, command: {{ allow: [{shell}] }} }}"))
        .write(dir.path());
    dir
}

impl Acts {
    fn start() -> Self {
        let prometheus = filling_prometheus(1).start();
        let portent = Running::start_outliving_limits(prepared(&prometheus), &["-c", "portent.yaml"]);
        let mut acts = Self { portent, prometheus };
        acts.wait_open();
        acts
    }

    /// Until it is foretold, and so would be acted upon.
    fn wait_open(&mut self) {
        self.portent.wait_ready();
        let open = || Some(self.portent.data("/api/v1/predictions?state=open")).filter(|open| open[0].is_object());
        wait_until(STARTED, open).unwrap_or_else(|| panic!("nothing is foretold\n{}", self.portent.tail()));
    }

    /// Ended in good order; something happens to its folder; started again.
    fn again_after(self, what: impl FnOnce(&Path)) -> Self {
        let Self { mut portent, prometheus } = self;
        assert!(portent.process.sigterm_and_wait(END_WITHIN).success());
        let dir = portent.process.into_dir();
        what(dir.path());
        Self { portent: Running::start_in(dir, &["-c", "portent.yaml"]), prometheus }
    }

    fn dir(&self) -> &Path {
        self.portent.process.dir()
    }

    fn release(&self) {
        fs::remove_file(self.dir().join("STOP")).unwrap();
    }

    fn times_done(&self) -> usize {
        fs::read_to_string(self.dir().join("counted/filling")).unwrap_or_default().lines().count()
    }

    fn assert_done(&self, times: usize) {
        thread::sleep(LONG_ENOUGH);
        assert_eq!(self.times_done(), times, "{}", self.portent.tail());
    }

    fn wait_done(&self) {
        let why = || format!("{:#}\n{}", self.portent.data("/api/v1/runs"), self.portent.tail());
        wait_until(SOON, || (self.times_done() > 0).then_some(())).unwrap_or_else(|| panic!("it was not done: {}", why()));
    }

    /// `portent audit verify` over what is on the disk now: whether it is whole, and its words.
    fn audit(&self) -> (bool, String) {
        let output = PortentProcess::output(&["audit", "verify", "--data-dir", "data"], self.dir());
        (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    }
}

/// The largest file that the daemon may write from now on: what a full disk is, without filling one.
fn limit(portent: &mut Running, bytes: &str) {
    let pid = portent.process.process().pid().to_string();
    let status = Command::new("prlimit").args(["--pid", &pid, &format!("--fsize={bytes}:")]).status();
    assert!(status.expect("prlimit is there: util-linux").success());
}

#[test]
fn on_a_full_disk_nothing_is_done_and_it_goes_on_when_there_is_room() {
    let mut acts = Acts::start();
    limit(&mut acts.portent, "4096");
    acts.release();
    let why = acts.portent.wait_not_ready("audit", SOON);
    assert!(why.contains("full") || why.contains("disk"), "{why}");
    acts.assert_done(0);
    let runs = acts.portent.data("/api/v1/runs");
    assert!(runs.as_array().unwrap().iter().all(|run| run["outcome"] == "refused"), "only what is written down is there: {runs:#}");
    limit(&mut acts.portent, "unlimited");
    acts.wait_done();
    acts.portent.wait_recovered(STARTED);
    acts.assert_done(1);
    let (is_whole, said) = acts.audit();
    assert!(is_whole, "{said}");
}

/// One statement on the ledger, past Portent.
fn with_the_ledger(dir: &Path, sql: &'static str) {
    use sqlx::{Connection as _, Executor as _};
    let url = format!("sqlite://{}", dir.join("data/ledger.sqlite").display());
    let sql = sql.replace("backup.sqlite", &dir.join("backup.sqlite").display().to_string());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut ledger = sqlx::SqliteConnection::connect(&url).await.unwrap();
        ledger.execute(sqlx::AssertSqlSafe(sql)).await.unwrap();
        ledger.close().await.unwrap();
    });
}

/// Another target than it was.
const EDIT: &str = "UPDATE audit SET json = replace(json, 'filling', 'another')
    WHERE seq = (SELECT min(seq) FROM audit WHERE json LIKE '%filling%')";

#[test]
fn an_audit_that_was_edited_stops_everything_until_its_folder_is_moved_aside() {
    let acts = Acts::start();
    acts.release();
    acts.wait_done();
    let is_closed = || acts.portent.data("/api/v1/runs")[0]["outcome"].is_string().then_some(());
    wait_until(SOON, is_closed);
    let acts = acts.again_after(|dir| with_the_ledger(dir, EDIT));
    let why = acts.portent.wait_not_ready("audit", STARTED);
    assert!(why.contains("not whole") && why.contains("portent audit verify"), "{why}");
    assert!(acts.portent.process.log().contains("the audit is not whole"), "{}", acts.portent.tail());
    let (is_whole, said) = acts.audit();
    assert!(!is_whole && said.contains("line"), "{said}");
    acts.assert_done(1);
    // It still watches and foretells; it takes no word to go on.
    assert!(acts.portent.data("/api/v1/predictions?state=open")[0].is_object(), "{}", acts.portent.tail());

    let mut acts = acts.again_after(|dir| {
        fs::write(dir.join("STOP"), "").unwrap();
        fs::rename(dir.join("data"), dir.join("edited")).unwrap();
    });
    acts.portent.wait_ready();
    acts.assert_done(1);
    acts.release();
    wait_until(SOON, || (acts.times_done() == 2).then_some(())).unwrap_or_else(|| panic!("it does not act again\n{}", acts.portent.tail()));
}

#[test]
fn with_a_ledger_that_is_read_only_nothing_is_done_until_it_can_be_written() {
    let acts = Acts::start();
    let Acts { mut portent, prometheus } = acts;
    assert!(portent.process.sigterm_and_wait(END_WITHIN).success());
    let dir = portent.process.into_dir();
    let ledger = dir.path().join("data/ledger.sqlite");
    // All of it: SQLite makes the log beside the ledger with the mode that the ledger has.
    let mode = |mode: u32| {
        for of in ["", "-wal", "-shm"] {
            let file = format!("{}{of}", ledger.display());
            if Path::new(&file).exists() {
                fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap();
            }
        }
    };
    mode(0o444);
    fs::remove_file(dir.path().join("STOP")).unwrap();
    let acts = Acts { portent: Running::start_as_a_plain_user(dir, &["-c", "portent.yaml"]), prometheus };
    let why = acts.portent.wait_not_ready("readonly", STARTED);
    assert!(why.contains("audit: ") && why.contains("ledger.sqlite"), "{why}");
    acts.assert_done(0);
    let said = acts.portent.process.log();
    let times = said.matches("COULD NOT WRITE DOWN").count();
    assert!((1..5).contains(&times), "said {times} times in {LONG_ENOUGH:?}\n{said}");
    mode(0o644);
    acts.wait_done();
    acts.portent.wait_recovered(STARTED);
    acts.assert_done(1);
    assert!(acts.audit().0, "{}", acts.audit().1);
}

#[test]
fn a_damaged_ledger_ends_the_start_and_a_backup_goes_on() {
    let acts = Acts::start();
    let Acts { mut portent, prometheus } = acts;
    assert!(portent.process.sigterm_and_wait(END_WITHIN).success());
    let dir = portent.process.into_dir();
    let ledger = dir.path().join("data/ledger.sqlite");
    fs::remove_file(dir.path().join("STOP")).unwrap();
    with_the_ledger(dir.path(), "VACUUM INTO 'backup.sqlite'");
    damage(&ledger);
    let mut portent = Running::start_in(dir, &["-c", "portent.yaml"]);
    let status = portent.process.process().wait(STARTED).unwrap_or_else(|| panic!("it runs all the same\n{}", portent.tail()));
    assert!(!status.success() && portent.tail().contains("ledger.sqlite"), "{status}: {}", portent.tail());
    assert!(ledger.exists(), "someone may still save something of it");
    let acts = Acts { portent, prometheus };
    assert_eq!(acts.times_done(), 0);
    let Acts { portent, prometheus } = acts;
    let dir = portent.process.into_dir();
    for of in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(format!("{}{of}", ledger.display()));
    }
    fs::rename(dir.path().join("backup.sqlite"), &ledger).unwrap();
    let acts = Acts { portent: Running::start_in(dir, &["-c", "portent.yaml"]), prometheus };
    acts.wait_done();
}

#[test]
fn baselines_lost_in_a_damaged_store_make_nothing_be_done_again() {
    let acts = Acts::start();
    acts.release();
    acts.wait_done();
    let mut acts = acts.again_after(|dir| damage(&dir.join("data/store/db")));
    acts.wait_open();
    assert!(acts.portent.process.log().contains("STORED BASELINES ARE DAMAGED"), "{}", acts.portent.tail());
    acts.assert_done(1);
}
