//! `portent demo`: the whole thing on bundled data, nothing to install.
//!
//! The world is made (two weeks of a small fleet in Prometheus' API on a real socket, a receiver for webhooks), the daemon in the middle is
//! the real one, and time runs faster. The first week is history; the second is lived through. One thing is real beside the daemon: a process of
//! the demo's own that leaks, and is restarted before it runs out of memory.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio::sync::mpsc;

use super::{Failure, Outcome};
use crate::clock::{AcceleratedClock, Clock, SystemClock};
use crate::config;
use crate::core::engine::Effect;
use crate::core::prediction::{Prediction, State, Truth};
use crate::core::time::{Span, Timestamp};
use crate::daemon::{Daemon, Options};
use crate::demo::config::SANDBOX_WATCH;
use crate::demo::receiver::HookReceiver;
use crate::demo::sandbox::Sandbox;
use crate::demo::server::DemoServer;
use crate::demo::{Acts, END, INCIDENTS, Incident, START, config_yaml, data_set};
use crate::outbound::signature::{self, ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER};
use crate::outbound::{Secret, SecretFile};
use crate::telemetry::{self, LogFormat, LogSettings};

/// A week in a hundred seconds.
const DEFAULT_SPEED: f64 = 6_000.0;
/// Faster than this a tick of five minutes is over before it is read.
const MAX_SPEED: f64 = 20_000.0;
/// At this speed a quarter of an hour of the fleet's time is a moment on a busy machine; what is missed is judged when it is read.
const CATCH_UP: Span = Span::from_secs(6 * 3_600);
/// While its own process is acted on, time runs no faster than this: a step and its check take seconds of real time, not days of the fleet's.
const ACTING_SPEED: f64 = 120.0;
/// And for so long at most, whatever becomes of it.
const ACTING_TIMEOUT: Duration = Duration::from_secs(30);
/// The key that the demo signs with: public, so nothing else may ever use it.
const DEMO_KEY: &str = "whsec_ZGVtbyBrZXksIGtub3duIHRvIGV2ZXJ5Ym9keSE=\n";

const EXAMPLES: &str = "Examples:
  portent demo
  portent demo --speed 10000 --keep ./demo     keeps charts and state for a look afterwards
  portent demo --for 30s";

/// Shows it all on bundled data: two weeks of a small fleet, one learned from, one lived through in a hundred seconds.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Demo {
    /// How many times faster than life
    #[arg(long, value_name = "N", default_value_t = DEFAULT_SPEED)]
    speed: f64,
    /// Ends after this time on your clock
    #[arg(long = "for", value_name = "DURATION")]
    length: Option<Span>,
    /// Keeps state and charts in this folder; without it charts go to ./portent-demo and state is thrown away
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Logs of the daemon on stderr, as in info
    #[arg(long, value_name = "FILTER", default_value = "error")]
    log: String,
}

impl Demo {
    pub fn run(self) -> Outcome {
        if !(1.0..=MAX_SPEED).contains(&self.speed) {
            return Err(Failure::usage(format!("--speed {} is out of range: 1 to {MAX_SPEED}", self.speed)));
        }
        telemetry::init(&LogSettings { format: LogFormat::Text, filter: self.log.clone() })?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(self.show())?;
        Ok(ExitCode::SUCCESS)
    }

