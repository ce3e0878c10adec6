//! `portent sandbox`: the process that `portent demo` lets leak, and the command that its playbook restarts it with. Not for people, and so not
//! among the verbs that are shown.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;

use super::{Failure, Outcome};
use crate::demo::sandbox;

/// The demo's own process that leaks.
#[derive(Debug, clap::Args)]
pub struct Sandbox {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Serves requests from standard input, and leaks
    Serve { dir: PathBuf },
    /// Has the one that serves end, and waits for the next
    Restart { dir: PathBuf },
}

impl Sandbox {
    pub fn run(self) -> Outcome {
        match self.verb {
            Verb::Serve { dir } => sandbox::run(&dir, io::stdin().lock(), io::stdout().lock())?,
            Verb::Restart { dir } => {
                let (before, after) = sandbox::restart(&dir).map_err(|error| Failure::new(error.to_string()))?;
                println!("process {before} was ended, {after} serves");
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
