//! What was really done in the time that is gone over: an exported audit (`portent audit export`).
//!
//! Samples from after a remedy are the remedy's doing, too. A prediction that stood when something was begun about its series is neither right
//! nor wrong then, and gets the verdict `averted?`, as it does in the daemon.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use serde::Deserialize;

use crate::core::labels::SeriesId;
use crate::core::prediction::Prediction;
use crate::core::run::{Entry, Record};
use crate::core::time::Timestamp;

/// Longest line that is read: a proposal holds a playbook of a hundred steps and every reason.
const MAX_LINE_BYTES: u64 = 4 << 20;

/// Why an audit cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ActedError {
    #[error("cannot read audit {file}: {why}")]
    Read { file: String, why: std::io::Error },
    #[error("cannot read audit {file}: line {line} is none of `portent audit export`: {why}")]
    Line { file: String, line: usize, why: String },
}

/// An exported line, as far as it is read here.
#[derive(Deserialize)]
struct Line {
    record: String,
}

/// When something was begun about which series of which watch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ActedUpon(HashMap<(String, SeriesId), Vec<Timestamp>>);

impl ActedUpon {
    /// # Errors
    /// When the file can't be read, or holds a line that is none of an export.
    pub fn read(path: &Path) -> Result<Self, ActedError> {
        let file = path.display().to_string();
        let fail = |why| ActedError::Read { file: file.clone(), why };
        let mut reader = BufReader::new(File::open(path).map_err(fail)?);
        let (mut acted, mut runs, mut text) = (Self::default(), HashMap::new(), String::new());
        for line in 1.. {
            text.clear();
            if reader.by_ref().take(MAX_LINE_BYTES).read_line(&mut text).map_err(fail)? == 0 {
                break;
            }
            let bad = |why: serde_json::Error| ActedError::Line { file: file.clone(), line, why: why.to_string() };
            let exported: Line = serde_json::from_str(&text).map_err(bad)?;
            let entry: Entry = serde_json::from_str(&exported.record).map_err(bad)?;
            match entry.record {
                Record::Proposed { run, proposal, .. } => _ = runs.insert(run, (proposal.watch, proposal.labels.id())),
                Record::Started { run, .. } => {
                    if let Some(about) = runs.get(&run) {
                        acted.0.entry(about.clone()).or_default().push(entry.at);
                    }
                }
                _ => {}
            }
        }
        Ok(acted)
    }

    /// Whether something was begun while it could stand.
    pub(super) fn is_about(&self, prediction: &Prediction) -> bool {
        let times = self.0.get(&(prediction.watch.clone(), prediction.series()));
        times.is_some_and(|times| times.iter().any(|at| (prediction.raised_at..=prediction.due_at()).contains(at)))
    }
}
