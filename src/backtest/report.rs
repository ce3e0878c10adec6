//! What a backtest has to say: every prediction with its truth, every event with how it was met, and what it comes to, rival beside it.

use std::collections::HashMap;
use std::path::PathBuf;

use serde::Serialize;

use super::alarm::{Alarm, Met, Verdict, met};
use super::observe::{Observer, Seen};
use super::sign::Sign;
use super::summary::{Fact, Facts, Group, SummaryError};
use crate::core::anomaly::Anomaly;
use crate::core::labels::Labels;
use crate::core::prediction::{Prediction, PredictionId, State, Truth};
use crate::core::time::{Span, Timestamp};
use crate::core::watch::Watch;

/// A prediction as it was raised, and what became of it.
#[derive(Clone, Debug, Serialize)]
pub struct Told {
    /// As raised: nothing in it was known later than `raised_at`, and `truth` is open.
    #[serde(flatten)]
    pub prediction: Prediction,
    pub outcome: Outcome,
}

/// What became of a prediction.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    #[serde(flatten)]
    pub verdict: Verdict,
    pub state: State,
    pub ended_at: Option<Timestamp>,
    pub ended_because: Option<String>,
    /// From raising to the breach.
    pub lead_time_s: Option<f64>,
    /// The predicted time as raised minus the true one: positive when it said too late.
    pub eta_error_s: Option<f64>,
    /// Whether the breach lay between the 10 % and 90 % times as raised.
    pub eta_held: Option<bool>,
    pub chart: Option<PathBuf>,
}

/// A breach that really happened.
#[derive(Clone, Debug, Serialize)]
pub struct Event {
    pub watch: String,
    pub service: String,
    pub labels: Labels,
    pub at: Timestamp,
    /// The last sample at or past the threshold; `None` where the data ends before that.
    pub ends_at: Option<Timestamp>,
    /// The prediction that stood when it began.
    pub told_by: Option<PredictionId>,
    pub lead_time_s: Option<f64>,
    /// The prediction that was about it but had been taken back before it began.
    pub taken_back: Option<PredictionId>,
}

/// All of it. Serialized as it stands by `--json`.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// First column that was looked at.
    pub from: Option<Timestamp>,
    /// First column at which anything could be told.
    pub judged_from: Option<Timestamp>,
    pub to: Option<Timestamp>,
    /// It was told to stop before the end.
    pub stopped_early: bool,
    /// What the reader should know about how this came to be.
    pub notes: Vec<String>,
    pub predictions: Vec<Told>,
    pub events: Vec<Event>,
    pub anomalies: Vec<Anomaly>,
    pub summary: Group,
    /// `predict_linear` over six hours on the same data by the same rules.
    pub rival: Group,
    /// All naive alerts, that one first.
    pub rivals: Vec<Group>,
    pub by_watch: Vec<Group>,
    pub by_service: Vec<Group>,
}

/// What was recorded on the way, before it is added up.
pub(super) struct Recorded {
    pub observers: Vec<Observer>,
    /// In order of raising, as raised and as last heard of.
    pub told: Vec<(Prediction, Prediction, Option<PathBuf>)>,
    pub anomalies: Vec<Anomaly>,
    /// Time of the last column.
    pub end: Timestamp,
}

/// Predictions, events, and the sums: all, rival's, by watch, by service.
pub(super) struct Scored {
    pub predictions: Vec<Told>,
    pub events: Vec<Event>,
    pub anomalies: Vec<Anomaly>,
    pub summary: Group,
    pub rivals: Vec<Group>,
    pub by_watch: Vec<Group>,
    pub by_service: Vec<Group>,
}

