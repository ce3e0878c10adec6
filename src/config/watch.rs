//! Reads one watch, from the configuration or from a pack.

use std::sync::Arc;

use jiff::tz::TimeZone;

use super::fields::Fields;
use super::nearest::nearest;
use super::profiles;
use super::query;
use super::reader::Cx;
use super::tree::{Node, Value};
use super::{anomalies, calendar};
use crate::core::selection::Selecting;
use crate::core::template::Template;
use crate::core::time::Span;
use crate::core::watch::{BaselineSettings, Hysteresis, Impact, Limit, Profile, Side, Threshold, Watch};

/// Prometheus' own advice for scrape intervals; below a second its timestamps don't tell samples apart well.
const SHORTEST_STEP: Span = Span::SECOND;
/// The seasonal baseline keeps hours: a step above one would leave hours empty.
const LONGEST_STEP: Span = Span::HOUR;
/// A horizon needs some points before it for "soon" to mean anything.
const LEAST_STEPS_AHEAD: i64 = 5;
/// Two months: no trend of a week's history holds longer.
const LONGEST_HORIZON: Span = Span::from_secs(60 * 86_400);
/// A day, the shortest rhythm; five weeks, the most that four kilobytes a series hold.
const SHORTEST_WINDOW: Span = Span::DAY;
const LONGEST_WINDOW: Span = Span::from_secs(35 * 86_400);
/// Under one sigma every third sample is "abnormal"; past ten none is.
const SIGMAS: (f64, f64) = (1.0, 10.0);
/// Repeats before raising, clearing or calling a breach: a thousand minutes is most of a day.
const MOST_REPEATS: u64 = 1_000;

/// What names of other things a watch may use.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    pub sources: &'a [&'a str],
    /// `None` when the playbooks themselves have faults: then every name is taken, so that one fault is reported once.
    pub playbooks: Option<&'a [&'a str]>,
}

/// The watch, if it has no fault. Its source is empty when `known` has none: a pack's watch gets its source when the pack is used.
pub fn read(node: &Node, known: Known<'_>, cx: &mut Cx) -> Option<Watch> {
    let before = cx.errors.len();
    let mut fields = Fields::of(node, "a watch", cx)?;
    let name = fields.need("name", cx).and_then(|n| cx.name(n, "name"));
    let query = fields.need("query", cx).and_then(|n| read_query(n, "query", cx));
    let step = fields.take("step").and_then(|n| cx.span(n, "step", SHORTEST_STEP, LONGEST_STEP)).unwrap_or(Span::MINUTE);
    let source = read_source(&mut fields, known.sources, cx);
    let horizon = read_horizon(&mut fields, step, cx);
    let profile = read_profile(&mut fields, query.as_deref().unwrap_or_default(), cx);
    // Bounds that were only guessed from a name refuse no threshold: the threshold says more about the values than the name.
    let written = profile.as_ref().filter(|(_, selecting)| *selecting == Selecting::Written).map(|(profile, _)| profile);
    let limit = read_limit(&mut fields, written, cx);
    let baseline = fields.take("baseline").map_or_else(|| Some(BaselineSettings::default()), |n| read_baseline(n, cx));
    let baseline = baseline.map(|baseline| BaselineSettings { score: anomalies::within(baseline.score, written), ..baseline });
    let zone = fields.take("zone").map_or(Some(TimeZone::UTC), |n| read_zone(n, cx));
    let special_days = fields.take("calendar").map(|n| calendar::read(n, cx)).unwrap_or_default();
    let service = read_template(&mut fields, "service", "{{job}}", cx);
    let title = read_template(&mut fields, "title", name.as_deref().unwrap_or_default(), cx);
    let code = fields.take("code").and_then(|n| cx.name(n, "code")).or_else(|| name.clone());
    let why = fields.take("why").and_then(|n| cx.text(n, "why"));
    let impact = fields.take("impact").and_then(|n| read_impact(n, cx)).unwrap_or(Impact::Medium);
    let playbooks = fields.take("playbooks").map(|n| read_playbooks(n, known.playbooks, cx)).unwrap_or_default();
    let hysteresis = read_hysteresis(&mut fields, cx);
    fields.done(cx);
    if cx.errors.len() > before {
        return None;
    }
    let (profile, selecting) = profile?;
    Some(Watch {
        name: name?.into(),
        source: source?,
        query: query?,
        step,
        limit,
        horizon,
        baseline: baseline?,
        profile,
        selecting,
        special_days,
        zone: zone?,
        service: service?,
        code: code?,
        title: title?,
        why,
        impact,
        playbooks,
        hysteresis,
    })
}

pub(super) fn read_query(node: &Node, what: &str, cx: &mut Cx) -> Option<String> {
    let text = cx.text(node, what)?;
    match query::imbalance(&text) {
        None => Some(text),
        Some(fault) => {
            cx.error(node.at, format!("{what}: not PromQL: {fault}"));
            None
        }
    }
}