    async fn show(self) -> Result<(), Failure> {
        let began = SystemClock::new();
        let begun_at = began.now();
        let throwaway = tempfile::Builder::new().prefix("portent-demo").tempdir()?;
        let data_dir = self.keep.clone().unwrap_or_else(|| throwaway.path().to_owned());
        std::fs::create_dir_all(&data_dir)?;
        let chart_dir = self.keep.clone().unwrap_or_else(|| PathBuf::from("portent-demo")).join("charts");
        let key = throwaway.path().join("hook.key");
        std::fs::write(&key, DEMO_KEY)?;

        let data = Arc::new(data_set());
        let live_from = START + Span::WEEK;
        let clock = Arc::new(AcceleratedClock::new(live_from, self.speed)?);
        let world = clock.clone();
        let now: crate::demo::Now = Arc::new(move || world.now());
        let program = std::env::current_exe()?.canonicalize()?;
        let sandbox_dir = throwaway.path().join("sandbox");
        let sandbox = Sandbox::start(program.clone(), sandbox_dir.clone(), live_from, now.clone())?;
        let server = DemoServer::start_beside(data.clone(), sandbox.series(), now).await?;
        let (receiver, mut hooks) = HookReceiver::start(verifier(SecretFile::new(&key).read()?)).await?;
        let acts = Acts { program: &program, sandbox: &sandbox_dir };
        let yaml = config_yaml(&server.url(), &receiver.url(), &key, &data_dir, Some(acts));
        let mut config = config::parse(&yaml, "demo.yaml").map_err(super::config_failure)?;
        config.chart_dir = Some(chart_dir.clone());

        say_hello(&self, data.series.len() + 1, config.watches.len(), &server.url());
        let (onlooker, mut effects) = mpsc::unbounded_channel();
        let daemon = Daemon::start(Options {
            config,
            config_file: None,
            clock: clock.clone(),
            too_late: CATCH_UP,
            onlooker: Some(onlooker),
            workers: None,
        })
        .await?;
        println!("page        http://{}/", daemon.address());
        println!("charts      {}/", chart_dir.display());
        println!("acts        on one process of its own that leaks; on the made hosts it writes down what it would do\n");
        let (stop, stopping) = tokio::sync::oneshot::channel::<()>();
        let (_hangup, hangups) = mpsc::channel(1);
        let daemon = tokio::spawn(daemon.run(
            async {
                // The sender gone means the same.
                let _ = stopping.await;
            },
            hangups,
        ));

        let mut story = Story::new(chart_dir, self.keep.clone());
        let length = self.length.map(Span::to_std);
        let over = async {
            match length {
                Some(length) => tokio::time::sleep(length).await,
                None => clock.sleep_until(END).await,
            }
        };
        tokio::pin!(over);
        let mut interrupted = false;
        // While its own process is acted on.
        let mut slow = None;
        loop {
            tokio::select! {
                Some(effect) = effects.recv() => {
                    story.tell(&effect);
                    if matches!(&effect, Effect::Raised(p) if p.watch == SANDBOX_WATCH.name) {
                        clock.set_speed(self.speed.min(ACTING_SPEED))?;
                        slow = Some(Box::pin(tokio::time::sleep(ACTING_TIMEOUT)));
                    }
                }
                Some(event) = hooks.recv() => {
                    if story.hook(&event) == Heard::SandboxClosed {
                        clock.set_speed(self.speed)?;
                        slow = None;
                    }
                }
                () = over_with(slow.as_mut()) => {
                    clock.set_speed(self.speed)?;
                    slow = None;
                }
                () = super::stopped() => { interrupted = true; break }
                () = &mut over => break,
            }
        }
        // The receiver must have a moment for what was told last.
        while let Ok(Some(event)) = tokio::time::timeout(Duration::from_millis(1_500), hooks.recv()).await {
            story.hook(&event);
        }
        drop(stop);
        daemon.await.map_err(|error| Failure::new(format!("the daemon failed: {error}")))??;
        while let Ok(effect) = effects.try_recv() {
            story.tell(&effect);
        }
        drop(sandbox);
        story.sum_up(data.samples(), clock.now() - live_from, (began.now() - begun_at).to_std(), interrupted);
        Ok(())
    }
}

/// Done with the timer; never, while there is none.
async fn over_with(timer: Option<&mut std::pin::Pin<Box<tokio::time::Sleep>>>) {
    match timer {
        Some(timer) => timer.await,
        None => std::future::pending().await,
    }
}

fn verifier(secrets: Vec<Secret>) -> crate::demo::receiver::Verify {
    let clock = SystemClock::new();
    Arc::new(move |headers, body| {
        let header = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).ok_or_else(|| format!("no {name} header"));
        let (id, at, signed) = (header(ID_HEADER)?, header(TIMESTAMP_HEADER)?, header(SIGNATURE_HEADER)?);
        signature::verify(&secrets, id, at, signed, body, clock.now(), signature::TOLERANCE).map_err(|error| error.to_string())
    })
}

fn say_hello(demo: &Demo, series: usize, watches: usize, url: &str) {
    println!("Two weeks of a small fleet: {series} series, {watches} watches. The first week is history, the second is lived through");
    println!("{} times faster than life. Ctrl-C ends it.\n", demo.speed);
    println!("prometheus  {url}   (bundled data, Prometheus' API on a real socket)");
}

/// What has happened so far, and its telling.
struct Story {
    colour: bool,
    chart_dir: PathBuf,
    raised: usize,
    came_true: Vec<f64>,
    /// Watch and time of each crossing that was foretold.
    true_at: Vec<(String, Timestamp)>,
    did_not: usize,
    not_known: usize,
    open: BTreeMap<String, Prediction>,
    anomalies: usize,
    hooks: usize,
    told: Vec<String>,
    keep: Option<PathBuf>,
    acted: Acted,
}

/// What became of acting on its own process.
#[derive(Default)]
struct Acted {
    runs: usize,
    verified: usize,
    shadowed: usize,
    settled_as_averted: usize,
}

