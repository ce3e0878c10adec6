//! The rules of the house as tests: each says which line breaks which rule and what to do instead.
//!
//! They read the sources as text. Clippy knows types but not our parts; what it can check is left to it (`[workspace.lints]`,
//! `clippy.toml`).

mod imports;
mod source;
mod style;

use std::fmt;
use std::path::PathBuf;

use source::Source;

/// One broken rule.
#[derive(Debug)]
struct Finding {
    rule: &'static str,
    path: String,
    /// Counted from 1.
    line: usize,
    found: String,
    instead: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: [{}] {}\n    hint: {}", self.path, self.line, self.rule, self.found, self.instead)
    }
}

fn finding(rule: &'static str, source: &Source, index: usize, found: String, instead: &str) -> Finding {
    Finding { rule, path: source.path.clone(), line: index + 1, found, instead: instead.to_owned() }
}

/// As cargo and nextest say at run time: a test binary that was built elsewhere reads the sources beside it.
fn root() -> PathBuf {
    std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from)
}

/// All of ours, never empty: a check that reads nothing finds nothing.
fn sources() -> Vec<Source> {
    let all = Source::read_all(&root(), &["src", "models/src", "tests", "benches"]);
    for expected in ["src/lib.rs", "src/core/mod.rs", "models/src/lib.rs", "tests/it/tidy/mod.rs"] {
        assert!(all.iter().any(|s| s.path == expected), "{expected} was not read");
    }
    all
}

fn assert_none(findings: &[Finding]) {
    let text: Vec<String> = findings.iter().map(Finding::to_string).collect();
    assert!(findings.is_empty(), "{} broken rules:\n{}\n", findings.len(), text.join("\n"));
}

#[test]
fn imports_point_one_way() {
    assert_none(&sources().iter().flat_map(imports::check).collect::<Vec<_>>());
}

#[test]
fn lines_and_files_keep_the_style() {
    let sources = sources();
    assert_none(&sources.iter().flat_map(style::check).collect::<Vec<_>>());
    let stale = style::stale_allowances(&sources, style::LONG_FILES);
    assert!(stale.is_empty(), "{}", stale.join("\n"));
}

/// Each file directly under `tests/` would be a binary of its own, and link everything once more.
#[test]
fn there_is_one_integration_test_binary() {
    let all = sources();
    let extra: Vec<&str> = all.iter().map(|s| s.path.as_str()).filter(|p| p.starts_with("tests/") && p.matches('/').count() == 1).collect();
    assert!(extra.is_empty(), "{extra:?}: move them into tests/it and add a `mod` line to its main.rs");
}
