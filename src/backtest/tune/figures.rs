//! What some settings come to on a part of the past, by one truth for all of them: the events by today's settings.
//!
//! A candidate's own truth will not do: with more samples to sustain it has fewer events, and tells all of them.

use std::collections::HashMap;

use serde::Serialize;

use crate::backtest::alarm::{Alarm, Met, Verdict, met};
use crate::backtest::report::{Event, Report, Told};
use crate::core::labels::Labels;
use crate::core::time::{Span, Timestamp};

/// What was told of one watch in a part of the past, and what happened.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Figures {
    pub events: u64,
    /// Events for which a prediction stood that had been raised early enough.
    pub told: u64,
    /// From raising to the event, of those told early enough.
    pub median_lead_time_s: Option<f64>,
    pub raised: u64,
    /// Predictions whose horizon was over within the part, and in it no event.
    pub false_alarms: u64,
    /// Of the watch, all its series together.
    pub false_alarms_per_week: f64,
}

/// A part of the past: from the one time up to the other.
pub type Part = (Timestamp, Timestamp);

/// What is known at the end of the part about what was told in it.
pub fn figures(watch: &str, events: &[Event], report: &Report, (from, to): Part, min_lead: Span) -> Figures {
    let mut told: HashMap<&Labels, Vec<&Told>> = HashMap::new();
    for one in report.predictions.iter().filter(|told| told.prediction.watch == watch) {
        told.entry(&one.prediction.labels).or_default().push(one);
    }
    let known = || events.iter().filter(|event| event.watch == watch && event.at < to);
    let mut figures = Figures::default();
    let mut leads_s = Vec::new();
    for event in known().filter(|event| event.at >= from) {
        figures.events += 1;
        let alarms: Vec<Alarm> = told.get(&event.labels).into_iter().flatten().map(|told| alarm(told)).collect();
        if let Met::Told(index) = met(event.at, &alarms) {
            let lead = event.at - alarms[index].raised_at;
            leads_s.extend((lead >= min_lead).then(|| lead.as_secs_f64()));
        }
    }
    figures.told = leads_s.len() as u64;
    leads_s.sort_by(f64::total_cmp);
    figures.median_lead_time_s = (!leads_s.is_empty()).then(|| leads_s[leads_s.len() / 2]);
    for one in told.values().flatten().filter(|told| told.prediction.raised_at >= from && told.prediction.raised_at < to) {
        figures.raised += 1;
        let (raised, due) = (one.prediction.raised_at, one.prediction.due_at());
        let happened =
            |event: &Event| event.labels == one.prediction.labels && event.at <= due && event.ends_at.is_none_or(|ends| ends >= raised);
        let is_settled = due < to && !matches!(one.outcome.verdict, Verdict::NotKnown | Verdict::Pending);
        figures.false_alarms += u64::from(is_settled && !known().any(happened));
    }
    let weeks = (to - from).as_secs_f64() / Span::WEEK.as_secs_f64();
    figures.false_alarms_per_week = if weeks > 0.0 { figures.false_alarms as f64 / weeks } else { 0.0 };
    figures
}

fn alarm(told: &Told) -> Alarm {
    let (prediction, outcome) = (&told.prediction, &told.outcome);
    Alarm { raised_at: prediction.raised_at, closed_at: outcome.ended_at, due_at: prediction.due_at(), verdict: outcome.verdict }
}
