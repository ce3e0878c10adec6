//! The daemon as its HTTP server sees it.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};

use super::acting::{self, News, own_silences, people, trial};
use super::state::Shared;
use crate::core::access::Access;
use crate::core::anomaly::Anomaly;
use crate::core::civil;
use crate::core::engine::{Inherited, SeriesView, Tally};
use crate::core::explain::{self, Explanation};
use crate::core::labels::Labels;
use crate::core::learn::Stats;
use crate::core::prediction::{Eta, Prediction, State};
use crate::core::run::{Phase, Run, RunKey};
use crate::core::selection::Selection;
use crate::core::silence::own::{SilenceError, SilenceId, Wish};
use crate::core::time::{Span, Timestamp};
use crate::core::watch::Watch;
use crate::ledger::Filter;
use crate::metrics::process;
use crate::server::plan_report::PlanReport;
use crate::server::report::{
    CalibrationReport, Counts, Readiness, SeriesReport, SeriesState, SourceReport, StatusReport, StorageReport, WatchReport, WatchState,
    finite,
};
use crate::server::run_report::{RunDetail, RunReport, TrialReport};
use crate::server::silence_report::{PredictionReport, SilenceReport};
use crate::server::{AnomalyFilter, ExplainFilter, PlaybookAsk, PredictionFilter, SeriesFilter, View, ViewError, Word};

/// A series without samples for so many steps is stale; Prometheus' own lookback is five minutes at its usual scrape interval.
const STALE_STEPS: i64 = 10;

/// A reading that takes longer than so many ticks is worth a word: what is known is that old.
const SLOW_TICKS: i64 = 3;
/// But not with a quick tick and a server that only takes its time.
const SLOW_MIN: Span = Span::from_secs(10);

/// A request to read the configuration again, with the way back for what came of it.
pub type ReloadRequest = oneshot::Sender<Result<(), String>>;

/// See the module.
pub struct DaemonView {
    pub shared: Arc<Shared>,
    pub reloads: mpsc::Sender<ReloadRequest>,
}

impl DaemonView {
    fn watch_reports(&self) -> Vec<WatchReport> {
        let engine = self.shared.engine();
        let health = self.shared.health();
        let report = |(index, watch): (usize, &Arc<Watch>)| {
            let own = health.watches.get(&*watch.name).cloned().unwrap_or_default();
            let series = engine.series_count(index);
            let old_enough = |view: SeriesView<'_>| {
                let span = view.block.first_ms(view.row).zip(view.block.last(view.row)).map_or(0, |(first, (last, _))| last - first);
                span >= watch.baseline.min_history.as_millis()
            };
            let state = if own.failing {
                WatchState::Failing
            } else if !own.answered && engine.cursor(index).is_none() {
                WatchState::Starting
            } else if series == 0 {
                WatchState::NoSeries
            } else if engine.series(index).any(old_enough) {
                WatchState::Watching
            } else {
                WatchState::Learning
            };
            WatchReport {
                name: watch.name.to_string(),
                source: watch.source.to_string(),
                series,
                last_sample: engine.cursor(index),
                last_error: own.last_error,
                state,
            }
        };
        engine.watches().enumerate().map(report).collect()
    }
}

impl View for DaemonView {
    fn healthy(&self) -> bool {
        !self.shared.engine.is_poisoned()
    }

    fn access(&self) -> Arc<Access> {
        self.shared.config().access.clone()
    }

    fn ready(&self) -> Readiness {
        let slow_after = self.shared.config().interval.times(SLOW_TICKS).max(SLOW_MIN);
        let now = self.shared.clock.now();
        let health = self.shared.health();
        let mut reasons = Vec::new();
        for (name, source) in &health.sources {
            let waiting = source.reading_since.map_or(Span::ZERO, |since| now - since);
            if !source.up {
                let why = source.last_error.as_deref().unwrap_or("no answer yet");
                reasons.push(format!("source {name}: {why}"));
            } else if source.was_read && waiting > slow_after {
                reasons.push(format!("source {name}: its reading has not ended for {}s", waiting.as_millis() / 1000));
            }
        }
        reasons.extend(health.ledger_error.iter().map(|error| format!("ledger: {error}")));
        reasons.extend(health.audit_error.iter().map(|error| format!("audit: {error}")));
        reasons.extend(health.store_error.iter().map(|error| format!("store: {error}")));
        if health.ticks == 0 || health.sources.values().any(|source| source.up && !source.was_read) {
            reasons.push("the first reading is under way".to_owned());
        }
        Readiness::unless(reasons)
    }

