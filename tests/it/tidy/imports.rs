//! Which part may import which: `models <- core <- adapters <- shells <- cli`, and which crate belongs to which part.

use super::source::{Source, Token};
use super::{Finding, finding};

/// Knows only the core.
const BASE: &[&str] = &["core"];

/// Know the core, and what all requests to the outside have in common.
const ADAPTER: &[&str] = &["core", "outbound"];

/// Settings are made of the adapters' own types.
const CONFIG: &[&str] = &["core", "config", "packs", "playbooks", "source", "store", "ledger", "notify", "act", "chart"];

/// All but the command line.
const SHELL: &[&str] = &[
    "core",
    "clock",
    "telemetry",
    "metrics",
    "source",
    "store",
    "ledger",
    "outbound",
    "notify",
    "act",
    "chart",
    "export",
    "picture",
    "config",
    "packs",
    "playbooks",
    "daemon",
    "backtest",
    "server",
    "demo",
    "datasets",
];

const CLI: &[&str] = &[
    "core",
    "clock",
    "telemetry",
    "metrics",
    "source",
    "store",
    "ledger",
    "outbound",
    "notify",
    "act",
    "chart",
    "export",
    "picture",
    "config",
    "packs",
    "playbooks",
    "daemon",
    "backtest",
    "server",
    "demo",
    "datasets",
    "cli",
];

/// Every part, the parts it may import besides itself, and what to do instead of importing another.
const ORDER: &[(&[&str], &[&str], &str)] = &[
    (&["core"], &[], "the core is pure: hand it what it needs as an argument, or move the type it needs into core"),
    (&["datasets"], BASE, "it only makes bytes: let the verb, the demo or the bench read and write files"),
    (&["clock", "telemetry", "metrics", "outbound"], BASE, "it knows only the core: let the shell hand it over"),
    (
        &["source", "store", "ledger", "notify", "act", "chart", "export"],
        ADAPTER,
        "adapters know the core and never each other: move what both need to core, or let the daemon hand it over",
    ),
    (&["picture"], &["core", "chart"], "it turns what the core knows into a scene: let the shell hand over what else it needs"),
    (&["config", "packs", "playbooks"], CONFIG, "config makes settings and never runs anything: let the shell or the verb do it"),
    (&["daemon", "backtest", "server", "demo"], SHELL, "shells do not know the command line: hand them a value that cli has parsed"),
    (&["cli", "lib", "main"], CLI, "add the part to ORDER in tests/it/tidy/imports.rs"),
];

/// A crate, the parts it belongs to, and what to do instead.
const HOMES: &[(&[&str], &[&str], &str)] = &[
    (
        &["reqwest"],
        &["source", "outbound", "notify", "act", "cli"],
        "HTTP to the outside goes through a source, a notifier or an actuator; the command line may ask the daemon",
    ),
    (&["kube", "k8s_openapi"], &["act"], "clusters are changed by the actuator kubernetes alone"),
    (&["sled"], &["store"], "derived state goes through the Store port"),
    (&["sqlx", "libsqlite3_sys"], &["ledger"], "what must not be lost goes through the Ledger port"),
    (&["plotters", "plotters_backend", "plotters_bitmap"], &["chart"], "describe the picture as a scene and let chart draw it"),
    (&["polars", "polars_core", "polars_arrow", "polars_lazy"], &["backtest", "export"], "tables of results are the backtest's"),
    (&["axum", "tower_http"], &["server", "demo"], "serve it from src/server"),
    (
        &["arrow_csv", "csv", "parquet"],
        &["source", "backtest", "export", "demo", "cli"],
        "files are read by a source, written by an exporter",
    ),
];

/// What has no place in the core and in models/: IO, clocks, chance and other threads.
const IMPURE: &[&str] = &[
    "tokio",
    "reqwest",
    "sled",
    "sqlx",
    "plotters",
    "polars",
    "axum",
    "hyper",
    "rand",
    "rustls",
    "tracing",
    "std::fs",
    "std::net",
    "std::env",
    "std::process",
    "std::thread",
    "std::io",
];

pub fn check(source: &Source) -> Vec<Finding> {
    let tokens = source.tokens();
    let mut findings = inner_imports(source, &tokens);
    findings.extend(crates(source, &tokens));
    findings
}

