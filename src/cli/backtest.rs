//! `portent backtest`: the past gone over again, with what would have been told about it.

mod csv;
mod diff;
mod page;
mod progress;
mod table;
mod truth;
pub mod tune;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::ValueHint;

use self::progress::{Progress, Stop};
use self::truth::TruthArgs;
use super::chart::Colours;
use super::output::{ignore_closed, stdout};
use super::{Failure, Format, Outcome};
use crate::backtest::cache::Cache;
use crate::backtest::files::{self, Question, Share};
use crate::backtest::range;
use crate::backtest::truth::Truth;
use crate::backtest::{Backtest, Diff, Judging, PastError, Report, Take, make_folder};
use crate::chart::Style;
use crate::clock::{Clock, SystemClock};
use crate::config::{self, Config, ConfigErrors};
use crate::core::playbook::Playbook;
use crate::core::time::{Span, Timestamp};
use crate::core::watch::{Limit, Side, Threshold, Watch};
use crate::packs;
use crate::source::prometheus::PrometheusClient;
use crate::source::replay::History;

/// How far back a Prometheus is read unless told: one week to learn from, one to judge.
const DEFAULT_RANGE: Span = Span::WEEK.times(2);
/// Threads at most: more than any machine this runs on has processors.
const MAX_THREADS: usize = 1_024;

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
    /// Data files, CSV or Parquet; `-` is CSV on standard input.
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    files: Vec<PathBuf>,
    /// The configuration whose watches are gone over.
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    config: Option<PathBuf>,
    /// Only this watch, of the configuration or of a pack; may stand several times.
    #[arg(long, value_name = "NAME")]
    watch: Vec<String>,
    /// The Prometheus to read, instead of the configuration's.
    #[arg(long, value_name = "URL", conflicts_with = "files")]
    prometheus: Option<String>,
    /// Nothing is told about the time before; it is only learned from.
    #[arg(long, value_name = "TIME")]
    from: Option<Timestamp>,
    /// Nothing later is looked at [default: now, or the end of the files].
    #[arg(long, value_name = "TIME")]
    to: Option<Timestamp>,
    /// How much is only learned from before anything is told [default: the baseline's window, 7d, or half of less than two of them].
    #[arg(long, value_name = "DURATION")]
    warmup: Option<Span>,
    /// What is bad in the files: values at or above this.
    #[arg(long, value_name = "VALUE", allow_negative_numbers = true, conflicts_with_all = ["below", "config", "watch", "prometheus"])]
    above: Option<f64>,
    /// What is bad in the files: values at or below this.
    #[arg(long, value_name = "VALUE", allow_negative_numbers = true, conflicts_with_all = ["config", "watch", "prometheus"])]
    below: Option<f64>,
    /// How far ahead a breach in the files is looked for.
    #[arg(long, value_name = "DURATION", default_value = "1d", conflicts_with_all = ["config", "watch", "prometheus"])]
    horizon: Span,
    #[command(flatten)]
    truth: TruthArgs,
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
    /// Where a server's answers are kept, so that a second run over the same time needs no server [default: portent in the user's cache folder].
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    cache: Option<PathBuf>,
    /// Asks the server for everything, and keeps nothing.
    #[arg(long, conflicts_with = "cache")]
    no_cache: bool,
    /// How the result is written.
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    output: Format,
    /// Threads that work side by side; the result does not depend on it [default: one a processor].
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
}

