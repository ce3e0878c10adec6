//! The report as CSV for programs: a line each for predictions, events that were not told, headline figures, and what another configuration
//! would have changed. `kind` says which; what a line is not about stays empty.

use std::io::{self, Write};

use crate::backtest::{Brief, Decided, Diff, Event, Figure, Group, Report, Told, Verdict, figures};
use crate::core::time::Timestamp;

/// The columns. `watch` is the group of a figure; `value`, `lower`, `upper` and `count` are its own, `other` is the other configuration's.
const HEADER: &str = "kind,watch,service,series,raised_at,likelihood,eta_p10,eta_p50,eta_p90,verdict,crossed_at,lead_time_s,eta_error_s,id,what,\
                      noticed_at,figure,value,lower,upper,count,other";

/// A line's cells by their place in [`HEADER`].
#[derive(Default)]
struct Line {
    kind: &'static str,
    watch: String,
    service: String,
    series: String,
    raised_at: String,
    likelihood: String,
    eta: [String; 3],
    verdict: &'static str,
    crossed_at: String,
    lead_time_s: String,
    eta_error_s: String,
    id: String,
    what: String,
    noticed_at: String,
    figure: &'static str,
    numbers: [String; 5],
}

impl Line {
    fn write(self, out: &mut impl Write) -> io::Result<()> {
        let [p10, p50, p90] = self.eta;
        let cells = [
            self.kind.to_owned(),
            quoted(&self.watch),
            quoted(&self.service),
            quoted(&self.series),
            self.raised_at,
            self.likelihood,
            p10,
            p50,
            p90,
            self.verdict.to_owned(),
            self.crossed_at,
            self.lead_time_s,
            self.eta_error_s,
            self.id,
            quoted(&self.what),
            self.noticed_at,
            self.figure.to_owned(),
        ];
        writeln!(out, "{}", cells.into_iter().chain(self.numbers).collect::<Vec<_>>().join(","))
    }
}

pub fn write(out: &mut impl Write, report: &Report) -> io::Result<()> {
    writeln!(out, "{HEADER}")?;
    report.predictions.iter().try_for_each(|one| told(one).write(out))?;
    let missed = report.events.iter().filter(|event| event.told_by.is_none());
    missed.map(event).try_for_each(|line| line.write(out))?;
    let ours = Group { name: "portent".to_owned(), ..report.summary.clone() };
    let groups = std::iter::once(("figure", &ours)).chain(report.rivals.iter().map(|group| ("figure", group)));
    for (kind, group) in groups.chain(report.by_watch.iter().map(|group| ("watch_figure", group))) {
        figures(group).into_iter().try_for_each(|one| figure(kind, &group.name, one).write(out))?;
    }
    if let Some(rehearsed) = &report.acting {
        rehearsed.decisions.iter().map(decided).try_for_each(|line| line.write(out))?;
        for (figure, count) in rehearsed.counts() {
            let numbers = [count.to_string(), String::new(), String::new(), rehearsed.predictions.to_string(), String::new()];
            Line { kind: "acting_figure", watch: "portent".to_owned(), figure, numbers, ..Line::default() }.write(out)?;
        }
    }
    match &report.diff {
        Some(diff) => changes(out, diff),
        None => Ok(()),
    }
}

fn time(at: Option<Timestamp>) -> String {
    at.map(|at| at.to_string()).unwrap_or_default()
}

