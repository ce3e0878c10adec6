//! The calendar of a watch: kinds of days unlike others, each a list of dates or rules.

use std::collections::BTreeSet;

use jiff::civil::Date;

use super::reader::{Cx, quoted};
use super::tree::{Node, Value};
use crate::core::calendar::{Kind, Kinds, MAX_DAYS, MAX_KINDS, date, rule};

/// Each key names a kind. Its days are dates (`2026-12-25`) or rules of RFC 5545 (`FREQ=MONTHLY;BYMONTHDAY=-1`), in the watch's zone.
pub fn read(node: &Node, cx: &mut Cx) -> Kinds {
    let Value::Map(entries) = &node.value else {
        cx.wrong(node, "a calendar", "a mapping of kinds to days, as {holidays: [2026-12-25]}");
        return Kinds::default();
    };
    if entries.is_empty() || entries.len() > MAX_KINDS {
        cx.error(node.at, format!("a calendar has {} kinds of days, want 1 to {MAX_KINDS}", entries.len()));
    }
    let mut kinds = Vec::new();
    for entry in entries.iter().take(MAX_KINDS) {
        if !is_name(&entry.key) {
            cx.error(
                entry.key_at,
                format!("{} is no name of a kind of days: want lower-case letters, digits and hyphens", quoted(&entry.key)),
            );
        }
        kinds.push(Kind { name: entry.key.clone(), days: read_days(&entry.node, &entry.key, cx) });
    }
    kinds.into()
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
}

fn read_days(node: &Node, name: &str, cx: &mut Cx) -> BTreeSet<Date> {
    let mut days = BTreeSet::new();
    let items = node.items();
    if items.is_empty() || items.len() > MAX_DAYS {
        cx.error(node.at, format!("{name}: found {} dates or rules, want 1 to {MAX_DAYS}", items.len()));
    }
    for item in items.iter().take(MAX_DAYS) {
        let Some(text) = cx.text(item, "a kind of days") else { continue };
        if text.contains('=') {
            match rule(&text) {
                Ok(named) => days.extend(named),
                Err(why) => cx.error(item.at, format!("{name}: {why}")),
            }
            continue;
        }
        match date(&text) {
            Ok(day) if !days.insert(day) => cx.error(item.at, format!("{name}: {day} stands twice")),
            Ok(_) => {}
            Err(why) => cx.error(item.at, format!("{name}: {why}")),
        }
    }
    days
}

#[cfg(test)]
mod tests {
    use crate::config::parse;

    fn config(calendar: &str) -> String {
        format!(
            "sources: [{{ name: a, prometheus: {{ url: \"http://127.0.0.1:1\" }} }}]\ncalendar: {calendar}\nwatches: [{{ name: w, query: x }}]\n"
        )
    }

    #[test]
    fn a_calendar_has_kinds_of_dates_and_rules() {
        let text = "{ holidays: [2026-12-25, 2026-12-26], month-end: \"FREQ=MONTHLY;BYMONTHDAY=-1\", sale: 2026-11-27 }";
        let watches = parse(&config(text), "x").unwrap().watches;
        let kinds = &watches[0].special_days;
        let said: Vec<(&str, usize)> = kinds.iter().map(|kind| (kind.name.as_str(), kind.days.len())).collect();
        assert_eq!(said, [("holidays", 2), ("month-end", 1_500), ("sale", 1)]);
    }

    #[test]
    fn what_is_no_day_is_said_with_its_place() {
        for (bad, why) in [
            ("[2026-12-25]", "a mapping of kinds"),
            ("{ holidays: [2026-13-01] }", "not a date"),
            ("{ holidays: [2026-12-25, 2026-12-25] }", "stands twice"),
            ("{ sale: \"FREQ=DAILY\" }", "every day"),
            ("{ \"Big Sale\": [2026-12-25] }", "no name"),
            ("{}", "want 1 to"),
        ] {
            let said = format!("{:?}", parse(&config(bad), "x").unwrap_err());
            assert!(said.contains(why), "{bad}: {said}");
        }
    }
}
