//! Arguments of a step, read with what was found and what is wanted. An argument that nobody knows is refused: a slip in `expect` must not
//! make every answer a success.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::core::time::Span;

/// The arguments of one actuator's step.
#[derive(Clone, Copy, Debug)]
pub struct Args<'a>(&'a BTreeMap<String, Value>);

impl<'a> Args<'a> {
    /// # Errors
    /// The argument that is not among the `known` ones.
    pub fn of(with: &'a BTreeMap<String, Value>, known: &[&str]) -> Result<Self, String> {
        match with.keys().find(|key| !known.contains(&key.as_str())) {
            Some(key) => Err(format!("unknown argument {key:?}, known are {}", known.join(", "))),
            None => Ok(Self(with)),
        }
    }

    pub fn get(self, key: &str) -> Option<&'a Value> {
        self.0.get(key).filter(|value| !value.is_null())
    }

    pub fn text(self, key: &str) -> Result<Option<&'a str>, String> {
        self.get(key).map(|value| text_of(key, value)).transpose()
    }

    pub fn need_text(self, key: &str) -> Result<&'a str, String> {
        self.text(key)?.ok_or_else(|| format!("{key} is missing"))
    }

    /// A list of texts with at least one in it.
    pub fn need_texts(self, key: &str) -> Result<Vec<&'a str>, String> {
        match self.get(key) {
            Some(Value::Array(items)) if !items.is_empty() => items.iter().map(|item| text_of(key, item)).collect(),
            Some(other) => Err(format!("{key} is {other}, want a list of texts with at least one in it")),
            None => Err(format!("{key} is missing, want a list of texts")),
        }
    }

    /// A mapping of names to texts; empty where there is none.
    pub fn texts_by_name(self, key: &str) -> Result<Vec<(&'a str, &'a str)>, String> {
        match self.get(key) {
            None => Ok(Vec::new()),
            Some(Value::Object(members)) => members.iter().map(|(name, value)| Ok((name.as_str(), text_of(key, value)?))).collect(),
            Some(other) => Err(format!("{key} is {other}, want a mapping of names to texts")),
        }
    }

    pub fn span(self, key: &str) -> Result<Option<Span>, String> {
        let Some(text) = self.text(key)? else { return Ok(None) };
        let span: Span = text.parse().map_err(|error: crate::core::time::TimeError| format!("{key}: {error}"))?;
        if span > Span::ZERO { Ok(Some(span)) } else { Err(format!("{key} is {span}, want more than zero")) }
    }
}

/// Numbers are not taken for texts: YAML reads `007` as 7, and which of them was meant only its writer knows.
fn text_of<'a>(key: &str, value: &'a Value) -> Result<&'a str, String> {
    value.as_str().ok_or_else(|| format!("{key} holds {value}, want a text; hint: put it in quotes"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn says_what_was_found_and_what_is_wanted() {
        let with: BTreeMap<String, Value> =
            serde_json::from_value(json!({ "run": ["a", 7], "none": [], "env": { "A": "b" }, "url": null, "for": "2h", "zero": "0" }))
                .unwrap();
        let args = Args::of(&with, &["run", "none", "env", "url", "for", "zero"]).unwrap();
        assert!(Args::of(&with, &["run", "env"]).unwrap_err().starts_with("unknown argument \"for\", known are run, env"));
        assert!(args.need_texts("run").unwrap_err().contains("holds 7, want a text; hint: put it in quotes"));
        assert!(args.need_texts("none").is_err() && args.need_texts("gone").is_err() && args.need_text("url").is_err());
        assert_eq!(args.texts_by_name("env").unwrap(), [("A", "b")]);
        assert_eq!(args.span("for").unwrap(), Some(Span::HOUR.times(2)));
        assert!(args.span("zero").is_err() && args.texts_by_name("run").is_err());
    }
}
