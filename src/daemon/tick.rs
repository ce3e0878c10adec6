//! When to read, and what belongs to one tick.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::acting::own_silences;
use super::kinds::Kinds;
use super::learning::Standings;
use super::sources::{self, Clients, PROBE_EVERY};
use super::state::Shared;
use super::{acting, checkpoint, effects, read};
use crate::core::engine::{Input, Tally};
use crate::core::prediction::State;
use crate::core::time::{Span, Timestamp};
use crate::core::watch::Watch;

/// Derived state is rebuilt from the source at the price of a short reading, so it is written seldom: sled keeps old versions, and each
/// checkpoint of everything costs disk.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(300);
/// The first checkpoint comes sooner: it holds the week that was just read.
const FIRST_CHECKPOINT_AFTER: Duration = Duration::from_secs(20);
/// Messages that were delivered, or given up, are kept so long for people to look at.
const KEEP_MESSAGES: Span = Span::DAY.times(7);
/// Old messages deleted at a time, so that no transaction is long.
const PRUNE_AT_ONCE: usize = 1_000;

/// Ticks come so long after the interval's multiples, at most a tenth of it: what is scraped on the full minute has arrived by then, and
/// the column of that minute is read with the tick that belongs to it.
const LAG: Span = Span::from_secs(2);

/// The daemon's heartbeat: due shortly after multiples of the interval, monotonic, never twice for one time.
pub struct Ticker {
    shared: Arc<Shared>,
    clients: Clients,
    /// Readings under way, a task a source; they end with the ticker.
    readings: JoinSet<String>,
    busy: BTreeSet<String>,
    next: Timestamp,
    next_probe: Timestamp,
    next_checkpoint: Instant,
    said_that_nothing_is_watched: bool,
    kinds: Kinds,
    standings: Standings,
}

impl Ticker {
    pub fn new(shared: Arc<Shared>, clients: Clients) -> Self {
        let now = shared.clock.now();
        let next_checkpoint = Instant::now() + FIRST_CHECKPOINT_AFTER;
        Self {
            shared,
            clients,
            readings: JoinSet::new(),
            busy: BTreeSet::new(),
            next: now,
            next_probe: now,
            next_checkpoint,
            said_that_nothing_is_watched: false,
            kinds: Kinds::default(),
            standings: Standings::default(),
        }
    }

    /// Asks these from now on. What the old ones are still asked is given up.
    pub fn set_clients(&mut self, clients: Clients) {
        self.readings = JoinSet::new();
        self.busy.clear();
        self.shared.health().sources.values_mut().for_each(|source| source.reading_since = None);
        sources::introduce(&self.shared, &clients);
        self.shared.acting.set_clients(clients.clone());
        self.clients = clients;
        self.kinds = Kinds::default();
        self.next_probe = Timestamp::MIN;
    }

    /// Ends when a tick is due.
    pub async fn due(&self) {
        self.shared.clock.sleep_until(self.next).await;
    }

    /// One tick. Ticks that were due meanwhile are not made up for: the next reading brings all of their samples at once. May be dropped in
    /// the middle: readings go on by themselves, and the tick is still due.
    pub async fn tick(&mut self) {
        let shared = self.shared.clone();
        let now = shared.clock.now();
        let began = Instant::now();
        shared.metrics.tick_lag_s.set((now - self.next).as_secs_f64().max(0.0));
        if now >= self.next_probe {
            self.next_probe = now + PROBE_EVERY;
            self.probe(now).await;
            self.learn_kinds().await;
        }
        self.start_readings(now);
        self.wait_for_readings().await;
        effects::decide(&shared, now, move |engine| engine.step(now, Input::Tick)).await;
        acting::consider(&shared);
        self.look_after(now).await;
        shared.metrics.ticks.inc();
        shared.metrics.tick_duration_s.observe(began.elapsed().as_secs_f64());
        shared.health().ticks += 1;
        self.next = next_tick(self.next, shared.clock.now(), shared.config().interval);
    }

    /// A reading for every source, except where the last one is still under way.
    fn start_readings(&mut self, now: Timestamp) {
        let watches: Vec<Arc<Watch>> = self.shared.engine().watches().cloned().collect();
        for (name, client) in &self.clients {
            if !self.busy.insert(name.clone()) {
                continue;
            }
            if let Some(source) = self.shared.health().sources.get_mut(name) {
                source.reading_since = Some(now);
            }
            let own = watches.iter().enumerate().filter(|(_, w)| *w.source == **name).map(|(i, w)| (i, w.clone())).collect();
            let reading = read::source(self.shared.clone(), name.clone(), client.clone(), own, now);
            let name = name.clone();
            self.readings.spawn(async move {
                reading.await;
                name
            });
        }
    }

