//! A block as bytes and back: little-endian columns in a fixed order, exact to the last bit.
//!
//! Only derived state is written this way. Checksums and versions around it are the store's job; the lengths here are checked all the
//! same, because a wrong length must be an error and not a wrong baseline.

use super::block::{BUCKETS, Block, FINE, Geometry};
use super::cells::Columns;
use super::normal::SLOTS;
use crate::moments::Moments;

/// Raised whenever the layout or the meaning of a column changes; other versions are not read but rebuilt.
const VERSION: u32 = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    #[error("baseline block is of layout version {found}, this build reads {VERSION}")]
    Version { found: u32 },
    #[error("baseline block of {found} bytes does not hold what its header says")]
    Length { found: usize },
}

impl Block {
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer(Vec::with_capacity(64 + self.rows * Self::bytes_per_row()));
        out.u32(VERSION);
        out.u32(self.rows as u32);
        for value in [self.geometry.bucket_ms, self.geometry.fine_ms, self.geometry.step_ms, self.newest, self.newest_fine] {
            out.i64(value);
        }
        // Rows only, not the room kept for more.
        let ring = |slot: usize| slot * self.stride..slot * self.stride + self.rows;
        for slot in 0..BUCKETS {
            self.count[ring(slot)].iter().for_each(|v| out.u16(*v));
            self.mean[ring(slot)].iter().chain(&self.deviation[ring(slot)]).for_each(|v| out.f32(*v));
            out.0.extend_from_slice(&self.residual[ring(slot)]);
        }
        (0..FINE).for_each(|slot| self.fine[ring(slot)].iter().for_each(|v| out.f32(*v)));
        let c = &self.columns;
        (0..SLOTS).for_each(|slot| c.shape[ring(slot)].iter().for_each(|v| out.f32(*v)));
        for row in 0..self.rows {
            for moments in [&c.closed[row], &c.open[row]] {
                for value in [moments.count, moments.mean, moments.m2] {
                    out.f64(value);
                }
            }
            for value in [c.origin[row], c.last[row], c.level[row], c.scale[row]] {
                out.f64(value);
            }
            for value in [c.residual_sum[row], c.slope[row], c.wander[row]] {
                out.f32(value);
            }
            for value in [c.residual_base[row].cast_unsigned(), c.fine_count[row]] {
                out.u16(value);
            }
            for value in [c.first_ms[row], c.last_ms[row], c.seen[row].cast_signed()] {
                out.i64(value);
            }
            out.0.push(u8::from(c.seasonal[row]));
        }
        out.0
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut input = Reader { bytes, found: bytes.len() };
        let version = input.u32()?;
        if version != VERSION {
            return Err(DecodeError::Version { found: version });
        }
        let rows = input.u32()? as usize;
        if rows > Self::MAX_ROWS || bytes.len() < rows * BUCKETS * 11 {
            return Err(DecodeError::Length { found: bytes.len() });
        }
        let geometry = Geometry { bucket_ms: input.i64()?, fine_ms: input.i64()?, step_ms: input.i64()? };
        if geometry.bucket_ms <= 0 || geometry.fine_ms <= 0 || geometry.step_ms <= 0 {
            return Err(DecodeError::Length { found: bytes.len() });
        }
        let mut block = Self::new(geometry);
        for _ in 0..rows {
            block.add_row();
        }
        block.newest = input.i64()?;
        block.newest_fine = input.i64()?;
        let stride = block.stride;
        for slot in 0..BUCKETS {
            let ring = slot * stride..slot * stride + rows;
            input.fill(&mut block.count[ring.clone()], Reader::u16)?;
            input.fill(&mut block.mean[ring.clone()], Reader::f32)?;
            input.fill(&mut block.deviation[ring.clone()], Reader::f32)?;
            input.fill(&mut block.residual[ring], Reader::u8)?;
        }
        for slot in 0..FINE {
            input.fill(&mut block.fine[slot * stride..slot * stride + rows], Reader::f32)?;
        }
        for slot in 0..SLOTS {
            input.fill(&mut block.columns.shape[slot * stride..slot * stride + rows], Reader::f32)?;
        }
        (0..rows).try_for_each(|row| read_row(&mut block.columns, row, &mut input))?;
        if input.bytes.is_empty() { Ok(block) } else { Err(DecodeError::Length { found: bytes.len() }) }
    }
}

