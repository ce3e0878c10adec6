//! The text of a plain instant selector, `name{label="value", ...}`, as its matchers: the one form of PromQL that needs no evaluation.
//!
//! Grammar: <https://prometheus.io/docs/prometheus/latest/querying/basics/#instant-vector-selectors>. Anything else (functions, ranges,
//! offsets, operators) is refused in Prometheus' words.

use crate::core::labels::METRIC_NAME;
use crate::core::operator::Operator;

/// Longer queries are refused: usual ones are a hundredth of it, and every matcher costs a pass over all series.
const MAX_QUERY_BYTES: usize = 8_192;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matcher {
    pub label: String,
    pub operator: Operator,
    pub value: String,
}

/// The matchers of a selector, the metric's name first.
///
/// # Errors
/// What stands there instead, beginning with "parse error".
pub fn parse(text: &str) -> Result<Vec<Matcher>, String> {
    if text.len() > MAX_QUERY_BYTES {
        return Err(format!("parse error: query is longer than {MAX_QUERY_BYTES} bytes"));
    }
    let mut rest = text.trim();
    let mut matchers = Vec::new();
    let name = name(&mut rest, true);
    if !name.is_empty() {
        matchers.push(Matcher { label: METRIC_NAME.into(), operator: Operator::Equal, value: name.into() });
    }
    if let Some(inner) = rest.trim_start().strip_prefix('{') {
        rest = inner.trim_start();
        while !rest.starts_with('}') {
            matchers.push(matcher(&mut rest)?);
            rest = rest.trim_start();
            match rest.strip_prefix(',') {
                Some(after) => rest = after.trim_start(),
                None if rest.starts_with('}') => {}
                None => return Err(unexpected(rest, "in label matching, expected \",\" or \"}\"")),
            }
        }
        rest = &rest[1..];
    }
    if !rest.trim().is_empty() {
        return Err(unexpected(rest.trim(), "(only plain selectors are answered here)"));
    }
    if matchers.is_empty() {
        return Err("parse error: no expression found in input".into());
    }
    Ok(matchers)
}

/// A metric's or label's name; empty where none stands.
fn name<'a>(rest: &mut &'a str, colons: bool) -> &'a str {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || (colons && c == ':');
    let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
    let end = if rest.starts_with(|c: char| c.is_ascii_digit()) { 0 } else { end };
    let (name, after) = rest.split_at(end);
    *rest = after;
    name
}

fn matcher(rest: &mut &str) -> Result<Matcher, String> {
    let label = name(rest, false);
    if label.is_empty() {
        return Err(unexpected(rest, "in label matching, expected identifier or \"}\""));
    }
    *rest = rest.trim_start();
    let found = Operator::ALL.iter().find(|(text, _)| rest.starts_with(text));
    let Some((text, operator)) = found else {
        return Err(unexpected(rest, "in label matching, expected label matching operator"));
    };
    *rest = rest[text.len()..].trim_start();
    Ok(Matcher { label: label.to_owned(), operator: *operator, value: string(rest)? })
}

/// A quoted string with the escapes `\\ \" \' \n \t \r`; between backticks nothing is escaped.
fn string(rest: &mut &str) -> Result<String, String> {
    let Some(quote) = rest.chars().next().filter(|c| matches!(c, '"' | '\'' | '`')) else {
        return Err(unexpected(rest, "in label matching, expected string"));
    };
    let mut text = String::new();
    let mut chars = rest.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        if c == quote {
            *rest = &rest[at + 1..];
            return Ok(text);
        }
        if c != '\\' || quote == '`' {
            text.push(c);
            continue;
        }
        match chars.next().map(|(_, escaped)| escaped) {
            Some(same @ ('\\' | '"' | '\'')) => text.push(same),
            Some('n') => text.push('\n'),
            Some('t') => text.push('\t'),
            Some('r') => text.push('\r'),
            _ => return Err("parse error: unknown escape sequence in string".into()),
        }
    }
    Err("parse error: unterminated quoted string".into())
}

fn unexpected(rest: &str, place: &str) -> String {
    let word: String = rest.chars().take(20).collect();
    if word.is_empty() {
        format!("parse error: unexpected end of input {place}")
    } else {
        format!("parse error: unexpected {word:?} {place}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matchers_are_read_as_they_stand() {
        let all = parse(r#"up{a="1", b!='2',c=~`x\d`,d!~"y|\"z",}"#).unwrap();
        let found: Vec<(&str, Operator, &str)> = all.iter().map(|m| (m.label.as_str(), m.operator, m.value.as_str())).collect();
        let want = [
            ("__name__", Operator::Equal, "up"),
            ("a", Operator::Equal, "1"),
            ("b", Operator::NotEqual, "2"),
            ("c", Operator::Matches, r"x\d"),
            ("d", Operator::MatchesNot, "y|\"z"),
        ];
        assert_eq!(found, want);
    }

    #[test]
    fn what_is_no_plain_selector_is_refused() {
        for bad in ["", "{}", "rate(up[5m])", "1 - up", "up > 0", "up[5m]", "up offset 1h", "up @ 5", "up{a=\"b\"", "up{a=b}", "sum(up)"] {
            assert!(parse(bad).unwrap_err().starts_with("parse error"), "{bad}");
        }
    }
}
