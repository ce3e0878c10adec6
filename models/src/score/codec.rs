//! A scorer as bytes and back: little-endian, in a fixed order, exact to the last bit.
//!
//! What follows from the settings and the step is not written. Checksums around it are the store's job; lengths are checked all the same,
//! because a wrong length must be an error and not a wrong score.

use super::flat::Runs;
use super::lows::Lows;
use super::{Scorer, Settings, prior};

/// Raised whenever the layout or the meaning of a number changes; other versions are not read but learned again.
pub(super) const VERSION: u16 = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    #[error("score state is of layout version {found}, this build reads {VERSION}")]
    Version { found: u16 },
    #[error("score state is for a step of {found_ms} ms, the series has {wanted_ms} ms")]
    Step { found_ms: i64, wanted_ms: i64 },
    #[error("score state of {found} bytes does not hold what it should")]
    Length { found: usize },
}

/// Appends numbers.
#[derive(Debug)]
pub(super) struct Writer<'a>(pub &'a mut Vec<u8>);

impl Writer<'_> {
    pub fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    pub fn u16(&mut self, value: u16) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub fn u32(&mut self, value: u32) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub fn i64(&mut self, value: i64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub fn f32(&mut self, value: f32) {
        self.u32(value.to_bits());
    }

    pub fn f64(&mut self, value: f64) {
        self.0.extend_from_slice(&value.to_bits().to_le_bytes());
    }
}

/// Takes numbers from the front.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    found: usize,
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, found: bytes.len() }
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (head, rest) = self.bytes.split_first_chunk::<N>().ok_or(DecodeError::Length { found: self.found })?;
        self.bytes = rest;
        Ok(*head)
    }

    pub fn u8(&mut self) -> Result<u8, DecodeError> {
        self.take().map(u8::from_le_bytes)
    }

    pub fn u16(&mut self) -> Result<u16, DecodeError> {
        self.take().map(u16::from_le_bytes)
    }

    pub fn u32(&mut self) -> Result<u32, DecodeError> {
        self.take().map(u32::from_le_bytes)
    }

    pub fn i64(&mut self) -> Result<i64, DecodeError> {
        self.take().map(i64::from_le_bytes)
    }

    pub fn f32(&mut self) -> Result<f32, DecodeError> {
        self.u32().map(f32::from_bits)
    }

    pub fn f64(&mut self) -> Result<f64, DecodeError> {
        self.take().map(|bytes| f64::from_bits(u64::from_le_bytes(bytes)))
    }

    /// The error for what cannot be.
    pub fn wrong(&self) -> DecodeError {
        DecodeError::Length { found: self.found }
    }

    /// An error when something is left over.
    pub fn end(&self) -> Result<(), DecodeError> {
        if self.bytes.is_empty() { Ok(()) } else { Err(DecodeError::Length { found: self.found }) }
    }
}

impl Scorer {
    /// The state as bytes, appended.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut out = Writer(out);
        out.u16(VERSION);
        out.i64(self.step_ms);
        out.u32(self.seen);
        out.i64(self.last_ms);
        for value in [self.last, self.origin, self.unit] {
            out.f64(value);
        }
        for value in [self.resolution, self.scale, self.size, self.centre, self.spread, self.held] {
            out.f32(value);
        }
        self.before.iter().chain(&self.largest).for_each(|v| out.f32(*v));
        self.season.encode(self.slots, &mut out);
        self.lows.encode(&mut out);
        self.runs.encode(&mut out);
        self.views.encode(usize::from(self.taps), &mut out);
        self.distances.encode(&mut out);
        self.run_lengths.encode(&mut out);
    }

    /// A scorer that goes on exactly where [`Self::encode`] left one of the same step.
    ///
    /// # Errors
    /// When the bytes are of another version, another step or another length.
    pub fn decode(bytes: &[u8], step_ms: i64, settings: Settings) -> Result<Self, DecodeError> {
        let mut input = Reader::new(bytes);
        let version = input.u16()?;
        if version != VERSION {
            return Err(DecodeError::Version { found: version });
        }
        let found_ms = input.i64()?;
        let mut made = Self::new(step_ms, settings);
        if found_ms != made.step_ms {
            return Err(DecodeError::Step { found_ms, wanted_ms: made.step_ms });
        }
        made.seen = input.u32()?;
        made.last_ms = input.i64()?;
        for value in [&mut made.last, &mut made.origin, &mut made.unit] {
            *value = input.f64()?;
        }
        for value in [&mut made.resolution, &mut made.scale, &mut made.size, &mut made.centre, &mut made.spread, &mut made.held] {
            *value = input.f32()?;
        }
        for value in made.before.iter_mut().chain(&mut made.largest) {
            *value = input.f32()?;
        }
        let (slots, taps) = (made.slots, usize::from(made.taps));
        made.season.decode(slots, &mut input)?;
        made.lows = Lows::decode(&mut input)?;
        made.runs = Runs::decode(&mut input)?;
        made.views.decode(taps, &mut input)?;
        made.distances.decode(&mut input, &prior::DISTANCE)?;
        made.run_lengths.decode(&mut input, &prior::RUN)?;
        made.settle();
        input.end()?;
        Ok(made)
    }
}