fn read_row(c: &mut Columns, row: usize, input: &mut Reader<'_>) -> Result<(), DecodeError> {
    for moments in [&mut c.closed[row], &mut c.open[row]] {
        *moments = Moments { count: input.f64()?, mean: input.f64()?, m2: input.f64()? };
    }
    for value in [&mut c.origin[row], &mut c.last[row], &mut c.level[row], &mut c.scale[row]] {
        *value = input.f64()?;
    }
    for value in [&mut c.residual_sum[row], &mut c.slope[row], &mut c.wander[row]] {
        *value = input.f32()?;
    }
    c.residual_base[row] = input.u16()?.cast_signed();
    c.fine_count[row] = input.u16()?;
    c.first_ms[row] = input.i64()?;
    c.last_ms[row] = input.i64()?;
    c.seen[row] = input.i64()?.cast_unsigned();
    c.seasonal[row] = input.u8()? != 0;
    Ok(())
}

struct Writer(Vec<u8>);

impl Writer {
    fn u16(&mut self, value: u16) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    fn u32(&mut self, value: u32) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    fn i64(&mut self, value: i64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    fn f32(&mut self, value: f32) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    fn f64(&mut self, value: f64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    found: usize,
}

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (head, rest) = self.bytes.split_first_chunk::<N>().ok_or(DecodeError::Length { found: self.found })?;
        self.bytes = rest;
        Ok(*head)
    }

    fn u8(&mut self) -> Result<u8, DecodeError> {
        self.take().map(u8::from_le_bytes)
    }

    fn f32(&mut self) -> Result<f32, DecodeError> {
        self.take().map(f32::from_le_bytes)
    }

    fn u16(&mut self) -> Result<u16, DecodeError> {
        self.take().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Result<u32, DecodeError> {
        self.take().map(u32::from_le_bytes)
    }

    fn i64(&mut self) -> Result<i64, DecodeError> {
        self.take().map(i64::from_le_bytes)
    }

    fn f64(&mut self) -> Result<f64, DecodeError> {
        self.take().map(f64::from_le_bytes)
    }

    fn fill<T>(&mut self, cells: &mut [T], read: impl Fn(&mut Self) -> Result<T, DecodeError>) -> Result<(), DecodeError> {
        cells.iter_mut().try_for_each(|cell| read(self).map(|value| *cell = value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_comes_back_bit_for_bit_and_a_cut_one_is_an_error() {
        let mut block = Block::new(Geometry::new(604_800_000, 60_000));
        for _ in 0..5 {
            block.add_row();
        }
        for i in 0..5000_i64 {
            let at = i * 60_000;
            block.advance(at, &|bucket| bucket.rem_euclid(24) as usize);
            for row in 0..5 {
                if (i + row as i64) % 7 != 0 {
                    block.observe(row, at, (i as f64 * 0.1).sin() * row as f64 + 1e6, f64::NAN);
                }
            }
        }
        let bytes = block.encode();
        let back = Block::decode(&bytes).unwrap();
        assert_eq!(back.encode(), bytes);
        assert_eq!(back.window(3), block.window(3));
        assert!(Block::decode(&bytes[..bytes.len() - 1]).is_err());
        assert!(Block::decode(&[&bytes[..], &[0]].concat()).is_err());
        assert_eq!(Block::decode(&[9, 0, 0, 0]), Err(DecodeError::Version { found: 9 }));
        assert!(bytes.len() <= 5 * Block::bytes_per_row() + 64, "{}", bytes.len());
    }
}
