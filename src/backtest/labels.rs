//! A file of incidents as the truth: `series,start,end,what` as CSV, a line each.
//!
//! | column | also called | holds |
//! |---|---|---|
//! | `series` | `matcher`, `selector` | a selector as in PromQL, `{host="a"}` or `disk_used{host="a"}`; or the plain name of one series |
//! | `start` | `begins`, `from` | RFC 3339, or Unix seconds |
//! | `end` | `ends`, `to` | the same; empty for what goes on; not before the start |
//! | `what` | `about` | may be absent: for people |
//! | `kind` | | may be absent: `event` (or nothing), or `unclear` for a time of which nobody knows |
//!
//! Other columns are not looked at. A file with a fault is not used at all, not even the rest of it, since what is missing would count as
//! false alarms; all faults are told at once. The selector's own commas and quotes need no CSV quotes around them, and may have them.

use std::fs;
use std::path::Path;

use super::truth::{Stretch, Truth, TruthKind, Whose};
use crate::core::time::Timestamp;

/// A hundred thousand incidents of a hundred bytes, and room.
const MAX_BYTES: u64 = 16 << 20;
/// Faults that are told; who has more has one mistake in every line.
const MAX_FAULTS: usize = 50;
/// Columns by name, the documented one first.
const SERIES: [&str; 3] = ["series", "matcher", "selector"];
const START: [&str; 3] = ["start", "begins", "from"];
const END: [&str; 3] = ["end", "ends", "to"];
const WHAT: [&str; 2] = ["what", "about"];
const KIND: [&str; 1] = ["kind"];

/// Why a file of labels cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LabelsError {
    #[error("cannot read labels {file}: {source}")]
    Io { file: String, source: std::io::Error },
    #[error("cannot read labels {file}: {bytes} bytes are more than {MAX_BYTES}")]
    TooLong { file: String, bytes: u64 },
    /// Every one as `file:line: what is wrong`.
    #[error("cannot use labels {file}:\n{}", faults.join("\n"))]
    Faults { file: String, faults: Vec<String> },
}

/// Reads and checks the whole file.
///
/// # Errors
/// When it cannot be read, and all that is wrong in it.
pub fn read(path: &Path) -> Result<Truth, LabelsError> {
    let file = path.display().to_string();
    let io = |source| LabelsError::Io { file: file.clone(), source };
    let bytes = fs::metadata(path).map_err(io)?.len();
    if bytes > MAX_BYTES {
        return Err(LabelsError::TooLong { file, bytes });
    }
    let text = fs::read_to_string(path).map_err(io)?;
    parse(&file, &text)
}

/// Checks and takes in the text of a file of this name.
///
/// # Errors
/// All that is wrong in it.
pub fn parse(file: &str, text: &str) -> Result<Truth, LabelsError> {
    let mut lines = (1..).zip(text.trim_start_matches('\u{feff}').lines()).filter(|(_, line)| !line.trim().is_empty());
    let (mut faults, mut more) = (Vec::new(), 0);
    let mut fault = |line: usize, what: String| {
        if faults.len() < MAX_FAULTS { faults.push(format!("{file}:{line}: {what}")) } else { more += 1 }
    };
    let mut truth = Truth::of(TruthKind::Labels);
    match lines.next() {
        None => fault(1, "the file is empty: want a header line, series,start,end,what".to_owned()),
        Some((number, header)) => match Layout::of(&cells(header)) {
            Err(what) => fault(number, what),
            Ok(layout) => {
                for (number, line) in lines {
                    match layout.row(line) {
                        Ok((text, whose, stretch)) => truth.add(text.as_str(), || whose, stretch),
                        Err(wrong) => wrong.into_iter().for_each(|what| fault(number, what)),
                    }
                }
            }
        },
    }
    if faults.is_empty() {
        return Ok(truth);
    }
    if more > 0 {
        faults.push(format!("and {more} more"));
    }
    Err(LabelsError::Faults { file: file.to_owned(), faults })
}

