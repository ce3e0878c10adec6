//! Each check at, below and above its edge, and how they go together.

use std::collections::BTreeMap;

use super::*;
use crate::core::playbook::{Compare, Condition};
use crate::core::prediction::Eta;
use crate::core::run::fixtures;
use crate::core::silence::own::SilenceId;
use crate::core::topology::Service;
use crate::core::watch::Impact;

const NOW: Timestamp = Timestamp::from_millis(1_793_577_600_000);

fn prediction() -> Prediction {
    let eta = Eta { p50: Some(NOW + Span::HOUR.times(2)), ..Eta::default() };
    Prediction { service: "shop".into(), eta, ..fixtures::prediction(0, NOW - Span::HOUR) }
}

/// Everything the gate is asked with, all of it fine.
struct Case {
    prediction: Prediction,
    playbook: Playbook,
    targets: Vec<String>,
    facts: Facts,
    settings: Settings,
    topology: Topology,
    history: History,
    around: Around,
    now: Timestamp,
}

impl Case {
    fn new() -> Self {
        let text = "name: restart\nabout: restarts it\nsteps: [{ name: restart, action: command }]\n";
        Self {
            prediction: prediction(),
            playbook: serde_saphyr::from_str(text).unwrap(),
            targets: vec!["shop/a".into()],
            facts: Facts::default(),
            settings: fixtures::settings(),
            topology: Topology::default(),
            history: History::default(),
            around: fixtures::around(),
            now: NOW,
        }
    }

    fn verdict(&self) -> Verdict {
        let Self { prediction, playbook, targets, facts, settings, topology, history, around, now } = self;
        judge(&Request { now: *now, prediction, playbook, targets, facts, settings, topology, history, around })
    }

    fn decision(&self) -> Decision {
        self.verdict().decision
    }

    fn ran(&mut self, key: u64, ago: Span, ended: Option<Ended>) {
        let started_at = self.now - ago;
        let (playbook, service) = ("restart".to_owned(), "shop".to_owned());
        self.history.start(Ran { key, playbook, targets: vec!["shop/a".into()], service, started_at, ended: None });
        if let Some(ended) = ended {
            self.history.end(key, started_at + Span::MINUTE, ended);
        }
    }

    fn ran_elsewhere(&mut self, key: u64, ago: Span, service: &str) {
        let ran = Ran {
            key,
            playbook: "other".into(),
            targets: vec![format!("t{key}")],
            service: service.into(),
            started_at: self.now - ago,
            ended: Some((self.now, Ended::Helped)),
        };
        self.history.start(ran);
    }
}

fn decided(change: impl FnOnce(&mut Case)) -> Decision {
    let mut case = Case::new();
    change(&mut case);
    case.decision()
}

#[test]
fn what_is_fine_in_every_way_is_allowed_and_says_so_with_every_number() {
    let verdict = Case::new().verdict();
    assert_eq!((verdict.decision, verdict.obstacles().count()), (Decision::Allow, 0));
    assert!(verdict.findings.len() >= 12, "{verdict:?}");
    for finding in &verdict.findings {
        assert!(finding.reason.to_string().len() > 8, "{finding:?}");
    }
    let back: Verdict = serde_json::from_str(&serde_json::to_string(&verdict).unwrap()).unwrap();
    assert_eq!(back, verdict);
}

#[test]
fn the_mode_is_the_last_word_and_a_playbook_can_only_take_away() {
    let in_mode = |global, own: Option<Mode>| {
        decided(|case| {
            case.settings.mode = global;
            case.playbook.mode = own;
        })
    };
    assert_eq!(in_mode(Mode::Observe, None), Decision::Deny);
    assert_eq!(in_mode(Mode::Shadow, None), Decision::Shadow);
    assert_eq!(in_mode(Mode::Ask, None), Decision::Ask);
    assert_eq!(in_mode(Mode::Execute, Some(Mode::Ask)), Decision::Ask);
    assert_eq!(in_mode(Mode::Observe, Some(Mode::Execute)), Decision::Deny, "nothing raises it but the configuration");
    assert_eq!(Settings::default().mode, Mode::Observe);
    let mut refused = Case::new();
    (refused.settings.mode, refused.around.killed) = (Mode::Shadow, Some("ops".into()));
    assert_eq!(refused.decision(), Decision::Deny, "what would not be done is no shadow");
}

