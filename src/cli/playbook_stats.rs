//! `portent playbooks stats` and `forgive`: how playbooks have fared under a running daemon, and a person's word that it counts no more.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Args;

use super::Outcome;
use super::output::{self, Format};
use super::remote::Remote;
use crate::core::learn::{Side, Standing, Stats};
use crate::core::time::Span;

/// How often each playbook helped, where, how surely that is known, and what it may do at most.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  portent playbooks stats\n  portent playbooks stats -o json | jq '.playbooks[].rate'")]
pub struct PlaybookStats {
    #[command(flatten)]
    remote: Remote,
}

/// How a playbook has fared so far counts no more: it was mended, or its failures were not its own.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  portent playbooks forgive restart-service --by ann")]
pub struct Forgive {
    /// The playbook
    name: String,
    /// Who decides
    #[arg(long, env = "USER")]
    by: String,
    #[command(flatten)]
    remote: Remote,
}

impl PlaybookStats {
    pub fn run(self) -> Outcome {
        let stats: Stats = self.remote.get("/api/v1/playbooks/stats")?;
        if self.remote.output == Format::Table {
            output::ignore_closed(print(&stats))?;
        } else {
            println!("{}", serde_json::to_string_pretty(&stats)?);
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Forgive {
    pub fn run(self) -> Outcome {
        let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("by", &self.by).finish();
        let name: String = url::form_urlencoded::byte_serialize(self.name.as_bytes()).collect();
        let _: Stats = self.remote.post(&format!("/api/v1/playbooks/{name}/forgive?{query}"))?;
        eprintln!("{}: how it has fared so far counts no more", self.name);
        Ok(ExitCode::SUCCESS)
    }
}

fn print(stats: &Stats) -> io::Result<()> {
    let mut out = output::stdout();
    if stats.playbooks.is_empty() {
        writeln!(out, "no playbook has run yet")?;
        return out.flush();
    }
    let mut rows = Vec::new();
    for playbook in &stats.playbooks {
        rows.push(row(&playbook.playbook, "all", "all", &playbook.standing));
        rows.extend(playbook.cases.iter().map(|case| row("", &case.cause, &case.service, &case.standing)));
    }
    let header = [
        "PLAYBOOK",
        "CAUSE",
        "SERVICE",
        "WORKED",
        "FAILED",
        "TAKEN BACK",
        "UNKNOWN",
        "HELPS (90 %)",
        "TRUST",
        "STABLE AFTER",
        "MAY AT MOST",
    ];
    output::table(&mut out, &header, &rows)?;
    for playbook in &stats.playbooks {
        if let Some((at, by)) = playbook.forgiven_at.zip(playbook.forgiven_by.as_ref()) {
            writeln!(out, "{}: what was before {at} counts no more, by {by}", playbook.playbook)?;
        }
    }
    for of in &stats.benefit {
        let side = |side: &Side| {
            let share = side.share.map(|_| format!(" ({:.0}-{:.0} %)", 100.0 * side.low, 100.0 * side.high)).unwrap_or_default();
            format!("{} of {}{share}", side.breached, side.predictions)
        };
        let prevented = match (of.prevented_low, of.prevented_high) {
            (Some(low), Some(high)) => format!("acting prevented {:.0} to {:.0} of 100 breaches", 100.0 * low, 100.0 * high),
            _ => "what acting is worth is not known: one side is empty".to_owned(),
        };
        writeln!(
            out,
            "{}: followed by a breach {} acted upon, {} held out by lot: {prevented}",
            of.playbook,
            side(&of.acted),
            side(&of.held_out)
        )?;
    }
    let half_life = Span::from_secs_f64(stats.half_life_s);
    writeln!(
        out,
        "a run counts half after {half_life}; fewer than {} of a playbook are too few to conclude anything from",
        stats.least_evidence
    )?;
    out.flush()
}

fn row(playbook: &str, cause: &str, service: &str, standing: &Standing) -> Vec<String> {
    let percent = |share: f64| format!("{:.0}", 100.0 * share);
    let Standing { counts, rate, low, high, .. } = standing;
    let little = if standing.too_little_evidence { ", too few to say" } else { "" };
    vec![
        playbook.to_owned(),
        cause.to_owned(),
        service.to_owned(),
        counts.worked.to_string(),
        counts.failed.to_string(),
        counts.rolled_back.to_string(),
        counts.unknown.to_string(),
        format!("{} % ({}-{}){little}", percent(*rate), percent(*low), percent(*high)),
        format!("{} %", percent(standing.trust)),
        standing.median_stable_s.map_or_else(|| "-".to_owned(), |seconds| Span::from_secs(seconds.round() as i64).to_string()),
        standing.mode_at_most.as_str().to_owned(),
    ]
}
