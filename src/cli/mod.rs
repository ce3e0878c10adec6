//! The command line: a file a verb.
//!
//! Exit codes: 0 fine, 1 a finding or a failure, 2 wrong usage. Results go to stdout, logs and progress to stderr; colour never carries
//! meaning alone.

mod approvals;
mod audit;
mod backtest;
mod cell;
mod chart;
mod check;
mod datasets;
mod demo;
mod detect;
mod explain;
mod forecast;
mod library;
mod output;
mod playbook_stats;
mod playbooks;
mod progress;
mod remote;
mod run;
mod sandbox;
mod silence;
mod token;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use output::Format;

/// Says what will break, when, how surely and why: a predictor for everyone with a Prometheus.
#[derive(Debug, Parser)]
#[command(name = "portent", version, about, max_term_width = 110)]
pub struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Run(run::Run),
    Demo(demo::Demo),
    Check(check::Check),
    Packs(library::Packs),
    Playbooks(playbooks::Playbooks),
    Datasets(datasets::Datasets),
    Status(remote::Status),
    Predictions(remote::Predictions),
    Approvals(approvals::Approvals),
    Silence(silence::Silence),
    Stop(approvals::Stop),
    Resume(approvals::Resume),
    Audit(audit::Audit),
    Token(token::Token),
    /// Score every sample of data files: how far from normal it is
    Detect(detect::Detect),
    /// Forecast series of data files; whether and when they reach a threshold
    Forecast(forecast::Forecast),
    /// Why it says about one series what it says: profile, period, weights, bands, score, likelihood
    Explain(explain::Explain),
    /// Draw a series as PNG: history, normal band, forecast, threshold
    Chart(chart::Chart),
    /// Goes over the past: what would have been told, how long before, and how often in vain.
    Backtest(backtest::Args),
    Tune(backtest::tune::Tune),
    #[command(hide = true)]
    Sandbox(sandbox::Sandbox),
}

/// Runs the verb. Failures are said on stderr.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.verb {
        Verb::Run(verb) => verb.run(),
        Verb::Demo(verb) => verb.run(),
        Verb::Check(verb) => verb.run(),
        Verb::Packs(verb) => verb.run(),
        Verb::Playbooks(verb) => verb.run(),
        Verb::Datasets(verb) => verb.run(),
        Verb::Status(verb) => verb.run(),
        Verb::Predictions(verb) => verb.run(),
        Verb::Approvals(verb) => verb.run(),
        Verb::Silence(verb) => verb.run(),
        Verb::Stop(verb) => verb.run(),
        Verb::Resume(verb) => verb.run(),
        Verb::Audit(verb) => verb.run(),
        Verb::Token(verb) => verb.run(),
        Verb::Detect(verb) => verb.run(),
        Verb::Forecast(verb) => verb.run(),
        Verb::Explain(verb) => verb.run(),
        Verb::Chart(verb) => verb.run(),
        Verb::Backtest(args) => backtest::run(&args),
        Verb::Tune(verb) => verb.run(),
        Verb::Sandbox(verb) => verb.run(),
    };
    outcome.unwrap_or_else(|failure| failure.report())
}

/// Ends at Ctrl-C or SIGTERM.
async fn stopped() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        if let Ok(mut terminate) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            tokio::select! {
                _ = interrupt => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    let _ = interrupt.await;
}

/// A configuration's errors, each on its line, after a first line that says how many there are.
#[allow(clippy::needless_pass_by_value, reason = "made for map_err, which hands it over")]
fn config_failure(errors: crate::config::ConfigErrors) -> Failure {
    let count = errors.0.len();
    Failure {
        message: format!("the configuration has {count} error{}\n{errors}", if count == 1 { "" } else { "s" }),
        hint: None,
        code: 2,
        is_unreachable: false,
    }
}

/// What a verb came to.
pub type Outcome = Result<ExitCode, Failure>;

/// A failure in words for stderr: `error: act + subject + cause`, then a hint when the user can act.
#[derive(Debug)]
pub struct Failure {
    message: String,
    hint: Option<String>,
    /// 1 for a failure, 2 for wrong usage.
    code: u8,
    /// Nobody answers where the daemon was looked for.
    is_unreachable: bool,
}

impl Failure {
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, code: 1, is_unreachable: false }
    }

    pub fn usage(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, code: 2, is_unreachable: false }
    }

    /// That nobody answers, which some verbs can do without.
    #[must_use]
    pub fn unreachable(self) -> Self {
        Self { is_unreachable: true, ..self }
    }

    pub fn is_unreachable(&self) -> bool {
        self.is_unreachable
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    fn report(&self) -> ExitCode {
        eprintln!("error: {}", self.message);
        if let Some(hint) = &self.hint {
            eprintln!("hint: {hint}");
        }
        ExitCode::from(self.code)
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::new(error.to_string())
    }
}
