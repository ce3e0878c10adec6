//! What a backtest has to say: every prediction with its truth, every event with how it was met, and what it comes to, rival beside it.

use std::collections::HashMap;
use std::path::PathBuf;

use serde::Serialize;

use super::alarm::{Alarm, Met, Verdict, met};
use super::diff::Diff;
use super::observe::{Observer, Seen};
use super::rehearsal::Rehearsed;
use super::reliability::{Coverage, Reliability};
use super::sign::Sign;
use super::summary::{Fact, Facts, Group, SummaryError};
use super::telling::Shown;
use super::truth::{Happened, Stretch, Truth as World, TruthKind};
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

/// Something that really happened: a breach, or what the labels or alerts say.
#[derive(Clone, Debug, Serialize)]
pub struct Event {
    pub watch: String,
    pub service: String,
    pub labels: Labels,
    pub at: Timestamp,
    /// The last sample at or past the threshold, or the label's end; `None` where the data ends before that.
    pub ends_at: Option<Timestamp>,
    /// What the labels or alerts call it.
    pub what: Option<String>,
    /// Its watch has a threshold: only then can a prediction be about it, and only then is it told or missed.
    pub can_be_told: bool,
    /// The prediction that stood when it began.
    pub told_by: Option<PredictionId>,
    pub lead_time_s: Option<f64>,
    /// That prediction's time as raised minus the true one: positive when it said too late.
    pub eta_error_s: Option<f64>,
    /// When an anomaly was first seen during it, or before where that one still stood. Looked for only where thresholds are not the truth.
    pub noticed_at: Option<Timestamp>,
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
    /// By what it is judged.
    pub truth: TruthKind,
    /// Share of the intervals in the groups that hold what they are about.
    pub interval_level: f64,
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
    pub reliability: Reliability,
    pub coverage: Vec<Coverage>,
    /// Of the events told, ascending.
    pub lead_times_s: Vec<f64>,
    /// What would have been done about the predictions, where the configuration lets anything be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acting: Option<Rehearsed>,
    /// What another configuration would have changed, where one was compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diff: Option<Diff>,
    /// What a page shows besides; empty unless pictures were kept.
    #[serde(skip)]
    pub shown: Shown,
}

/// What was recorded on the way, before it is added up.
pub(super) struct Recorded {
    pub observers: Vec<Observer>,
    /// In order of raising, as raised and as last heard of.
    pub told: Vec<(Prediction, Prediction, Option<PathBuf>)>,
    pub anomalies: Vec<Anomaly>,
    /// By what it is judged, if not by thresholds.
    pub truth: World,
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
    /// Whose labels or alerts were about nothing that was looked at.
    pub unfound: Vec<String>,
}

