//! What `docs/` says of our metrics is true: each name there is served, and each rule is one.

use std::collections::BTreeSet;
use std::process::Command;

use super::Metrics;
use super::text::Exposition;

const RULES: &str = include_str!("../../docs/portent.rules.yml");
const TABLES: &str = include_str!("../../docs/metrics.md");

/// Words that begin as our metrics do. A colon makes one the name of a recording rule.
fn names(text: &str) -> BTreeSet<&str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    text.split(|c| !is_part(c)).filter(|word| word.starts_with("portent_") && !word.contains(':')).collect()
}

#[test]
fn every_metric_that_is_documented_is_served() {
    let metrics = Metrics::new();
    metrics.acting.introduce(["restart"]);
    let served = metrics.encode(Exposition::Text);
    let served = names(&served);
    let missing: Vec<_> = names(TABLES).union(&names(RULES)).filter(|name| !served.contains(**name)).copied().collect();
    assert!(missing.is_empty(), "documented and not served: {missing:?}");
    for asked in
        ["proposals", "approvals", "playbook_runs", "recovery", "auto_approved", "predictions_scored", "interval_hits", "lead_time"]
    {
        assert!(names(TABLES).iter().any(|name| name.contains(asked)), "{asked} is not documented");
    }
    let recorded: BTreeSet<&str> = RULES.split_whitespace().filter(|word| word.starts_with("portent:")).collect();
    assert!(recorded.len() > 7, "{recorded:?}");
}

#[test]
fn promtool_takes_the_rules() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/portent.rules.yml");
    let output = Command::new("promtool").args(["check", "rules", path]).output();
    let output = output.expect("promtool is needed for this test: apt-get install prometheus");
    assert!(output.status.success(), "{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
}
