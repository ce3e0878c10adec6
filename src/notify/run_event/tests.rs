//! Every way a run can go, told: each event keeps to the schema, and one of each kind is the example that is shipped.

use serde_json::Value;

use super::*;
use crate::core::gate::{Mode, Settings};
use crate::core::playbook::{Facts, Playbook};
use crate::core::prediction::Prediction;
use crate::core::run::fixtures::{around, playbook, prediction, settings};
use crate::core::run::{Input, Known, Runs, World};
use crate::core::time::Span;
use crate::core::topology::Topology;

const PAGE: &str = "https://portent.example/approvals";

/// One event of each kind, as receivers see them.
const EXAMPLES: &str = include_str!("../../../schemas/run-event.examples.jsonl");

/// A run and everything that was told of it.
struct Scene {
    runs: Runs,
    settings: Settings,
    prediction: Prediction,
    playbook: Playbook,
    now: Timestamp,
    line: u64,
    told: Vec<Told>,
}

impl Scene {
    fn new(mode: Mode) -> Self {
        let now = "2026-11-22T10:00:00Z".parse().unwrap();
        let settings = Settings { mode, ..settings() };
        let (prediction, playbook) = (prediction(1, now), playbook("restart", (2, 1, true)));
        Self { runs: Runs::default(), settings, prediction, playbook, now, line: 0, told: Vec::new() }
    }

    fn feed(&mut self, input: Input<'_>) {
        self.now = self.now + Span::SECOND;
        let topology = Topology::default();
        let turn = self.runs.step(self.now, input, World { settings: &self.settings, topology: &topology });
        for entry in turn.records {
            self.line += 1;
            let audit = Anchor { line: self.line, hash: format!("{:064x}", self.line) };
            let run = entry.record.run().and_then(|key| self.runs.get(key));
            self.told.extend(of_line(&entry, run, audit, Some(PAGE)));
        }
    }

    fn propose(&mut self) -> RunKey {
        let (prediction, playbook) = (self.prediction.clone(), self.playbook.clone());
        let known = Known { prediction: &prediction, facts: &Facts::default(), around: &around() };
        self.feed(Input::Prediction { known, playbooks: &[&playbook] });
        self.runs.all().next().unwrap().0
    }

    /// Up to the first step's start.
    fn begin(&mut self, run: RunKey) {
        let prediction = self.prediction.clone();
        let known = Known { prediction: &prediction, facts: &Facts::default(), around: &around() };
        self.feed(Input::Targets { run, targets: &["pod-1".to_owned()], known: Some(known) });
    }

    fn report(&mut self, run: RunKey, (step, is_undo): (usize, bool), end: StepEnd) {
        let what = Turnout { step, attempt: 1, is_undo };
        self.feed(Input::Report { run, what, end, note: "exit status 0" });
    }

    fn kinds(&self) -> Vec<&'static str> {
        self.told.iter().map(|told| name(told.kind)).collect()
    }
}

fn name(kind: RunEventKind) -> &'static str {
    let text = serde_json::to_value(kind).unwrap();
    let all = serde_json::from_str::<Value>(SCHEMA).unwrap()["properties"]["type"]["enum"].take();
    assert!(all.as_array().unwrap().contains(&text), "{text} is not in the schema");
    Box::leak(text.as_str().unwrap().strip_prefix("dev.portent.").unwrap().to_owned().into_boxed_str())
}

fn approved_and_verified() -> Scene {
    let mut scene = Scene::new(Mode::Ask);
    let run = scene.propose();
    scene.feed(Input::Approval { run, by: "ann", is_approved: true, reason: "it is night" });
    scene.begin(run);
    scene.report(run, (0, false), StepEnd::Succeeded);
    scene.report(run, (1, false), StepEnd::Succeeded);
    scene.feed(Input::Measured { run, value: Some(0.5) });
    scene.now = scene.now + Span::MINUTE;
    scene.feed(Input::Measured { run, value: Some(0.4) });
    scene
}

fn failed_and_taken_back() -> Scene {
    let mut scene = Scene::new(Mode::Execute);
    let run = scene.propose();
    scene.begin(run);
    scene.report(run, (0, false), StepEnd::Succeeded);
    scene.feed(Input::Restarted);
    scene.report(run, (1, false), StepEnd::Failed);
    scene.report(run, (1, true), StepEnd::Succeeded);
    scene.report(run, (0, true), StepEnd::Succeeded);
    scene.feed(Input::Stop { by: "ann" });
    scene.feed(Input::Resume { by: "ann" });
    scene
}