/// What a webhook means to the demo itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heard {
    /// Its process is acted on no more.
    SandboxClosed,
    Else,
}

impl Story {
    fn new(chart_dir: PathBuf, keep: Option<PathBuf>) -> Self {
        let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
        Self {
            colour,
            chart_dir,
            raised: 0,
            came_true: Vec::new(),
            true_at: Vec::new(),
            did_not: 0,
            not_known: 0,
            open: BTreeMap::new(),
            anomalies: 0,
            hooks: 0,
            told: Vec::new(),
            keep,
            acted: Acted::default(),
        }
    }

    fn tell(&mut self, effect: &Effect) {
        match effect {
            Effect::Raised(p) => {
                self.raised += 1;
                self.told.push(p.id.to_string());
                self.open.insert(p.id.to_string(), p.clone());
                let eta = p
                    .eta
                    .p50
                    .map_or_else(|| "past the horizon".to_owned(), |t| format!("{} ({} ahead)", short_time(t), rough(t - p.raised_at)));
                self.line(
                    "33",
                    p.raised_at,
                    "PREDICTED",
                    &format!("{}  {:.0} % within {}, ETA {eta}", p.title, 100.0 * p.likelihood, p.horizon),
                );
                if let Some(reason) = p.evidence.first() {
                    println!("{:35}because: {}", "", reason.text);
                }
                if let Some(playbook) = p.suggested_playbooks.first() {
                    println!("{:35}would run {}: {}", "", playbook.name, playbook.would_run.join(", "));
                }
            }
            Effect::Updated(_) => {}
            Effect::Ended(p) => {
                self.open.remove(p.id.as_str());
                self.truth(p);
                if p.truth.is_none() {
                    self.line("36", p.updated_at, "taken back", &format!("{}  {}", p.title, p.ended_because.as_deref().unwrap_or("")));
                }
            }
            Effect::Scored(p) => self.truth(p),
            Effect::AnomalyStarted(_) => self.anomalies += 1,
            Effect::AnomalyEnded(_) => {}
        }
    }

    fn truth(&mut self, p: &Prediction) {
        match p.truth {
            Some(Truth::CameTrue { at, lead_time_s }) => {
                self.came_true.push(lead_time_s);
                self.true_at.push((p.watch.clone(), at));
                let lead = rough(Span::from_secs_f64(lead_time_s));
                self.line("32", at, "came true", &format!("{}  told {lead} before", p.title));
            }
            Some(Truth::Averted { breached_at: None }) => {
                self.acted.settled_as_averted += 1;
                self.line("32", p.updated_at, "averted?", &format!("{}  it did not happen, and it was acted on", p.title));
            }
            Some(Truth::DidNot) => {
                self.did_not += 1;
                let word = if p.state == State::Expired { "expired" } else { "did not" };
                self.line("31", p.updated_at, word, &format!("{}  it did not happen within {}", p.title, p.horizon));
            }
            Some(Truth::Averted { .. } | Truth::NotKnown) => self.not_known += 1,
            None => {}
        }
    }

    fn hook(&mut self, event: &serde_json::Value) -> Heard {
        self.hooks += 1;
        let full = event["type"].as_str().unwrap_or("?");
        let kind = full.rsplit('.').next().unwrap_or("?");
        if !full.contains(".prediction.") {
            return self.run(kind, event);
        }
        if kind != "updated" {
            println!("{:22}webhook      {kind} {} (signature checked)", "", event["id"].as_str().unwrap_or("?"));
        }
        Heard::Else
    }

    /// A remedy's event. Of those that are only written down no word is lost until the end.
    fn run(&mut self, kind: &str, event: &serde_json::Value) -> Heard {
        let data = &event["data"];
        let text = |key: &str| data[key].as_str().unwrap_or_default();
        let at = event["time"].as_str().and_then(|time| time.parse().ok()).unwrap_or(START);
        let step = |key: &str| data["step"][key].as_str().unwrap_or_default();
        let number = |key: &str| data[key].as_f64().map_or_else(|| "?".to_owned(), |value| format!("{value:.2}"));
        let (code, word, line) = match (kind, text("outcome")) {
            ("closed", "shadowed") => {
                self.acted.shadowed += 1;
                return Heard::Else;
            }
            ("proposed", _) => {
                let checks = data["findings"].as_array().map_or(0, Vec::len);
                ("35", "ALLOWED", format!("{} on {}: {checks} checks of the gate hold", text("playbook"), text("service")))
            }
            ("wanted", _) => ("35", "ASKED", format!("{} on {}: {}", text("playbook"), text("service"), data["reasons"][0])),
            ("step_started", _) => ("35", "started", format!("{} ({})", step("name"), step("action"))),
            ("step_ended", _) => ("35", "ended", format!("{} ({}) {}: {}", step("name"), step("action"), step("end"), step("note").trim())),
            ("closed", outcome) => {
                if outcome == "verified" {
                    self.acted.verified += 1;
                }
                self.acted.runs += usize::from(["verified", "rolled_back", "escalated"].contains(&outcome));
                let (verified, runs) = (self.acted.verified, self.acted.runs);
                let learned = format!(
                    "{} before, {} after; {} has helped {verified} of {runs} times",
                    number("before"),
                    number("after"),
                    text("playbook")
                );
                ("32", outcome, if outcome == "verified" { learned } else { format!("{}: {}", text("playbook"), text("why")) })
            }
            _ => return Heard::Else,
        };
        self.line(code, at, word, &line);
        if kind == "closed" { Heard::SandboxClosed } else { Heard::Else }
    }

