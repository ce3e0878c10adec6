//! `portent approvals`, `portent stop`, `portent resume`: a person's word about what a running daemon would do.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::output::{self, Format};
use super::remote::Remote;
use super::{Failure, Outcome};
use crate::core::run::RunKey;
use crate::server::run_report::{RunReport, TrialReport};

/// What waits for a person's word, and saying it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  portent approvals list\n  portent approvals approve r0123456789abcdef --reason \"it is night\"\n  \
                        portent approvals deny r0123456789abcdef --reason \"a deploy is under way\"")]
pub struct Approvals {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// What waits, with every check of the gate and the steps
    List {
        #[command(flatten)]
        remote: Remote,
    },
    /// What each step would do, asked of its actuator now; nothing is done
    #[command(name = "dry-run")]
    Trial {
        /// The run, as `approvals list` names it
        run: RunKey,
        #[command(flatten)]
        remote: Remote,
    },
    /// Lets it begin, if the gate still does
    Approve(Word),
    /// It is not done for this prediction
    Deny(Word),
}

#[derive(Debug, Args)]
struct Word {
    /// The run, as `approvals list` names it
    run: RunKey,
    /// Stands in the audit beside the decision
    #[arg(long, default_value = "")]
    reason: String,
    /// Who decides; with a token, that says it
    #[arg(long, env = "USER")]
    by: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

/// Nothing more is started by a running daemon, until `portent resume`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  portent stop\n  portent stop --by ann --url http://ops:9273")]
pub struct Stop {
    /// Who stops it; with a token, that says it
    #[arg(long, env = "USER")]
    by: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

/// It goes on after `portent stop`.
#[derive(Debug, Args)]
pub struct Resume {
    /// Who lets it go on; with a token, that says it
    #[arg(long, env = "USER")]
    by: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

impl Approvals {
    pub fn run(self) -> Outcome {
        match self.verb {
            Verb::List { remote } => list(&remote),
            Verb::Approve(word) => word.say("approve"),
            Verb::Deny(word) => word.say("deny"),
            Verb::Trial { run, remote } => trial(run, &remote),
        }
    }
}

fn list(remote: &Remote) -> Outcome {
    let waiting: Vec<RunReport> = remote.get("/api/v1/approvals?limit=1000")?;
    if remote.output != Format::Table {
        println!("{}", serde_json::to_string_pretty(&waiting)?);
        return Ok(ExitCode::SUCCESS);
    }
    if waiting.is_empty() {
        eprintln!("nothing waits for a word");
        return Ok(ExitCode::SUCCESS);
    }
    output::ignore_closed(print(&waiting))?;
    Ok(ExitCode::SUCCESS)
}

fn trial(run: RunKey, remote: &Remote) -> Outcome {
    let trials: Vec<TrialReport> = remote.post(&format!("/api/v1/runs/{run}/dry-run"))?;
    let fails = trials.iter().any(|trial| trial.error.is_some());
    if remote.output == Format::Table {
        for (index, trial) in trials.iter().enumerate() {
            println!("{}. {} ({})", index + 1, trial.name, trial.action);
            trial.would.iter().flat_map(|would| would.lines()).for_each(|line| println!("   {line}"));
            trial.error.iter().for_each(|why| println!("   ! it would fail: {why}"));
        }
    } else {
        println!("{}", serde_json::to_string_pretty(&trials)?);
    }
    Ok(ExitCode::from(u8::from(fails)))
}

fn print(waiting: &[RunReport]) -> std::io::Result<()> {
    use std::io::Write;
    let mut out = output::stdout();
    for run in waiting {
        let by = run.proposed_by.as_ref().map(|by| format!(", proposed by {by}")).unwrap_or_default();
        let risk = if run.is_high_risk { ", high risk" } else { "" };
        writeln!(out, "{}  {} on {}{by}{risk}", run.run, run.playbook, run.targets.join(", "))?;
        writeln!(out, "  {}", run.about)?;
        let until = run.expires_at.map(|at| format!(", expires {at}")).unwrap_or_default();
        writeln!(
            out,
            "  {} of {}: {:.4} now, {:.0} % for {} within the horizon{until}",
            run.watch,
            run.service,
            run.value,
            100.0 * run.likelihood,
            run.threshold
        )?;
        for (finding, reason) in run.findings.iter().zip(&run.reasons) {
            let mark = if finding.admits == crate::core::gate::Decision::Allow { " " } else { "!" };
            writeln!(out, "  {mark} {reason}")?;
        }
        for (index, step) in run.steps.iter().enumerate() {
            writeln!(out, "  {}. {} ({}) {}", index + 1, step.name, step.action, step.with)?;
        }
        writeln!(out)?;
    }
    out.flush()
}

impl Word {
    fn say(self, word: &str) -> Outcome {
        let waiting: Vec<RunReport> = self.remote.get("/api/v1/approvals?limit=1000")?;
        let name = self.run.to_string();
        let token = waiting.into_iter().find(|run| run.run == name).and_then(|run| run.token);
        let hint = "portent approvals list; a token of the role approver is needed to decide, where there are logins";
        let token = token.ok_or_else(|| Failure::new(format!("nobody waits for your word about {name}")).hint(hint))?;
        let query = query(&[("by", self.remote.by(self.by.as_deref())?), ("reason", &self.reason), ("token", &token)]);
        let run: RunReport = self.remote.post(&format!("/api/v1/approvals/{name}/{word}?{query}"))?;
        let now = run.outcome.and_then(|outcome| serde_json::to_value(outcome).ok()).and_then(|v| v.as_str().map(str::to_owned));
        eprintln!("{name}: {} ({})", if word == "approve" { "approved" } else { "denied" }, now.unwrap_or(run.phase));
        Ok(ExitCode::SUCCESS)
    }
}

pub(super) fn query(pairs: &[(&str, &str)]) -> String {
    let mut text = url::form_urlencoded::Serializer::new(String::new());
    text.extend_pairs(pairs.iter().filter(|(_, value)| !value.is_empty()));
    text.finish()
}

impl Stop {
    pub fn run(self) -> Outcome {
        say(&self.remote, "stop", self.by.as_deref())
    }
}

impl Resume {
    pub fn run(self) -> Outcome {
        say(&self.remote, "resume", self.by.as_deref())
    }
}

fn say(remote: &Remote, word: &str, by: Option<&str>) -> Outcome {
    let by = remote.by(by)?;
    let stopped: Option<String> = remote.post_maybe(&format!("/api/v1/{word}?{}", query(&[("by", by)])))?;
    match stopped {
        Some(by) => eprintln!("everything is stopped by {by}; portent resume lets it go on"),
        None => eprintln!("it goes on"),
    }
    Ok(ExitCode::SUCCESS)
}