#[test]
fn likelihood_and_impact_at_below_and_above_their_edges() {
    let likely = |likelihood| decided(|case| case.prediction.likelihood = likelihood);
    assert_eq!([0.699, 0.7, 0.799, 0.8, 1.0].map(likely), [Decision::Deny, Decision::Ask, Decision::Ask, Decision::Allow, Decision::Allow]);
    assert_eq!(likely(f64::NAN), Decision::Deny);
    let of = |impact, least| {
        decided(|case| {
            case.prediction.impact = impact;
            case.settings.min_impact = least;
        })
    };
    assert_eq!(of(Impact::Medium, Impact::High), Decision::Deny);
    assert_eq!((of(Impact::High, Impact::High), of(Impact::Critical, Impact::High)), (Decision::Allow, Decision::Allow));
}

#[test]
fn bad_old_young_and_partial_data_admit_nothing() {
    let most = Settings::default().max_data_age;
    let aged = |age| decided(|case| case.around.data_age = age);
    let ms = Span::from_millis(1);
    assert_eq!(
        [Some(most - ms), Some(most), Some(most + ms), None].map(aged),
        [Decision::Allow, Decision::Allow, Decision::Deny, Decision::Deny]
    );
    let known = |span| decided(|case| case.around.known_for = span);
    assert_eq!([Some(Span::DAY - ms), Some(Span::DAY), None].map(known), [Decision::Deny, Decision::Allow, Decision::Deny]);
    assert_eq!(decided(|case| case.around.is_partial = true), Decision::Deny);
}

#[test]
fn nothing_to_act_on_is_nothing_and_what_is_over_is_over() {
    assert_eq!(decided(|case| case.targets.clear()), Decision::Deny);
    assert_eq!(decided(|case| case.targets.push(String::new())), Decision::Deny);
    assert_eq!(decided(|case| case.prediction.state = State::Resolved), Decision::Deny);
}

#[test]
fn stopped_and_silenced_is_stopped_and_silenced() {
    assert_eq!(decided(|case| case.around.killed = Some("a file".into())), Decision::Deny);
    let silence = |id| Covered { id, by: "ann (maintenance)".into(), until: NOW };
    for (id, said) in [(None, "silenced by ann (maintenance) until "), (Some(SilenceId(0xa)), ": s000000000000000a")] {
        let mut case = Case::new();
        case.around.silence = Some(silence(id));
        let verdict = case.verdict();
        let reason = verdict.obstacles().next().map(|finding| finding.reason.to_string()).unwrap_or_default();
        assert_eq!((verdict.decision, reason.contains(said)), (Decision::Deny, true), "{reason}");
    }
    let reason = Reason::Silenced { silence: silence(Some(SilenceId(0xa))) };
    let json = serde_json::to_value(&reason).unwrap();
    assert_eq!(json, serde_json::json!({ "check": "silenced", "id": "s000000000000000a", "by": "ann (maintenance)", "until": NOW }));
    assert_eq!(serde_json::from_value::<Reason>(json).unwrap(), reason);
    let old = serde_json::json!({ "check": "silenced", "by": "ann (maintenance)", "until": NOW });
    assert_eq!(serde_json::from_value::<Reason>(old).unwrap(), Reason::Silenced { silence: silence(None) });
}

