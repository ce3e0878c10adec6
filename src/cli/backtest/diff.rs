//! What another configuration would have changed, for people.

use std::collections::BTreeSet;
use std::io::{self, Write};

use super::acting;
use super::table::{SERIES_CHARS, WATCH_CHARS, clip, in_year, plural, rough, series, truth};
use crate::backtest::{Brief, Change, Diff, Figure, Moved};
use crate::cli::output;

/// Rows of each list; all of them are in JSON.
const ROWS_SHOWN: usize = 20;
/// As the figures of all watches together are called.
const ALL: &str = "all";

pub fn write(out: &mut impl Write, diff: &Diff) -> io::Result<()> {
    let count = |what: usize| plural(what as u64, "prediction", "predictions");
    writeln!(
        out,
        "\nWith {} instead: {} appear, {} vanish, {} move, {} stay",
        diff.other,
        diff.appeared.len(),
        diff.vanished.len(),
        diff.moved.len(),
        count(diff.same as usize)
    )?;
    diff.notes.iter().try_for_each(|note| writeln!(out, "note: {note}"))?;
    // The figures of an only watch are those of all.
    let watches = diff.figures.iter().filter(|change| change.group != ALL).map(|change| &change.group).collect::<BTreeSet<_>>().len();
    let shown = |change: &&Change| change.group == ALL || (watches > 1 && has_changed(change));
    let rows: Vec<Vec<String>> = diff.figures.iter().filter(shown).map(figure).collect();
    if !rows.is_empty() {
        output::table(out, &["OF", "FIGURE", "NOW", "THEN", "CHANGE"], &rows)?;
    }
    for (title, briefs) in [("APPEARS (UTC)", &diff.appeared), ("VANISHES (UTC)", &diff.vanished)] {
        let rows = briefs.iter().take(ROWS_SHOWN).map(brief).collect::<Vec<_>>();
        list(out, &[title, "WATCH", "SERIES", "SURE", "TRUTH", "LEAD"], &rows, briefs.len())?;
    }
    let rows = diff.moved.iter().take(ROWS_SHOWN).map(moved).collect::<Vec<_>>();
    list(out, &["MOVES (UTC)", "WATCH", "SERIES", "RAISED", "SURE", "ETA", "TRUTH"], &rows, diff.moved.len())?;
    let Some(change) = &diff.acting else { return Ok(()) };
    writeln!(out, "\nOf acting, it adds {} and drops {}", count(change.adds as usize), count(change.drops as usize))?;
    let rows = change.changed.iter().take(ROWS_SHOWN).map(acting::changed).collect::<Vec<_>>();
    list(out, &["ACTING (UTC)", "WATCH", "SERIES", "NOW", "THEN", "BECAUSE THEN"], &rows, change.changed.len())
}

fn list(out: &mut impl Write, header: &[&str], rows: &[Vec<String>], all: usize) -> io::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    output::table(out, header, rows)?;
    if all > rows.len() {
        writeln!(out, "and {} more (-o json lists all)", all - rows.len())?;
    }
    Ok(())
}

fn has_changed(change: &Change) -> bool {
    let has_value = |figure: Option<Figure>| figure.is_some_and(|figure| figure.value.is_some());
    change.change != Some(0.0) && (has_value(change.this) || has_value(change.other))
}

fn figure(change: &Change) -> Vec<String> {
    let shown = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| of_kind(change.name, value));
    let [this, other] = [change.this, change.other].map(|figure| shown(figure.and_then(|figure| figure.value)));
    let by = match change.change {
        Some(0.0) => "same".to_owned(),
        Some(by) => format!("{}{}", if by < 0.0 { "-" } else { "+" }, of_kind(change.name, by.abs())),
        None => "-".to_owned(),
    };
    vec![clip(&change.group, WATCH_CHARS), change.name.trim_end_matches("_s").replace('_', " "), this, other, by]
}

/// A figure as its name says: a time, a share, a rate, or a count.
fn of_kind(name: &str, value: f64) -> String {
    match name {
        name if name.ends_with("_s") => rough(value),
        name if name.ends_with("share") || name.ends_with("precision") => format!("{:.0} %", 100.0 * value),
        name if name.ends_with("week") => format!("{value:.3}"),
        _ => format!("{value:.0}"),
    }
}

fn brief(brief: &Brief) -> Vec<String> {
    vec![
        in_year(brief.raised_at),
        clip(&brief.watch, WATCH_CHARS),
        clip(&series(&brief.labels), SERIES_CHARS),
        format!("{:.0} %", 100.0 * brief.likelihood),
        truth(brief.verdict).to_owned(),
        brief.lead_time_s.map_or_else(String::new, rough),
    ]
}

fn moved(moved: &Moved) -> Vec<String> {
    let (this, other) = (&moved.this, &moved.other);
    let by = |seconds: f64| match seconds {
        0.0 => "same".to_owned(),
        s => format!("{} {}", rough(s.abs()), if s < 0.0 { "earlier" } else { "later" }),
    };
    let verdicts = [truth(this.verdict), truth(other.verdict)];
    vec![
        in_year(this.raised_at),
        clip(&this.watch, WATCH_CHARS),
        clip(&series(&this.labels), SERIES_CHARS),
        by(moved.raised_change_s),
        format!("{:.0} -> {:.0} %", 100.0 * this.likelihood, 100.0 * other.likelihood),
        moved.eta_change_s.map_or_else(|| "-".to_owned(), by),
        if verdicts[0] == verdicts[1] { verdicts[0].to_owned() } else { verdicts.join(" -> ") },
    ]
}