pub(super) fn score(recorded: Recorded) -> Result<Scored, SummaryError> {
    let Recorded { observers, told, anomalies, end } = recorded;
    let predictions: Vec<Told> = told.into_iter().map(|(raised, last, chart)| outcome(raised, last, chart)).collect();
    let mut of_series: HashMap<(&str, &Labels), Vec<&Told>> = HashMap::new();
    for told in &predictions {
        of_series.entry((&told.prediction.watch, &told.prediction.labels)).or_default().push(told);
    }
    let mut odd: HashMap<(&str, &Labels), f64> = HashMap::new();
    for anomaly in &anomalies {
        *odd.entry((&anomaly.watch, &anomaly.labels)).or_default() += 1.0;
    }
    let (mut facts, mut events) = (Vec::new(), Vec::new());
    let mut rival_facts = Sign::all().map(|(name, _)| (name, Vec::new()));
    for observer in &observers {
        let watch = &*observer.watch;
        for seen in &observer.series {
            let series = series_fact(seen, watch);
            let own: &[&Told] = of_series.get(&(&*watch.name, &seen.labels)).map_or(&[], Vec::as_slice);
            let alarms: Vec<Alarm> = own.iter().map(|t| alarm(t)).collect();
            let met_events = seen.events.iter().map(|(at, ends_at)| {
                let id = |i: usize| own[i].prediction.id.clone();
                let how = met(*at, &alarms);
                Event {
                    watch: series.watch.clone(),
                    service: series.service.clone(),
                    labels: seen.labels.clone(),
                    at: *at,
                    ends_at: *ends_at,
                    told_by: if let Met::Told(i) = how { Some(id(i)) } else { None },
                    lead_time_s: if let Met::Told(i) = how { Some((*at - alarms[i].raised_at).as_secs_f64()) } else { None },
                    taken_back: if let Met::TakenBack(i) = how { Some(id(i)) } else { None },
                }
            });
            events.extend(met_events);
            let anomalies = odd.get(&(&*watch.name, &seen.labels)).copied().unwrap_or_default();
            facts.push(Fact { anomalies, watch: series.watch.clone(), service: series.service.clone(), ..Fact::default() });
            facts.extend(series_facts(&series, seen, &alarms));
            for ((_, facts), alarms) in rival_facts.iter_mut().zip(seen.rival_alarms(end, watch)) {
                facts.extend(series_facts(&series, seen, &alarms));
            }
        }
    }
    events.sort_by(|a, b| (a.at, &a.watch, &a.labels).cmp(&(b.at, &b.watch, &b.labels)));
    let facts = Facts::new(&facts)?;
    let summary = facts.all()?;
    let rivals = rival_facts.iter().map(|(name, facts)| Ok(Group { name: (*name).to_owned(), ..Facts::new(facts)?.all()? }));
    let rivals = rivals.collect::<Result<Vec<_>, SummaryError>>()?;
    Ok(Scored { predictions, events, anomalies, summary, rivals, by_watch: facts.by_watch()?, by_service: facts.by_service()? })
}

fn outcome(raised: Prediction, last: Prediction, chart: Option<PathBuf>) -> Told {
    let verdict = match last.truth {
        Some(Truth::CameTrue { at, .. }) => Verdict::CameTrue { at },
        Some(Truth::DidNot) => Verdict::DidNot,
        Some(Truth::NotKnown) => Verdict::NotKnown,
        None => Verdict::Pending,
    };
    let true_at = if let Verdict::CameTrue { at } = verdict { Some(at) } else { None };
    let best = raised.eta.p50.or(raised.predicted_threshold_time);
    let held = |at: Timestamp| raised.eta.p10.is_some_and(|p10| p10 <= at) && raised.eta.p90.is_none_or(|p90| at <= p90);
    let outcome = Outcome {
        verdict,
        state: last.state,
        ended_at: last.ended_at,
        ended_because: last.ended_because,
        lead_time_s: true_at.map(|at| (at - raised.raised_at).as_secs_f64()),
        eta_error_s: true_at.zip(best).map(|(at, best)| (best - at).as_secs_f64()),
        eta_held: true_at.map(held),
        chart,
    };
    Told { prediction: raised, outcome }
}

fn alarm(told: &Told) -> Alarm {
    let prediction = &told.prediction;
    Alarm { raised_at: prediction.raised_at, closed_at: told.outcome.ended_at, due_at: prediction.due_at(), verdict: told.outcome.verdict }
}

fn series_fact(seen: &Seen, watch: &Watch) -> Fact {
    let judged_ms = seen.judged as f64 * watch.step.as_millis() as f64;
    Fact {
        watch: watch.name.to_string(),
        service: watch.service.fill(&seen.labels),
        series: 1.0,
        weeks: judged_ms / Span::WEEK.as_millis() as f64,
        ..Fact::default()
    }
}

/// The series itself, its events, and what was told about it.
fn series_facts(series: &Fact, seen: &Seen, alarms: &[Alarm]) -> Vec<Fact> {
    let other = || Fact { watch: series.watch.clone(), service: series.service.clone(), ..Fact::default() };
    let event = |(at, _): &(Timestamp, Option<Timestamp>)| {
        let told = if let Met::Told(i) = met(*at, alarms) { Some((*at - alarms[i].raised_at).as_secs_f64()) } else { None };
        Fact { events: 1.0, told: if told.is_some() { 1.0 } else { 0.0 }, lead_time_s: told, ..other() }
    };
    let raised = |alarm: &Alarm| match alarm.verdict {
        Verdict::CameTrue { .. } => Fact { raised: 1.0, came_true: 1.0, ..other() },
        Verdict::DidNot => Fact { raised: 1.0, false_alarms: 1.0, ..other() },
        Verdict::NotKnown => Fact { raised: 1.0, unknown: 1.0, ..other() },
        Verdict::Pending => Fact { raised: 1.0, pending: 1.0, ..other() },
    };
    std::iter::once(series.clone()).chain(seen.events.iter().map(event)).chain(alarms.iter().map(raised)).collect()
}
