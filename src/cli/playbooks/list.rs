//! `portent playbooks list` and `show`.

use clap::Args;

use super::super::output::Format;
use super::super::{Failure, Outcome, library};
use super::{Of, is_table};
use crate::config::Config;
use crate::core::playbook::Playbook;
use crate::playbooks;

/// A line each: bundled ones, policies, and those of your configuration
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  portent playbooks list\n  portent playbooks list -c portent.yaml -o json | jq '.[].name'")]
pub struct List {
    #[command(flatten)]
    of: Of,
    /// table or json
    #[arg(short, value_enum, default_value = "table")]
    output: Format,
}

/// One as the YAML it is written in, to copy and change
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  portent playbooks show expand-volume\n  portent playbooks show critical-latency -o json")]
pub struct Show {
    name: String,
    #[command(flatten)]
    of: Of,
    /// table (the text itself) or json
    #[arg(short, value_enum, default_value = "table")]
    output: Format,
}

impl List {
    pub fn run(self) -> Outcome {
        let config = self.of.load()?;
        let all = all(config.as_ref());
        for fault in config.iter().flat_map(|config| &config.books.refused) {
            eprintln!("refused: {fault}");
        }
        if !is_table(self.output) {
            let values: Vec<serde_json::Value> = all
                .iter()
                .map(|playbook| {
                    let mut value = serde_json::json!(playbook);
                    value["kind"] = playbook.kind.as_str().into();
                    value["from"] = from(playbook, config.as_ref()).into();
                    value
                })
                .collect();
            return library::json(&values);
        }
        let row = |playbook: &Playbook| {
            let on = if playbook.enabled { playbook.priority.to_string() } else { "off".to_owned() };
            let steps = playbook.steps.len().to_string();
            vec![
                playbook.name.clone(),
                playbook.kind.as_str().to_lowercase(),
                on,
                steps,
                from(playbook, config.as_ref()),
                playbook.about.clone(),
            ]
        };
        library::list(&["PLAYBOOK", "KIND", "PRIORITY", "STEPS", "FROM", "ABOUT"], all.iter().map(row))
    }
}

/// What there is; a configuration's own replace bundled ones.
fn all(config: Option<&Config>) -> Vec<Playbook> {
    config.map_or_else(|| playbooks::all().iter().map(|e| e.playbook.clone()).collect(), |config| config.playbooks.clone())
}

/// Where it comes from.
fn from(playbook: &Playbook, config: Option<&Config>) -> String {
    let file = config.and_then(|config| config.books.files.get(&playbook.name));
    match file {
        Some(file) => file.display().to_string(),
        None if playbooks::find(&playbook.name).is_some_and(|e| e.playbook == *playbook) => "bundled".to_owned(),
        None => "the configuration".to_owned(),
    }
}

impl Show {
    pub fn run(self) -> Outcome {
        let config = self.of.load()?;
        let all = all(config.as_ref());
        let Some(playbook) = all.iter().find(|playbook| playbook.name == self.name) else {
            return Err(library::unknown("playbook", &self.name, all.iter().map(|p| p.name.as_str())));
        };
        if !is_table(self.output) {
            println!("{}", serde_json::to_string_pretty(playbook)?);
            return Ok(std::process::ExitCode::SUCCESS);
        }
        if let Some(file) = config.as_ref().and_then(|config| config.books.files.get(&self.name)) {
            let text = std::fs::read_to_string(file).map_err(|error| Failure::new(format!("cannot read {}: {error}", file.display())))?;
            return library::show(&text);
        }
        match playbooks::find(&self.name).filter(|embedded| embedded.playbook == *playbook) {
            Some(embedded) => library::show(embedded.source_text),
            None => {
                Err(Failure::new(format!("{} is written out in the configuration itself", self.name))
                    .hint("-o json shows what was read of it"))
            }
        }
    }
}
