//! The form of a query: which functions and quotients stand around which metrics.
//!
//! Not an evaluator and not a checker: Prometheus does both. What cannot be read has no form, and then the series' own behaviour decides
//! alone. Labels are skipped but for the text of a metric's matchers, which tells failures (`code=~"5.."`) from all.

/// Longest query that is read: what people write is a hundredth of it.
const MAX_BYTES: usize = 16 << 10;
/// Deepest nesting of brackets: each level is a level of our own stack.
const MAX_DEPTH: usize = 48;

/// A query, as far as its form goes.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    Number(f64),
    Metric { name: String, matchers: String },
    Call { function: String, arguments: Vec<Expr> },
    Binary { op: Op, left: Box<Expr>, right: Box<Expr> },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    Plus,
    Minus,
    Times,
    Over,
    /// A comparison; with `bool` it says yes or no, without it lets values through.
    Compare {
        is_bool: bool,
    },
    /// `and`, `or`, `unless`.
    Set,
    Other,
}

/// The form of a query; `None` for what is not read.
pub fn read(query: &str) -> Option<Expr> {
    if query.len() > MAX_BYTES {
        return None;
    }
    let mut reader = Reader { rest: query, depth: 0 };
    let expr = reader.expr(0)?;
    reader.skip();
    reader.rest.is_empty().then_some(expr)
}

impl Expr {
    /// Names of the metrics in it, in order, each once.
    pub fn metrics(&self) -> Vec<&str> {
        let mut names = Vec::new();
        self.collect(&mut names);
        names
    }

    fn collect<'a>(&'a self, names: &mut Vec<&'a str>) {
        match self {
            Self::Number(_) => {}
            Self::Metric { name, .. } => {
                if !name.is_empty() && !names.contains(&name.as_str()) {
                    names.push(name);
                }
            }
            Self::Call { arguments, .. } => arguments.iter().for_each(|a| a.collect(names)),
            Self::Binary { left, right, .. } => {
                left.collect(names);
                right.collect(names);
            }
        }
    }
}

struct Reader<'q> {
    rest: &'q str,
    depth: usize,
}

impl<'q> Reader<'q> {
    /// Blanks and comments.
    fn skip(&mut self) {
        loop {
            self.rest = self.rest.trim_start();
            let Some(comment) = self.rest.strip_prefix('#') else { return };
            self.rest = comment.split_once('\n').map_or("", |(_, after)| after);
        }
    }

    fn eat(&mut self, token: &str) -> bool {
        self.skip();
        match self.rest.strip_prefix(token) {
            Some(after) => {
                self.rest = after;
                true
            }
            None => false,
        }
    }

