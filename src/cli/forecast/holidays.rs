//! Holidays from the command line, or from a file with a date a line.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::Path;

use jiff::civil::Date;

use super::Failure;
use crate::core::calendar::{MAX_DAYS, date};

/// A file of [`MAX_DAYS`] dates with a comment each is far below.
const MAX_BYTES: u64 = 1 << 20;

/// Dates with commas between, or the file of that name: the first cell of each line, `#` begins a comment, a header is no date.
pub fn read(text: &str) -> Result<BTreeSet<Date>, Failure> {
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
        return Err(Failure::usage(format!("{} holidays, more than {MAX_DAYS}", days.len())));
    }
    Ok(days)
}

fn unreadable(what: &str, why: &str) -> Failure {
    Failure::usage(format!("cannot read holidays {what}: {why}")).hint("write them as 2026-12-25,2026-12-26, or a file with a date a line")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_stand_in_a_list_or_in_lines() {
        assert_eq!(read("2026-12-25, 2026-12-26").unwrap().len(), 2);
        let days = of_lines("x", "date,name\n2026-12-25,Christmas\n\n# next year\n2027-01-01 # New Year\n").unwrap();
        assert_eq!(days.into_iter().map(|d| d.to_string()).collect::<Vec<_>>(), ["2026-12-25", "2027-01-01"]);
        assert!(of_lines("x", "2026-12-25\nnoon\n").unwrap_err().message.contains("line 2"));
        assert!(read("2026-13-01").unwrap_err().message.contains("not a date"));
    }
}
