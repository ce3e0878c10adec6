//! `portent playbooks lint`: everything wrong with playbooks, and what may have been forgotten, with file and line.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::super::output::Format;
use super::super::{Failure, Outcome};
use super::{Of, actuators_of, is_table};
use crate::act::Actuators;
use crate::config::ConfigError;
use crate::config::playbook::{self, Book, lint, read_file};
use crate::playbooks;

const EXAMPLES: &str = "Examples:
  portent playbooks lint playbooks/*.yaml
  portent playbooks lint -c portent.yaml            the configuration's own
  portent playbooks lint --bundled -o json | jq '.[].message'

Exit code 0: nothing would be refused; 1: something would (with --strict: or there is advice).";

/// Everything that is wrong, with file and line: form, arguments that an actuator would refuse, what may have been forgotten
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Lint {
    /// Playbook files; the configuration's own without any
    #[arg(value_name = "PLAYBOOK")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    of: Of,
    /// The bundled ones
    #[arg(long, conflicts_with = "files")]
    bundled: bool,
    /// Advice counts, too
    #[arg(long)]
    strict: bool,
    /// table or json
    #[arg(short, value_enum, default_value = "table")]
    output: Format,
}

impl Lint {
    pub fn run(self) -> Outcome {
        let config = self.of.load()?;
        let actuators = actuators_of(config.as_ref());
        let (books, refused) = self.books()?;
        let mut found: Vec<playbook::Lint> = refused.into_iter().map(|found| playbook::Lint { found, is_error: true }).collect();
        found.extend(books.iter().flat_map(|book| lint(book, &actuators, config.is_some())));
        let errors = found.iter().filter(|lint| lint.is_error).count();
        if is_table(self.output) {
            for lint in &found {
                println!("{}", line(lint));
            }
            eprintln!("{} playbooks: {errors} errors, {} advice", books.len(), found.len() - errors);
        } else {
            println!("{}", serde_json::to_string_pretty(&found.iter().map(json).collect::<Vec<_>>())?);
        }
        let is_fine = errors == 0 && (found.is_empty() || !self.strict);
        Ok(ExitCode::from(u8::from(!is_fine)))
    }

    fn books(&self) -> Result<(Vec<Book>, Vec<ConfigError>), Failure> {
        if self.bundled {
            let named = |e: &playbooks::Embedded| Book { shown: format!("{}.yaml", e.playbook.name), ..e.book.clone() };
            return Ok((playbooks::all().iter().map(named).collect(), Vec::new()));
        }
        if self.files.is_empty() {
            let file = self.of.config.clone().unwrap_or_else(|| PathBuf::from(crate::config::DEFAULT_FILE));
            let gathered =
                playbook::gather_of(&file).map_err(|why| Failure::usage(why).hint("name playbook files, or a configuration with -c"))?;
            return Ok((gathered.books, gathered.refused));
        }
        let (mut books, mut refused) = (Vec::new(), Vec::new());
        for file in &self.files {
            match read_file(file) {
                Ok(book) => books.push(book),
                Err(why) => refused.extend(why.faults),
            }
        }
        Ok((books, refused))
    }
}

/// For people.
pub fn line(lint: &playbook::Lint) -> String {
    let kind = if lint.is_error { "error" } else { "advice" };
    let ConfigError { file, line, column, message, hint } = &lint.found;
    let place = if *line > 0 { format!("{file}:{line}:{column}") } else { file.clone() };
    let hint = hint.as_ref().map(|hint| format!("\n  hint: {hint}")).unwrap_or_default();
    format!("{place}: {kind}: {message}{hint}")
}

fn json(lint: &playbook::Lint) -> serde_json::Value {
    let ConfigError { file, line, column, message, hint } = &lint.found;
    let kind = if lint.is_error { "error" } else { "advice" };
    serde_json::json!({ "file": file, "line": line, "column": column, "kind": kind, "message": message, "hint": hint })
}

/// Everything about one text that `file` is to hold.
pub fn all(text: &str, file: &std::path::Path, actuators: &Actuators, is_configured: bool) -> Vec<playbook::Lint> {
    match playbook::read_text(text, file) {
        Ok(book) => lint(&book, actuators, is_configured),
        Err(refused) => refused.faults.into_iter().map(|found| playbook::Lint { found, is_error: true }).collect(),
    }
}