#[test]
fn an_anomaly_asks_and_only_a_glaring_one_is_acted_on_alone() {
    let scored = |score: Option<f64>| {
        decided(|case| {
            (case.prediction.cause, case.prediction.likelihood) = (Cause::Anomaly, 1.0);
            let evidence = score.map(|value| Evidence { kind: Evidence::ANOMALY.into(), text: String::new(), value });
            case.prediction.evidence = evidence.into_iter().collect();
        })
    };
    let scores = [Some(0.999), Some(1.0), Some(1.999), Some(2.0), Some(f64::NAN), None];
    let (deny, ask, allow) = (Decision::Deny, Decision::Ask, Decision::Allow);
    assert_eq!(scores.map(scored), [deny, ask, ask, allow, deny, deny]);
    let young = decided(|case| {
        case.prediction.cause = Cause::Anomaly;
        case.prediction.evidence = vec![Evidence { kind: Evidence::ANOMALY.into(), text: String::new(), value: 9.0 }];
        case.around.known_for = None;
    });
    assert_eq!(young, Decision::Deny);
}

#[test]
fn silences_that_nobody_knows_are_none_and_are_said() {
    let mut case = Case::new();
    case.around.silences_unknown = Some("no answer".into());
    let verdict = case.verdict();
    assert_eq!(verdict.decision, Decision::Allow);
    let said: Vec<String> = verdict.findings.iter().map(|finding| finding.reason.to_string()).collect();
    assert!(said.iter().any(|said| said == "taken for not silenced, since nobody can say: no answer"), "{said:?}");
}

#[test]
fn the_blast_radius_and_the_tier_ask_a_person() {
    let with = |dependents: usize| {
        decided(|case| {
            let needs = Service { depends_on: vec!["shop".into()], ..Service::default() };
            case.topology = Topology((0..dependents).map(|i| (format!("s{i}"), needs.clone())).collect());
        })
    };
    assert_eq!([0, 2, 3].map(with), [Decision::Allow, Decision::Allow, Decision::Ask]);
    let tier = |tier| decided(|case| case.topology = Topology([("shop".to_owned(), Service { tier, ..Service::default() })].into()));
    assert_eq!((tier(Tier::High), tier(Tier::Critical)), (Decision::Allow, Decision::Ask));
}

#[test]
fn when_much_of_a_group_is_sick_nothing_is_done() {
    let sick = |sick, of: usize| {
        decided(|case| {
            let member = Service { group: Some("web".into()), ..Service::default() };
            let mut services: BTreeMap<String, Service> = (1..of).map(|i| (format!("s{i}"), member.clone())).collect();
            services.insert("shop".into(), member);
            case.topology = Topology(services);
            case.around.sick = sick;
        })
    };
    assert_eq!((sick(1, 5), sick(2, 10), sick(3, 10), sick(2, 5)), (Decision::Allow, Decision::Allow, Decision::Deny, Decision::Deny));
    assert_eq!((sick(0, 2), sick(1, 2)), (Decision::Allow, Decision::Deny), "two are a group");
    assert_eq!(sick(1, 1), Decision::Allow, "a lone one is no group");
}

#[test]
fn a_cooldown_and_what_is_under_way_keep_others_away() {
    let ago = |ms: i64| decided(|case| case.ran(1, Settings::default().cooldown - Span::from_millis(ms), Some(Ended::Helped)));
    assert_eq!([1, 0, -1].map(ago), [Decision::Deny, Decision::Allow, Decision::Allow]);
    assert_eq!(decided(|case| case.ran(1, Span::HOUR.times(5), None)), Decision::Deny, "one running action a target");
    assert_eq!(decided(|case| case.ran(1, Span::ZERO - Span::HOUR, Some(Ended::Helped))), Decision::Deny, "the clock was set back");
    let own = decided(|case| {
        case.playbook.cooldown = Some(Span::HOUR);
        case.ran(1, Span::MINUTE.times(59), Some(Ended::Helped));
    });
    assert_eq!(own, Decision::Deny);
    let two = decided(|case| {
        case.ran(1, Span::DAY, Some(Ended::Helped));
        case.ran(2, Span::MINUTE, Some(Ended::Helped));
    });
    assert_eq!(two, Decision::Deny, "the last one counts");
}

