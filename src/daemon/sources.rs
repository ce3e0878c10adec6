//! The clients of the configured sources, what a run without a configuration watches, and what the configuration lets act.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::bridge;
use super::state::Shared;
use crate::act::{self, Actuators};
use crate::clock::{Clock as _, SystemClock};
use crate::config::Config;
use crate::core::time::{Span, Timestamp};
use crate::core::watch::Watch;
use crate::source::prometheus::{PrometheusClient, SourceError};

/// Packs that had no data are asked for again so often, that is with every tick of the default
/// interval: an exporter may be added while we run, and a new server has scraped nothing yet. It costs an instant query a pack.
pub const PROBE_EVERY: Span = Span::from_secs(20);

/// One client a source.
pub type Clients = BTreeMap<String, Arc<PrometheusClient>>;

/// A client for every source.
///
/// # Errors
/// Settings that can't work.
pub fn clients(config: &Config) -> Result<Clients, SourceError> {
    config
        .sources
        .iter()
        .map(|source| {
            let client = PrometheusClient::new(bridge::prometheus_settings(&source.prometheus, &config.limits))?;
            Ok((source.name.to_string(), Arc::new(client)))
        })
        .collect()
}

/// What may act, by the configuration. Signatures and silences are dated by real time, whatever the engine's clock says.
pub fn actuators(config: &Config) -> Actuators {
    let clock = SystemClock::new();
    let now: act::Now = Arc::new(move || clock.now());
    let act = &config.act;
    let settings = act::Settings {
        programs: act.programs.clone(),
        hosts: act.hosts.clone(),
        allow_private: act.allow_private,
        cluster: act.cluster.clone(),
    };
    act::actuators(settings, &now)
}

/// Names the sources in the health report, so that one that never answered is seen too.
pub fn introduce(shared: &Shared, clients: &Clients) {
    let mut health = shared.health();
    health.sources.retain(|name, _| clients.contains_key(name));
    for (name, client) in clients {
        let entry = health.sources.entry(name.clone()).or_default();
        client.shown_url().clone_into(&mut entry.url);
    }
}

/// Watches of probed packs of which `is_kept` knows any: an earlier run has found that pack, and left state or predictions. They are
/// watched from the start, or what was learned and told would have no home until the server is asked again.
pub fn kept_by_earlier_run(config: &Config, is_kept: impl Fn(&str) -> bool) -> Vec<Arc<Watch>> {
    let packs = config.packs.iter().filter(|used| used.probe).map(|used| used.pack.watches_on(&used.source, true));
    packs.filter(|watches| watches.iter().any(|w| is_kept(&w.name))).flatten().map(Arc::new).collect()
}

/// Watches of packs that are only used where they have data, and have some now. `known` are the watches there are already.
pub async fn probe(shared: &Shared, config: &Config, clients: &Clients, known: &[Arc<Watch>], now: Timestamp) -> Vec<Arc<Watch>> {
    let mut found: Vec<Arc<Watch>> = Vec::new();
    for used in config.packs.iter().filter(|used| used.probe) {
        let watches = used.pack.watches_on(&used.source, true);
        let is_known = |watch: &Watch| known.iter().any(|k| k.name == watch.name);
        if watches.iter().all(is_known) {
            continue;
        }
        let Some(client) = clients.get(&*used.source) else { continue };
        match client.instant(&used.pack.probe, now, None).await {
            Ok(answer) => {
                let mut health = shared.health();
                let source = health.sources.entry(used.source.to_string()).or_default();
                (source.up, source.last_success) = (true, Some(now));
                drop(health);
                if !answer.samples.is_empty() {
                    tracing::info!(pack = used.pack.name, source = %used.source, watches = watches.len(), "the server has data for this pack");
                    found.extend(watches.into_iter().filter(|w| !is_known(w)).map(Arc::new));
                }
            }
            Err(error) => {
                tracing::warn!(pack = used.pack.name, %error, "could not ask which packs have data");
                let mut health = shared.health();
                let source = health.sources.entry(used.source.to_string()).or_default();
                (source.up, source.last_error) = (false, Some(error.to_string()));
            }
        }
    }
    found
}
