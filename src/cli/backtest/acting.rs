//! What would have been done about what was told, for people.

use std::io::{self, Write};

use super::table::{SERIES_CHARS, WATCH_CHARS, clip, in_year, plural, series, truth};
use crate::backtest::{Changed, Decided, Rehearsed};
use crate::cli::output;

/// Rows of the list; all of them are in JSON.
const ROWS_SHOWN: usize = 20;
/// Characters of a playbook's name, and of why; the whole is in JSON and CSV.
const PLAYBOOK_CHARS: usize = 20;
const WHY_CHARS: usize = 46;

pub fn write(out: &mut impl Write, rehearsed: &Rehearsed) -> io::Result<()> {
    let counts: Vec<String> =
        rehearsed.counts().iter().filter(|(_, n)| *n > 0).map(|(word, n)| format!("{} {n}", word.replace('_', " "))).collect();
    let counts = if counts.is_empty() { "nothing would have been done".to_owned() } else { counts.join(", ") };
    let predictions = plural(rehearsed.predictions, "prediction that a playbook is for", "predictions that a playbook is for");
    writeln!(out, "\nIn mode {}, of {predictions}: {counts}", rehearsed.mode.as_str())?;
    if !rehearsed.playbooks.is_empty() {
        let rows: Vec<Vec<String>> = rehearsed
            .playbooks
            .iter()
            .map(|of| {
                let numbers =
                    [of.would_have_acted, of.would_have_asked, of.came_true, of.did_not, of.would_have_shadowed, of.would_have_held_out];
                let rest = [of.would_have_refused, of.not_known];
                std::iter::once(clip(&of.playbook, PLAYBOOK_CHARS)).chain(numbers.into_iter().chain(rest).map(|n| n.to_string())).collect()
            })
            .collect();
        output::table(out, &["PLAYBOOK", "ACTED", "ASKED", "OF THEM TRUE", "FALSE", "NOTED", "HELD OUT", "REFUSED", "NOT KNOWN"], &rows)?;
        let best = rehearsed.best();
        let rows: Vec<Vec<String>> = best.iter().take(ROWS_SHOWN).map(|decided| row(decided)).collect();
        writeln!(out)?;
        output::table(out, &["AT (UTC)", "WATCH", "SERIES", "WOULD HAVE", "TRUTH", "BECAUSE"], &rows)?;
        if best.len() > rows.len() {
            writeln!(out, "and {} more (-o json lists all, with every reason)", best.len() - rows.len())?;
        }
    }
    if !rehearsed.reasons.is_empty() {
        let counted: Vec<String> =
            rehearsed.reasons.iter().map(|reason| format!("{} {}", reason.check.replace('_', " "), reason.count)).collect();
        writeln!(out, "stood in the way: {}", counted.join(", "))?;
    }
    rehearsed.assumed.iter().try_for_each(|assumed| writeln!(out, "note: {assumed}"))
}

fn done(decided: &Decided) -> String {
    let words = decided.would.words();
    words.strip_prefix("would have ").unwrap_or(words).to_owned()
}

fn why(decided: &Decided) -> String {
    let because = decided.because.first().map_or_else(|| "nothing stood in the way".to_owned(), Clone::clone);
    format!("{}: {because}", decided.playbook)
}

fn row(decided: &Decided) -> Vec<String> {
    vec![
        in_year(decided.at),
        clip(&decided.watch, WATCH_CHARS),
        clip(&series(&decided.labels), SERIES_CHARS),
        done(decided),
        truth(decided.verdict).to_owned(),
        clip(&why(decided), WHY_CHARS),
    ]
}

/// One prediction about which another configuration would do something else.
pub fn changed(changed: &Changed) -> Vec<String> {
    let word = |decided: Option<&Decided>| decided.map_or_else(|| "-".to_owned(), done);
    let (this, other) = (changed.this.as_ref(), changed.other.as_ref());
    let shown = other.or(this);
    vec![
        shown.map_or_else(String::new, |decided| in_year(decided.at)),
        shown.map_or_else(String::new, |decided| clip(&decided.watch, WATCH_CHARS)),
        shown.map_or_else(String::new, |decided| clip(&series(&decided.labels), SERIES_CHARS)),
        word(this),
        word(other),
        other.map_or_else(|| "-".to_owned(), |decided| clip(&why(decided), WHY_CHARS)),
    ]
}
