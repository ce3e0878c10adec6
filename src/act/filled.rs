//! Texts with labels in them, filled by those who must know which part of them came from a label.
//!
//! Not `core::playbook::fill_text`: that fills a label that a series does not have with nothing, as a title may be. An argument may not:
//! `DELETE /pods/{{pod}}` without a pod would be all pods.

use serde_json::Value;

use crate::core::labels::Labels;
use crate::core::template::{Piece, Template, TemplateError};

/// A piece of a filled text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// The playbook's own words.
    Own(String),
    /// A label's value, whatever it holds.
    Label(String),
}

/// Whether a label stands in it.
///
/// # Errors
/// Why it is no template.
pub fn has_labels(text: &str) -> Result<bool, String> {
    Ok(template(text)?.pieces().iter().any(|piece| matches!(piece, Piece::Label(_))))
}

/// The playbook's own words before the first label.
///
/// # Errors
/// Why it is no template.
pub fn head(text: &str) -> Result<String, String> {
    Ok(match template(text)?.pieces().first() {
        Some(Piece::Text(own)) => own.clone(),
        _ => String::new(),
    })
}

/// The pieces of a text.
///
/// # Errors
/// Why it is no template, or which label the series does not have.
pub fn parts(text: &str, labels: &Labels) -> Result<Vec<Part>, String> {
    let part = |piece: &Piece| match piece {
        Piece::Text(text) => Ok(Part::Own(text.clone())),
        Piece::Label(name) => match labels.get(name) {
            Some(value) => Ok(Part::Label(value.to_owned())),
            None => Err(format!("{text:?} needs the label {name:?}, which {labels} does not have")),
        },
    };
    template(text)?.pieces().iter().map(part).collect()
}

/// The filled text.
///
/// # Errors
/// As [`parts`].
pub fn text(text: &str, labels: &Labels) -> Result<String, String> {
    let piece = |part| match part {
        Part::Own(text) | Part::Label(text) => text,
    };
    Ok(parts(text, labels)?.into_iter().map(piece).collect())
}

/// Every text in it, at any depth; keys stay as they are, and a filled text stays one text.
///
/// # Errors
/// As [`parts`].
pub fn value(value: &Value, labels: &Labels) -> Result<Value, String> {
    Ok(match value {
        Value::String(own) => Value::String(text(own, labels)?),
        Value::Array(items) => Value::Array(items.iter().map(|item| self::value(item, labels)).collect::<Result<_, _>>()?),
        Value::Object(members) => {
            Value::Object(members.iter().map(|(key, item)| Ok((key.clone(), self::value(item, labels)?))).collect::<Result<_, String>>()?)
        }
        other => other.clone(),
    })
}

/// Whether every text in it is a template, before there are labels.
///
/// # Errors
/// The first that is none, and why.
pub fn check(value: &Value) -> Result<(), String> {
    match value {
        Value::String(own) => template(own).map(drop),
        Value::Array(items) => items.iter().try_for_each(check),
        Value::Object(members) => members.values().try_for_each(check),
        _ => Ok(()),
    }
}

/// What somebody else wrote, fit for a log, a terminal and a page: line ends stay, other control characters do not.
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && !matches!(c, '\n' | '\t') { '\u{fffd}' } else { c }).collect()
}

fn template(text: &str) -> Result<Template, String> {
    text.parse().map_err(|error: TemplateError| error.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_missing_label_is_an_error_and_a_value_is_never_filled_again() {
        let labels = Labels::from_pairs([("pod", "a{{job}}\"")]).unwrap();
        assert_eq!(parts("/pods/{{pod}}!", &labels).unwrap().len(), 3);
        assert_eq!(text("{{pod}}", &labels).unwrap(), "a{{job}}\"");
        let error = text("/pods/{{namespace}}", &labels).unwrap_err();
        assert!(error.contains("\"namespace\"") && error.contains("does not have"), "{error}");
        assert_eq!(value(&json!({"{{pod}}": ["{{pod}}", 1]}), &labels).unwrap(), json!({"{{pod}}": ["a{{job}}\"", 1]}));
        assert!(value(&json!([{"a": "{{gone}}"}]), &labels).is_err());
        assert!(check(&json!([{"a": "{{gone"}])).is_err() && check(&json!({"a": ["{{gone}}", null]})).is_ok());
        assert_eq!((head("{ {{b}}").unwrap(), head("{{b}}").unwrap()), ("{ ".to_owned(), String::new()));
        assert!(has_labels("a{{b}}").unwrap() && !has_labels("ab").unwrap());
        assert_eq!(printable("a\u{1b}[31m\nb\0"), "a\u{fffd}[31m\nb\u{fffd}");
    }
}
