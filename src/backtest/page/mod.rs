//! The report as one page that one shows to a colleague: a single file without a script, which asks nothing of any network.
//!
//! Everything stands in the file as text and as SVG drawn here: no library of diagrams, no fonts, nothing to be blocked, and what is printed
//! is what is shown. Labels can hold anything, so all words go through [`escape`], and a policy in the page's head forbids scripts besides.

mod acting;
mod coverage;
mod events;
mod lead;
mod reliability;
mod svg;
mod tables;
#[cfg(test)]
mod tests;
mod timeline;
mod words;

use std::fmt::Write;

use self::words::{count, day, interval, length, plural, rate, share};
use super::{Group, Report};
use crate::chart::{self, ChartError, escape};

const STYLE: &str = include_str!("page.css");
/// Nothing is loaded and nothing runs, whatever a label holds.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";

/// Where a report comes from, in the words of whoever asked for it.
#[derive(Clone, Debug, Default)]
pub struct About {
    /// Files, or a server's address without credentials.
    pub source: String,
    /// The file of the watches, or how they came to be.
    pub configuration: String,
}

/// The page.
///
/// # Errors
/// When a picture cannot be drawn.
pub fn render(report: &Report, about: &About) -> Result<String, ChartError> {
    let mut out = String::with_capacity(1 << 18);
    let title = format!("Portent backtest: {}", escape(&about.source));
    let _ = write!(
        out,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\"><meta name=\"color-scheme\" content=\"light dark\">\
         <meta name=\"generator\" content=\"portent {}\"><title>{title}</title><style>{STYLE}{}</style></head><body>",
        env!("CARGO_PKG_VERSION"),
        chart::inks()
    );
    out.push_str(&header(report, about));
    out.push_str("<main>");
    out.push_str(&headline(report));
    out.push_str(&tables::rivals(report));
    out.push_str(&timeline::section(report));
    out.push_str(&trust(report));
    out.push_str(&acting::section(report));
    out.push_str(&events::section(report)?);
    out.push_str(&tables::groups("By watch", "Watch", &report.by_watch));
    out.push_str(&tables::groups("By service", "Service", &report.by_service));
    out.push_str(&tables::about(report, about));
    out.push_str("</main></body></html>\n");
    Ok(out)
}

fn header(report: &Report, about: &About) -> String {
    let range = match (report.judged_from, report.to) {
        (Some(from), Some(to)) if from < to => format!("{} to {} (UTC), {}", day(from), day(to), length((to - from).as_secs_f64())),
        _ => "too short to judge anything".to_owned(),
    };
    let stopped =
        if report.stopped_early { "<p class=\"warn\">It was stopped before the end: this is what it had until then.</p>" } else { "" };
    format!(
        "<header><p class=\"kicker\">Portent backtest</p><h1>What it would have told you</h1><p class=\"lead\">{} · {range}</p>{stopped}</header>",
        escape(&about.source)
    )
}

/// The three figures that decide, each with its count and how far it can be believed.
fn headline(report: &Report) -> String {
    let all = &report.summary;
    let caught = format!("{} of {}", count(all.told), count(all.events));
    let caught_note = match all.told_share {
        Some(told) => format!("{}{}", share(told), interval(all.told_interval, &share)),
        None => "nothing happened in the judged time".to_owned(),
    };
    let lead = all.median_lead_time_s.map_or_else(|| "–".to_owned(), length);
    let lead_note = match all.told {
        0 => "nothing was told in time".to_owned(),
        told => format!("median of {}{}", plural(told, "event", "events"), interval(all.median_lead_time_interval_s, &length)),
    };
    let wrong = all.false_alarms_per_series_week.map_or_else(|| "–".to_owned(), rate);
    let weeks = format!("{:.1} series-weeks", all.series_weeks);
    let wrong_note = format!(
        "{} in {weeks}{}",
        plural(all.false_alarms, "false alarm", "false alarms"),
        interval(all.false_alarms_per_series_week_interval, &rate)
    );
    let card = |id: &str, name: &str, value: &str, note: &str| {
        format!("<div class=\"card\" id=\"{id}\"><h2>{name}</h2><p class=\"big\">{value}</p><p class=\"note\">{note}</p></div>")
    };
    let few = if all.few_events {
        format!(
            "<p class=\"warn\" id=\"few\"><strong>Too few events to say.</strong> {} in this time are an anecdote, whatever came of them: no \
             interval is given. A longer range (<code>--from</code>), or more series, would tell more.</p>",
            plural(all.events, "event", "events")
        )
    } else {
        String::new()
    };
    format!(
        "<section class=\"cards\">{}{}{}</section>{few}<p class=\"sentence\">{}</p>",
        card("caught", "Events told before they began", &caught, &caught_note),
        card("lead", "Median lead time", &lead, &lead_note),
        card("wrong", "False alarms a series-week", &wrong, &wrong_note),
        acted(report)
    )
}

/// What it comes to in one sentence, which promises nothing.
fn acted(report: &Report) -> String {
    if let Some(rehearsed) = &report.acting {
        return acting::sentence(report, rehearsed);
    }
    let with = report.predictions.iter().filter(|told| !told.prediction.suggested_playbooks.is_empty()).count() as u64;
    let all = &report.summary;
    let settled = all.came_true + all.false_alarms;
    let right = match settled {
        0 => String::new(),
        _ => format!(" Of {} whose truth is known, {} came true.", plural(settled, "prediction", "predictions"), count(all.came_true)),
    };
    let raised = plural(all.raised, "prediction", "predictions");
    let would = match with {
        0 => format!("Portent would have told of {raised}, and would have acted on none: no playbook is for them."),
        with => {
            format!("Portent would have told of {raised}, and would have acted, or asked to, on {}: a playbook is for them.", count(with))
        }
    };
    format!("{would}{right} Whether acting would have helped, no replay can tell.")
}

/// Whether it can be taken at its word.
fn trust(report: &Report) -> String {
    format!(
        "<section><h2>Can it be taken at its word?</h2><div class=\"diagrams\">{}{}{}</div></section>",
        reliability::figure(report),
        lead::figure(report),
        coverage::figure(report)
    )
}

/// How a group did, for a table's cells.
fn told_of(group: &Group) -> String {
    format!("{} of {}", count(group.told), count(group.events))
}
