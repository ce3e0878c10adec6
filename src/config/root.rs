//! Reads the whole configuration: sources, packs, watches, playbooks and receivers, which name each other, and then the settings.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::act::{self, ActConfig};
use super::error::Position;
use super::fields::Fields;
use super::reader::Cx;
use super::tree::{Node, Value};
use super::valid::{Books, Config, LimitsConfig, NotifyConfig, PackUse, PrometheusConfig, SourceConfig};
use super::watch::Known;
use super::{DEFAULT_LISTEN, calendar, health, http, notify, playbook, server, settings, source, watch};
use crate::core::health::HealthCheck;
use crate::core::playbook::Playbook;
use crate::core::time::Span;
use crate::core::watch::Watch;
use crate::packs::{self, Pack};
use crate::playbooks;

/// The tick, unless configured.
const DEFAULT_INTERVAL: Span = Span::from_secs(30);
const DEFAULT_DATA_DIR: &str = "./portent-data";
/// Most sources, receivers and watches of one file: each costs connections or queries a tick.
const MAX_SOURCES: usize = 100;
const MAX_RECEIVERS: usize = 100;
const MAX_WATCHES: usize = 5_000;
/// Most health checks of one file: each is a request a tick.
const MAX_CHECKS: usize = 200;

/// The configuration as far as it could be read; it counts only when `cx` has no errors.
pub fn read(text: &str, cx: &mut Cx) -> Option<Config> {
    let root = cx.tree(text);
    let Some(root) = root else {
        if cx.errors.is_empty() {
            let hint =
                "the least is a source: `sources: [{ name: prod, prometheus: { url: http://127.0.0.1:9090 } }]`, and `packs: [node]`";
            cx.error_hint(Position::WHOLE, "the configuration is empty", hint);
        }
        return None;
    };
    let mut fields = Fields::of(&root, "the configuration", cx)?;
    let sources_node = fields.need("sources", cx);
    let sources = read_sources(sources_node, cx);
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in written_names(sources_node) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let before = cx.errors.len();
    let (playbooks, books) = read_playbooks(&mut fields, cx);
    let playbook_names: Vec<&str> = playbooks.iter().map(|p| p.name.as_str()).collect();
    let playbooks_are_known = cx.errors.len() == before && books.refused.is_empty();
    let packs = fields.take("packs").map(|n| read_packs(n, &names, cx)).unwrap_or_default();
    let known = Known { sources: &names, playbooks: playbooks_are_known.then_some(&playbook_names) };
    let own = fields.take("watches").map(|n| read_watches(n, known, cx)).unwrap_or_default();
    let mut watches = with_packs(own, &packs);
    let taken: Vec<&str> = watches.iter().map(|watch| &*watch.name).collect();
    let checks = fields.take("checks").map(|n| read_checks(n, known, &taken, cx)).unwrap_or_default();
    // A calendar of all: of each watch that has none of its own.
    let days = fields.take("calendar").map(|n| calendar::read(n, cx)).unwrap_or_default();
    watches.iter_mut().filter(|watch| watch.special_days.is_empty()).for_each(|watch| watch.special_days.clone_from(&days));
    if watches.is_empty() && checks.is_empty() && cx.errors.is_empty() {
        cx.error_hint(root.at, "nothing is watched", "add `packs: [node]` (see `portent packs list`), `watches:` or `checks:`");
    }
    let notify = fields.take("notify").map(|n| read_notify(n, cx)).unwrap_or_default();
    let interval = fields.take("interval").and_then(|n| cx.span(n, "interval", Span::SECOND, Span::HOUR)).unwrap_or(DEFAULT_INTERVAL);
    let data_dir = fields.take("data_dir").and_then(|n| cx.text(n, "data_dir")).unwrap_or_else(|| DEFAULT_DATA_DIR.into());
    let data_dir = cx.path(&data_dir);
    let chart_dir = settings::chart_dir(&mut fields, &data_dir, cx);
    let listen_node = fields.take("listen");
    let listen = listen_node.map_or_else(|| DEFAULT_LISTEN.parse().ok(), |n| settings::listen(n, cx));
    let access = fields.take("server").and_then(|n| server::read(n, cx)).map(Arc::new).unwrap_or_default();
    let external_url = fields.take("external_url").and_then(|n| http::base_url(n, "external_url", cx));
    let log = fields.take("log").and_then(|n| settings::log(n, cx)).unwrap_or(settings::DEFAULT_LOG);
    let mut act = fields.take("act").and_then(|n| act::read(n, cx)).unwrap_or_default();
    if let Some(node) = fields.take("topology") {
        act.topology = act::topology(node, cx);
    }
    let limits = fields.take("limits").and_then(|n| settings::limits(n, cx)).unwrap_or_default();
    fields.done(cx);
    let listen = listen?;
    let config = Config {
        sources,
        packs,
        watches,
        checks,
        notify,
        playbooks,
        books,
        interval,
        data_dir,
        chart_dir,
        listen,
        external_url,
        access,
        log,
        act,
        limits,
    };
    if config.is_open_at(listen) {
        let at = listen_node.map_or(Position::WHOLE, |node| node.at);
        cx.error_hint(at, format!("listen: {listen} can be reached from elsewhere, and there is no login"), server::OPEN_HINT);
    }
    Some(config)
}

