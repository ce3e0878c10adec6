//! The report for people, made for 120 columns.

use std::io::{self, Write};

use super::{acting, diff};
use crate::backtest::{Event, FEW, Group, Interval, Report, Told, Verdict};
use crate::cli::output;
use crate::core::anomaly::{Anomaly, number};
use crate::core::labels::{Labels, METRIC_NAME};
use crate::core::time::{Span, Timestamp};

/// Characters of a watch's and of a series' name in the table, so that a line has 120 at most; the whole names are in JSON and CSV.
pub(super) const WATCH_CHARS: usize = 20;
pub(super) const SERIES_CHARS: usize = 26;
/// Of why an event was not told, with what its label says; and of that, if any.
const WHY_CHARS: usize = 57;
const LEAST_WHAT_CHARS: usize = 5;
/// What stands before our own figures.
const OURS: &str = "portent";
/// Rows of the anomalies shown; all of them are in JSON.
const ANOMALIES_SHOWN: usize = 30;

pub fn write(out: &mut impl Write, report: &Report) -> io::Result<()> {
    if !report.predictions.is_empty() {
        let header = ["RAISED (UTC)", "WATCH", "SERIES", "SURE", "ETA (P10-P90)", "TRUTH", "LEAD", "ETA OFF"];
        output::table(out, &header, &report.predictions.iter().map(told).collect::<Vec<_>>())?;
    }
    let missed: Vec<&Event> = report.events.iter().filter(|event| event.can_be_told && event.told_by.is_none()).collect();
    if !missed.is_empty() {
        writeln!(out, "\nNot told:")?;
        output::table(out, &["BEGAN (UTC)", "WATCH", "SERIES", "WHY"], &missed.iter().map(|e| missed_row(e)).collect::<Vec<_>>())?;
    }
    anomalies(out, report)?;
    if report.by_watch.len() > 1 {
        writeln!(out)?;
        // `A WEEK` is a week of one series; the lines below say so.
        let header =
            ["WATCH", "SERIES", "EVENTS", "TOLD", "MEDIAN LEAD", "RAISED", "TRUE", "FALSE", "A WEEK", "NOT KNOWN", "ANOMALIES", "A WEEK"];
        output::table(out, &header, &report.by_watch.iter().map(group).collect::<Vec<_>>())?;
    }
    writeln!(out)?;
    for note in &report.notes {
        writeln!(out, "note: {note}")?;
    }
    writeln!(out, "{}", judged(report))?;
    writeln!(out, "{}", summary(report))?;
    if let Some(line) = noticed(report) {
        writeln!(out, "{line}")?;
    }
    writeln!(out)?;
    let header = ["SAME RULES FOR ALL", "TOLD", "MEDIAN LEAD", "FALSE A SERIES-WEEK", "TRUE OF RAISED"];
    let ours = Group { name: OURS.to_owned(), ..report.summary.clone() };
    output::table(out, &header, &std::iter::once(&ours).chain(&report.rivals).map(headline).collect::<Vec<_>>())?;
    if let Some(rehearsed) = &report.acting {
        acting::write(out, rehearsed)?;
    }
    match &report.diff {
        Some(diff) => diff::write(out, diff),
        None => Ok(()),
    }
}

fn told(told: &Told) -> Vec<String> {
    let (p, outcome) = (&told.prediction, &told.outcome);
    let truth = truth(outcome.verdict);
    let after = |t: Option<Timestamp>| t.map_or_else(|| "later".to_owned(), |t| rough((t - p.raised_at).as_secs_f64()));
    let eta = format!("{} ({}-{})", after(p.eta.p50.or(p.predicted_threshold_time)), after(p.eta.p10), after(p.eta.p90));
    vec![
        in_year(p.raised_at),
        clip(&p.watch, WATCH_CHARS),
        clip(&series(&p.labels), SERIES_CHARS),
        format!("{:.0} %", 100.0 * p.likelihood),
        eta,
        truth.to_owned(),
        outcome.lead_time_s.map_or_else(String::new, rough),
        outcome.eta_error_s.map_or_else(String::new, |s| format!("{}{}", if s < 0.0 { "-" } else { "+" }, rough(s.abs()))),
    ]
}

pub(super) fn truth(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::CameTrue { .. } => "came true",
        Verdict::Late { .. } => "too late",
        Verdict::DidNot => "did not",
        Verdict::Averted { breached_at: None } => "averted?",
        Verdict::Averted { .. } => "came all the same",
        Verdict::NotKnown => "not known",
        Verdict::Pending => "pending",
    }
}

