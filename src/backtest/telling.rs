//! The ten events that tell most: the best catches, the worst misses, and the false alarms that were surest of themselves.
//!
//! Not the ten largest of one measure: whoever reads a report wants to know how it is right *and* how it fails, and one series that cries
//! every night would fill the list alone.

use std::collections::HashSet;
use std::sync::Arc;

use super::album::Album;
use super::{Event, Report, Told, Verdict};
use crate::chart::Scene;
use crate::core::engine::{Moment, Portrait};
use crate::core::labels::Labels;
use crate::core::prediction::Prediction;
use crate::core::time::Timestamp;
use crate::core::watch::Watch;
use crate::picture;

/// As many as are read to the end.
pub const MOST_TELLING: usize = 10;
/// How they are shared out, as long as there are enough of each kind.
const SHARES: [(Kind, usize); 3] = [(Kind::Catch, 4), (Kind::Miss, 3), (Kind::FalseAlarm, 3)];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An event that was told before it began.
    Catch,
    /// An event that nothing stood for when it began.
    Miss,
    /// A prediction that did not come true.
    FalseAlarm,
}

/// One event worth a picture.
#[derive(Clone, Debug)]
pub struct Telling {
    pub kind: Kind,
    /// Place in the report's predictions; `None` for a miss.
    pub prediction: Option<usize>,
    /// Place in the report's events; `None` for a false alarm.
    pub event: Option<usize>,
    /// What was known at that moment, where it was kept.
    pub scene: Option<Scene>,
    /// Of a miss: what the last look before it had said.
    pub last_likelihood: Option<f64>,
}

/// What a page shows beside the report's numbers.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    pub watches: Vec<Arc<Watch>>,
    pub telling: Vec<Telling>,
}

/// How much a prediction that came true at `at` was worth: the warning time less the error of the time it gave, in horizons. Long lead
/// times by a wrong date are luck.
pub(super) fn catch_worth(raised: &Prediction, at: Timestamp) -> f64 {
    let said = raised.eta.p50.or(raised.predicted_threshold_time).unwrap_or_else(|| raised.due_at());
    let (lead_s, off_s) = ((at - raised.raised_at).as_secs_f64(), (said - at).as_secs_f64().abs());
    (lead_s - off_s) / raised.horizon.as_secs_f64().max(1.0)
}

/// The surer, the worse.
pub(super) fn false_worth(raised: &Prediction) -> f64 {
    raised.likelihood
}

/// Chooses, and draws up what was known.
pub(super) fn choose(report: &Report, watches: &[Arc<Watch>], album: &Album) -> Vec<Telling> {
    let mut chosen: Vec<Telling> = Vec::new();
    let ranked = SHARES.map(|(kind, share)| (ranked(report, kind), share));
    for (candidates, share) in &ranked {
        chosen.extend(candidates.iter().take(*share).cloned());
    }
    // What one kind does not fill, the others may.
    for (candidates, share) in &ranked {
        let room = MOST_TELLING.saturating_sub(chosen.len());
        chosen.extend(candidates.iter().skip(*share).take(room).cloned());
    }
    chosen.sort_by_key(|telling| telling.kind as u8);
    for telling in &mut chosen {
        draw_up(telling, report, watches, album);
    }
    chosen
}

/// All of one kind, the most telling first; of one series only the first, as long as there are others.
fn ranked(report: &Report, kind: Kind) -> Vec<Telling> {
    let bare = |prediction, event| Telling { kind, prediction, event, scene: None, last_likelihood: None };
    let mut all: Vec<(f64, &str, &Labels, Telling)> = match kind {
        Kind::Catch => report
            .events
            .iter()
            .enumerate()
            .filter_map(|(e, event)| {
                let p = report.predictions.iter().position(|told| Some(&told.prediction.id) == event.told_by.as_ref())?;
                Some((catch_worth(&report.predictions[p].prediction, event.at), &*event.watch, &event.labels, bare(Some(p), Some(e))))
            })
            .collect(),
        Kind::Miss => {
            let missed = report.events.iter().enumerate().filter(|(_, event)| event.told_by.is_none());
            missed.map(|(e, event)| (lasted_s(event, report), &*event.watch, &event.labels, bare(None, Some(e)))).collect()
        }
        Kind::FalseAlarm => {
            let wrong = |told: &Told| told.outcome.verdict == Verdict::DidNot;
            let wrong = report.predictions.iter().enumerate().filter(|(_, told)| wrong(told));
            wrong
                .map(|(p, told)| (false_worth(&told.prediction), &*told.prediction.watch, &told.prediction.labels, bare(Some(p), None)))
                .collect()
        }
    };
    // Stable: what is worth the same stays in the order of time.
    all.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut seen = HashSet::new();
    let (first, again): (Vec<_>, Vec<_>) = all.into_iter().partition(|(_, watch, labels, _)| seen.insert((*watch, *labels)));
    first.into_iter().chain(again).map(|(.., telling)| telling).take(MOST_TELLING).collect()
}

pub(super) fn lasted_s(event: &Event, report: &Report) -> f64 {
    let until = event.ends_at.or(report.to).unwrap_or(event.at);
    (until - event.at).as_secs_f64().max(0.0)
}

fn draw_up(telling: &mut Telling, report: &Report, watches: &[Arc<Watch>], album: &Album) {
    let of = |name: &str| watches.iter().find(|watch| *watch.name == *name);
    if let Some(prediction) = telling.prediction.map(|p| &report.predictions[p].prediction) {
        let portrait = album.of_raised(&prediction.id);
        telling.scene = portrait.zip(of(&prediction.watch)).map(|(portrait, watch)| picture::of_raised(watch, portrait, prediction));
    } else if let Some(event) = telling.event.map(|e| &report.events[e]) {
        let portrait: Option<&Portrait> = album.of_untold(&event.watch, &event.labels, event.at);
        telling.scene = portrait.zip(of(&event.watch)).and_then(|(portrait, watch)| picture::of_untold(watch, portrait));
        telling.last_likelihood = portrait.and_then(|portrait| match portrait.moment {
            Moment::Untold { likelihood, .. } => Some(likelihood),
            Moment::Raised(_) => None,
        });
    }
}