fn unanswered() -> Scene {
    let mut scene = Scene::new(Mode::Ask);
    scene.propose();
    scene.now = scene.now + scene.settings.approval_expires;
    scene.feed(Input::Tick);
    scene
}

fn denied() -> Scene {
    let mut scene = Scene::new(Mode::Ask);
    let run = scene.propose();
    scene.feed(Input::Approval { run, by: "ann", is_approved: false, reason: "a deploy is under way" });
    scene
}

fn refused() -> Scene {
    let mut scene = Scene::new(Mode::Execute);
    scene.settings.min_impact = crate::core::watch::Impact::Critical;
    scene.propose();
    scene
}

fn all() -> Vec<Scene> {
    let mut shadowed = Scene::new(Mode::Shadow);
    shadowed.propose();
    vec![approved_and_verified(), failed_and_taken_back(), unanswered(), denied(), refused(), shadowed]
}

fn check(body: &[u8]) -> Result<Value, String> {
    let event: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let (mut schemas, mut compiler) = (boon::Schemas::new(), boon::Compiler::new());
    compiler.enable_format_assertions();
    compiler.add_resource(DATA_SCHEMA, serde_json::from_str(SCHEMA).unwrap()).unwrap();
    let index = compiler.compile(DATA_SCHEMA, &mut schemas).unwrap();
    schemas.validate(&event, index).map_err(|error| format!("{error:#}\n{event:#}"))?;
    Ok(event)
}

#[test]
fn what_comes_in_one_breath_is_told_once() {
    let verified = approved_and_verified();
    assert_eq!(
        verified.kinds(),
        ["approval.wanted", "approval.given", "run.step_started", "run.step_ended", "run.step_started", "run.step_ended", "run.closed"]
    );
    let back = failed_and_taken_back();
    let told = [
        "run.proposed",
        "run.step_started",
        "run.step_ended",
        "run.step_started",
        "run.step_lost",
        "run.step_ended",
        "run.undoing",
        "run.step_started",
        "run.step_ended",
        "run.step_started",
        "run.step_ended",
        "run.closed",
        "run.escalated",
        "acting.stopped",
        "acting.resumed",
    ];
    assert_eq!(back.kinds(), told);
    assert_eq!(unanswered().kinds(), ["approval.wanted", "approval.expired"]);
    assert_eq!(denied().kinds(), ["approval.wanted", "approval.denied"], "and not closed once more");
    assert_eq!(refused().kinds(), ["run.closed"], "a refusal is no proposal");
}

#[test]
fn every_event_keeps_to_the_schema_and_says_what_happened() {
    let scenes = all();
    let events: Vec<Value> =
        scenes.iter().flat_map(|scene| &scene.told).map(|told| check(&told.body).unwrap_or_else(|why| panic!("{why}"))).collect();
    let of = |kind: &str| events.iter().find(|event| event["type"] == format!("dev.portent.{kind}")).unwrap_or_else(|| panic!("{kind}"));
    let wanted = &of("approval.wanted")["data"];
    assert_eq!((&wanted["approvals_url"], &wanted["decision"]), (&PAGE.into(), &"ask".into()));
    assert!(wanted["basis"]["eta"].is_object() && wanted["findings"].as_array().unwrap().len() > 10);
    assert!(!serde_json::to_string(&events).unwrap().contains("token"), "what an answer needs is the API's to give");
    let verified = events.iter().find(|event| event["data"]["outcome"] == "verified").unwrap();
    assert_eq!((&verified["data"]["before"], &verified["data"]["after"]), (&0.8.into(), &0.4.into()));
    let ended = &of("run.step_ended")["data"]["step"];
    assert_eq!(
        (&ended["name"], &ended["number"], &ended["end"], &ended["note"]),
        (&"s0".into(), &1.into(), &"succeeded".into(), &"exit status 0".into())
    );
    let escalated = &of("run.escalated")["data"];
    let tried: Vec<_> = escalated["tried"]
        .as_array()
        .unwrap()
        .iter()
        .map(|t| (t["step"].as_str().unwrap(), t["is_undo"] == true, t["end"].as_str().unwrap()))
        .collect();
    assert_eq!(tried, [("s0", false, "succeeded"), ("s1", false, "failed"), ("s1", true, "succeeded"), ("s0", true, "succeeded")]);
    assert_eq!(escalated["outcome"], "rolled_back");
    assert_eq!(of("acting.stopped")["data"]["by"], "ann");
    assert_eq!(
        (&of("approval.denied")["data"]["by"], &of("approval.denied")["data"]["why"]),
        (&"ann".into(), &"a deploy is under way".into())
    );
    let ids: std::collections::BTreeSet<_> = scenes[1].told.iter().map(|told| &told.event_id).collect();
    assert_eq!(ids.len(), scenes[1].told.len(), "an id is one event");
    let refused = events.iter().find(|event| event["data"]["outcome"] == "refused").unwrap();
    assert!(refused["data"]["why"].as_str().unwrap().contains("impact is high"), "{refused:#}");
}

