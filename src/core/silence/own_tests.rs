//! What may be silenced for how long, and how records of it add up.

use super::*;
use crate::core::run::fixtures;

const NOW: Timestamp = Timestamp::from_millis(1_793_577_600_000);
const MS: Span = Span::from_millis(1);

fn wish(matchers: &[&str]) -> Wish {
    let matchers = matchers.iter().map(|text| text.parse().unwrap()).collect();
    Wish { matchers, starts_at: None, until: Until::For(Span::HOUR), by: "ann".into(), comment: "mending".into() }
}

fn silence(matchers: &[&str]) -> OwnSilence {
    OwnSilence::new(wish(matchers), NOW).unwrap()
}

fn refused(change: impl FnOnce(&mut Wish)) -> Option<SilenceError> {
    let mut wish = wish(&["service=shop"]);
    change(&mut wish);
    OwnSilence::new(wish, NOW).err()
}

#[test]
fn a_silence_is_of_something_ends_and_says_why() {
    for everything in [&[][..], &["a="], &["a=~.*"], &["a!=b"], &["a!~.+"], &["a=", "b!~c"]] {
        assert_eq!(OwnSilence::new(wish(everything), NOW), Err(SilenceError::OfEverything), "{everything:?}");
    }
    for something in [&["a=b"][..], &["a=~.+"], &["a!="], &["a!~"], &["a=~.*", "b=c"]] {
        assert!(OwnSilence::new(wish(something), NOW).is_ok(), "{something:?}");
    }
    let many = |count: usize| refused(|wish| wish.matchers = vec!["a=b".parse().unwrap(); count]);
    assert_eq!((many(20), many(21)), (None, Some(SilenceError::TooManyMatchers { found: 21 })));
    let long = |chars: usize| refused(|wish| wish.matchers.push(format!("a={}", "ä".repeat(chars)).parse().unwrap()));
    assert_eq!((long(500), long(501)), (None, Some(SilenceError::MatcherTooLong)));
    let comment = |text: &str| refused(|wish| wish.comment = text.into());
    assert_eq!([" ", "a\nb", "mending"].map(comment), [Some(SilenceError::Comment), Some(SilenceError::Comment), None]);
    assert_eq!((comment(&"x".repeat(500)), comment(&"x".repeat(501))), (None, Some(SilenceError::Comment)));
    assert_eq!(refused(|wish| wish.by = String::new()), Some(SilenceError::By));

    let lasts = |span: Span| refused(|wish| wish.until = Until::For(span));
    assert_eq!((lasts(MAX_LASTS), lasts(MAX_LASTS + MS), lasts(MS)), (None, Some(SilenceError::TooLong), None));
    assert_eq!(lasts(Span::from_millis(i64::MAX)), Some(SilenceError::TooLong));
    let early = |ends_at| Some(SilenceError::EndsTooEarly { starts_at: NOW, ends_at });
    assert_eq!((lasts(Span::ZERO), lasts(Span::ZERO - Span::HOUR)), (early(NOW), early(NOW)));
    let until = |at: Timestamp| refused(|wish| wish.until = Until::At(at));
    assert_eq!((until(NOW + MAX_LASTS), until(NOW + MAX_LASTS + MS)), (None, Some(SilenceError::TooLong)));
    assert_eq!((until(Timestamp::MAX), until(Timestamp::MIN)), (Some(SilenceError::TooLong), early(Timestamp::MIN)));
    let from = |at: Timestamp| refused(|wish| wish.starts_at = Some(at));
    assert_eq!((from(NOW + Span::DAY.times(90)), from(NOW + Span::DAY.times(90) + MS)), (None, Some(SilenceError::TooLong)));
    assert_eq!((from(Timestamp::MAX), from(Timestamp::MIN)), (Some(SilenceError::TooLong), None));
    let past = OwnSilence::new(Wish { starts_at: Some(NOW - Span::DAY), ..wish(&["a=b"]) }, NOW).unwrap();
    assert_eq!((past.starts_at, past.ends_at), (NOW, NOW + Span::HOUR), "it is from now on, and as long as was asked for");
}

#[test]
fn it_is_pending_then_active_then_over_and_what_was_ended_stays_so() {
    let later = OwnSilence::new(Wish { starts_at: Some(NOW + Span::HOUR), ..wish(&["a=b"]) }, NOW).unwrap();
    let at = |ms: i64| later.state(NOW + Span::HOUR + Span::from_millis(ms));
    let hour = Span::HOUR.as_millis();
    assert_eq!([-1, 0, hour - 1, hour].map(at), [State::Pending, State::Active, State::Active, State::Expired]);
    let mut all = Silences::default();
    all.put(&later, NOW);
    all.expire(later.id, "bob", NOW + Span::MINUTE);
    let ended = all.get(later.id).unwrap();
    assert_eq!((ended.expired_by.as_deref(), ended.over_at()), (Some("bob"), NOW + Span::MINUTE));
    assert_eq!([Span::ZERO - Span::HOUR, Span::MINUTE.times(90)].map(|off| ended.state(NOW + off)), [State::Expired; 2]);
}