    fn status(&self) -> StatusReport {
        let shared = &self.shared;
        let now = shared.clock.now();
        let watches = self.watch_reports();
        let (predictions_open, anomalies_open, calibration) = {
            let engine = shared.engine();
            let mut tally = Tally::default();
            (0..engine.watches().len()).for_each(|watch| tally.add(engine.tally(watch)));
            let open = engine.lives().filter(|life| life.is_open()).count();
            (open, engine.anomalies().count(), CalibrationReport::from(&tally))
        };
        let readiness = self.ready();
        let health = shared.health();
        let sources = health.sources.iter().map(|(name, source)| SourceReport {
            name: name.clone(),
            url: source.url.clone(),
            up: source.up,
            last_success: source.last_success,
            last_error: source.last_error.clone(),
            lag_s: watches.iter().filter(|w| w.source == *name).filter_map(|w| w.last_sample).max().map(|t| (now - t).as_secs_f64()),
        });
        StatusReport {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: shared.started_at,
            now,
            uptime_s: (now - shared.started_at).as_secs_f64(),
            mode: shared.config().act.settings.mode.as_str().to_owned(),
            stopped_by: shared.acting.stopped_by(),
            readiness,
            sources: sources.collect(),
            counts: Counts {
                series: watches.iter().map(|w| w.series).sum(),
                predictions_open,
                anomalies_open,
                webhooks_pending: usize::try_from(health.outbox_pending).unwrap_or(usize::MAX),
                ticks: health.ticks,
            },
            calibration,
            watches,
            storage: StorageReport {
                store_bytes: health.storage.0,
                ledger_bytes: health.storage.1,
                last_checkpoint: health.last_checkpoint,
            },
            playbooks_refused: shared.config().books.refused.iter().map(ToString::to_string).collect(),
            resident_memory_bytes: process::resident_memory_bytes(),
        }
    }

