//! Rules about single lines and files: what must not be in code that ships, and what every file and limit must say.

use super::source::Source;
use super::{Finding, finding};

/// Most files are 80 to 250 lines; past this one, readers scroll instead of read.
const MAX_FILE_LINES: usize = 450;

/// Files that may be longer, up to so many lines, and why. An entry that is no longer needed is a finding too.
pub const LONG_FILES: &[(&str, usize, &str)] = &[];

/// A shortest reason in [`LONG_FILES`]: "it is big" is none.
const MIN_REASON_CHARS: usize = 30;

/// Words that must not stand in code: what to look for, where it is fine, and what to do instead.
const FORBIDDEN: &[(&str, &str, &[&str], &str)] = &[
    ("panics", ".unwrap()", &[], "give the error on with `?`, or say why it cannot be with `expect(\"...\")`"),
    ("stubs", "todo!", &[], "finish it, or leave the whole thing out"),
    ("stubs", "unimplemented!", &[], "finish it, or leave the whole thing out"),
    ("stubs", "dbg!", &[], "log it with tracing"),
    ("prints", "println!", &["cli", "demo", "main"], "only verbs talk to the terminal: return a value, or log it with tracing"),
    ("prints", "eprintln!", &["cli", "demo", "main"], "only verbs talk to the terminal: return a value, or log it with tracing"),
    ("prints", "print!", &["cli", "demo", "main"], "only verbs talk to the terminal: return a value, or log it with tracing"),
    ("prints", "eprint!", &["cli", "demo", "main"], "only verbs talk to the terminal: return a value, or log it with tracing"),
    ("clock", "SystemTime::now", CLOCK, "take `now` as an argument; shells read it from src/clock.rs"),
    ("clock", "Instant::now", WAITING, "take `now` as an argument; shells read it from src/clock.rs"),
    ("clock", "Zoned::now", CLOCK, "take `now` as an argument; shells read it from src/clock.rs"),
    ("clock", "Timestamp::now", CLOCK, "take `now` as an argument; shells read it from src/clock.rs"),
];

/// The clock, what reports about the process itself, and the shells that live by it. Not the backtest: its time is the data's.
const CLOCK: &[&str] = &["clock", "telemetry", "metrics", "daemon", "server", "demo"];

/// These and the parts that wait for the network: a timeout needs a monotonic clock of its own, and no decision hangs on it.
const WAITING: &[&str] = &["clock", "telemetry", "metrics", "daemon", "server", "demo", "source", "notify", "act"];

/// Words in a private constant's name that make it a limit.
const LIMIT_WORDS: &[&str] = &["MAX", "MIN", "LIMIT", "TIMEOUT", "CAPACITY", "BUDGET", "RETRIES", "ATTEMPTS"];

pub fn check(source: &Source) -> Vec<Finding> {
    let mut findings = length(source, LONG_FILES);
    findings.extend(header(source));
    for (index, line) in source.lines.iter().enumerate().filter(|(_, line)| !line.is_test) {
        for (rule, word, fine_in, instead) in FORBIDDEN {
            if has_word(&line.code, word) && !fine_in.contains(&source.module()) {
                findings.push(finding(rule, source, index, format!("`{word}`"), instead));
            }
        }
        if let Some(name) = undocumented_limit(source, index) {
            let instead = "write above it what it limits and why this number";
            findings.push(finding("limits", source, index, format!("`{name}` has no doc comment"), instead));
        }
    }
    findings
}

/// Entries of [`LONG_FILES`] whose file is gone or short enough, or that give no reason.
pub fn stale_allowances(sources: &[Source], allowed: &[(&str, usize, &str)]) -> Vec<String> {
    let mut stale = Vec::new();
    for (path, _, why) in allowed {
        match sources.iter().find(|s| s.path == *path) {
            None => stale.push(format!("{path} may be long but is not there: remove it from LONG_FILES")),
            Some(s) if s.lines.len() <= MAX_FILE_LINES => stale.push(format!("{path} is short enough now: remove it from LONG_FILES")),
            Some(_) if why.chars().count() < MIN_REASON_CHARS => stale.push(format!("{path}: LONG_FILES must say why it is long")),
            Some(_) => {}
        }
    }
    stale
}

fn length(source: &Source, allowed: &[(&str, usize, &str)]) -> Vec<Finding> {
    let limit = allowed.iter().find(|(path, _, _)| *path == source.path).map_or(MAX_FILE_LINES, |(_, limit, _)| *limit);
    if source.lines.len() <= limit {
        return Vec::new();
    }
    let instead = "split it by nouns, one a file; if that made it worse, LONG_FILES in tests/it/tidy/style.rs takes it with a reason";
    vec![finding("length", source, limit, format!("{} lines, more than {limit}", source.lines.len()), instead)]
}

fn header(source: &Source) -> Vec<Finding> {
    let first = source.lines.first().map_or("", |line| line.raw.as_str());
    if first.starts_with("//!") || source.path == "src/main.rs" {
        return Vec::new();
    }
    let instead = "begin with `//!`: what it does, and why this way and not the obvious other";
    vec![finding("header", source, 0, "the file does not say what it is".to_owned(), instead)]
}

fn has_word(code: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).any(|(at, _)| word.starts_with('.') || !code[..at].ends_with(is_part))
}

/// A public number of a module, or a private one whose name says that it is a limit, without a doc comment. Constants without an empty
/// line between them share the comment above the first.
fn undocumented_limit(source: &Source, index: usize) -> Option<&str> {
    let (is_public, name, kind) = constant(&source.lines[index].code)?;
    let is_limit = is_public || name.split('_').any(|word| LIMIT_WORDS.contains(&word));
    let mut above = source.lines[..index].iter().rev().map(|line| line.raw.as_str());
    let head = above.find(|raw| !raw.trim_start().starts_with("#[") && constant(raw).is_none());
    let is_documented = head.is_some_and(|raw| raw.trim_start().starts_with("///"));
    (is_limit && !is_documented && kind != "&str").then_some(name)
}

