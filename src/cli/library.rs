//! `portent packs`: what comes with the binary.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::output::{self, Format};
use super::{Failure, Outcome};
use crate::packs;

/// Named sets of watches, one an exporter.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  portent packs list\n  portent packs show node > node.yaml")]
pub struct Packs {
    #[command(subcommand)]
    verb: Library,
}

#[derive(Debug, Subcommand)]
enum Library {
    /// A line each
    List {
        /// table or json
        #[arg(short, value_enum, default_value = "table")]
        output: Format,
    },
    /// One as the YAML it is written in, to copy and change
    Show { name: String },
}

impl Packs {
    pub fn run(self) -> Outcome {
        match self.verb {
            Library::List { output: Format::Table | Format::Csv } => list(
                &["PACK", "WATCHES", "EXPORTER", "ABOUT"],
                packs::all().iter().map(|p| vec![p.name.clone(), p.watches.len().to_string(), p.exporter.clone(), p.about.clone()]),
            ),
            Library::List { .. } => {
                let packs = packs::all().iter().map(|p| {
                    let watches: Vec<&str> = p.watches.iter().map(|w| &*w.name).collect();
                    serde_json::json!({ "name": p.name, "about": p.about, "exporter": p.exporter, "probe": p.probe, "watches": watches })
                });
                json(&packs.collect::<Vec<_>>())
            }
            Library::Show { name } => match packs::find(&name) {
                Some(pack) => show(pack.source_text),
                None => Err(unknown("pack", &name, packs::all().iter().map(|p| p.name.as_str()))),
            },
        }
    }
}

pub(super) fn list(header: &[&str], rows: impl Iterator<Item = Vec<String>>) -> Outcome {
    let mut out = output::stdout();
    let rows: Vec<Vec<String>> = rows.collect();
    let written = output::table(&mut out, header, &rows).and_then(|()| std::io::Write::flush(&mut out));
    output::ignore_closed(written)?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn json(values: &[serde_json::Value]) -> Outcome {
    println!("{}", serde_json::to_string_pretty(values)?);
    Ok(ExitCode::SUCCESS)
}

pub(super) fn show(text: &str) -> Outcome {
    let written = std::io::Write::write_all(&mut std::io::stdout().lock(), text.as_bytes());
    output::ignore_closed(written)?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn unknown<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a str>) -> Failure {
    Failure::usage(format!("there is no {what} {name:?}")).hint(format!("there are: {}", known.collect::<Vec<_>>().join(", ")))
}
