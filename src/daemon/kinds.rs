//! What the servers say their metrics are (`/api/v1/metadata`), for watches whose profile is chosen and whose names leave it open.
//!
//! Asked before a watch's first reading and decided once: a backtest on the same server's data is told by the reasons which types counted.
//! A server that keeps no metadata, or does not answer, leaves the names to decide.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::sources::Clients;
use crate::core::selection::{Auto, Kind, MetricType, Selecting};
use crate::core::watch::Watch;
use crate::source::prometheus::MetricKind;

/// Metrics of one query that are asked about: those nearest to its values come first.
const MAX_METRICS: usize = 8;
/// Requests of one round: a server is not to be asked a thousand small questions before it is read for the first time.
const MAX_REQUESTS: usize = 200;
/// Rounds in which a server may fail to answer before names alone decide.
const MAX_ROUNDS: u32 = 3;

/// Which watches have been asked about.
#[derive(Debug, Default)]
pub struct Kinds {
    decided: BTreeSet<Arc<str>>,
    failed: BTreeMap<String, u32>,
}

impl Kinds {
    /// Watches whose selection the servers' types change, made anew; nothing where none does.
    pub async fn learn(&mut self, clients: &Clients, watches: &[Arc<Watch>]) -> Vec<Arc<Watch>> {
        let mut known: BTreeMap<(String, String), Option<MetricType>> = BTreeMap::new();
        let mut changed = Vec::new();
        for watch in watches {
            let Selecting::Auto(auto) = &watch.selecting else { continue };
            if self.decided.contains(&watch.name) || !is_open(auto) {
                continue;
            }
            let source = watch.source.to_string();
            let Some(client) = clients.get(&source) else { continue };
            if self.failed.get(&source).is_some_and(|rounds| *rounds >= MAX_ROUNDS) || known.len() >= MAX_REQUESTS {
                continue;
            }
            let mut is_answered = true;
            for metric in auto.metrics.iter().take(MAX_METRICS) {
                let key = (source.clone(), metric.clone());
                if known.contains_key(&key) {
                    continue;
                }
                match client.metadata(Some(metric)).await {
                    Ok(kinds) => drop(known.insert(key, kinds.get(metric).and_then(|kind| metric_type(*kind)))),
                    Err(error) => {
                        tracing::debug!(watch = %watch.name, %error, "could not ask what kind of metric it is");
                        *self.failed.entry(source.clone()).or_default() += 1;
                        is_answered = false;
                        break;
                    }
                }
            }
            if is_answered {
                self.decided.insert(watch.name.clone());
                let types = |metric: &str| known.get(&(source.clone(), metric.to_owned())).copied().flatten();
                changed.extend(retyped(watch, auto, &types).map(Arc::new));
            }
        }
        changed
    }
}

/// Whether a type could change anything: where the form or the name says what it is, it could not.
fn is_open(auto: &Auto) -> bool {
    matches!(auto.quantity.kind, Kind::Unknown | Kind::Level | Kind::Counter)
}

/// The watch with what the types say, if they say anything new.
fn retyped(watch: &Watch, auto: &Auto, types: &dyn Fn(&str) -> Option<MetricType>) -> Option<Watch> {
    let typed = Auto::new(&watch.query, types, auto.profiles);
    if typed == *auto {
        return None;
    }
    Some(Watch { profile: typed.of_watch().profile, selecting: Selecting::Auto(Arc::new(typed)), ..watch.clone() })
}

fn metric_type(kind: MetricKind) -> Option<MetricType> {
    match kind {
        MetricKind::Counter => Some(MetricType::Counter),
        MetricKind::Gauge => Some(MetricType::Gauge),
        MetricKind::Histogram | MetricKind::GaugeHistogram => Some(MetricType::Histogram),
        MetricKind::Summary => Some(MetricType::Summary),
        MetricKind::Info | MetricKind::StateSet => Some(MetricType::Info),
        MetricKind::Unknown => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(query: &str) -> Watch {
        let text =
            format!("sources: [{{ name: a, prometheus: {{ url: \"http://127.0.0.1:1\" }} }}]\nwatches: [{{ name: w, query: {query} }}]\n");
        crate::config::parse(&text, "test.yaml").unwrap().watches.remove(0)
    }

    fn typed(query: &str, kind: MetricKind) -> Option<Watch> {
        let watch = watch(query);
        let Selecting::Auto(auto) = &watch.selecting else { panic!() };
        assert!(is_open(auto));
        retyped(&watch, auto, &|_| metric_type(kind))
    }

    #[test]
    fn a_type_counts_where_the_name_says_less() {
        let counter = typed("mysql_global_status_questions", MetricKind::Counter).unwrap();
        assert!(counter.profile.resets && counter.profile.lower == Some(0.0));
        assert!(typed("mysql_global_status_questions", MetricKind::Gauge).is_none(), "a gauge is what it was taken for");
        assert!(typed("some_number", MetricKind::Unknown).is_none());
    }

    #[tokio::test]
    async fn a_server_that_does_not_answer_leaves_names_to_decide() {
        let config = crate::config::parse(
            "sources: [{ name: a, prometheus: { url: \"http://127.0.0.1:1\", timeout: 1s } }]\nwatches: [{ name: w, query: some_number }]\n",
            "test.yaml",
        );
        let config = config.unwrap();
        let clients = super::super::sources::clients(&config).unwrap();
        let watches: Vec<Arc<Watch>> = config.watches.into_iter().map(Arc::new).collect();
        let mut kinds = Kinds::default();
        for _ in 0..=MAX_ROUNDS {
            assert!(kinds.learn(&clients, &watches).await.is_empty());
        }
        assert_eq!(kinds.failed["a"], MAX_ROUNDS, "it is not asked for ever");
    }
}
