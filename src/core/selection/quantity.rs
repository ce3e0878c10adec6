//! What a query's values are, worked out from its form upwards: what is said of the metrics, and what functions and quotients make of it.

use super::form::{Expr, Op};
use super::words;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Unknown,
    /// So much of something, now.
    Level,
    /// How much of a whole is taken or left.
    Part,
    /// How much of all went wrong.
    Failures,
    /// So much a second.
    Traffic,
    /// What has come together since a start.
    Counter,
    Latency,
    Queue,
    /// A moment, as seconds since 1970.
    Instant,
    /// The moment that is now: `time()`.
    Now,
    /// Time until a moment.
    Countdown,
    /// Time since a moment.
    Age,
    /// Yes or no.
    Flag,
    /// A number in the query.
    Constant,
}

/// Where values can lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    Free,
    AtLeastZero,
    /// 0 to 1.
    Share,
    /// 0 to 100.
    Percent,
    /// One of these two: the values must tell.
    ShareOrPercent,
}

/// What it is counted in, as far as quotients care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dimension {
    Bytes,
    Seconds,
    Count,
    Nothing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quantity {
    pub kind: Kind,
    pub scale: Scale,
    pub dimension: Dimension,
}

/// What a server says a metric is (`/api/v1/metadata`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MetricType {
    Counter,
    Gauge,
    Histogram,
    Summary,
    /// Always 1, or one of a set of states.
    Info,
}

/// Where a part of the answer comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// A word of a metric's name.
    Name { metric: String, word: &'static str },
    /// The server's word for a metric.
    Type { metric: String, metric_type: MetricType },
    /// A function or an operator of the query.
    Form(&'static str),
}

/// Works out what values of a query are, noting why.
pub struct Working<'a> {
    pub types: &'a dyn Fn(&str) -> Option<MetricType>,
    pub sources: Vec<Source>,
}

impl Quantity {
    pub const UNKNOWN: Self = Self { kind: Kind::Unknown, scale: Scale::Free, dimension: Dimension::Nothing };

    const fn new(kind: Kind, scale: Scale, dimension: Dimension) -> Self {
        Self { kind, scale, dimension }
    }

    fn is_share(self) -> bool {
        matches!(self.scale, Scale::Share | Scale::ShareOrPercent)
    }

    fn is_bounded_below(self) -> bool {
        self.scale != Scale::Free
    }

    fn without_upper(self) -> Self {
        Self { scale: if self.is_bounded_below() { Scale::AtLeastZero } else { Scale::Free }, ..self }
    }
}

