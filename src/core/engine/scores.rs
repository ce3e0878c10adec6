//! A scorer for every series of a shard, beside the rows of its block: how rare what a sample shows is for its own series.
//!
//! Not columns over series as the block has them: a scorer's constant work a sample touches all of its few kilobytes of one series, and those
//! lie together.

use portent_models::score::{DecodeError, Scored, Scorer, Settings};

use crate::core::time::Timestamp;

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Scores {
    step_ms: i64,
    settings: Settings,
    scorers: Vec<Scorer>,
}

impl Scores {
    pub fn new(step_ms: i64, settings: Settings) -> Self {
        Self { step_ms, settings, scorers: Vec::new() }
    }

    /// One more series.
    pub fn add(&mut self) {
        self.scorers.push(Scorer::new(self.step_ms, self.settings));
    }

    /// Another series has the row from now on.
    pub fn clear(&mut self, row: usize) {
        self.scorers[row] = Scorer::new(self.step_ms, self.settings);
    }

    /// How odd the sample is, judged by what came before it, which it then becomes part of.
    pub fn push(&mut self, row: usize, at: Timestamp, offset_ms: i64, value: f64) -> Option<Scored> {
        self.scorers[row].push(at.as_millis(), offset_ms, value)
    }

    /// Judges by other settings from now on, and keeps what was learned: settings are no part of a scorer's bytes.
    pub fn set(&mut self, settings: Settings) {
        if settings == self.settings {
            return;
        }
        self.settings = settings;
        let mut bytes = Vec::new();
        for scorer in &mut self.scorers {
            bytes.clear();
            scorer.encode(&mut bytes);
            *scorer = Scorer::decode(&bytes, self.step_ms, settings).expect("a scorer reads what it wrote, of the same step");
        }
    }

    /// Each scorer's bytes after their length.
    pub fn encode(&self, out: &mut Vec<u8>) {
        for scorer in &self.scorers {
            let start = out.len();
            out.extend_from_slice(&[0; 4]);
            scorer.encode(out);
            let length = u32::try_from(out.len() - start - 4).expect("a scorer is a few kilobytes");
            out[start..start + 4].copy_from_slice(&length.to_le_bytes());
        }
    }

    /// The scorers of so many rows, exactly as they were.
    ///
    /// # Errors
    /// When the bytes are not those of so many scorers of this step and of this build's layout.
    pub fn decode(mut bytes: &[u8], rows: usize, step_ms: i64, settings: Settings) -> Result<Self, DecodeError> {
        let cut = |found: &[u8]| DecodeError::Length { found: found.len() };
        let mut made = Self::new(step_ms, settings);
        for _ in 0..rows {
            let (length, rest) = bytes.split_first_chunk::<4>().ok_or_else(|| cut(bytes))?;
            let (own, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize).ok_or_else(|| cut(rest))?;
            made.scorers.push(Scorer::decode(own, step_ms, settings)?);
            bytes = rest;
        }
        if bytes.is_empty() { Ok(made) } else { Err(cut(bytes)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP_MS: i64 = 300_000;

    fn fed(rows: usize) -> Scores {
        let mut scores = Scores::new(STEP_MS, Settings::default());
        (0..rows).for_each(|_| scores.add());
        for i in 0..600 {
            for row in 0..rows {
                scores.push(row, Timestamp::from_millis(i * STEP_MS), 0, ((i * 7919) % (13 + row as i64)) as f64);
            }
        }
        scores
    }

    fn next(scores: &mut Scores, row: usize, value: f64) -> Option<Scored> {
        scores.push(row, Timestamp::from_millis(600 * STEP_MS), 0, value)
    }

    #[test]
    fn bytes_bring_every_scorer_back_and_nothing_else_is_taken() {
        let mut scores = fed(3);
        let mut bytes = Vec::new();
        scores.encode(&mut bytes);
        let decode = |bytes: &[u8], rows| Scores::decode(bytes, rows, STEP_MS, Settings::default());
        let mut back = decode(&bytes, 3).unwrap();
        for row in 0..3 {
            let scored = next(&mut scores, row, 90.0);
            assert!(scored.is_some());
            assert_eq!(scored, next(&mut back, row, 90.0), "row {row}");
        }
        assert!(decode(&bytes, 2).is_err() && decode(&bytes, 4).is_err() && decode(&bytes[1..], 3).is_err());
        assert!(decode(&bytes[..bytes.len() - 1], 3).is_err() && decode(&[0xff; 64], 1).is_err());
        assert!(Scores::decode(&bytes, 3, STEP_MS / 5, Settings::default()).is_err());
    }

    #[test]
    fn other_settings_judge_anew_and_forget_nothing_but_a_cleared_row_does() {
        let (mut scores, mut upper) = (fed(2), fed(2));
        upper.set(Settings { upper: Some(50.0), ..Settings::default() });
        let (free, bound) = (next(&mut scores, 0, 60.0).unwrap(), next(&mut upper, 0, 60.0).unwrap());
        assert!(bound.is_anomaly() && bound.score > free.score, "{bound:?} {free:?}");
        assert_eq!((bound.expected, bound.sigmas), (free.expected, free.sigmas), "what was learned is kept");
        upper.clear(1);
        assert_eq!(next(&mut upper, 1, 60.0), None);
    }
}
