//! One Rust file as the rules see it: code without comments and literals, with a mark on every line that belongs to tests.
//!
//! A small scanner rather than a parser: a parser would be one more dependency in every build, and the rules ask only for words and paths.

use std::fs;
use std::path::Path;

/// One line of code.
#[derive(Debug)]
pub struct Line {
    /// Comments, and what stands in string and character literals, are blanks.
    pub code: String,
    /// As written.
    pub raw: String,
    /// Inside an item under `#[cfg(test)]` or `#[test]`, or in a file under `tests/` or `benches/`.
    pub is_test: bool,
}

#[derive(Debug)]
pub struct Source {
    /// From the repository's root, with slashes.
    pub path: String,
    pub lines: Vec<Line>,
}

/// A name or a punctuation mark, with the index of its line.
#[derive(Clone, Copy, Debug)]
pub struct Token<'a> {
    pub text: &'a str,
    pub line: usize,
}

impl Source {
    pub fn new(path: &str, text: &str) -> Self {
        let blanked = blank(text);
        let lines: Vec<&str> = blanked.lines().collect();
        let everywhere = path.starts_with("tests/") || path.starts_with("benches/");
        let tests = test_lines(&lines);
        let line = |(i, (code, raw)): (usize, (&&str, &str))| Line {
            code: (*code).to_owned(),
            raw: raw.to_owned(),
            is_test: everywhere || tests[i],
        };
        Self { path: path.to_owned(), lines: lines.iter().zip(text.lines()).enumerate().map(line).collect() }
    }

    /// Every `.rs` file below these folders, sorted.
    pub fn read_all(root: &Path, folders: &[&str]) -> Vec<Self> {
        let mut paths = Vec::new();
        let mut open: Vec<_> = folders.iter().map(|f| root.join(f)).collect();
        while let Some(folder) = open.pop() {
            for entry in fs::read_dir(&folder).into_iter().flatten() {
                let path = entry.expect("a folder of sources can be read").path();
                if path.is_dir() {
                    open.push(path);
                } else if path.extension().is_some_and(|e| e == "rs") {
                    paths.push(path);
                }
            }
        }
        paths.sort();
        let read = |path: &std::path::PathBuf| {
            let name = path.strip_prefix(root).expect("found below the root").to_string_lossy().replace('\\', "/");
            Self::new(&name, &fs::read_to_string(path).expect("a source is text"))
        };
        let mut sources: Vec<Self> = paths.iter().map(read).collect();
        mark_test_files(&mut sources);
        sources
    }

    /// The files that a `#[cfg(test)] mod name;` in this one stands for: `folder/name.rs` and all of `folder/name/`.
    fn test_modules(&self) -> Vec<String> {
        let (parent, file) = self.path.rsplit_once('/').unwrap_or(("", &self.path));
        let stem = file.trim_end_matches(".rs");
        let folder = if matches!(stem, "mod" | "lib" | "main") { parent.to_owned() } else { format!("{parent}/{stem}") };
        let mut modules = Vec::new();
        let mut path = None;
        for line in self.lines.iter().filter(|line| line.is_test) {
            if line.code.trim_start().starts_with("#[path") {
                path = line.raw.split('"').nth(1).map(|file| without_parents(&format!("{parent}/{}", file.trim_end_matches(".rs"))));
            } else if let Some((_, name)) = line.code.split_once("mod ").filter(|_| line.code.trim_end().ends_with(';')) {
                modules.push(path.take().unwrap_or_else(|| format!("{folder}/{}", name.trim_end().trim_end_matches(';'))));
            }
        }
        modules
    }

    /// `source` for `src/source.rs` and all of `src/source/`; `lib`, `main` for those; the crate's name for other members.
    pub fn module(&self) -> &str {
        match self.path.strip_prefix("src/") {
            Some(rest) => rest.split(['/', '.']).next().unwrap_or(rest),
            None => self.path.split('/').next().unwrap_or(&self.path),
        }
    }

