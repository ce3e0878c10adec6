//! The faults of a query that can be seen without its server: brackets and quotes that don't close.
//!
//! Not a parser: which functions there are depends on the server (VictoriaMetrics, Mimir and Prometheus differ), and it gives the better
//! message. But a quote lost in YAML is the commonest slip, and `portent check` should find it with no server at hand.

/// Longest query: servers take it in a form's body, but nobody can read one that fills ten screens.
const MAX_QUERY_BYTES: usize = 20_000;

/// What is not closed or too much, if anything.
pub fn imbalance(query: &str) -> Option<String> {
    if query.len() > MAX_QUERY_BYTES {
        return Some(format!("longer than {MAX_QUERY_BYTES} bytes"));
    }
    let mut open: Vec<char> = Vec::new();
    let mut letters = query.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '#' => drop(letters.by_ref().find(|c| *c == '\n')),
            '"' | '\'' | '`' if skip_text(&mut letters, letter) => {}
            '"' | '\'' | '`' => return Some(format!("a {letter} is never closed")),
            '(' | '[' | '{' => open.push(letter),
            ')' | ']' | '}' => {
                let opened = open.pop();
                if opened.is_none_or(|o| closing(o) != letter) {
                    let after = opened.map(|o| format!(" after {o}")).unwrap_or_default();
                    return Some(format!("a {letter} too many{after}"));
                }
            }
            _ => {}
        }
    }
    open.pop().map(|letter| format!("a {letter} is never closed"))
}

fn closing(open: char) -> char {
    match open {
        '(' => ')',
        '[' => ']',
        _ => '}',
    }
}

/// Moves past the text's end; false when there is none. A backslash takes the next letter along, except in backticks.
fn skip_text(letters: &mut std::str::Chars<'_>, quote: char) -> bool {
    while let Some(letter) = letters.next() {
        if letter == quote {
            return true;
        }
        if letter == '\\' && quote != '`' {
            letters.next();
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::imbalance;

    #[test]
    fn sees_what_is_not_closed_and_leaves_the_rest_to_the_server() {
        for fine in ["up", r#"1 - a{b=~"x)|[y"} / c[5m:1m]"#, "f(x) # it's (open", r#"a{b="\""}"#, "a{b=`\\`}", "not promql at all"] {
            assert_eq!(imbalance(fine), None, "{fine}");
        }
        for (bad, says) in [
            ("sum(rate(x[5m])", "a ( is never closed"),
            ("up)", "a ) too many"),
            ("(up]", "a ] too many after ("),
            (r#"a{b="x}"#, "a \" is never closed"),
        ] {
            assert_eq!(imbalance(bad).as_deref(), Some(says), "{bad}");
        }
        assert!(imbalance(&"a".repeat(20_001)).is_some());
    }
}