pub(super) fn read_source(fields: &mut Fields<'_>, sources: &[&str], cx: &mut Cx) -> Option<Arc<str>> {
    match (fields.take("source"), sources) {
        (Some(node), _) => cx.known_name(node, "source", sources).map(Into::into),
        (None, [only]) => Some((*only).into()),
        (None, []) => Some("".into()),
        (None, many) => {
            let names = super::reader::list(many.iter().copied());
            cx.error_hint(fields.at, "a watch lacks \"source\", and there is more than one", format!("known: {names}"));
            None
        }
    }
}

fn read_horizon(fields: &mut Fields<'_>, step: Span, cx: &mut Cx) -> Span {
    let shortest = step.times(LEAST_STEPS_AHEAD);
    match fields.take("horizon") {
        Some(node) => cx.span(node, "horizon", shortest, LONGEST_HORIZON).unwrap_or(Span::DAY),
        None => Span::DAY,
    }
}

fn read_limit(fields: &mut Fields<'_>, profile: Option<&Profile>, cx: &mut Cx) -> Option<Limit> {
    let (side, what, node) = match (fields.take_entry("above"), fields.take_entry("below")) {
        (None, None) => return None,
        (Some(above), Some(below)) => {
            let second = above.key_at.max(below.key_at);
            cx.error_hint(second, "a watch has both \"above\" and \"below\"", "one side is bad; write a second watch for the other");
            return None;
        }
        (Some(entry), None) => (Side::Above, "above", &entry.node),
        (None, Some(entry)) => (Side::Below, "below", &entry.node),
    };
    if let Value::Map(_) = node.value {
        let mut inner = Fields::of(node, "a threshold", cx)?;
        let query = inner.need("query", cx).and_then(|n| read_query(n, "query", cx));
        inner.done(cx);
        return query.map(|query| Limit { side, threshold: Threshold::Query(query) });
    }
    let is_number = matches!(&node.value, Value::Scalar { text, plain: true } if text.parse::<f64>().is_ok_and(f64::is_finite));
    if !is_number {
        cx.wrong(node, what, "a number, or { query: PROMQL }");
        return None;
    }
    let value = cx.number(node, what, f64::NEG_INFINITY, f64::INFINITY)?;
    let beyond = profile.and_then(|profile| match side {
        Side::Above => profile.upper.filter(|upper| value > *upper),
        Side::Below => profile.lower.filter(|lower| value < *lower),
    });
    if let (Some(bound), Some(profile)) = (beyond, profile) {
        let message = format!("{what}: {value} is never reached: values of profile {:?} end at {bound}", profile.name);
        cx.error_hint(node.at, message, "is the query a share (0 to 1) or a percentage? or choose another profile");
        return None;
    }
    Some(Limit { side, threshold: Threshold::Value(value) })
}

fn read_baseline(node: &Node, cx: &mut Cx) -> Option<BaselineSettings> {
    let default = BaselineSettings::default();
    let mut fields = Fields::of(node, "a baseline", cx)?;
    let window = fields.take("window").and_then(|n| cx.span(n, "window", SHORTEST_WINDOW, LONGEST_WINDOW)).unwrap_or(default.window);
    let sigma = fields.take("sigma").and_then(|n| cx.number(n, "sigma", SIGMAS.0, SIGMAS.1)).unwrap_or(default.sigma);
    let min_history = fields.take("min_history").and_then(|n| cx.span(n, "min_history", Span::ZERO, window));
    let score = anomalies::read(&mut fields, cx);
    fields.done(cx);
    Some(BaselineSettings { window, sigma, min_history: min_history.unwrap_or(default.min_history.min(window)), score })
}

/// `auto` (or nothing), or a profile as it is written, which then stands.
fn read_profile(fields: &mut Fields<'_>, query: &str, cx: &mut Cx) -> Option<(Profile, Selecting)> {
    match fields.take("profile") {
        None => Some(profiles::auto(query)),
        Some(Node { value: Value::Scalar { text, .. }, .. }) if text.trim() == profiles::AUTO => Some(profiles::auto(query)),
        Some(node) => written_profile(node, cx).map(|profile| (profile, Selecting::Written)),
    }
}

