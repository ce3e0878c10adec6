//! Text with `{{label}}` in it, filled from a series' labels: how a watch reads the service and the title.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::labels::Labels;

/// What a template is made of, for those who must know what came from a label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    Text(String),
    /// A label's name.
    Label(String),
}

/// A parsed template. `{{instance}}` is replaced by the label's value, or by nothing where the series has no such label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    #[error("{text:?} opens a {{{{ that never closes")]
    Unclosed { text: String },
    #[error("{text:?} names {label:?}, which is no label name: want letters, digits and underscores, as in {{{{instance}}}}")]
    NoLabelName { text: String, label: String },
}

impl Template {
    pub fn pieces(&self) -> &[Piece] {
        &self.0
    }

    pub fn fill(&self, labels: &Labels) -> String {
        self.0
            .iter()
            .map(|piece| match piece {
                Piece::Text(text) => text.as_str(),
                Piece::Label(name) => labels.get(name).unwrap_or(""),
            })
            .collect()
    }
}

impl FromStr for Template {
    type Err = TemplateError;

    fn from_str(text: &str) -> Result<Self, TemplateError> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(open) = rest.find("{{") {
            let close = rest[open..].find("}}").ok_or_else(|| TemplateError::Unclosed { text: text.into() })? + open;
            let label = rest[open + 2..close].trim();
            let is_name = !label.is_empty()
                && !label.starts_with(|c: char| c.is_ascii_digit())
                && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            if !is_name {
                return Err(TemplateError::NoLabelName { text: text.into(), label: label.into() });
            }
            if open > 0 {
                pieces.push(Piece::Text(rest[..open].to_owned()));
            }
            pieces.push(Piece::Label(label.to_owned()));
            rest = &rest[close + 2..];
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Ok(Self(pieces))
    }
}

impl Serialize for Template {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Template {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|piece| match piece {
            Piece::Text(text) => f.write_str(text),
            Piece::Label(name) => write!(f, "{{{{{name}}}}}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fills_from_labels_and_names_what_is_wrong() {
        let labels = Labels::from_pairs([("instance", "db-1"), ("mountpoint", "/var")]).unwrap();
        let template: Template = "{{ instance }}:{{mountpoint}}{{gone}}!".parse().unwrap();
        assert_eq!(template.fill(&labels), "db-1:/var!");
        assert!(matches!("{{a".parse::<Template>(), Err(TemplateError::Unclosed { .. })));
        assert!(matches!("{{ $labels.a }}".parse::<Template>(), Err(TemplateError::NoLabelName { .. })));
    }
}
