//! What is wrong with a configuration: every fault at once, each with its place, so that one edit mends all.

use std::fmt;

/// Errors kept of one configuration. A file with more than this is not a Portent configuration, and nobody reads the hundred-first.
pub const MAX_ERRORS: usize = 100;

/// A place in a text file; both count from 1. Line 0 stands for the file as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    pub line: usize,
    pub column: usize,
}

impl Position {
    /// The file as a whole: for what has no place in it, such as a file that can't be read.
    pub const WHOLE: Self = Self { line: 0, column: 0 };
}

/// One fault: where, what was found and what is allowed, and what the reader can do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The file as it was named on the command line or in the configuration.
    pub file: String,
    /// From 1; 0 when the fault is the file's as a whole.
    pub line: usize,
    /// From 1; 0 when the fault is the file's as a whole.
    pub column: usize,
    pub message: String,
    pub hint: Option<String>,
}

impl fmt::Display for ConfigError {
    /// `file:line:column: message`, and the hint, if any, on a line of its own.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        write!(f, ": {}", self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\n  hint: {hint}"),
            None => Ok(()),
        }
    }
}

/// All faults of one configuration, in the order of the files and their lines. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl ConfigErrors {
    /// A single fault of a file as a whole.
    pub fn of_file(file: &str, message: impl Into<String>, hint: Option<&str>) -> Self {
        let error = ConfigError { file: file.into(), line: 0, column: 0, message: message.into(), hint: hint.map(Into::into) };
        Self(vec![error])
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, error) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}