/// Goes over the past. Ends with 1 when it was stopped before the end.
pub fn run(args: &Args) -> Outcome {
    check(args)?;
    let stop = Stop::on_ctrl_c()?;
    let over =
        |args: &Args| in_pool(args.threads, || if args.files.is_empty() { over_prometheus(args, &stop) } else { over_files(args, &stop) });
    let mut report = over(args)?;
    if let Some(other) = args.diff.as_ref().filter(|_| !report.stopped_early) {
        let with = over(&Args { config: Some(other.clone()), charts: None, report: None, ..args.clone() })?;
        report.diff = Some(Diff::between(&report, &with, &other.display().to_string()));
        report.stopped_early |= with.stopped_early;
    }
    write(args, &report)?;
    Ok(if report.stopped_early { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Does the work on so many threads.
fn in_pool<T: Send>(threads: Option<usize>, work: impl FnOnce() -> Result<T, Failure> + Send) -> Result<T, Failure> {
    let mut pool = rayon::ThreadPoolBuilder::new();
    if let Some(threads) = threads {
        pool = pool.num_threads(threads);
    }
    pool.build().map_err(|error| Failure::new(format!("cannot start threads: {error}")))?.install(work)
}

fn check(args: &Args) -> Result<(), Failure> {
    if args.files.is_empty() && args.config.is_none() && args.watch.is_empty() && args.prometheus.is_none() {
        return Err(Failure::usage("nothing to go over: name data files, a configuration (-c FILE) or --prometheus URL")
            .hint("portent backtest --prometheus http://localhost:9090 goes over the last two weeks there"));
    }
    if args.files.is_empty() && (args.above.is_some() || args.below.is_some()) {
        return Err(Failure::usage("--above and --below are about files, and no file was named"));
    }
    if args.threads.is_some_and(|threads| threads == 0 || threads > MAX_THREADS) {
        return Err(Failure::usage(format!("--threads: want 1 to {MAX_THREADS}")));
    }
    args.truth.check(!args.files.is_empty())?;
    if let (Some(from), Some(to)) = (args.from, args.to)
        && from >= to
    {
        return Err(Failure::usage(format!("--from {from} is not before --to {to}")));
    }
    if args.horizon <= Span::ZERO || args.warmup.is_some_and(|warmup| warmup < Span::ZERO) {
        return Err(Failure::usage("--horizon and --warmup: want a length of time such as 24h"));
    }
    Ok(())
}

/// Files as a past, and the watches that find series in it.
struct Opened {
    set: History,
    shares: Vec<Share>,
    notes: Vec<String>,
    playbooks: Vec<Playbook>,
    /// Names of the watches that stand in the configuration itself.
    own: BTreeSet<String>,
}

fn open_files(args: &Args, stop: &Stop, progress: &Progress) -> Result<Opened, Failure> {
    let set = History::read(&args.files, |rows| {
        progress.reading(rows);
        !stop.is_asked()
    })?;
    if args.config.is_some() || !args.watch.is_empty() {
        let Chosen { watches, playbooks, own, .. } = watches(args, None)?;
        let (shares, notes) = files::share_out(&set, &watches);
        if shares.is_empty() {
            return Err(Failure::new(format!("no watch finds a series in the files: {}", notes.join("; ")))
                .hint("a watch's query must be a plain selector of the files' labels, as in disk_used{host=\"a\"}"));
        }
        return Ok(Opened { set, shares, notes, playbooks, own });
    }
    let limit = match (args.above, args.below) {
        (Some(value), _) => Some(Limit { side: Side::Above, threshold: Threshold::Value(value) }),
        (None, Some(value)) => Some(Limit { side: Side::Below, threshold: Threshold::Value(value) }),
        (None, None) => None,
    };
    let shares = files::make_watches(&set, &Question { limit, horizon: args.horizon });
    if shares.is_empty() {
        return Err(Failure::new("the files hold no samples"));
    }
    Ok(Opened { set, shares, notes: Vec::new(), playbooks: Vec::new(), own: BTreeSet::new() })
}

fn over_files(args: &Args, stop: &Stop) -> Result<Report, Failure> {
    let progress = Progress::new();
    let Opened { set, shares, notes, playbooks, .. } = open_files(args, stop, &progress)?;
    let mut backtest = backtest(args, shares.iter().map(|s: &Share| s.watch.clone()).collect(), playbooks)?;
    for note in notes {
        backtest.note(note);
    }
    let whole = files::feed(&mut backtest, &set, &shares, args.to, |done| {
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

/// Servers as a past, and the watches that are about them.
struct Served {
    clients: BTreeMap<Arc<str>, PrometheusClient>,
    cache: Option<Cache>,
    watches: Vec<Watch>,
    playbooks: Vec<Playbook>,
    own: BTreeSet<String>,
    now: Timestamp,
    to: Timestamp,
}

async fn open_server(args: &Args) -> Result<Served, Failure> {
    let now = SystemClock::new().now();
    let to = args.to.unwrap_or(now);
    let cache = cache(args)?;
    let Chosen { config, watches, playbooks, own } = watches(args, args.prometheus.as_deref())?;
    // The provider is the process's; a second call finds it there, which is fine.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut clients = BTreeMap::new();
    for source in &config.sources {
        clients.insert(source.name.clone(), PrometheusClient::new(source.prometheus.settings(&config.limits))?);
    }
    let watches = if watches.is_empty() { with_data(&config, &clients, cache.as_ref(), to, now).await? } else { watches };
    Ok(Served { clients, cache, watches, playbooks, own, now, to })
}

async fn read_prometheus(args: &Args, stop: &Stop) -> Result<Report, Failure> {
    let mut served = open_server(args).await?;
    let playbooks = std::mem::take(&mut served.playbooks);
    let mut backtest = backtest(args, served.watches.iter().cloned().map(Arc::new).collect(), playbooks)?;
    let ControlFlow::Continue(alerts) = served.alerts(args, stop).await? else { return Ok(backtest.finish(true)?) };
    if let Some((truth, note)) = alerts {
        backtest.judge_by(truth);
        backtest.note(note);
    }
    let whole = feed_server(&mut backtest, &served, args, stop).await?;
    Ok(backtest.finish(!whole)?)
}

impl Served {
    /// What is judged from `from` on has learned before; a whole window where the server still has it.
    fn learns_from(&self, watch: &Watch, args: &Args) -> Timestamp {
        args.from.map_or(self.to - DEFAULT_RANGE, |from| from - args.warmup.unwrap_or(watch.baseline.window))
    }

    fn server<'a>(&'a self, client: &'a PrometheusClient) -> range::Server<'a> {
        range::Server { client, cache: self.cache.as_ref(), now: self.now }
    }

    /// The server's alerts, if they are the truth, unless it was stopped meanwhile.
    async fn alerts(&self, args: &Args, stop: &Stop) -> Result<ControlFlow<(), Option<(Truth, String)>>, Failure> {
        let begin = self.watches.iter().map(|watch| self.learns_from(watch, args)).min().unwrap_or(self.to);
        let servers = self.clients.iter().map(|(name, client)| (name, self.server(client)));
        tokio::select! {
            read = args.truth.alerts(servers, (begin, self.to)) => read.map(ControlFlow::Continue).map_err(|error| source_failure(error.into())),
            () = stop.asked() => Ok(ControlFlow::Break(())),
        }
    }
}

/// Reads every watch and feeds it. Says whether all was looked at.
async fn feed_server(take: &mut impl Take, served: &Served, args: &Args, stop: &Stop) -> Result<bool, Failure> {
    let Served { clients, watches, to, .. } = served;
    let progress = Progress::new();
    let mut whole = true;
    for (index, watch) in watches.iter().enumerate() {
        let Some(client) = clients.get(&watch.source) else { continue };
        let reading = range::feed(take, index, served.server(client), (served.learns_from(watch, args), *to), |done| {
            progress.at(done, (index, watches.len()));
            !stop.is_asked()
        });
        let read = tokio::select! {
            read = reading => Some(read),
            () = stop.asked() => None,
        };
        whole = match read {
            Some(read) => read.map_err(source_failure)?,
            None => false,
        };
        if !whole {
            break;
        }
    }
    progress.end();
    Ok(whole)
}

/// The cache that was named, or the usual one where it can be had.
fn cache(args: &Args) -> Result<Option<Cache>, Failure> {
    if args.no_cache {
        return Ok(None);
    }
    if let Some(folder) = &args.cache {
        let failed = |error| Failure::new(format!("cannot use cache folder {}: {error}", folder.display()));
        return Cache::open(folder).map(Some).map_err(failed);
    }
    // https://specifications.freedesktop.org/basedir-spec/latest/
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")));
    Ok(base.and_then(|base| {
        let folder = base.join("portent").join("backtest");
        Cache::open(&folder).inspect_err(|error| tracing::debug!(folder = %folder.display(), %error, "no cache")).ok()
    }))
}

fn source_failure(error: PastError) -> Failure {
    let hint = if let PastError::Source(error) = &error { error.hint() } else { None };
    let failure = Failure::from(error);
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

fn backtest(args: &Args, watches: Vec<Arc<Watch>>, playbooks: Vec<Playbook>) -> Result<Backtest, Failure> {
    let mut backtest = Backtest::new(watches, playbooks, Judging { from: args.from, warmup: args.warmup });
    if let Some(labels) = args.truth.labels()? {
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

/// The configuration in use, the watches that were asked for (none: every pack's that has data), and the playbooks to suggest.
struct Chosen {
    config: Config,
    watches: Vec<Watch>,
    playbooks: Vec<Playbook>,
    /// Names of the configuration's own watches.
    own: BTreeSet<String>,
}

fn watches(args: &Args, url: Option<&str>) -> Result<Chosen, Failure> {
    let usage = |errors: ConfigErrors| Failure::usage(errors.to_string());
    let own = match (&args.config, url) {
        (Some(file), _) => Some(config::load(file).map_err(usage)?),
        (None, None) if Path::new(config::DEFAULT_FILE).exists() => Some(config::load(Path::new(config::DEFAULT_FILE)).map_err(usage)?),
        (None, _) => None,
    };
    let mut config = match (own, url) {
        (Some(mut own), Some(url)) => {
            let other = Config::for_url(url).map_err(usage)?;
            for source in &mut own.sources {
                source.prometheus.url = other.sources[0].prometheus.url.clone();
            }
            own
        }
        (Some(own), None) => own,
        (None, Some(url)) => Config::for_url(url).map_err(usage)?,
        (None, None) => Config::for_url("http://127.0.0.1:9090").map_err(usage)?,
    };
    let known = std::mem::take(&mut config.watches);
    let playbooks = config.playbooks.clone();
    let own = known.iter().map(|watch| watch.name.to_string()).collect();
    if args.watch.is_empty() {
        return Ok(Chosen { config, watches: known, playbooks, own });
    }
    let source = config.sources[0].name.clone();
    let of_packs: Vec<Watch> = packs::all().iter().flat_map(|pack| pack.watches_on(&source, true)).collect();
    let find = |name: &String| {
        let found = known.iter().chain(&of_packs).find(|watch| *watch.name == **name);
        found.cloned().ok_or_else(|| {
            let names: Vec<&str> = known.iter().chain(&of_packs).map(|watch| &*watch.name).collect();
            Failure::usage(format!("there is no watch {name:?}")).hint(format!("known: {}", names.join(", ")))
        })
    };
    let watches = args.watch.iter().map(find).collect::<Result<Vec<_>, _>>()?;
    if args.config.is_none() && url.is_none() && args.files.is_empty() && !Path::new(config::DEFAULT_FILE).exists() {
        return Err(Failure::usage("--watch without a server: name one with --prometheus URL or a configuration with -c FILE"));
    }
    Ok(Chosen { config, watches, playbooks, own })
}

/// The watches of every pack that has data at that time.
async fn with_data(
    config: &Config,
    clients: &BTreeMap<Arc<str>, PrometheusClient>,
    cache: Option<&Cache>,
    at: Timestamp,
    now: Timestamp,
) -> Result<Vec<Watch>, Failure> {
    let mut watches = Vec::new();
    for used in &config.packs {
        let Some(client) = clients.get(&used.source) else { continue };
        let source = range::Server { client, cache, now };
        if range::has_data(source, &used.pack.probe, at).await.map_err(|e| source_failure(e.into()))? {
            watches.extend(used.pack.watches_on(&used.source, true));
        }
    }
    if watches.is_empty() {
        let names: Vec<&str> = config.packs.iter().map(|used| used.pack.name.as_str()).collect();
        return Err(Failure::new(format!("no pack has data on this server at {at}: looked for {}", names.join(", ")))
            .hint("write watches of your own into a configuration and name it with -c FILE"));
    }
    Ok(watches)
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