pub(super) fn score(recorded: Recorded) -> Result<Scored, SummaryError> {
    let Recorded { observers, told, anomalies, mut truth, end } = recorded;
    let by_thresholds = truth.kind == TruthKind::Thresholds;
    let mut judge = |watch: &Watch, labels: &Labels| (!by_thresholds).then(|| truth.about(watch, labels));
    let mut happened: HashMap<(String, Labels), Option<Happened>> = HashMap::new();
    for observer in &observers {
        for seen in &observer.series {
            happened.insert((observer.watch.name.to_string(), seen.labels.clone()), judge(&observer.watch, &seen.labels));
        }
    }
    let unfound = truth.unfound().map(str::to_owned).collect();
    let known = |watch: &str, labels: &Labels| happened.get(&(watch.to_owned(), labels.clone())).and_then(Option::as_ref);
    let mut predictions = Vec::with_capacity(told.len());
    let mut alarms: HashMap<(String, Labels), Vec<(usize, Alarm)>> = HashMap::new();
    for (raised, last, chart) in told {
        let alarm = alarm(&raised, &last);
        let alarm = known(&raised.watch, &raised.labels).map_or(alarm, |happened| happened.judge(&alarm, end));
        alarms.entry((raised.watch.clone(), raised.labels.clone())).or_default().push((predictions.len(), alarm));
        predictions.push(outcome(raised, last, alarm.verdict, chart));
    }
    let mut odd: HashMap<(&str, &Labels), Vec<&Anomaly>> = HashMap::new();
    for anomaly in &anomalies {
        odd.entry((&anomaly.watch, &anomaly.labels)).or_default().push(anomaly);
    }
    let (mut facts, mut events) = (Vec::new(), Vec::new());
    let mut rival_facts = Sign::all().map(|(name, _)| (name, Vec::new()));
    let mut number = 0;
    for observer in &observers {
        let watch = &*observer.watch;
        // Not as they came: files and servers bring them in different orders.
        let mut in_order: Vec<&Seen> = observer.series.iter().collect();
        in_order.sort_by(|a, b| a.labels.cmp(&b.labels));
        for seen in in_order {
            let key = (watch.name.to_string(), seen.labels.clone());
            let happened = happened.get(&key).and_then(Option::as_ref);
            let series = series_fact(seen, watch, number);
            number += 1;
            let of_series: &[(usize, Alarm)] = alarms.get(&key).map_or(&[], Vec::as_slice);
            let own: Vec<Alarm> = of_series.iter().map(|(_, alarm)| *alarm).collect();
            let anomalies: &[&Anomaly] = odd.get(&(&*watch.name, &seen.labels)).map_or(&[], Vec::as_slice);
            let stretches = happened.map_or_else(|| breaches(seen), |happened| counted(happened, seen, watch, end));
            facts.extend(anomaly_facts(&series, anomalies, happened, end));
            for stretch in &stretches {
                let how = met(stretch.from, &own);
                let by = |i: usize| &predictions[of_series[i].0];
                let told_by = if let Met::Told(i) = how { Some(by(i)) } else { None };
                let noticed_at = happened.and_then(|_| noticed(stretch, anomalies, end));
                if happened.is_some() {
                    facts.push(noticed_fact(&series, stretch, noticed_at));
                }
                events.push(Event {
                    watch: series.watch.clone(),
                    service: series.service.clone(),
                    labels: seen.labels.clone(),
                    at: stretch.from,
                    ends_at: stretch.to,
                    what: Some(stretch.what.clone()).filter(|what| !what.is_empty()),
                    can_be_told: watch.limit.is_some(),
                    told_by: told_by.map(|told| told.prediction.id.clone()),
                    lead_time_s: told_by.map(|told| (stretch.from - told.prediction.raised_at).as_secs_f64()),
                    eta_error_s: told_by.and_then(|told| eta_error_s(&told.prediction, stretch.from)),
                    noticed_at,
                    taken_back: if let Met::TakenBack(i) = how { Some(by(i).prediction.id.clone()) } else { None },
                });
            }
            let tellable: &[Stretch] = if watch.limit.is_some() { &stretches } else { &[] };
            facts.extend(series_facts(&series, tellable, &own));
            for ((_, facts), alarms) in rival_facts.iter_mut().zip(seen.rival_alarms(end, watch)) {
                let judged = |alarm: &Alarm| happened.map_or(*alarm, |happened| happened.judge(alarm, end));
                facts.extend(series_facts(&series, tellable, &alarms.iter().map(judged).collect::<Vec<_>>()));
            }
        }
    }
    events.sort_by(|a, b| (a.at, &a.watch, &a.labels).cmp(&(b.at, &b.watch, &b.labels)));
    let facts = Facts::new(&facts, !by_thresholds)?;
    let summary = facts.all()?;
    let rivals = rival_facts.iter().map(|(name, facts)| Ok(Group { name: (*name).to_owned(), ..Facts::new(facts, false)?.all()? }));
    let rivals = rivals.collect::<Result<Vec<_>, SummaryError>>()?;
    let (by_watch, by_service) = (facts.by_watch()?, facts.by_service()?);
    Ok(Scored { predictions, events, anomalies, summary, rivals, by_watch, by_service, unfound })
}

/// What crossed its threshold, as a truth that is labelled would say it.
fn breaches(seen: &Seen) -> Vec<Stretch> {
    let stretch = |(from, to): &(Timestamp, Option<Timestamp>)| Stretch { from: *from, to: *to, what: String::new(), unclear: false };
    seen.events.iter().map(stretch).collect()
}

/// What happened and could have been told: there was a past to learn from, and the series was still there or not long gone.
fn counted(happened: &Happened, seen: &Seen, watch: &Watch, end: Timestamp) -> Vec<Stretch> {
    let Some(last) = seen.last else { return Vec::new() };
    let until = end.min(last + watch.horizon);
    happened.events.iter().filter(|event| event.from <= until && seen.counts(event.from, watch)).cloned().collect()
}

/// When somebody who looks at anomalies knew of it.
fn noticed(event: &Stretch, anomalies: &[&Anomaly], end: Timestamp) -> Option<Timestamp> {
    let until = event.to.unwrap_or(end);
    anomalies.iter().find(|a| a.started_at <= until && a.ended_at.is_none_or(|over| over >= event.from)).map(|a| a.started_at)
}

