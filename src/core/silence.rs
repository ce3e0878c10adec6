//! Silences: what a person wants to hear nothing of is not acted on either. Matchers are Alertmanager's, so that those who know one know
//! both; [`own`] are ours, kept as records of the audit.

pub mod own;

use std::fmt;
use std::str::FromStr;

use regex::Regex;
use serde::{Deserialize, Serialize};

use self::own::SilenceId;
use super::operator::Operator;
use super::prediction::Prediction;
use super::time::Timestamp;

/// One of Alertmanager's that is in force or will be.
#[derive(Clone, Debug)]
pub struct Silence {
    pub by: String,
    pub starts_at: Timestamp,
    pub ends_at: Timestamp,
    /// All of them must hold; at least one.
    pub matchers: Vec<Matcher>,
}

/// What a prediction is under, for whoever asks why nothing is done about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Covered {
    /// None of Alertmanager's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<SilenceId>,
    /// Who, and in brackets why.
    pub by: String,
    pub until: Timestamp,
}

/// A matcher as it is written down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Written {
    label: String,
    op: Operator,
    value: String,
}

/// One label's condition.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Matcher {
    written: Written,
    /// Where it is an expression.
    regex: Option<Regex>,
}

/// Largest compiled expression: Alertmanager's are a line of a person's.
const MAX_REGEX_BYTES: usize = 1 << 20;

impl Matcher {
    /// An expression is anchored at both ends.
    ///
    /// # Errors
    /// Why it is no expression.
    pub fn new(label: &str, op: Operator, value: &str) -> Result<Self, String> {
        let regex = match op {
            Operator::Equal | Operator::NotEqual => None,
            Operator::Matches | Operator::MatchesNot => {
                let built = regex::RegexBuilder::new(&format!("^(?:{value})$")).size_limit(MAX_REGEX_BYTES).build();
                Some(built.map_err(|error| format!("{value:?} is no expression: {error}"))?)
            }
        };
        Ok(Self { written: Written { label: label.to_owned(), op, value: value.to_owned() }, regex })
    }

    pub fn label(&self) -> &str {
        &self.written.label
    }

    pub fn op(&self) -> Operator {
        self.written.op
    }

    pub fn value(&self) -> &str {
        &self.written.value
    }

    /// A label that is not there is empty.
    fn holds(&self, value: &str) -> bool {
        let found = self.regex.as_ref().map_or_else(|| value == self.written.value, |regex| regex.is_match(value));
        found != self.written.op.is_negated()
    }

    /// Matched are the labels that an alert of it would have: those of its series, its code as `alertname`, and its watch and service where
    /// the series has no such label.
    fn holds_for(&self, prediction: &Prediction) -> bool {
        let label = self.label();
        let value = match (label, prediction.labels.get(label)) {
            ("alertname", _) => prediction.code.as_str(),
            (_, Some(value)) => value,
            ("watch", None) => prediction.watch.as_str(),
            ("service", None) => prediction.service.as_str(),
            (_, None) => "",
        };
        self.holds(value)
    }
}

/// All of them, and there is one at least: none would be everything.
fn all_hold(matchers: &[Matcher], prediction: &Prediction) -> bool {
    !matchers.is_empty() && matchers.iter().all(|matcher| matcher.holds_for(prediction))
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        self.written == other.written
    }
}

impl TryFrom<Written> for Matcher {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        Self::new(&written.label, written.op, &written.value)
    }
}

impl From<Matcher> for Written {
    fn from(matcher: Matcher) -> Self {
        matcher.written
    }
}

/// As Prometheus writes one.
impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.value().replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n");
        write!(f, "{}{}\"{value}\"", self.label(), self.op().as_str())
    }
}

/// As a person types one in a shell: `service=shop`, `mountpoint=~/data.*`, with or without quotes around the value.
impl FromStr for Matcher {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
        let (label, rest) = text.split_at(end);
        let found = Operator::ALL.iter().find_map(|(sign, op)| Some((*op, rest.strip_prefix(sign)?)));
        let is_label = label.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        let Some((op, value)) = found.filter(|_| is_label) else {
            return Err(format!("found {text:?}, want a label, one of = != =~ !~, and a value, as in service=shop"));
        };
        match value.strip_prefix('"') {
            None => Self::new(label, op, value),
            Some(quoted) => Self::new(label, op, &unquoted(quoted).ok_or_else(|| format!("found {text:?}, whose quotes do not close"))?),
        }
    }
}

/// What stands before the closing quote, which must be the last character.
fn unquoted(text: &str) -> Option<String> {
    let (mut value, mut chars) = (String::new(), text.chars());
    while let Some(c) = chars.next() {
        match c {
            '"' => return chars.as_str().is_empty().then_some(value),
            '\\' => value.push(match chars.next()? {
                'n' => '\n',
                other => other,
            }),
            plain => value.push(plain),
        }
    }
    None
}

impl Silence {
    /// Whether a prediction is under it now.
    pub fn covers(&self, prediction: &Prediction, now: Timestamp) -> bool {
        (self.starts_at..self.ends_at).contains(&now) && all_hold(&self.matchers, prediction)
    }
}

