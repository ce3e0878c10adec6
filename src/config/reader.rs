//! From tree to typed values: a fault is noted in [`Cx`] and reading goes on, so that all faults are said at once.
//!
//! Every message names what was found and what is allowed, in that order, and repeats no more of a found value than fits a line.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::error::{ConfigError, MAX_ERRORS, Position};
use super::nearest::nearest;
use super::tree::{self, Node, Value};
use crate::core::time::Span;

/// Longest piece of a found value that is repeated in a message.
const SHOWN_CHARS: usize = 60;
/// Longest list of allowed names that is repeated in a message.
const SHOWN_NAMES: usize = 30;

/// Where faults of one file go, and what its relative paths are relative to.
#[derive(Debug)]
pub struct Cx {
    pub file: String,
    /// The file's folder.
    pub base: PathBuf,
    pub errors: Vec<ConfigError>,
}

impl Cx {
    pub fn new(file: &Path) -> Self {
        let base = file.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_path_buf();
        Self { file: file.display().to_string(), base, errors: Vec::new() }
    }

    pub fn error(&mut self, at: Position, message: impl Into<String>) {
        self.push(at, message.into(), None);
    }

    pub fn error_hint(&mut self, at: Position, message: impl Into<String>, hint: impl Into<String>) {
        self.push(at, message.into(), Some(hint.into()));
    }

    fn push(&mut self, at: Position, message: String, hint: Option<String>) {
        if self.errors.len() < MAX_ERRORS {
            self.errors.push(ConfigError { file: self.file.clone(), line: at.line, column: at.column, message, hint });
        }
    }

    /// The text's tree; faults of the text are noted.
    pub fn tree(&mut self, text: &str) -> Option<Node> {
        let mut faults = Vec::new();
        let root = tree::parse(text, &mut faults);
        for fault in faults {
            self.push(fault.at, fault.message, fault.hint.map(Into::into));
        }
        root
    }

    pub fn path(&self, text: &str) -> PathBuf {
        self.base.join(text)
    }

    /// "found this, want that".
    pub fn wrong(&mut self, node: &Node, what: &str, want: impl Display) {
        self.error(node.at, format!("{what}: found {}, want {want}", found(node)));
    }

    pub fn text(&mut self, node: &Node, what: &str) -> Option<String> {
        match &node.value {
            Value::Scalar { text, .. } if !node.is_null() => {
                let text = text.trim();
                if text.is_empty() {
                    self.wrong(node, what, "a text");
                }
                (!text.is_empty()).then(|| text.to_owned())
            }
            _ => {
                self.wrong(node, what, "a text");
                None
            }
        }
    }

    /// Anything that is read from text, with `want` said when it can't be.
    pub fn parsed<T: FromStr>(&mut self, node: &Node, what: &str, want: &str) -> Option<T> {
        let value = match &node.value {
            Value::Scalar { text, .. } if !node.is_null() => text.trim().parse().ok(),
            _ => None,
        };
        if value.is_none() {
            self.wrong(node, what, want);
        }
        value
    }

    /// A finite number in a range, both ends included.
    pub fn number(&mut self, node: &Node, what: &str, lowest: f64, highest: f64) -> Option<f64> {
        let want = match (lowest.is_finite(), highest.is_finite()) {
            (true, true) => format!("a number from {lowest} to {highest}"),
            (true, false) => format!("a number of {lowest} or more"),
            _ => "a number".to_owned(),
        };
        let value = match &node.value {
            Value::Scalar { text, plain: true } => text.parse::<f64>().ok().filter(|v| v.is_finite()),
            _ => None,
        };
        let value = value.filter(|v| (lowest..=highest).contains(v));
        if value.is_none() {
            self.wrong(node, what, want);
        }
        value
    }

    pub fn whole(&mut self, node: &Node, what: &str, lowest: u64, highest: u64) -> Option<u64> {
        let value = match &node.value {
            Value::Scalar { text, plain: true } => text.replace('_', "").parse::<u64>().ok(),
            _ => None,
        };
        let value = value.filter(|v| (lowest..=highest).contains(v));
        if value.is_none() {
            self.wrong(node, what, format!("a whole number from {lowest} to {highest}"));
        }
        value
    }