    fn predictions(&self, filter: PredictionFilter) -> BoxFuture<'_, Result<Vec<PredictionReport>, ViewError>> {
        async move {
            let asked = Filter { state: filter.state, watch: filter.watch, since: filter.since, limit: Some(filter.limit) };
            let mut found = self.shared.ledger.predictions(&asked).await.map_err(|error| ViewError(error.to_string()))?;
            // The ledger holds what was told; the engine knows how the open ones stand with the last sample.
            let engine = self.shared.engine();
            for prediction in found.iter_mut().filter(|p| p.state == State::Open) {
                if let Some(life) = engine.lives().find(|life| life.prediction.id == prediction.id) {
                    *prediction = Prediction { chart_url: prediction.chart_url.take(), ..life.prediction.clone() };
                }
            }
            let (now, silences) = (self.shared.clock.now(), self.shared.acting.own_silences());
            let report = |prediction: Prediction| {
                let silenced = Some(&prediction).filter(|p| p.state == State::Open).and_then(|p| silences.covering(p, now));
                PredictionReport { prediction, silenced }
            };
            Ok(found.into_iter().map(report).collect())
        }
        .boxed()
    }

    fn silences(&self) -> Vec<SilenceReport> {
        own_silences::reports(&self.shared)
    }

    fn silence(&self, wish: Wish) -> BoxFuture<'_, Result<Result<SilenceReport, SilenceError>, ViewError>> {
        async move {
            // In a task of its own, as all that is written down: who asked may hang up.
            let made = tokio::spawn(own_silences::add(self.shared.clone(), wish));
            made.await.map_err(|error| ViewError(error.to_string()))?
        }
        .boxed()
    }

    fn unsilence(&self, id: SilenceId, by: String) -> BoxFuture<'_, Result<Result<SilenceReport, SilenceError>, ViewError>> {
        async move {
            let ended = tokio::spawn(own_silences::expire(self.shared.clone(), id, by));
            ended.await.map_err(|error| ViewError(error.to_string()))?
        }
        .boxed()
    }

    fn series(&self, filter: SeriesFilter) -> BoxFuture<'_, Result<Vec<SeriesReport>, ViewError>> {
        async move {
            let now = self.shared.clock.now();
            let engine = self.shared.engine();
            let watches: Vec<Arc<Watch>> = engine.watches().cloned().collect();
            let of_watch = |(_, watch): &(usize, &Arc<Watch>)| filter.watch.as_ref().is_none_or(|name| **name == *watch.name);
            let reports = watches
                .iter()
                .enumerate()
                .filter(of_watch)
                .flat_map(|(index, watch)| engine.series(index).map(move |view| (index, watch, view)))
                .skip(filter.offset)
                .take(filter.limit)
                .map(|(index, watch, view)| series_report(watch, &view, engine.about(index, view.labels.id()), now));
            Ok(reports.collect())
        }
        .boxed()
    }

    fn explain(&self, filter: ExplainFilter) -> BoxFuture<'_, Result<Vec<Explanation>, ViewError>> {
        async move {
            let engine = self.shared.engine();
            let of_watch = |(_, watch): &(usize, &Arc<Watch>)| filter.watch.as_ref().is_none_or(|name| **name == *watch.name);
            let wanted = |labels: &Labels| filter.selector.as_ref().is_none_or(|selector| selector.matches(labels));
            let found =
                engine.watches().enumerate().filter(of_watch).flat_map(|(index, _)| {
                    engine.series(index).filter(|view| wanted(view.labels)).map(move |view| (index, view.labels.id()))
                });
            let found: Vec<_> = found.take(filter.limit).collect();
            Ok(found.into_iter().filter_map(|(watch, series)| explain::of_series(&engine, watch, series)).collect())
        }
        .boxed()
    }

    fn anomalies(&self, filter: AnomalyFilter) -> BoxFuture<'_, Result<Vec<Anomaly>, ViewError>> {
        async move {
            let mut all: Vec<Anomaly> = self.shared.engine().anomalies().cloned().collect();
            all.extend(self.shared.health().past_anomalies.iter().cloned());
            let wanted = |a: &Anomaly| {
                filter.watch.as_ref().is_none_or(|name| *name == a.watch)
                    && filter.since.is_none_or(|since| a.ended_at.is_none_or(|ended| ended >= since))
            };
            all.retain(wanted);
            all.sort_by_key(|a| std::cmp::Reverse(a.started_at));
            all.truncate(filter.limit);
            Ok(all)
        }
        .boxed()
    }

    fn runs(&self, only_waiting: bool) -> BoxFuture<'_, Result<Vec<RunReport>, ViewError>> {
        async move {
            let runs = self.shared.acting.runs().await;
            let wanted = |run: &Run| !only_waiting || matches!(run.phase, Phase::Waiting { .. });
            Ok(runs.all().filter(|(_, run)| wanted(run)).map(|(key, run)| people::report(&self.shared, key, run)).collect())
        }
        .boxed()
    }

    fn run(&self, run: RunKey) -> BoxFuture<'_, Result<Option<RunDetail>, ViewError>> {
        people::detail(&self.shared, run).boxed()
    }

    fn dry_run(&self, run: RunKey) -> BoxFuture<'_, Result<Vec<TrialReport>, String>> {
        trial::of(&self.shared, run).boxed()
    }

    fn decide(&self, run: RunKey, word: Word) -> BoxFuture<'_, Result<Result<RunReport, String>, ViewError>> {
        people::decide(&self.shared, run, word).boxed()
    }

    fn playbook(&self, ask: PlaybookAsk) -> BoxFuture<'_, Result<Result<PlanReport, String>, ViewError>> {
        async move {
            // In a task of its own: who asked may hang up, and a proposal is not left half way.
            let shared = self.shared.clone();
            let asked = tokio::spawn(async move { acting::by_hand::ask(&shared, ask).await });
            asked.await.map_err(|error| ViewError(error.to_string()))
        }
        .boxed()
    }

    fn stop(&self, by: String, is_stopped: bool) -> BoxFuture<'_, Result<Option<String>, ViewError>> {
        async move {
            let shared = self.shared.clone();
            let news = if is_stopped { News::Stop { by } } else { News::Resume { by } };
            let heard = tokio::spawn(async move { acting::hear(&shared, news).await });
            heard.await.map_err(|error| ViewError(error.to_string()))?;
            Ok(self.shared.acting.runs().await.stopped().map(str::to_owned))
        }
        .boxed()
    }

    fn learned(&self) -> BoxFuture<'_, Result<Stats, ViewError>> {
        async move {
            let half_life = self.shared.config().act.settings.learning.half_life;
            Ok(self.shared.acting.learned().await.stats(self.shared.clock.now(), half_life))
        }
        .boxed()
    }

    fn forgive(&self, playbook: String, by: String) -> BoxFuture<'_, Result<Option<Stats>, ViewError>> {
        async move {
            if !self.shared.config().playbooks.iter().any(|known| known.name == playbook) {
                return Ok(None);
            }
            acting::hear(&self.shared, News::Forgive { playbook, by }).await;
            self.learned().await.map(Some)
        }
        .boxed()
    }

    fn reload(&self) -> BoxFuture<'_, Result<(), String>> {
        async move {
            let (answer, result) = oneshot::channel();
            let gone = || "the daemon is stopping".to_owned();
            self.reloads.send(answer).await.map_err(|_| gone())?;
            result.await.map_err(|_| gone())?
        }
        .boxed()
    }
}

