//! A block as bytes and back: little-endian columns in a fixed order, exact to the last bit.
//!
//! Only derived state is written this way. Checksums and versions around it are the store's job; the lengths here are checked all the
//! same, because a wrong length must be an error and not a wrong baseline.

use super::block::{BUCKETS, Block, Columns, FINE, Geometry};
use super::normal::{SLOTS, Summary};
use crate::moments::Moments;

/// Raised whenever the layout or the meaning of a column changes; other versions are not read but rebuilt.
const VERSION: u32 = 1;

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
            self.mean[ring(slot)].iter().for_each(|v| out.f64(*v));
            self.m2[ring(slot)].iter().for_each(|v| out.f64(*v));
            self.residual[ring(slot)].iter().for_each(|v| out.u16(*v));
        }
        (0..FINE).for_each(|slot| self.fine[ring(slot)].iter().for_each(|v| out.f64(*v)));
        let c = &self.columns;
        (0..SLOTS).for_each(|slot| c.shape[ring(slot)].iter().for_each(|v| out.u32(v.to_bits())));
        for row in 0..self.rows {
            out.f64(c.closed[row].count);
            out.f64(c.closed[row].mean);
            out.f64(c.closed[row].m2);
            out.f64(c.residual_sum[row]);
            out.u16(c.fine_count[row]);
            out.i64(c.first_ms[row]);
            out.i64(c.last_ms[row]);
            out.f64(c.last[row]);
            out.i64(c.seen[row].cast_signed());
            let s = &c.normal[row];
            for value in [s.level, s.slope, s.scale, s.wander] {
                out.f64(value);
            }
            out.i64(s.level_at_ms);
            out.u16(u16::from(s.seasonal));
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
        if rows > Self::MAX_ROWS || bytes.len() < rows * BUCKETS * 20 {
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
            input.fill(&mut block.mean[ring.clone()], Reader::f64)?;
            input.fill(&mut block.m2[ring.clone()], Reader::f64)?;
            input.fill(&mut block.residual[ring], Reader::u16)?;
        }
        for slot in 0..FINE {
            input.fill(&mut block.fine[slot * stride..slot * stride + rows], Reader::f64)?;
        }
        for slot in 0..SLOTS {
            input.fill(&mut block.columns.shape[slot * stride..slot * stride + rows], |r| Ok(f32::from_bits(r.u32()?)))?;
        }
        (0..rows).try_for_each(|row| read_row(&mut block.columns, row, &mut input))?;
        if input.bytes.is_empty() { Ok(block) } else { Err(DecodeError::Length { found: bytes.len() }) }
    }
}

fn read_row(c: &mut Columns, row: usize, input: &mut Reader<'_>) -> Result<(), DecodeError> {
    c.closed[row] = Moments { count: input.f64()?, mean: input.f64()?, m2: input.f64()? };
    c.residual_sum[row] = input.f64()?;
    c.fine_count[row] = input.u16()?;
    c.first_ms[row] = input.i64()?;
    c.last_ms[row] = input.i64()?;
    c.last[row] = input.f64()?;
    c.seen[row] = input.i64()?.cast_unsigned();
    c.normal[row] = Summary {
        level: input.f64()?,
        slope: input.f64()?,
        scale: input.f64()?,
        wander: input.f64()?,
        level_at_ms: input.i64()?,
        seasonal: input.u16()? != 0,
    };
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
        assert!(bytes.len() / 5 <= 4096 + 64);
    }
}