/// A profile's name, or a mapping that starts from one (`like`) and changes some of its settings.
fn written_profile(node: &Node, cx: &mut Cx) -> Option<Profile> {
    let Value::Map(_) = node.value else { return named_profile(node, cx) };
    let mut fields = Fields::of(node, "a profile", cx)?;
    let mut profile = fields.take("like").map_or_else(|| Some(profiles::default().clone()), |n| named_profile(n, cx))?;
    if let Some(lower) = fields.take("lower").and_then(|n| cx.number(n, "lower", f64::NEG_INFINITY, f64::INFINITY)) {
        profile.lower = Some(lower);
    }
    if let Some(upper) = fields.take_entry("upper") {
        let lowest = profile.lower.unwrap_or(f64::NEG_INFINITY);
        profile.upper = cx.number(&upper.node, "upper", lowest, f64::INFINITY).or(profile.upper);
    }
    for (key, setting) in [("seasonal", &mut profile.seasonal), ("resets", &mut profile.resets), ("deadline", &mut profile.deadline)] {
        if let Some(flag) = fields.take(key).and_then(|n| cx.flag(n, key)) {
            *setting = flag;
        }
    }
    fields.done(cx);
    Some(profile)
}

fn named_profile(node: &Node, cx: &mut Cx) -> Option<Profile> {
    let names: Vec<&str> = profiles::all().iter().map(|p| p.name.as_str()).chain([profiles::AUTO]).collect();
    cx.known_name(node, "profile", &names).and_then(profiles::find).cloned()
}

fn read_zone(node: &Node, cx: &mut Cx) -> Option<TimeZone> {
    let text = cx.text(node, "zone")?;
    if text == "UTC" {
        return Some(TimeZone::UTC);
    }
    if let Ok(zone) = TimeZone::get(&text) {
        return Some(zone);
    }
    let names: Vec<String> = jiff::tz::db().available().map(|name| name.to_string()).collect();
    let message = format!("zone: found {}, want an IANA time zone such as Europe/Berlin", super::reader::quoted(&text));
    match nearest(&text, names.iter().map(String::as_str)) {
        Some(near) => cx.error(node.at, format!("{message}; did you mean {near:?}?")),
        None if names.is_empty() => {
            cx.error_hint(node.at, message, "this machine has no time zone database (package tzdata); UTC always works");
        }
        None => cx.error(node.at, message),
    }
    None
}

pub(super) fn read_template(fields: &mut Fields<'_>, key: &'static str, default: &str, cx: &mut Cx) -> Option<Template> {
    let Some(node) = fields.take(key) else { return default.parse().ok() };
    let text = cx.text(node, key)?;
    text.parse().map_err(|fault| cx.error(node.at, format!("{key}: {fault}"))).ok()
}

pub(super) fn read_impact(node: &Node, cx: &mut Cx) -> Option<Impact> {
    let words = [("low", Impact::Low), ("medium", Impact::Medium), ("high", Impact::High), ("critical", Impact::Critical)];
    cx.one_of(node, "impact", &words)
}

pub(super) fn read_playbooks(node: &Node, known: Option<&[&str]>, cx: &mut Cx) -> Vec<String> {
    let items = node.items().iter();
    let names = items.filter_map(|item| match known {
        Some(known) => cx.known_name(item, "playbook", known).map(Into::into),
        None => cx.name(item, "playbook"),
    });
    names.collect()
}

fn read_hysteresis(fields: &mut Fields<'_>, cx: &mut Cx) -> Hysteresis {
    let mut settings = Hysteresis::default();
    let (raise, clear) = (fields.take("raise"), fields.take("clear"));
    (settings.raise, settings.raise_after) = read_level(raise, "raise", (settings.raise, settings.raise_after), cx);
    (settings.clear, settings.clear_after) = read_level(clear, "clear", (settings.clear, settings.clear_after), cx);
    if let Some(node) = clear.or(raise).filter(|_| settings.clear >= settings.raise) {
        let (raise, clear) = (settings.raise, settings.clear);
        let message = format!("clear: likelihood {clear} is not below the raising one, {raise}: the prediction would flap");
        cx.error_hint(node.at, message, "keep the clearing likelihood at half the raising one or so");
    }
    if let Some(repeats) = fields.take("sustain").and_then(|n| repeats(n, "sustain", cx)) {
        settings.sustain = repeats;
    }
    settings
}

fn read_level(node: Option<&Node>, what: &'static str, default: (f64, u16), cx: &mut Cx) -> (f64, u16) {
    let Some(mut fields) = node.and_then(|node| Fields::of(node, what, cx)) else { return default };
    let likelihood = fields.take("likelihood").and_then(|n| {
        let value = cx.number(n, "likelihood", 0.0, 1.0)?;
        if value > 0.0 && value < 1.0 {
            return Some(value);
        }
        cx.wrong(n, "likelihood", "more than 0 and less than 1");
        None
    });
    let after = fields.take("after").and_then(|n| repeats(n, "after", cx));
    fields.done(cx);
    (likelihood.unwrap_or(default.0), after.unwrap_or(default.1))
}

fn repeats(node: &Node, what: &str, cx: &mut Cx) -> Option<u16> {
    cx.whole(node, what, 1, MOST_REPEATS).and_then(|count| u16::try_from(count).ok())
}