/// In which column what stands.
struct Layout {
    width: usize,
    series: usize,
    start: usize,
    end: usize,
    what: Option<usize>,
    kind: Option<usize>,
}

impl Layout {
    fn of(header: &[String]) -> Result<Self, String> {
        let place = |names: &[&str]| header.iter().position(|cell| names.contains(&cell.trim().to_lowercase().as_str()));
        let must = |names: &[&str]| {
            let found = header.join(",");
            place(names).ok_or_else(|| format!("no column {:?} in the header: found {found:?}, want series,start,end,what", names[0]))
        };
        Ok(Self {
            width: header.len(),
            series: must(&SERIES)?,
            start: must(&START)?,
            end: must(&END)?,
            what: place(&WHAT),
            kind: place(&KIND),
        })
    }

    /// A row's series as it is written, whose it is, and what happened; or all that is wrong with it.
    fn row(&self, line: &str) -> Result<(String, Whose, Stretch), Vec<String>> {
        let cells = cells(line);
        if cells.len() != self.width {
            return Err(vec![format!("{} cells where the header has {}: {line:?}", cells.len(), self.width)]);
        }
        let cell = |place: usize| cells[place].trim();
        let mut wrong = Vec::new();
        let text = cell(self.series);
        let whose = whose(text).map_err(|what| wrong.push(what)).ok();
        let from = cell(self.start).parse::<Timestamp>().map_err(|what| wrong.push(format!("start: {what}"))).ok();
        let to = match cell(self.end) {
            "" => Some(None),
            end => end.parse::<Timestamp>().map_err(|what| wrong.push(format!("end: {what}"))).ok().map(Some),
        };
        if let (Some(from), Some(Some(to))) = (from, to)
            && to < from
        {
            wrong.push(format!("the end {to} is before the start {from}"));
        }
        let unclear = match self.kind.map_or("", cell) {
            "" | "event" => false,
            "unclear" => true,
            other => {
                wrong.push(format!("kind: {other:?} is neither event nor unclear"));
                false
            }
        };
        match (whose, from, to) {
            (Some(whose), Some(from), Some(to)) if wrong.is_empty() => {
                Ok((text.to_owned(), whose, Stretch { from, to, what: self.what.map_or("", cell).to_owned(), unclear }))
            }
            _ => Err(wrong),
        }
    }
}

/// What has braces is a selector; what reads as one without any is a metric's name, and the rest is a name too (`omi-10-m03`).
///
/// # Errors
/// What is wrong with it.
pub fn whose(text: &str) -> Result<Whose, String> {
    if text.is_empty() {
        return Err("series: it is empty, want a selector such as {host=\"a\"}".to_owned());
    }
    match text.parse() {
        Ok(selector) => Ok(Whose::Matching(selector)),
        Err(_) if !text.contains(['{', '}', '(', ')', '"']) => Ok(Whose::Named(text.to_owned())),
        Err(why) => Err(format!("series: {text:?} is no selector: {why}")),
    }
}

