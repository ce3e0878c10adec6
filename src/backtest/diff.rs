//! Two configurations on the same history: every prediction that appears, vanishes or moves, and what it does to the headline figures.
//!
//! Two predictions are the same one if they are of the same watch (by name) and series and stood at the same time: ids will not do, since the
//! time of raising is part of them. Each is paired once, the earliest first. Where the two configurations differ in what they call bad, each is
//! judged by its own: then the events differ too, and a figure that changed may be that.

use std::collections::BTreeMap;

use serde::Serialize;

use super::alarm::Verdict;
use super::figures::{Figure, figures};
use super::rehearsal;
use super::report::{Report, Told};
use super::summary::Group;
use crate::core::labels::Labels;
use crate::core::prediction::PredictionId;
use crate::core::time::{Span, Timestamp};

/// Smaller changes are not shown: whole percents are what is read, and minutes.
const LEAST_LIKELIHOOD: f64 = 0.005;
const LEAST_TIME: Span = Span::MINUTE;

/// What another configuration changes: first this one, then the other.
#[derive(Clone, Debug, Serialize)]
pub struct Diff {
    /// The other configuration's file.
    pub other: String,
    /// Predictions that are the same in both, or nearly.
    pub same: u64,
    /// Raised by the other only.
    pub appeared: Vec<Brief>,
    /// Raised by this one only.
    pub vanished: Vec<Brief>,
    pub moved: Vec<Moved>,
    /// What it changes about acting, where either lets anything be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acting: Option<rehearsal::Change>,
    /// Of all, then of every watch that either has.
    pub figures: Vec<Change>,
    /// What the reader should know about the other run and does not from this one's notes.
    pub notes: Vec<String>,
}

/// A prediction as far as it is compared.
#[derive(Clone, Debug, Serialize)]
pub struct Brief {
    pub id: PredictionId,
    pub watch: String,
    pub service: String,
    pub labels: Labels,
    pub raised_at: Timestamp,
    pub likelihood: f64,
    pub threshold: f64,
    pub eta_p50: Option<Timestamp>,
    #[serde(flatten)]
    pub verdict: Verdict,
    pub ended_at: Option<Timestamp>,
    pub lead_time_s: Option<f64>,
}

/// One that both raised, differently.
#[derive(Clone, Debug, Serialize)]
pub struct Moved {
    pub this: Brief,
    pub other: Brief,
    /// Below zero: the other raised it earlier.
    pub raised_change_s: f64,
    pub likelihood_change: f64,
    pub eta_change_s: Option<f64>,
}

/// One figure of one group in both.
#[derive(Clone, Debug, Serialize)]
pub struct Change {
    pub group: String,
    pub name: &'static str,
    pub this: Option<Figure>,
    pub other: Option<Figure>,
    /// The other's value minus this one's.
    pub change: Option<f64>,
}

impl Diff {
    /// `name` is the other's.
    pub fn between(this: &Report, other: &Report, name: &str) -> Self {
        let mut diff = Self {
            other: name.to_owned(),
            same: 0,
            appeared: Vec::new(),
            vanished: Vec::new(),
            moved: Vec::new(),
            acting: None,
            figures: changes(this, other),
            notes: other.notes.iter().filter(|note| !this.notes.contains(note)).cloned().collect(),
        };
        let mut of_series: BTreeMap<(&str, &Labels), [Vec<&Told>; 2]> = BTreeMap::new();
        for (side, report) in [this, other].into_iter().enumerate() {
            for told in &report.predictions {
                of_series.entry((&told.prediction.watch, &told.prediction.labels)).or_default()[side].push(told);
            }
        }
        let mut pairs = Vec::new();
        let id = |told: &Told| Some(told.prediction.id.clone());
        for [mine, mut theirs] in of_series.into_values() {
            for told in mine {
                match theirs.iter().position(|other| overlap(told, other)) {
                    Some(place) => {
                        let other = theirs.remove(place);
                        pairs.push((id(told), id(other)));
                        diff.pair(told, other);
                    }
                    None => {
                        pairs.push((id(told), None));
                        diff.vanished.push(Brief::of(told));
                    }
                }
            }
            pairs.extend(theirs.iter().map(|told| (None, id(told))));
            diff.appeared.extend(theirs.into_iter().map(Brief::of));
        }
        if this.acting.is_some() || other.acting.is_some() {
            diff.acting = Some(rehearsal::Change::between(this.acting.as_ref(), other.acting.as_ref(), &pairs));
        }
        let order = |a: &Brief, b: &Brief| (a.raised_at, &a.watch, &a.labels).cmp(&(b.raised_at, &b.watch, &b.labels));
        diff.appeared.sort_by(order);
        diff.vanished.sort_by(order);
        diff.moved.sort_by(|a, b| order(&a.this, &b.this));
        diff
    }

