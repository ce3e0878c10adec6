//! `portent datasets`: the data that comes with the program, to try it on and to check its claims with.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::output::{self, Format};
use super::{Failure, Outcome};
use crate::datasets::{self, CARD_FILE, Card, DATA_FILE, Made, sha256};
use crate::demo;

/// The demo's data is not among the made sets, since the demo has its own generator.
const DEMO: &str = "demo";

const EXAMPLES: &str = "\
Examples:
  portent datasets list
  portent datasets show leaks              its card: origin, licence, hash, labelled incidents
  portent datasets make leaks --dir /tmp   writes /tmp/leaks/data.csv; then: portent forecast /tmp/leaks/data.csv --above 0.95
  portent datasets make --check            are the files under datasets/ what is made? Exit code 1 if not";

/// Data sets with labelled incidents.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Datasets {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// A line each
    List {
        /// table or json
        #[arg(short, value_enum, default_value = "table")]
        output: Format,
    },
    /// The card of one
    Show { name: String },
    /// Make the files anew from their seeds, the same bytes on every machine
    Make {
        /// Which [default: all that are made and stored]
        name: Option<String>,
        /// Folder that holds a folder a set
        #[arg(long, value_name = "DIR", default_value = "datasets")]
        dir: PathBuf,
        /// Write nothing; fail where a file is not what is made
        #[arg(long)]
        check: bool,
    },
}

impl Datasets {
    pub fn run(self) -> Outcome {
        match self.verb {
            Verb::List { output } => list(output),
            Verb::Show { name } => show(&name),
            Verb::Make { name, dir, check } => make(name.as_deref(), &dir, check),
        }
    }
}

fn list(format: Format) -> Outcome {
    let cards = datasets::cards()?;
    let kind = |card: &Card| if card.seed.is_some() { "made" } else { "recorded" };
    if matches!(format, Format::Json | Format::Jsonl) {
        let rows: Vec<serde_json::Value> = cards
            .iter()
            .map(|card| {
                serde_json::json!({
                    "name": card.name, "about": card.about, "origin": card.origin, "licence": card.licence, "kind": kind(card),
                    "step_s": card.step.as_secs_f64(), "series": card.series, "samples": card.samples,
                    "incidents": card.incidents.len(), "sha256": card.sha256,
                })
            })
            .collect();
        println!("{}", serde_json::to_string_pretty(&rows)?);
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<Vec<String>> = cards
        .iter()
        .map(|card| {
            let numbers = [card.series, card.samples, card.incidents.len()].map(|n| n.to_string());
            let [series, samples, incidents] = numbers;
            vec![card.name.clone(), kind(card).to_owned(), card.licence.clone(), series, samples, incidents, card.about.clone()]
        })
        .collect();
    let mut out = output::stdout();
    let written = output::table(&mut out, &["DATASET", "KIND", "LICENCE", "SERIES", "SAMPLES", "INCIDENTS", "ABOUT"], &rows);
    output::ignore_closed(written.and_then(|()| std::io::Write::flush(&mut out)))?;
    Ok(ExitCode::SUCCESS)
}

fn show(name: &str) -> Outcome {
    let cards = datasets::cards()?;
    let card = cards.iter().find(|card| card.name == name).ok_or_else(|| unknown(name, &cards))?;
    let written = std::io::Write::write_all(&mut std::io::stdout().lock(), card.text.as_bytes());
    output::ignore_closed(written)?;
    Ok(ExitCode::SUCCESS)
}

fn unknown(name: &str, cards: &[Card]) -> Failure {
    let known: Vec<&str> = cards.iter().map(|card| card.name.as_str()).collect();
    Failure::usage(format!("there is no data set {name:?}")).hint(format!("there are: {}", known.join(", ")))
}

fn make(name: Option<&str>, dir: &Path, check: bool) -> Outcome {
    let Some(name) = name else {
        let mut differ = 0;
        for spec in &datasets::MADE {
            differ += one(spec.name, &spec.make(), dir, check)?;
        }
        return Ok(if differ == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    };
    let made = match datasets::made(name) {
        Some(spec) => spec.make(),
        None if name == DEMO => {
            let mut data = Vec::new();
            demo::write_csv(&demo::data_set(), &mut data)?;
            Made { card: demo::dataset_toml(), data: String::from_utf8_lossy(&data).into_owned() }
        }
        None => {
            let cards = datasets::cards()?;
            let known = cards.iter().any(|card| card.name == name);
            let recorded = || Failure::usage(format!("{name} was recorded, not made")).hint("it lies in the repository under datasets/");
            return Err(if known { recorded() } else { unknown(name, &cards) });
        }
    };
    Ok(if one(name, &made, dir, check)? == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Writes a set's files, or compares them; how many differ.
fn one(name: &str, made: &Made, dir: &Path, check: bool) -> Result<usize, Failure> {
    let folder = dir.join(name);
    let cannot = |act: &str, path: &Path, error: &std::io::Error| Failure::new(format!("cannot {act} {}: {error}", path.display()));
    if !check {
        std::fs::create_dir_all(&folder).map_err(|error| cannot("make the folder", &folder, &error))?;
    }
    let mut differ = 0;
    for (file, bytes) in [(CARD_FILE, made.card.as_bytes()), (DATA_FILE, made.data.as_bytes())] {
        let path = folder.join(file);
        if !check {
            std::fs::write(&path, bytes).map_err(|error| cannot("write", &path, &error))?;
        } else if name == DEMO && file == DATA_FILE {
            // It is not stored; its card holds the hash, which was just made.
        } else {
            let found = std::fs::read(&path).map_err(|error| cannot("read", &path, &error))?;
            if found != bytes {
                differ += 1;
                println!("{}: differs from what is made", path.display());
            }
        }
    }
    let verb = if check { "compared" } else { "written" };
    println!("{name}: {verb}, data.csv is {} bytes, sha256 {}", made.data.len(), sha256(made.data.as_bytes()));
    Ok(differ)
}
