//! The URL of a request: labels fill its path and query and change nothing else of it.
//!
//! Escaping alone would do for all but a value such as `..`, which the URL's reader takes for a step upwards; that is why the filled URL is read
//! again and compared.

use url::{Position, Url};

use super::super::filled::{self, Part};
use crate::core::labels::Labels;
use crate::core::template::{Piece, Template, TemplateError};

/// Longest filled URL: what servers and proxies take at least (RFC 9110, 4.1).
pub const MAX_URL_BYTES: usize = 8_000;

/// Stands where a label will; lower case letters and digits stay as they are in every part of a URL.
const MARK: &str = "x7portentq";

/// The URL with marks in the labels' places.
///
/// # Errors
/// Why it is no URL, or that a label stands where it would choose who is asked.
pub fn shape(text: &str) -> Result<Url, String> {
    let template: Template = text.parse().map_err(|error: TemplateError| error.to_string())?;
    let mut marked = String::new();
    for (i, piece) in template.pieces().iter().enumerate() {
        match piece {
            Piece::Text(own) if own.to_ascii_lowercase().contains(MARK) => return Err(format!("url: {MARK:?} may not stand in it")),
            Piece::Text(own) => marked.push_str(own),
            Piece::Label(_) => marked.push_str(&mark(i)),
        }
    }
    let hint = if marked.contains(MARK) { "; hint: a label may stand only in the path and the query" } else { "" };
    let url = Url::parse(&marked).map_err(|error| format!("url {text:?}: {error}{hint}"))?;
    if url[..Position::BeforePath].contains(MARK) {
        return Err(format!("url {text:?}: a label may stand only in the path and the query, never choose the host"));
    }
    if url.fragment().is_some() {
        return Err(format!("url {text:?}: what stands behind # is never sent"));
    }
    Ok(url)
}

/// The URL to ask.
///
/// # Errors
/// As [`shape`]; a label is missing, or a value would change the URL.
pub fn fill(text: &str, labels: &Labels) -> Result<Url, String> {
    let shape = shape(text)?;
    let mut filled = shape.as_str().to_owned();
    for (i, part) in filled::parts(text, labels)?.iter().enumerate() {
        if let Part::Label(value) = part {
            filled = filled.replace(&mark(i), &escaped(value));
        }
    }
    if filled.len() > MAX_URL_BYTES {
        return Err(format!("url {text:?} would be {} bytes long, want {MAX_URL_BYTES} at most", filled.len()));
    }
    let url = Url::parse(&filled).map_err(|error| format!("url {text:?}, filled: {error}"))?;
    if url.as_str() == filled && url[..Position::BeforePath] == shape[..Position::BeforePath] {
        Ok(url)
    } else {
        Err(format!("url {text:?}: a label's value would change it, as `..` does"))
    }
}

/// Each is different and none begins another.
fn mark(index: usize) -> String {
    format!("{MARK}{index}z")
}

/// All but the letters that mean nothing anywhere in a URL (RFC 3986, 2.3), as UTF-8.
fn escaped(value: &str) -> String {
    value
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(text: &str, value: &str) -> Result<String, String> {
        fill(text, &Labels::from_pairs([("x", value), ("y", "why")]).unwrap()).map(String::from)
    }

    #[test]
    fn a_value_is_one_piece_of_the_path_or_the_query() {
        assert_eq!(
            filled("http://a/{{x}}/b?c={{x}}&d={{y}}", "é /?#&=%").unwrap(),
            "http://a/%C3%A9%20%2F%3F%23%26%3D%25/b?c=%C3%A9%20%2F%3F%23%26%3D%25&d=why"
        );
        assert_eq!(filled("HTTP://A:80/{{x}}", "{{y}}").unwrap(), "http://a/%7B%7By%7D%7D", "what is filled is not filled again");
        assert_eq!(filled("http://a/v-{{x}}", "..").unwrap(), "http://a/v-..");
        for value in [".", ".."] {
            assert!(filled("http://a/b/{{x}}/c", value).unwrap_err().contains("would change it"), "{value}");
            assert!(filled("http://a/b/.{{x}}", value).is_err() == (value == "."), "{value}");
            assert!(filled("http://a/b?c={{x}}", value).is_ok());
        }
        assert!(filled("http://a/%2e{{x}}/c", ".").is_err(), "an escaped dot is a dot");
        assert!(filled("http://a/{{x}}", &"a".repeat(MAX_URL_BYTES)).unwrap_err().contains("8009 bytes long"));
        assert!(filled("http://a/{{gone}}", "b").unwrap_err().contains("does not have"));
    }

    #[test]
    fn a_label_never_chooses_who_is_asked() {
        for text in [
            "http://{{x}}/",
            "http://a.{{x}}/",
            "http://{{x}}@a/",
            "http://a:{{x}}/",
            "http://a{{x}}/",
            "{{x}}://a/",
            "{{x}}",
            "http://a:80{{x}}/",
            "http:{{x}}",
            "//{{x}}",
            "http://a\\{{x}}@b/#",
            "http://a/b#{{x}}",
        ] {
            assert!(shape(text).is_err(), "{text} was taken");
        }
        for text in ["http://a/{{x}}", "http://a?{{x}}", "http://a\\{{x}}", "http://a/{{ x }}{{y}}"] {
            assert!(shape(text).is_ok(), "{text} was refused");
        }
    }
}
