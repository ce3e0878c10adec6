//! Special days from the command line: dates, a rule, or a file with a date a line.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::Path;

use jiff::civil::Date;

use super::Failure;
use crate::core::calendar::{Kind, Kinds, MAX_DAYS, MAX_KINDS, date, rule};

/// A file of [`MAX_DAYS`] dates with a comment each is far below.
const MAX_BYTES: u64 = 1 << 20;

/// Holidays, and kinds of days as `NAME=DAYS`.
pub fn kinds(holidays: Option<&str>, others: &[String]) -> Result<Kinds, Failure> {
    let mut kinds = Vec::new();
    if let Some(text) = holidays {
        kinds.push(Kind { name: "holidays".to_owned(), days: read(text)? });
    }
    for other in others {
        let wanted = || Failure::usage(format!("{other:?} is no kind of days")).hint("write it as sale=2026-11-27,2027-11-26");
        let (name, text) = other.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or_else(wanted)?;
        kinds.push(Kind { name: name.to_owned(), days: read(text)? });
    }
    if kinds.len() > MAX_KINDS {
        return Err(Failure::usage(format!("{} kinds of days, more than {MAX_KINDS}", kinds.len())));
    }
    Ok(kinds.into())
}

/// A rule of RFC 5545, dates with commas between, or the file of that name: the first cell of each line, `#` begins a comment, a header is no date.
fn read(text: &str) -> Result<BTreeSet<Date>, Failure> {
    if text.starts_with("FREQ=") {
        return rule(text).map_err(|why| unreadable(text, &why));
    }
    if !Path::new(text).exists() {
        let days = text.split(',').map(|day| date(day.trim()).map_err(|why| unreadable(text, &why)));
        return limited(days.collect::<Result<_, _>>()?);
    }
    let mut content = String::new();
    let file = std::fs::File::open(text).map_err(|error| unreadable(text, &error.to_string()))?;
    file.take(MAX_BYTES).read_to_string(&mut content).map_err(|error| unreadable(text, &error.to_string()))?;
    limited(of_lines(text, &content)?)
}

fn of_lines(file: &str, content: &str) -> Result<BTreeSet<Date>, Failure> {
    let mut days = BTreeSet::new();
    for (number, line) in content.lines().enumerate() {
        let cell = line.split(['#', ',']).next().unwrap_or_default().trim();
        match date(cell) {
            Ok(day) => drop(days.insert(day)),
            Err(_) if cell.is_empty() || (number == 0 && cell.starts_with(|c: char| c.is_ascii_alphabetic())) => {}
            Err(why) => return Err(unreadable(file, &format!("line {}: {why}", number + 1))),
        }
    }
    Ok(days)
}

fn limited(days: BTreeSet<Date>) -> Result<BTreeSet<Date>, Failure> {
    if days.len() > MAX_DAYS {
        return Err(Failure::usage(format!("{} days of one kind, more than {MAX_DAYS}", days.len())));
    }
    Ok(days)
}

fn unreadable(what: &str, why: &str) -> Failure {
    Failure::usage(format!("cannot read days {what}: {why}")).hint("write them as 2026-12-25,2026-12-26, or a file with a date a line")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_have_names_and_rules() {
        let kinds = kinds(Some("2026-12-25"), &["month-end=FREQ=MONTHLY;BYMONTHDAY=-1".to_owned(), "sale=2026-11-27".to_owned()]).unwrap();
        assert_eq!(kinds.iter().map(|kind| kind.name.as_str()).collect::<Vec<_>>(), ["holidays", "month-end", "sale"]);
        assert!(kinds[1].days.contains(&date("2026-02-28").unwrap()));
        assert!(super::kinds(None, &["2026-11-27".to_owned()]).is_err() && super::kinds(None, &["x=FREQ=DAILY".to_owned()]).is_err());
    }

    #[test]
    fn dates_stand_in_a_list_or_in_lines() {
        assert_eq!(read("2026-12-25, 2026-12-26").unwrap().len(), 2);
        let days = of_lines("x", "date,name\n2026-12-25,Christmas\n\n# next year\n2027-01-01 # New Year\n").unwrap();
        assert_eq!(days.into_iter().map(|d| d.to_string()).collect::<Vec<_>>(), ["2026-12-25", "2027-01-01"]);
        assert!(of_lines("x", "2026-12-25\nnoon\n").unwrap_err().message.contains("line 2"));
        assert!(read("2026-13-01").unwrap_err().message.contains("not a date"));
    }
}
