//! One run after the other, by hand: each way it can go.

use super::fixtures::{around, playbook, prediction, settings};
use super::*;
use crate::core::gate::{Decision, Mode, Settings};
use crate::core::playbook::{Answer, Facts, Playbook, StepEnd};
use crate::core::prediction::Prediction;
use crate::core::silence::own::{OwnSilence, Until, Wish};
use crate::core::topology::{Service, Tier, Topology};

struct Scene {
    runs: Runs,
    settings: Settings,
    topology: Topology,
    prediction: Prediction,
    playbook: Playbook,
    now: Timestamp,
    log: Vec<Entry>,
}

impl Scene {
    fn new(mode: Mode, shape: (usize, u32, bool)) -> Self {
        let now = Timestamp::from_millis(1_793_577_600_000);
        let settings = Settings { mode, ..settings() };
        let topology = Topology::default();
        Self {
            runs: Runs::default(),
            settings,
            topology,
            prediction: prediction(1, now),
            playbook: playbook("p", shape),
            now,
            log: Vec::new(),
        }
    }

    fn feed(&mut self, input: Input<'_>) -> Vec<Act> {
        let turn = self.runs.step(self.now, input, World { settings: &self.settings, topology: &self.topology });
        self.log.extend(turn.records);
        assert_eq!(Runs::restore(self.log.iter().cloned()), self.runs);
        turn.acts
    }

    fn tell(&mut self) -> Vec<Act> {
        let (prediction, playbook) = (self.prediction.clone(), self.playbook.clone());
        let known = Known { prediction: &prediction, facts: &Facts::default(), around: &around() };
        self.feed(Input::Prediction { known, playbooks: &[&playbook] })
    }

    fn read(&mut self, targets: &[&str]) -> Vec<Act> {
        let (prediction, run) = (self.prediction.clone(), self.key());
        let targets: Vec<String> = targets.iter().map(|t| (*t).to_owned()).collect();
        let known = Known { prediction: &prediction, facts: &Facts::default(), around: &around() };
        self.feed(Input::Targets { run, targets: &targets, known: Some(known) })
    }

    /// Up to the first step's start.
    fn begun(mut self) -> Self {
        assert!(matches!(self.tell()[..], [Act::Read { .. }]));
        assert!(matches!(self.read(&["pod-1"])[..], [Act::Start { .. }]));
        self
    }

    fn report(&mut self, what: (usize, u32, bool), end: StepEnd) -> Vec<Act> {
        let (run, what) = (self.key(), Turnout { step: what.0, attempt: what.1, is_undo: what.2 });
        self.feed(Input::Report { run, what, end, note: "" })
    }

    fn key(&self) -> RunKey {
        self.runs.all().next().unwrap().0
    }

    fn outcome(&self) -> Option<Outcome> {
        self.runs.get(self.key()).unwrap().outcome()
    }

    fn pass(&mut self, span: Span) -> Vec<Act> {
        self.now = self.now + span;
        self.feed(Input::Tick)
    }
}

fn starts(acts: &[Act]) -> Vec<(usize, u32, bool)> {
    acts.iter()
        .filter_map(|act| match act {
            Act::Start { what, .. } => Some((what.step, what.attempt, what.is_undo)),
            _ => None,
        })
        .collect()
}

#[test]
fn what_is_allowed_is_done_step_by_step_and_verified() {
    let mut scene = Scene::new(Mode::Execute, (2, 1, true)).begun();
    assert_eq!(starts(&scene.report((0, 1, false), StepEnd::Succeeded)), [(1, 1, false)]);
    assert!(scene.report((1, 1, false), StepEnd::Succeeded).is_empty());
    let acts = scene.pass(Span::ZERO);
    assert!(matches!(acts[..], [Act::Measure { query: None, .. }]), "{acts:?}");
    let run = scene.key();
    assert!(scene.feed(Input::Measured { run, value: Some(0.5) }).is_empty());
    scene.now = scene.now + Span::MINUTE;
    scene.feed(Input::Measured { run, value: Some(0.5) });
    assert_eq!(scene.outcome(), Some(Outcome::Verified));
    assert!(scene.tell().is_empty(), "once for one episode");
}