fn missed_row(event: &Event) -> Vec<String> {
    let taken_back = event.taken_back.as_ref().map(|id| format!("{id} taken back"));
    let noticed = event.noticed_at.map(|at| format!(", odd since {}", in_year(at))).unwrap_or_default();
    let mut why = format!("{}{noticed}", taken_back.as_deref().unwrap_or("nothing was raised"));
    let room = WHY_CHARS.saturating_sub(why.chars().count() + 2);
    if let Some(what) = event.what.as_ref().filter(|_| room >= LEAST_WHAT_CHARS) {
        why = format!("{why}: {}", clip(what, room));
    }
    vec![in_year(event.at), clip(&event.watch, WATCH_CHARS), clip(&series(&event.labels), SERIES_CHARS), why]
}

/// Anomalies of watches of which nothing else is told: those without a threshold, and those that stayed away from theirs.
fn anomalies(out: &mut impl Write, report: &Report) -> io::Result<()> {
    let row = |a: &Anomaly| {
        let lasted = a.ended_at.map_or_else(|| "still".to_owned(), |_| rough((a.last_odd_at - a.started_at).as_secs_f64()));
        vec![
            in_year(a.started_at),
            lasted,
            clip(&a.watch, WATCH_CHARS),
            clip(&series(&a.labels), SERIES_CHARS),
            format!("{:.1}", a.score),
            number(a.value),
            number(a.expected),
            a.why.view.as_str().to_owned(),
        ]
    };
    let is_quiet = |a: &&Anomaly| report.by_watch.iter().any(|group| group.name == a.watch && group.events == 0 && group.raised == 0);
    let quiet: Vec<&Anomaly> = report.anomalies.iter().filter(is_quiet).collect();
    if quiet.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    let rows: Vec<Vec<String>> = quiet.iter().take(ANOMALIES_SHOWN).map(|a| row(a)).collect();
    output::table(out, &["NOT NORMAL (UTC)", "FOR", "WATCH", "SERIES", "SCORE", "VALUE", "EXPECTED", "UNUSUAL"], &rows)?;
    let more = quiet.len().saturating_sub(ANOMALIES_SHOWN);
    if more > 0 {
        writeln!(out, "and {more} more (-o json lists all, with reasons)")?;
    }
    Ok(())
}

fn group(group: &Group) -> Vec<String> {
    vec![
        clip(&group.name, WATCH_CHARS),
        group.series.to_string(),
        group.events.to_string(),
        group.told.to_string(),
        group.median_lead_time_s.map_or_else(|| "-".to_owned(), rough),
        group.raised.to_string(),
        group.came_true.to_string(),
        group.false_alarms.to_string(),
        group.false_alarms_per_series_week.map_or_else(|| "-".to_owned(), |rate| format!("{rate:.3}")),
        (group.unknown + group.pending).to_string(),
        group.anomalies.to_string(),
        group.anomalies_per_series_week.map_or_else(|| "-".to_owned(), |rate| format!("{rate:.2}")),
    ]
}

/// Which time was learned from and which was judged.
fn judged(report: &Report) -> String {
    let (Some(from), Some(to)) = (report.from, report.to) else { return "there were no samples".to_owned() };
    let stopped = if report.stopped_early { "; stopped before the end" } else { "" };
    let Some(judged) = report.judged_from.filter(|judged| *judged < to) else {
        return format!("learned from {} to {} (UTC): too short to judge anything, try --warmup{stopped}", short(from), short(to));
    };
    let pending = if report.summary.pending > 0 { format!(", {} pending", report.summary.pending) } else { String::new() };
    let rate = report.summary.anomalies_per_series_week.map(|rate| format!(" = {rate:.2} a series-week")).unwrap_or_default();
    let anomalies = format!("{}{rate}", plural(report.anomalies.len() as u64, "anomaly", "anomalies"));
    format!("judged {} to {} (UTC), learned from {} on: {anomalies}{pending}{stopped}", short(judged), short(to), short(from))
}

fn summary(report: &Report) -> String {
    let s = &report.summary;
    let days = report.judged_from.zip(report.to).map_or(0.0, |(from, to)| (to - from).as_secs_f64().max(0.0) / 86_400.0);
    let events = plural(s.events, "event", "events");
    let few = match s.events {
        0 => "; no events: only false alarms can be counted",
        events if events < FEW as u64 => "; too few events for more than an anecdote",
        _ => "",
    };
    let late = if s.late > 0 { format!(", {} too late", s.late) } else { String::new() };
    format!("{events} by {}, {} unknown{late}, over {} series and {days:.1} days{few}", report.truth.as_str(), s.unknown, s.series)
}

/// What anomalies were worth, where something else than thresholds says what happened.
fn noticed(report: &Report) -> Option<String> {
    let s = &report.summary;
    let (incidents, noticed, right) = (s.incidents?, s.noticed?, s.anomalies_true?);
    let delay = s.median_notice_delay_s.map(|delay| format!(", median delay {}", rough(delay))).unwrap_or_default();
    let precision = s.anomaly_precision.map(|share| format!(" = {}", percent(share, s.anomaly_precision_interval))).unwrap_or_default();
    let share = s.noticed_share.map(|share| format!(" = {}", percent(share, s.noticed_interval))).unwrap_or_default();
    Some(format!(
        "anomalies stood during {noticed} of {incidents} events{share}{delay}; {right} of {} stood during one{precision}",
        s.anomalies
    ))
}

