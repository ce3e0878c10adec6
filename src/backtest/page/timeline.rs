//! All that was told and all that happened, on one axis of time.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;

use super::svg::{Anchor, Plot, Sheet};
use super::words::{count, cut, day, plural};
use crate::backtest::{Event, Report, Told, Verdict};
use crate::chart::time_ticks;
use crate::core::time::Timestamp;

/// Rows at most; the least busy ones share the last.
const MAX_ROWS: usize = 24;
/// Marks of a kind at most: more lie over each other, and a page is to stay small.
const MAX_MARKS: usize = 2_000;
const WIDTH: f64 = 1_080.0;
const LEFT: f64 = 190.0;
const RIGHT: f64 = 1_064.0;
const TOP: f64 = 8.0;
const ROW: f64 = 26.0;
const NAME_CHARS: usize = 26;
/// Round times that are wanted on the axis.
const TICKS: usize = 9;

pub fn section(report: &Report) -> String {
    let (Some(from), Some(to)) = (report.judged_from, report.to) else { return String::new() };
    if from >= to || (report.predictions.is_empty() && report.events.is_empty()) {
        return String::new();
    }
    let (rows, of) = rows(report);
    let bottom = TOP + rows.len() as f64 * ROW;
    let plot = Plot { left: LEFT, top: TOP, right: RIGHT, bottom };
    let total_s = (to - from).as_secs_f64();
    let x = |at: Timestamp| plot.at(((at - from).as_secs_f64() / total_s).clamp(0.0, 1.0), 0.0).0;
    let mut sheet = Sheet::new(WIDTH, bottom + 40.0, "Predictions and events over the judged time");
    for tick in time_ticks(from, to, &TimeZone::UTC, TICKS) {
        let x = x(tick.at);
        sheet.line("grid", (x, TOP), (x, bottom));
        sheet.text("tick", (x, bottom + 16.0), Anchor::Middle, &tick.label);
        if let Some(day) = tick.day {
            sheet.text("tick", (x, bottom + 31.0), Anchor::Middle, &day);
        }
    }
    for (i, name) in rows.iter().enumerate() {
        let y = TOP + i as f64 * ROW;
        if i % 2 == 0 {
            sheet.rect("stripe", (0.0, y), (RIGHT, ROW), "");
        }
        sheet.text("axis", (8.0, y + ROW / 2.0 + 4.0), Anchor::Start, &cut(name, NAME_CHARS));
    }
    let y = |watch: &str, service: &str| TOP + of(watch, service) as f64 * ROW;
    for told in report.predictions.iter().take(MAX_MARKS) {
        let p = &told.prediction;
        let (start, end) = (x(p.raised_at), x(told.outcome.ended_at.unwrap_or(to)));
        let (class, words) = verdict(told);
        let says = format!("{}, {}: raised {}, {words}", p.watch, p.service, day(p.raised_at));
        sheet.rect(class, (start, y(&p.watch, &p.service) + 8.0), ((end - start).max(3.0), 10.0), &says);
    }
    for event in report.events.iter().filter(|event| event.can_be_told).take(MAX_MARKS) {
        let at = (x(event.at), y(&event.watch, &event.service) + 13.0);
        let (class, words) = if event.told_by.is_some() { ("event", "told") } else { ("event missed", "not told") };
        sheet.diamond(class, at, 6.5, &format!("{}, {}: began {}, {words}", event.watch, event.service, day(event.at)));
    }
    let hidden = report.predictions.len().saturating_sub(MAX_MARKS) + report.events.len().saturating_sub(MAX_MARKS);
    let hidden = if hidden > 0 { format!(" {} more are not drawn.", count(hidden as u64)) } else { String::new() };
    format!(
        "<section><h2>Over time</h2><div class=\"scroll wide\">{}</div><p class=\"caption\"><span class=\"key\"><i class=\"k-true\"></i> prediction \
         that came true</span><span class=\"key\"><i class=\"k-false\"></i> did not</span><span class=\"key\"><i class=\"k-unknown\"></i> not \
         known</span><span class=\"key\"><i class=\"k-event\"></i> event, told</span><span class=\"key\"><i class=\"k-missed\"></i> event, not \
         told</span> A bar reaches from raising to the end of the prediction. {} and {}, time in UTC.{hidden}</p></section>",
        sheet.finish(),
        plural(report.predictions.len() as u64, "prediction", "predictions"),
        plural(report.summary.events, "event", "events"),
    )
}

fn verdict(told: &Told) -> (&'static str, &'static str) {
    match told.outcome.verdict {
        Verdict::CameTrue { .. } => ("true", "came true"),
        Verdict::DidNot => ("false", "did not come true"),
        Verdict::Averted { .. } => ("unknown", "acted upon: neither right nor wrong"),
        Verdict::Late { .. } => ("unknown", "raised while it was under way"),
        Verdict::NotKnown => ("unknown", "not known"),
        Verdict::Pending => ("unknown", "pending"),
    }
}

/// The rows' names, the busiest kept apart, and which row a watch's service has.
fn rows(report: &Report) -> (Vec<String>, impl Fn(&str, &str) -> usize) {
    let mut marks: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let told = report.predictions.iter().map(|told| (&*told.prediction.watch, &*told.prediction.service));
    let happened = report.events.iter().filter(|event| event.can_be_told).map(|event: &Event| (&*event.watch, &*event.service));
    told.chain(happened).for_each(|key| *marks.entry(key).or_default() += 1);
    let mut busiest: Vec<_> = marks.into_iter().collect();
    busiest.sort_by_key(|(_, marks)| std::cmp::Reverse(*marks));
    let others = busiest.len().saturating_sub(MAX_ROWS);
    let mut kept: Vec<(String, String)> = busiest
        .iter()
        .take(if others > 0 { MAX_ROWS - 1 } else { MAX_ROWS })
        .map(|((w, s), _)| ((*w).to_owned(), (*s).to_owned()))
        .collect();
    kept.sort();
    let one_watch = report.by_watch.len() <= 1;
    let name = |(watch, service): &(String, String)| match (one_watch, service.is_empty()) {
        (true, false) => service.clone(),
        (_, true) => watch.clone(),
        (false, false) => format!("{watch} · {service}"),
    };
    let mut names: Vec<String> = kept.iter().map(name).collect();
    if others > 0 {
        names.push(format!("{} others", busiest.len() - kept.len()));
    }
    let last = names.len().saturating_sub(1);
    (names, move |watch, service| kept.iter().position(|(w, s)| w == watch && s == service).unwrap_or(last))
}