#[test]
fn observe_writes_nothing_shadow_writes_and_ask_waits() {
    let mut observe = Scene::new(Mode::Observe, (1, 1, false));
    assert!(observe.tell().is_empty() && observe.log.is_empty());
    let mut shadow = Scene::new(Mode::Shadow, (1, 1, false));
    assert!(shadow.tell().is_empty());
    assert_eq!(shadow.outcome(), Some(Outcome::Shadowed));
    let mut ask = Scene::new(Mode::Ask, (1, 1, false));
    assert!(ask.tell().is_empty() && ask.outcome().is_none());
    let run = ask.key();
    let approval = Input::Approval { run, by: "ann", is_approved: true, reason: "it is night" };
    assert!(matches!(ask.feed(approval)[..], [Act::Read { .. }]));
    assert!(ask.feed(approval).is_empty(), "one word is enough");
    assert_eq!(starts(&ask.read(&["pod-1"])), [(0, 1, false)]);
    let mut late = Scene::new(Mode::Ask, (1, 1, false));
    late.tell();
    late.pass(Settings::default().approval_expires);
    assert_eq!(late.outcome(), Some(Outcome::Expired));
    assert!(late.feed(Input::Approval { run: late.key(), by: "ann", is_approved: true, reason: "" }).is_empty());
    let mut no = Scene::new(Mode::Ask, (1, 1, false));
    no.tell();
    no.feed(Input::Approval { run: no.key(), by: "ann", is_approved: false, reason: "not now" });
    assert_eq!(no.outcome(), Some(Outcome::Rejected));
    assert!(no.tell().is_empty() && no.runs.open().count() == 0, "no is no, for this episode");
}

#[test]
fn what_nobody_answered_may_be_proposed_by_a_person_and_high_risk_takes_two() {
    for (tier, is_high) in [(Tier::Medium, false), (Tier::High, true), (Tier::Critical, true)] {
        let mut scene = Scene::new(Mode::Ask, (1, 1, false));
        scene.topology = Topology([("shop-1".to_owned(), Service { tier, ..Service::default() })].into());
        let wanted = |scene: &mut Scene| {
            let (prediction, playbook) = (scene.prediction.clone(), scene.playbook.clone());
            let known = Known { prediction: &prediction, facts: &Facts::default(), around: &around() };
            scene.feed(Input::Wanted { known, playbook: &playbook, by: "ann" })
        };
        scene.tell();
        let run = scene.key();
        let written = scene.log.len();
        wanted(&mut scene);
        assert_eq!(scene.log.len(), written, "it is under way already");
        scene.pass(Settings::default().approval_expires);
        assert_eq!((scene.outcome(), scene.tell().len(), scene.runs.open().count()), (Some(Outcome::Expired), 0, 0));
        wanted(&mut scene);
        let known = scene.runs.get(run).unwrap();
        assert!(matches!(known.phase, Phase::Waiting { .. }) && known.proposal.by.as_deref() == Some("ann"));
        assert_eq!((known.is_high_risk(), known.objection_to("ann").is_some(), known.objection_to("bob")), (is_high, is_high, None));
        let word = |by, is_approved| Input::Approval { run, by, is_approved, reason: "" };
        assert_eq!(scene.feed(word("ann", true)).is_empty(), is_high, "{tier:?}");
        if is_high {
            assert!(matches!(scene.feed(word("bob", true))[..], [Act::Read { .. }]));
        }
        assert_eq!(starts(&scene.read(&["pod-1"])), [(0, 1, false)]);
        scene.report((0, 1, false), StepEnd::Succeeded);
        scene.feed(Input::Measured { run, value: Some(0.96) });
        let written = scene.log.len();
        assert!(wanted(&mut scene).is_empty() && scene.log.len() == written, "what was done is not done again");
    }
    let mut observe = Scene::new(Mode::Observe, (1, 1, false));
    let (prediction, playbook) = (observe.prediction.clone(), observe.playbook.clone());
    let known = Known { prediction: &prediction, facts: &Facts::default(), around: &around() };
    assert!(observe.feed(Input::Wanted { known, playbook: &playbook, by: "ann" }).is_empty() && observe.log.is_empty());
    let mut own_no = Scene::new(Mode::Ask, (1, 1, false));
    own_no.topology = Topology([("shop-1".to_owned(), Service { tier: Tier::Critical, ..Service::default() })].into());
    let known = Known { prediction: &prediction, facts: &Facts::default(), around: &around() };
    own_no.feed(Input::Wanted { known, playbook: &playbook, by: "ann" });
    own_no.feed(Input::Approval { run: own_no.key(), by: "ann", is_approved: false, reason: "a slip" });
    assert_eq!(own_no.outcome(), Some(Outcome::Rejected), "one may always take one's own back");
}

