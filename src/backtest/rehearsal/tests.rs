//! What would have been done, against what one decides by hand from the same predictions.

use super::super::pictures_tests::{past, shares};
use super::super::{Backtest, Diff, Judging, Report, files};
use super::*;
use crate::core::gate;
use crate::core::watch::Impact;

fn playbook(name: &str, more: &str) -> Playbook {
    let text = format!("name: {name}\nabout: does it\nwhen: {{ codes: [files]{more} }}\nsteps: [{{ name: s, action: command }}]\n");
    serde_saphyr::from_str(&text).unwrap()
}

fn report(rehearsal: Option<Rehearsal>) -> Report {
    let past = past();
    let shares = shares(&past);
    let judging = Judging { from: None, warmup: Some(Span::DAY.times(3)) };
    let playbooks = rehearsal.as_ref().map(|r| r.playbooks.clone()).unwrap_or_default();
    let mut backtest = Backtest::new(shares.iter().map(|s| s.watch.clone()).collect(), playbooks, judging);
    if let Some(rehearsal) = rehearsal {
        backtest.rehearse(rehearsal);
    }
    files::feed(&mut backtest, &past, &shares, None, |_| true).unwrap();
    backtest.finish(false).unwrap()
}

fn rehearsed(settings: Settings, playbooks: &[Playbook]) -> Rehearsed {
    report(Some(Rehearsal::new(settings, Topology::default(), playbooks.to_vec()))).acting.unwrap()
}

fn execute() -> Settings {
    Settings { mode: Mode::Execute, ..Settings::default() }
}

#[test]
fn what_is_likely_enough_is_acted_upon_what_is_less_is_asked_about_and_all_is_counted() {
    let report = report(Some(Rehearsal::new(execute(), Topology::default(), vec![playbook("scale", "")])));
    let acting = report.acting.as_ref().unwrap();
    assert_eq!(acting.predictions, report.predictions.len() as u64);
    assert!(acting.would_have_acted > 0, "{acting:?}");
    assert_eq!(acting.counts().iter().map(|(_, count)| count).sum::<u64>(), acting.predictions, "each prediction once");
    for decided in acting.best() {
        let raised = report.predictions.iter().find(|told| told.prediction.id == decided.prediction).unwrap();
        assert!(decided.at >= raised.prediction.raised_at && decided.at <= raised.prediction.due_at());
        assert_eq!(decided.verdict, raised.outcome.verdict);
        assert_eq!(decided.would == Would::HaveActed, decided.because.is_empty(), "{decided:?}");
        if decided.at == raised.prediction.raised_at && decided.would == Would::HaveActed {
            assert!(raised.prediction.likelihood >= 0.8, "{decided:?}");
        }
    }
    let [of] = &acting.playbooks[..] else { panic!("{acting:?}") };
    assert_eq!((of.would_have_acted, of.would_have_asked), (acting.would_have_acted, acting.would_have_asked));
    let text = serde_json::to_string(&report).unwrap();
    assert!(text.contains("\"would_have_acted\"") && !text.contains("would have fixed"));
}

#[test]
fn going_through_it_changes_nothing_else_and_does_not_depend_on_threads() {
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let twins = vec![playbook("a", ""), playbook("b", "")];
        pool.install(|| report(Some(Rehearsal::new(execute(), Topology::default(), twins.clone()))))
    };
    let (one, four) = (on(1), on(4));
    assert_eq!(serde_json::to_value(&one).unwrap(), serde_json::to_value(&four).unwrap());
    let mut with = serde_json::to_value(&one).unwrap();
    let acting = with.as_object_mut().unwrap().remove("acting").unwrap();
    assert!(acting["would_have_acted"].as_u64().unwrap() > 0);
    for told in with["predictions"].as_array_mut().unwrap() {
        told["suggested_playbooks"] = serde_json::json!([]);
    }
    assert_eq!(with, serde_json::to_value(report(None)).unwrap(), "what is told is told all the same");
    assert!(!is_wanted(&Settings::default()) && is_wanted(&execute()));
}

#[test]
fn what_the_history_does_not_hold_is_not_known_and_what_stands_in_the_way_is_named() {
    let foreign = playbook("scale", ", conditions: [{ metric: \"sum(rate(requests_total[5m]))\", gt: 5 }]");
    let acting = rehearsed(execute(), &[foreign]);
    assert!(acting.not_known > 0 && acting.would_have_acted == 0, "{acting:?}");
    assert!(acting.reasons.iter().any(|reason| reason.check == "condition" && reason.example.contains("not known")), "{acting:?}");
    let own = rehearsed(execute(), &[playbook("scale", ", conditions: [{ metric: likelihood, gt: 2 }]")]);
    assert_eq!((own.not_known, own.would_have_refused), (0, own.predictions), "a field of the prediction is known");
    let bad = rehearsed(Settings { min_impact: Impact::Critical, ..execute() }, &[playbook("scale", "")]);
    assert_eq!(bad.would_have_refused, bad.predictions);
    assert_eq!(bad.reasons[0].check, "impact");
    let nobody = rehearsed(execute(), &[]);
    assert_eq!((nobody.predictions, nobody.decisions.len()), (0, 0));
}

