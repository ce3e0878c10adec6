//! Silences as Alertmanager has them: what a person wants to hear nothing of is not acted on either.

use regex::Regex;

use super::prediction::Prediction;
use super::time::Timestamp;

/// One that is in force or will be.
#[derive(Clone, Debug)]
pub struct Silence {
    pub by: String,
    pub starts_at: Timestamp,
    pub ends_at: Timestamp,
    /// All of them must hold; at least one.
    pub matchers: Vec<Matcher>,
}

/// One label's condition.
#[derive(Clone, Debug)]
pub struct Matcher {
    label: String,
    is_negated: bool,
    test: Test,
}

#[derive(Clone, Debug)]
enum Test {
    Equal(String),
    Matches(Regex),
}

/// Largest compiled expression: Alertmanager's are a line of a person's.
const MAX_REGEX_BYTES: usize = 1 << 20;

impl Matcher {
    /// As the API gives it: `isRegex` anchors at both ends.
    ///
    /// # Errors
    /// Why it is no expression.
    pub fn new(label: &str, value: &str, is_regex: bool, is_equal: bool) -> Result<Self, String> {
        let test = if is_regex {
            let built = regex::RegexBuilder::new(&format!("^(?:{value})$")).size_limit(MAX_REGEX_BYTES).build();
            Test::Matches(built.map_err(|error| format!("{value:?} is no expression: {error}"))?)
        } else {
            Test::Equal(value.to_owned())
        };
        Ok(Self { label: label.to_owned(), is_negated: !is_equal, test })
    }

    /// A label that is not there is empty.
    fn holds(&self, value: &str) -> bool {
        let found = match &self.test {
            Test::Equal(text) => value == text,
            Test::Matches(regex) => regex.is_match(value),
        };
        found != self.is_negated
    }
}

impl Silence {
    /// Whether a prediction is under it now. Matched are the labels that an alert of it would have: those of its series, its code as
    /// `alertname`, and its watch and service where the series has no such label.
    pub fn covers(&self, prediction: &Prediction, now: Timestamp) -> bool {
        let value = |label: &str| match label {
            "alertname" => prediction.code.as_str(),
            _ => match (prediction.labels.get(label), label) {
                (Some(value), _) => value,
                (None, "watch") => prediction.watch.as_str(),
                (None, "service") => prediction.service.as_str(),
                (None, _) => "",
            },
        };
        let is_now = (self.starts_at..self.ends_at).contains(&now);
        is_now && !self.matchers.is_empty() && self.matchers.iter().all(|matcher| matcher.holds(value(&matcher.label)))
    }
}

/// The one that lasts longest of those a prediction is under.
pub fn covering(silences: &[Silence], prediction: &Prediction, now: Timestamp) -> Option<(String, Timestamp)> {
    let over = silences.iter().filter(|silence| silence.covers(prediction, now));
    over.max_by_key(|silence| silence.ends_at).map(|silence| (silence.by.clone(), silence.ends_at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::run::fixtures;
    use crate::core::time::Span;

    const NOW: Timestamp = Timestamp::from_millis(1_793_577_600_000);

    fn silence(matchers: &[(&str, &str, bool, bool)]) -> Silence {
        let matchers = matchers.iter().map(|(label, value, regex, equal)| Matcher::new(label, value, *regex, *equal).unwrap());
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
        assert_eq!(covering(&[one, longer], &prediction, NOW), Some(("bob".into(), NOW + Span::DAY)));
        assert!(Matcher::new("a", "(", true, true).is_err() && Matcher::new("a", "(", false, true).is_ok());
    }
}