/// A line's cells by RFC 4180, but that a comma inside braces separates nothing.
fn cells(line: &str) -> Vec<String> {
    let (mut cells, mut cell) = (Vec::new(), String::new());
    let mut rest = line.chars().peekable();
    let (mut quoted, mut begins) = (false, true);
    // In a selector that stands without CSV's quotes: inside its braces, and inside a string there.
    let (mut braces, mut string) = (false, None);
    while let Some(c) = rest.next() {
        if quoted {
            match c {
                '"' if rest.peek() == Some(&'"') => cell.extend(rest.next()),
                '"' => quoted = false,
                _ => cell.push(c),
            }
            continue;
        }
        if braces {
            match (string, c) {
                (Some('"' | '\''), '\\') => {
                    cell.push(c);
                    cell.extend(rest.next());
                    continue;
                }
                (Some(open), c) if open == c => string = None,
                (None, '"' | '\'' | '`') => string = Some(c),
                (None, '}') => braces = false,
                _ => {}
            }
            cell.push(c);
            continue;
        }
        match c {
            ',' => {
                cells.push(std::mem::take(&mut cell));
                begins = true;
                continue;
            }
            '"' if begins => quoted = true,
            '{' => {
                braces = true;
                cell.push(c);
            }
            _ => cell.push(c),
        }
        begins = begins && c == ' ';
    }
    cells.push(cell);
    cells
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;
    use crate::core::labels::Labels;
    use crate::core::watch::Watch;

    fn watch() -> Watch {
        let text = "sources: [ { name: s, prometheus: { url: http://h/ } } ]\nwatches: [ { name: w, query: disk } ]\n";
        config::parse(text, "x").unwrap().watches.remove(0)
    }

    #[test]
    fn rows_are_about_the_series_that_they_match() {
        let text = "\u{feff}series,start,end,what,ticket\n\
            disk{host=\"a\",mount=\"/\"},2026-03-01T00:00:00Z,2026-03-01T02:00:00+01:00,\"full, at last\",7\n\
            \n\
            \"{host=\"\"a\"\"}\",1772323200,1772326800,slow,8\r\n\
            {host=~\"b|c\"} , 2026-03-02T00:00:00Z,,,\n\
            omi-10-m03,2026-03-02T00:00:00Z,2026-03-02T00:00:00Z,odd,9\n";
        let mut truth = parse("labels.csv", text).unwrap();
        let mut about = |name: &str, pairs: &[(&str, &str)]| {
            let labels = Labels::from_pairs(pairs.iter().copied().chain([("__name__", name)])).unwrap();
            let shown = |s: &Stretch| format!("{} {} {}", s.from, s.to.map_or_else(|| "-".to_owned(), |to| to.to_string()), s.what);
            truth.about(&watch(), &labels).events.iter().map(shown).collect::<Vec<_>>()
        };
        let both = ["2026-03-01T00:00:00Z 2026-03-01T01:00:00Z full, at last, slow"];
        assert_eq!(about("disk", &[("host", "a"), ("mount", "/")]), both);
        assert_eq!(about("disk", &[("host", "a"), ("mount", "/data")]), ["2026-03-01T00:00:00Z 2026-03-01T01:00:00Z slow"]);
        assert_eq!(about("disk", &[("host", "b")]), ["2026-03-02T00:00:00Z - "]);
        assert!(about("disk", &[("host", "d")]).is_empty());
        assert_eq!(truth.unfound().collect::<Vec<_>>(), ["omi-10-m03"]);
    }

    #[test]
    fn all_faults_are_told_with_their_lines_and_nothing_is_used() {
        let text = "what,matcher,begins,ends,kind\n\
            a,disk,2026-03-01T00:00:00Z,2026-03-02T00:00:00Z,event\n\
            b,\"disk{\",yesterday,2026-03-02T00:00:00Z,maybe\n\
            c,disk,2026-03-02T00:00:00Z,2026-03-01T00:00:00Z,unclear\n\
            d,disk,2026-03-02T00:00:00Z\n\
            e,,5,6,\n";
        let LabelsError::Faults { faults, .. } = parse("l.csv", text).unwrap_err() else { panic!("read") };
        let want = [
            "l.csv:3: series: \"disk{\" is no selector: parse error",
            "l.csv:3: start: \"yesterday\" is not a time",
            "l.csv:3: kind: \"maybe\" is neither event nor unclear",
            "l.csv:4: the end 2026-03-01T00:00:00Z is before the start 2026-03-02T00:00:00Z",
            "l.csv:5: 3 cells where the header has 5",
            "l.csv:6: series: it is empty",
        ];
        assert!(faults.len() == want.len() && faults.iter().zip(want).all(|(fault, want)| fault.starts_with(want)), "{faults:#?}");
        for (text, says) in [("", "the file is empty"), ("series,start\n", "no column \"end\""), ("disk,1,2,x\n", "no column \"series\"")] {
            assert!(parse("l.csv", text).unwrap_err().to_string().contains(says), "{text}");
        }
        let many = format!("series,start,end\n{}", "disk,x,y\n".repeat(100));
        assert!(parse("l.csv", &many).unwrap_err().to_string().ends_with("and 150 more"));
    }
}
