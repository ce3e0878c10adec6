//! The program under measurement, run as a user runs it.

use std::path::Path;
use std::process::Command;

pub struct Portent {
    path: String,
}

impl Portent {
    /// The one that was built with this bench, or another.
    pub fn at(path: Option<String>) -> Self {
        Self { path: path.unwrap_or_else(|| env!("CARGO_BIN_EXE_portent").to_owned()) }
    }

    /// Its standard output.
    pub fn run(&self, verb: &str, file: &Path, arguments: &[&str]) -> String {
        let output = Command::new(&self.path).arg(verb).arg(file).args(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "portent {verb} {}: {said}", file.display());
        String::from_utf8(output.stdout).unwrap()
    }
}

/// The rows of a CSV as cells; the header is left out. No cell of what is asked for here holds a comma.
pub fn rows(csv: &str) -> impl Iterator<Item = Vec<&str>> {
    csv.lines().skip(1).map(|line| line.split(',').collect())
}

/// A cell as a number; NaN where it is empty.
pub fn number(cell: &str) -> f64 {
    cell.parse().unwrap_or(f64::NAN)
}