#[test]
fn a_clock_that_is_set_neither_shortens_what_was_asked_for_so_long_nor_moves_what_was_asked_until_a_time() {
    let made = |starts_at, until| OwnSilence::new(Wish { starts_at, until, ..wish(&["a=b"]) }, NOW).unwrap();
    let (hour, day) = (Span::HOUR, Span::DAY);
    let (lasting, dated, later) =
        (made(None, Until::For(hour)), made(None, Until::At(NOW + hour)), made(Some(NOW + hour), Until::For(hour)));
    for by in [day, Span::ZERO - day] {
        let mut all = Silences::default();
        for one in [&lasting, &dated, &later] {
            all.put(one, NOW);
        }
        all.shift(by);
        let states = |after: Span| [&lasting, &dated, &later].map(|one| all.get(one.id).unwrap().state(NOW + by + after));
        let rest = if by > Span::ZERO { [State::Expired; 2] } else { [State::Active, State::Pending] };
        assert_eq!(states(Span::ZERO), [State::Active, rest[0], rest[1]]);
        assert_eq!(states(hour - MS)[0], State::Active);
        assert_eq!(states(hour)[0], State::Expired);
    }
}

#[test]
fn the_longest_of_those_in_force_is_named() {
    let prediction = fixtures::prediction(3, NOW);
    let mut all = Silences::default();
    assert_eq!(all.covering(&prediction, NOW), None);
    let longer = OwnSilence::new(Wish { until: Until::For(Span::DAY), by: "bob".into(), ..wish(&["service=~shop-.*"]) }, NOW).unwrap();
    for one in [silence(&["service=shop-1", "pod!=pod-4"]), longer.clone(), silence(&["service=shop-2"])] {
        all.put(&one, NOW);
    }
    let found = all.covering(&prediction, NOW).unwrap();
    assert_eq!((found.id, found.by.as_str(), found.until), (Some(longer.id), "bob (mending)", NOW + Span::DAY));
    all.expire(longer.id, "ann", NOW);
    assert_eq!(all.covering(&prediction, NOW).map(|covered| covered.until), Some(NOW + Span::HOUR));
    assert_eq!(all.covering(&prediction, NOW + Span::HOUR), None);
}

#[test]
fn what_was_told_before_a_silence_began_is_told_to_be_over() {
    let mut all = Silences::default();
    all.put(&silence(&["service=shop-1"]), NOW);
    let raised = |raised_at, state| Prediction { state, raised_at, ..fixtures::prediction(1, NOW) };
    for (prediction, is_hidden) in [
        (raised(NOW - MS, PredictionState::Open), true),
        (raised(NOW - MS, PredictionState::Resolved), false),
        (raised(NOW, PredictionState::Resolved), true),
    ] {
        assert_eq!(all.hide(&prediction, NOW + Span::MINUTE), is_hidden, "{prediction:?}");
        assert!(!all.hide(&prediction, NOW + Span::HOUR), "over");
    }
}

#[test]
fn only_so_many_are_live_and_only_the_newest_of_those_that_are_over_are_kept() {
    let mut all = Silences::default();
    let made = |n: usize, lasts: Span| OwnSilence::new(Wish { until: Until::For(lasts), ..wish(&[&format!("a=b{n}")]) }, NOW).unwrap();
    for n in 0..MAX_LIVE {
        assert!(!all.is_full(NOW));
        all.put(&made(n, Span::SECOND.times(1 + n as i64)), NOW);
    }
    assert!(all.is_full(NOW));
    assert!(!all.is_full(NOW + Span::SECOND), "the first is over");
    let later = NOW + Span::HOUR;
    let last = OwnSilence::new(wish(&["a=c"]), later).unwrap();
    all.put(&last, later);
    assert_eq!(all.all().count(), MAX_OVER + 1);
    assert_eq!(all.active(later).map(|one| one.id).collect::<Vec<_>>(), [last.id]);
    let oldest = all.all().map(OwnSilence::over_at).min();
    assert_eq!(oldest, Some(NOW + Span::SECOND.times(1 + (MAX_LIVE - MAX_OVER) as i64)));
}

#[test]
fn a_name_is_of_all_that_a_silence_is_and_it_comes_back_from_json() {
    let one = silence(&["service=shop", "mountpoint=~/data.*"]);
    assert_eq!(one.id, silence(&["service=shop", "mountpoint=~/data.*"]).id);
    let others = [
        silence(&["service=shop", "mountpoint=/data.*"]).id,
        silence(&["service=shop"]).id,
        OwnSilence::new(Wish { comment: "b".into(), ..wish(&["service=shop", "mountpoint=~/data.*"]) }, NOW).unwrap().id,
        OwnSilence::new(wish(&["service=shop", "mountpoint=~/data.*"]), NOW + MS).unwrap().id,
    ];
    assert!(!others.contains(&one.id));
    assert_eq!(one.id.to_string().parse(), Ok(one.id));
    for wrong in ["", "s", "r0123456789abcdef", "s0123456789abcdeg", "s+123456789abcdef", "s0123456789abcdef0"] {
        assert!(wrong.parse::<SilenceId>().is_err(), "{wrong}");
    }
    let json = serde_json::to_value(&one).unwrap();
    assert_eq!(json["matchers"][1], serde_json::json!({ "label": "mountpoint", "op": "=~", "value": "/data.*" }));
    assert_eq!(json.get("expired_at"), None);
    assert_eq!(serde_json::from_value::<OwnSilence>(json).unwrap(), one);
}