    fn word(&mut self) -> &'q str {
        self.skip();
        let end = self.rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).unwrap_or(self.rest.len());
        let (word, after) = self.rest.split_at(end);
        self.rest = after;
        word
    }

    fn eat_word(&mut self, word: &str) -> bool {
        let before = self.rest;
        if self.word().eq_ignore_ascii_case(word) {
            return true;
        }
        self.rest = before;
        false
    }

    /// By precedence: sets, comparisons, sums, products, powers.
    fn expr(&mut self, level: u8) -> Option<Expr> {
        if level > 4 {
            return self.unary();
        }
        let mut left = self.expr(level + 1)?;
        while let Some(op) = self.operator(level) {
            let op = self.modifiers(op)?;
            let right = self.expr(level + 1)?;
            left = Expr::Binary { op, left: Box::new(left), right: Box::new(right) };
        }
        Some(left)
    }

    fn operator(&mut self, level: u8) -> Option<Op> {
        let symbols: &[(&str, Op)] = match level {
            0 => return ["and", "or", "unless"].iter().any(|w| self.eat_word(w)).then_some(Op::Set),
            1 => &[
                ("==", Op::Compare { is_bool: false }),
                ("!=", Op::Compare { is_bool: false }),
                (">=", Op::Compare { is_bool: false }),
                ("<=", Op::Compare { is_bool: false }),
                (">", Op::Compare { is_bool: false }),
                ("<", Op::Compare { is_bool: false }),
            ],
            2 => &[("+", Op::Plus), ("-", Op::Minus)],
            3 => &[("*", Op::Times), ("/", Op::Over), ("%", Op::Other)],
            _ => &[("^", Op::Other)],
        };
        symbols.iter().find(|(symbol, _)| self.eat(symbol)).map(|(_, op)| *op)
    }

    /// `bool`, `on(...)`, `ignoring(...)`, `group_left(...)`, `group_right(...)`.
    fn modifiers(&mut self, mut op: Op) -> Option<Op> {
        if matches!(op, Op::Compare { .. }) && self.eat_word("bool") {
            op = Op::Compare { is_bool: true };
        }
        for word in ["on", "ignoring", "group_left", "group_right"] {
            if self.eat_word(word) {
                self.labels()?;
            }
        }
        Some(op)
    }

    /// A bracketed list of labels, if one stands here.
    fn labels(&mut self) -> Option<()> {
        if self.eat("(") {
            let (_, after) = self.rest.split_once(')')?;
            self.rest = after;
        }
        Some(())
    }

    fn unary(&mut self) -> Option<Expr> {
        if self.eat("-") {
            // A number's sign, or less than nothing of a level: both are read as zero minus it.
            let inner = self.unary()?;
            return Some(match inner {
                Expr::Number(n) => Expr::Number(-n),
                inner => Expr::Binary { op: Op::Minus, left: Box::new(Expr::Number(0.0)), right: Box::new(inner) },
            });
        }
        self.eat("+");
        let atom = self.atom()?;
        self.suffixes()?;
        Some(atom)
    }

    /// `[5m]`, `[1h:5m]`, `offset 1d`, `@ end()`.
    fn suffixes(&mut self) -> Option<()> {
        loop {
            if self.eat("[") {
                self.rest = self.rest.split_once(']')?.1;
            } else if self.eat_word("offset") {
                self.eat("-");
                self.word();
            } else if self.eat("@") {
                self.rest = self.rest.trim_start().trim_start_matches(|c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '(' | ')'));
            } else {
                return Some(());
            }
        }
    }

    fn atom(&mut self) -> Option<Expr> {
        self.skip();
        let first = self.rest.chars().next()?;
        if first == '(' {
            self.rest = &self.rest[1..];
            let inner = self.nested()?;
            return self.eat(")").then_some(inner);
        }
        if first.is_ascii_digit() || first == '.' {
            return self.number();
        }
        if first == '{' {
            return Some(Expr::Metric { name: String::new(), matchers: self.matchers()? });
        }
        if matches!(first, '"' | '\'' | '`') {
            self.text(first)?;
            return Some(Expr::Metric { name: String::new(), matchers: String::new() });
        }
        let word = self.word();
        if word.is_empty() {
            return None;
        }
        self.skip();
        if let (true, Some(number)) = (matches!(word.to_ascii_lowercase().as_str(), "inf" | "nan"), word.parse::<f64>().ok()) {
            return Some(Expr::Number(number));
        }
        // `sum by (job) (...)` or `sum(...) by (job)`.
        let is_grouped = self.grouping()?;
        if self.rest.starts_with('(') {
            let arguments = self.arguments()?;
            self.grouping()?;
            return Some(Expr::Call { function: word.to_ascii_lowercase(), arguments });
        }
        let matchers = if self.rest.starts_with('{') { self.matchers()? } else { String::new() };
        (!is_grouped).then(|| Expr::Metric { name: word.to_owned(), matchers })
    }

    fn grouping(&mut self) -> Option<bool> {
        let is_grouped = self.eat_word("by") || self.eat_word("without");
        if is_grouped {
            self.labels()?;
        }
        self.skip();
        Some(is_grouped)
    }

    fn nested(&mut self) -> Option<Expr> {
        self.depth += 1;
        let inner = if self.depth > MAX_DEPTH { None } else { self.expr(0) };
        self.depth -= 1;
        inner
    }

    fn arguments(&mut self) -> Option<Vec<Expr>> {
        self.rest = &self.rest[1..];
        let mut arguments = Vec::new();
        if self.eat(")") {
            return Some(arguments);
        }
        loop {
            arguments.push(self.nested()?);
            if self.eat(")") {
                return Some(arguments);
            }
            if !self.eat(",") {
                return None;
            }
        }
    }

    fn number(&mut self) -> Option<Expr> {
        let bytes = self.rest.as_bytes();
        let is_part = |i: usize| match bytes[i] {
            b'0'..=b'9' | b'.' | b'e' | b'E' => true,
            b'+' | b'-' => i > 0 && matches!(bytes[i - 1], b'e' | b'E'),
            _ => false,
        };
        let end = (0..bytes.len()).find(|&i| !is_part(i)).unwrap_or(bytes.len());
        let (text, after) = self.rest.split_at(end);
        self.rest = after;
        text.parse().ok().map(Expr::Number)
    }

    /// The text between braces; a brace in a quoted value does not end it.
    fn matchers(&mut self) -> Option<String> {
        let from = self.rest;
        self.rest = &self.rest[1..];
        loop {
            let at = self.rest.find(['}', '"', '\'', '`'])?;
            let found = self.rest[at..].chars().next()?;
            self.rest = &self.rest[at..];
            if found == '}' {
                let inner = &from[1..from.len() - self.rest.len()];
                self.rest = &self.rest[1..];
                return Some(inner.to_owned());
            }
            self.text(found)?;
        }
    }

    fn text(&mut self, quote: char) -> Option<()> {
        let mut escaped = false;
        for (at, c) in self.rest.char_indices().skip(1) {
            match c {
                _ if escaped => escaped = false,
                '\\' if quote != '`' => escaped = true,
                _ if c == quote => {
                    self.rest = &self.rest[at + 1..];
                    return Some(());
                }
                _ => {}
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_is_read() {
        for (query, metrics) in [
            ("up", vec!["up"]),
            (
                "1 - node_filesystem_avail_bytes{fstype!~\"tmpfs|}\"} / node_filesystem_size_bytes",
                vec!["node_filesystem_avail_bytes", "node_filesystem_size_bytes"],
            ),
            (
                "sum by (job) (rate(http_requests_total{code=~\"5..\"}[5m])) / ignoring(code) sum(rate(http_requests_total[5m])) by (job)",
                vec!["http_requests_total"],
            ),
            ("histogram_quantile(0.99, sum(rate(x_seconds_bucket[5m])) by (le))", vec!["x_seconds_bucket"]),
            ("max_over_time(deriv(a:b[5m])[1h:1m]) offset -1d @ end() > bool 1e-3", vec!["a:b"]),
            ("(probe_ssl_earliest_cert_expiry - time()) / 86400 # days", vec!["probe_ssl_earliest_cert_expiry"]),
            ("{__name__=~\"kafka.*\"} and on(topic) b == 2", vec!["b"]),
            ("-clamp_max(a, +Inf) * on (x) group_left (y) b", vec!["a", "b"]),
        ] {
            let expr = read(query).unwrap_or_else(|| panic!("{query}"));
            assert_eq!(expr.metrics(), metrics, "{query}");
        }
    }

    #[test]
    fn what_is_broken_has_no_form_and_depth_has_an_end() {
        for bad in ["", "a +", "sum(a", "a{b=\"c\"", "a b", "sum by (x) a", "a[5m", ")"] {
            assert_eq!(read(bad), None, "{bad}");
        }
        assert_eq!(read(&("(".repeat(100_000))), None);
        assert_eq!(read(&format!("{}a{}", "(".repeat(MAX_DEPTH + 2), ")".repeat(MAX_DEPTH + 2))), None);
        assert!(read(&format!("{}a{}", "(".repeat(20), ")".repeat(20))).is_some());
        assert_eq!(read(&"-".repeat(20_000)), None);
    }

    #[test]
    fn signs_powers_and_precedence() {
        let Some(Expr::Binary { op: Op::Minus, left, right }) = read("1 - a / b") else { panic!() };
        assert_eq!(*left, Expr::Number(1.0));
        assert!(matches!(*right, Expr::Binary { op: Op::Over, .. }));
        assert_eq!(read("-2.5e-3"), Some(Expr::Number(-0.0025)));
    }
}
