//! Several playbooks for the same trouble, used again and again: the one that helps is found, and nothing is done that the gate does not
//! allow.

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::fixtures::{around, playbook, prediction, settings};
use super::*;
use crate::core::gate::{Breaker, Decision, Mode, Settings};
use crate::core::playbook::{Facts, Playbook, StepEnd};
use crate::core::prediction::Prediction;
use crate::core::topology::Topology;

/// How often each helps. The last helps always and may only be looked at.
const HELPS: [f64; 3] = [0.3, 0.9, 1.0];
const EPISODES: usize = 150;

struct Bandit {
    rng: StdRng,
    runs: Runs,
    settings: Settings,
    playbooks: Vec<Playbook>,
    log: Vec<Entry>,
    now: Timestamp,
}

impl Bandit {
    fn new(seed: u64) -> Self {
        let mut playbooks: Vec<Playbook> = ["poor", "good", "forbidden"].map(|name| playbook(name, (1, 1, false))).into();
        playbooks[2].mode = Some(Mode::Observe);
        let breaker = Breaker { failures: 1_000, ..settings().breaker };
        let settings = Settings { max_attempts: 1_000, backoff: Span::SECOND, breaker, ..settings() };
        let now = Timestamp::from_millis(1_793_577_600_000);
        Self { rng: StdRng::seed_from_u64(seed), runs: Runs::default(), settings, playbooks, log: Vec::new(), now }
    }

    fn feed(&mut self, input: Input<'_>) -> Vec<Act> {
        let turn = self.runs.step(self.now, input, World { settings: &self.settings, topology: &Topology::default() });
        self.log.extend(turn.records);
        turn.acts
    }

    /// One prediction, until nothing is left to be done about it; the playbook that began by itself.
    fn episode(&mut self, number: usize) -> Option<String> {
        self.now = self.now + Span::HOUR.times(2);
        let prediction = prediction(number % 7, self.now);
        let playbooks = self.playbooks.clone();
        let order: Vec<&Playbook> = playbooks.iter().collect();
        let (facts, around) = (Facts::default(), around());
        let known = Known { prediction: &prediction, facts: &facts, around: &around };
        let acts = self.feed(Input::Prediction { known, playbooks: &order });
        let Some(Act::Read { run }) = acts.first().cloned() else {
            // It is asked about; nobody answers.
            self.now = self.now + Span::HOUR;
            self.feed(Input::Tick);
            return None;
        };
        self.carry_through(run, &prediction);
        self.runs.get(run).map(|run| run.proposal.playbook.name.clone())
    }

    fn carry_through(&mut self, run: RunKey, prediction: &Prediction) {
        let Some(proposal) = self.runs.get(run).map(|run| run.proposal.clone()) else { panic!("{run} is not there") };
        assert_eq!(self.runs.get(run).unwrap().verdict.decision, Decision::Allow);
        let index = self.playbooks.iter().position(|own| own.name == proposal.playbook.name).unwrap();
        let does_help = self.rng.random_bool(HELPS[index]);
        let (facts, around) = (Facts::default(), around());
        let known = Known { prediction, facts: &facts, around: &around };
        let acts = self.feed(Input::Targets { run, targets: &proposal.targets, known: Some(known) });
        let [Act::Start { what, .. }] = acts[..] else { panic!("{acts:?}") };
        self.feed(Input::Report { run, what, end: StepEnd::Succeeded, note: "" });
        for _ in 0..20 {
            self.now = self.now + Span::SECOND.times(30);
            self.feed(Input::Tick);
            self.feed(Input::Measured { run, value: Some(if does_help { 0.5 } else { 0.99 }) });
        }
        assert!(self.runs.get(run).unwrap().is_closed());
    }
}

#[test]
fn the_better_playbook_is_found_and_the_gate_is_never_left() {
    let (mut late_good, mut late) = (0, 0);
    for seed in 0..10 {
        let mut bandit = Bandit::new(seed);
        let chosen: Vec<Option<String>> = (0..EPISODES).map(|number| bandit.episode(number)).collect();
        assert!(chosen.iter().flatten().all(|name| name != "forbidden"), "seed {seed}");
        for name in ["poor", "good"] {
            assert!(chosen[..EPISODES / 2].iter().flatten().any(|own| own == name), "seed {seed}: {name} was never tried");
        }
        let half = &chosen[EPISODES / 2..];
        late += half.len();
        late_good += half.iter().flatten().filter(|name| *name == "good").count();
        assert_eq!(Runs::restore(bandit.log.iter().cloned()), bandit.runs, "seed {seed}");
        let stats = bandit.runs.learned().stats(bandit.now, bandit.settings.learning.half_life);
        let rate = |name: &str| stats.playbooks.iter().find(|p| p.playbook == name).map(|p| p.standing.rate).unwrap();
        assert!(rate("good") > 0.75 && rate("poor") < rate("good") - 0.1, "seed {seed}: {stats:?}");
        let ranked =
            bandit.log.iter().find_map(|entry| if let Record::Proposed { ranked, .. } = &entry.record { Some(ranked.len()) } else { None });
        assert_eq!(ranked, Some(3), "what decided stands in the record");
    }
    assert!(late_good * 10 > late * 9, "{late_good} of {late}");
}

#[test]
fn what_keeps_failing_is_asked_about_then_left_alone_and_may_come_back() {
    let mut bandit = Bandit::new(1);
    bandit.playbooks.truncate(1);
    let decide = |bandit: &mut Bandit, number: usize| {
        let before = bandit.log.len();
        bandit.episode(number);
        bandit.log[before..]
            .iter()
            .find_map(|e| if let Record::Proposed { verdict, .. } = &e.record { Some(verdict.clone()) } else { None })
            .unwrap()
    };
    // Its actuator fails every time.
    bandit.playbooks[0].name = "hopeless".into();
    let hopeless = bandit.playbooks[0].clone();
    let mut decisions = Vec::new();
    for number in 0..14 {
        bandit.now = bandit.now + Span::HOUR.times(2);
        let prediction = prediction(number % 7, bandit.now);
        let (facts, around) = (Facts::default(), around());
        let known = Known { prediction: &prediction, facts: &facts, around: &around };
        let acts = bandit.feed(Input::Prediction { known, playbooks: &[&hopeless] });
        let run = bandit.runs.all().map(|(key, run)| (run.proposed_at, key)).max().unwrap().1;
        decisions.push(bandit.runs.get(run).unwrap().verdict.decision);
        let acts = if acts.is_empty() { bandit.feed(Input::Approval { run, by: "ann", is_approved: true, reason: "" }) } else { acts };
        let Some(Act::Read { run }) = acts.first().cloned() else { continue };
        let targets = bandit.runs.get(run).unwrap().proposal.targets.clone();
        let acts = bandit.feed(Input::Targets { run, targets: &targets, known: Some(known) });
        let Some(Act::Start { run, what, .. }) = acts.first().cloned() else { panic!("{acts:?}") };
        bandit.feed(Input::Report { run, what, end: StepEnd::Failed, note: "" });
    }
    let first = |wanted| decisions.iter().position(|decision| *decision == wanted).unwrap();
    assert!(first(Decision::Allow) < first(Decision::Ask) && first(Decision::Ask) < first(Decision::Deny), "{decisions:?}");
    assert_eq!(decisions.last(), Some(&Decision::Deny), "{decisions:?}");
    bandit.feed(Input::Forgive { playbook: "hopeless", by: "ann" });
    bandit.playbooks = vec![hopeless];
    assert_eq!(decide(&mut bandit, 3).decision, Decision::Allow, "by a person's word");
}
