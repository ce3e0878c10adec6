//! `portent check`: all errors of a configuration at once.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::Outcome;
use super::output::{self, Format};
use crate::config::{self, Config, ConfigErrors};
use crate::core::watch::{Limit, Threshold};

const EXAMPLES: &str = "Examples:
  portent check -c portent.yaml
  portent check -o json | jq '.[].message'

Exit code 0: the configuration and its playbook files are fine; 1: they are not.";

/// Checks a configuration and says everything that is wrong with it, with file and line.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Check {
    /// Configuration file
    #[arg(short, long, value_name = "FILE", default_value = config::DEFAULT_FILE)]
    config: PathBuf,
    /// table or json
    #[arg(short, value_enum, default_value = "table")]
    output: Format,
}

impl Check {
    pub fn run(self) -> Outcome {
        let checked = config::load(&self.config);
        if self.output != Format::Table {
            return json(&checked);
        }
        match checked {
            Ok(config) => {
                let rows: Vec<Vec<String>> = config.watches.iter().map(row).collect();
                let mut out = output::stdout();
                let written = output::table(&mut out, &["WATCH", "SOURCE", "BAD WHEN", "HORIZON", "STEP", "PROFILE", "IMPACT"], &rows)
                    .and_then(|()| std::io::Write::flush(&mut out));
                output::ignore_closed(written)?;
                drop(out);
                let counts =
                    format!("{} sources, {} watches, {} webhooks", config.sources.len(), config.watches.len(), config.notify.len());
                let refused = &config.books.refused;
                if refused.is_empty() {
                    eprintln!("{}: fine ({counts})", self.config.display());
                    return Ok(ExitCode::SUCCESS);
                }
                for error in refused {
                    eprintln!("{error}");
                }
                let files = config.books.refused_files;
                eprintln!(
                    "{}: {} to mend in {}; the daemon refuses {} and goes on with the rest ({counts})",
                    self.config.display(),
                    count(refused.len(), "error"),
                    count(files, "playbook file"),
                    if files == 1 { "it" } else { "them" }
                );
                Ok(ExitCode::from(1))
            }
            Err(errors) => {
                eprintln!("{errors}");
                eprintln!("{}: {} to mend", self.config.display(), count(errors.0.len(), "error"));
                Ok(ExitCode::from(1))
            }
        }
    }
}

fn count(n: usize, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

fn row(watch: &crate::core::watch::Watch) -> Vec<String> {
    let bad = match &watch.limit {
        None => "anomalies only".to_owned(),
        Some(Limit { side, threshold: Threshold::Value(value) }) => format!("{} {value}", side.as_str()),
        Some(Limit { side, threshold: Threshold::Query(query) }) => format!("{} {}", side.as_str(), shortened(query)),
    };
    vec![
        watch.name.to_string(),
        watch.source.to_string(),
        bad,
        watch.horizon.to_string(),
        watch.step.to_string(),
        watch.profile.name.clone(),
        format!("{:?}", watch.impact).to_lowercase(),
    ]
}

/// The first words of a query: the table is for an overview, the whole query stands in the file.
fn shortened(query: &str) -> String {
    const CHARS: usize = 32;
    let line = query.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= CHARS { line } else { line.chars().take(CHARS).chain("...".chars()).collect() }
}

fn json(checked: &Result<Config, ConfigErrors>) -> Outcome {
    let all = match checked {
        Ok(config) => &config.books.refused,
        Err(errors) => &errors.0,
    };
    let errors: Vec<serde_json::Value> = all
        .iter()
        .map(|e| serde_json::json!({ "file": e.file, "line": e.line, "column": e.column, "message": e.message, "hint": e.hint }))
        .collect();
    println!("{}", serde_json::to_string_pretty(&errors)?);
    Ok(ExitCode::from(u8::from(!errors.is_empty())))
}
