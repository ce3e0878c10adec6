//! Samples set aside by the hour, in whatever order they come: few stay in memory, the rest goes into one temporary file.
//!
//! Files come sorted by time, by series, or not at all; the engine wants time. Sorting by the hour while they are read serves every order
//! alike and reads each file once, where a second pass over a compressed file costs as much as the first. The file has no name, so that
//! nothing is left behind however the process ends.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

use crate::core::time::{Span, Timestamp};

/// Samples kept in memory at most, 16 bytes each: 32 MB, within which most files are never written anywhere.
const MAX_HELD: usize = 2 << 20;
/// Room that a new hour is given at most, in samples: those of a thousand series at a minute, a megabyte.
const MOST_AHEAD: usize = 1 << 16;
/// Bytes of one sample in the file: series, milliseconds since the hour began, value.
const RECORD_BYTES: usize = 16;
/// An hour: a minute's samples of a hundred thousand series, the most of one watch, come to 100 MB.
const HOUR_MS: i64 = 3_600_000;

/// One sample.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record {
    pub series: u32,
    pub at: Timestamp,
    pub value: f64,
}

/// A sample as it lies in its hour.
#[derive(Clone, Copy, Debug)]
struct Held {
    series: u32,
    since_hour_ms: u32,
    value: f64,
}

#[derive(Debug)]
struct Hour {
    number: i64,
    held: Vec<Held>,
    /// Place and number of samples of each piece in the file, in the order in which they were read.
    aside: Vec<(u64, usize)>,
}

/// Everything that was read, by the hour.
#[derive(Debug)]
pub(super) struct Hours {
    hours: Vec<Hour>,
    by_number: HashMap<i64, usize>,
    /// The hour of the sample before: nearly always that of the next one.
    last: (i64, usize),
    held: usize,
    max_held: usize,
    file: Option<File>,
    file_bytes: u64,
}

impl Default for Hours {
    fn default() -> Self {
        Self::holding(MAX_HELD)
    }
}

impl Hours {
    pub fn holding(max_held: usize) -> Self {
        let (hours, by_number) = (Vec::new(), HashMap::new());
        Self { hours, by_number, last: (i64::MIN, 0), held: 0, max_held, file: None, file_bytes: 0 }
    }

    pub fn push(&mut self, Record { series, at, value }: Record) {
        let number = at.as_millis().div_euclid(HOUR_MS);
        if number != self.last.0 {
            let next = self.hours.len();
            let slot = *self.by_number.entry(number).or_insert(next);
            if slot == next {
                // As much as the hour before: what grows by doubling is copied as often.
                let held = self.hours.get(self.last.1).map_or(0, |before| before.held.len().min(MOST_AHEAD));
                self.hours.push(Hour { number, held: Vec::with_capacity(held), aside: Vec::new() });
            }
            self.last = (number, slot);
        }
        let since_hour_ms = at.as_millis().rem_euclid(HOUR_MS) as u32;
        self.hours[self.last.1].held.push(Held { series, since_hour_ms, value });
        self.held += 1;
    }

    /// Sets aside what is too much for memory. Where no file can be had it stays in memory, and the error is given once.
    pub fn relieve(&mut self) -> io::Result<()> {
        if self.held <= self.max_held {
            return Ok(());
        }
        self.set_aside().inspect_err(|_| self.max_held = usize::MAX)
    }

