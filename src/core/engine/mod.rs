//! The engine: one function of (state, now, input). Time and samples come in as arguments, what is to be done comes out as effects.
//!
//! Daemon and backtest run this same code, and for the same samples they give the same predictions bit for bit, with one thread or many:
//! everything is decided per sample at the sample's own time, never at the time of a tick, so it does not matter how samples were cut
//! into frames.

mod acted;
#[cfg(test)]
mod anomaly_tests;
mod asked;
mod calibration;
mod episodes;
mod judged;
mod life;
mod limits;
mod row;
mod scores;
mod shard;
mod snapshot;
mod tally;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod width_tests;
mod wording;
mod work;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use portent_models::baseline::Geometry;
use rayon::prelude::*;

pub use judged::Judged;
pub use life::{BreachWatch, Life};
pub use row::SeriesView;
pub use shard::kin::{COPY_LABELS, Inherited};
pub use shard::portray::{Moment, Portrait};
pub use snapshot::{Checkpoint, RestoreError};
pub use tally::{INTERVAL_LEVELS, Kept, LIKELIHOOD_EDGES, Said, Tally};

use self::acted::Acted;
use self::calibration::{Calibration, LEARN_EVERY};
use self::limits::Limits;
use self::shard::Shard;
use self::work::Work;
use super::anomaly::Anomaly;
use super::frame::Frame;
use super::heritage::Heritage;
use super::labels::{Labels, SeriesId};
use super::outlook::Fit;
use super::playbook::Playbook;
use super::prediction::Prediction;
use super::selection::Selection;
use super::time::{Span, Timestamp};
use super::watch::{Threshold, Watch};

/// Series of one watch at most: at 4 KB each this is 400 MB. A query that returns more is almost always a mistake; the rest is not watched,
/// and that is said.
pub const MAX_SERIES_PER_WATCH: usize = 100_000;
/// Columns further back than this raise nothing: a prediction about a quarter of an hour ago is of no use, and after an outage there would
/// be thousands.
pub const TOO_LATE: Span = Span::from_secs(900);
/// How long after its due time a prediction waits for samples that would settle it.
const SETTLE_GRACE: Span = Span::from_secs(3_600);

/// What comes in.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// New samples of one watch, all series on one grid. Columns that were handed in before are looked at only for late samples.
    Samples {
        watch: usize,
        frame: &'a Frame,
        /// Thresholds on the same grid, for a watch whose threshold is a query.
        thresholds: Option<&'a Frame>,
        judging: Judged,
    },
    /// Time has passed, with samples or without.
    Tick,
}

/// What is to be done or known outside.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    Raised(Prediction),
    Updated(Prediction),
    /// Resolved or expired.
    Ended(Prediction),
    /// Ended before; now its truth is known.
    Scored(Prediction),
    AnomalyStarted(Anomaly),
    AnomalyEnded(Anomaly),
}

impl Effect {
    pub fn at(&self) -> Timestamp {
        match self {
            Self::Raised(p) | Self::Updated(p) | Self::Ended(p) | Self::Scored(p) => p.updated_at,
            Self::AnomalyStarted(a) | Self::AnomalyEnded(a) => a.ended_at.unwrap_or(a.started_at),
        }
    }

    pub fn prediction(&self) -> Option<&Prediction> {
        match self {
            Self::Raised(p) | Self::Updated(p) | Self::Ended(p) | Self::Scored(p) => Some(p),
            Self::AnomalyStarted(_) | Self::AnomalyEnded(_) => None,
        }
    }

    fn order(&self) -> (Timestamp, SeriesId, u8) {
        match self {
            Self::AnomalyStarted(a) | Self::AnomalyEnded(a) => (self.at(), a.labels.id(), 0),
            Self::Raised(p) | Self::Updated(p) | Self::Ended(p) | Self::Scored(p) => (self.at(), p.labels.id(), 1),
        }
    }
}

/// What is left from before a restart about one series.
#[derive(Clone, Debug)]
struct Unfinished {
    predictions: Vec<Prediction>,
    quiet_until: Timestamp,
}