#[test]
fn a_refusal_is_written_once_and_taken_back_when_it_no_longer_holds() {
    let mut scene = Scene::new(Mode::Execute, (1, 1, false));
    scene.prediction.likelihood = 0.5;
    scene.tell();
    assert_eq!((scene.outcome(), scene.log.len()), (Some(Outcome::Refused), 2));
    scene.tell();
    assert_eq!(scene.log.len(), 2);
    scene.prediction.likelihood = 0.9;
    assert!(matches!(scene.tell()[..], [Act::Read { .. }]));
}

#[test]
fn what_was_done_is_not_done_again_however_much_was_refused_since() {
    let mut scene = Scene::new(Mode::Execute, (1, 1, false)).begun();
    let (done, run) = (scene.prediction.clone(), scene.key());
    scene.report((0, 1, false), StepEnd::Succeeded);
    scene.feed(Input::Measured { run, value: Some(0.5) });
    scene.now = scene.now + Span::MINUTE;
    scene.feed(Input::Measured { run, value: Some(0.5) });
    assert_eq!(scene.outcome(), Some(Outcome::Verified));
    let (topology, settings) = (Topology::default(), scene.settings.clone());
    let world = World { settings: &settings, topology: &topology };
    let tell = |runs: &mut Runs, prediction: &Prediction| {
        let known = Known { prediction, facts: &Facts::default(), around: &around() };
        runs.step(scene.now + Span::DAY.times(2), Input::Prediction { known, playbooks: &[&scene.playbook] }, world)
    };
    let mut runs = scene.runs.clone();
    let refused: Vec<Prediction> =
        (0..1_100).map(|i| Prediction { likelihood: 0.1, ..prediction(1, scene.now + Span::SECOND.times(i + 1)) }).collect();
    assert!(refused.iter().all(|prediction| tell(&mut runs, prediction).records.len() == 2));
    assert_eq!(runs.get(run), None, "its details are forgotten");
    assert_eq!(tell(&mut runs, &done), Turn::default(), "and it is not");
    assert!(refused.iter().all(|prediction| tell(&mut runs, prediction) == Turn::default()), "nor is a refusal written down twice");
}

#[test]
fn drift_and_a_gate_that_closes_abort_before_anything_is_started() {
    for targets in [&["pod-2"][..], &["pod-1", "pod-2"], &[]] {
        let mut scene = Scene::new(Mode::Execute, (1, 1, false));
        scene.tell();
        assert!(scene.read(targets).is_empty());
        assert_eq!(scene.outcome(), Some(Outcome::Aborted), "{targets:?}");
    }
    let mut stopped = Scene::new(Mode::Execute, (1, 1, false));
    stopped.tell();
    stopped.feed(Input::Stop { by: "ops" });
    assert!(stopped.read(&["pod-1"]).is_empty());
    assert_eq!(stopped.outcome(), Some(Outcome::Aborted));
    let mut gone = Scene::new(Mode::Execute, (1, 1, false));
    gone.tell();
    let (run, targets) = (gone.key(), ["pod-1".to_owned()]);
    gone.feed(Input::Targets { run, targets: &targets, known: None });
    assert_eq!(gone.outcome(), Some(Outcome::Aborted));
    let mut unread = Scene::new(Mode::Execute, (1, 1, false));
    unread.tell();
    unread.pass(Span::HOUR);
    assert_eq!(unread.outcome(), Some(Outcome::Aborted));
}