#[test]
fn limits_count_what_would_have_begun_and_time_lifts_what_time_put_there() {
    let free = rehearsed(execute(), &[playbook("scale", "")]);
    let slow = Settings { cooldown: Span::WEEK.times(4), ..execute() };
    let once = rehearsed(slow, &[Playbook { target: Some("everything".parse().unwrap()), ..playbook("scale", "") }]);
    assert!(free.would_have_acted > 1, "{free:?}");
    assert_eq!(once.would_have_acted, 1, "the others come within the cooldown of the first");
    assert!(once.reasons.iter().any(|reason| reason.check == "cooldown"), "{:?}", once.reasons);
    let young = Settings { min_history: Span::DAY.times(5), ..execute() };
    let later = rehearsed(young, &[playbook("scale", "")]);
    assert!(later.decisions.iter().all(|d| d.would != Would::HaveActed || d.because.is_empty()), "{later:?}");
}

#[test]
fn a_comparison_says_what_is_added_and_what_is_dropped() {
    let with = |settings: Settings| report(Some(Rehearsal::new(settings, Topology::default(), vec![playbook("scale", "")])));
    let (acts, refuses) = (with(execute()), with(Settings { min_impact: Impact::Critical, ..execute() }));
    let done = acts.acting.as_ref().map_or(0, |acting| acting.predictions - acting.would_have_refused);
    let less = Diff::between(&acts, &refuses, "less").acting.unwrap();
    assert_eq!((less.adds, less.drops, less.changed.len() as u64), (0, done, done));
    let more = Diff::between(&refuses, &acts, "more").acting.unwrap();
    assert_eq!((more.adds, more.drops), (done, 0));
    let none = Diff::between(&acts, &report(None), "none").acting.unwrap();
    assert!(none.adds == 0 && none.drops == acts.acting.as_ref().unwrap().predictions, "{none:?}");
    assert!(Diff::between(&acts, &acts, "same").acting.unwrap().changed.is_empty());
    assert!(Diff::between(&report(None), &report(None), "none").acting.is_none());
}

#[test]
fn what_was_really_acted_upon_counts_neither_way() {
    let before = report(None);
    let told = &before.predictions[0].prediction;
    let run = crate::core::run::RunKey(7);
    let proposal = crate::core::run::Proposal::new(&playbook("scale", ""), told);
    let verdict = gate::Verdict { decision: Decision::Allow, otherwise: Decision::Allow, findings: Vec::new() };
    let what = crate::core::run::Turnout { step: 0, attempt: 1, is_undo: false };
    let at = told.raised_at + Span::MINUTE;
    let proposed = Record::Proposed { run, proposal: Box::new(proposal), verdict, expires_at: at, ranked: Vec::new() };
    let started = Record::Started { run, what, action: "command".into() };
    let lines: Vec<String> = [proposed, started]
        .map(|record| serde_json::json!({ "seq": 1, "record": serde_json::to_string(&Entry { at, record }).unwrap() }).to_string())
        .into();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), lines.join("\n") + "\n").unwrap();
    let past = past();
    let shares = shares(&past);
    let judging = Judging { from: None, warmup: Some(Span::DAY.times(3)) };
    let mut backtest = Backtest::new(shares.iter().map(|s| s.watch.clone()).collect(), Vec::new(), judging);
    backtest.was_acted_upon(crate::backtest::ActedUpon::read(file.path()).unwrap());
    files::feed(&mut backtest, &past, &shares, None, |_| true).unwrap();
    let after = backtest.finish(false).unwrap();
    assert!(matches!(after.predictions[0].outcome.verdict, Verdict::Averted { .. }), "{:?}", after.predictions[0].outcome);
    let settled = |report: &Report| report.summary.came_true + report.summary.false_alarms;
    assert_eq!((after.summary.averted, settled(&after), after.summary.raised), (1, settled(&before) - 1, before.summary.raised));
    std::fs::write(file.path(), "{}\n").unwrap();
    let why = crate::backtest::ActedUpon::read(file.path()).unwrap_err().to_string();
    assert!(why.contains("line 1"), "{why}");
}
