//! The events that tell most, each with what was known at that moment and why it is here.

use std::fmt::Write;

use super::words::{day, length, series, share};
use crate::backtest::telling::{Kind, Telling, lasted_s};
use crate::backtest::{Report, Told, Verdict};
use crate::chart::{self, ChartError, Style, escape};
use crate::core::labels::Labels;
use crate::core::time::Timestamp;

pub fn section(report: &Report) -> Result<String, ChartError> {
    let telling = &report.shown.telling;
    if telling.is_empty() {
        return Ok(String::new());
    }
    let mut out = "<section id=\"telling\"><h2>The events that tell most</h2><p>The best catches, the worst misses and the surest false alarms, each \
                   with what was known at that moment and nothing later. One of a series first.</p>"
        .to_owned();
    for telling in telling {
        out.push_str(&article(report, telling)?);
    }
    out.push_str("</section>");
    Ok(out)
}

fn article(report: &Report, telling: &Telling) -> Result<String, ChartError> {
    let (class, kind) = match telling.kind {
        Kind::Catch => ("catch", "Told"),
        Kind::Miss => ("miss", "Missed"),
        Kind::FalseAlarm => ("wrong", "False alarm"),
    };
    let told = telling.prediction.map(|p| &report.predictions[p]);
    let event = telling.event.map(|e| &report.events[e]);
    let nothing = Labels::default();
    let (watch, labels, at) = match (told, event) {
        (_, Some(event)) => (&*event.watch, &event.labels, event.at),
        (Some(told), None) => (&*told.prediction.watch, &told.prediction.labels, told.prediction.raised_at),
        (None, None) => ("", &nothing, Timestamp::default()),
    };
    let mut lines: Vec<String> = Vec::new();
    if let Some(told) = told {
        lines.push(said(told));
    }
    lines.push(came(report, telling));
    if let Some(told) = told {
        lines.extend(told.prediction.suggested_playbooks.first().map(|playbook| {
            format!("It would have acted, or asked to, with playbook {}: {}.", playbook.name, playbook.would_run.join(", "))
        }));
    }
    let mut out = format!(
        "<article class=\"{class}\"><h3><span class=\"tag\">{kind}</span> {}</h3><p class=\"where\">{} · {} (UTC) · <code>{}</code></p>",
        escape(&told.map_or_else(|| watch.to_owned(), |told| told.prediction.title.clone())),
        escape(watch),
        day(at),
        escape(&series(labels))
    );
    for line in &lines {
        let _ = write!(out, "<p>{}</p>", escape(line));
    }
    if let Some(told) = told {
        let evidence: String = told.prediction.evidence.iter().map(|reason| format!("<li>{}</li>", escape(&reason.text))).collect();
        let _ = write!(out, "<ul class=\"evidence\">{evidence}</ul>");
    }
    let (picture, caption) = match (&telling.scene, telling.kind) {
        (Some(scene), kind) => {
            let caption = match kind {
                Kind::Miss => "As it stood when the breach was certain. No prediction stood, so there is no forecast to show.",
                Kind::Catch | Kind::FalseAlarm => "As it was known when it was raised; what came after is not in it.",
            };
            (format!("<div class=\"scroll wide\">{}</div>", chart::svg(scene, &Style::default())?), caption)
        }
        (None, _) => {
            (String::new(), "There is no picture: its series was not past its threshold then, or more was told than pictures are kept of.")
        }
    };
    let _ = write!(out, "<figure class=\"known\">{picture}<figcaption>{caption}</figcaption></figure></article>");
    Ok(out)
}

/// What the prediction said when it was raised.
fn said(told: &Told) -> String {
    let p = &told.prediction;
    let ahead = |at: Timestamp| length((at - p.raised_at).as_secs_f64());
    let when = match (p.eta.p10, p.eta.p50.or(p.predicted_threshold_time), p.eta.p90) {
        (Some(p10), Some(p50), Some(p90)) if p10 < p90 => {
            format!(", most likely in {} ({}), between {} and {} with 80 %", ahead(p50), day(p50), ahead(p10), ahead(p90))
        }
        (_, Some(p50), _) => format!(", most likely in {} ({})", ahead(p50), day(p50)),
        (Some(p10), None, _) => format!(", in {} at the earliest", ahead(p10)),
        _ => String::new(),
    };
    format!("At {} it said: {} likely within {}{when}.", day(p.raised_at), share(p.likelihood), p.horizon)
}

/// What came of it.
fn came(report: &Report, telling: &Telling) -> String {
    match (telling.kind, telling.event.map(|e| &report.events[e]), telling.prediction.map(|p| &report.predictions[p])) {
        (Kind::Catch, Some(event), Some(told)) => {
            let lead = length(event.lead_time_s.unwrap_or_default());
            let off = event.eta_error_s.or(told.outcome.eta_error_s);
            let off = off.map_or_else(String::new, |off| match off {
                off if off.abs() < 60.0 => ", to the minute as predicted".to_owned(),
                off if off > 0.0 => format!(", {} earlier than predicted", length(off)),
                off => format!(", {} later than predicted", length(-off)),
            });
            format!("It began at {}: {lead} of lead time{off}.", day(event.at))
        }
        (Kind::Miss, Some(event), _) => {
            let lasted = match event.ends_at {
                Some(_) => format!("lasted {}", length(lasted_s(event, report))),
                None => "was not over when the data ended".to_owned(),
            };
            let why = match &event.taken_back {
                Some(_) => "A prediction about it had been raised, and taken back before it began.".to_owned(),
                None => match telling.last_likelihood {
                    Some(likelihood) => format!("Nothing was raised: the last look before had made it {} likely.", share(likelihood)),
                    None => "Nothing was raised.".to_owned(),
                },
            };
            let what = event.what.as_deref().map_or_else(String::new, |what| format!(" ({what})"));
            format!("It began at {}{what} and {lasted}. {why}", day(event.at))
        }
        (Kind::FalseAlarm, _, Some(told)) => {
            let ended = match (&told.outcome.ended_because, told.outcome.ended_at) {
                (Some(because), Some(at)) => format!(" It ended at {}: {because}.", day(at)),
                _ => String::new(),
            };
            let due = told.prediction.due_at();
            let verdict = if told.outcome.verdict == Verdict::DidNot { "without a breach" } else { "and nobody can tell" };
            format!("The horizon passed at {} {verdict}.{ended}", day(due))
        }
        _ => String::new(),
    }
}
