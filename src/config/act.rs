//! Reads `act` and `topology`: what may be done at most, when, by which actuators, and what depends on what.

mod cluster;

use std::collections::BTreeMap;
use std::path::PathBuf;

use url::Url;

use super::fields::Fields;
use super::http;
use super::reader::{Cx, is_name, quoted};
use super::tree::{Node, Value};
use crate::act::kubernetes::ClusterSettings;
use crate::core::gate::{Breaker, Learning, Mode, Settings, Window};
use crate::core::time::{Span, Timestamp};
use crate::core::topology::{Service, Tier, Topology};
use crate::core::watch::Impact;

/// Windows of one kind at most: each is gone through at every decision.
const MAX_WINDOWS: usize = 100;
/// Programs that `command` may start at most.
const MAX_PROGRAMS: usize = 1_000;
/// Services of a topology at most.
const MAX_SERVICES: usize = 10_000;

/// Everything about acting.
#[derive(Clone, Debug, Default)]
pub struct ActConfig {
    pub settings: Settings,
    pub topology: Topology,
    /// While this file exists, nothing is started.
    pub stop_file: Option<PathBuf>,
    /// Programs that `command` may start, by their absolute paths; none unless configured.
    pub programs: Vec<PathBuf>,
    /// Hosts that `http` may call; none unless configured.
    pub hosts: Vec<String>,
    /// Whether those may be loopback and private addresses.
    pub allow_private: bool,
    /// When the audit's head is told to receivers that ask for it.
    pub audit_head: HeadConfig,
    /// The Alertmanager whose silences are respected. Ends with a slash.
    pub silences: Option<Url>,
    /// The cluster that `kubernetes` may change; none unless configured.
    pub cluster: Option<ClusterSettings>,
}

impl ActConfig {
    /// What actuators may do by it.
    pub fn actuators(&self) -> crate::act::Settings {
        crate::act::Settings {
            programs: self.programs.clone(),
            hosts: self.hosts.clone(),
            allow_private: self.allow_private,
            cluster: self.cluster.clone(),
        }
    }
}

/// After so long, or so many lines, whichever comes first; never while there is no new line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadConfig {
    pub every: Span,
    pub lines: u64,
}

impl Default for HeadConfig {
    fn default() -> Self {
        // What a quarter of an hour holds can be cut off unseen, and a receiver is not troubled by four small messages an hour.
        Self { every: Span::MINUTE.times(15), lines: 100 }
    }
}

pub fn read(node: &Node, cx: &mut Cx) -> Option<ActConfig> {
    let mut fields = Fields::of(node, "act", cx)?;
    let mut settings = Settings::default();
    if let Some(mode) = fields.take("mode").and_then(|n| cx.one_of(n, "mode", &Mode::ALL)) {
        settings.mode = mode;
    }
    numbers(&mut fields, &mut settings, cx);
    if let Some(share) = fields.take("hold_out").and_then(|n| share(n, "hold_out", cx)) {
        settings.hold_out = share;
    }
    if let Some(learn) = fields.take("learn") {
        settings.learning = learning(learn, cx);
    }
    if let Some(windows) = fields.take("change_windows") {
        settings.change_windows = self::windows(windows, "change_windows", cx);
    }
    if let Some(windows) = fields.take("freezes") {
        settings.freezes = self::windows(windows, "freezes", cx);
    }
    let stop_file = fields.take("stop_file").and_then(|n| cx.text(n, "stop_file")).map(|text| cx.path(&text));
    let programs = fields.take("command").map(|n| programs(n, cx)).unwrap_or_default();
    let (hosts, allow_private) = fields.take("http").and_then(|n| hosts(n, cx)).unwrap_or_default();
    let silences = fields.take("silences").and_then(|n| http::base_url(n, "silences", cx));
    let cluster = fields.take("kubernetes").and_then(|n| cluster::read(n, cx));
    let audit_head = fields.take("audit_head").and_then(|n| head(n, cx)).unwrap_or_default();
    fields.done(cx);
    Some(ActConfig { settings, topology: Topology::default(), stop_file, programs, hosts, allow_private, audit_head, silences, cluster })
}

fn head(node: &Node, cx: &mut Cx) -> Option<HeadConfig> {
    let mut fields = Fields::of(node, "audit_head", cx)?;
    let usual = HeadConfig::default();
    let every = fields.take("every").and_then(|n| cx.span(n, "every", Span::SECOND, Span::DAY)).unwrap_or(usual.every);
    let lines = fields.take("lines").and_then(|n| cx.whole(n, "lines", 1, 1_000_000)).unwrap_or(usual.lines);
    fields.done(cx);
    Some(HeadConfig { every, lines })
}

