//! Servers as a past: which are asked, for which watches, and how what they hold is fed to whoever goes over it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use super::past::{Chosen, PastArgs};
use super::progress::{Progress, Stop};
use crate::backtest::cache::Cache;
use crate::backtest::truth::Truth;
use crate::backtest::{PastError, Take, range};
use crate::cli::Failure;
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::config::act::ActConfig;
use crate::core::playbook::Playbook;
use crate::core::time::{Span, Timestamp};
use crate::core::watch::Watch;
use crate::source::prometheus::PrometheusClient;

/// How far back a Prometheus is read unless told: one week to learn from, one to judge.
const DEFAULT_RANGE: Span = Span::WEEK.times(2);

/// Servers as a past, and the watches that are about them.
pub(super) struct Served {
    clients: BTreeMap<Arc<str>, PrometheusClient>,
    cache: Option<Cache>,
    pub watches: Vec<Watch>,
    pub playbooks: Vec<Playbook>,
    pub act: ActConfig,
    pub own: BTreeSet<String>,
    now: Timestamp,
    to: Timestamp,
}

impl Served {
    pub async fn open(past: &PastArgs) -> Result<Self, Failure> {
        let now = SystemClock::new().now();
        let to = past.to.unwrap_or(now);
        let cache = past.cache()?;
        let Chosen { config, watches, playbooks, own } = past.choose(past.prometheus.as_deref())?;
        // The provider is the process's; a second call finds it there, which is fine.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut clients = BTreeMap::new();
        for source in &config.sources {
            clients.insert(source.name.clone(), PrometheusClient::new(source.prometheus.settings(&config.limits))?);
        }
        let watches = if watches.is_empty() { with_data(&config, &clients, cache.as_ref(), to, now).await? } else { watches };
        Ok(Self { clients, cache, watches, playbooks, act: config.act, own, now, to })
    }

    /// What is judged from `from` on has learned before; a whole window where the server still has it.
    fn learns_from(&self, watch: &Watch, past: &PastArgs) -> Timestamp {
        past.from.map_or(self.to - DEFAULT_RANGE, |from| from - past.warmup.unwrap_or(watch.baseline.window))
    }

    fn server<'a>(&'a self, client: &'a PrometheusClient) -> range::Server<'a> {
        range::Server { client, cache: self.cache.as_ref(), now: self.now }
    }

    /// The server's alerts, if they are the truth, unless it was stopped meanwhile.
    pub async fn alerts(&self, past: &PastArgs, stop: &Stop) -> Result<ControlFlow<(), Option<(Truth, String)>>, Failure> {
        let begin = self.watches.iter().map(|watch| self.learns_from(watch, past)).min().unwrap_or(self.to);
        let servers = self.clients.iter().map(|(name, client)| (name, self.server(client)));
        tokio::select! {
            read = past.truth.alerts(servers, (begin, self.to)) => read.map(ControlFlow::Continue).map_err(|error| source_failure(error.into())),
            () = stop.asked() => Ok(ControlFlow::Break(())),
        }
    }

    /// Reads every watch and feeds it. Says whether all was looked at.
    pub async fn feed(&self, take: &mut impl Take, past: &PastArgs, stop: &Stop) -> Result<bool, Failure> {
        let Served { clients, watches, to, .. } = self;
        let progress = Progress::new();
        let mut whole = true;
        for (index, watch) in watches.iter().enumerate() {
            let Some(client) = clients.get(&watch.source) else { continue };
            let reading = range::feed(take, index, self.server(client), (self.learns_from(watch, past), *to), |done| {
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
}

fn source_failure(error: PastError) -> Failure {
    let hint = if let PastError::Source(error) = &error { error.hint() } else { None };
    let failure = Failure::from(error);
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
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
