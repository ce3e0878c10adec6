//! The backtest: what Portent would have told about the past, and whether it would have been right.
//!
//! ```text
//! files ----> windows --+                                   +-> what was told --+
//!                       +-> Engine::step under a manual now -+                   +-> score -> Report
//! Prometheus -> windows -+-> what really happened, and the rival ---------------+
//! ```
//! The same engine as the daemon's gets the same samples, and as it decides everything at a sample's own time, it tells the same things bit
//! for bit. Samples come in windows, so that memory holds a window and not a year.

mod acted;
mod alarm;
mod album;
pub mod alerts;
mod bootstrap;
pub mod cache;
mod diff;
mod figures;
pub mod files;
pub mod labels;
mod observe;
pub mod page;
mod past;
#[cfg(test)]
mod pictures_tests;
pub mod range;
mod rehearsal;
mod reliability;
mod report;
mod rival;
mod sign;
mod summary;
mod telling;
#[cfg(test)]
mod tests;
pub mod truth;
pub mod tune;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::Sender;

pub use acted::{ActedError, ActedUpon};
pub use alarm::Verdict;
pub use bootstrap::{FEW, INTERVAL_LEVEL, Interval};
pub use diff::{Brief, Change, Diff, Moved};
pub use figures::{Figure, figures};
pub use observe::ONE_EVENT;
pub use past::{Done, PastError, Take};
pub use rehearsal::{Change as ActingChange, Changed, Decided, Rehearsal, Rehearsed, Would, is_wanted};
pub use reliability::{Bin, Coverage, Reliability};
pub use report::{Event, Outcome, Report, Told};
pub use summary::{Group, SummaryError};
pub use telling::{Kind, MOST_TELLING, Shown, Telling};

use self::album::Album;
use self::observe::Observer;
use self::report::Recorded;
use self::truth::{Truth, TruthKind};
use crate::chart::{self, ChartError, Style};
use crate::core::anomaly::Anomaly;
use crate::core::engine::{Effect, Engine, Input, Judged, Moment, Portrait, TOO_LATE};
use crate::core::frame::Frame;
use crate::core::labels::Labels;
use crate::core::playbook::Playbook;
use crate::core::prediction::{Prediction, PredictionId};
use crate::core::time::{Span, Timestamp};
use crate::core::watch::Watch;
use crate::picture;

/// Anomalies kept at most: a watch without thresholds over a year has thousands, and nobody reads more.
pub const MAX_ANOMALIES: usize = 100_000;

/// Which part of the past is judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Judging {
    /// When it begins to listen, as a daemon that is started then: samples of a few steps before may count towards what is told, and nothing
    /// is told about the time before.
    pub from: Option<Timestamp>,
    /// This much of each watch's data is learned from only: unless given, its baseline's window, or half of what there is when that is less.
    pub warmup: Option<Span>,
}

/// A backtest under way.
#[derive(Debug)]
pub struct Backtest {
    engine: Engine,
    observers: Vec<Observer>,
    judging: Judging,
    truth: Truth,
    /// Of each watch, once its first sample is known.
    judge_from: Vec<Option<Timestamp>>,
    told: Vec<(Prediction, Prediction, Option<PathBuf>)>,
    place: HashMap<PredictionId, usize>,
    anomalies: Vec<Anomaly>,
    open_anomalies: HashMap<(String, Labels), usize>,
    charts: Option<(PathBuf, Style)>,
    album: Option<Album>,
    onlooker: Option<Sender<Effect>>,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    notes: Vec<String>,
    rehearsal: Option<Rehearsal>,
    acted: ActedUpon,
    /// Whether somebody looks on from outside: at what really happened, and at what rivals would have told.
    looks_on: bool,
}

impl Backtest {
    pub fn new(watches: Vec<Arc<Watch>>, playbooks: Vec<Playbook>, judging: Judging) -> Self {
        Self {
            observers: watches.iter().cloned().map(Observer::new).collect(),
            judge_from: vec![None; watches.len()],
            engine: Engine::new(watches, playbooks),
            judging,
            truth: Truth::default(),
            told: Vec::new(),
            place: HashMap::new(),
            anomalies: Vec::new(),
            open_anomalies: HashMap::new(),
            charts: None,
            album: None,
            onlooker: None,
            from: None,
            to: None,
            notes: Vec::new(),
            rehearsal: None,
            acted: ActedUpon::default(),
            looks_on: true,
        }
    }

    /// Only what is told is of interest: its report has no events, no rivals and no counts of series.
    pub fn only_tell(&mut self) {
        self.looks_on = false;
    }

    /// Draws every prediction as it is raised into this folder, which must exist.
    pub fn draw_into(&mut self, folder: PathBuf, style: Style) {
        self.charts = Some((folder, style));
        self.engine.keep_portraits(true);
    }

    /// Keeps what was known when something was raised or missed: the report then holds the most telling events with their pictures.
    pub fn keep_pictures(&mut self) {
        self.album = Some(Album::default());
        self.engine.keep_portraits(true);
    }

