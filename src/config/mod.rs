//! The configuration: text → tree with places → checked values, all faults at once.
//!
//! [`load`] and [`parse`] give a [`Config`] that nobody has to check again, or every fault with its file, line and column, what was found and
//! what is allowed. Relative paths in a file are relative to the file's folder, wherever the process was started: the same file means the same
//! everywhere. There is no `${VAR}`: secrets come from files (`*_file`), which can be rotated while running and don't show in `ps`.

pub mod act;
mod anomalies;
mod calendar;
mod client;
pub mod error;
pub(crate) mod fields;
mod health;
mod http;
pub(crate) mod nearest;
mod notify;
pub mod playbook;
pub mod profiles;
mod query;
pub(crate) mod reader;
mod root;
pub mod server;
mod settings;
mod source;
pub(crate) mod tree;
pub mod valid;
pub(crate) mod watch;

use std::io::Read;
use std::path::Path;

pub use error::{ConfigError, ConfigErrors};
pub use reader::is_name;
pub use valid::*;

use reader::Cx;

/// The file that is read when none is named.
pub const DEFAULT_FILE: &str = "portent.yaml";
/// Where the server listens unless configured: loopback only, on a port of its own beside node_exporter's and Prometheus'.
pub const DEFAULT_LISTEN: &str = "127.0.0.1:9273";

/// Reads and checks a configuration file.
///
/// # Errors
/// Every fault of the file. A playbook file with faults is no fault of the configuration: it is refused ([`Books::refused`]), and the rest goes
/// on.
pub fn load(path: &Path) -> Result<Config, ConfigErrors> {
    let name = path.display().to_string();
    let text = read_text(path).map_err(|fault| {
        let hint = "name another file with -c FILE, or try `--prometheus URL`, which needs none";
        ConfigErrors::of_file(&name, format!("cannot read the configuration: {fault}"), Some(hint))
    })?;
    parse(&text, &name)
}

/// Checks a configuration's text. `file_name` stands in messages, and its folder is where relative paths start.
///
/// # Errors
/// As [`load`].
pub fn parse(text: &str, file_name: &str) -> Result<Config, ConfigErrors> {
    let mut cx = Cx::new(Path::new(file_name));
    if text.len() > tree::MAX_TEXT_BYTES {
        let message = format!("{} bytes are more than a configuration has ({} at most)", text.len(), tree::MAX_TEXT_BYTES);
        return Err(ConfigErrors::of_file(file_name, message, None));
    }
    let config = root::read(text, &mut cx);
    let refused = config.as_ref().map(|config| config.books.refused.clone()).unwrap_or_default();
    match config {
        Some(config) if cx.errors.is_empty() => Ok(config),
        _ => {
            // Who mends the one mends the other, too.
            cx.errors.extend(refused);
            sort(&mut cx.errors, file_name);
            if cx.errors.len() >= error::MAX_ERRORS {
                cx.errors.truncate(error::MAX_ERRORS);
                let more = ConfigErrors::of_file(file_name, format!("the first {} faults are listed above", error::MAX_ERRORS), None);
                cx.errors.extend(more.0);
            }
            Err(ConfigErrors(cx.errors))
        }
    }
}

impl Config {
    /// What `portent run --prometheus URL` runs with: that one source, and every pack, each watched if its probe finds data.
    ///
    /// # Errors
    /// The URL's faults.
    pub fn for_url(url: &str) -> Result<Self, ConfigErrors> {
        let mut cx = Cx::new(Path::new("--prometheus"));
        match root::for_url(url, &mut cx) {
            Some(config) if cx.errors.is_empty() => Ok(config),
            _ => Err(ConfigErrors(cx.errors)),
        }
    }
}

/// Reading order: the configuration's own faults first, then those of each file it names.
fn sort(errors: &mut [ConfigError], main: &str) {
    errors.sort_by(|a, b| (a.file != main, &a.file, a.line, a.column).cmp(&(b.file != main, &b.file, b.line, b.column)));
}

/// A text file of at most [`tree::MAX_TEXT_BYTES`]. Read through a pipe too, so never trusting the size it claims.
fn read_text(path: &Path) -> Result<String, String> {
    let file = std::fs::File::open(path).map_err(|error| http::error_text(&error))?;
    let mut bytes = Vec::new();
    let limit = tree::MAX_TEXT_BYTES as u64 + 1;
    file.take(limit).read_to_end(&mut bytes).map_err(|error| http::error_text(&error))?;
    if bytes.len() as u64 == limit {
        return Err(format!("larger than {} bytes", tree::MAX_TEXT_BYTES));
    }
    String::from_utf8(bytes).map_err(|error| {
        let line = error.as_bytes()[..error.utf8_error().valid_up_to()].iter().filter(|b| **b == b'\n').count() + 1;
        format!("not UTF-8 on line {line}")
    })
}

#[cfg(test)]
mod tests;
