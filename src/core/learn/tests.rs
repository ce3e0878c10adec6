//! That what was learned fades, grows with what was seen, and does not depend on the order in which it came.

use proptest::prelude::*;

use super::*;
use crate::core::gate::Mode;
use crate::core::run::fixtures;

const NOW: Timestamp = Timestamp::from_millis(1_793_577_600_000);
const HALF_LIFE: Span = Span::from_secs(30 * 86_400);

fn case(playbook: &str, cause: &str, service: &str) -> Case {
    Case { playbook: playbook.into(), cause: cause.into(), service: service.into() }
}

fn end(run: u64, ago: Span, how: How) -> End {
    End { at: NOW - ago, run, how, stable_after: (how == How::Worked).then_some(Span::MINUTE) }
}

fn learned(ends: &[(Case, End)]) -> Learned {
    let mut learned = Learned::default();
    for (case, end) in ends {
        learned.end(case.clone(), *end);
    }
    learned
}

fn rate(learned: &Learned, case: &Case) -> f64 {
    learned.estimate(case, NOW, HALF_LIFE).rate()
}

fn any_case() -> impl Strategy<Value = Case> {
    (0..3_u8, 0..2_u8, 0..2_u8).prop_map(|(p, c, s)| case(&format!("p{p}"), &format!("c{c}"), &format!("s{s}")))
}

fn any_end() -> impl Strategy<Value = (Case, End)> {
    let how = prop_oneof![Just(How::Worked), Just(How::Failed), Just(How::RolledBack), Just(How::Unknown)];
    (any_case(), any::<u64>(), 0..100_i64, how).prop_map(|(case, run, days, how)| (case, end(run, Span::DAY.times(days), how)))
}

proptest! {
    #[test]
    fn one_more_that_worked_never_lowers_a_rate_and_one_that_failed_never_raises_it(
        ends in prop::collection::vec(any_end(), 0..30), more in any_end(), about in any_case(),
    ) {
        let (before, mut after) = (learned(&ends), learned(&ends));
        after.end(more.0.clone(), more.1);
        let (was, is) = (rate(&before, &about), rate(&after, &about));
        prop_assert!((0.0..=1.0).contains(&is));
        match more.1.how {
            How::Worked => prop_assert!(is >= was - 1e-12, "{was} {is}"),
            How::Failed | How::RolledBack => prop_assert!(is <= was + 1e-12, "{was} {is}"),
            How::Unknown => prop_assert_eq!(is, was),
        }
        if more.1.how != How::Unknown && more.0 == about {
            prop_assert!(is != was, "what happened in this very case says something");
        }
    }

    #[test]
    fn the_order_in_which_ends_come_changes_nothing(
        (ends, shuffled) in prop::collection::vec(any_end(), 0..60).prop_flat_map(|ends| (Just(ends.clone()), Just(ends).prop_shuffle())),
    ) {
        prop_assert_eq!(learned(&ends), learned(&shuffled));
    }

    #[test]
    fn what_was_fades_towards_knowing_nothing(ends in prop::collection::vec(any_end(), 1..30), about in any_case()) {
        let learned = learned(&ends);
        let mut last = learned.estimate(&about, NOW, HALF_LIFE);
        for months in 1..40 {
            let known = learned.estimate(&about, NOW + HALF_LIFE.times(months), HALF_LIFE);
            prop_assert!((known.evidence - last.evidence / 2.0).abs() < 1e-9, "half of it is gone: {last:?} {known:?}");
            last = known;
        }
        prop_assert!((last.rate() - 0.5).abs() < 1e-6 && last.evidence < 1e-6, "{last:?}");
    }

    #[test]
    fn a_clock_that_is_set_moves_nothing(ends in prop::collection::vec(any_end(), 1..30), about in any_case(), by in -900_i64..900) {
        let (before, mut after) = (learned(&ends), learned(&ends));
        let by = Span::DAY.times(by);
        after.shift(by);
        prop_assert_eq!(before.estimate(&about, NOW, HALF_LIFE), after.estimate(&about, NOW + by, HALF_LIFE));
    }
}

#[test]
fn what_is_known_elsewhere_stands_behind_a_case_and_gives_way_to_its_own() {
    let ends: Vec<_> = (0..10).map(|i| (case("p", "full", "elsewhere"), end(i, Span::HOUR, How::Worked))).collect();
    let mut known = learned(&ends);
    let [here, other_cause, other_playbook] =
        [case("p", "full", "here"), case("p", "slow", "here"), case("q", "full", "here")].map(|case| rate(&known, &case));
    assert!(here == other_cause && other_cause > other_playbook && other_playbook > 0.5, "{here} {other_cause} {other_playbook}");
    known.end(case("p", "slow", "elsewhere"), end(100, Span::HOUR, How::Failed));
    let [here, other_cause] = [case("p", "full", "here"), case("p", "slow", "here")].map(|case| rate(&known, &case));
    assert!(here > other_cause + 0.05, "of the same cause more is believed: {here} {other_cause}");
    (10..16).for_each(|i| known.end(case("p", "full", "here"), end(i, Span::HOUR, How::Failed)));
    let (here, elsewhere) = (rate(&known, &case("p", "full", "here")), rate(&known, &case("p", "full", "elsewhere")));
    assert!(here < 0.4 && elsewhere > 0.7, "{here} {elsewhere}");
    let trust = known.estimate(&case("p", "full", "here"), NOW, HALF_LIFE).trust();
    assert!(trust.low < trust.rate && trust.rate < trust.high && !trust.is_little(), "{trust:?}");
    assert_eq!(
        known.estimate(&case("p", "full", "x"), NOW, HALF_LIFE).evidence,
        known.weights(NOW, HALF_LIFE).estimate_anywhere("p").evidence
    );
}

