//! An explanation for a terminal of a hundred columns: a heading a line, reasons indented below it.

use std::io::{self, Write};

use crate::cli::cell::brief;
use crate::cli::output;
use crate::core::explain::{AheadSaid, BreachSaid, Explanation, ForecastSaid, HistorySaid, ProfileSaid};
use crate::core::time::Span;
use crate::core::watch::Side;

/// Columns that are used at most.
const WIDTH: usize = 100;
/// Where text begins: after the longest heading.
const INDENT: usize = 11;
/// Members that are listed; the rest is one word.
const MAX_MEMBERS: usize = 8;

pub fn write(out: &mut impl Write, said: &Explanation) -> io::Result<()> {
    let mut page = Page { out };
    page.head("SERIES", &said.series)?;
    if let Some(watch) = &said.watch {
        page.head("WATCH", watch)?;
    }
    if let (Some(at), Some(value)) = (said.at, said.value) {
        page.head("LAST", &format!("{} at {at}", brief(value)))?;
    }
    page.head("HISTORY", &history(&said.history))?;
    page.head("PROFILE", &profile(&said.profile))?;
    said.profile.reasons.iter().try_for_each(|reason| page.more(&reason.text))?;
    let periods: Vec<String> = said.periods_s.iter().map(|s| span(*s)).collect();
    page.head("PERIOD", &if periods.is_empty() { "none found".to_owned() } else { periods.join(", ") })?;
    if let Some(normal) = said.normal {
        page.head("NORMAL", &format!("{} now ({} to {})", brief(normal.expected), brief(normal.lower), brief(normal.upper)))?;
    }
    if let Some(score) = &said.score {
        let edge = if score.score >= 1.0 { "not normal" } else { "normal" };
        page.head("SCORE", &format!("{:.2}, {edge}: 1 is the edge; {:+.1} sigmas", score.score, score.sigmas))?;
        page.more(&score.text)?;
    }
    if let Some(forecast) = &said.forecast {
        page.forecast(forecast)?;
    }
    if let Some(breach) = &said.breach {
        page.breach(breach)?;
    }
    for note in &said.not_said {
        page.head("NOTE", note)?;
    }
    page.out.flush()
}

struct Page<'o, W> {
    out: &'o mut W,
}

