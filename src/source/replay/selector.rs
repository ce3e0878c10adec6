//! Which series of a data set a query means, as far as files can answer one: one plain instant selector, or a number.
//!
//! Grammar: <https://prometheus.io/docs/prometheus/latest/querying/basics/#instant-vector-selectors>. Regular expressions are those made of
//! plain text, `|`, `.*` and `.+`, anchored at both ends as Prometheus anchors them. Everything else is refused in Prometheus' way rather than
//! answered wrongly: who wants an expression over a file computes it before.

use std::str::FromStr;

use crate::core::labels::Labels;
use crate::core::operator::Operator;
use crate::source::selector;

/// What a query asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Query {
    Number(f64),
    Select(Selector),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Selector {
    matchers: Vec<Matcher>,
}

#[derive(Clone, Debug, PartialEq)]
struct Matcher {
    label: String,
    negated: bool,
    test: Test,
}

#[derive(Clone, Debug, PartialEq)]
enum Test {
    Equal(String),
    /// One of these alternatives, each a sequence of pieces.
    OneOf(Vec<Vec<Piece>>),
}

#[derive(Clone, Debug, PartialEq)]
enum Piece {
    Text(String),
    /// `.*` or, with at least one character, `.+`.
    Any {
        least: usize,
    },
}

/// `.*` and `.+` in one alternative: each multiplies the work of matching by the value's length.
const MAX_WILDCARDS: usize = 4;

impl FromStr for Query {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        match text.parse::<f64>() {
            Ok(number) if text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.')) => Ok(Self::Number(number)),
            _ => text.parse().map(Self::Select),
        }
    }
}

impl FromStr for Selector {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let matchers = selector::parse(text)?.into_iter().map(Matcher::new).collect::<Result<Vec<_>, _>>()?;
        if matchers.iter().all(|matcher| matcher.matches("")) {
            return Err("parse error: vector selector must contain at least one non-empty matcher".into());
        }
        Ok(Self { matchers })
    }
}

impl Selector {
    /// A label that is absent counts as empty.
    pub fn matches(&self, labels: &Labels) -> bool {
        self.matchers.iter().all(|matcher| matcher.matches(labels.get(&matcher.label).unwrap_or_default()))
    }
}

impl Matcher {
    fn new(written: selector::Matcher) -> Result<Self, String> {
        let (negated, is_regex) = (written.operator.is_negated(), matches!(written.operator, Operator::Matches | Operator::MatchesNot));
        let test = if is_regex { Test::OneOf(alternatives(&written.value)?) } else { Test::Equal(written.value) };
        Ok(Self { label: written.label, negated, test })
    }

    fn matches(&self, value: &str) -> bool {
        let found = match &self.test {
            Test::Equal(text) => value == text,
            Test::OneOf(alternatives) => alternatives.iter().any(|pieces| fits(pieces, value)),
        };
        found != self.negated
    }
}

fn fits(pieces: &[Piece], value: &str) -> bool {
    match pieces.split_first() {
        None => value.is_empty(),
        Some((Piece::Text(text), rest)) => value.strip_prefix(text.as_str()).is_some_and(|after| fits(rest, after)),
        Some((Piece::Any { least }, rest)) => {
            let ends = value.char_indices().map(|(at, _)| at).chain([value.len()]);
            ends.skip(*least).any(|at| fits(rest, &value[at..]))
        }
    }
}

fn alternatives(regex: &str) -> Result<Vec<Vec<Piece>>, String> {
    let refuse =
        || format!("parse error: only regular expressions are known that consist of text, \"|\", \".*\" and \".+\": found {regex:?}");
    let mut all = vec![Vec::new()];
    let mut text = String::new();
    let mut chars = regex.chars();
    let flush = |text: &mut String, all: &mut Vec<Vec<Piece>>| {
        if let Some(pieces) = all.last_mut().filter(|_| !text.is_empty()) {
            pieces.push(Piece::Text(std::mem::take(text)));
        }
    };
    while let Some(c) = chars.next() {
        match c {
            '|' => {
                flush(&mut text, &mut all);
                all.push(Vec::new());
            }
            '.' => {
                flush(&mut text, &mut all);
                let least = match chars.next() {
                    Some('*') => 0,
                    Some('+') => 1,
                    _ => return Err(refuse()),
                };
                all.last_mut().ok_or_else(refuse)?.push(Piece::Any { least });
            }
            // An escaped mark stands for itself; an escaped letter is a class.
            '\\' => text.push(chars.next().filter(char::is_ascii_punctuation).ok_or_else(refuse)?),
            '*' | '+' | '?' | '(' | ')' | '[' | ']' | '{' | '}' | '^' | '$' => return Err(refuse()),
            plain => text.push(plain),
        }
    }
    flush(&mut text, &mut all);
    let wildcards = |pieces: &Vec<Piece>| pieces.iter().filter(|piece| matches!(piece, Piece::Any { .. })).count();
    if all.iter().any(|pieces| wildcards(pieces) > MAX_WILDCARDS) {
        return Err(refuse());
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_match_as_in_prometheus() {
        let labels = Labels::from_pairs([("__name__", "disk"), ("instance", "web-1:9100"), ("mount", "/var/log")]).unwrap();
        for yes in [
            "disk",
            " disk { } ",
            r#"{__name__="disk"}"#,
            r#"disk{mount="/var/log",instance!="x",}"#,
            r#"disk{instance=~"web-1:9100|db-1"}"#,
            r#"disk{instance=~"web-.+", mount!~"/tmp|/run.*"}"#,
            r#"disk{gone="",mount=~'.*log'}"#,
            r#"{__name__=~"disk|memory"}"#,
            r#"disk{mount=`/var/log`,instance=~"web-1\\:9100"}"#,
        ] {
            assert!(yes.parse::<Selector>().unwrap_or_else(|e| panic!("{yes}: {e}")).matches(&labels), "{yes}");
        }
        for no in ["memory", r#"disk{instance=~"web-1"}"#, r#"disk{gone!=""}"#, r#"disk{mount!~"/var.*"}"#, r#"disk{gone=~".+"}"#] {
            assert!(!no.parse::<Selector>().unwrap().matches(&labels), "{no}");
        }
    }

    #[test]
    fn what_it_cannot_answer_it_refuses() {
        for bad in [
            "",
            "{}",
            r#"{a=""}"#,
            r#"{a=~".*"}"#,
            "rate(disk[5m])",
            "1 - disk",
            "disk > 0.9",
            "disk[5m]",
            "disk offset 1h",
            r#"disk{a="b""#,
            "disk{a=b}",
        ] {
            assert!(bad.parse::<Query>().unwrap_err().starts_with("parse error"), "{bad}");
        }
        for regex in ["a(b)", "[ab]", "a?", "a.b", "^a", r"\\d+", ".*a.*b.*c.*d.*"] {
            assert!(format!("disk{{a=~\"{regex}\"}}").parse::<Query>().is_err(), "{regex}");
        }
        assert_eq!("1.5".parse(), Ok(Query::Number(1.5)));
        assert!("inf_total".parse::<Query>().is_ok_and(|query| matches!(query, Query::Select(_))));
    }
}