#[test]
fn what_fails_is_tried_again_with_growing_waits_and_then_taken_back_in_reverse() {
    let mut scene = Scene::new(Mode::Execute, (2, 3, true)).begun();
    assert_eq!(starts(&scene.report((0, 1, false), StepEnd::Succeeded)), [(1, 1, false)]);
    assert!(scene.report((1, 1, false), StepEnd::Failed).is_empty());
    assert!(scene.pass(Span::SECOND).is_empty(), "two seconds, a quarter more or less");
    assert_eq!(starts(&scene.pass(Span::SECOND.times(2))), [(1, 2, false)]);
    scene.report((1, 2, false), StepEnd::Failed);
    assert_eq!(starts(&scene.pass(Span::SECOND.times(5))), [(1, 3, false)]);
    assert_eq!(starts(&scene.report((1, 3, false), StepEnd::Failed)), [(1, 1, true)], "what failed may have done something");
    assert_eq!(starts(&scene.report((1, 1, true), StepEnd::Succeeded)), [(0, 1, true)]);
    scene.report((0, 1, true), StepEnd::Succeeded);
    assert_eq!(scene.outcome(), Some(Outcome::RolledBack));
    let Some(Record::Escalated { tried, why, .. }) = scene.log.last().map(|entry| &entry.record) else { panic!("nobody was told") };
    let ends: Vec<_> = tried.iter().map(|tried| (tried.step.as_str(), tried.is_undo, tried.end)).collect();
    let succeeded = StepEnd::Succeeded;
    assert_eq!(ends, [("s0", false, succeeded), ("s1", false, StepEnd::Failed), ("s1", true, succeeded), ("s0", true, succeeded)]);
    assert!(why.ends_with("it was taken back"), "{why}");
}

#[test]
fn what_did_not_help_is_taken_back_but_not_when_it_is_too_late() {
    for (after, outcome) in [(Span::MINUTE, None), (Span::MINUTE.times(40), Some(Outcome::Escalated))] {
        let mut scene = Scene::new(Mode::Execute, (1, 1, true)).begun();
        scene.playbook.rollback.window = Span::MINUTE.times(30);
        scene.report((0, 1, false), StepEnd::Succeeded);
        scene.now = scene.now + after;
        let run = scene.key();
        let acts = scene.feed(Input::Measured { run, value: Some(0.96) });
        assert_eq!((starts(&acts).len(), scene.outcome()), (usize::from(outcome.is_none()), outcome));
    }
}

#[test]
fn what_nobody_knows_of_is_probed_and_never_repeated() {
    let mut scene = Scene::new(Mode::Execute, (1, 3, true)).begun();
    assert!(matches!(scene.pass(Span::MINUTE.times(2))[..], [Act::Probe { .. }]));
    assert!(scene.pass(Span::MINUTE).is_empty());
    assert_eq!(scene.outcome(), Some(Outcome::Escalated));
    assert!(scene.report((0, 1, false), StepEnd::Succeeded).is_empty(), "too late");
    let mut restarted = Scene::new(Mode::Execute, (1, 3, true)).begun();
    restarted.runs = Runs::restore(restarted.log.iter().cloned());
    assert!(matches!(restarted.feed(Input::Restarted)[..], [Act::Probe { .. }]));
    restarted.report((0, 1, false), StepEnd::Succeeded);
    assert_eq!(restarted.runs.get(restarted.key()).unwrap().ends[0], Some(StepEnd::Succeeded));
    let mut timed_out = Scene::new(Mode::Execute, (1, 3, false)).begun();
    assert!(timed_out.report((0, 1, false), StepEnd::TimedOut).is_empty(), "of what timed out nobody knows how far it came");
    assert_eq!(timed_out.outcome(), Some(Outcome::Escalated));
}

#[test]
fn a_step_may_wait_for_an_earlier_one_to_fail() {
    let text = "name: p\nabout: does it\ntarget: \"{{pod}}\"\nsteps:\n  - { name: a, action: command }\n  - { name: b, action: notify, when: { step: a, is: failed } }\n  - { name: c, action: notify, when: { step: a, is: succeeded } }\n";
    let make = || Scene { playbook: serde_saphyr::from_str(text).unwrap(), ..Scene::new(Mode::Execute, (1, 1, false)) }.begun();
    let mut fine = make();
    assert_eq!(starts(&fine.report((0, 1, false), StepEnd::Succeeded)), [(2, 1, false)]);
    let mut bad = make();
    assert_eq!(starts(&bad.report((0, 1, false), StepEnd::Failed)), [(1, 1, false)]);
    bad.report((1, 1, false), StepEnd::Succeeded);
    assert_eq!(bad.outcome(), Some(Outcome::Escalated), "it was handled, and it was not done");
}

#[test]
fn stopped_means_that_nothing_more_is_started() {
    let mut scene = Scene::new(Mode::Execute, (2, 1, true)).begun();
    scene.feed(Input::Stop { by: "ops" });
    assert!(scene.report((0, 1, false), StepEnd::Succeeded).is_empty());
    assert_eq!(scene.outcome(), Some(Outcome::Escalated));
    scene.feed(Input::Resume { by: "ops" });
    assert_eq!(scene.runs.stopped(), None);
}

