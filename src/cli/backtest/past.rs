//! Which past is gone over, for every verb that goes over one: its arguments, the watches they choose, and files opened as a past.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::ValueHint;

use super::progress::{Progress, Stop};
use super::truth::TruthArgs;
use crate::backtest::Judging;
use crate::backtest::cache::Cache;
use crate::backtest::files::{self, Question, Share};
use crate::cli::Failure;
use crate::config::act::ActConfig;
use crate::config::{self, Config, ConfigErrors};
use crate::core::playbook::Playbook;
use crate::core::time::{Span, Timestamp};
use crate::core::watch::Watch;
use crate::packs;
use crate::source::replay::History;

/// Threads at most: more than any machine this runs on has processors.
const MAX_THREADS: usize = 1_024;

/// Arguments that say which past.
#[derive(Clone, Debug, clap::Args)]
pub struct PastArgs {
    /// Data files, CSV or Parquet; `-` is CSV on standard input.
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub files: Vec<PathBuf>,
    /// The configuration whose watches are gone over.
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
    /// Only this watch, of the configuration or of a pack; may stand several times.
    #[arg(long, value_name = "NAME")]
    pub watch: Vec<String>,
    /// The Prometheus to read, instead of the configuration's.
    #[arg(long, value_name = "URL", conflicts_with = "files")]
    pub prometheus: Option<String>,
    /// Nothing is told about the time before; it is only learned from.
    #[arg(long, value_name = "TIME")]
    pub from: Option<Timestamp>,
    /// Nothing later is looked at [default: now, or the end of the files].
    #[arg(long, value_name = "TIME")]
    pub to: Option<Timestamp>,
    /// How much is only learned from before anything is told [default: the baseline's window, 7d, or half of less than two of them].
    #[arg(long, value_name = "DURATION")]
    pub warmup: Option<Span>,
    #[command(flatten)]
    pub truth: TruthArgs,
    /// Where a server's answers are kept, so that a second run over the same time needs no server [default: portent in the user's cache folder].
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub cache: Option<PathBuf>,
    /// Asks the server for everything, and keeps nothing.
    #[arg(long, conflicts_with = "cache")]
    pub no_cache: bool,
    /// Threads that work side by side; the result does not depend on it [default: one a processor].
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
}

/// Files as a past, and the watches that find series in it.
pub(super) struct Opened {
    pub set: History,
    pub shares: Vec<Share>,
    pub notes: Vec<String>,
    pub playbooks: Vec<Playbook>,
    pub act: ActConfig,
    /// Names of the watches that stand in the configuration itself.
    pub own: BTreeSet<String>,
}

/// The configuration in use, the watches that were asked for (none: every pack's that has data), and the playbooks to suggest.
pub(super) struct Chosen {
    pub config: Config,
    pub watches: Vec<Watch>,
    pub playbooks: Vec<Playbook>,
    /// Names of the configuration's own watches.
    pub own: BTreeSet<String>,
}

impl PastArgs {
    /// Whether they go together.
    pub(super) fn check(&self) -> Result<(), Failure> {
        if self.files.is_empty() && self.config.is_none() && self.watch.is_empty() && self.prometheus.is_none() {
            return Err(Failure::usage("nothing to go over: name data files, a configuration (-c FILE) or --prometheus URL")
                .hint("portent backtest --prometheus http://localhost:9090 goes over the last two weeks there"));
        }
        if self.threads.is_some_and(|threads| threads == 0 || threads > MAX_THREADS) {
            return Err(Failure::usage(format!("--threads: want 1 to {MAX_THREADS}")));
        }
        self.truth.check(!self.files.is_empty())?;
        if let (Some(from), Some(to)) = (self.from, self.to)
            && from >= to
        {
            return Err(Failure::usage(format!("--from {from} is not before --to {to}")));
        }
        if self.warmup.is_some_and(|warmup| warmup < Span::ZERO) {
            return Err(Failure::usage("--warmup: want a length of time such as 24h"));
        }
        Ok(())
    }

    pub(super) fn judging(&self) -> Judging {
        Judging { from: self.from, warmup: self.warmup }
    }

    /// Does the work on as many threads as were asked for.
    pub(super) fn in_pool<T: Send>(&self, work: impl FnOnce() -> Result<T, Failure> + Send) -> Result<T, Failure> {
        let mut pool = rayon::ThreadPoolBuilder::new();
        if let Some(threads) = self.threads {
            pool = pool.num_threads(threads);
        }
        pool.build().map_err(|error| Failure::new(format!("cannot start threads: {error}")))?.install(work)
    }

    /// `question` is what is asked of every series where no watch is named.
    pub(super) fn open_files(&self, question: &Question, stop: &Stop, progress: &Progress) -> Result<Opened, Failure> {
        let set = History::read(&self.files, |rows| {
            progress.reading(rows);
            !stop.is_asked()
        })?;
        if self.config.is_some() || !self.watch.is_empty() {
            let Chosen { config, watches, playbooks, own } = self.choose(None)?;
            let (shares, notes) = files::share_out(&set, &watches);
            if shares.is_empty() {
                return Err(Failure::new(format!("no watch finds a series in the files: {}", notes.join("; ")))
                    .hint("a watch's query must be a plain selector of the files' labels, as in disk_used{host=\"a\"}"));
            }
            return Ok(Opened { set, shares, notes, playbooks, act: config.act, own });
        }
        let shares = files::make_watches(&set, question);
        if shares.is_empty() {
            return Err(Failure::new("the files hold no samples"));
        }
        Ok(Opened { set, shares, notes: Vec::new(), playbooks: Vec::new(), act: ActConfig::default(), own: BTreeSet::new() })
    }

    /// `url` is the server instead of the configuration's.
    pub(super) fn choose(&self, url: Option<&str>) -> Result<Chosen, Failure> {
        let usage = |errors: ConfigErrors| Failure::usage(errors.to_string());
        let own = match (&self.config, url) {
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
        if self.watch.is_empty() {
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
        let watches = self.watch.iter().map(find).collect::<Result<Vec<_>, _>>()?;
        if self.config.is_none() && url.is_none() && self.files.is_empty() && !Path::new(config::DEFAULT_FILE).exists() {
            return Err(Failure::usage("--watch without a server: name one with --prometheus URL or a configuration with -c FILE"));
        }
        Ok(Chosen { config, watches, playbooks, own })
    }

    /// The cache that was named, or the usual one where it can be had.
    pub(super) fn cache(&self) -> Result<Option<Cache>, Failure> {
        if self.no_cache {
            return Ok(None);
        }
        if let Some(folder) = &self.cache {
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
}