#[derive(Debug)]
struct Watched {
    watch: Arc<Watch>,
    geometry: Geometry,
    shards: Vec<Shard>,
    calibration: Calibration,
    /// Series to (shard, row).
    rows: HashMap<SeriesId, (usize, usize)>,
    /// Time of the newest column.
    cursor: Option<Timestamp>,
    /// For series that have not been seen since the restart.
    unfinished: BTreeMap<u64, Unfinished>,
    /// Series that found no room.
    turned_away: usize,
    keeps_portraits: bool,
}

/// All derived state, and the one function that moves it.
#[derive(Debug)]
pub struct Engine {
    watched: Vec<Watched>,
    playbooks: Vec<Arc<Playbook>>,
    acted: Acted,
}

impl Engine {
    pub fn new(watches: impl IntoIterator<Item = Arc<Watch>>, playbooks: impl IntoIterator<Item = Playbook>) -> Self {
        Self {
            watched: watches.into_iter().map(Watched::new).collect(),
            playbooks: playbooks.into_iter().map(Arc::new).collect(),
            acted: Acted::default(),
        }
    }

    pub fn watches(&self) -> impl ExactSizeIterator<Item = &Arc<Watch>> {
        self.watched.iter().map(|w| &w.watch)
    }

    pub fn watch_index(&self, name: &str) -> Option<usize> {
        self.watched.iter().position(|w| *w.watch.name == *name)
    }

    /// Time of the newest column of a watch.
    pub fn cursor(&self, watch: usize) -> Option<Timestamp> {
        self.watched[watch].cursor
    }

    pub fn series_count(&self, watch: usize) -> usize {
        self.watched[watch].rows.len()
    }

    /// Series of a watch that found no room ([`MAX_SERIES_PER_WATCH`]) in the last frame.
    pub fn turned_away(&self, watch: usize) -> usize {
        self.watched[watch].turned_away
    }

    /// Every series of a watch.
    pub fn series(&self, watch: usize) -> impl Iterator<Item = SeriesView<'_>> {
        let watched = &self.watched[watch];
        watched.shards.iter().flat_map(|shard| shard.views(&watched.calibration))
    }

    /// One series of a watch, with its present forecast.
    pub fn find(&self, watch: usize, series: SeriesId) -> Option<(SeriesView<'_>, Option<Fit>)> {
        let watched = &self.watched[watch];
        let &(shard, row) = watched.rows.get(&series)?;
        let shard = &watched.shards[shard];
        Some((shard.view(row, &watched.calibration), shard.fit(row, &watched.watch)))
    }

    /// Which profile one series of a watch has, and why; what it has from its siblings while it is young.
    pub fn about(&self, watch: usize, series: SeriesId) -> Option<(Selection, Option<Inherited>)> {
        let watched = &self.watched[watch];
        let &(shard, row) = watched.rows.get(&series)?;
        let shard = &watched.shards[shard];
        Some((shard.selection(row, &watched.watch), shard.inherited(row, &watched.watch)))
    }

    /// What one series of a watch goes by while it is young.
    pub fn heritage(&self, watch: usize, series: SeriesId) -> Option<Arc<Heritage>> {
        let watched = &self.watched[watch];
        let &(shard, row) = watched.rows.get(&series)?;
        watched.shards[shard].heritage(row, &watched.watch)
    }

    pub fn anomalies(&self) -> impl Iterator<Item = &Anomaly> {
        self.watched.iter().flat_map(|w| &w.shards).flat_map(Shard::anomalies)
    }

    /// Watches these from now on. A watch that asks the same question as before keeps what it has learned, whatever else changed about it
    /// (threshold, horizon, ...). Gives back the unfinished predictions of watches that are gone.
    pub fn set_watches(
        &mut self,
        watches: impl IntoIterator<Item = Arc<Watch>>,
        playbooks: impl IntoIterator<Item = Playbook>,
    ) -> Vec<Prediction> {
        self.playbooks = playbooks.into_iter().map(Arc::new).collect();
        let mut old: Vec<Watched> = std::mem::take(&mut self.watched);
        self.watched = watches
            .into_iter()
            .map(|watch| {
                let same = |w: &Watched| w.watch.name == watch.name && snapshot::question(&w.watch) == snapshot::question(&watch);
                match old.iter().position(same) {
                    Some(at) => old.swap_remove(at).with_settings(watch),
                    None => Watched::new(watch),
                }
            })
            .collect();
        let left = |w: Watched| {
            let open: Vec<Prediction> = w.shards.iter().flat_map(Shard::lives).map(|life| life.prediction.clone()).collect();
            open.into_iter().chain(w.unfinished.into_values().flat_map(|u| u.predictions)).collect::<Vec<_>>()
        };
        old.into_iter().flat_map(left).collect()
    }

    /// Goes on with predictions from before a restart: the unfinished ones, and for every series the time of its last event, up to which
    /// nothing is raised again. Predictions of watches that are no more are given back.
    pub fn restore_predictions(
        &mut self,
        unfinished: Vec<Prediction>,
        last_events: impl IntoIterator<Item = (String, SeriesId, Timestamp)>,
    ) -> Vec<Prediction> {
        let mut orphans = Vec::new();
        for (watch, series, at) in last_events {
            if let Some(watch) = self.watch_index(&watch) {
                let entry = self.watched[watch].unfinished.entry(series.0).or_insert_with(|| Unfinished::new(at));
                entry.quiet_until = entry.quiet_until.max(at);
            }
        }
        for prediction in unfinished {
            match self.watch_index(&prediction.watch) {
                Some(watch) => {
                    let entry = self.watched[watch]
                        .unfinished
                        .entry(prediction.series().0)
                        .or_insert_with(|| Unfinished::new(prediction.updated_at));
                    entry.predictions.push(prediction);
                }
                None => orphans.push(prediction),
            }
        }
        self.watched.iter_mut().for_each(Watched::adopt_unfinished);
        orphans
    }

    /// Moves the state. Effects come in order of time, then of series.
    pub fn step(&mut self, now: Timestamp, input: Input<'_>) -> Vec<Effect> {
        let mut effects = match input {
            Input::Samples { watch, frame, thresholds, judging } => {
                let playbooks = &self.playbooks;
                self.watched[watch].samples(now, frame, thresholds, judging, playbooks)
            }
            Input::Tick => self.watched.iter_mut().flat_map(|watched| watched.tick(now)).collect(),
        };
        effects.sort_by_key(Effect::order);
        for effect in &mut effects {
            self.acted.judge(effect);
        }
        effects
    }
}