    /// How many `super` it takes from this file's module to the crate's root.
    pub fn depth(&self) -> usize {
        let inside = self.path.split_once("src/").map_or("", |(_, rest)| rest);
        let parts = inside.trim_end_matches(".rs").split('/').count();
        if inside.ends_with("/mod.rs") || matches!(inside, "lib.rs" | "main.rs") { parts - 1 } else { parts }
    }

    /// Names and marks of the lines that are not tests; `::` is one token.
    pub fn tokens(&self) -> Vec<Token<'_>> {
        let mut tokens = Vec::new();
        for (index, line) in self.lines.iter().enumerate().filter(|(_, line)| !line.is_test) {
            let mut rest = line.code.trim_start();
            while let Some(first) = rest.chars().next() {
                let length = if is_word(first) {
                    rest.find(|c| !is_word(c)).unwrap_or(rest.len())
                } else if rest.starts_with("::") {
                    2
                } else {
                    first.len_utf8()
                };
                let (text, after) = rest.split_at(length);
                tokens.push(Token { text, line: index });
                rest = after.trim_start();
            }
        }
        tokens
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Marks all lines of files that are tests because their `mod` line is, and of the files that those name.
fn mark_test_files(sources: &mut [Source]) {
    loop {
        let modules: Vec<String> = sources.iter().flat_map(Source::test_modules).collect();
        let is_test = |path: &str| {
            let below = |module: &String| path.strip_prefix(module.as_str()).is_some_and(|rest| rest == ".rs" || rest.starts_with('/'));
            modules.iter().any(below)
        };
        let mut changed = false;
        for source in sources.iter_mut().filter(|source| is_test(&source.path)) {
            for line in source.lines.iter_mut().filter(|line| !line.is_test) {
                (line.is_test, changed) = (true, true);
            }
        }
        if !changed {
            return;
        }
    }
}

/// `a/b/../c` -> `a/c`.
fn without_parents(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            ".." => parts.truncate(parts.len().saturating_sub(1)),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// Replaces comments and the insides of literals by blanks; line ends stay.
fn blank(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out: Vec<char> = chars.clone();
    let mut wipe = |from: usize, to: usize| {
        for c in &mut out[from..to.min(chars.len())] {
            if *c != '\n' {
                *c = ' ';
            }
        }
    };
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let mut i = 0;
    while i < chars.len() {
        let start = i;
        match at(i) {
            '/' if at(i + 1) == '/' => {
                while i < chars.len() && at(i) != '\n' {
                    i += 1;
                }
                wipe(start, i);
            }
            '/' if at(i + 1) == '*' => {
                let mut depth = 0;
                loop {
                    match (at(i), at(i + 1)) {
                        ('/', '*') => (depth, i) = (depth + 1, i + 2),
                        ('*', '/') => (depth, i) = (depth - 1, i + 2),
                        _ => i += 1,
                    }
                    if depth == 0 || i >= chars.len() {
                        break;
                    }
                }
                wipe(start, i);
            }
            'r' if matches!(at(i + 1), '"' | '#') && (i == 0 || !is_word(at(i - 1)) || at(i - 1) == 'b') => {
                let hashes = chars[i + 1..].iter().take_while(|c| **c == '#').count();
                if at(i + 1 + hashes) != '"' {
                    i += 1; // A raw identifier.
                    continue;
                }
                i += 2 + hashes;
                while i < chars.len() && !(at(i) == '"' && (1..=hashes).all(|h| at(i + h) == '#')) {
                    i += 1;
                }
                wipe(start + 2 + hashes, i);
                i += 1 + hashes;
            }
            '"' => {
                i += 1;
                while i < chars.len() && at(i) != '"' {
                    i += if at(i) == '\\' { 2 } else { 1 };
                }
                wipe(start + 1, i);
                i += 1;
            }
            // A character, not a lifetime: the quote closes after one character or an escape.
            '\'' if at(i + 1) == '\\' || at(i + 2) == '\'' => {
                i += if at(i + 1) == '\\' { 3 } else { 2 };
                while i < chars.len() && at(i) != '\'' {
                    i += 1;
                }
                wipe(start + 1, i);
                i += 1;
            }
            _ => i += 1,
        }
    }
    out.into_iter().collect()
}

/// Marks the items under `#[cfg(test)]` and `#[test]`: from the attribute to the brace that closes the item, or its semicolon.
fn test_lines(lines: &[&str]) -> Vec<bool> {
    let mut marks = vec![false; lines.len()];
    let mut index = 0;
    while index < lines.len() {
        let start = lines[index].trim_start();
        let inner = start.starts_with("#![cfg(test)]");
        let outer = ["#[cfg(test)]", "#[cfg(all(test", "#[test]"].iter().any(|attribute| start.starts_with(attribute));
        if inner {
            marks[index..].fill(true);
            return marks;
        }
        if !outer {
            index += 1;
            continue;
        }
        let (mut depth, mut brackets, mut done) = (0_i32, 0_i32, false);
        while index < lines.len() && !done {
            marks[index] = true;
            for c in lines[index].chars() {
                match c {
                    '[' | '(' => brackets += 1,
                    ']' | ')' => brackets -= 1,
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    _ => {}
                }
                done |= depth == 0 && brackets == 0 && matches!(c, '}' | ';');
            }
            index += 1;
        }
    }
    marks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blank_and_code_is_not() {
        let text = r##"let a = "x // y \" z"; // tail
/* one /* two */ still */ let b = r#"raw " quote"#; let c = '"'; let d: &'static str = b"e\\"; let f = '\''; g();"##;
        let code = blank(text);
        assert_eq!(code.lines().next().unwrap().trim_end(), "let a = \"           \";");
        for gone in ["tail", "one", "two", "still", "raw", "quote", "x ", "e\\"] {
            assert!(!code.contains(gone), "{gone:?} is left in {code}");
        }
        for kept in ["let b", "let c", "&'static str", "let d", "let f", "g();"] {
            assert!(code.contains(kept), "{kept:?} is gone from {code}");
        }
        assert_eq!(code.len(), text.len());
    }

    #[test]
    fn test_items_are_marked_to_their_end_and_no_further() {
        let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {\n    }\n}\nfn c() {}\n#[cfg(test)]\nuse x::{y};\nfn d() {}\n";
        let source = Source::new("src/core/x.rs", text);
        let marks: Vec<bool> = source.lines.iter().map(|l| l.is_test).collect();
        assert_eq!(marks, [false, true, true, true, true, true, false, true, true, false]);
        let words: Vec<&str> = source.tokens().iter().map(|t| t.text).filter(|t| t.len() == 1 && t.chars().all(is_word)).collect();
        assert_eq!(words, ["a", "c", "d"]);
    }

    #[test]
    fn files_of_test_modules_are_tests() {
        let file = |path, text| Source::new(path, text);
        let mut sources = [
            file("src/source/fetch.rs", "#[cfg(test)]\nmod tests;\n#[cfg(test)]\n#[path = \"fault_tests.rs\"]\nmod faults;\nmod body;\n"),
            file("src/source/mod.rs", "#[cfg(all(test, unix))]\npub mod testing;\n"),
            file("src/source/fetch/tests.rs", "fn a() {}\n"),
            file("src/source/fetch/tests/slow.rs", "fn a() {}\n"),
            file("src/source/fault_tests.rs", "#[path = \"../store/child.rs\"]\nmod child;\n"),
            file("src/store/child.rs", "fn a() {}\n"),
            file("src/source/testing.rs", "fn a() {}\n"),
            file("src/source/fetch/body.rs", "fn a() {}\n"),
            file("src/source/tests.rs", "fn a() {}\n"),
        ];
        mark_test_files(&mut sources);
        let marks: Vec<bool> = sources[2..].iter().map(|s| s.lines[0].is_test).collect();
        assert_eq!(marks, [true, true, true, true, true, false, false]);
    }

    #[test]
    fn modules_and_their_depth_come_from_the_path() {
        for (path, module, depth) in [
            ("src/lib.rs", "lib", 0),
            ("src/clock.rs", "clock", 1),
            ("src/source/mod.rs", "source", 1),
            ("src/source/prometheus/decode.rs", "source", 3),
            ("models/src/moments.rs", "models", 1),
        ] {
            let source = Source::new(path, "");
            assert_eq!((source.module(), source.depth()), (module, depth), "{path}");
        }
    }
}