    fn line(&self, code: &str, at: Timestamp, word: &str, text: &str) {
        let (on, off) = if self.colour { (format!("\u{1b}[1;{code}m"), "\u{1b}[0m") } else { (String::new(), "") };
        println!("{:<22}{on}{word:<11}{off}  {text}", short_time(at));
    }

    /// Whether a prediction came true at this crossing.
    fn was_told(&self, incident: &Incident, at: &str) -> bool {
        let Ok(at) = at.parse::<Timestamp>() else { return false };
        self.true_at.iter().any(|(watch, when)| watch == incident.watch && (*when - at).as_millis().abs() < Span::HOUR.as_millis())
    }

    fn sum_up(&self, samples: usize, lived: Span, took: Duration, interrupted: bool) {
        let mut leads = self.came_true.clone();
        leads.sort_by(f64::total_cmp);
        let median = leads.get(leads.len() / 2).map_or_else(|| "-".to_owned(), |s| rough(Span::from_secs_f64(*s)));
        let charts = self.told.iter().filter(|id| self.chart_dir.join(format!("{id}.png")).exists()).count();
        println!("\n{}", if interrupted { "Interrupted. So far:" } else { "That was the week:" });
        println!(
            "  {} predictions raised: {} came true (median lead time {median}), {} did not, {} averted, {} are not settled yet",
            self.raised,
            self.came_true.len(),
            self.did_not,
            self.acted.settled_as_averted,
            self.raised - self.came_true.len() - self.did_not - self.acted.settled_as_averted
        );
        println!(
            "  {} webhooks delivered, each signature checked; {} anomalies noted; {} charts in {}/",
            self.hooks,
            self.anomalies,
            charts,
            self.chart_dir.display()
        );
        let told = INCIDENTS.iter().flat_map(|i| i.crosses.iter().map(move |at| (i, at))).filter(|(i, at)| self.was_told(i, at)).count();
        let all: usize = INCIDENTS.iter().map(|i| i.crosses.len()).sum();
        if !interrupted && lived >= Span::WEEK {
            println!("  {told} of the {all} thresholds that were crossed that week had been foretold");
        }
        println!("  {} of time in {:.0} s on {samples} samples", rough(lived), took.as_secs_f64());
        println!(
            "\nIts own leaking process was restarted {} times before it ran out of memory, {} of them verified; {} other remedies were only written down.",
            self.acted.runs, self.acted.verified, self.acted.shadowed
        );
        match &self.keep {
            Some(dir) => println!(
                "Every decision with its reasons: portent audit export --data-dir {0}; whole and uncut: portent audit verify --data-dir {0}",
                dir.display()
            ),
            None => println!("Every decision with its reasons: portent demo --keep ./demo, then portent audit export --data-dir ./demo"),
        }
        println!("Where a person is asked first (act: {{ mode: ask }}): portent approvals list");
        println!("\nOn your own data: portent run --prometheus http://127.0.0.1:9090");
    }
}

/// `Mon 09 14:05` in UTC.
fn short_time(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.as_millis())
        .map_or_else(|_| at.to_string(), |t| t.to_zoned(jiff::tz::TimeZone::UTC).strftime("%a %d %b %H:%M UTC").to_string())
}

/// A duration to its two largest units.
fn rough(span: Span) -> String {
    let minutes = span.as_millis() / 60_000;
    match (minutes / 1_440, minutes / 60 % 24, minutes % 60) {
        (0, 0, m) => format!("{m}m"),
        (0, h, m) => format!("{h}h{m:02}m"),
        (d, h, _) => format!("{d}d{h:02}h"),
    }
}