fn numbers(fields: &mut Fields<'_>, settings: &mut Settings, cx: &mut Cx) {
    let impacts = [("low", Impact::Low), ("medium", Impact::Medium), ("high", Impact::High), ("critical", Impact::Critical)];
    let probability = |key: &'static str, fields: &mut Fields<'_>, cx: &mut Cx| fields.take(key).and_then(|n| cx.number(n, key, 0.5, 1.0));
    let count = |key: &'static str, most: u64, fields: &mut Fields<'_>, cx: &mut Cx| {
        fields.take(key).and_then(|n| cx.whole(n, key, 1, most)).map(|count| count as u32)
    };
    let span = |key: &'static str, longest: Span, fields: &mut Fields<'_>, cx: &mut Cx| {
        fields.take(key).and_then(|n| cx.span(n, key, Span::SECOND, longest))
    };
    let set = |to: &mut f64, value: Option<f64>| *to = value.unwrap_or(*to);
    set(&mut settings.min_likelihood, probability("min_likelihood", fields, cx));
    set(&mut settings.min_likelihood_proactive, probability("min_likelihood_proactive", fields, cx));
    if let Some(impact) = fields.take("min_impact").and_then(|n| cx.one_of(n, "min_impact", &impacts)) {
        settings.min_impact = impact;
    }
    if let Some(most) = fields.take("max_dependents").and_then(|n| cx.whole(n, "max_dependents", 0, 10_000)) {
        settings.max_dependents = most as usize;
    }
    set(&mut settings.max_sick_share, fields.take("max_sick_share").and_then(|n| cx.number(n, "max_sick_share", 0.0, 1.0)));
    let limits: [(&'static str, &mut u32, u64); 5] = [
        ("per_service_hour", &mut settings.per_service_hour, 60),
        ("per_minute", &mut settings.per_minute, 600),
        ("per_hour", &mut settings.per_hour, 5_000),
        ("max_attempts", &mut settings.max_attempts, 100),
        ("min_failures", &mut settings.min_failures, 100),
    ];
    for (key, to, most) in limits {
        *to = count(key, most, fields, cx).unwrap_or(*to);
    }
    let spans: [(&'static str, &mut Span, Span); 5] = [
        ("cooldown", &mut settings.cooldown, Span::WEEK),
        ("backoff", &mut settings.backoff, Span::DAY),
        ("max_data_age", &mut settings.max_data_age, Span::DAY),
        ("min_history", &mut settings.min_history, Span::WEEK),
        ("approval_expires", &mut settings.approval_expires, Span::WEEK),
    ];
    for (key, to, longest) in spans {
        *to = span(key, longest, fields, cx).unwrap_or(*to);
    }
    if let Some(node) = fields.take("breaker")
        && let Some(mut breaker) = Fields::of(node, "breaker", cx)
    {
        let Breaker { failures, open_for } = settings.breaker;
        let failures = count("failures", 100, &mut breaker, cx).unwrap_or(failures);
        let open_for = span("open_for", Span::DAY, &mut breaker, cx).unwrap_or(open_for);
        settings.breaker = Breaker { failures, open_for };
        breaker.done(cx);
    }
}

/// Of what would be done, no more than this is left undone for the sake of knowing.
const MAX_HOLD_OUT: f64 = 0.5;

/// A share as people write it: `5%` or `0.05`.
fn share(node: &Node, what: &'static str, cx: &mut Cx) -> Option<f64> {
    let text = cx.text(node, what)?;
    let (number, of) = text.strip_suffix('%').map_or((text.as_str(), 1.0), |percent| (percent.trim_end(), 100.0));
    let share = number.parse::<f64>().ok().map(|number| number / of).filter(|share| (0.0..=MAX_HOLD_OUT).contains(share));
    if share.is_none() {
        cx.wrong(node, what, format!("a share from 0% to {:.0}%", 100.0 * MAX_HOLD_OUT));
    }
    share
}

/// `learn: { half_life, raise_likelihood, lower_likelihood }`.
fn learning(node: &Node, cx: &mut Cx) -> Learning {
    let usual = Settings::default().learning;
    let Some(mut fields) = Fields::of(node, "learn", cx) else { return usual };
    let half_life = fields.take("half_life").and_then(|n| cx.span(n, "half_life", Span::HOUR, Span::DAY.times(366)));
    let bound = |key: &'static str, fields: &mut Fields<'_>, cx: &mut Cx| fields.take(key).and_then(|n| cx.number(n, key, 0.0, 0.3));
    let raise = bound("raise_likelihood", &mut fields, cx);
    let lower = bound("lower_likelihood", &mut fields, cx);
    fields.done(cx);
    Learning {
        half_life: half_life.unwrap_or(usual.half_life),
        raise_likelihood: raise.unwrap_or(usual.raise_likelihood),
        lower_likelihood: lower.unwrap_or(usual.lower_likelihood),
    }
}

fn windows(node: &Node, what: &'static str, cx: &mut Cx) -> Vec<Window> {
    let items = node.items();
    if items.len() > MAX_WINDOWS {
        cx.error(node.at, format!("{what}: found {}, want {MAX_WINDOWS} at most", items.len()));
    }
    items.iter().take(MAX_WINDOWS).filter_map(|item| window(item, cx)).collect()
}

/// `{ name, rule, start, zone, for }` for one that comes again, `{ name, from, to }` for one that does not.
fn window(node: &Node, cx: &mut Cx) -> Option<Window> {
    let mut fields = Fields::of(node, "a window", cx)?;
    let name = fields.need("name", cx).and_then(|n| cx.text(n, "name"));
    let services: Vec<String> =
        fields.take("services").map(|n| n.items().iter().filter_map(|i| cx.text(i, "services")).collect()).unwrap_or_default();
    let time = |node: &Node, what: &str, cx: &mut Cx| cx.parsed::<Timestamp>(node, what, "a time such as 2026-11-27T00:00:00Z");
    let from = fields.take("from").and_then(|n| time(n, "from", cx));
    let made = if let Some(from) = from {
        let to = fields.need("to", cx).and_then(|n| time(n, "to", cx));
        fields.done(cx);
        Window::once(name?, services, from, to?)
    } else {
        let rule = fields.need("rule", cx).and_then(|n| cx.text(n, "rule"));
        let start = fields.need("start", cx).and_then(|n| local(n, cx));
        let zone = fields.take("zone").and_then(|n| cx.text(n, "zone")).unwrap_or_else(|| "UTC".to_owned());
        let lasts = fields.need("for", cx).and_then(|n| cx.span(n, "for", Span::MINUTE, Span::DAY.times(366)));
        fields.done(cx);
        Window::recurring(name?, services, (&start?, &zone), &rule?, lasts?)
    };
    made.map_err(|error| cx.error(node.at, format!("a window: {error}"))).ok()
}

/// A local time as people write it, as RFC 5545 does.
fn local(node: &Node, cx: &mut Cx) -> Option<String> {
    let at: jiff::civil::DateTime = cx.parsed(node, "start", "a local time such as 2026-01-03T22:00")?;
    Some(at.strftime("%Y%m%dT%H%M%S").to_string())
}

fn programs(node: &Node, cx: &mut Cx) -> Vec<PathBuf> {
    let Some(mut fields) = Fields::of(node, "command", cx) else { return Vec::new() };
    let list = fields.need("allow", cx);
    fields.done(cx);
    let mut programs = Vec::new();
    for item in list.map(Node::items).unwrap_or_default().iter().take(MAX_PROGRAMS) {
        let Some(text) = cx.text(item, "allow") else { continue };
        let path = PathBuf::from(&text);
        let is_plain = path.is_absolute() && path.components().all(|c| !matches!(c, std::path::Component::ParentDir));
        if is_plain {
            programs.push(path);
        } else {
            cx.wrong(item, "allow", "an absolute path without `..`, such as /usr/bin/systemctl");
        }
    }
    programs
}

fn hosts(node: &Node, cx: &mut Cx) -> Option<(Vec<String>, bool)> {
    let mut fields = Fields::of(node, "http", cx)?;
    let list = fields.need("allow", cx);
    let allow_private = fields.take("allow_private").and_then(|n| cx.flag(n, "allow_private")).unwrap_or(false);
    fields.done(cx);
    let mut hosts = Vec::new();
    for item in list.map(Node::items).unwrap_or_default() {
        let Some(text) = cx.text(item, "allow") else { continue };
        match url::Host::parse(&text) {
            Ok(host) => hosts.push(host.to_string()),
            Err(error) => cx.error(item.at, format!("allow: {} is no host: {error}", quoted(&text))),
        }
    }
    Some((hosts, allow_private))
}

/// `topology: { services: { NAME: { tier, depends_on, group } } }`.
pub fn topology(node: &Node, cx: &mut Cx) -> Topology {
    let Some(mut fields) = Fields::of(node, "topology", cx) else { return Topology::default() };
    let mut services = BTreeMap::new();
    match fields.need("services", cx) {
        Some(Node { value: Value::Map(entries), .. }) => {
            for entry in entries.iter().take(MAX_SERVICES) {
                if !is_name(&entry.key) && entry.key.chars().any(char::is_control) {
                    cx.error(entry.key_at, format!("{} is no name of a service", quoted(&entry.key)));
                }
                services.extend(service(&entry.node, cx).map(|service| (entry.key.clone(), service)));
            }
        }
        Some(other) => cx.wrong(other, "services", "a mapping (service: what it is)"),
        None => {}
    }
    fields.done(cx);
    let topology = Topology(services);
    let known: Vec<&str> = topology.0.keys().map(String::as_str).collect();
    for name in topology.unknown() {
        cx.unknown_name(node.at, "service in depends_on", name, &known);
    }
    topology
}

fn service(node: &Node, cx: &mut Cx) -> Option<Service> {
    let tiers = [("low", Tier::Low), ("medium", Tier::Medium), ("high", Tier::High), ("critical", Tier::Critical)];
    let mut fields = Fields::of(node, "a service", cx)?;
    let tier = fields.take("tier").and_then(|n| cx.one_of(n, "tier", &tiers)).unwrap_or_default();
    let depends_on = fields.take("depends_on").map(|n| n.items().iter().filter_map(|i| cx.text(i, "depends_on")).collect());
    let group = fields.take("group").and_then(|n| cx.text(n, "group"));
    fields.done(cx);
    Some(Service { tier, depends_on: depends_on.unwrap_or_default(), group })
}
