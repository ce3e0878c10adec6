//! A figure with its rival's beside it.

use std::fmt;

pub struct Line {
    /// `anomalies`, `forecasts` or `breaches`.
    pub part: &'static str,
    /// Which data set, or `all`.
    pub set: String,
    pub metric: &'static str,
    pub ours: f64,
    pub rival: f64,
    pub rival_name: &'static str,
    /// How many things it is a figure of: series, forecasts, questions.
    pub of: usize,
}

impl Line {
    pub const HEADER: &str = "part       data set   metric                           portent     rival  rival                           of";

    pub fn json(&self) -> serde_json::Value {
        // What cannot be said (no incidents, nothing crossed) is null.
        serde_json::json!({
            "part": self.part, "dataset": self.set, "metric": self.metric, "portent": self.ours, "rival": self.rival,
            "rival_name": self.rival_name, "of": self.of,
        })
    }
}

fn number(value: f64) -> String {
    if value.is_finite() { format!("{value:.3}") } else { "-".to_owned() }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { part, set, metric, rival_name, of, .. } = self;
        write!(f, "{part:<10} {set:<10} {metric:<30} {:>9} {:>9}  {rival_name:<28} {of:>5}", number(self.ours), number(self.rival))
    }
}
