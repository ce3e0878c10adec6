//! A program in a process group of its own: started, listened to, and ended with all its children when its time is over.
//!
//! Whether it has ended is asked without taking note of it (`WNOWAIT`). As long as nobody has, its number stays its own, so that no signal
//! can meet a stranger that was given the number since.

use std::fmt;
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe;
use tokio::task::JoinSet;

use super::super::Done;
use super::super::kept::Kept;
use crate::core::playbook::StepEnd;

/// Between asking to end and ending: long enough to put a file down, short beside any step's time.
const GRACE: Duration = Duration::from_secs(2);

/// Between two looks at whether it has ended, a system call each; the first ones come sooner, as most programs are done at once.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// After its end its output is waited for no longer: what it left running in the background may hold the pipe for ever.
const OUTPUT_TIMEOUT: Duration = Duration::from_millis(300);

/// Read at once of an output; as large as the pipe itself on Linux would be, in a few bites.
const BITE_BYTES: usize = 8 * 1024;

/// Where programs look for others that they start: the system's folders, whatever our own environment says.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A program that may be started, with all that it gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ready {
    pub program: PathBuf,
    pub arguments: Vec<String>,
    pub environment: Vec<(String, String)>,
}

impl fmt::Display for Ready {
    /// As a list, so that one sees where an argument ends.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entry(&self.program.display().to_string()).entries(&self.arguments).finish()
    }
}

/// Starts it and waits for its end. When this future is dropped before, the group is ended at once.
pub async fn run(ready: &Ready, timeout: Duration) -> Done {
    let start = Instant::now();
    let mut group = match Group::start(ready) {
        Ok(group) => group,
        Err(why) => return Done::new(StepEnd::Failed, format!("cannot start {ready}: {why}")),
    };
    let mut outputs = match Outputs::of(&mut group) {
        Ok(outputs) => outputs,
        // It runs already, and dropping the group ends it in the middle.
        Err(why) => return Done::new(StepEnd::TimedOut, format!("{ready} was ended, as its output cannot be read: {why}")),
    };
    let mut nap = Duration::from_millis(1);
    let in_time = loop {
        if group.has_ended() {
            break true;
        }
        if start.elapsed() >= timeout {
            break false;
        }
        tokio::time::sleep(nap).await;
        nap = (nap * 2).min(LOOK_EVERY);
    };
    if !in_time {
        group.end().await;
    }
    let said = outputs.text().await;
    if !in_time {
        return Done::new(StepEnd::TimedOut, format!("ended after {timeout:?}, as its time was over{said}"));
    }
    match group.reap() {
        Ok(status) if status.success() => Done::new(StepEnd::Succeeded, format!("exit code 0{said}")),
        Ok(status) => Done::new(StepEnd::Failed, format!("{}{said}", how(status))),
        Err(why) => Done::new(StepEnd::Unknown, format!("how it ended cannot be read: {why}{said}")),
    }
}

fn how(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("ended by signal {signal}"),
        (None, None) => status.to_string(),
    }
}

/// The processes that came of one program; ended when dropped before their time.
#[derive(Debug)]
struct Group {
    child: Child,
    id: Pid,
    is_reaped: bool,
}

impl Group {
    fn start(ready: &Ready) -> std::io::Result<Self> {
        let child = Command::new(&ready.program)
            .args(&ready.arguments)
            .env_clear()
            .env("PATH", PATH)
            .env("LANG", "C")
            .envs(ready.environment.iter().map(|(name, value)| (name, value)))
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()?;
        let id = Pid::from_child(&child);
        Ok(Self { child, id, is_reaped: false })
    }

    fn has_ended(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        // An error means that there is no such child: reaping says so too.
        !matches!(waitid(WaitId::Pid(self.id), options), Ok(None))
    }

    /// Asks first, then insists. Children that outlive their parent's polite end are ended with the rest.
    async fn end(&self) {
        for signal in [Signal::TERM, Signal::KILL] {
            self.signal(signal);
            let asked = Instant::now();
            while !self.has_ended() && asked.elapsed() < GRACE {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        }
    }

    fn signal(&self, signal: Signal) {
        // An error means that nobody is left in it.
        let _ = kill_process_group(self.id, signal);
    }

    fn reap(&mut self) -> std::io::Result<ExitStatus> {
        self.is_reaped = true;
        self.child.wait()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if !self.is_reaped {
            self.signal(Signal::KILL);
            // It takes no time, unless a dead disk holds the process: who drops this does not wait for that. Without a thread for it, a
            // dead entry stays in the list of processes.
            let id = self.id;
            let _ = std::thread::Builder::new().spawn(move || waitid(WaitId::Pid(id), WaitIdOptions::EXITED));
        }
    }
}

/// Both streams, read to their ends by tasks that end with this. A full pipe would stop the program.
#[derive(Debug)]
struct Outputs {
    kept: [Arc<Mutex<Kept>>; 2],
    readers: JoinSet<()>,
}

impl Outputs {
    fn of(group: &mut Group) -> std::io::Result<Self> {
        let streams: [Option<OwnedFd>; 2] = [group.child.stdout.take().map(Into::into), group.child.stderr.take().map(Into::into)];
        let (kept, mut readers) = (<[Arc<Mutex<Kept>>; 2]>::default(), JoinSet::new());
        for (stream, kept) in streams.into_iter().flatten().zip(&kept) {
            readers.spawn(read(pipe::Receiver::from_owned_fd(stream)?, kept.clone()));
        }
        Ok(Self { kept, readers })
    }

    async fn text(&mut self) -> String {
        let all = async { while self.readers.join_next().await.is_some() {} };
        // What was read by then is what there is.
        let _ = tokio::time::timeout(OUTPUT_TIMEOUT, all).await;
        let mut said = String::new();
        for (name, kept) in ["output", "errors"].iter().zip(&self.kept) {
            let text = kept.lock().unwrap_or_else(PoisonError::into_inner).text();
            if !text.is_empty() {
                said = format!("{said}; {name}: {text}");
            }
        }
        said
    }
}

async fn read(mut stream: pipe::Receiver, kept: Arc<Mutex<Kept>>) {
    let mut bite = vec![0; BITE_BYTES];
    while let Ok(count @ 1..) = stream.read(&mut bite).await {
        kept.lock().unwrap_or_else(PoisonError::into_inner).add(&bite[..count]);
    }
}