impl Unfinished {
    fn new(quiet_until: Timestamp) -> Self {
        Self { predictions: Vec::new(), quiet_until }
    }
}

impl Watched {
    fn new(watch: Arc<Watch>) -> Self {
        let geometry = Geometry::new(watch.baseline.window.as_millis(), watch.step.as_millis());
        Self {
            watch,
            geometry,
            shards: Vec::new(),
            calibration: Calibration::default(),
            rows: HashMap::new(),
            cursor: None,
            unfinished: BTreeMap::new(),
            turned_away: 0,
            keeps_portraits: false,
        }
    }

    fn with_settings(mut self, watch: Arc<Watch>) -> Self {
        let fixed = watch.limit.as_ref().and_then(|limit| match limit.threshold {
            Threshold::Value(value) => Some(value),
            Threshold::Query(_) => None,
        });
        let changed = self.watch.limit != watch.limit;
        self.watch = watch;
        if changed {
            self.shards.iter_mut().for_each(|shard| shard.set_all_thresholds(fixed.unwrap_or(f64::NAN)));
        }
        self.shards.iter_mut().for_each(|shard| shard.scores.set(self.watch.baseline.score));
        self.shards.iter_mut().for_each(Shard::forget_fits);
        self
    }

    fn samples(
        &mut self,
        now: Timestamp,
        frame: &Frame,
        thresholds: Option<&Frame>,
        judging: Judged,
        playbooks: &[Arc<Playbook>],
    ) -> Vec<Effect> {
        let grid = frame.grid();
        // E1: what the server says about the future is not looked at.
        let columns = (0..grid.len).take_while(|&i| grid.at(i) <= now).count();
        if columns == 0 {
            return Vec::new();
        }
        let places = self.places(frame);
        let limits = thresholds.map(|thresholds| Limits::new(frame, thresholds));
        let mut of_shard: Vec<Vec<(usize, usize)>> = vec![Vec::new(); self.shards.len()];
        for (frame_row, place) in places.iter().enumerate() {
            if let Some((shard, row)) = place {
                of_shard[*shard].push((*row, frame_row));
            }
        }
        let work = Work { watch: &self.watch, playbooks, judging, frame, limits, keeps_portraits: self.keeps_portraits };
        let mut effects = Vec::new();
        let mut begin = 0;
        while begin < columns {
            let hour = grid.at(begin).floor(LEARN_EVERY);
            self.calibration.learn(hour);
            let end = (begin..columns).find(|&i| grid.at(i) >= hour + LEARN_EVERY).unwrap_or(columns);
            let learnt = &self.calibration;
            let pieces = self.shards.par_iter_mut().zip(&of_shard).map(|(shard, rows)| work.piece(shard, rows, begin..end, learnt));
            effects.extend(pieces.collect::<Vec<_>>());
            self.shards.iter_mut().for_each(|shard| self.calibration.hear(&mut shard.news));
            begin = end;
        }
        let newest = grid.at(columns - 1);
        self.cursor = Some(self.cursor.map_or(newest, |cursor| cursor.max(newest)));
        effects.into_iter().flatten().collect()
    }