/// One line of the headline: how much was told, how early, how often in vain, each with its 90 % interval where there are enough to say.
fn headline(group: &Group) -> Vec<String> {
    let lead = |seconds: f64| {
        let ends = group.median_lead_time_interval_s.map(|[low, high]| format!(" ({}-{})", rough(low), rough(high))).unwrap_or_default();
        format!("{}{ends}", rough(seconds))
    };
    let of = |part: u64, whole: u64, share: Option<f64>, interval: Option<Interval>| {
        let share = share.filter(|_| interval.is_some()).map(|share| format!(" = {}", percent(share, interval))).unwrap_or_default();
        if whole == 0 { "-".to_owned() } else { format!("{part}/{whole}{share}") }
    };
    let rate = group.false_alarms_per_series_week.map(|rate| {
        let ends = group.false_alarms_per_series_week_interval.map(|[low, high]| format!(" ({low:.2}-{high:.2})")).unwrap_or_default();
        format!(" = {rate:.3}{ends}")
    });
    vec![
        group.name.clone(),
        of(group.told, group.events, group.told_share, group.told_interval),
        group.median_lead_time_s.map_or_else(|| "-".to_owned(), lead),
        format!("{}{}", group.false_alarms, rate.unwrap_or_default()),
        of(group.came_true, group.came_true + group.false_alarms, group.precision, group.precision_interval),
    ]
}

/// `75 % (50-92)`.
fn percent(share: f64, interval: Option<Interval>) -> String {
    let ends = interval.map(|[low, high]| format!(" ({:.0}-{:.0})", 100.0 * low, 100.0 * high)).unwrap_or_default();
    format!("{:.0} %{ends}", 100.0 * share)
}

pub(super) fn plural(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// Labels without quotes: `instance=web-1 mount=/var`; only their values where that is too long; the metric's name where there is nothing else.
pub(super) fn series(labels: &Labels) -> String {
    let others = || labels.iter().filter(|(name, _)| *name != METRIC_NAME);
    let whole: Vec<String> = others().map(|(name, value)| format!("{name}={value}")).collect();
    let text = match whole.len() {
        0 => labels.metric().unwrap_or("{}").to_owned(),
        _ => whole.join(" "),
    };
    if text.chars().count() <= SERIES_CHARS || whole.is_empty() {
        return text;
    }
    others().map(|(_, value)| value).collect::<Vec<_>>().join(" ")
}

/// At most `most` characters; what is cut off is cut out of the middle, since both ends of a name tell it from others.
pub(super) fn clip(text: &str, most: usize) -> String {
    let chars: Vec<char> = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if chars.len() <= most {
        return chars.into_iter().collect();
    }
    let (head, tail) = (most / 2, most - most / 2 - 1);
    chars[..head].iter().chain(&['…']).chain(&chars[chars.len() - tail..]).collect()
}

/// `2026-03-13 01:15`.
fn short(at: Timestamp) -> String {
    let text = at.to_string();
    match text.get(..16) {
        Some(minute) if text.as_bytes().get(10) == Some(&b'T') => minute.replace('T', " "),
        _ => text,
    }
}

/// `03-13 01:15`: the last line says the year.
pub(super) fn in_year(at: Timestamp) -> String {
    let text = short(at);
    text.get(5..).filter(|_| text.len() == 16).map_or_else(|| text.clone(), str::to_owned)
}

/// Two units at most: `2d4h`, `14h10m`, `35m`.
pub(super) fn rough(seconds: f64) -> String {
    let unit = if seconds >= 86_400.0 { Span::HOUR } else { Span::MINUTE };
    let rounded = (seconds * 1000.0 / unit.as_millis() as f64).round() as i64;
    match (rounded, unit == Span::MINUTE) {
        (0, true) => "0m".to_owned(),
        _ => unit.times(rounded).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_said_in_two_units_and_names_keep_both_ends() {
        let said: Vec<String> = [0.0, 20.0, 299.0, 3_600.0, 51_000.0, 86_400.0, 190_000.0].into_iter().map(rough).collect();
        assert_eq!(said, ["0m", "0m", "5m", "1h", "14h10m", "1d", "2d5h"]);
        assert_eq!(clip("instance=web-1.example mountpoint=/var/log", 20), "instance=w…=/var/log");
        let long = Labels::from_pairs([("__name__", "disk"), ("instance", "web-1"), ("mountpoint", "/var/log")]).unwrap();
        assert_eq!((series(&long).as_str(), series(&Labels::named("a")).as_str()), ("web-1 /var/log", "a"));
        assert_eq!((clip("abc", 3).as_str(), short("2026-03-13T01:15:30Z".parse().unwrap()).as_str()), ("abc", "2026-03-13 01:15"));
    }
}
