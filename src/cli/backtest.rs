//! `portent backtest`: the past gone over again, with what would have been told about it.

mod acting;
mod csv;
mod diff;
mod page;
mod past;
mod progress;
mod server;
mod table;
mod truth;
pub mod tune;

use std::io::Write;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::ValueHint;

use self::past::{Opened, PastArgs};
use self::progress::{Progress, Stop};
use self::server::Served;
use super::chart::Colours;
use super::output::{ignore_closed, stdout};
use super::{Failure, Format, Outcome};
use crate::backtest::files::{self, Question, Share};
use crate::backtest::{Backtest, Diff, Rehearsal, Report, is_wanted, make_folder};
use crate::chart::Style;
use crate::config::act::ActConfig;
use crate::core::playbook::Playbook;
use crate::core::time::Span;
use crate::core::watch::{Limit, Side, Threshold, Watch};

/// Arguments of the verb.
#[derive(Clone, Debug, clap::Args)]
#[command(
    after_help = "Without FILE a Prometheus is read: the configuration's, or the one named by --prometheus. With only --prometheus, every \
                        pack that has data there is gone over.\n\n\
                        Examples:\n  portent backtest --prometheus http://localhost:9090\n  portent backtest -c portent.yaml --from 2026-03-01T00:00:00Z\n  \
                        portent backtest disk.csv --above 0.9 --horizon 24h\n  \
                        portent backtest disk.csv --above 0.9 --labels incidents.csv     a line each: series,start,end,what\n  \
                        portent backtest -c portent.yaml --truth alerts --alert DiskWillFill\n  \
                        portent backtest -c portent.yaml --diff other.yaml               what the other would have changed\n  \
                        portent backtest disk.csv --above 0.9 --report report.html       the whole as one page"
)]
pub struct Args {
    #[command(flatten)]
    past: PastArgs,
    /// What is bad in the files: values at or above this.
    #[arg(long, value_name = "VALUE", allow_negative_numbers = true, conflicts_with_all = ["below", "config", "watch", "prometheus"])]
    above: Option<f64>,
    /// What is bad in the files: values at or below this.
    #[arg(long, value_name = "VALUE", allow_negative_numbers = true, conflicts_with_all = ["config", "watch", "prometheus"])]
    below: Option<f64>,
    /// How far ahead a breach in the files is looked for.
    #[arg(long, value_name = "DURATION", default_value = "1d", conflicts_with_all = ["config", "watch", "prometheus"])]
    horizon: Span,
    /// Goes over the same once more with this configuration, and says what it would have changed: predictions that appear, vanish or move, and
    /// every headline figure.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with_all = ["above", "below"])]
    diff: Option<PathBuf>,
    /// Writes everything there as JSON too.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    json: Option<PathBuf>,
    /// Draws every prediction there, as it was known when it was raised.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    charts: Option<PathBuf>,
    /// Writes everything there as one page, to be read in a browser or printed.
    #[arg(long, value_name = "FILE.html", value_hint = ValueHint::FilePath)]
    report: Option<PathBuf>,
    /// Colours of the charts in --charts; the page of --report follows its reader's.
    #[arg(long, value_enum, default_value = "light", requires = "charts")]
    theme: Colours,
    /// How the result is written.
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    output: Format,
}