#[test]
fn rates_at_below_and_above() {
    let service = |runs: u64| decided(|case| (0..runs).for_each(|i| case.ran_elsewhere(i, Span::MINUTE.times(59), "shop")));
    assert_eq!([2, 3].map(service), [Decision::Allow, Decision::Deny]);
    let later = decided(|case| (0..3).for_each(|i| case.ran_elsewhere(i, Span::HOUR, "shop")));
    assert_eq!(later, Decision::Allow, "an hour is over after an hour");
    let minute = |runs: u64| decided(|case| (0..runs).for_each(|i| case.ran_elsewhere(i, Span::SECOND.times(59), &format!("s{i}"))));
    assert_eq!([59, 60].map(minute), [Decision::Allow, Decision::Deny]);
    let hour = |runs: u64| decided(|case| (0..runs).for_each(|i| case.ran_elsewhere(i, Span::MINUTE.times(59), &format!("s{i}"))));
    assert_eq!([499, 500].map(hour), [Decision::Allow, Decision::Deny]);
}

#[test]
fn what_does_not_help_is_tried_less_and_then_not_at_all() {
    let hours = Span::HOUR;
    let in_vain = |runs: u64, ago: Span| decided(|case| (0..runs).for_each(|i| case.ran(i, ago, Some(Ended::DidNotHelp))));
    assert_eq!([2, 3].map(|runs| in_vain(runs, hours.times(5))), [Decision::Allow, Decision::Deny]);
    // Ended a minute after it began.
    let day = Span::DAY + Span::MINUTE;
    assert_eq!([day - Span::from_millis(1), day].map(|ago| in_vain(3, ago)), [Decision::Deny, Decision::Allow], "another day");
    // 40 minutes after two failures, and 10 are asked for.
    let backoff = |ago| {
        decided(|case| {
            case.settings.cooldown = Span::ZERO;
            (0..2).for_each(|i| case.ran(i, ago, Some(Ended::DidNotHelp)));
        })
    };
    let edge = Span::MINUTE.times(11);
    assert_eq!([edge - Span::from_millis(1), edge].map(backoff), [Decision::Deny, Decision::Allow]);
    let since_helped = decided(|case| {
        (0..3).for_each(|i| case.ran(i, hours.times(6), Some(Ended::DidNotHelp)));
        case.ran(9, hours.times(5), Some(Ended::Helped));
    });
    assert_eq!(since_helped, Decision::Allow);
}

#[test]
fn an_actuator_that_fails_is_left_alone_for_a_while() {
    let failed = |times: u32, ago: Span| decided(|case| (0..times).for_each(|_| case.history.actuator("command", NOW - ago, false)));
    let open = Settings::default().breaker.open_for;
    assert_eq!([2, 3].map(|times| failed(times, Span::MINUTE)), [Decision::Allow, Decision::Deny]);
    assert_eq!([open - Span::from_millis(1), open].map(|ago| failed(3, ago)), [Decision::Deny, Decision::Allow]);
    let recovered = decided(|case| {
        (0..3).for_each(|_| case.history.actuator("command", NOW, false));
        case.history.actuator("command", NOW, true);
    });
    assert_eq!(recovered, Decision::Allow);
    let other = decided(|case| (0..3).for_each(|_| case.history.actuator("http", NOW, false)));
    assert_eq!(other, Decision::Allow);
}

#[test]
fn a_clock_that_is_set_moves_no_limit() {
    for by in [Span::DAY, Span::ZERO - Span::DAY] {
        let decision = decided(|case| {
            case.ran(1, Span::MINUTE, Some(Ended::Helped));
            case.now = case.now + by;
            case.history.shift(by);
        });
        assert_eq!(decision, Decision::Deny, "{by}");
    }
}