    fn pair(&mut self, this: &Told, other: &Told) {
        let (this, other) = (Brief::of(this), Brief::of(other));
        let raised = other.raised_at - this.raised_at;
        let likelihood_change = other.likelihood - this.likelihood;
        let eta = this.eta_p50.zip(other.eta_p50).map(|(a, b)| b - a);
        let far = |span: Span| span.as_millis().abs() >= LEAST_TIME.as_millis();
        let eta_differs = eta.map_or(this.eta_p50 != other.eta_p50, far);
        let differs = far(raised) || likelihood_change.abs() >= LEAST_LIKELIHOOD || eta_differs || this.verdict != other.verdict;
        if !differs {
            self.same += 1;
            return;
        }
        let eta_change_s = eta.map(Span::as_secs_f64);
        self.moved.push(Moved { this, other, raised_change_s: raised.as_secs_f64(), likelihood_change, eta_change_s });
    }
}

impl Brief {
    fn of(told: &Told) -> Self {
        let (p, outcome) = (&told.prediction, &told.outcome);
        Self {
            id: p.id.clone(),
            watch: p.watch.clone(),
            service: p.service.clone(),
            labels: p.labels.clone(),
            raised_at: p.raised_at,
            likelihood: p.likelihood,
            threshold: p.threshold,
            eta_p50: p.eta.p50,
            verdict: outcome.verdict,
            ended_at: outcome.ended_at,
            lead_time_s: outcome.lead_time_s,
        }
    }
}

/// Whether two predictions of one series stood at the same time.
fn overlap(a: &Told, b: &Told) -> bool {
    let until = |told: &Told| told.outcome.ended_at.unwrap_or(told.prediction.due_at());
    a.prediction.raised_at <= until(b) && b.prediction.raised_at <= until(a)
}

fn changes(this: &Report, other: &Report) -> Vec<Change> {
    let mut changes = changes_of("all", Some(&this.summary), Some(&other.summary));
    let names: Vec<&str> = this.by_watch.iter().map(|group| group.name.as_str()).collect();
    let new = other.by_watch.iter().map(|group| group.name.as_str()).filter(|name| !names.contains(name));
    for name in names.iter().copied().chain(new) {
        changes.extend(changes_of(name, of_watch(this, name), of_watch(other, name)));
    }
    changes
}

fn of_watch<'a>(report: &'a Report, name: &str) -> Option<&'a Group> {
    report.by_watch.iter().find(|group| group.name == name)
}

fn changes_of(name: &str, this: Option<&Group>, other: Option<&Group>) -> Vec<Change> {
    let [mine, theirs] = [this, other].map(|group| group.map(figures).unwrap_or_default());
    let names: Vec<&'static str> = if mine.is_empty() { &theirs } else { &mine }.iter().map(|figure| figure.name).collect();
    let pick = |figures: &[Figure], name: &str| figures.iter().find(|figure| figure.name == name).copied();
    names
        .into_iter()
        .map(|figure| {
            let (this, other) = (pick(&mine, figure), pick(&theirs, figure));
            let value = |figure: Option<Figure>| figure.and_then(|figure| figure.value);
            let change = value(this).zip(value(other)).map(|(this, other)| other - this);
            Change { group: name.to_owned(), name: figure, this, other, change }
        })
        .collect()
}
