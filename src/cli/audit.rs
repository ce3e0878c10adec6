//! `portent audit`: what was decided and done, proven to be whole.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Subcommand, ValueHint};

use super::output::{self};
use super::{Failure, Outcome, config_failure};
use crate::config;
use crate::daemon::LEDGER_FILE;
use crate::ledger::Ledger;
use crate::ledger::chain::{Finding, Head};

const EXAMPLES: &str = "Examples:
  portent audit verify
  portent audit verify --head 1204:9f2c...     the head that the metric or a webhook told, against a cut end
  portent audit export --data-dir /var/lib/portent > audit.jsonl

Exit code 0: it is whole; 1: it is not, or can't be read.";

/// Every decision, approval, step and outcome, hash-chained in the ledger.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Audit {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Finds edits, deletions, moves, and with a known head a cut end
    Verify {
        #[command(flatten)]
        place: Place,
        /// A head that was told outside, as NUMBER:HASH
        #[arg(long, value_name = "HEAD")]
        head: Option<Head>,
    },
    /// Every line as JSON, with its number and hash
    Export {
        #[command(flatten)]
        place: Place,
    },
}

/// Where the ledger is.
#[derive(Debug, clap::Args)]
struct Place {
    /// The configuration whose data_dir it is in [default: portent.yaml]
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "data_dir")]
    config: Option<PathBuf>,
    /// The data directory itself
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    data_dir: Option<PathBuf>,
}

impl Place {
    fn ledger(&self) -> Result<PathBuf, Failure> {
        let dir = match &self.data_dir {
            Some(dir) => dir.clone(),
            None => {
                let file = self.config.clone().unwrap_or_else(|| config::DEFAULT_FILE.into());
                config::load(&file).map_err(config_failure)?.data_dir
            }
        };
        let path = dir.join(LEDGER_FILE);
        // Opening makes one: an audit of nothing would be whole.
        if path.exists() { Ok(path) } else { Err(Failure::new(format!("there is no ledger at {}", path.display()))) }
    }
}

impl Audit {
    pub fn run(self) -> Outcome {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        match self.verb {
            Verb::Verify { place, head } => runtime.block_on(verify(place.ledger()?, head)),
            Verb::Export { place } => runtime.block_on(export(place.ledger()?)),
        }
    }
}

async fn verify(path: PathBuf, head: Option<Head>) -> Outcome {
    let ledger = Ledger::open(&path).await.map_err(|error| Failure::new(error.to_string()))?;
    let found = ledger.audit_verify(head).await.map_err(|error| Failure::new(error.to_string()))?;
    let (is_whole, said) = match found {
        Finding::Whole { head } => (true, format!("whole: {} lines, head {head}", head.seq)),
        Finding::Changed { seq } => (false, format!("line {seq} is not what was written: it or one before it was changed or moved")),
        Finding::Missing { wanted, found } => (false, format!("line {wanted} is missing: {found} stands in its place")),
        Finding::Cut { anchor, last } => {
            (false, format!("{anchor} is not in it: the end was cut off, or it is another audit; its head is {last}"))
        }
    };
    println!("{}: {said}", path.display());
    Ok(ExitCode::from(u8::from(!is_whole)))
}

async fn export(path: PathBuf) -> Outcome {
    let ledger = Ledger::open(&path).await.map_err(|error| Failure::new(error.to_string()))?;
    let mut out = output::stdout();
    let mut written = Ok(());
    let read = ledger.audit_lines(|line| {
        // What the hash is of stands as it is: whoever verifies it elsewhere needs the very text.
        let value = serde_json::json!({ "seq": line.head.seq, "at_ms": line.at_ms, "hash": line.head.hash, "record": line.json });
        written = writeln!(out, "{value}");
        Ok(written.is_ok())
    });
    read.await.map_err(|error| Failure::new(error.to_string()))?;
    output::ignore_closed(written.and_then(|()| out.flush()))?;
    Ok(ExitCode::SUCCESS)
}
