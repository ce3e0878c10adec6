//! Arguments of an action, filled from a series' labels.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::core::labels::Labels;
use crate::core::template::Template;

/// Every text in them, at any depth; keys stay as they are, and a filled text stays one text whatever a label's value holds.
///
/// # Errors
/// The text that is no template, and why.
pub fn fill(with: &BTreeMap<String, Value>, labels: &Labels) -> Result<BTreeMap<String, Value>, String> {
    with.iter().map(|(key, value)| Ok((key.clone(), fill_value(value, labels)?))).collect()
}

fn fill_value(value: &Value, labels: &Labels) -> Result<Value, String> {
    Ok(match value {
        Value::String(text) => Value::String(fill_text(text, labels)?),
        Value::Array(items) => Value::Array(items.iter().map(|item| fill_value(item, labels)).collect::<Result<_, _>>()?),
        Value::Object(members) => {
            Value::Object(members.iter().map(|(key, value)| Ok((key.clone(), fill_value(value, labels)?))).collect::<Result<_, String>>()?)
        }
        other => other.clone(),
    })
}

/// One text.
///
/// # Errors
/// Why it is no template.
pub fn fill_text(text: &str, labels: &Labels) -> Result<String, String> {
    let template: Template = text.parse().map_err(|error: crate::core::template::TemplateError| error.to_string())?;
    Ok(template.fill(labels))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_one_text_at_any_depth_and_keys_stay() {
        let labels = Labels::from_pairs([("pod", "a\"; rm -rf / #{{x}}")]).unwrap();
        let with = serde_json::from_str(r#"{"{{pod}}": ["{{pod}}", {"n": 1, "t": "in {{pod}}"}]}"#).unwrap();
        let filled = fill(&with, &labels).unwrap();
        let value = labels.get("pod").unwrap();
        assert_eq!(filled["{{pod}}"], serde_json::json!([value, {"n": 1, "t": format!("in {value}")}]), "and is not filled twice");
        assert!(fill(&serde_json::from_str(r#"{"a": "{{pod"}"#).unwrap(), &labels).unwrap_err().contains("never closes"));
    }
}
