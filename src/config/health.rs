//! Reads `checks`: what is asked whether it is well, so that a playbook can begin with its failing.

use super::fields::Fields;
use super::http;
use super::playbook::compare;
use super::reader::Cx;
use super::tree::{Node, Value};
use super::watch::{self, Known};
use crate::core::health::{HealthCheck, Probe};
use crate::core::labels::Labels;
use crate::core::playbook::Compare;
use crate::core::time::Span;
use crate::core::watch::Impact;

/// Failures in a row, or good answers, that can be asked for: at a tick of 30 seconds an hour and a half.
const MOST_IN_A_ROW: u64 = 200;
/// Longest wait for one answer: a check that takes longer than most ticks says nothing in time.
const LONGEST_TIMEOUT: Span = Span::from_secs(30);
const USUAL_TIMEOUT: Span = Span::from_secs(5);

pub fn read(node: &Node, known: Known<'_>, cx: &mut Cx) -> Option<HealthCheck> {
    let before = cx.errors.len();
    let mut fields = Fields::of(node, "a check", cx)?;
    let name = fields.need("name", cx).and_then(|n| cx.name(n, "name"));
    let probe = probe(&mut fields, known, cx);
    let timeout = fields.take("timeout").and_then(|n| cx.span(n, "timeout", Span::from_millis(100), LONGEST_TIMEOUT));
    let mut count = |key: &'static str, usual: u32, cx: &mut Cx| {
        fields.take(key).and_then(|n| cx.whole(n, key, 1, MOST_IN_A_ROW)).map_or(usual, |count| count as u32)
    };
    let (failures, recovers) = (count("failures", 3, cx), count("recovers", 2, cx));
    let labels = fields.take("labels").map_or_else(|| Some(Labels::default()), |n| labels(n, cx));
    let service = watch::read_template(&mut fields, "service", "{{service}}", cx);
    let code = fields.take("code").and_then(|n| cx.name(n, "code")).or_else(|| name.clone());
    let impact = fields.take("impact").and_then(|n| watch::read_impact(n, cx)).unwrap_or(Impact::High);
    let playbooks = fields.take("playbooks").map(|n| watch::read_playbooks(n, known.playbooks, cx)).unwrap_or_default();
    fields.done(cx);
    if cx.errors.len() > before {
        return None;
    }
    Some(HealthCheck {
        name: name?,
        probe: probe?,
        timeout: timeout.unwrap_or(USUAL_TIMEOUT),
        failures,
        recovers,
        labels: labels?,
        service: service?,
        code: code?,
        impact,
        playbooks,
    })
}

fn probe(fields: &mut Fields<'_>, known: Known<'_>, cx: &mut Cx) -> Option<Probe> {
    let (http, query, healthy) = (fields.take("http"), fields.take("query"), fields.take("healthy"));
    match (http, query) {
        (Some(node), None) => {
            if let Some(node) = healthy {
                cx.error(node.at, "healthy: a check by HTTP is healthy at any 2xx; only a query's values are compared");
            }
            http::url(node, "http", &["http", "https"], cx).map(|url| Probe::Http { url: url.to_string() })
        }
        (None, Some(node)) => {
            let query = watch::read_query(node, "query", cx);
            let healthy = healthy.map_or(Some(Compare::Ge(1.0)), |n| compare(n, "healthy", cx));
            let source = watch::read_source(fields, known.sources, cx)?;
            Some(Probe::Query { source: source.to_string(), query: query?, healthy: healthy? })
        }
        _ => {
            cx.error(fields.at, "a check wants either \"http\", a URL, or \"query\", PromQL");
            None
        }
    }
}

fn labels(node: &Node, cx: &mut Cx) -> Option<Labels> {
    let Value::Map(entries) = &node.value else {
        cx.wrong(node, "labels", "a mapping (label: value)");
        return None;
    };
    let pairs: Vec<(String, String)> = entries.iter().filter_map(|e| Some((e.key.clone(), cx.text(&e.node, &e.key)?))).collect();
    Labels::from_pairs(pairs).map_err(|error| cx.error(node.at, format!("labels: {error}"))).ok()
}

#[cfg(test)]
mod tests {
    use crate::config::parse;
    use crate::core::health::Probe;
    use crate::core::playbook::Compare;

    #[test]
    fn checks_are_read_and_their_faults_are_told() {
        let text = "sources: [{ name: a, prometheus: { url: 'http://h:1' } }]\nwatches: [{ name: w, query: up }]\nchecks:\n  \
            - { name: web, http: 'http://shop:8080/healthz', labels: { service: shop }, failures: 5, impact: critical, playbooks: [scale-out] }\n  \
            - { name: up, query: 'up{job=\"shop\"}', service: \"{{job}}\" }\n";
        let config = parse(text, "x.yaml").unwrap();
        let [web, up] = &config.checks[..] else { panic!() };
        assert_eq!(web.probe, Probe::Http { url: "http://shop:8080/healthz".into() });
        assert_eq!((web.failures, web.recovers, web.labels.get("service"), web.playbooks.len()), (5, 2, Some("shop"), 1));
        assert_eq!(up.probe, Probe::Query { source: "a".into(), query: "up{job=\"shop\"}".into(), healthy: Compare::Ge(1.0) });
        let text = text.replace("failures: 5", "failures: 0").replace("name: up,", "name: web, http: 'ftp://x',")
            + "  - { name: none }\n  - { name: q, query: up, healthy: { ge: 1, lt: 2 } }\n";
        let said = parse(&text, "x.yaml").unwrap_err().to_string();
        for part in ["stands twice", "failures: found 0", "either \"http\"", "found 2 comparisons"] {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
}