/// Whether a constant of a module is public, its name and its type.
fn constant(code: &str) -> Option<(bool, &str, &str)> {
    let visible = ["pub ", "pub(crate) "].iter().find_map(|visibility| code.strip_prefix(visibility));
    let rest = visible.or_else(|| code.strip_prefix("pub(super) ")).unwrap_or(code);
    let (name, after) = rest.strip_prefix("const ")?.split_once(':')?;
    let is_name = name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_') && name != "_";
    is_name.then(|| (visible.is_some(), name, after.split('=').next().unwrap_or(after).trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(path: &str, text: &str) -> Vec<(&'static str, usize)> {
        check(&Source::new(path, &format!("//! x\n{text}"))).iter().map(|f| (f.rule, f.line)).collect()
    }

    #[test]
    fn panics_and_stubs_are_found_outside_tests() {
        for (rule, code) in [("panics", "a.unwrap();"), ("stubs", "todo!()"), ("stubs", "unimplemented!()"), ("stubs", "dbg!(a)")] {
            for path in ["src/core/x.rs", "src/cli/x.rs", "models/src/x.rs", "src/main.rs"] {
                assert_eq!(rules(path, code), [(rule, 2)], "{path}: {code}");
            }
            assert_eq!(rules("src/core/x.rs", &format!("#[cfg(test)]\nmod tests {{ fn f() {{ {code} }} }}")), []);
            assert_eq!(rules("benches/x.rs", code), []);
        }
        assert_eq!(rules("src/core/x.rs", "a.unwrap_or(1); // never .unwrap()\nlet t = \"todo!\"; let my_todo = 1;"), []);
    }

    #[test]
    fn only_verbs_print() {
        for code in ["println!(\"x\")", "eprintln!()", "print!(\"x\")", "eprint!(\"x\")"] {
            assert_eq!(rules("src/daemon.rs", code), [("prints", 2)], "{code}");
            assert_eq!(rules("src/cli/status.rs", code), [], "{code}");
            assert_eq!(rules("src/demo/mod.rs", code), [], "{code}");
        }
    }

    #[test]
    fn only_the_clock_and_its_shells_read_the_time() {
        for code in
            ["SystemTime::now()", "std::time::Instant::now()", "jiff::Zoned::now()", "tokio::time::Instant::now()", "Timestamp::now()"]
        {
            for path in ["src/core/x.rs", "src/store/sled.rs", "src/backtest/mod.rs", "models/src/x.rs"] {
                assert_eq!(rules(path, code), [("clock", 2)], "{path}: {code}");
            }
            assert_eq!(rules("src/clock.rs", code), [], "{code}");
            assert_eq!(rules("src/daemon/tick.rs", code), [], "{code}");
        }
        assert_eq!(rules("src/source/fetch.rs", "let end = Instant::now() + timeout;"), []);
        assert_eq!(rules("src/source/fetch.rs", "let now = SystemTime::now();"), [("clock", 2)]);
    }

    #[test]
    fn long_files_need_an_allowance_that_is_needed_and_says_why() {
        let line = "// x\n".repeat(MAX_FILE_LINES);
        assert_eq!(rules("src/core/x.rs", &line), [("length", MAX_FILE_LINES + 1)]);
        assert_eq!(rules("src/core/x.rs", &line[5..]), []);
        let long = Source::new("src/core/x.rs", &format!("//! x\n{line}"));
        let short = Source::new("src/core/y.rs", "//! x\n");
        let allowed = [("src/core/x.rs", 460, "one table of the field's units, read top to bottom")];
        assert!(length(&long, &allowed).is_empty());
        let sources = [long, short];
        assert!(stale_allowances(&sources, &allowed).is_empty());
        let stale = [("src/core/x.rs", 460, "it is big"), ("src/core/y.rs", 460, allowed[0].2), ("src/core/z.rs", 460, allowed[0].2)];
        assert_eq!(stale_allowances(&sources, &stale).len(), 3);
    }

    #[test]
    fn a_file_says_what_it_is() {
        let found = check(&Source::new("src/core/x.rs", "use std::fmt;\n"));
        assert_eq!((found.len(), found[0].rule, found[0].line), (1, "header", 1));
        assert!(check(&Source::new("src/main.rs", "fn main() {}\n")).is_empty());
    }

    #[test]
    fn limits_are_documented() {
        for code in ["pub const POINTS: usize = 1;", "pub(crate) const POINTS: usize = 1;", "const MAX_BODY_BYTES: usize = 1;"] {
            assert_eq!(rules("src/core/x.rs", code), [("limits", 2)], "{code}");
            assert_eq!(rules("src/core/x.rs", &format!("\n#[allow(dead_code)]\n{code}")), [("limits", 4)], "{code}");
            assert_eq!(rules("src/core/x.rs", &format!("/// Why.\n#[allow(dead_code)]\n{code}")), [], "{code}");
        }
        assert_eq!(rules("src/core/x.rs", "pub const fn f() {}\nconst UNITS: u8 = 1;\nconst _: () = ();"), []);
        assert_eq!(rules("src/core/x.rs", "pub const HEADER: &str = \"id\";"), []);
        let group = "/// Most sources and watches of one file.\nconst MAX_SOURCES: usize = 1;\nconst MAX_WATCHES: usize = 1;\n";
        assert_eq!(rules("src/core/x.rs", &format!("{group}\nconst MAX_OTHERS: usize = 1;\n")), [("limits", 6)]);
    }
}