fn noticed_fact(series: &Fact, event: &Stretch, noticed_at: Option<Timestamp>) -> Fact {
    let delay = noticed_at.map(|at| (at - event.from).as_secs_f64().max(0.0));
    Fact { incidents: 1.0, noticed: if delay.is_some() { 1.0 } else { 0.0 }, delay_s: delay, ..series.like() }
}

fn anomaly_facts(series: &Fact, anomalies: &[&Anomaly], happened: Option<&Happened>, end: Timestamp) -> Vec<Fact> {
    let fact = |a: &&Anomaly| {
        let until = a.ended_at.unwrap_or(end);
        let is_true = happened.is_some_and(|happened| happened.is_event(a.started_at, until));
        let judged = happened.is_some_and(|happened| is_true || !happened.is_unclear(a.started_at, until));
        let one = |yes: bool| f64::from(u8::from(yes));
        Fact { anomalies: 1.0, anomalies_judged: one(judged), anomalies_true: one(is_true), ..series.like() }
    };
    anomalies.iter().map(fact).collect()
}

/// The predicted time as raised minus the true one.
fn eta_error_s(raised: &Prediction, at: Timestamp) -> Option<f64> {
    let best = raised.eta.p50.or(raised.predicted_threshold_time)?;
    Some((best - at).as_secs_f64())
}

fn outcome(raised: Prediction, last: Prediction, verdict: Verdict, chart: Option<PathBuf>) -> Told {
    let true_at = if let Verdict::CameTrue { at } = verdict { Some(at) } else { None };
    let held = |at: Timestamp| raised.eta.p10.is_some_and(|p10| p10 <= at) && raised.eta.p90.is_none_or(|p90| at <= p90);
    let outcome = Outcome {
        verdict,
        state: last.state,
        ended_at: last.ended_at,
        ended_because: last.ended_because,
        lead_time_s: true_at.map(|at| (at - raised.raised_at).as_secs_f64()),
        eta_error_s: true_at.and_then(|at| eta_error_s(&raised, at)),
        eta_held: true_at.map(held),
        chart,
    };
    Told { prediction: raised, outcome }
}

/// By thresholds.
fn alarm(raised: &Prediction, last: &Prediction) -> Alarm {
    let verdict = match last.truth {
        Some(Truth::CameTrue { at, .. }) => Verdict::CameTrue { at },
        Some(Truth::DidNot) => Verdict::DidNot,
        Some(Truth::Averted { breached_at }) => Verdict::Averted { breached_at },
        Some(Truth::NotKnown) => Verdict::NotKnown,
        None => Verdict::Pending,
    };
    Alarm { raised_at: raised.raised_at, closed_at: last.ended_at, due_at: raised.due_at(), verdict }
}

fn series_fact(seen: &Seen, watch: &Watch, of: usize) -> Fact {
    let judged_ms = seen.judged as f64 * watch.step.as_millis() as f64;
    Fact {
        watch: watch.name.to_string(),
        service: watch.service.fill(&seen.labels),
        of,
        series: 1.0,
        weeks: judged_ms / Span::WEEK.as_millis() as f64,
        ..Fact::default()
    }
}

/// The series itself, its events, and what was told about it.
fn series_facts(series: &Fact, events: &[Stretch], alarms: &[Alarm]) -> Vec<Fact> {
    let event = |event: &Stretch| {
        let told = if let Met::Told(i) = met(event.from, alarms) { Some((event.from - alarms[i].raised_at).as_secs_f64()) } else { None };
        Fact { events: 1.0, told: if told.is_some() { 1.0 } else { 0.0 }, lead_time_s: told, ..series.like() }
    };
    let raised = |alarm: &Alarm| match alarm.verdict {
        Verdict::CameTrue { .. } => Fact { raised: 1.0, came_true: 1.0, ..series.like() },
        Verdict::DidNot => Fact { raised: 1.0, false_alarms: 1.0, ..series.like() },
        Verdict::Late { .. } => Fact { raised: 1.0, late: 1.0, ..series.like() },
        Verdict::Averted { .. } => Fact { raised: 1.0, averted: 1.0, ..series.like() },
        Verdict::NotKnown => Fact { raised: 1.0, unknown: 1.0, ..series.like() },
        Verdict::Pending => Fact { raised: 1.0, pending: 1.0, ..series.like() },
    };
    std::iter::once(series.clone()).chain(events.iter().map(event)).chain(alarms.iter().map(raised)).collect()
}
