//! `portent silence`: hearing nothing of something for a while, and nothing done about it.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{ArgGroup, Args, Subcommand};

use super::Outcome;
use super::approvals::query;
use super::output::{self, Format};
use super::remote::Remote;
use crate::core::silence::Matcher;
use crate::core::silence::own::{SilenceId, State};
use crate::core::time::{Span, Timestamp};
use crate::server::silence_report::SilenceReport;

const EXAMPLES: &str = "Examples:
  portent silence add service=shop 'mountpoint=~/data.*' --for 2h --comment \"moving the data\"
  portent silence add watch=memory --from 2026-12-01T22:00:00Z --for 6h --comment \"load test\"
  portent silence list
  portent silence expire s0123456789abcdef

What is under one is shown and not told, and no playbook is run about it.
Labels are those of its series, and alertname (its code), watch and service.";

/// Hears nothing of something for a while: no webhook, no alert, no playbook
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Silence {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Add(Add),
    List(List),
    Expire(Expire),
}

/// Makes one
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, group = ArgGroup::new("end").required(true))]
struct Add {
    /// What it is of, as label=value, label!=value, label=~expression or label!~expression; all must hold
    #[arg(required = true, value_name = "MATCHER")]
    matchers: Vec<Matcher>,
    /// How long, as 2h
    #[arg(long = "for", value_name = "DURATION", group = "end")]
    lasts: Option<Span>,
    /// Until when, as 2026-12-01T06:00:00Z
    #[arg(long, value_name = "TIME", group = "end")]
    until: Option<Timestamp>,
    /// From when on, if not at once
    #[arg(long, value_name = "TIME")]
    from: Option<Timestamp>,
    /// Why; stands in the audit
    #[arg(long)]
    comment: String,
    /// Who wants it; with a token, that says it
    #[arg(long, env = "USER")]
    by: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

/// Which there are, with how many open predictions each is of
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  portent silence list\n  portent silence list --all -o json | jq '.[].id'")]
struct List {
    /// Those that are over, too
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    remote: Remote,
}

/// Ends one before its time
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  portent silence expire s0123456789abcdef")]
struct Expire {
    /// The silence, as `silence list` names it
    id: SilenceId,
    /// Who ends it; with a token, that says it
    #[arg(long, env = "USER")]
    by: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

impl Silence {
    pub fn run(self) -> Outcome {
        match self.verb {
            Verb::Add(verb) => verb.run(),
            Verb::List(verb) => verb.run(),
            Verb::Expire(verb) => verb.run(),
        }
    }
}

impl Add {
    fn run(self) -> Outcome {
        let (remote, matchers) = (&self.remote, text(&self.matchers));
        let millis = |at: Option<Timestamp>| at.map(|at| at.as_millis().to_string()).unwrap_or_default();
        let query = query(&[
            ("matchers", &matchers),
            ("for", &self.lasts.map(|lasts| lasts.to_string()).unwrap_or_default()),
            ("until", &millis(self.until)),
            ("from", &millis(self.from)),
            ("comment", &self.comment),
            ("by", remote.by(self.by.as_deref())?),
        ]);
        let made: SilenceReport = remote.post(&format!("/api/v1/silences?{query}"))?;
        let (silence, open) = (&made.silence, made.predictions_open);
        eprintln!("{matchers} is silenced from {} until {}; open predictions that it is of: {open}", silence.starts_at, silence.ends_at);
        show(remote, std::slice::from_ref(&made), || writeln!(output::stdout(), "{}", silence.id))
    }
}

impl List {
    fn run(self) -> Outcome {
        let mut found: Vec<SilenceReport> = self.remote.get("/api/v1/silences?limit=1000")?;
        found.retain(|one| self.all || one.state != State::Expired);
        show(&self.remote, &found, || print(&found, self.remote.output))
    }
}

impl Expire {
    fn run(self) -> Outcome {
        let by = query(&[("by", self.remote.by(self.by.as_deref())?)]);
        let ended: SilenceReport = self.remote.post(&format!("/api/v1/silences/{}/expire?{by}", self.id))?;
        eprintln!("{}: over; open predictions that it was of: {}", self.id, ended.predictions_open);
        show(&self.remote, &[ended], || Ok(()))
    }
}

/// As JSON where that is asked for, and else as `otherwise` does.
fn show(remote: &Remote, found: &[SilenceReport], otherwise: impl FnOnce() -> io::Result<()>) -> Outcome {
    match remote.output {
        Format::Json => println!("{}", serde_json::to_string_pretty(found)?),
        Format::Jsonl => {
            for one in found {
                println!("{}", serde_json::to_string(one)?);
            }
        }
        Format::Table | Format::Csv => output::ignore_closed(otherwise())?,
    }
    Ok(ExitCode::SUCCESS)
}

fn text(matchers: &[Matcher]) -> String {
    matchers.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

fn print(found: &[SilenceReport], format: Format) -> io::Result<()> {
    let mut out = output::stdout();
    let header = ["ID", "STATE", "OF", "FROM", "UNTIL", "BY", "OPEN", "COMMENT"];
    let row = |one: &SilenceReport| {
        let silence = &one.silence;
        let until = silence.expired_at.unwrap_or(silence.ends_at);
        let by = silence.expired_by.as_ref().map_or_else(|| silence.by.clone(), |ended_by| format!("{}, ended by {ended_by}", silence.by));
        vec![
            silence.id.to_string(),
            one.state.as_str().to_owned(),
            text(&silence.matchers),
            silence.starts_at.to_string(),
            until.to_string(),
            by,
            one.predictions_open.to_string(),
            silence.comment.clone(),
        ]
    };
    let rows: Vec<Vec<String>> = found.iter().map(row).collect();
    match format {
        Format::Csv => output::csv(&mut out, &header, &rows)?,
        _ if rows.is_empty() => writeln!(out, "nothing is silenced")?,
        _ => output::table(&mut out, &header, &rows)?,
    }
    out.flush()
}