fn series_report(watch: &Watch, view: &SeriesView<'_>, about: Option<(Selection, Option<Inherited>)>, now: Timestamp) -> SeriesReport {
    let (block, row) = (view.block, view.row);
    let last = block.last(row);
    let at = last.map(|(ms, _)| Timestamp::from_millis(ms));
    let (selection, inherited) = about.unzip();
    let inherited = inherited.flatten();
    let own = || at.and_then(|at| block.expected(row, at.as_millis(), civil::hour_of_day(&watch.zone, at)));
    let band = inherited.map(|i| i.band).or_else(own);
    let window = block.window(row);
    let history_s = block.first_ms(row).zip(last).map_or(0.0, |(first, (last, _))| (last - first) as f64 / 1000.0);
    let learning = history_s < watch.baseline.min_history.as_secs_f64();
    let open = view.lives.iter().find(|life| life.is_open());
    let state = if at.is_none_or(|at| now - at > watch.step.times(STALE_STEPS).max(Span::from_secs(300))) {
        SeriesState::Stale
    } else if view.breached {
        SeriesState::Breached
    } else if open.is_some() {
        SeriesState::Predicted
    } else if learning {
        SeriesState::Learning
    } else if view.anomaly.is_some() {
        SeriesState::Anomalous
    } else {
        SeriesState::Normal
    };
    SeriesReport {
        watch: watch.name.to_string(),
        labels: view.labels.clone(),
        id: view.labels.id().to_string(),
        value: last.map(|(_, value)| value),
        at,
        expected: band.map(|b| b.expected),
        lower: band.map(|b| b.lower(watch.baseline.sigma)),
        upper: band.map(|b| b.upper(watch.baseline.sigma)),
        score: (!learning).then_some(view.score).and_then(finite),
        sigma: finite(window.sigma()),
        mean: (window.count > 0.0).then_some(window.mean),
        rate_of_change: (!learning).then(|| crate::core::outlook::rate_per_minute(block, row)),
        likelihood: watch.limit.as_ref().filter(|_| !learning).and_then(|_| finite(view.likelihood)),
        eta: open.map_or_else(Eta::default, |life| life.prediction.eta),
        threshold: finite(view.threshold),
        side: watch.limit.as_ref().map(|limit| limit.side),
        history_s,
        state,
        profile: selection.map_or_else(|| watch.profile.name.clone(), |s| s.profile.name),
        inherited_from: inherited.map_or(0, |i| i.siblings),
    }
}