#[test]
fn conditions_must_hold_and_be_known() {
    let with = |metric: &str, is: Compare, fact: Option<f64>| {
        decided(|case| {
            case.playbook.when.conditions = vec![Condition { metric: metric.into(), is, holds: Span::ZERO }];
            case.facts.0.extend(fact.map(|value| (metric.to_owned(), (value, Some(NOW)))));
        })
    };
    assert_eq!(with("current_value", Compare::Ge(0.8), None), Decision::Allow);
    assert_eq!(with("current_value", Compare::Gt(0.8), None), Decision::Deny);
    assert_eq!((with("eta_s", Compare::Le(7_200.0), None), with("eta_s", Compare::Lt(7_200.0), None)), (Decision::Allow, Decision::Deny));
    assert_eq!(with("value", Compare::Ge(0.8), None), Decision::Allow);
    assert_eq!((with("threshold", Compare::Ge(0.95), None), with("threshold", Compare::Gt(0.95), None)), (Decision::Allow, Decision::Deny));
    assert_eq!(with("predicted_value", Compare::Gt(0.0), None), Decision::Deny, "there is no forecast");
    let going_to = |value| {
        decided(|case| {
            case.prediction.predicted_value = Some(value);
            let is = Compare::Gt(0.9);
            case.playbook.when.conditions = vec![Condition { metric: "predicted_value".into(), is, holds: Span::ZERO }];
        })
    };
    assert_eq!([0.9, 0.91].map(going_to), [Decision::Deny, Decision::Allow], "and not the threshold, 0.95");
    assert_eq!((with("score", Compare::Gt(0.0), None), with("failures", Compare::Gt(0.0), None)), (Decision::Deny, Decision::Deny));
    assert_eq!(with("rate(x[5m])", Compare::Gt(1.0), Some(2.0)), Decision::Allow);
    assert_eq!(with("rate(x[5m])", Compare::Gt(1.0), None), Decision::Deny, "what is not known does not hold");
    let for_long = |minutes| {
        decided(|case| {
            case.playbook.when.conditions = vec![Condition { metric: "x".into(), is: Compare::Gt(1.0), holds: Span::MINUTE.times(5) }];
            case.facts.0.insert("x".into(), (2.0, Some(NOW - Span::MINUTE.times(minutes))));
        })
    };
    assert_eq!((for_long(4), for_long(5)), (Decision::Deny, Decision::Allow));
}

#[test]
fn failures_must_repeat_and_a_playbook_that_fails_is_demoted() {
    let seen = |failures| {
        decided(|case| {
            (case.prediction.cause, case.around.failures, case.around.known_for) = (Cause::Check, failures, None);
        })
    };
    assert_eq!([Some(2), Some(3), Some(4), None].map(seen), [Decision::Deny, Decision::Allow, Decision::Allow, Decision::Deny]);
    let of_a_breach = decided(|case| case.around.failures = Some(0));
    assert_eq!(of_a_breach, Decision::Allow, "no check is asked about");
    let trusted = |rate, evidence| decided(|case| case.around.trust = Some(trust(rate, evidence)));
    assert_eq!((trusted(0.49, 5.0), trusted(0.5, 5.0), trusted(0.1, 4.99)), (Decision::Ask, Decision::Allow, Decision::Allow));
    assert_eq!((trusted(0.25, 10.0), trusted(0.249, 10.0)), (Decision::Ask, Decision::Deny), "what keeps failing is not even proposed");
    assert_eq!(trusted(0.249, 9.99), Decision::Ask, "people are asked first");
}

fn trust(rate: f64, evidence: f64) -> Trust {
    Trust { rate, low: rate / 2.0, high: rate.midpoint(1.0), evidence }
}