/// Goes over the past. Ends with 1 when it was stopped before the end.
pub fn run(args: &Args) -> Outcome {
    check(args)?;
    let stop = Stop::on_ctrl_c()?;
    let over =
        |args: &Args| args.past.in_pool(|| if args.past.files.is_empty() { over_prometheus(args, &stop) } else { over_files(args, &stop) });
    let mut report = over(args)?;
    if let Some(other) = args.diff.as_ref().filter(|_| !report.stopped_early) {
        let with = over(&Args {
            past: PastArgs { config: Some(other.clone()), ..args.past.clone() },
            charts: None,
            report: None,
            ..args.clone()
        })?;
        report.diff = Some(Diff::between(&report, &with, &other.display().to_string()));
        report.stopped_early |= with.stopped_early;
    }
    write(args, &report)?;
    Ok(if report.stopped_early { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn check(args: &Args) -> Result<(), Failure> {
    args.past.check()?;
    if args.past.files.is_empty() && (args.above.is_some() || args.below.is_some()) {
        return Err(Failure::usage("--above and --below are about files, and no file was named"));
    }
    if args.horizon <= Span::ZERO {
        return Err(Failure::usage("--horizon: want a length of time such as 24h"));
    }
    Ok(())
}

/// What is asked of files that no watch is named for.
fn question(args: &Args) -> Question {
    let limit = match (args.above, args.below) {
        (Some(value), _) => Some(Limit { side: Side::Above, threshold: Threshold::Value(value) }),
        (None, Some(value)) => Some(Limit { side: Side::Below, threshold: Threshold::Value(value) }),
        (None, None) => None,
    };
    Question { limit, horizon: args.horizon }
}

fn over_files(args: &Args, stop: &Stop) -> Result<Report, Failure> {
    let progress = Progress::new();
    let Opened { set, shares, notes, playbooks, act, .. } = args.past.open_files(&question(args), stop, &progress)?;
    let mut backtest = backtest(args, shares.iter().map(|s: &Share| s.watch.clone()).collect(), playbooks, act)?;
    for note in notes {
        backtest.note(note);
    }
    let whole = files::feed(&mut backtest, &set, &shares, args.past.to, |done| {
        progress.at(done, (0, 1));
        !stop.is_asked()
    })?;
    progress.end();
    Ok(backtest.finish(!whole)?)
}

fn over_prometheus(args: &Args, stop: &Stop) -> Result<Report, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| Failure::new(e.to_string()))?;
    runtime.block_on(read_prometheus(args, stop))
}

async fn read_prometheus(args: &Args, stop: &Stop) -> Result<Report, Failure> {
    let mut served = Served::open(&args.past).await?;
    let (playbooks, act) = (std::mem::take(&mut served.playbooks), std::mem::take(&mut served.act));
    let mut backtest = backtest(args, served.watches.iter().cloned().map(Arc::new).collect(), playbooks, act)?;
    let ControlFlow::Continue(alerts) = served.alerts(&args.past, stop).await? else { return Ok(backtest.finish(true)?) };
    if let Some((truth, note)) = alerts {
        backtest.judge_by(truth);
        backtest.note(note);
    }
    let whole = served.feed(&mut backtest, &args.past, stop).await?;
    Ok(backtest.finish(!whole)?)
}

fn backtest(args: &Args, watches: Vec<Arc<Watch>>, playbooks: Vec<Playbook>, act: ActConfig) -> Result<Backtest, Failure> {
    let rehearsal = is_wanted(&act.settings).then(|| Rehearsal::new(act.settings, act.topology, playbooks.clone()));
    let mut backtest = Backtest::new(watches, playbooks, args.past.judging());
    if let Some(rehearsal) = rehearsal {
        backtest.rehearse(rehearsal);
    }
    backtest.was_acted_upon(args.past.truth.acted()?);
    if let Some(labels) = args.past.truth.labels()? {
        backtest.judge_by(labels);
    }
    if let Some(folder) = &args.charts {
        make_folder(folder).map_err(|error| Failure::new(format!("cannot make folder {}: {error}", folder.display())))?;
        backtest.draw_into(folder.clone(), Style { theme: args.theme.theme(), ..Style::default() });
    }
    if args.report.is_some() {
        backtest.keep_pictures();
    }
    Ok(backtest)
}

fn write(args: &Args, report: &Report) -> Result<(), Failure> {
    if let Some(file) = &args.json {
        let fail = |error: &dyn std::fmt::Display| Failure::new(format!("cannot write {}: {error}", file.display()));
        let text = serde_json::to_vec_pretty(report).map_err(|e| fail(&e))?;
        std::fs::write(file, text).map_err(|e| fail(&e))?;
    }
    if let Some(file) = &args.report {
        page::write(file, report, args)?;
    }
    let mut out = stdout();
    let written = match args.output {
        Format::Table => table::write(&mut out, report),
        Format::Csv => csv::write(&mut out, report),
        Format::Json => serde_json::to_writer_pretty(&mut out, report).map_err(Into::into).and_then(|()| writeln!(out)),
        Format::Jsonl => report.predictions.iter().try_for_each(|told| {
            serde_json::to_writer(&mut out, told)?;
            writeln!(out)
        }),
    };
    ignore_closed(written.and_then(|()| out.flush()))?;
    Ok(())
}
