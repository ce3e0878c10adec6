//! `portent playbooks run NAME --on LABELS`: what it would do, or doing it through the daemon's gate.

use std::process::ExitCode;

use clap::Args;

use super::super::output;
use super::super::remote::Remote;
use super::super::{Failure, Outcome};
use super::{Of, actuators_of, is_table};
use crate::config::Config;
use crate::core::gate::Decision;
use crate::server::labels;
use crate::server::plan_report::{PlanReport, PlannedStep, steps};

const EXAMPLES: &str = "Examples:
  portent playbooks run expand-volume --on instance=db-1,mountpoint=/data --dry-run
  portent playbooks run restart-web --on job=web --by ann
  portent playbooks run restart-web --about p0123456789abcdef
  portent playbooks run scale-out --on namespace=shop,job=web --dry-run --url http://ops:9273 -o json

The daemon decides: its gate answers with every reason, and what it does is written down before. There is no way around either. Without a
daemon, --on with --dry-run shows the steps alone.

Exit code 0: it would be done, or is under way or waits for a word; 1: it is not done, with the reason.";

/// What it is for: one of the two
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct SubjectArgs {
    /// Labels of the series, as in instance=db-1,mountpoint=/data
    #[arg(long, value_name = "LABELS")]
    on: Option<String>,
    /// What is open, by its id: a prediction as `portent predictions` names it, a failing check, an anomaly
    #[arg(long, value_name = "ID")]
    about: Option<String>,
}

/// What a playbook would do about what is open; without --dry-run it is handed to the daemon's gate
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Run {
    name: String,
    #[command(flatten)]
    subject: SubjectArgs,
    /// Nothing is proposed, and nothing done
    #[arg(long)]
    dry_run: bool,
    /// Who asks
    #[arg(long, env = "USER")]
    by: Option<String>,
    #[command(flatten)]
    of: Of,
    #[command(flatten)]
    remote: Remote,
}

impl Run {
    pub fn run(self) -> Outcome {
        let on = self.subject.on.as_deref().map(labels).transpose().map_err(Failure::usage)?;
        // Who only looks needs no name.
        let by = self.remote.by(self.by.as_deref().or_else(|| self.dry_run.then_some("somebody")))?;
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        let SubjectArgs { on: labels, about } = &self.subject;
        query.extend_pairs(labels.iter().map(|labels| ("on", labels))).extend_pairs(about.iter().map(|id| ("about", id)));
        query.append_pair("dry_run", if self.dry_run { "true" } else { "false" });
        if !by.is_empty() {
            query.append_pair("by", by);
        }
        let name: String = url::form_urlencoded::byte_serialize(self.name.as_bytes()).collect();
        let path = format!("/api/v1/playbooks/{name}/run?{}", query.finish());
        let report = match self.remote.post::<PlanReport>(&path) {
            Ok(report) => report,
            Err(failure) if failure.is_unreachable() => {
                if let Some(on) = on.filter(|_| self.dry_run) {
                    return self.show(&self.alone(&on)?);
                }
                return Err(
                    failure.hint("only a running daemon's gate can let it be done; --on with --dry-run shows the steps without one")
                );
            }
            Err(failure) => return Err(failure),
        };
        self.show(&report)
    }

    fn show(&self, report: &PlanReport) -> Outcome {
        if is_table(self.remote.output) {
            output::ignore_closed(print(report))?;
        } else {
            println!("{}", serde_json::to_string_pretty(report)?);
        }
        let is_refused = !matches!(report.decision, Some(Decision::Allow | Decision::Ask) | None);
        Ok(ExitCode::from(u8::from(is_refused)))
    }

