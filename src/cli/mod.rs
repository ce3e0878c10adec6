//! The command line: a file a verb.
//!
//! Exit codes: 0 fine, 1 a finding or a failure, 2 wrong usage. Results go to stdout, logs and progress to stderr; colour never carries
//! meaning alone.

mod backtest;
mod output;

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
    /// Goes over the past: what would have been told, how long before, and how often in vain.
    Backtest(backtest::Args),
}

/// Runs the verb. Failures are said on stderr.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.verb {
        Verb::Backtest(args) => backtest::run(&args),
    };
    outcome.unwrap_or_else(|failure| failure.report())
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
}

impl Failure {
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, code: 1 }
    }

    pub fn usage(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, code: 2 }
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
