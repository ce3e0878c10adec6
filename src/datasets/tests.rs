//! What lies in the repository is what the cards say and what the generator makes.

use std::path::{Path, PathBuf};

use super::*;
use crate::core::watch::Side;
use crate::source::replay;

/// Everything under `datasets/` together.
const MAX_BYTES: u64 = 5_000_000;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("datasets").join(name)
}

fn read(name: &str, file: &str) -> String {
    std::fs::read_to_string(folder(name).join(file)).unwrap()
}

#[test]
fn what_is_made_is_what_lies_in_the_repository() {
    for spec in &MADE {
        let made = spec.make();
        let hint = format!("run `portent datasets make {}` and look at the difference", spec.name);
        assert!(made.data == read(spec.name, DATA_FILE), "{hint}");
        assert_eq!(made.card, read(spec.name, CARD_FILE), "{hint}");
    }
}

#[test]
fn every_card_tells_the_hash_and_size_of_its_data_and_who_may_use_it() {
    let cards = cards().unwrap();
    let mut bytes = 0;
    for card in &cards {
        assert!(!card.about.is_empty() && !card.origin.is_empty() && !card.licence.is_empty(), "{}", card.name);
        // The demo's data is made and not stored; its own tests hold its hash.
        if card.name == "demo" {
            continue;
        }
        let data = std::fs::read(folder(&card.name).join(DATA_FILE)).unwrap();
        assert_eq!(sha256(&data), card.sha256, "{}", card.name);
        let set = replay::read_csv(&card.name, data.as_slice()).unwrap();
        assert_eq!((set.series.len(), set.samples()), (card.series, card.samples), "{}", card.name);
        assert!(set.series.iter().all(|series| series.step == card.step), "{}", card.name);
        for incident in card.incidents.iter().chain(&card.unclear) {
            assert!(set.named(&incident.series).is_some(), "{}: {}", card.name, incident.series);
            assert!(incident.begins <= incident.ends, "{}: {incident:?}", card.name);
        }
        let with_text = folder(&card.name).join("LICENCE").exists();
        assert!(with_text || card.licence == "CC0-1.0", "{}: the licence's text lies beside the data", card.name);
        bytes += data.len() as u64;
    }
    assert!(bytes <= MAX_BYTES, "{bytes}");
    assert!(cards.iter().any(|card| card.seed.is_none()), "one is recorded, not made");
}

#[test]
fn what_crosses_has_a_cause_and_what_is_healthy_does_not_cross() {
    for spec in &MADE {
        let card = Card::parse(&spec.make().card).unwrap();
        for run in spec.runs() {
            let crossings = spec.crossings(&run);
            let told: Vec<_> = card.incidents.iter().filter(|i| i.series == run.column.name).flat_map(|i| i.crosses.clone()).collect();
            assert_eq!(crossings, told, "{}: {}", spec.name, run.column.name);
            assert!(spec.limit.0 == Side::Above && run.values.iter().flatten().all(|v| *v >= 0.0), "{}: {}", spec.name, run.column.name);
        }
        let breaks = card.incidents.iter().filter(|i| !i.crosses.is_empty()).count();
        match spec.name {
            "disks" => assert!(breaks >= 6, "{breaks}"),
            "leaks" => assert!(breaks >= 4, "{breaks}"),
            "capacity" => assert!(breaks >= 3, "{breaks}"),
            "fleet" => assert!(card.incidents.is_empty()),
            _ => assert!(card.incidents.len() > 20),
        }
    }
}

#[test]
fn a_card_says_which_of_its_lines_is_wrong() {
    let good = MADE[4].make().card;
    assert!(Card::parse(&good).is_ok());
    let error = |text: &str| Card::parse(text).unwrap_err().to_string();
    assert_eq!(
        error(&good.replace("seed = ", "seed: ")),
        r#"cannot read the card of fleet, line 7: "seed: 20260405" is not `key = value`, `[[table]]` or a comment"#
    );
    assert!(error(&good.replace("samples = ", "samples = about ")).contains("samples is \"about 1"));
    assert!(error(&good.replace("step = \"5m\"", "step = 5m")).contains("step is \"5m\", not a string"));
    assert!(error("").contains("a set without a name"));
}