    /// The steps as this machine would carry them out.
    fn alone(&self, on: &crate::core::labels::Labels) -> Result<PlanReport, Failure> {
        let config: Option<Config> = self.of.load()?;
        let bundled = || crate::playbooks::find(&self.name).map(|embedded| embedded.playbook.clone());
        let own = config.as_ref().map(|config| config.playbooks.iter().find(|playbook| playbook.name == self.name).cloned());
        let playbook = own.unwrap_or_else(bundled);
        let playbook =
            playbook.ok_or_else(|| Failure::usage(format!("there is no playbook {:?}", self.name)).hint("portent playbooks list"))?;
        let service = on.get("service").or_else(|| on.get("job")).unwrap_or_default().to_owned();
        let target = playbook.target_of(on, &service);
        let targets: Vec<String> = Some(target).filter(|target| !target.is_empty()).into_iter().collect();
        let actuators = actuators_of(config.as_ref());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let steps = runtime.block_on(steps(&playbook, on, &targets, &actuators));
        Ok(PlanReport {
            playbook: playbook.name,
            about: playbook.about,
            prediction: None,
            title: None,
            labels: on.clone(),
            service,
            targets,
            decision: None,
            findings: Vec::new(),
            reasons: Vec::new(),
            steps,
            run: None,
            note: Some("no daemon answers, so the gate was not asked: whether it may be done is not known".to_owned()),
        })
    }
}

fn print(report: &PlanReport) -> std::io::Result<()> {
    use std::io::Write;
    let mut out = output::stdout();
    writeln!(out, "{} on {}", report.playbook, report.labels)?;
    writeln!(out, "  {}", report.about)?;
    if let (Some(id), Some(title)) = (&report.prediction, &report.title) {
        writeln!(out, "  about: {title} ({id})")?;
    }
    report.note.iter().try_for_each(|note| writeln!(out, "  note: {note}"))?;
    writeln!(out, "  acts on: {}", if report.targets.is_empty() { "nothing".to_owned() } else { report.targets.join(", ") })?;
    if let Some(decision) = report.decision {
        let words = match decision {
            Decision::Deny => "it is not done",
            Decision::Shadow => "it would have been done, and is only written down",
            Decision::Ask => "a person is asked",
            Decision::Allow => "it may be done",
        };
        writeln!(out, "\nThe gate: {words}")?;
    }
    for (finding, reason) in report.findings.iter().zip(&report.reasons) {
        let mark = if finding.admits == Decision::Allow { " " } else { "!" };
        writeln!(out, "  {mark} {reason}")?;
    }
    writeln!(out)?;
    report.steps.iter().enumerate().try_for_each(|(index, step)| print_step(&mut out, index, step))?;
    if let Some(run) = &report.run {
        let waits = if run.phase == "waiting" { "; portent approvals list shows it" } else { "" };
        writeln!(out, "\n{}: {}{waits}", run.run, run.why.as_ref().unwrap_or(&run.phase))?;
    }
    out.flush()
}

fn print_step(out: &mut impl std::io::Write, index: usize, step: &PlannedStep) -> std::io::Result<()> {
    let risk = step.risk.as_deref().unwrap_or("not known");
    let twice = match step.is_idempotent {
        Some(true) => "harmless to repeat",
        Some(false) => "not harmless to repeat",
        None => "not known whether it may be repeated",
    };
    let undo = if step.can_be_undone { ", can be taken back" } else { "" };
    writeln!(
        out,
        "{}. {} ({}; risk {risk}, {twice}{undo}; {} within {})",
        index + 1,
        step.name,
        step.action,
        tries(step.attempts),
        step.timeout
    )?;
    writeln!(out, "   {}", step.with)?;
    let said = step.would.as_ref().map(|would| would.replace('\n', "\n   "));
    match (said, &step.refused) {
        (Some(would), _) => writeln!(out, "   {would}"),
        (None, Some(why)) => writeln!(out, "   ! would not: {}", why.replace('\n', "\n   ")),
        (None, None) => Ok(()),
    }
}

fn tries(attempts: u32) -> String {
    if attempts == 1 { "1 try".to_owned() } else { format!("{attempts} tries") }
}
