//! `portent tune`: settings proposed from the past, as a patch for the configuration. It reads what `portent backtest` reads.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{ValueEnum, ValueHint};

use super::past::PastArgs;
use super::server::Served;
use super::{Failure, Outcome, Progress, Stop};
use crate::backtest::files::{self, Question};
use crate::backtest::tune::{Proposal, Trials, Tuned, Tuning, Wish, patch};
use crate::cli::output::{self, ignore_closed, stdout};
use crate::core::score::false_alarms_per_week;
use crate::core::time::Span;

const EXAMPLES: &str = "\
Examples:
  portent tune -c portent.yaml --false-alarms 1/week                     over the last two weeks of its sources
  portent tune -c portent.yaml --from 2026-03-01T00:00:00Z --min-lead 30m --patch tuned.yaml -o table
  portent tune -c portent.yaml history.parquet --watch disk-filling

Tried are sigma, horizon, profile, raise, clear and sustain of every watch with a threshold: each alone on a few rungs, then what did best \
together, at most 36 settings a watch, gone through in two readings of the past. It takes as long as so many backtests. Chosen is on the first \
60 % of what can be judged, by the events of today's settings; the figures beside it are of the rest, which the choice has not seen. \
Nothing is changed: merge the patch, or leave it.";

/// Propose settings from the past: what would have told more, within a budget of false alarms
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Tune {
    #[command(flatten)]
    past: PastArgs,
    /// False alarms that one watch may have, all its series together: 1/week, 0.5/day, 2/month.
    #[arg(long, value_name = "N/SPAN", default_value = "1/week", value_parser = false_alarms_per_week)]
    false_alarms: f64,
    /// What is told later than this before it happens does not count as told.
    #[arg(long, value_name = "DURATION", default_value = "0s")]
    min_lead: Span,
    /// Writes the patch there, and not to stdout.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    patch: Option<PathBuf>,
    /// What stdout gets [default: the patch, or a table where --patch names a file].
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    output: Option<Shown>,
}

/// How the proposal is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Shown {
    /// The patch, with the figures as comments.
    Yaml,
    /// Figures before and after, for people.
    Table,
    /// Everything, as one JSON object.
    Json,
}

impl Tune {
    /// Ends with 1 when it was stopped before the end.
    pub fn run(&self) -> Outcome {
        if self.min_lead < Span::ZERO {
            return Err(Failure::usage("--min-lead: want a length of time such as 30m"));
        }
        let past = self.past();
        past.check()?;
        let stop = Stop::on_ctrl_c()?;
        let (tuned, own) =
            past.in_pool(|| if past.files.is_empty() { self.on_server(&past, &stop) } else { self.on_files(&past, &stop) })?;
        let is_own = |watch: &str| own.contains(watch);
        let text = patch::yaml(&tuned, is_own);
        if let Some(file) = &self.patch {
            std::fs::write(file, &text).map_err(|error| Failure::new(format!("cannot write {}: {error}", file.display())))?;
        }
        let usual = if self.patch.is_some() { Shown::Table } else { Shown::Yaml };
        let mut out = stdout();
        let written = match self.output.unwrap_or(usual) {
            Shown::Yaml => out.write_all(text.as_bytes()),
            Shown::Table => table(&mut out, &tuned),
            Shown::Json => serde_json::to_writer_pretty(&mut out, &tuned).map_err(Into::into).and_then(|()| writeln!(out)),
        };
        ignore_closed(written.and_then(|()| out.flush()))?;
        Ok(if tuned.stopped_early { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }

    /// The past to go over; the usual configuration where neither one nor a server is named.
    fn past(&self) -> PastArgs {
        let usual = || self.past.prometheus.is_none().then(|| crate::config::DEFAULT_FILE.into());
        PastArgs { config: self.past.config.clone().or_else(usual), ..self.past.clone() }
    }

    fn wish(&self) -> Wish {
        Wish { false_alarms_per_week: self.false_alarms, min_lead: self.min_lead }
    }

    fn on_files(&self, past: &PastArgs, stop: &Stop) -> Result<(Tuned, BTreeSet<String>), Failure> {
        let opened = past.open_files(&Question { limit: None, horizon: Span::DAY }, stop, &Progress::new())?;
        let watches = opened.shares.iter().map(|share| share.watch.clone()).collect();
        let mut tuning = Tuning::new(watches, past.judging(), self.wish());
        opened.notes.iter().for_each(|note| tuning.note(note.clone()));
        if let Some(labels) = past.truth.labels()? {
            tuning.judge_by(labels);
        }
        rounds(&mut tuning, |trials, round| {
            let progress = Progress::new();
            let whole = files::feed(trials, &opened.set, &opened.shares, past.to, |done| {
                progress.at(done, (round, ROUNDS));
                !stop.is_asked()
            })?;
            progress.end();
            Ok(whole)
        })?;
        Ok((tuning.finish(), opened.own))
    }

    fn on_server(&self, past: &PastArgs, stop: &Stop) -> Result<(Tuned, BTreeSet<String>), Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let served = runtime.block_on(Served::open(past))?;
        let watches = served.watches.iter().cloned().map(Arc::new).collect();
        let mut tuning = Tuning::new(watches, past.judging(), self.wish());
        if let Some(labels) = past.truth.labels()? {
            tuning.judge_by(labels);
        }
        let ControlFlow::Continue(alerts) = runtime.block_on(served.alerts(past, stop))? else {
            return Err(Failure::new("stopped before anything was looked at"));
        };
        if let Some((truth, note)) = alerts {
            tuning.judge_by(truth);
            tuning.note(note);
        }
        rounds(&mut tuning, |trials, _| runtime.block_on(served.feed(trials, past, stop)))?;
        Ok((tuning.finish(), served.own))
    }
}

/// Readings of the past.
const ROUNDS: usize = 2;

/// Feeds round after round. `feed` says whether it came to the end.
fn rounds(tuning: &mut Tuning, mut feed: impl FnMut(&mut Trials, usize) -> Result<bool, Failure>) -> Result<(), Failure> {
    for round in 0..ROUNDS {
        let Some(mut trials) = tuning.round() else { break };
        let whole = feed(&mut trials, round)?;
        tuning.learn(trials, !whole)?;
    }
    Ok(())
}

fn table(out: &mut impl Write, tuned: &Tuned) -> io::Result<()> {
    let header = ["WATCH", "SETTINGS", "ON THE REST, NOT SEEN BY THE CHOICE"];
    let mut rows = Vec::new();
    for proposal in &tuned.proposals {
        let Proposal { watch, shown_on, .. } = proposal;
        let on =
            |figures: Option<&crate::backtest::tune::Figures>| figures.map_or_else(|| "nothing could be judged".to_owned(), patch::brief);
        rows.push(vec![watch.clone(), "today".to_owned(), on(shown_on.as_ref().map(|compared| &compared.today))]);
        if let Some(proposed) = shown_on.as_ref().and_then(|compared| compared.proposed.as_ref()) {
            rows.push(vec![String::new(), "proposed".to_owned(), on(Some(proposed))]);
        }
    }
    output::table(out, &header, &rows)?;
    writeln!(out)?;
    for Proposal { watch, changes, because, compared, .. } in &tuned.proposals {
        let what = if changes.is_empty() { "kept as it is" } else { "to be changed" };
        writeln!(out, "{watch}: {what}: {because} ({compared} settings compared)")?;
    }
    if tuned.stopped_early {
        writeln!(out, "stopped before the end")?;
    }
    tuned.notes.iter().try_for_each(|note| writeln!(out, "note: {note}"))
}
