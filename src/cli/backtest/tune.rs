//! `portent tune`: settings proposed from the past, as a patch for the configuration. It reads what `portent backtest` reads.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{ValueEnum, ValueHint};

use super::truth::TruthArgs;
use super::{Args, Failure, Outcome, Progress, Stop, feed_server, in_pool, open_files, open_server};
use crate::backtest::tune::{Proposal, Trials, Tuned, Tuning, Wish, patch};
use crate::backtest::{Judging, files};
use crate::cli::chart::Colours;
use crate::cli::output::{self, Format, ignore_closed, stdout};
use crate::core::score::false_alarms_per_week;
use crate::core::time::{Span, Timestamp};

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
    /// Data files, CSV or Parquet, instead of the configuration's sources; `-` is CSV on standard input.
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    files: Vec<PathBuf>,
    /// The configuration whose watches are tuned [default: portent.yaml, where there is one].
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    config: Option<PathBuf>,
    /// Only this watch, of the configuration or of a pack; may stand several times.
    #[arg(long, value_name = "NAME")]
    watch: Vec<String>,
    /// False alarms that one watch may have, all its series together: 1/week, 0.5/day, 2/month.
    #[arg(long, value_name = "N/SPAN", default_value = "1/week", value_parser = false_alarms_per_week)]
    false_alarms: f64,
    /// What is told later than this before it happens does not count as told.
    #[arg(long, value_name = "DURATION", default_value = "0s")]
    min_lead: Span,
    /// Writes the patch there, and not to stdout.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    patch: Option<PathBuf>,
    /// The Prometheus to read, instead of the configuration's.
    #[arg(long, value_name = "URL", conflicts_with = "files")]
    prometheus: Option<String>,
    /// Nothing is judged before; it is only learned from.
    #[arg(long, value_name = "TIME")]
    from: Option<Timestamp>,
    /// Nothing later is looked at [default: now, or the end of the files].
    #[arg(long, value_name = "TIME")]
    to: Option<Timestamp>,
    /// How much is only learned from [default: the baseline's window, 7d, or half of less than two of them].
    #[arg(long, value_name = "DURATION")]
    warmup: Option<Span>,
    #[command(flatten)]
    truth: TruthArgs,
    /// Where a server's answers are kept [default: portent in the user's cache folder].
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    cache: Option<PathBuf>,
    /// Asks the server for everything, twice, and keeps nothing.
    #[arg(long, conflicts_with = "cache")]
    no_cache: bool,
    /// What stdout gets [default: the patch, or a table where --patch names a file].
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    output: Option<Shown>,
    /// Threads that work side by side; the result does not depend on it [default: one a processor].
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
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
        super::check(&past)?;
        let stop = Stop::on_ctrl_c()?;
        let (tuned, own) =
            in_pool(self.threads, || if self.files.is_empty() { self.on_server(&past, &stop) } else { self.on_files(&past, &stop) })?;
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

    /// The past to go over, as a backtest is told of it.
    fn past(&self) -> Args {
        let config = self.config.clone().or_else(|| self.prometheus.is_none().then(|| crate::config::DEFAULT_FILE.into()));
        Args {
            files: self.files.clone(),
            config,
            watch: self.watch.clone(),
            prometheus: self.prometheus.clone(),
            from: self.from,
            to: self.to,
            warmup: self.warmup,
            above: None,
            below: None,
            horizon: Span::DAY,
            truth: self.truth.clone(),
            diff: None,
            json: None,
            charts: None,
            report: None,
            theme: Colours::Light,
            cache: self.cache.clone(),
            no_cache: self.no_cache,
            output: Format::Table,
            threads: self.threads,
        }
    }

    fn wish(&self) -> Wish {
        Wish { false_alarms_per_week: self.false_alarms, min_lead: self.min_lead }
    }

    fn judging(&self) -> Judging {
        Judging { from: self.from, warmup: self.warmup }
    }

    fn on_files(&self, past: &Args, stop: &Stop) -> Result<(Tuned, BTreeSet<String>), Failure> {
        let opened = open_files(past, stop, &Progress::new())?;
        let watches = opened.shares.iter().map(|share| share.watch.clone()).collect();
        let mut tuning = Tuning::new(watches, self.judging(), self.wish());
        opened.notes.iter().for_each(|note| tuning.note(note.clone()));
        if let Some(labels) = self.truth.labels()? {
            tuning.judge_by(labels);
        }
        rounds(&mut tuning, |trials, round| {
            let progress = Progress::new();
            let whole = files::feed(trials, &opened.set, &opened.shares, self.to, |done| {
                progress.at(done, (round, ROUNDS));
                !stop.is_asked()
            })?;
            progress.end();
            Ok(whole)
        })?;
        Ok((tuning.finish(), opened.own))
    }

    fn on_server(&self, past: &Args, stop: &Stop) -> Result<(Tuned, BTreeSet<String>), Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let served = runtime.block_on(open_server(past))?;
        let watches = served.watches.iter().cloned().map(Arc::new).collect();
        let mut tuning = Tuning::new(watches, self.judging(), self.wish());
        if let Some(labels) = self.truth.labels()? {
            tuning.judge_by(labels);
        }
        let ControlFlow::Continue(alerts) = runtime.block_on(served.alerts(past, stop))? else {
            return Err(Failure::new("stopped before anything was looked at"));
        };
        if let Some((truth, note)) = alerts {
            tuning.judge_by(truth);
            tuning.note(note);
        }
        rounds(&mut tuning, |trials, _| runtime.block_on(feed_server(trials, &served, past, stop)))?;
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
