//! The two text formats a scraper may ask for.
//!
//! `prometheus-client` writes OpenMetrics 1.0 only, where a counter's family is named without `_total`. What reads the older text format
//! 0.0.4 (curl and a person, `promtool check metrics`, agents that never learnt the new one) would see untyped samples, so that format is
//! made from the first: the same lines with other headers.
//! <https://prometheus.io/docs/instrumenting/exposition_formats/>

use std::fmt::Write;

/// How the metrics are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exposition {
    OpenMetrics,
    Text,
}

impl Exposition {
    /// What an `Accept` header asks for: OpenMetrics if it is named at all, as Prometheus does, which reads both; else the plain text.
    pub fn accepted_by(accept: &str) -> Self {
        let names = |range: &str| range.split(';').next().is_some_and(|kind| kind.trim() == "application/openmetrics-text");
        if accept.split(',').any(names) { Self::OpenMetrics } else { Self::Text }
    }

    pub fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// OpenMetrics text, as `prometheus-client` writes it, in format 0.0.4: counters get their `_total` in the headers, `info` becomes a gauge,
/// and `# UNIT` and `# EOF`, which that format does not know, go.
pub fn to_classic(open_metrics: &str) -> String {
    let mut out = String::with_capacity(open_metrics.len() + open_metrics.len() / 16);
    let mut help = None;
    for line in open_metrics.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest.split_once(' ');
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            let (suffix, kind) = match kind {
                "counter" => ("_total", "counter"),
                "info" => ("_info", "gauge"),
                "unknown" => ("", "untyped"),
                other => ("", other),
            };
            if let Some((helped, text)) = help.take().filter(|(helped, _)| *helped == name) {
                // Help escapes quotes in OpenMetrics and does not in 0.0.4.
                let text = text.replace("\\\"", "\"");
                writeln!(out, "# HELP {helped}{suffix} {text}").expect("a String takes any text");
            }
            writeln!(out, "# TYPE {name}{suffix} {kind}").expect("a String takes any text");
        } else if !line.starts_with('#') {
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_and_infos_change_their_headers_and_nothing_else_does() {
        let open = "# HELP a A \\\"quoted\\\" thing.\n# TYPE a counter\n# UNIT a seconds\na_total 1\n\
                    # HELP b B.\n# TYPE b info\nb_info{version=\"1\"} 1\n# HELP c C.\n# TYPE c gauge\nc 2\n# EOF\n";
        let classic = "# HELP a_total A \"quoted\" thing.\n# TYPE a_total counter\na_total 1\n\
                       # HELP b_info B.\n# TYPE b_info gauge\nb_info{version=\"1\"} 1\n# HELP c C.\n# TYPE c gauge\nc 2\n";
        assert_eq!(to_classic(open), classic);
    }

    #[test]
    fn the_scraper_says_what_it_reads() {
        let prometheus = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;q=0.5";
        assert_eq!(Exposition::accepted_by(prometheus), Exposition::OpenMetrics);
        for plain in ["*/*", "", "text/plain", "text/html,application/xhtml+xml"] {
            assert_eq!(Exposition::accepted_by(plain), Exposition::Text, "{plain}");
        }
    }
}
