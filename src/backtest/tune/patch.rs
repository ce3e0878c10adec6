//! A proposal as YAML to merge into a configuration by the watches' names, with what it rests on beside it.

use std::fmt::Write;

use super::candidate::Change;
use super::{Compared, Figures, Proposal, Tuned};
use crate::core::selection::Selecting;
use crate::core::time::{Span, Timestamp};
use crate::core::watch::Watch;

/// The whole patch. `is_own` says whether a watch stands in the configuration itself; what comes from a pack cannot be merged into and is
/// written as a comment.
pub fn yaml(tuned: &Tuned, is_own: impl Fn(&str) -> bool) -> String {
    let mut out =
        String::from("# Proposed by portent tune; nothing has been changed. Merge it into the configuration's watches, by name.\n");
    let lead = if tuned.min_lead_s > 0.0 { format!(", told {} before or earlier", length(tuned.min_lead_s)) } else { String::new() };
    let _ = writeln!(out, "# Asked for: at most {} false alarms a week and watch{lead}.", tuned.false_alarms_per_week);
    if tuned.stopped_early {
        out.push_str("# It was stopped before the end.\n");
    }
    tuned.notes.iter().for_each(|note| out.push_str(&comment(&format!("note: {note}"))));
    let has_changes = tuned.proposals.iter().any(|p| !p.changes.is_empty() && is_own(&p.watch));
    out.push_str(if has_changes { "watches:\n" } else { "watches: []\n" });
    for (proposal, watch) in tuned.proposals.iter().zip(&tuned.watches) {
        let own = is_own(&proposal.watch);
        if proposal.changes.is_empty() {
            out.push_str(&comment(&format!("{}: kept as it is: {}", proposal.watch, proposal.because)));
            figures(&mut out, proposal);
            continue;
        }
        let before = if own { "" } else { "# " };
        if !own {
            out.push_str(&comment(&format!("{} comes from a pack: copy it into watches first (portent packs show)", proposal.watch)));
        }
        let _ = writeln!(out, "{before}  - name: {}", proposal.watch);
        out.push_str(&comment(&format!("{}; {} settings compared", proposal.because, proposal.compared)));
        figures(&mut out, proposal);
        for line in keys(&proposal.changes, watch) {
            let _ = writeln!(out, "{before}    {line}");
        }
    }
    out
}

/// The changed keys, a line each, with what they were.
pub fn keys(changes: &[Change], watch: &Watch) -> Vec<String> {
    let mut lines = Vec::new();
    let set = &watch.hysteresis;
    let (mut raise, mut was) = (Vec::new(), Vec::new());
    for change in changes {
        match change {
            Change::Sigma(sigma) => lines.push(format!("baseline: {{ sigma: {sigma} }}  # was {}", watch.baseline.sigma)),
            Change::Horizon(horizon) => lines.push(format!("horizon: {horizon}  # was {}", watch.horizon)),
            Change::Profile(name) => {
                let was = if watch.selecting == Selecting::Written { watch.profile.name.as_str() } else { "auto" };
                lines.push(format!("profile: {name}  # was {was}"));
            }
            Change::Raise { likelihood, clear } => {
                raise.push(format!("likelihood: {likelihood}"));
                was.push(set.raise.to_string());
                lines.push(format!("clear: {{ likelihood: {clear} }}  # was {}", set.clear));
            }
            Change::RaiseAfter(after) => {
                raise.push(format!("after: {after}"));
                was.push(format!("after {}", set.raise_after));
            }
            Change::Sustain(samples) => lines.push(format!("sustain: {samples}  # was {}", set.sustain)),
        }
    }
    // One key of the configuration, so one line, however many of its own keys change.
    if !raise.is_empty() {
        lines.insert(0, format!("raise: {{ {} }}  # was {}", raise.join(", "), was.join(", ")));
    }
    lines
}

fn figures(out: &mut String, proposal: &Proposal) {
    let mut line = |what: &str, compared: &Compared| {
        let said = match &compared.proposed {
            Some(proposed) => format!("{} -> {}", brief(&compared.today), brief(proposed)),
            None => brief(&compared.today),
        };
        out.push_str(&comment(&format!("{what} {} to {}: {said}", short(compared.from), short(compared.to))));
    };
    if let Some(compared) = &proposal.chosen_on {
        line("chosen on", compared);
    }
    if let Some(compared) = &proposal.shown_on {
        line("on the rest, not seen by the choice,", compared);
        let is_worse = |proposed: &Figures| {
            proposed.told < compared.today.told
                || (proposed.told == compared.today.told && proposed.false_alarms > compared.today.false_alarms)
        };
        if compared.proposed.as_ref().is_some_and(is_worse) {
            out.push_str(&comment("on the rest it does worse than what is set today: think twice"));
        }
    }
}

/// `3 of 7 events told (median lead time 5h10m), 2 false alarms = 1.2 a week`.
pub fn brief(figures: &Figures) -> String {
    let lead = figures.median_lead_time_s.map(|s| format!(" (median lead time {})", length(s))).unwrap_or_default();
    let (false_alarms, s) = (figures.false_alarms, if figures.false_alarms == 1 { "" } else { "s" });
    let rate = figures.false_alarms_per_week;
    format!("{} of {} events told{lead}, {false_alarms} false alarm{s} = {rate:.1} a week", figures.told, figures.events)
}

fn length(seconds: f64) -> String {
    Span::MINUTE.times((seconds / 60.0).round() as i64).to_string()
}

/// `2026-03-13 01:15`.
fn short(at: Timestamp) -> String {
    at.to_string().get(..16).map(|minute| minute.replace('T', " ")).unwrap_or_default()
}

/// Names and notes may hold anything, a line end among it.
fn comment(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    format!("    # {text}\n")
}
