//! What is wrong with a playbook beyond its form: arguments that its actuators would refuse, and what its author may have forgotten.
//!
//! Not a part of reading: a playbook for another machine's programs is a good playbook, and the daemon says at the gate and in the run what it
//! can't do. Here one is told before.

use super::{Book, parts};
use crate::act::{Actuators, Risk};
use crate::config::error::{ConfigError, Position};
use crate::config::nearest::nearest;
use crate::config::query;
use crate::config::tree::Node;
use crate::core::playbook::{Do, Field, Step};

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lint {
    pub found: ConfigError,
    /// It would fail when it is needed; otherwise something to think about.
    pub is_error: bool,
}

/// Everything there is to say about a playbook that could be read. `is_configured`: the actuators are those of the configuration that it is
/// for, so what they do not allow is worth a word.
pub fn lint(book: &Book, actuators: &Actuators, is_configured: bool) -> Vec<Lint> {
    let mut linter = Linter { book, actuators, is_configured, found: Vec::new() };
    let playbook = &book.playbook;
    let steps = book.body().get("steps").or_else(|| book.body().get("actions"));
    let nodes = steps.map(Node::items).unwrap_or_default();
    for (step, node) in playbook.steps.iter().zip(nodes) {
        linter.step(step, node);
    }
    linter.queries();
    linter.whole();
    let mut found = linter.found;
    found.sort_by_key(|lint| (lint.found.line, lint.found.column));
    found
}

struct Linter<'a> {
    book: &'a Book,
    actuators: &'a Actuators,
    is_configured: bool,
    found: Vec<Lint>,
}