impl<W: Write> Page<'_, W> {
    fn head(&mut self, heading: &str, text: &str) -> io::Result<()> {
        let mut lines = wrapped(text, WIDTH - INDENT).into_iter();
        writeln!(self.out, "{heading:INDENT$}{}", lines.next().unwrap_or_default())?;
        lines.try_for_each(|line| writeln!(self.out, "{:INDENT$}{line}", ""))
    }

    /// A reason below a heading.
    fn more(&mut self, text: &str) -> io::Result<()> {
        let lines = wrapped(text, WIDTH - INDENT - 2);
        lines.iter().enumerate().try_for_each(|(i, line)| writeln!(self.out, "{:INDENT$}{}{line}", "", if i == 0 { "- " } else { "  " }))
    }

    fn forecast(&mut self, said: &ForecastSaid) -> io::Result<()> {
        let origins = if said.origins == 1 { "1 past origin".to_owned() } else { format!("{} past origins", said.origins) };
        self.head("MODEL", &format!("{}, steps of {}, weighed by its errors at {origins}", said.model, span(said.step_s)))?;
        let weight = |weight: f64| format!("{:.0} %", 100.0 * weight);
        let members: Vec<String> = said.members.iter().take(MAX_MEMBERS).map(|m| format!("{} {:.0}%", m.rule, 100.0 * m.weight)).collect();
        let left: f64 = said.members.iter().skip(MAX_MEMBERS).map(|m| m.weight).sum();
        let rest = if said.members.len() > MAX_MEMBERS {
            format!(", {} others {}", said.members.len() - MAX_MEMBERS, weight(left))
        } else {
            String::new()
        };
        if !members.is_empty() {
            self.more(&format!("{}{rest}", members.join(", ")))?;
        }
        if let Some(widths) = said.widths.filter(|widths| widths.settled > 0) {
            let (near, far) = (widths.near, widths.far);
            let settled = widths.settled;
            self.more(&format!(
                "bands {near:.2} times as wide as its errors make them an hour ahead, {far:.2} at the end of the horizon: {settled} earlier \
                 bands of the watch, and what came, have shown that"
            ))?;
        }
        let levels: Vec<String> = said.ahead.first().map_or(&[][..], |a| &a.bands).iter().map(|b| weight(b.level)).collect();
        let mut header = vec!["AT", "MEDIAN"];
        header.extend(levels.iter().map(String::as_str));
        header.push("TYPICAL ERROR");
        let rows: Vec<Vec<String>> = said.ahead.iter().map(row).collect();
        let mut table = Vec::new();
        output::table(&mut table, &header, &rows)?;
        let table = String::from_utf8_lossy(&table).into_owned();
        table.lines().enumerate().try_for_each(|(i, line)| writeln!(self.out, "{:INDENT$}{line}", if i == 0 { "FORECAST" } else { "" }))
    }

    fn breach(&mut self, said: &BreachSaid) -> io::Result<()> {
        let side = if said.side == Side::Above { "above" } else { "below" };
        let [p10, p50, p90] = said.eta_s.map(|eta| eta.map(|s| span(round(s))));
        let eta = match (p10, p50, p90) {
            (Some(p10), Some(p50), Some(p90)) => format!("; in {p50}, 80 % from {p10} to {p90}"),
            (Some(p10), Some(p50), None) => format!("; in {p50}, not before {p10} (10 %)"),
            (Some(p10), None, _) => format!("; not before {p10} (10 %)"),
            _ => String::new(),
        };
        let likelihood = 100.0 * said.likelihood;
        let likelihood = match likelihood {
            little if little > 0.0 && little < 1.0 => "under 1".to_owned(),
            much if much > 99.0 && much < 100.0 => "over 99".to_owned(),
            likelihood => format!("{likelihood:.0}"),
        };
        self.head("BREACH", &format!("{side} {} within {}: {likelihood} %{eta}", brief(said.threshold), span(said.horizon_s)))?;
        said.reasons.iter().try_for_each(|reason| self.more(&reason.text))
    }
}

fn row(said: &AheadSaid) -> Vec<String> {
    let mut cells = vec![said.at.to_string(), brief(said.median)];
    cells.extend(said.bands.iter().map(|b| format!("{} to {}", brief(b.lower), brief(b.upper))));
    cells.push(brief(said.typical_error));
    cells
}

fn history(said: &HistorySaid) -> String {
    let mut text = span(round(said.span_s));
    if said.is_cold() {
        text += &format!(", young: {} are needed before anything is raised", span(said.needed_s));
    }
    if said.inherited_from > 0 {
        let wider = said.wider.map_or(String::new(), |wider| format!(", bands {wider} times as wide"));
        text += &format!("; inherited from {} siblings{wider}", said.inherited_from);
    }
    text
}

fn profile(said: &ProfileSaid) -> String {
    let bounds = match (said.lower, said.upper) {
        (Some(lower), Some(upper)) => format!("{} to {}", brief(lower), brief(upper)),
        (Some(lower), None) => format!("{} and more", brief(lower)),
        (None, Some(upper)) => format!("{} and less", brief(upper)),
        (None, None) => "no bounds".to_owned(),
    };
    let flags = [(said.seasonal, "rhythms are used"), (said.resets, "may fall back"), (said.deadline, "moves with the clock")];
    let flags = flags.iter().filter(|(is, _)| *is).map(|(_, word)| *word);
    [said.name.as_str(), &bounds].into_iter().chain(flags).collect::<Vec<_>>().join(", ")
}

/// To the minute from ten minutes on.
fn round(seconds: f64) -> f64 {
    let unit = if seconds < 600.0 { 1.0 } else { 60.0 };
    (seconds / unit).round() * unit
}

fn span(seconds: f64) -> String {
    Span::from_secs_f64(seconds).to_string()
}

/// Words laid into lines of at most so many characters; a longer word stands on a line of its own.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_where_they_must() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("averyverylongword x", 5), ["averyverylongword", "x"]);
        assert_eq!(wrapped("", 5), [""]);
    }

    #[test]
    fn spans_are_rounded_as_people_do() {
        assert_eq!(span(round(59.6)), "1m");
        assert_eq!(span(round(18_611.0)), "5h10m");
    }
}