/// The configuration of a run with nothing but a URL.
pub fn for_url(url: &str, cx: &mut Cx) -> Option<Config> {
    let node = Node { at: Position::WHOLE, value: Value::Scalar { text: url.into(), plain: false } };
    let url = http::base_url(&node, "URL", cx)?;
    let name: Arc<str> = "prometheus".into();
    let packs = packs::all().iter().map(|pack| PackUse { pack, source: name.clone(), probe: true }).collect();
    let data_dir = PathBuf::from(DEFAULT_DATA_DIR);
    Some(Config {
        sources: vec![SourceConfig { name, prometheus: PrometheusConfig::plain(url) }],
        packs,
        watches: Vec::new(),
        checks: Vec::new(),
        notify: Vec::new(),
        playbooks: playbooks::all().iter().map(|embedded| embedded.playbook.clone()).collect(),
        books: Books::default(),
        interval: DEFAULT_INTERVAL,
        chart_dir: Some(data_dir.join("charts")),
        data_dir,
        listen: DEFAULT_LISTEN.parse().ok()?,
        external_url: None,
        access: Arc::default(),
        log: settings::DEFAULT_LOG,
        act: ActConfig::default(),
        limits: LimitsConfig::default(),
    })
}

/// Items of a list of at most `most`.
fn limited<'n>(node: &'n Node, what: &str, most: usize, cx: &mut Cx) -> &'n [Node] {
    let items = node.items();
    if items.len() > most {
        cx.error(node.at, format!("{what}: found {}, want {most} at most", items.len()));
        return &items[..most];
    }
    items
}

/// Notes every name that stands twice.
fn unique<'a>(what: &str, names: impl Iterator<Item = (&'a str, Position)>, cx: &mut Cx) {
    let mut seen: HashMap<&str, Position> = HashMap::new();
    for (name, at) in names {
        match seen.get(name) {
            Some(first) => cx.error(at, format!("{what} {name:?} stands twice, first on line {}", first.line)),
            None => drop(seen.insert(name, at)),
        }
    }
}

fn read_sources(node: Option<&Node>, cx: &mut Cx) -> Vec<SourceConfig> {
    let Some(node) = node else { return Vec::new() };
    let items = limited(node, "sources", MAX_SOURCES, cx);
    if items.is_empty() {
        cx.error(node.at, "sources: found none, want at least one");
    }
    unique("source", written_names(Some(node)).into_iter(), cx);
    items.iter().filter_map(|item| source::read(item, cx)).collect()
}

fn read_playbooks(fields: &mut Fields<'_>, cx: &mut Cx) -> (Vec<Playbook>, Books) {
    let (dir, list) = (fields.take("playbooks_dir"), fields.take("playbooks"));
    let playbook::Gathered { books: own, refused, refused_files, refused_names, dir } = playbook::gather(dir, list, cx);
    let is_taken = |name: &String| own.iter().any(|book| book.playbook.name == *name) || refused_names.contains(name);
    let kept = playbooks::all().iter().map(|e| &e.playbook).filter(|e| !is_taken(&e.name)).cloned();
    let playbooks = kept.chain(own.iter().map(|book| book.playbook.clone())).collect();
    let files = own.iter().filter_map(|book| Some((book.playbook.name.clone(), book.file.clone()?))).collect();
    (playbooks, Books { files, dir, refused, refused_files })
}

