//! A set's card as values: what `dataset.toml` says.
//!
//! Cards use a small part of TOML, and this reads that part: `key = value` lines under `[[table]]` headers, where a value is a number, a
//! word (`true`, a date), a string without escapes in either quotes, or a list of these on one line. A whole TOML reader would be one
//! more dependency for files that we write ourselves; what lies outside the part is refused with its line, never guessed.

use std::collections::BTreeMap;

use crate::core::time::{Span, Timestamp};
use crate::core::watch::Side;

/// Lines of a card: a hundred incidents with seven lines each, and room.
const MAX_LINES: usize = 4_000;

/// Why a card cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CardError {
    #[error("cannot read the card of {set}, line {line}: {found:?} is not `key = value`, `[[table]]` or a comment")]
    Line { set: String, line: usize, found: String },
    #[error("cannot read the card of {set}: {key} is {found:?}, not {want}")]
    Value { set: String, key: &'static str, found: String, want: &'static str },
    #[error("cannot read the card of {set}: more than {MAX_LINES} lines")]
    TooLong { set: String },
}

/// What is a breach in a set, and how far ahead it is asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limit {
    pub side: Side,
    pub threshold: f64,
    pub horizon: Span,
}

/// Something that happened to a series.
#[derive(Clone, Debug, PartialEq)]
pub struct Incident {
    pub series: String,
    pub begins: Timestamp,
    pub ends: Timestamp,
    /// The first of three samples in a row at or past the threshold, each time; empty where nothing was reached.
    pub crosses: Vec<Timestamp>,
    pub about: String,
}

/// A data set's card.
#[derive(Clone, Debug, PartialEq)]
pub struct Card {
    pub name: String,
    pub about: String,
    pub origin: String,
    /// SPDX.
    pub licence: String,
    pub step: Span,
    /// Of those that are made.
    pub seed: Option<u64>,
    pub series: usize,
    pub samples: usize,
    /// Of the data's bytes, in hexadecimal.
    pub sha256: String,
    pub limit: Option<Limit>,
    /// Whether the incidents are all that is odd, so that a detector can be judged by them.
    pub anomalies: bool,
    /// From when on it can be judged: before, there is too little past to learn from. `None`: from the first sample.
    pub scored_from: Option<Timestamp>,
    pub incidents: Vec<Incident>,
    /// Stretches of which nobody knows whether they are odd, by series; they are not scored.
    pub unclear: Vec<Incident>,
    /// The card's own text.
    pub text: String,
}

type Table<'a> = BTreeMap<&'a str, &'a str>;

/// Keys of a card and of its tables, read with the card's name for messages.
struct Reader<'a> {
    set: &'a str,
}

impl Reader<'_> {
    fn bad(&self, key: &'static str, found: &str, want: &'static str) -> CardError {
        CardError::Value { set: self.set.to_owned(), key, found: found.to_owned(), want }
    }

    fn text(&self, table: &Table<'_>, key: &'static str) -> Result<String, CardError> {
        let raw = table.get(key).copied().unwrap_or_default();
        let quoted = |quote: char| raw.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
        quoted('"').or_else(|| quoted('\'')).map(str::to_owned).ok_or_else(|| self.bad(key, raw, "a string"))
    }

    fn parsed<T: std::str::FromStr>(&self, table: &Table<'_>, key: &'static str, want: &'static str) -> Result<T, CardError> {
        let raw = table.get(key).copied().unwrap_or_default();
        raw.parse().map_err(|_| self.bad(key, raw, want))
    }

    fn incident(&self, table: &Table<'_>) -> Result<Incident, CardError> {
        let crosses = table.get("crosses").copied().unwrap_or("[]");
        let inner = crosses.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let inner = inner.ok_or_else(|| self.bad("crosses", crosses, "a list of times"))?;
        let times = inner.split(',').map(str::trim).filter(|time| !time.is_empty());
        Ok(Incident {
            series: self.text(table, "series")?,
            begins: self.parsed(table, "begins", "a time")?,
            ends: self.parsed(table, "ends", "a time")?,
            crosses: times.map(|time| time.parse().map_err(|_| self.bad("crosses", time, "a time"))).collect::<Result<_, _>>()?,
            about: self.text(table, "about")?,
        })
    }

    fn limit(&self, table: &Table<'_>) -> Result<Option<Limit>, CardError> {
        let side = [Side::Above, Side::Below].into_iter().find(|side| table.contains_key(side.as_str()));
        let Some(side) = side.filter(|_| table.contains_key("horizon")) else { return Ok(None) };
        let horizon = self.text(table, "horizon")?;
        Ok(Some(Limit {
            side,
            threshold: self.parsed(table, side.as_str(), "a number")?,
            horizon: horizon.parse().map_err(|_| self.bad("horizon", &horizon, "a duration"))?,
        }))
    }
}

impl Card {
    /// Reads a card.
    ///
    /// # Errors
    /// The first line or value that is not what a card holds.
    pub fn parse(text: &str) -> Result<Self, CardError> {
        let mut tables: Vec<(&str, Table<'_>)> = vec![("", Table::new())];
        let set = text.lines().find_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"')).unwrap_or("a set without a name");
        for (number, line) in (1..).zip(text.lines().map(str::trim)) {
            if number > MAX_LINES {
                return Err(CardError::TooLong { set: set.to_owned() });
            }
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some(name) = line.strip_prefix("[[").and_then(|rest| rest.strip_suffix("]]")) {
                tables.push((name, Table::new()));
            } else if let (Some((key, value)), Some((_, table))) = (line.split_once('='), tables.last_mut()) {
                table.insert(key.trim(), value.trim());
            } else {
                return Err(CardError::Line { set: set.to_owned(), line: number, found: line.to_owned() });
            }
        }
        let reader = Reader { set };
        let head = &tables[0].1;
        let all = |name: &str| -> Result<Vec<Incident>, CardError> {
            tables.iter().filter(|(table, _)| *table == name).map(|(_, table)| reader.incident(table)).collect()
        };
        let step = reader.text(head, "step")?;
        let has = |key: &str| head.contains_key(key);
        Ok(Self {
            name: reader.text(head, "name")?,
            about: reader.text(head, "about")?,
            origin: reader.text(head, "origin")?,
            licence: reader.text(head, "licence")?,
            step: step.parse().map_err(|_| reader.bad("step", &step, "a duration"))?,
            seed: has("seed").then(|| reader.parsed(head, "seed", "a whole number")).transpose()?,
            series: reader.parsed(head, "series", "a whole number")?,
            samples: reader.parsed(head, "samples", "a whole number")?,
            sha256: reader.text(head, if has("sha256") { "sha256" } else { "csv_sha256" })?,
            limit: reader.limit(head)?,
            anomalies: head.get("anomalies").is_some_and(|flag| *flag == "true"),
            scored_from: has("scored_from").then(|| reader.parsed(head, "scored_from", "a time")).transpose()?,
            incidents: all("incident")?,
            unclear: all("unclear")?,
            text: text.to_owned(),
        })
    }
}
