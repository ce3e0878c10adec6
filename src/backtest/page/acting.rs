//! What would have been done, and what would have stood in the way. Never what it would have been worth: nothing was done.

use super::words::{count, cut, day, plural, series};
use crate::backtest::rehearsal::{Decided, Rehearsed};
use crate::backtest::{Report, Verdict};
use crate::chart::escape;

/// Rows of the list of decisions: a page is read, the JSON has all.
const MAX_DECISIONS: usize = 30;
/// Playbooks and reasons that are shown.
const MAX_ROWS: usize = 50;
/// Longest reason shown whole.
const MAX_WHY_CHARS: usize = 160;

/// The headline's sentence.
pub fn sentence(report: &Report, rehearsed: &Rehearsed) -> String {
    let raised = plural(report.summary.raised, "prediction", "predictions");
    let said: Vec<String> = [
        (rehearsed.would_have_acted, "would have acted on"),
        (rehearsed.would_have_asked, "would have asked a person about"),
        (rehearsed.would_have_shadowed, "would have noted what it would do about"),
        (rehearsed.would_have_refused, "would have left alone, for reasons,"),
    ]
    .iter()
    .filter(|(n, _)| *n > 0)
    .map(|(n, words)| format!("{words} {}", count(*n)))
    .collect();
    let would = if said.is_empty() { "would have acted on none".to_owned() } else { said.join(", ") };
    format!(
        "Portent would have told of {raised}. In mode <code>{}</code> it {would}. Whether acting would have helped, no replay can tell.",
        rehearsed.mode.as_str()
    )
}

pub fn section(report: &Report) -> String {
    let Some(rehearsed) = &report.acting else { return String::new() };
    let counts = [
        ("Predictions a playbook is for", rehearsed.predictions),
        ("Would have acted", rehearsed.would_have_acted),
        ("Would have asked", rehearsed.would_have_asked),
        ("Would have noted only", rehearsed.would_have_shadowed),
        ("Would have held out", rehearsed.would_have_held_out),
        ("Would have refused", rehearsed.would_have_refused),
        ("Not known", rehearsed.not_known),
    ];
    let facts: String = counts
        .iter()
        .enumerate()
        // The first three always; the others where there are any.
        .filter(|(i, (_, n))| *i < 3 || *n > 0)
        .map(|(_, (name, n))| format!("<div><dt>{name}</dt><dd>{}</dd></div>", count(*n)))
        .collect();
    let assumed: String = rehearsed.assumed.iter().map(|text| format!("<li>{}</li>", escape(text))).collect();
    format!(
        "<section id=\"acting\"><h2>What it would have done</h2><p>The same gate, ranking and limits as in <code>portent run</code>, in mode \
         <code>{}</code>. Nothing was started, and nothing is said about what it would have been worth.</p><dl class=\"facts\">{facts}</dl>\
         {}{}{}<h3>What a replay cannot know</h3><ul>{assumed}</ul></section>",
        rehearsed.mode.as_str(),
        playbooks(rehearsed),
        reasons(rehearsed),
        decisions(rehearsed)
    )
}

fn playbooks(rehearsed: &Rehearsed) -> String {
    let row = |of: &crate::backtest::rehearsal::OfPlaybook| {
        let cells = [of.would_have_acted, of.would_have_asked, of.came_true, of.did_not, of.would_have_refused, of.not_known];
        let cells: String = cells.iter().map(|n| format!("<td class=\"n\">{}</td>", count(*n))).collect();
        format!("<tr><th scope=\"row\">{}</th>{cells}</tr>", escape(&of.playbook))
    };
    let rows: String = rehearsed.playbooks.iter().take(MAX_ROWS).map(row).collect();
    table(
        &["Playbook", "Would have acted", "Would have asked", "Of them came true", "Of them did not", "Would have refused", "Not known"],
        1,
        &rows,
    )
}

fn reasons(rehearsed: &Rehearsed) -> String {
    let row = |reason: &crate::backtest::rehearsal::ReasonCount| {
        format!(
            "<tr><th scope=\"row\">{}</th><td>{}</td><td class=\"n\">{}</td></tr>",
            escape(&reason.check.replace('_', " ")),
            escape(&cut(&reason.example, MAX_WHY_CHARS)),
            count(reason.count)
        )
    };
    let rows: String = rehearsed.reasons.iter().take(MAX_ROWS).map(row).collect();
    if rows.is_empty() {
        rows
    } else {
        format!("<h3>What stood in the way</h3>{}", table(&["Check", "For example", "How often"], 2, &rows))
    }
}

fn decisions(rehearsed: &Rehearsed) -> String {
    let best = rehearsed.best();
    let row = |decided: &&Decided| {
        let because = if decided.because.is_empty() { "nothing stood in the way".to_owned() } else { decided.because.join("; ") };
        format!(
            "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            day(decided.at),
            escape(&series(&decided.labels)),
            escape(&decided.playbook),
            decided.would.words(),
            escape(&format!("{}{}", cut(&because, MAX_WHY_CHARS), became(decided.verdict)))
        )
    };
    let rows: String = best.iter().take(MAX_DECISIONS).map(row).collect();
    if rows.is_empty() {
        return rows;
    }
    let more = best.len().saturating_sub(MAX_DECISIONS);
    let more = if more > 0 {
        format!("<p class=\"caption\">{} more; <code>--json</code> has all.</p>", count(more as u64))
    } else {
        String::new()
    };
    format!("<h3>Prediction by prediction</h3>{}{more}", table(&["At (UTC)", "Series", "Playbook", "What", "Because"], 9, &rows))
}

fn became(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::CameTrue { .. } => " (the prediction came true)",
        Verdict::DidNot => " (the prediction did not come true)",
        _ => "",
    }
}

/// `words`: so many columns are of words, the others of numbers.
fn table(header: &[&str], words: usize, rows: &str) -> String {
    let head: String = header
        .iter()
        .enumerate()
        .map(|(i, name)| if i < words { format!("<th>{name}</th>") } else { format!("<th class=\"n\">{name}</th>") })
        .collect();
    format!("<div class=\"scroll\"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>")
}