    pub fn flag(&mut self, node: &Node, what: &str) -> Option<bool> {
        let value = match &node.value {
            Value::Scalar { text, plain: true } if text == "true" => Some(true),
            Value::Scalar { text, plain: true } if text == "false" => Some(false),
            _ => None,
        };
        if value.is_none() {
            self.wrong(node, what, "true or false");
        }
        value
    }

    /// A length of time in a range, both ends included.
    pub fn span(&mut self, node: &Node, what: &str, shortest: Span, longest: Span) -> Option<Span> {
        let value: Span = self.parsed(node, what, "a duration such as 30s, 1h30m or 7d")?;
        if value < shortest || value > longest {
            self.wrong(node, what, format!("{shortest} to {longest}"));
            return None;
        }
        Some(value)
    }

    /// One of a few words, each standing for a value.
    pub fn one_of<T: Clone>(&mut self, node: &Node, what: &str, words: &[(&str, T)]) -> Option<T> {
        let found = match &node.value {
            Value::Scalar { text, .. } => words.iter().find(|(word, _)| word == text),
            _ => None,
        };
        if found.is_none() {
            let want = list(words.iter().map(|(word, _)| *word));
            self.wrong(node, what, format!("one of {want}"));
        }
        found.map(|(_, value)| value.clone())
    }

    /// A text that names one of `known`.
    pub fn known_name<'k>(&mut self, node: &Node, what: &str, known: &[&'k str]) -> Option<&'k str> {
        let text = self.text(node, what)?;
        let found = known.iter().find(|name| **name == text);
        if found.is_none() {
            self.unknown_name(node.at, what, &text, known);
        }
        found.copied()
    }

    pub fn unknown_name(&mut self, at: Position, what: &str, name: &str, known: &[&str]) {
        let guess = nearest(name, known.iter().copied()).map(|near| format!("; did you mean {near:?}?")).unwrap_or_default();
        let all = if known.is_empty() { "there is none".to_owned() } else { format!("known: {}", list(known.iter().copied())) };
        self.error_hint(at, format!("unknown {what} {}{guess}", quoted(name)), all);
    }

    /// A name that is safe in a URL, a file name and a metric's label.
    pub fn name(&mut self, node: &Node, what: &str) -> Option<String> {
        let text = self.text(node, what)?;
        if is_name(&text) {
            return Some(text);
        }
        self.wrong(node, what, format!("a name of 1 to {LONGEST_NAME} letters, digits, '-', '_' or '.', a letter or digit first"));
        None
    }
}

/// Longest name of a watch, source or playbook: chart files are called after watches, and a file name ends at 255 bytes.
const LONGEST_NAME: usize = 100;

pub fn is_name(text: &str) -> bool {
    text.len() <= LONGEST_NAME
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

/// Names for people, the first [`SHOWN_NAMES`] of them.
pub fn list<'k>(names: impl IntoIterator<Item = &'k str>) -> String {
    let names: Vec<&str> = names.into_iter().collect();
    let shown = names[..names.len().min(SHOWN_NAMES)].join(", ");
    if names.len() > SHOWN_NAMES { format!("{shown} and {} more", names.len() - SHOWN_NAMES) } else { shown }
}

/// A found text in quotes, cut when it is long.
pub fn quoted(text: &str) -> String {
    if text.chars().count() <= SHOWN_CHARS {
        return format!("{text:?}");
    }
    format!("{:?}...", text.chars().take(SHOWN_CHARS).collect::<String>())
}

fn found(node: &Node) -> String {
    match &node.value {
        _ if node.is_null() => "nothing".into(),
        Value::Scalar { text, plain } => {
            let is_number = text.parse::<f64>().is_ok();
            match (is_number, plain) {
                (true, true) => text.clone(),
                (true, false) => format!("the text {}", quoted(text)),
                (false, _) => quoted(text),
            }
        }
        Value::List(_) => "a list".into(),
        Value::Map(_) => "a mapping".into(),
    }
}