impl Working<'_> {
    pub fn quantity(&mut self, expr: &Expr) -> Quantity {
        match expr {
            Expr::Number(n) => {
                let scale = if *n >= 0.0 { Scale::AtLeastZero } else { Scale::Free };
                Quantity::new(Kind::Constant, scale, Dimension::Nothing)
            }
            Expr::Metric { name, .. } => self.metric(name),
            Expr::Call { function, arguments } => self.call(function, arguments),
            Expr::Binary { op, left, right } => self.binary(*op, left, right),
        }
    }

    fn because(&mut self, form: &'static str) {
        self.note(Source::Form(form));
    }

    fn note(&mut self, source: Source) {
        if !self.sources.contains(&source) {
            self.sources.push(source);
        }
    }

    /// What the name says, and where that is little, what the server says of it.
    fn metric(&mut self, name: &str) -> Quantity {
        let said = words::of_name(name);
        if !said.word.is_empty() {
            self.note(Source::Name { metric: name.to_owned(), word: said.word });
        }
        let metric_type = (self.types)(name);
        let by_type = match metric_type {
            Some(MetricType::Counter | MetricType::Histogram) if said.quantity.kind != Kind::Counter => {
                Quantity::new(Kind::Counter, Scale::AtLeastZero, said.quantity.dimension)
            }
            Some(MetricType::Info) if said.quantity.kind != Kind::Flag => Quantity::new(Kind::Flag, Scale::Share, Dimension::Nothing),
            Some(MetricType::Summary) if said.quantity.kind == Kind::Unknown => {
                Quantity::new(Kind::Latency, Scale::AtLeastZero, Dimension::Nothing)
            }
            // A gauge that is called a counter (`_total` for "all of them") is a level.
            Some(MetricType::Gauge) if said.quantity.kind == Kind::Counter => Quantity { kind: Kind::Level, ..said.quantity },
            _ => return said.quantity,
        };
        if let Some(metric_type) = metric_type {
            self.note(Source::Type { metric: name.to_owned(), metric_type });
        }
        by_type
    }

    fn call(&mut self, function: &str, arguments: &[Expr]) -> Quantity {
        let subject = arguments.iter().rev().find(|a| !matches!(a, Expr::Number(_)));
        let of = match subject {
            Some(subject) => self.quantity(subject),
            None => Quantity::UNKNOWN,
        };
        match function {
            "time" => Quantity::new(Kind::Now, Scale::AtLeastZero, Dimension::Seconds),
            "timestamp" => Quantity::new(Kind::Instant, Scale::AtLeastZero, Dimension::Seconds),
            "rate" | "irate" | "increase" => {
                self.because(if function == "increase" { "increase()" } else { "rate()" });
                Quantity::new(Kind::Traffic, Scale::AtLeastZero, of.dimension)
            }
            "deriv" | "delta" | "idelta" | "predict_linear" => {
                self.because("a difference: either sign");
                Quantity::new(Kind::Level, Scale::Free, Dimension::Nothing)
            }
            "histogram_quantile" | "histogram_avg" => {
                self.because("a quantile of a histogram");
                Quantity::new(Kind::Latency, Scale::AtLeastZero, of.dimension)
            }
            "changes" | "resets" | "count" | "count_over_time" | "count_values" | "stddev" | "stdvar" | "stddev_over_time"
            | "stdvar_over_time" => {
                self.because("a count or a spread: never below zero");
                Quantity::new(Kind::Level, Scale::AtLeastZero, Dimension::Count)
            }
            "absent" | "absent_over_time" | "present_over_time" | "group" => {
                self.because("yes or no");
                Quantity::new(Kind::Flag, Scale::Share, Dimension::Nothing)
            }
            "abs" | "sqrt" | "exp" => Quantity { scale: if of.scale == Scale::Free { Scale::AtLeastZero } else { of.scale }, ..of },
            // Of parts of different wholes a sum is no part any more; of yes and no it is a count.
            "sum" | "sum_over_time" => {
                if of.kind == Kind::Flag {
                    Quantity::new(Kind::Level, Scale::AtLeastZero, Dimension::Count)
                } else {
                    of.without_upper()
                }
            }
            // An average of yes and no is a share.
            "avg" | "avg_over_time" if of.kind == Kind::Flag => Quantity::new(Kind::Part, Scale::Share, Dimension::Nothing),
            "ln" | "log2" | "log10" | "sin" | "cos" | "tan" | "sgn" => Quantity::UNKNOWN,
            "clamp" | "clamp_min" | "clamp_max" => self.clamped(function, arguments, of),
            "hour" | "minute" | "day_of_week" | "day_of_month" | "month" | "year" | "days_in_month" => {
                Quantity::new(Kind::Level, Scale::AtLeastZero, Dimension::Count)
            }
            "vector" | "scalar" => of,
            _ => of,
        }
    }

    /// Zero as the lower bound, zero and one (or a hundred) as both.
    fn clamped(&mut self, function: &str, arguments: &[Expr], of: Quantity) -> Quantity {
        let numbers: Vec<f64> = arguments.iter().filter_map(|a| if let Expr::Number(n) = a { Some(*n) } else { None }).collect();
        let scale = match (function, numbers.as_slice()) {
            ("clamp", [0.0, 1.0]) => Scale::Share,
            ("clamp", [0.0, 100.0]) => Scale::Percent,
            ("clamp_max", [1.0]) if of.is_bounded_below() => Scale::Share,
            ("clamp_max", [100.0]) if of.is_bounded_below() => Scale::Percent,
            ("clamp" | "clamp_min", [lower, ..]) if *lower >= 0.0 && of.scale == Scale::Free => Scale::AtLeastZero,
            _ => return of,
        };
        self.because("clamped");
        Quantity { scale, ..of }
    }

    fn binary(&mut self, op: Op, left: &Expr, right: &Expr) -> Quantity {
        let (a, b) = (self.quantity(left), self.quantity(right));
        match op {
            Op::Compare { is_bool: true } => {
                self.because("a comparison: yes or no");
                Quantity::new(Kind::Flag, Scale::Share, Dimension::Nothing)
            }
            Op::Compare { is_bool: false } | Op::Set => {
                if a.kind == Kind::Constant {
                    b
                } else {
                    a
                }
            }
            Op::Minus => self.difference(left, a, b),
            Op::Plus => match (a.kind, b.kind) {
                (Kind::Constant, _) => b.without_upper(),
                (_, Kind::Constant) => a.without_upper(),
                _ if a.is_bounded_below() && b.is_bounded_below() => a.without_upper(),
                _ => Quantity::UNKNOWN,
            },
            Op::Times => self.product(left, right, a, b),
            Op::Over => self.quotient(left, right, a, b),
            Op::Other => Quantity::UNKNOWN,
        }
    }

    fn difference(&mut self, left: &Expr, a: Quantity, b: Quantity) -> Quantity {
        let is = |n: f64| matches!(left, Expr::Number(x) if (x - n).abs() < 1e-12);
        match (a.kind, b.kind) {
            (Kind::Instant, Kind::Now) => {
                self.because("a moment minus time(): time left");
                Quantity::new(Kind::Countdown, Scale::Free, Dimension::Seconds)
            }
            (Kind::Now, Kind::Instant) => {
                self.because("time() minus a moment: time since");
                Quantity::new(Kind::Age, Scale::AtLeastZero, Dimension::Seconds)
            }
            // What is not left is taken; what is not idle is busy.
            _ if is(1.0) && b.is_share() => {
                self.because("one minus a share");
                Quantity { scale: Scale::Share, ..b }
            }
            _ if is(1.0) && b.kind == Kind::Traffic && b.dimension == Dimension::Seconds => {
                self.because("one minus seconds a second: share of time");
                Quantity::new(Kind::Traffic, Scale::Share, Dimension::Nothing)
            }
            _ if is(100.0) && matches!(b.scale, Scale::Percent | Scale::ShareOrPercent) => {
                self.because("a hundred minus a percentage");
                Quantity { scale: Scale::Percent, ..b }
            }
            // Total minus free.
            _ if a.kind == Kind::Level && b.kind == Kind::Level && only_name(left).is_some_and(words::is_capacity) => {
                self.because("a whole minus a part of it");
                a
            }
            (_, Kind::Constant) => Quantity { scale: Scale::Free, ..a },
            _ => Quantity { scale: Scale::Free, kind: a.kind, dimension: a.dimension },
        }
    }

    fn product(&mut self, left: &Expr, right: &Expr, a: Quantity, b: Quantity) -> Quantity {
        let (factor, of) = match (left, right) {
            (Expr::Number(n), _) => (*n, b),
            (_, Expr::Number(n)) => (*n, a),
            _ if a.is_bounded_below() && b.is_bounded_below() => return a.without_upper(),
            _ => return Quantity::UNKNOWN,
        };
        self.scaled(factor, of)
    }

    fn scaled(&mut self, factor: f64, of: Quantity) -> Quantity {
        if of.is_share() && factor == 100.0 {
            self.because("a share times 100");
            return Quantity { scale: Scale::Percent, ..of };
        }
        if factor == 100.0 && of.kind == Kind::Traffic && of.dimension == Dimension::Seconds {
            self.because("share of time times 100");
            return Quantity::new(Kind::Traffic, Scale::ShareOrPercent, Dimension::Nothing);
        }
        if factor < 0.0 { Quantity { scale: Scale::Free, ..of } } else { of.without_upper() }
    }

    fn quotient(&mut self, left: &Expr, right: &Expr, a: Quantity, b: Quantity) -> Quantity {
        if let Expr::Number(n) = right {
            return if *n == 100.0 && a.scale == Scale::Percent { Quantity { scale: Scale::Share, ..a } } else { self.scaled(1.0 / n, a) };
        }
        // `100 * part / whole` is read as `(100 * part) / whole`.
        if let Expr::Binary { op: Op::Times, left: factor, right: part } = left {
            for (factor, part) in [(factor, part), (part, factor)] {
                if let Expr::Number(n) = **factor {
                    let part_of = self.quantity(part);
                    let of = self.quotient(part, right, part_of, b);
                    return self.scaled(n, of);
                }
            }
        }
        let (Some(part), Some(whole)) = (leading(left), leading(right)) else { return Quantity::UNKNOWN };
        let is_same = part.0 == whole.0 && part.1 != whole.1;
        let can_be = |of: Quantity| of.is_bounded_below() || of.kind == Kind::Unknown;
        if !(can_be(a) && can_be(b)) || (a.kind == Kind::Unknown && b.kind == Kind::Unknown && !is_same) {
            return Quantity::UNKNOWN;
        }
        let stem = |name: &str| name.trim_end_matches("_sum").trim_end_matches("_count").trim_end_matches("_total").to_owned();
        if part.0.ends_with("_sum") && stem(part.0) == stem(whole.0) {
            self.because("a sum over its count: a mean");
            let is_time = a.dimension == Dimension::Seconds;
            return Quantity::new(if is_time { Kind::Latency } else { Kind::Level }, Scale::AtLeastZero, a.dimension);
        }
        if words::is_failure(part.0, part.1) && a.kind == b.kind {
            self.because("failures over all");
            return Quantity::new(Kind::Failures, Scale::Share, Dimension::Nothing);
        }
        if is_same
            || (words::is_capacity(whole.0) && [a, b].iter().any(|of| of.dimension == Dimension::Nothing || a.dimension == b.dimension))
        {
            self.because("a part over its whole");
            return Quantity::new(Kind::Part, Scale::Share, Dimension::Nothing);
        }
        // Something is counted in another; where both are known for it, neither is negative.
        if a.is_bounded_below() && b.is_bounded_below() {
            return Quantity::new(Kind::Level, Scale::AtLeastZero, Dimension::Nothing);
        }
        Quantity::UNKNOWN
    }
}

/// The metric that an expression is about, with its matchers: the first one in it.
fn leading(expr: &Expr) -> Option<(&str, &str)> {
    match expr {
        Expr::Number(_) => None,
        Expr::Metric { name, matchers } => Some((name, matchers)),
        Expr::Call { arguments, .. } => arguments.iter().find_map(leading),
        Expr::Binary { left, right, .. } => leading(left).or_else(|| leading(right)),
    }
}

fn only_name(expr: &Expr) -> Option<&str> {
    leading(expr).map(|(name, _)| name)
}
