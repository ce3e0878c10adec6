//! Texts of a playbook, filled from a series' labels.

use crate::core::labels::Labels;
use crate::core::template::{Piece, Template, TemplateError};

/// Words for people.
///
/// # Errors
/// Why it is no template.
pub fn fill_text(text: &str, labels: &Labels) -> Result<String, String> {
    Ok(template(text)?.fill(labels))
}

/// PromQL, with labels as the content of its strings (`{pod="{{pod}}"}`): a value may hold quotes, and must not become a part of the query.
///
/// # Errors
/// Why it is no template.
pub fn fill_query(query: &str, labels: &Labels) -> Result<String, String> {
    let piece = |piece: &Piece| match piece {
        Piece::Text(text) => text.clone(),
        Piece::Label(name) => labels.get(name).unwrap_or("").chars().map(escaped).collect(),
    };
    Ok(template(query)?.pieces().iter().map(piece).collect())
}

/// As a string of PromQL has it, whichever quotes stand round it: <https://prometheus.io/docs/prometheus/latest/querying/basics/#string-literals>.
fn escaped(c: char) -> String {
    match c {
        '\\' => "\\\\".to_owned(),
        '"' | '\'' | '`' => format!("\\x{:02x}", u32::from(c)),
        '\n' => "\\n".to_owned(),
        c => c.to_string(),
    }
}

fn template(text: &str) -> Result<Template, String> {
    text.parse().map_err(|error: TemplateError| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_one_text_and_is_not_filled_twice() {
        let labels = Labels::from_pairs([("pod", "a {{x}}")]).unwrap();
        assert_eq!(fill_text("on {{pod}}{{gone}}", &labels).unwrap(), "on a {{x}}");
        assert!(fill_text("{{pod", &labels).unwrap_err().contains("never closes"));
    }

    #[test]
    fn a_label_never_becomes_a_part_of_the_query() {
        let labels = Labels::from_pairs([("pod", "a\"} or vector(0) # '`\\\n")]).unwrap();
        let query = fill_query("x{pod=\"{{pod}}\"}", &labels).unwrap();
        assert_eq!(query, "x{pod=\"a\\x22} or vector(0) # \\x27\\x60\\\\\\n\"}");
        assert_eq!(fill_query("up", &labels).unwrap(), "up");
    }
}