#[test]
fn what_keeps_failing_is_demoted_twice_and_comes_back_by_evidence_time_or_a_word() {
    let here = case("p", "full", "shop");
    let mode = |known: &Learned, now| known.estimate(&here, now, HALF_LIFE).trust().mode();
    let mut known = Learned::default();
    let mut seen = Vec::new();
    for run in 0..12 {
        known.end(here.clone(), end(run, Span::MINUTE.times(12 - run as i64), How::RolledBack));
        seen.push(mode(&known, NOW));
    }
    let (execute, observe) = (Mode::Execute, Mode::Observe);
    assert_eq!(seen[..4], [execute; 4], "too little is known: {seen:?}");
    assert_eq!((seen[7], seen[11]), (Mode::Ask, observe), "{seen:?}");
    let half: Vec<_> = (0..6).map(|i| (here.clone(), end(i, Span::HOUR, if i < 2 { How::Worked } else { How::Failed }))).collect();
    assert_eq!(mode(&learned(&half), NOW), Mode::Ask, "two of six");
    let faded = (1..200).map(|days| mode(&known, NOW + Span::DAY.times(days))).collect::<Vec<_>>();
    let place = |wanted| faded.iter().position(|mode| *mode == wanted);
    assert!(place(execute).is_some(), "time brings it back: {faded:?}");
    let mut helped = known.clone();
    (100..140).for_each(|run| helped.end(here.clone(), end(run, Span::ZERO, How::Worked)));
    assert_eq!(mode(&helped, NOW), execute, "so does what people let it do, where it helps");
    known.forgive("p", NOW, "ann");
    let stats = known.stats(NOW, HALF_LIFE);
    assert_eq!((mode(&known, NOW), stats.playbooks[0].forgiven_by.as_deref()), (execute, Some("ann")));
    assert!(stats.playbooks[0].standing.too_little_evidence && stats.playbooks[0].cases.is_empty());
}

#[test]
fn memory_is_bounded_and_the_oldest_goes_first() {
    let mut known = Learned::default();
    (0..100).for_each(|i| known.end(case("p", "c", "s"), end(i, Span::HOUR.times(100 - i as i64), How::Worked)));
    assert_eq!(known.cases[&case("p", "c", "s")].iter().map(|end| end.run).collect::<Vec<_>>(), (60..100).collect::<Vec<_>>());
    (0..2_000)
        .for_each(|i| known.end(case("q", "c", &format!("s{i}")), end(i, Span::from_millis(-i64::try_from(i).unwrap()), How::Failed)));
    assert_eq!((known.cases.len(), known.count("p", How::Worked)), (MAX_CASES, 0));
    assert!(known.cases.contains_key(&case("q", "c", "s1999")) && !known.cases.contains_key(&case("q", "c", "s0")));
}

#[test]
fn statistics_count_what_there_is() {
    let ends = [
        (case("p", "full", "shop"), End { stable_after: Some(Span::MINUTE), ..end(1, Span::HOUR, How::Worked) }),
        (case("p", "full", "shop"), End { stable_after: Some(Span::MINUTE.times(3)), ..end(2, Span::HOUR, How::Worked) }),
        (case("p", "full", "shop"), end(3, Span::HOUR, How::Unknown)),
        (case("p", "slow", "shop"), end(4, Span::HOUR, How::RolledBack)),
    ];
    let stats = learned(&ends).stats(NOW, HALF_LIFE);
    let [playbook] = &stats.playbooks[..] else { panic!("{stats:?}") };
    assert_eq!(playbook.standing.counts, Counts { worked: 2, failed: 0, rolled_back: 1, unknown: 1 });
    assert_eq!((playbook.cases.len(), playbook.cases[0].standing.median_stable_s), (2, Some(120.0)));
    assert!(playbook.standing.too_little_evidence && playbook.standing.evidence < 3.0);
    assert!(playbook.cases[0].standing.rate > playbook.cases[1].standing.rate);
    let back: Stats = serde_json::from_str(&serde_json::to_string(&stats).unwrap()).unwrap();
    assert_eq!(back, stats);
}

#[test]
fn the_order_is_of_the_prediction_alone_and_priority_goes_first() {
    let playbooks = ["a", "b", "c"].map(|name| fixtures::playbook(name, (1, 1, false)));
    let known = Learned::default();
    let order_of = |pod: usize, order: [usize; 3]| {
        let (prediction, given) = (fixtures::prediction(pod, NOW), order.map(|i| &playbooks[i]));
        order_names(&known, &prediction, &given)
    };
    assert_eq!(order_of(1, [0, 1, 2]), order_of(1, [2, 0, 1]), "whatever order they come in");
    let firsts: std::collections::BTreeSet<String> = (0..40).map(|pod| order_of(pod, [0, 1, 2])[0].clone()).collect();
    assert_eq!(firsts.len(), 3, "each of three of which nothing is known goes first somewhere");
    let mut urgent = playbooks.clone();
    urgent[2].priority = 1;
    for pod in 0..40 {
        assert_eq!(order_names(&known, &fixtures::prediction(pod, NOW), &urgent.each_ref())[0], "c");
    }
}

fn order_names(
    known: &Learned,
    prediction: &crate::core::prediction::Prediction,
    playbooks: &[&crate::core::playbook::Playbook],
) -> Vec<String> {
    order(known, (NOW, HALF_LIFE), prediction, playbooks).into_iter().map(|(playbook, _)| playbook.name.clone()).collect()
}
