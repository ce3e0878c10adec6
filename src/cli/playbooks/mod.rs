//! `portent playbooks`: the remedies there are, what is wrong with them, how they are changed, and what one would do.

mod edit;
mod lint;
mod list;
mod run;

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Subcommand};

use super::output::Format;
use super::playbook_stats::{Forgive, PlaybookStats};
use super::{Failure, Outcome, config_failure, library};
use crate::act::{Actuators, actuators};
use crate::clock::{Clock as _, SystemClock};
use crate::config::{self, Config};

/// The schema that editors complete and check by.
const SCHEMA: &str = include_str!("../../../schemas/playbook.schema.json");

const EXAMPLES: &str = "Examples:
  portent playbooks list
  portent playbooks show expand-volume > expand-volume.yaml
  portent playbooks lint playbooks/*.yaml
  portent playbooks edit expand-volume -c portent.yaml
  portent playbooks run expand-volume --on instance=db-1,mountpoint=/data --dry-run
  portent playbooks schema > playbook.schema.json";

/// Declarative remedies: bundled ones, policies, and your own.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Playbooks {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    List(list::List),
    Stats(PlaybookStats),
    Forgive(Forgive),
    Show(list::Show),
    Lint(lint::Lint),
    Edit(edit::Edit),
    Run(run::Run),
    /// The JSON Schema of playbook files, for editors
    #[command(after_help = "Examples:
  portent playbooks schema > playbook.schema.json
  # and as a file's first line, for the YAML language server:
  # yaml-language-server: $schema=./playbook.schema.json")]
    Schema,
}

impl Playbooks {
    pub fn run(self) -> Outcome {
        match self.verb {
            Verb::List(verb) => verb.run(),
            Verb::Stats(verb) => verb.run(),
            Verb::Forgive(verb) => verb.run(),
            Verb::Show(verb) => verb.run(),
            Verb::Lint(verb) => verb.run(),
            Verb::Edit(verb) => verb.run(),
            Verb::Run(verb) => verb.run(),
            Verb::Schema => library::show(SCHEMA),
        }
    }
}

/// Which configuration is asked.
#[derive(Debug, Args)]
struct Of {
    /// Configuration file; portent.yaml in the current folder if it is there
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Of {
    /// The configuration, where one is named or lies here.
    fn load(&self) -> Result<Option<Config>, Failure> {
        let usual = PathBuf::from(config::DEFAULT_FILE);
        match &self.config {
            Some(file) => config::load(file).map(Some).map_err(config_failure),
            None if usual.exists() => config::load(&usual).map(Some).map_err(config_failure),
            None => Ok(None),
        }
    }
}

/// What a configuration lets act; without one, what needs none.
fn actuators_of(config: Option<&Config>) -> Actuators {
    let settings = config.map(|config| config.act.actuators()).unwrap_or_default();
    let clock = SystemClock::new();
    actuators(settings, &(Arc::new(move || clock.now()) as crate::act::Now))
}

/// Whether a format is for people.
fn is_table(format: Format) -> bool {
    matches!(format, Format::Table | Format::Csv)
}