fn inner_imports(source: &Source, tokens: &[Token<'_>]) -> Vec<Finding> {
    let from = source.module();
    // A file for tests alone belongs to no part.
    if !source.path.starts_with("src/") || source.lines.iter().all(|line| line.is_test) {
        return Vec::new();
    }
    let Some((_, allowed, instead)) = ORDER.iter().find(|(parts, _, _)| parts.contains(&from)) else {
        let found = format!("the part `{from}` has no place in the import order");
        return vec![finding("imports", source, 0, found, "add it to ORDER in tests/it/tidy/imports.rs, with what it may import")];
    };
    // Parts named after `crate::`, after as many `super::` as lead to the root, and after `portent::` in the binary.
    let mut found = Vec::new();
    for (i, token) in tokens.iter().enumerate() {
        if i > 0 && tokens[i - 1].text == "::" {
            continue;
        }
        let mut next = i + 1;
        let is_root = match token.text {
            "crate" => true,
            "portent" => from == "main",
            "super" => {
                let mut supers = 1;
                while text(tokens, next) == "::" && text(tokens, next + 1) == "super" {
                    (supers, next) = (supers + 1, next + 2);
                }
                supers >= source.depth()
            }
            _ => false,
        };
        if is_root && text(tokens, next) == "::" {
            found.extend(heads(tokens, next + 1));
        }
    }
    let known = |part: &str| ORDER.iter().any(|(parts, _, _)| parts.contains(&part));
    found
        .into_iter()
        .filter(|head| known(head.text) && head.text != from && !allowed.contains(&head.text))
        .map(|head| finding("imports", source, head.line, format!("`{from}` imports `{}`", head.text), instead))
        .collect()
}

/// The first names of a path or of a group of paths that starts at `start`: `a::b` -> a; `{a::b, c::{d, e}}` -> a, c.
fn heads<'a>(tokens: &[Token<'a>], start: usize) -> Vec<Token<'a>> {
    if text(tokens, start) != "{" {
        return tokens.get(start).copied().into_iter().collect();
    }
    let (mut depth, mut heads) = (0, Vec::new());
    for i in start..tokens.len() {
        match tokens[i].text {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ if depth == 1 && matches!(tokens[i - 1].text, "{" | ",") => heads.push(tokens[i]),
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    heads
}

fn crates(source: &Source, tokens: &[Token<'_>]) -> Vec<Finding> {
    let part = source.module();
    let pure = matches!(part, "core" | "models");
    let mut findings = Vec::new();
    for (name, line) in outer_paths(tokens) {
        if pure && IMPURE.contains(&name.as_str()) {
            let instead = "the core decides and shells do: take time, chance and data as arguments, give an Effect back";
            findings.push(finding("pure", source, line, format!("`{part}` uses `{name}`"), instead));
            continue;
        }
        let root = name.split("::").next().unwrap_or(&name);
        let home = HOMES.iter().find(|(names, _, _)| names.contains(&root));
        if let Some((_, homes, instead)) = home.filter(|(_, homes, _)| !homes.contains(&part)) {
            let found = format!("`{part}` uses `{root}`, which belongs to {}", homes.join(", "));
            findings.push(finding("crates", source, line, found, instead));
        }
    }
    findings
}

/// Paths that start with another crate's name: the name alone, and for `std` the name with its module, as `std::fs`.
fn outer_paths(tokens: &[Token<'_>]) -> Vec<(String, usize)> {
    let mut paths = Vec::new();
    for (i, token) in tokens.iter().enumerate() {
        let (before, after) = (if i == 0 { "" } else { tokens[i - 1].text }, text(tokens, i + 1));
        let starts = before != "::" || i < 2 || tokens[i - 2].text == "use" || !is_name(tokens[i - 2].text);
        let names_crate = after == "::" || (before == "use" && matches!(after, ";" | "as"));
        if !starts || !names_crate || before == "." {
            continue;
        }
        if token.text == "std" {
            paths.extend(heads(tokens, i + 2).iter().map(|head| (format!("std::{}", head.text), head.line)));
        } else {
            paths.push((token.text.to_owned(), token.line));
        }
    }
    paths
}

fn is_name(text: &str) -> bool {
    text.chars().all(|c| c.is_alphanumeric() || c == '_')
}

fn text<'a>(tokens: &[Token<'a>], index: usize) -> &'a str {
    tokens.get(index).map_or("", |t| t.text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(path: &str, text: &str) -> Vec<(&'static str, usize)> {
        check(&Source::new(path, text)).iter().map(|f| (f.rule, f.line)).collect()
    }

    #[test]
    fn adapters_do_not_import_each_other() {
        assert_eq!(rules("src/notify/webhook.rs", "use crate::core::time::Span;\nuse crate::ledger::Outbox;\n"), [("imports", 2)]);
        assert_eq!(rules("src/notify/webhook.rs", "use crate::{\n    core::time,\n    store::{Key, Store},\n};\n"), [("imports", 3)]);
        assert_eq!(rules("src/notify/webhook.rs", "fn f() -> super::super::source::Error { todo() }\n"), [("imports", 1)]);
        assert_eq!(rules("src/notify/webhook.rs", "use super::outbox::Outbox;\nuse crate::notify::sign;\n"), []);
        assert_eq!(rules("src/source/replay.rs", "fn f() { crate::daemon::run() }\n"), [("imports", 1)]);
        let message = check(&Source::new("src/notify/webhook.rs", "use crate::ledger::Outbox;\n"))[0].to_string();
        assert!(message.starts_with("src/notify/webhook.rs:1: [imports] `notify` imports `ledger`\n"), "{message}");
        assert!(message.contains("move what both need to core"), "{message}");
    }

    #[test]
    fn lower_parts_do_not_import_upper_ones() {
        assert_eq!(rules("src/core/engine.rs", "use crate::config::Config;\n"), [("imports", 1)]);
        assert_eq!(rules("src/core/engine.rs", "use super::super::clock::Clock;\n"), [("imports", 1)]);
        assert_eq!(rules("src/daemon/mod.rs", "use crate::{cli::Run, server, chart};\n"), [("imports", 1)]);
        assert_eq!(rules("src/config/valid.rs", "use crate::daemon::Daemon;\n"), [("imports", 1)]);
        assert_eq!(rules("src/cli/run.rs", "use crate::{daemon::Daemon, config};\n"), []);
        assert_eq!(rules("src/main.rs", "fn main() { portent::cli::main() }\n"), []);
    }

    #[test]
    fn a_part_without_a_place_is_found() {
        assert_eq!(rules("src/helpers.rs", "//! x\n"), [("imports", 1)]);
    }

    #[test]
    fn each_crate_stays_at_home() {
        for (used, home) in [
            ("use reqwest::Client;", "source"),
            ("use sled::Db;", "store"),
            ("use sqlx::{Row, SqlitePool};", "ledger"),
            ("use plotters::prelude::*;", "chart"),
            ("fn f(df: polars::frame::DataFrame) {}", "backtest"),
            ("use axum::Router;", "server"),
        ] {
            assert_eq!(rules("src/daemon/status.rs", used), [("crates", 1)], "{used}");
            assert_eq!(rules("src/core/engine.rs", used), [("pure", 1)], "{used}");
            assert_eq!(rules(&format!("src/{home}/x.rs"), used), [], "{used}");
        }
        assert_eq!(
            rules("src/cli/status.rs", "use ::sled::Db;\nuse sled as other;\nlet x = self.sled::<u8>();\n"),
            [("crates", 1), ("crates", 2)]
        );
    }

    #[test]
    fn the_core_and_the_models_are_pure() {
        for impure in
            ["use tokio::sync::mpsc;", "use std::fs;", "use std::{collections::HashMap, net::TcpStream};", "fn f() { rand::rng(); }"]
        {
            assert_eq!(rules("src/core/engine.rs", impure), [("pure", 1)], "{impure}");
            assert_eq!(rules("models/src/trend.rs", impure), [("pure", 1)], "{impure}");
            assert_eq!(rules("src/daemon.rs", impure), [], "{impure}");
        }
        assert_eq!(rules("src/core/engine.rs", "use std::collections::HashMap;\nuse std::fmt;\n// use tokio::sync;\n"), []);
    }

    #[test]
    fn tests_inside_a_file_may_import_what_they_need() {
        assert_eq!(rules("src/notify/webhook.rs", "#[cfg(test)]\nmod tests {\n    use axum::Router;\n    use crate::ledger;\n}\n"), []);
    }
}
