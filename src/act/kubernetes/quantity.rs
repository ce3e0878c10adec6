//! Amounts of memory and processor time as Kubernetes writes them: `512Mi`, `1.5G`, `250m`.
//!
//! Counted in thousandths, in whole numbers: a limit that was multiplied and written again must not be off by what a float cannot hold.

use std::fmt;

/// What a unit stands for, in thousandths.
const UNITS: [(&str, u128); 14] = [
    // The binary ones first.
    ("Ei", 1000 << 60),
    ("Pi", 1000 << 50),
    ("Ti", 1000 << 40),
    ("Gi", 1000 << 30),
    ("Mi", 1000 << 20),
    ("Ki", 1000 << 10),
    ("E", 1_000_000_000_000_000_000_000),
    ("P", 1_000_000_000_000_000_000),
    ("T", 1_000_000_000_000_000),
    ("G", 1_000_000_000_000),
    ("M", 1_000_000_000),
    ("k", 1_000_000),
    ("", 1_000),
    ("m", 1),
];

/// So many of them are powers of 1,024.
const BINARY_UNITS: usize = 6;

/// Longest text of one: far more digits than any amount has.
const MAX_BYTES: usize = 24;

/// An amount, and in which kind of unit it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quantity {
    thousandths: u128,
    is_binary: bool,
}

impl Quantity {
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no amount, want one such as 512Mi or 250m");
        let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, unit) = text.split_at(split);
        let unit = UNITS.into_iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
        let (whole, part) = number.split_once('.').unwrap_or((number, ""));
        if text.len() > MAX_BYTES || (whole.is_empty() && part.is_empty()) || part.contains('.') {
            return Err(wrong());
        }
        let digits = |text: &str| if text.is_empty() { Some(0) } else { text.parse::<u128>().ok() };
        let scale = 10_u128.pow(part.len() as u32);
        let whole = digits(whole).and_then(|n| n.checked_mul(unit.1)).ok_or_else(wrong)?;
        // What is less than a thousandth is rounded up, as Kubernetes does.
        let part = digits(part).and_then(|n| n.checked_mul(unit.1)).ok_or_else(wrong)?.div_ceil(scale);
        Ok(Self { thousandths: whole.checked_add(part).ok_or_else(wrong)?, is_binary: unit.0.ends_with('i') })
    }

    /// So many hundredths of it; of what is counted in powers of 1,024, which is memory, no parts of a byte.
    pub fn percent(self, percent: u32) -> Self {
        let grown = self.thousandths.saturating_mul(u128::from(percent)) / 100;
        Self { thousandths: if self.is_binary { grown / 1_000 * 1_000 } else { grown }, ..self }
    }

    pub fn is_more_than(self, other: Self) -> bool {
        self.thousandths > other.thousandths
    }
}

/// As the API server writes it: the largest unit of its kind that leaves a whole number. Written otherwise, what is read back would look as if somebody
/// had changed it. What is less than the smallest unit is cut off.
impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let divides = |(_, size): &&(&str, u128)| self.thousandths.is_multiple_of(*size);
        let (binary, decimal) = UNITS.split_at(BINARY_UNITS);
        let found = binary.iter().filter(|_| self.is_binary).find(divides).or_else(|| decimal.iter().find(divides));
        let (name, size) = found.copied().unwrap_or(("m", 1));
        write!(f, "{}{name}", self.thousandths / size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grown(text: &str, percent: u32) -> String {
        Quantity::parse(text).unwrap().percent(percent).to_string()
    }

    #[test]
    fn amounts_grow_exactly_and_stay_in_their_kind_of_unit() {
        for (text, percent, want) in [
            ("512Mi", 150, "768Mi"),
            ("1Gi", 150, "1536Mi"),
            ("1.5Gi", 200, "3Gi"),
            ("250m", 150, "375m"),
            ("1", 125, "1250m"),
            ("2", 200, "4"),
            ("0.5", 200, "1"),
            ("1G", 130, "1300M"),
            ("1048576", 200, "2097152"),
            ("100Ki", 101, "101Ki"),
            ("3Ki", 150, "4608"),
            ("512Mi", 200, "1Gi"),
            ("1Ki", 133, "1361"),
            ("500", 200, "1k"),
        ] {
            assert_eq!(grown(text, percent), want, "{text} by {percent} %");
        }
        assert!(Quantity::parse("1Gi").unwrap().is_more_than(Quantity::parse("1000Mi").unwrap()));
        assert!(!Quantity::parse("1024Mi").unwrap().is_more_than(Quantity::parse("1Gi").unwrap()));
        for text in
            ["", "Mi", "1 Gi", "-1", "+1", "1e3", "1.2.3", ".", "1gi", "1Gi\n", "99999999999999999999999999", "9999999999999999999Ei9"]
        {
            assert!(Quantity::parse(text).is_err(), "{text:?} was taken");
        }
    }
}