#[test]
fn the_schema_refuses_what_would_mislead_a_receiver() {
    let scene = approved_and_verified();
    let good = check(&scene.told[0].body).unwrap();
    for (pointer, wrong) in [
        ("/type", "dev.portent.run.guessed".into()),
        ("/id", "r1".into()),
        ("/data/likelihood", 2.into()),
        ("/data/decision", "allow".into()),
        ("/data/expires_at", Value::Null),
        ("/data/audit/hash", "abc".into()),
        ("/data/targets", "pod-1".into()),
        ("/source", "/portent/audit".into()),
    ] {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).unwrap() = wrong;
        assert!(check(&serde_json::to_vec(&bad).unwrap()).is_err(), "{pointer}");
    }
}

/// Names and types without what is measured; lists are lists.
fn shape(value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), shape(value))).collect::<serde_json::Map<_, _>>().into(),
        Value::Array(_) => "list".into(),
        Value::String(_) => "text".into(),
        Value::Number(_) => "number".into(),
        other => other.clone(),
    }
}

#[test]
fn the_shipped_examples_have_the_form_of_what_is_sent() {
    let head = of_head("2026-11-22T10:15:00Z".parse().unwrap(), &Anchor { line: 12, hash: format!("{:064x}", 12) });
    check(&head.body).unwrap();
    let mut made: Vec<Told> = Vec::new();
    for told in all().into_iter().flat_map(|scene| scene.told).chain([head]) {
        if made.iter().all(|known| known.kind != told.kind) {
            made.push(told);
        }
    }
    let kinds = serde_json::from_str::<Value>(SCHEMA).unwrap()["properties"]["type"]["enum"].as_array().unwrap().len();
    if std::env::var_os("PORTENT_BLESS").is_some() {
        let text: Vec<&str> = made.iter().map(|told| std::str::from_utf8(&told.body).unwrap()).collect();
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/run-event.examples.jsonl"), text.join("\n") + "\n").unwrap();
        return;
    }
    let examples: Vec<Value> = EXAMPLES.lines().map(|line| check(line.as_bytes()).unwrap_or_else(|why| panic!("{why}"))).collect();
    assert_eq!((made.len(), examples.len()), (kinds, kinds), "an example of each kind");
    for (told, example) in made.iter().zip(&examples) {
        let sent = check(&told.body).unwrap();
        assert_eq!(sent["type"], example["type"]);
        assert_eq!(shape(&sent), shape(example), "what is sent:\n{sent}");
    }
}

#[test]
fn each_topic_gets_its_own() {
    use RunEventKind as Kind;
    for (kind, topics) in [
        (Kind::Wanted, &[Topic::Approval, Topic::Run][..]),
        (Kind::Expired, &[Topic::Approval, Topic::Run]),
        (Kind::Closed, &[Topic::Run]),
        (Kind::Escalated, &[Topic::Run, Topic::Escalation]),
        (Kind::Stopped, &[Topic::Run]),
        (Kind::Head, &[Topic::Audit]),
    ] {
        let got: Vec<Topic> = Topic::ALL.into_iter().map(|(_, topic)| topic).filter(|topic| kind.is_about(*topic)).collect();
        assert_eq!(got, topics, "{kind:?}");
    }
}
