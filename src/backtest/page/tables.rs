//! The tables: the naive alerts beside Portent, each watch and service, and what was asked.

use std::fmt::Write;

use super::words::{between, count, day, length, rate, share};
use super::{About, told_of};
use crate::backtest::{Group, Report};
use crate::chart::escape;
use crate::core::watch::{Side, Threshold, Watch};

/// Rows of a table at most: nobody reads on, and a page is to stay small. The JSON has all.
const MAX_ROWS: usize = 200;

pub fn rivals(report: &Report) -> String {
    let mut rows = row("Portent", &report.summary, Column::Own);
    report.rivals.iter().for_each(|rival| rows.push_str(&row(&rival.name, rival, Column::None)));
    format!(
        "<section id=\"rivals\"><h2>What the usual alerts would have told</h2><p>On the same data, held and taken back after as many samples, \
         judged by the same rules.</p>{}</section>",
        table("Alert", &rows, false)
    )
}

pub fn groups(title: &str, of: &str, groups: &[Group]) -> String {
    if groups.is_empty() {
        return String::new();
    }
    // The ones with something to say first, in their own order otherwise.
    let mut shown: Vec<&Group> = groups.iter().collect();
    let hidden = shown.len().saturating_sub(MAX_ROWS);
    if hidden > 0 {
        shown.sort_by_key(|group| std::cmp::Reverse((group.events + group.raised).min(1)));
        shown.truncate(MAX_ROWS);
    }
    let rows: String = shown.iter().map(|group| row(&group.name, group, Column::Series)).collect();
    let more = if hidden > 0 {
        format!("<p class=\"caption\">{} more with less to say; <code>--json</code> has all.</p>", count(hidden as u64))
    } else {
        String::new()
    };
    format!("<section><h2>{title}</h2>{}{more}</section>", table(of, &rows, true))
}

fn table(of: &str, rows: &str, series: bool) -> String {
    let series = if series { "<th class=\"n\">Series</th>" } else { "" };
    format!(
        "<div class=\"scroll\"><table><thead><tr><th>{of}</th>{series}<th class=\"n\">Events told</th><th class=\"n\">Share</th><th \
         class=\"n\">Median lead</th><th class=\"n\">Raised</th><th class=\"n\">Came true</th><th class=\"n\">False alarms</th><th \
         class=\"n\">A series-week</th></tr></thead><tbody>{rows}</tbody></table></div>"
    )
}

/// What a row has besides the columns of all tables.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Column {
    None,
    /// It is ours, among others.
    Own,
    /// The number of series: rivals have all seen the same.
    Series,
}

fn row(name: &str, group: &Group, column: Column) -> String {
    let or_dash = |value: Option<f64>, show: &dyn Fn(f64) -> String| value.map_or_else(|| "–".to_owned(), show);
    let class = if column == Column::Own { " class=\"own\"" } else { "" };
    let series = if column == Column::Series { format!("<td class=\"n\">{}</td>", count(group.series)) } else { String::new() };
    let mut out = format!("<tr{class}><th scope=\"row\">{}</th>{series}", escape(name));
    let cells = [
        told_of(group),
        format!("{}{}", or_dash(group.told_share, &share), between(group.told_interval, &share)),
        format!("{}{}", or_dash(group.median_lead_time_s, &length), between(group.median_lead_time_interval_s, &length)),
        count(group.raised),
        count(group.came_true),
        count(group.false_alarms),
        format!("{}{}", or_dash(group.false_alarms_per_series_week, &rate), between(group.false_alarms_per_series_week_interval, &rate)),
    ];
    for cell in &cells {
        let _ = write!(out, "<td class=\"n\">{cell}</td>");
    }
    out.push_str("</tr>");
    out
}

/// What was asked, of what, and by which rules it is counted.
pub fn about(report: &Report, about: &About) -> String {
    let watches: String = report.shown.watches.iter().take(MAX_ROWS).map(|watch| asked(watch)).collect();
    let notes: String = report.notes.iter().map(|note| format!("<li>{}</li>", escape(note))).collect();
    let notes = if notes.is_empty() { notes } else { format!("<h3>To be known about this run</h3><ul>{notes}</ul>") };
    let time = |at: Option<crate::core::time::Timestamp>| at.map_or_else(|| "–".to_owned(), day);
    let few = report.summary.few_events;
    let facts = [
        ("Source", escape(&about.source)),
        ("Configuration", escape(&about.configuration)),
        ("Learned from", format!("{} (UTC)", time(report.from))),
        ("Judged", format!("{} to {} (UTC)", time(report.judged_from), time(report.to))),
        ("Truth", escape(report.truth.as_str())),
        ("Looked at", format!("{} series, {:.1} series-weeks", count(report.summary.series), report.summary.series_weeks)),
        (
            "Intervals",
            if few { "none: too few events".to_owned() } else { format!("{:.0} %, by drawing series anew", 100.0 * report.interval_level) },
        ),
        ("Version", format!("portent {}", env!("CARGO_PKG_VERSION"))),
    ];
    let facts: String = facts.iter().map(|(name, value)| format!("<div><dt>{name}</dt><dd>{value}</dd></div>")).collect();
    format!(
        "<section id=\"about\"><h2>What this rests on</h2><dl class=\"facts\">{facts}</dl><div class=\"scroll\"><table><thead><tr><th>Watch</th>\
         <th>Asks</th><th>Bad is</th><th class=\"n\">Horizon</th><th class=\"n\">Step</th></tr></thead><tbody>{watches}</tbody></table></div>{notes}\
         <p class=\"caption\">An event is told when a prediction about it was raised before it began and still stood then. A false alarm is a \
         prediction whose horizon passed without one. Breaches within three hours of each other are one event. A series-week is one series \
         judged for a week. The same samples went through the same engine as in <code>portent run</code>, and nothing later than a moment was \
         known at it.</p></section>"
    )
}

fn asked(watch: &Watch) -> String {
    let bad = watch.limit.as_ref().map_or_else(
        || "anomalies only".to_owned(),
        |limit| {
            let sign = if limit.side == Side::Above { "≥" } else { "≤" };
            match &limit.threshold {
                Threshold::Value(value) => format!("{sign} {value}"),
                Threshold::Query(query) => format!("{sign} {query}"),
            }
        },
    );
    format!(
        "<tr><th scope=\"row\">{}</th><td><code>{}</code></td><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
        escape(&watch.name),
        escape(&watch.query),
        escape(&bad),
        watch.horizon,
        watch.step
    )
}