    /// Judges by what somebody else says has happened, and not by thresholds.
    pub fn judge_by(&mut self, truth: Truth) {
        self.truth = truth;
    }

    /// What was really done in that time: what stood then is neither right nor wrong.
    pub fn was_acted_upon(&mut self, acted: ActedUpon) {
        self.acted = acted;
    }

    /// Says what would have been done about what was told.
    pub fn rehearse(&mut self, rehearsal: Rehearsal) {
        self.rehearsal = Some(rehearsal);
    }

    /// Sends every effect there, in the order of the engine's steps.
    pub fn show_to(&mut self, onlooker: Sender<Effect>) {
        self.onlooker = Some(onlooker);
    }

    /// Something that the reader of the report should know.
    pub fn note(&mut self, note: impl Into<String>) {
        let note = note.into();
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    pub fn watches(&self) -> impl ExactSizeIterator<Item = &Arc<Watch>> {
        self.engine.watches()
    }

    /// Takes in a window of one watch, later than its windows before; `ends` is where its data will end. Gives back what the engine decided.
    ///
    /// # Errors
    /// When a chart cannot be drawn.
    pub fn feed(&mut self, watch: usize, frame: &Frame, thresholds: Option<&Frame>, ends: Timestamp) -> Result<Vec<Effect>, ChartError> {
        if frame.grid().len == 0 {
            return Ok(Vec::new());
        }
        let judge_from = self.judge_from(watch, frame, ends);
        let grid = frame.grid();
        self.from = Some(self.from.map_or(grid.start, |from| from.min(grid.start)));
        self.to = Some(self.to.map_or(grid.last(), |to| to.max(grid.last())));
        if self.looks_on {
            self.observers[watch].take_in(frame, thresholds, judge_from);
        }
        // As a daemon that is started where judging begins.
        let judging = Judged::listening(judge_from, judge_from, TOO_LATE, self.observers[watch].watch.step);
        let effects = self.engine.step(grid.last(), Input::Samples { watch, frame, thresholds, judging });
        let turned_away = self.engine.turned_away(watch);
        if turned_away > 0 {
            let name = self.observers[watch].watch.name.clone();
            self.note(format!("{name}: {turned_away} series more than one watch may have were left out"));
        }
        let portraits = self.engine.take_portraits();
        for effect in &effects {
            self.record(effect);
        }
        self.picture(watch, portraits)?;
        Ok(effects)
    }

    /// Draws what was raised, and puts by what may be worth a picture at the end.
    fn picture(&mut self, watch: usize, portraits: Vec<Portrait>) -> Result<(), ChartError> {
        let observer = &self.observers[watch];
        if let Some((folder, style)) = &self.charts {
            for portrait in &portraits {
                let Moment::Raised(id) = &portrait.moment else { continue };
                let Some(place) = self.place.get(id) else { continue };
                let (raised, _, chart) = &mut self.told[*place];
                let path = folder.join(format!("{id}.png"));
                chart::render_to_file(&picture::of_raised(&observer.watch, portrait, raised), style, &path)?;
                *chart = Some(path);
            }
        }
        if let Some(album) = &mut self.album {
            let (place, told) = (&self.place, &self.told);
            let known = |id: &PredictionId| place.get(id).map(|place| (&told[*place].0, &told[*place].1));
            let of = |watch: &str| self.observers.iter().find(|observer| *observer.watch.name == *watch);
            album.take_in(portraits, |watch, labels, since| of(watch)?.lasted(labels, since), known);
        }
        Ok(())
    }

    /// From when on a watch is judged. Before its first sample nothing could be, so the window's last column does.
    fn judge_from(&mut self, watch: usize, frame: &Frame, ends: Timestamp) -> Timestamp {
        if let Some(known) = self.judge_from[watch] {
            return known;
        }
        let grid = frame.grid();
        let first = (0..frame.rows()).filter_map(|row| frame.row(row).iter().position(|v| v.is_finite())).min();
        let Some(first) = first.map(|column| grid.at(column)) else { return grid.last() };
        let window = self.observers[watch].watch.baseline.window;
        let half = Span::from_millis((ends - first).as_millis() / 2);
        let warm = first + self.judging.warmup.unwrap_or(window.min(half));
        let judge_from = self.judging.from.map_or(warm, |from| from.max(warm));
        self.judge_from[watch] = Some(judge_from);
        judge_from
    }

    fn record(&mut self, effect: &Effect) {
        if let Some(onlooker) = &self.onlooker {
            // Nobody looks on any more: fine.
            let _ = onlooker.send(effect.clone());
        }
        if let Some(rehearsal) = &mut self.rehearsal {
            rehearsal.hear(effect);
        }
        match effect {
            Effect::Raised(prediction) => {
                self.place.insert(prediction.id.clone(), self.told.len());
                self.told.push((prediction.clone(), prediction.clone(), None));
            }
            Effect::Updated(prediction) | Effect::Ended(prediction) | Effect::Scored(prediction) => {
                if let Some(place) = self.place.get(&prediction.id) {
                    let last = &mut self.told[*place].1;
                    *last = prediction.clone();
                    // Not the engine's to say: within one window a prediction is raised and settled before anybody hears of it.
                    if self.acted.is_about(prediction) {
                        last.truth = last.truth.map(crate::core::prediction::Truth::acted_upon);
                    }
                }
            }
            Effect::AnomalyStarted(anomaly) if self.anomalies.len() < MAX_ANOMALIES => {
                self.open_anomalies.insert((anomaly.watch.clone(), anomaly.labels.clone()), self.anomalies.len());
                self.anomalies.push(anomaly.clone());
            }
            Effect::AnomalyStarted(_) => self.note(format!("only the first {MAX_ANOMALIES} anomalies are listed")),
            Effect::AnomalyEnded(anomaly) => {
                if let Some(place) = self.open_anomalies.remove(&(anomaly.watch.clone(), anomaly.labels.clone())) {
                    self.anomalies[place] = anomaly.clone();
                }
            }
        }
    }

    /// Lets time pass to the end of the data, where no more samples come.
    pub fn tick(&mut self, now: Timestamp) -> Vec<Effect> {
        let effects = self.engine.step(now, Input::Tick);
        for effect in &effects {
            self.record(effect);
        }
        effects
    }

    /// Adds it all up. `stopped_early`: not all of the data was looked at.
    ///
    /// # Errors
    /// None for results of this program's own making; polars' refusal otherwise.
    pub fn finish(mut self, stopped_early: bool) -> Result<Report, SummaryError> {
        let end = self.to.unwrap_or_default();
        self.tick(end);
        for anomaly in self.engine.anomalies() {
            if let Some(place) = self.open_anomalies.get(&(anomaly.watch.clone(), anomaly.labels.clone())) {
                self.anomalies[*place] = anomaly.clone();
            }
        }
        self.told.sort_by(|(a, ..), (b, ..)| (a.raised_at, &a.watch, &a.labels).cmp(&(b.raised_at, &b.watch, &b.labels)));
        self.anomalies.sort_by(|a, b| (a.started_at, &a.watch, &a.labels).cmp(&(b.started_at, &b.watch, &b.labels)));
        let kind = self.truth.kind;
        let Self { observers, told, anomalies, truth, rehearsal, .. } = self;
        let firsts = rehearsal.as_ref().map(|_| observe::firsts(&observers));
        let scored = report::score(Recorded { observers, told, anomalies, truth, end })?;
        let mut lead_times_s: Vec<f64> = scored.events.iter().filter_map(|event| event.lead_time_s).collect();
        lead_times_s.sort_by(f64::total_cmp);
        self.notes.extend(unfound(kind, &scored.unfound));
        let mut report = Report {
            truth: kind,
            interval_level: INTERVAL_LEVEL,
            reliability: Reliability::of(&self.engine, &scored.predictions),
            coverage: Coverage::of(&self.engine),
            lead_times_s,
            diff: None,
            from: self.from,
            judged_from: self.judge_from.iter().flatten().min().copied(),
            to: self.to,
            stopped_early,
            notes: self.notes,
            acting: rehearsal.zip(firsts).map(|(rehearsal, firsts)| {
                let became = scored.predictions.iter().map(|told| (told.prediction.id.clone(), told.outcome.verdict)).collect();
                let first = |watch: &str, labels: &Labels| firsts.get(&(watch.to_owned(), labels.clone())).copied();
                rehearsal.run(self.engine.watches().map(|watch| &**watch), first, &became)
            }),
            predictions: scored.predictions,
            events: scored.events,
            anomalies: scored.anomalies,
            summary: scored.summary,
            rival: scored.rivals.first().cloned().unwrap_or_default(),
            rivals: scored.rivals,
            by_watch: scored.by_watch,
            by_service: scored.by_service,
            shown: Shown::default(),
        };
        if let Some(album) = self.album {
            let watches: Vec<Arc<Watch>> = self.engine.watches().cloned().collect();
            let telling = telling::choose(&report, &watches, &album);
            report.shown = Shown { watches, telling };
        }
        Ok(report)
    }
}

/// What the reader should know about labels that were about nothing.
fn unfound(kind: TruthKind, unfound: &[String]) -> Option<String> {
    /// Named one by one; the rest is counted.
    const NAMED: usize = 5;
    if unfound.is_empty() {
        return None;
    }
    let named = unfound.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    let more = if unfound.len() > NAMED { format!(" and {} more", unfound.len() - NAMED) } else { String::new() };
    Some(format!("{} about no series that was looked at: {named}{more}", kind.as_str()))
}

/// Makes the folder that charts go into.
///
/// # Errors
/// The file system's.
pub fn make_folder(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)
}