#[test]
fn how_likely_it_has_to_be_moves_with_trust_and_never_out_of_its_bounds() {
    let decided_at = |likelihood: f64, rate: f64, lower: f64| {
        decided(|case| {
            case.prediction.likelihood = likelihood;
            case.around.trust = Some(trust(rate, 10.0));
            case.settings.learning.lower_likelihood = lower;
        })
    };
    assert_eq!(decided_at(0.85, 0.65, 0.0), Decision::Allow, "half way from usual to doubtful: 0.85");
    assert_eq!(decided_at(0.8499, 0.65, 0.0), Decision::Ask);
    assert_eq!(decided_at(0.7499, 0.65, 0.0), Decision::Deny);
    assert_eq!((decided_at(0.8, 0.8, 0.1), decided_at(0.7999, 0.8, 0.1)), (Decision::Allow, Decision::Ask), "as usual");
    assert_eq!((decided_at(0.8, 1.0, 0.0), decided_at(0.7999, 1.0, 0.0)), (Decision::Allow, Decision::Ask), "no bound says it may be less");
    assert_eq!((decided_at(0.7, 1.0, 0.1), decided_at(0.6999, 1.0, 0.1)), (Decision::Allow, Decision::Ask));
    assert_eq!(decided_at(0.5999, 1.0, 0.1), Decision::Deny);
    let mut case = Case::new();
    (case.prediction.likelihood, case.around.trust) = (0.8, Some(trust(0.5, 4.0)));
    assert_eq!(case.decision(), Decision::Allow, "too little is known to ask for more");
    let said: Vec<String> = case.verdict().findings.iter().map(|finding| finding.reason.to_string()).collect();
    assert!(said.iter().any(|reason| reason == "too little is known of how often it helps: 4.0 runs, 5 at least"), "{said:?}");
    (case.around.trust, case.prediction.likelihood) = (Some(trust(0.4, 8.0)), 0.95);
    let verdict = case.verdict();
    let obstacle = verdict.obstacles().next().unwrap().reason.to_string();
    assert_eq!(obstacle, "it helps in 40 % of runs (20 to 70), known from 8.0: demoted to ask");
    let back: Verdict = serde_json::from_str(&serde_json::to_string(&verdict).unwrap()).unwrap();
    assert_eq!(back, verdict);
}

#[test]
fn the_lot_is_drawn_last_and_only_about_what_would_begin_by_itself_at_low_risk() {
    let held = |change: &dyn Fn(&mut Case)| {
        let mut case = Case::new();
        (case.prediction.impact, case.settings.hold_out, case.around.lot) = (Impact::Medium, 0.05, Some(0.0499));
        change(&mut case);
        let verdict = case.verdict();
        (verdict.held_out(), verdict.decision)
    };
    assert_eq!(held(&|_| {}), (Some(true), Decision::Deny));
    assert_eq!(held(&|case| case.around.lot = Some(0.05)), (Some(false), Decision::Allow));
    for nothing in [
        &(|case: &mut Case| case.settings.hold_out = 0.0) as &dyn Fn(&mut Case),
        &|case| case.around.lot = None,
        &|case| case.prediction.impact = Impact::High,
        &|case| case.settings.mode = Mode::Ask,
        &|case| case.playbook.mode = Some(Mode::Shadow),
        &|case| case.prediction.likelihood = 0.75,
        &|case| {
            case.topology.0.insert("shop".into(), Service { tier: Tier::High, ..Service::default() });
        },
        &|case| {
            case.topology.0.insert("web".into(), Service { depends_on: vec!["shop".into()], ..Service::default() });
        },
    ] {
        assert_eq!(held(nothing).0, None, "nothing is drawn");
    }
    let mut case = Case::new();
    (case.prediction.impact, case.settings.hold_out, case.around.lot) = (Impact::Low, 0.05, Some(0.01));
    let said = case.verdict().obstacles().next().unwrap().reason.to_string();
    assert_eq!(said, "held out by lot, to measure what acting is worth: 0.010 is below 0.05");
}

#[test]
fn where_nothing_was_looked_at_nothing_is_allowed() {
    let verdict = Verdict::new(Mode::Execute, Vec::new());
    assert_eq!((verdict.decision, verdict.otherwise), (Decision::Deny, Decision::Deny));
}