    fn set_aside(&mut self) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(tempfile::tempfile()?),
        };
        let mut bytes = Vec::new();
        for hour in self.hours.iter_mut().filter(|hour| !hour.held.is_empty()) {
            bytes.clear();
            for held in &hour.held {
                bytes.extend_from_slice(&held.series.to_le_bytes());
                bytes.extend_from_slice(&held.since_hour_ms.to_le_bytes());
                bytes.extend_from_slice(&held.value.to_le_bytes());
            }
            // To this place and not after what was written last: a write that failed half way leaves no trace.
            file.seek(SeekFrom::Start(self.file_bytes))?;
            file.write_all(&bytes)?;
            hour.aside.push((self.file_bytes, hour.held.len()));
            self.file_bytes += bytes.len() as u64;
            self.held -= hour.held.len();
            hour.held = Vec::new();
        }
        Ok(())
    }

    /// In the order of time, once all is read.
    pub fn sort(&mut self) {
        self.hours.sort_by_key(|hour| hour.number);
        self.by_number.clear();
        self.last = (i64::MIN, 0);
    }

    pub fn len(&self) -> usize {
        self.hours.len()
    }

    /// The beginning of an hour.
    pub fn begins(&self, hour: usize) -> Timestamp {
        Timestamp::from_millis(self.hours[hour].number * HOUR_MS)
    }

    #[cfg(test)]
    pub fn is_set_aside(&self) -> bool {
        self.file.is_some()
    }

    /// Gives every sample of an hour, in the order in which they were read.
    pub fn each(&self, hour: usize, mut take: impl FnMut(Record)) -> io::Result<usize> {
        let begins = self.begins(hour);
        let hour = &self.hours[hour];
        let mut give = |Held { series, since_hour_ms, value }| {
            take(Record { series, at: begins + Span::from_millis(i64::from(since_hour_ms)), value });
        };
        let mut bytes = Vec::new();
        for (place, samples) in &hour.aside {
            let Some(mut file) = self.file.as_ref() else { continue };
            bytes.resize(samples * RECORD_BYTES, 0);
            file.seek(SeekFrom::Start(*place))?;
            file.read_exact(&mut bytes)?;
            for record in bytes.chunks_exact(RECORD_BYTES) {
                let [s0, s1, s2, s3, t0, t1, t2, t3, value @ ..] = record else { continue };
                let Ok(value) = <[u8; 8]>::try_from(value) else { continue };
                let (series, since_hour_ms) = (u32::from_le_bytes([*s0, *s1, *s2, *s3]), u32::from_le_bytes([*t0, *t1, *t2, *t3]));
                give(Held { series, since_hour_ms, value: f64::from_le_bytes(value) });
            }
        }
        hour.held.iter().for_each(|held| give(*held));
        Ok(hour.aside.iter().map(|(_, samples)| samples).sum::<usize>() + hour.held.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_order_comes_back_by_the_hour_however_much_fits_into_memory() {
        let sample = |i: i64| Record { series: (i % 3) as u32, at: Timestamp::from_millis(i * 977_777 - 5_000_000), value: i as f64 / 3.0 };
        let order: Vec<i64> = (0..40).map(|i| i * 17 % 40).collect();
        let read = |max_held: usize| {
            let mut hours = Hours::holding(max_held);
            for i in &order {
                hours.push(sample(*i));
                hours.relieve().unwrap();
            }
            hours.sort();
            let mut all = Vec::new();
            for hour in 0..hours.len() {
                let mut own = Vec::new();
                assert!(hours.each(hour, |r| own.push((r.series, r.at, r.value.to_bits()))).unwrap() > 0);
                let ends = hours.begins(hour) + Span::HOUR;
                assert!(own.iter().all(|(_, at, _)| *at >= hours.begins(hour) && *at < ends));
                all.extend(own);
            }
            (hours.is_set_aside(), all)
        };
        let (aside, whole) = read(1_000);
        assert!(!aside && whole.len() == 40);
        for max_held in [0, 1, 7, 39] {
            assert_eq!(read(max_held), (true, whole.clone()), "{max_held}");
        }
        let mut times: Vec<Timestamp> = order.iter().map(|i| sample(*i).at).collect();
        times.sort_unstable();
        let mut got: Vec<Timestamp> = whole.iter().map(|(_, at, _)| *at).collect();
        got.sort_unstable();
        assert_eq!(got, times);
    }
}