impl Linter<'_> {
    fn error(&mut self, at: Position, message: String, hint: Option<String>) {
        self.found.push(Lint { found: self.book.finding(at, message, hint), is_error: true });
    }

    fn advice(&mut self, at: Position, message: impl Into<String>, hint: &str) {
        self.found.push(Lint { found: self.book.finding(at, message.into(), Some(hint.to_owned())), is_error: false });
    }

    fn risk(&self, does: &Do) -> Risk {
        // What nobody knows is not harmless.
        self.actuators.get(does.action.as_str()).map_or(Risk::High, |actuator| actuator.risk())
    }

    fn step(&mut self, step: &Step, node: &Node) {
        self.does(&step.does, node, &format!("step {:?}", step.name));
        if let (Some(undo), Some(node)) = (&step.undo, node.get("undo")) {
            self.does(undo, node, &format!("undo of {:?}", step.name));
        }
        if step.retry.attempts > 1 && self.actuators.get(step.does.action.as_str()).is_some_and(|a| !a.is_idempotent()) {
            let at = node.get("retry").map_or(node.at, |retry| retry.at);
            let message = format!(
                "step {:?} is tried {} times, and {} does again what it has done",
                step.name, step.retry.attempts, step.does.action
            );
            self.advice(at, message, "only what surely failed is tried again; is it harmless to do it twice?");
        }
        let is_kept = self.book.playbook.rollback.enabled;
        if step.undo.is_none() && is_kept && self.risk(&step.does) == Risk::High && !node.has(parts::NO_UNDO) {
            let message = format!("step {:?} is risky and has no undo", step.name);
            self.advice(node.at, message, "say how it is taken back (`undo:`), that it changes nothing to be taken back (`undo: none`), or that nothing of the playbook is (`rollback: { enabled: false }`)");
        }
    }

    fn does(&mut self, does: &Do, node: &Node, what: &str) {
        let Some(actuator) = self.actuators.get(does.action.as_str()) else {
            let at = node.get("action").or_else(|| node.get("type")).map_or(node.at, |action| action.at);
            let known: Vec<&str> = self.actuators.keys().copied().collect();
            let guess = nearest(&does.action, known.iter().copied()).map(|near| format!("; did you mean {near:?}?")).unwrap_or_default();
            let hint = format!("there are: {}", known.join(", "));
            return self.error(at, format!("{what}: there is no actuator {:?}{guess}", does.action), Some(hint));
        };
        let at = node.get("with").map_or(node.at, |with| with.at);
        if let Err(why) = actuator.check_form(&does.with) {
            self.error(at, format!("{what}: {} refuses it: {why}", does.action), None);
        } else if let Err(why) = actuator.check(&does.with)
            && self.is_configured
        {
            self.advice(
                at,
                format!("{what}: {} would refuse it with this configuration: {why}", does.action),
                "add it to `act` where it is meant to run",
            );
        }
    }

    /// PromQL is Prometheus' to judge; brackets that never close, and names that are nearly a field's, can be seen from here.
    fn queries(&mut self) {
        let body = self.book.body();
        let lists = [body.get("conditions"), body.get("when").and_then(|when| when.get("conditions"))];
        let trigger = body.get("trigger").and_then(|trigger| trigger.get("conditions"));
        let places: Vec<Position> = lists.into_iter().chain([trigger]).flatten().flat_map(Node::items).map(|item| item.at).collect();
        let metrics: Vec<String> = self.book.playbook.when.conditions.iter().map(|condition| condition.metric.clone()).collect();
        for (index, metric) in metrics.iter().enumerate() {
            let at = places.get(index).copied().unwrap_or(self.book.node.at);
            if let Some(fault) = query::imbalance(metric) {
                self.error(at, format!("metric: not PromQL: {fault}"), None);
            }
            let fields = Field::ALL.map(|(name, _)| name);
            if let Some(near) = nearest(metric, fields).filter(|_| Field::named(metric).is_none()) {
                self.advice(at, format!("metric: {metric:?} is asked of the source"), &format!("the prediction's own field is {near:?}"));
            }
        }
        let verify = self.book.playbook.verify.as_ref().map(|verify| verify.query.clone());
        if let Some(fault) = verify.as_deref().and_then(query::imbalance) {
            let at = body.get("verify").map_or(self.book.node.at, |node| node.at);
            self.error(at, format!("verify: not PromQL: {fault}"), None);
        }
    }

    fn whole(&mut self) {
        let playbook = &self.book.playbook;
        let (body, at) = (self.book.body(), self.book.name_at());
        let riskiest = playbook.steps.iter().map(|step| self.risk(&step.does)).max().unwrap_or(Risk::None);
        if riskiest == Risk::None {
            return;
        }
        if body.get("verify").is_none() {
            let hint = "say `verify: own` if the watch's own value tells, or how else one sees that it helped";
            self.advice(at, "there is no verify", hint);
        }
        if playbook.cooldown.is_none() && riskiest == Risk::High {
            self.advice(at, "there is no cooldown", "without one it is `act.cooldown`, whatever the remedy takes to show");
        }
        let window = playbook.rollback.window;
        let late = playbook.verify.as_ref().filter(|verify| playbook.rollback.enabled && verify.within + verify.holds > window);
        if late.is_some() && playbook.steps.iter().any(|step| step.undo.is_some()) {
            let at = body.get("verify").map_or(at, |node| node.at);
            self.advice(
                at,
                format!("verify may take longer than {window}, the rollback's window"),
                "what is found out after it is not taken back",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::act::{Settings, actuators};
    use crate::core::time::Timestamp;

    fn linted(text: &str) -> Vec<String> {
        let book = super::super::read_text(text, Path::new("x.yaml")).unwrap_or_else(|refused| panic!("{:?}", refused.faults));
        let now: crate::act::Now = Arc::new(|| Timestamp::from_millis(0));
        let found = lint(&book, &actuators(Settings { hosts: vec!["ops.example".into()], ..Settings::default() }, &now), true);
        found.iter().map(|l| format!("{} {}:{}", if l.is_error { "error" } else { "advice" }, l.found.line, l.found.message)).collect()
    }

    #[test]
    fn what_would_be_refused_is_found_with_its_line() {
        for (step, want) in [
            ("action: htp", "error 5:step \"s\": there is no actuator \"htp\"; did you mean \"http\"?"),
            (
                "action: http\n    with: { url: \"https://ops.example/{{a}}\", methd: GET }\n    undo: none",
                "error 7:step \"s\": http refuses it: unknown argument",
            ),
            ("action: http\n    with: { url: \"https://{{a}}/\" }\n    undo: none", "error 7:step \"s\": http refuses it: url"),
            (
                "action: http\n    with: { url: \"https://other.example/\" }\n    undo: none",
                "advice 7:step \"s\": http would refuse it with this configuration: other.example",
            ),
            ("action: command\n    with: { run: [] }\n    undo: none", "error 7:step \"s\": command refuses it: run is [], want a list"),
            ("action: log\n    with: { text: \"{{a\" }", "error 7:step \"s\": log refuses it: \"{{a\" opens"),
            ("action: log\n    with: { text: a }\n    undo: { action: log }", "error 8:undo of \"s\": log refuses it: text is missing"),
        ] {
            let text = format!("name: x\nabout: y\ncooldown: 1h\nsteps:\n  - name: s\n    {step}\nverify: own\n");
            let text = text.replace("name: s\n    action: htp", "{ name: s, action: htp }");
            let said = linted(&text);
            let errors: Vec<&String> = said.iter().filter(|line| line.starts_with(want)).collect();
            assert_eq!(errors.len(), 1, "{step}: want {want:?}, found {said:#?}");
        }
    }

    #[test]
    fn what_may_have_been_forgotten_is_said_once_and_not_where_it_was_thought_of() {
        let risky = "name: x\nabout: y\nsteps:\n  - { name: s, action: http, with: { url: \"https://ops.example/\" }, retry: 2 }\n";
        let said = linted(risky);
        for part in ["is risky and has no undo", "is tried 2 times", "there is no verify", "there is no cooldown"] {
            assert_eq!(said.iter().filter(|line| line.starts_with("advice") && line.contains(part)).count(), 1, "{part}: {said:#?}");
        }
        let thought = risky.replace("retry: 2", "undo: none").replace("steps:", "cooldown: 1h\nverify: own\nsteps:");
        assert_eq!(linted(&thought), [""; 0]);
        let none = risky.replace(", retry: 2", "").replace("steps:", "cooldown: 1h\nverify: own\nrollback: { enabled: false }\nsteps:");
        assert_eq!(linted(&none), [""; 0]);
        let told = "name: x\nabout: y\nsteps: [{ name: s, action: log, with: { text: a } }]\n";
        assert_eq!(linted(told), [""; 0], "who only tells needs none of it");
        let asked =
            told.replace("steps:", "when: { conditions: [{ metric: likelyhood, gt: 0.8 }, { metric: \"rate(x[5m]\", gt: 1 }] }\nsteps:");
        let said = linted(&asked);
        assert!(said.iter().any(|l| l.starts_with("advice 3:metric: \"likelyhood\"")), "{said:#?}");
        assert!(said.iter().any(|l| l.starts_with("error 3:metric: not PromQL")), "{said:#?}");
        let late = "name: x\nabout: y\ncooldown: 1h\nrollback: { enabled: true, window: 10m }\nverify: { query: up, success: { ge: 1 }, within: 20m }\n\
            steps: [{ name: s, action: http, with: { url: \"https://ops.example/\" }, undo: { action: log, with: { text: a } } }]\n";
        assert!(linted(late).iter().any(|l| l.contains("longer than 10m")), "{:#?}", linted(late));
    }
}
