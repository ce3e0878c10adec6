//! How far long work has come, on stderr and only where a person looks on.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};

/// A bar over `len` things. Hidden unless stderr is a terminal and, as two writers on one screen garble each other, stdout is none or gets
/// nothing until the bar has ended.
pub fn bar(len: u64, what: &'static str, writes_meanwhile: bool) -> ProgressBar {
    let is_seen = std::io::stderr().is_terminal() && !(writes_meanwhile && std::io::stdout().is_terminal());
    if !is_seen {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(len);
    if let Ok(style) = ProgressStyle::with_template("{msg} {bar:30} {human_pos}/{human_len} {prefix}, {eta} left") {
        bar.set_style(style);
    }
    bar.with_prefix(what)
}
