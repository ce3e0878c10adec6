//! How right it is, on the data sets that come with the program, with a naive rival on every line.
//!
//!     cargo bench --bench accuracy [-- --only anomalies,forecasts,breaches,newcomers] [--portent PATH] [--json]
//!
//! All but the last part goes through the public commands (`detect`, `forecast`, `forecast --cases`), so what is measured is what users get; rivals are
//! computed here, on the same samples. Metrics are those of `portent_models::accuracy`, each defined there with its source. Nothing here is
//! timed or asserted: figures are for reading, and for `benches/RESULTS.md`.
#![allow(clippy::unwrap_used, reason = "a bench that cannot go on should stop where it is")]

mod anomalies;
mod breaches;
mod data;
mod forecasts;
mod line;
mod newcomers;
mod portent;

use data::Set;
use line::Line;
use portent::Portent;

type Part = fn(&Portent, &[Set]) -> Vec<Line>;

const PARTS: [(&str, Part); 4] = [
    ("anomalies", anomalies::measure),
    ("forecasts", forecasts::measure),
    ("breaches", breaches::measure),
    ("newcomers", newcomers::measure),
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let after = |name: &str| arguments.iter().position(|a| a == name).and_then(|at| arguments.get(at + 1)).cloned();
    let only = after("--only");
    let as_json = arguments.iter().any(|a| a == "--json");
    let portent = Portent::at(after("--portent"));
    let sets = Set::all();
    let wanted = |name: &str| only.as_ref().is_none_or(|only| only.split(',').any(|o| o == name));
    let mut all = Vec::new();
    if !as_json {
        println!("{}", Line::HEADER);
    }
    for (_, measure) in PARTS.into_iter().filter(|(name, _)| wanted(name)) {
        let lines = measure(&portent, &sets);
        if !as_json {
            for line in &lines {
                println!("{line}");
            }
        }
        all.extend(lines);
    }
    if as_json {
        let rows: Vec<serde_json::Value> = all.iter().map(Line::json).collect();
        println!("{}", serde_json::to_string_pretty(&rows).unwrap());
    }
}