    /// Waits for the readings, but a tick's length at most: a slow source does not hold up the others.
    async fn wait_for_readings(&mut self) {
        let patience = tokio::time::Instant::now() + self.shared.config().interval.to_std();
        while let Ok(Some(ended)) = tokio::time::timeout_at(patience, self.readings.join_next()).await {
            match ended {
                Ok(name) => {
                    if let Some(source) = self.shared.health().sources.get_mut(&name) {
                        (source.reading_since, source.was_read) = (None, true);
                    }
                    self.busy.remove(&name);
                }
                Err(error) => {
                    tracing::error!(%error, "a reading failed");
                    // It does not say whose: with all of them over, nobody is busy.
                    if self.readings.is_empty() {
                        self.busy.clear();
                    }
                }
            }
        }
    }

    async fn probe(&mut self, now: Timestamp) {
        let config = self.shared.config();
        let known: Vec<Arc<Watch>> = self.shared.engine().watches().cloned().collect();
        let found = sources::probe(&self.shared, &config, &self.clients, &known, now).await;
        if !found.is_empty() {
            self.shared.engine().set_watches(known.into_iter().chain(found), config.playbooks.iter().cloned());
        } else if known.is_empty() && !self.said_that_nothing_is_watched && self.shared.health().sources.values().all(|source| source.up) {
            self.said_that_nothing_is_watched = true;
            let packs: Vec<&str> = config.packs.iter().map(|used| used.pack.name.as_str()).collect();
            tracing::warn!(
                packs = packs.join(", "),
                again_every_s = PROBE_EVERY.as_secs_f64(),
                "nothing is watched: the server has no data for any pack; it is asked again, and own watches can be configured"
            );
        }
    }

    /// What the servers call their metrics may change a watch's profile.
    async fn learn_kinds(&mut self) {
        let known: Vec<Arc<Watch>> = self.shared.engine().watches().cloned().collect();
        let changed = self.kinds.learn(&self.clients, &known).await;
        if changed.is_empty() {
            return;
        }
        let same = |watch: Arc<Watch>| changed.iter().find(|c| c.name == watch.name).cloned().unwrap_or(watch);
        let playbooks = self.shared.config().playbooks.clone();
        self.shared.engine().set_watches(known.into_iter().map(same), playbooks);
    }

    /// Gauges, old messages, checkpoints.
    async fn look_after(&mut self, now: Timestamp) {
        let shared = &self.shared;
        {
            let engine = shared.engine();
            let metrics = &shared.metrics;
            let watches = engine.watches().len();
            metrics.watches.set(watches as i64);
            metrics.series_watched.set((0..watches).map(|w| engine.series_count(w) as i64).sum());
            let mut tally = Tally::default();
            (0..watches).for_each(|w| tally.add(engine.tally(w)));
            metrics.record_settled(&tally);
            metrics.anomalies_open.set(engine.anomalies().count() as i64);
            metrics.set_open_predictions(engine.lives().filter(|l| l.prediction.state == State::Open).map(|l| l.prediction.impact));
        }
        self.standings.look(shared, now).await;
        let head = shared.acting.head();
        shared.metrics.audit_lines.set(head.seq.cast_signed());
        shared.metrics.audit_head.set(head.number().cast_signed());
        shared.metrics.acting.count_last_day(now);
        own_silences::count(shared, now);
        match shared.ledger.pending_counts().await {
            Ok(counts) => {
                let pending: u64 = counts.values().map(|c| c.pending).sum();
                shared.metrics.outbox_pending.set(pending as i64);
                shared.health().outbox_pending = pending;
            }
            Err(error) => tracing::warn!(%error, "could not count waiting webhooks"),
        }
        if Instant::now() < self.next_checkpoint {
            return;
        }
        self.next_checkpoint = Instant::now() + CHECKPOINT_EVERY;
        checkpoint::write(shared, now).await;
        if let Err(error) = shared.ledger.prune_settled(now - KEEP_MESSAGES, PRUNE_AT_ONCE).await {
            tracing::warn!(%error, "could not delete old webhooks");
        }
    }
}

/// The first multiple of the interval (and [`LAG`]) after the last due time that is not past; ticks missed meanwhile are skipped, not queued.
fn next_tick(last: Timestamp, now: Timestamp, interval: Span) -> Timestamp {
    let last = last.floor(interval) + LAG.min(Span::from_millis(interval.as_millis() / 10));
    let missed = ((now - last).as_millis() / interval.as_millis().max(1)).max(0);
    last + interval.times(missed + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_keep_their_rhythm_and_never_pile_up() {
        let at = Timestamp::from_millis;
        let interval = Span::from_secs(30);
        assert_eq!(next_tick(at(2_000), at(5_000), interval), at(32_000));
        assert_eq!(next_tick(at(2_000), at(97_000), interval), at(122_000), "three were missed, one is next");
        assert_eq!(next_tick(at(62_000), at(30_000), interval), at(92_000), "a clock that was set back repeats nothing");
        assert_eq!(next_tick(at(17_500), at(17_900), interval), at(32_000), "started at any time, it falls into step");
        assert_eq!(next_tick(at(7_300), at(7_400), Span::SECOND), at(8_100), "the lag is small beside the interval");
    }
}