/// A pack's name, or `{ name, source }`; without a source it looks at all of them.
fn read_packs(node: &Node, sources: &[&str], cx: &mut Cx) -> Vec<PackUse> {
    let mut uses: Vec<PackUse> = Vec::new();
    for item in node.items() {
        let mut wanted = sources.to_vec();
        let pack = if let Value::Map(_) = item.value {
            let Some(mut fields) = Fields::of(item, "a pack", cx) else { continue };
            let pack = fields.need("name", cx).and_then(|n| read_pack(n, cx));
            if let Some(node) = fields.take("source") {
                wanted = cx.known_name(node, "source", sources).into_iter().collect();
            }
            fields.done(cx);
            pack
        } else {
            read_pack(item, cx)
        };
        let Some(pack) = pack else { continue };
        for source in wanted {
            if uses.iter().any(|known| known.pack.name == pack.name && &*known.source == source) {
                cx.error(item.at, format!("pack {:?} stands twice for source {source:?}", pack.name));
            } else {
                uses.push(PackUse { pack, source: source.into(), probe: false });
            }
        }
    }
    uses
}

fn read_pack(node: &Node, cx: &mut Cx) -> Option<&'static Pack> {
    let names: Vec<&str> = packs::all().iter().map(|p| p.name.as_str()).collect();
    cx.known_name(node, "pack", &names).and_then(packs::find)
}

fn read_watches(node: &Node, known: Known<'_>, cx: &mut Cx) -> Vec<Watch> {
    let items = limited(node, "watches", MAX_WATCHES, cx);
    unique("watch", written_names(Some(node)).into_iter(), cx);
    items.iter().filter_map(|item| watch::read(item, known, cx)).collect()
}

/// A check has a name of its own: playbooks know it by that, as they know watches.
fn read_checks(node: &Node, known: Known<'_>, taken: &[&str], cx: &mut Cx) -> Vec<HealthCheck> {
    let items = limited(node, "checks", MAX_CHECKS, cx);
    let names = written_names(Some(node));
    unique("check", names.iter().copied(), cx);
    for (name, at) in names.into_iter().filter(|(name, _)| taken.contains(name)) {
        cx.error(at, format!("check {name:?} has the name of a watch"));
    }
    items.iter().filter_map(|item| health::read(item, known, cx)).collect()
}

/// The user's watches and those of the packs in use. A watch of the user's replaces a pack's of the same name on the same source: that is
/// how one is changed.
fn with_packs(own: Vec<Watch>, packs: &[PackUse]) -> Vec<Watch> {
    let mut watches = own;
    let written = watches.len();
    for used in packs {
        let alone = packs.iter().filter(|other| other.pack.name == used.pack.name).count() == 1;
        for (watch, plain) in used.pack.watches_on(&used.source, alone).into_iter().zip(&used.pack.watches) {
            let replaces = |w: &Watch| w.name == watch.name || (w.name == plain.name && w.source == watch.source);
            if !watches[..written].iter().any(replaces) {
                watches.push(watch);
            }
        }
    }
    watches
}

/// The names of a list's items as they are written, also of those that have faults: so that one fault is not reported again by each who
/// names the item.
fn written_names(node: Option<&Node>) -> Vec<(&str, Position)> {
    let items = match node.map(|n| &n.value) {
        Some(Value::List(items)) => items.as_slice(),
        Some(Value::Map(_)) => node.map(std::slice::from_ref).unwrap_or_default(),
        _ => return Vec::new(),
    };
    let entries = items.iter().filter_map(|item| match &item.value {
        Value::Map(entries) => entries.iter().find(|entry| entry.key == "name"),
        _ => None,
    });
    let named = entries.filter_map(|entry| match &entry.node.value {
        Value::Scalar { text, .. } => Some((text.trim(), entry.node.at)),
        _ => None,
    });
    named.collect()
}

fn read_notify(node: &Node, cx: &mut Cx) -> Vec<NotifyConfig> {
    let items = limited(node, "notify", MAX_RECEIVERS, cx);
    let read: Vec<(NotifyConfig, Position)> = items.iter().filter_map(|item| notify::read(item, cx).map(|n| (n, item.at))).collect();
    let names = read.iter().map(|(receiver, at)| (receiver.name(), *at));
    unique("receiver", names, cx);
    read.into_iter().map(|(receiver, _)| receiver).collect()
}