/// The one that lasts longest of those a prediction is under.
pub fn covering(silences: &[Silence], prediction: &Prediction, now: Timestamp) -> Option<Covered> {
    let over = silences.iter().filter(|silence| silence.covers(prediction, now));
    over.max_by_key(|silence| silence.ends_at).map(|silence| Covered { id: None, by: silence.by.clone(), until: silence.ends_at })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::run::fixtures;
    use crate::core::time::Span;

    const NOW: Timestamp = Timestamp::from_millis(1_793_577_600_000);

    fn silence(matchers: &[(&str, &str, bool, bool)]) -> Silence {
        let matchers =
            matchers.iter().map(|(label, value, regex, equal)| Matcher::new(label, Operator::new(*regex, *equal), value).unwrap());
        let (starts_at, ends_at) = (NOW - Span::HOUR, NOW + Span::HOUR);
        Silence { by: "ann: mending".into(), starts_at, ends_at, matchers: matchers.collect() }
    }

    #[test]
    fn all_matchers_must_hold_and_an_expression_is_of_the_whole_value() {
        // pod="pod-3", code H2, watch memory, service shop-1.
        let prediction = fixtures::prediction(3, NOW);
        for (matchers, want) in [
            (&[("pod", "pod-3", false, true)][..], true),
            (&[("pod", "pod-4", false, true)], false),
            (&[("pod", "pod-.", true, true)], true),
            (&[("pod", "od-3", true, true)], false),
            (&[("pod", "pod", true, true)], false),
            (&[("pod", "pod-1|pod-3", true, true)], true),
            (&[("pod", "pod-3", false, false)], false),
            (&[("pod", "pod-9.*", true, false)], true),
            (&[("pod", "pod-3", false, true), ("job", "web", false, true)], false),
            (&[("pod", "pod-3", false, true), ("job", "", false, true)], true),
            (&[("pod", "pod-3", false, true), ("job", ".+", true, true)], false),
            (&[("alertname", "H2", false, true)], true),
            (&[("watch", "memory", false, true), ("service", "shop-1", false, true)], true),
            (&[], false),
        ] {
            assert_eq!(silence(matchers).covers(&prediction, NOW), want, "{matchers:?}");
        }
        let one = silence(&[("pod", "pod-3", false, true)]);
        let covered = [one.starts_at - Span::SECOND, one.starts_at, one.ends_at - Span::from_millis(1), one.ends_at];
        assert_eq!(covered.map(|at| one.covers(&prediction, at)), [false, true, true, false]);
        let longer = Silence { by: "bob".into(), ends_at: NOW + Span::DAY, ..one.clone() };
        assert_eq!(covering(&[one, longer], &prediction, NOW), Some(Covered { id: None, by: "bob".into(), until: NOW + Span::DAY }));
        assert!(Matcher::new("a", Operator::Matches, "(").is_err() && Matcher::new("a", Operator::Equal, "(").is_ok());
    }

    #[test]
    fn a_matcher_is_read_as_people_type_it_and_as_it_is_written() {
        let read = |text: &str| text.parse::<Matcher>().map(|m| (m.label().to_owned(), m.op(), m.value().to_owned()));
        for (text, want) in [
            ("service=shop", ("service", Operator::Equal, "shop")),
            ("mountpoint=~/data.*", ("mountpoint", Operator::Matches, "/data.*")),
            ("pod!=", ("pod", Operator::NotEqual, "")),
            (r#"pod!~"a\"|\\d+""#, ("pod", Operator::MatchesNot, r#"a"|\d+"#)),
            ("a==~b", ("a", Operator::Equal, "=~b")),
        ] {
            assert_eq!(read(text), Ok((want.0.to_owned(), want.1, want.2.to_owned())), "{text}");
        }
        for wrong in ["", "service", "=shop", "1a=b", "a b=c", "ser-vice=shop", "a=\"b", "a=\"b\"c", "a=~("] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_is_read_again_and_a_negation_is_the_opposite(value in "\\PC{0,12}|[a\"\\\\\n]{0,6}", of in "\\PC{0,12}") {
            let equal = Matcher::new("pod", Operator::Equal, &value).unwrap();
            proptest::prop_assert_eq!(&equal.to_string().parse::<Matcher>().unwrap(), &equal);
            let json = serde_json::to_string(&equal).unwrap();
            proptest::prop_assert_eq!(&serde_json::from_str::<Matcher>(&json).unwrap(), &equal);
            let same = Matcher::new("pod", Operator::Matches, &regex::escape(&value)).unwrap();
            for value in [&value, &of] {
                proptest::prop_assert_eq!(equal.holds(value), same.holds(value));
                for matcher in [&equal, &same] {
                    let op = Operator::new(matcher.regex.is_some(), false);
                    let not = Matcher::new("pod", op, matcher.value()).unwrap();
                    proptest::prop_assert_ne!(matcher.holds(value), not.holds(value));
                }
            }
        }
    }
}
