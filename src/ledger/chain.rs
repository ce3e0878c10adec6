//! The audit chain: a line's hash covers the line and the hash before it.
//!
//! What is in the file then proves itself, but for its end: whoever cuts the last lines off leaves a whole, shorter chain. So the newest
//! head is told outside (a metric, a webhook), and a verification can be given one that must be in it.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

/// The shortest beginning of a hash that is taken for it: what the metric holds, 48 bits.
const LEAST_DIGITS: usize = 12;

/// Number and hash of a line; of the last one, the head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    pub seq: u64,
    /// 64 hex digits; of one that was told outside, at least the first [`LEAST_DIGITS`].
    pub hash: String,
}

impl Head {
    /// Before the first line.
    pub fn origin() -> Self {
        Self { seq: 0, hash: "0".repeat(64) }
    }

    /// The hash's first 48 bits: what a gauge holds exactly.
    pub fn number(&self) -> u64 {
        self.hash.get(..LEAST_DIGITS).and_then(|digits| u64::from_str_radix(digits, 16).ok()).unwrap_or(0)
    }

    fn is_told_as(&self, told: &Self) -> bool {
        self.seq == told.seq && self.hash.starts_with(&told.hash)
    }

    /// The next line's.
    pub fn next(&self, at_ms: i64, json: &str) -> Self {
        let seq = self.seq + 1;
        let mut hash = Sha256::new();
        // What is before the text has a fixed form, so nothing of it can pass for a part of the text.
        hash.update(format!("{}\n{seq}\n{at_ms}\n", self.hash));
        hash.update(json);
        Self { seq, hash: hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect() }
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.seq, self.hash)
    }
}

impl FromStr for Head {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = || format!("{text:?} is no head of an audit chain: want NUMBER:HASH, of the hash at least {LEAST_DIGITS} hex digits");
        let (seq, hash) = text.split_once(':').ok_or_else(wanted)?;
        let is_hash = (LEAST_DIGITS..=64).contains(&hash.len()) && hash.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase());
        let seq = seq.parse().map_err(|_| wanted())?;
        if is_hash { Ok(Self { seq, hash: hash.to_owned() }) } else { Err(wanted()) }
    }
}

/// One line as it lies in the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub head: Head,
    pub at_ms: i64,
    pub json: String,
}

/// What a chain is found to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    Whole {
        head: Head,
    },
    /// Line `seq` is not what it was: it, or the one before it, was changed, or lines were moved.
    Changed {
        seq: u64,
    },
    /// There is `found` where `wanted` should be: lines were taken out.
    Missing {
        wanted: u64,
        found: u64,
    },
    /// The known head is not in it: the end was cut off, or all of it is another chain.
    Cut {
        anchor: Head,
        last: Head,
    },
}

/// Goes along lines from the first to the last.
#[derive(Clone, Debug)]
pub struct Verification {
    last: Head,
    anchor: Option<Head>,
    is_anchored: bool,
}

impl Verification {
    /// `anchor` is a head that was told outside, and must be in the chain.
    pub fn new(anchor: Option<Head>) -> Self {
        let is_anchored = anchor.as_ref().is_none_or(|anchor| Head::origin().is_told_as(anchor));
        Self { last: Head::origin(), anchor, is_anchored }
    }

    /// The next line; what is wrong with it, if anything is.
    pub fn line(&mut self, line: &Line) -> Option<Finding> {
        let wanted = self.last.next(line.at_ms, &line.json);
        if line.head.seq != wanted.seq {
            return Some(Finding::Missing { wanted: wanted.seq, found: line.head.seq });
        }
        if line.head != wanted {
            return Some(Finding::Changed { seq: wanted.seq });
        }
        self.is_anchored |= self.anchor.as_ref().is_some_and(|anchor| wanted.is_told_as(anchor));
        self.last = wanted;
        None
    }

    /// After the last line.
    pub fn finish(self) -> Finding {
        match self.anchor {
            Some(anchor) if !self.is_anchored => Finding::Cut { anchor, last: self.last },
            _ => Finding::Whole { head: self.last },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(texts: &[&str]) -> Vec<Line> {
        let mut head = Head::origin();
        let line = |(i, json): (usize, &&str)| {
            head = head.next(i as i64, json);
            Line { head: head.clone(), at_ms: i as i64, json: (*json).to_owned() }
        };
        texts.iter().enumerate().map(line).collect()
    }

    fn verify(lines: &[Line], anchor: Option<Head>) -> Finding {
        let mut verification = Verification::new(anchor);
        lines.iter().find_map(|line| verification.line(line)).unwrap_or_else(|| verification.finish())
    }

    #[test]
    fn edits_deletions_moves_and_a_cut_tail_are_found() {
        let lines = chain(&["a", "b", "c", "d"]);
        let head = lines[3].head.clone();
        assert_eq!(verify(&lines, Some(head.clone())), Finding::Whole { head: head.clone() });
        assert_eq!(verify(&lines, Some(lines[1].head.clone())), Finding::Whole { head: head.clone() }, "an older head is in it too");
        let mut edited = lines.clone();
        edited[1].json = "B".into();
        assert_eq!(verify(&edited, None), Finding::Changed { seq: 2 });
        let mut later = lines.clone();
        later[1].at_ms += 1;
        assert_eq!(verify(&later, None), Finding::Changed { seq: 2 });
        let mut taken = lines.clone();
        taken.remove(2);
        assert_eq!(verify(&taken, None), Finding::Missing { wanted: 3, found: 4 });
        let mut moved = lines.clone();
        moved.swap(1, 2);
        assert!(matches!(verify(&moved, None), Finding::Missing { .. }));
        // Somebody who renumbers and hashes anew from the change on is found by the anchor.
        let forged = chain(&["a", "B", "c", "d"]);
        assert_eq!(verify(&forged, Some(head.clone())), Finding::Cut { anchor: head.clone(), last: forged[3].head.clone() });
        assert!(matches!(verify(&lines[..3], Some(head)), Finding::Cut { .. }));
        assert_eq!(verify(&[], None), Finding::Whole { head: Head::origin() });
    }

    #[test]
    fn a_head_is_read_as_it_is_told() {
        let head = Head::origin().next(5, "x");
        assert_eq!(head.to_string().parse::<Head>(), Ok(head.clone()));
        let short: Head = format!("1:{:012x}", head.number()).parse().unwrap();
        assert!(head.is_told_as(&short) && !head.is_told_as(&Head { seq: 2, ..short }), "as the metric tells it");
        for bad in ["", "1", "1:abc", "x:".to_owned().as_str(), &format!("1:{}", "G".repeat(64))] {
            assert!(bad.parse::<Head>().is_err(), "{bad}");
        }
    }
}