fn number(value: Option<f64>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

fn verdict(verdict: Verdict) -> (&'static str, Option<Timestamp>) {
    match verdict {
        Verdict::CameTrue { at } => ("came_true", Some(at)),
        Verdict::Late { at } => ("late", Some(at)),
        Verdict::DidNot => ("did_not", None),
        Verdict::Averted { breached_at } => ("averted", breached_at),
        Verdict::NotKnown => ("not_known", None),
        Verdict::Pending => ("pending", None),
    }
}

fn told(Told { prediction: p, outcome }: &Told) -> Line {
    let (verdict, crossed) = verdict(outcome.verdict);
    Line {
        kind: "prediction",
        watch: p.watch.clone(),
        service: p.service.clone(),
        series: p.labels.to_string(),
        raised_at: p.raised_at.to_string(),
        likelihood: p.likelihood.to_string(),
        eta: [p.eta.p10, p.eta.p50, p.eta.p90].map(time),
        verdict,
        crossed_at: time(crossed),
        lead_time_s: number(outcome.lead_time_s),
        eta_error_s: number(outcome.eta_error_s),
        id: p.id.to_string(),
        ..Line::default()
    }
}

/// `figure` is what would have been done, `what` the playbook and what stood in the way.
fn decided(decided: &Decided) -> Line {
    let (verdict, crossed) = verdict(decided.verdict);
    Line {
        kind: "acting",
        watch: decided.watch.clone(),
        service: decided.service.clone(),
        series: decided.labels.to_string(),
        raised_at: decided.at.to_string(),
        verdict,
        crossed_at: time(crossed),
        id: decided.prediction.to_string(),
        what: if decided.because.is_empty() {
            decided.playbook.clone()
        } else {
            format!("{}: {}", decided.playbook, decided.because.join("; "))
        },
        figure: decided.would.as_str(),
        ..Line::default()
    }
}

fn event(event: &Event) -> Line {
    Line {
        kind: if event.can_be_told { "missed" } else { "event" },
        watch: event.watch.clone(),
        service: event.service.clone(),
        series: event.labels.to_string(),
        crossed_at: event.at.to_string(),
        id: event.taken_back.as_ref().map(ToString::to_string).unwrap_or_default(),
        what: event.what.clone().unwrap_or_default(),
        noticed_at: time(event.noticed_at),
        ..Line::default()
    }
}

fn figure(kind: &'static str, group: &str, figure: Figure) -> Line {
    let [lower, upper] = figure.interval.map_or([None, None], |ends| ends.map(Some));
    let numbers = [number(figure.value), number(lower), number(upper), figure.count.to_string(), String::new()];
    Line { kind, watch: group.to_owned(), figure: figure.name, numbers, ..Line::default() }
}

fn changes(out: &mut impl Write, diff: &Diff) -> io::Result<()> {
    for (kind, briefs) in [("appeared", &diff.appeared), ("vanished", &diff.vanished)] {
        briefs.iter().try_for_each(|one| brief(kind, one).write(out))?;
    }
    for moved in &diff.moved {
        let numbers = |this: String, other: String| [this, String::new(), String::new(), String::new(), other];
        let (this, other) = (&moved.this, &moved.other);
        let compared = [
            ("raised_at", this.raised_at.to_string(), other.raised_at.to_string()),
            ("likelihood", this.likelihood.to_string(), other.likelihood.to_string()),
            ("eta_p50", time(this.eta_p50), time(other.eta_p50)),
            ("verdict", verdict(this.verdict).0.to_owned(), verdict(other.verdict).0.to_owned()),
        ];
        for (figure, mine, theirs) in compared.into_iter().filter(|(_, mine, theirs)| mine != theirs) {
            Line { figure, numbers: numbers(mine, theirs), ..brief("moved", this) }.write(out)?;
        }
    }
    for changed in diff.acting.iter().flat_map(|acting| &acting.changed) {
        let word = |decided: &Option<Decided>| decided.as_ref().map(|d| d.would.as_str().to_owned()).unwrap_or_default();
        let Some(shown) = changed.other.as_ref().or(changed.this.as_ref()) else { continue };
        let numbers = [word(&changed.this), String::new(), String::new(), String::new(), word(&changed.other)];
        Line { kind: "changed_acting", figure: "would", numbers, ..decided(shown) }.write(out)?;
    }
    for change in &diff.figures {
        let value = |figure: Option<Figure>| number(figure.and_then(|figure| figure.value));
        let numbers = [value(change.this), String::new(), String::new(), String::new(), value(change.other)];
        Line { kind: "changed_figure", watch: change.group.clone(), figure: change.name, numbers, ..Line::default() }.write(out)?;
    }
    Ok(())
}

fn brief(kind: &'static str, brief: &Brief) -> Line {
    let (verdict, crossed) = verdict(brief.verdict);
    Line {
        kind,
        watch: brief.watch.clone(),
        service: brief.service.clone(),
        series: brief.labels.to_string(),
        raised_at: brief.raised_at.to_string(),
        likelihood: brief.likelihood.to_string(),
        eta: [String::new(), time(brief.eta_p50), String::new()],
        verdict,
        crossed_at: time(crossed),
        lead_time_s: number(brief.lead_time_s),
        id: brief.id.to_string(),
        ..Line::default()
    }
}

/// By RFC 4180.
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_has_a_cell_for_every_column() {
        let mut out = Vec::new();
        let interval = Some([0.25, 0.75]);
        figure("figure", "a, b", Figure { name: "told_share", value: Some(0.5), interval, count: 8 }).write(&mut out).unwrap();
        let line = String::from_utf8(out).unwrap();
        assert!(line.starts_with("figure,\"a, b\",,") && line.ends_with(",told_share,0.5,0.25,0.75,8,\n"), "{line}");
        assert_eq!(line.trim_end().replace("a, b", "").split(',').count(), HEADER.split(',').count());
        assert_eq!(quoted("a{b=\"c\"}"), "\"a{b=\"\"c\"\"}\"");
    }
}