    /// Where each row of a frame lives; new series get a place.
    fn places(&mut self, frame: &Frame) -> Vec<Option<(usize, usize)>> {
        self.turned_away = 0;
        let before = self.rows.len();
        let places = frame.labels().iter().map(|labels| self.place(labels)).collect();
        if self.rows.len() != before {
            self.adopt_unfinished();
        }
        places
    }

    fn place(&mut self, labels: &Labels) -> Option<(usize, usize)> {
        let id = labels.id();
        if let Some(place) = self.rows.get(&id) {
            return Some(*place);
        }
        if self.rows.len() >= MAX_SERIES_PER_WATCH {
            self.turned_away += 1;
            return None;
        }
        if let Some(last) = self.shards.len().checked_sub(1) {
            if let Some(place) = self.place_in(last, labels, id) {
                return Some(place);
            }
            // A full shard may have rows whose series have long been silent.
            for shard in 0..last {
                if let Some(place) = self.place_in(shard, labels, id) {
                    return Some(place);
                }
            }
        }
        self.shards.push(Shard::new(self.geometry, self.watch.baseline.score));
        self.place_in(self.shards.len() - 1, labels, id)
    }

    fn place_in(&mut self, shard: usize, labels: &Labels, id: SeriesId) -> Option<(usize, usize)> {
        let (row, replaced) = self.shards[shard].add(labels)?;
        if let Some(old) = replaced {
            self.rows.remove(&old.id());
        }
        if let Some(limit) = &self.watch.limit
            && let Threshold::Value(value) = limit.threshold
        {
            self.shards[shard].set_threshold(row, value);
        }
        self.rows.insert(id, (shard, row));
        Some((shard, row))
    }

    fn adopt_unfinished(&mut self) {
        let here: Vec<u64> = self.unfinished.keys().copied().filter(|id| self.rows.contains_key(&SeriesId(*id))).collect();
        for id in here {
            if let (Some(left), Some(&(shard, row))) = (self.unfinished.remove(&id), self.rows.get(&SeriesId(id))) {
                self.shards[shard].restore(row, left.predictions, left.quiet_until, self.watch.step);
            }
        }
    }

    fn tick(&mut self, now: Timestamp) -> Vec<Effect> {
        let mut effects = Vec::new();
        for shard in &mut self.shards {
            shard.settle(now - SETTLE_GRACE, &self.watch, &mut effects);
            shard.episodes.settle(now - SETTLE_GRACE, self.watch.step, &mut effects);
        }
        // Series that never came back after a restart: their predictions are settled all the same.
        self.unfinished.retain(|_, left| {
            left.predictions.retain_mut(|prediction| {
                let mut life = Life::restored(prediction.clone(), self.watch.step);
                let turn = life.pass(now - SETTLE_GRACE, self.watch.step, &BreachWatch::default());
                match turn {
                    life::Turn::Ended => effects.push(Effect::Ended(life.prediction)),
                    life::Turn::Scored => effects.push(Effect::Scored(life.prediction)),
                    life::Turn::Nothing | life::Turn::Updated => return true,
                }
                false
            });
            !left.predictions.is_empty() || left.quiet_until > now - SETTLE_GRACE
        });
        effects
    }
}