#[test]
fn what_is_silenced_is_refused_until_it_is_not_and_what_waits_does_not_begin() {
    let wish = |matcher: &str, now| {
        let matchers = vec![matcher.parse().unwrap()];
        let until = Until::For(Span::MINUTE.times(10));
        OwnSilence::new(Wish { matchers, starts_at: None, until, by: "ann".into(), comment: "mending".into() }, now).unwrap()
    };
    let mut scene = Scene::new(Mode::Execute, (1, 1, false));
    let (other, own) = (wish("pod=pod-2", scene.now), wish("pod=~pod-[1]", scene.now));
    scene.feed(Input::Silence { silence: &other });
    scene.feed(Input::Silence { silence: &own });
    let written = scene.log.len();
    scene.feed(Input::Silence { silence: &own });
    scene.feed(Input::Unsilence { silence: wish("pod=pod-3", scene.now).id, by: "ann" });
    assert_eq!(scene.log.len(), written, "neither the same twice, nor the end of what is not there");
    assert!(scene.tell().is_empty());
    let run = scene.runs.get(scene.key()).unwrap();
    let why = run.verdict.obstacles().next().unwrap().reason.to_string();
    assert_eq!(
        (run.outcome(), why.contains(&own.id.to_string()) && why.contains("ann (mending)")),
        (Some(Outcome::Refused), true),
        "{why}"
    );
    // By itself at its end, or before it by a person.
    let mut ended = Scene { runs: scene.runs.clone(), log: scene.log.clone(), ..Scene::new(Mode::Execute, (1, 1, false)) };
    ended.feed(Input::Unsilence { silence: own.id, by: "bob" });
    assert!(matches!(ended.tell()[..], [Act::Read { .. }]));
    ended.feed(Input::Unsilence { silence: own.id, by: "bob" });
    let ends = ended.log.iter().filter(|entry| matches!(entry.record, Record::Unsilenced { .. }));
    assert_eq!(ends.count(), 1);
    scene.now = own.ends_at - Span::from_millis(1);
    assert!(scene.tell().is_empty());
    scene.now = own.ends_at;
    assert!(matches!(scene.tell()[..], [Act::Read { .. }]));
    // What was allowed a moment ago, and is silenced when it is to begin.
    let again = wish("service=~shop.*", scene.now);
    scene.feed(Input::Silence { silence: &again });
    assert!(scene.read(&["pod-1"]).is_empty());
    assert_eq!(scene.outcome(), Some(Outcome::Aborted));
}

#[test]
fn records_come_back_from_json_and_name_what_they_are() {
    let mut scene = Scene::new(Mode::Execute, (1, 1, true)).begun();
    scene.report((0, 1, false), StepEnd::Succeeded);
    let run = scene.key();
    scene.feed(Input::Measured { run, value: Some(0.5) });
    for entry in &scene.log {
        let text = serde_json::to_string(entry).unwrap();
        let back: Entry = serde_json::from_str(&text).unwrap();
        assert_eq!(&back, entry, "{text}");
    }
    let Record::Proposed { verdict, .. } = &scene.log[0].record else { panic!() };
    assert_eq!(verdict.decision, Decision::Allow);
    assert!(matches!(scene.log.last().unwrap().record, Record::Measured { answer: Answer::NotYet, .. }));
    let key: RunKey = run.to_string().parse().unwrap();
    assert_eq!(key, run);
    assert!("r12".parse::<RunKey>().is_err() && "x0000000000000000".parse::<RunKey>().is_err());
}

#[test]
fn a_key_is_of_playbook_targets_and_episode() {
    let (play, now) = (playbook("p", (1, 1, false)), Timestamp::default());
    let (a, b) = (prediction(1, now).id, prediction(1, now + Span::HOUR).id);
    let of = |targets: &[&str], id| RunKey::new(&play, &targets.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>(), id);
    assert_eq!(of(&["x", "y"], &a), of(&["y", "x", "y"], &a));
    assert!(of(&["x"], &a) != of(&["y"], &a) && of(&["x"], &a) != of(&["x"], &b) && of(&["ab", "c"], &a) != of(&["a", "bc"], &a));
    assert_ne!(RunKey::new(&playbook("p", (2, 1, false)), &[], &a), RunKey::new(&play, &[], &a));
}
