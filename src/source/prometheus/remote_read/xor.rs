//! Prometheus' XOR chunks: up to 120 samples (by default), each packed as what changed since the one before.
//!
//! Format: <https://github.com/prometheus/prometheus/blob/main/tsdb/docs/format/chunks.md#xor-chunk-data>, after Pelkonen et al., "Gorilla: A
//! Fast, Scalable, In-Memory Time Series Database", VLDB 2015. Written here because it is a page of code and no maintained crate reads this
//! dialect (its prefix lengths and varints are Prometheus' own).

/// A chunk that ends before its samples do, or says what no chunk can.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum XorError {
    #[error("chunk ends in the middle of sample {sample}")]
    Short { sample: usize },
    #[error("a time in the chunk is out of range at sample {sample}")]
    Time { sample: usize },
}

/// The samples of one chunk, in its order: (ms, value).
#[derive(Clone, Debug)]
pub struct XorChunk<'a> {
    bits: Bits<'a>,
    count: usize,
    read: usize,
    at_ms: i64,
    delta_ms: i64,
    value: u64,
    leading: u32,
    trailing: u32,
}

impl<'a> XorChunk<'a> {
    /// # Errors
    /// When there is no room for the count of samples.
    pub fn new(data: &'a [u8]) -> Result<Self, XorError> {
        let (count, rest) = data.split_first_chunk::<2>().ok_or(XorError::Short { sample: 0 })?;
        let count = usize::from(u16::from_be_bytes(*count));
        Ok(Self { bits: Bits::new(rest), count, read: 0, at_ms: 0, delta_ms: 0, value: 0, leading: 0, trailing: 0 })
    }

    /// The next sample; `None` after the last.
    ///
    /// # Errors
    /// When the chunk is damaged. Nothing after it can be read then.
    #[inline]
    pub fn next_sample(&mut self) -> Result<Option<(i64, f64)>, XorError> {
        if self.read == self.count {
            return Ok(None);
        }
        let sample = self.read;
        self.step(sample)?;
        self.read += 1;
        Ok(Some((self.at_ms, f64::from_bits(self.value))))
    }

    fn step(&mut self, sample: usize) -> Result<(), XorError> {
        let (short, time) = (XorError::Short { sample }, XorError::Time { sample });
        match sample {
            0 => {
                self.at_ms = zigzag(self.bits.varint().ok_or(short)?);
                self.value = self.bits.take(64).ok_or(short)?;
                return Ok(());
            }
            1 => self.delta_ms = self.bits.varint().ok_or(short)? as i64,
            _ => {
                let change = self.change().ok_or(short)?;
                self.delta_ms = self.delta_ms.checked_add(change).ok_or(time)?;
            }
        }
        self.at_ms = self.at_ms.checked_add(self.delta_ms).ok_or(time)?;
        self.change_value().ok_or(short)
    }

    /// The change of the distance in time.
    fn change(&mut self) -> Option<i64> {
        /// Bits after 10, 110 and 1110.
        const WIDTHS: [u32; 3] = [14, 17, 20];
        if self.bits.take(1)? == 0 {
            return Some(0);
        }
        for width in WIDTHS {
            if self.bits.take(1)? == 0 {
                let raw = self.bits.take(width)? as i64;
                // The upper half stands for negative numbers; the very middle is positive here.
                return Some(if raw > 1 << (width - 1) { raw - (1 << width) } else { raw });
            }
        }
        Some(self.bits.take(64)? as i64)
    }

    #[inline]
    fn change_value(&mut self) -> Option<()> {
        let word = self.bits.word();
        if word >> 63 == 0 {
            return self.bits.skip(1);
        }
        if word >> 62 & 1 == 1 {
            self.bits.skip(13)?;
            self.leading = (word >> 57 & 0x1f) as u32;
            let width = match (word >> 51 & 0x3f) as u32 {
                // 64 has no room in six bits, and 0 has no use.
                0 => 64,
                width => width,
            };
            self.trailing = 64_u32.checked_sub(self.leading + width)?;
        } else {
            self.bits.skip(2)?;
        }
        let width = 64 - self.leading - self.trailing;
        self.value ^= self.bits.take(width)? << self.trailing;
        Some(())
    }
}

fn zigzag(raw: u64) -> i64 {
    ((raw >> 1) as i64) ^ -((raw & 1) as i64)
}

/// Bits, the highest of each byte first.
#[derive(Clone, Debug)]
struct Bits<'a> {
    bytes: &'a [u8],
    /// Bits that were taken.
    taken: usize,
}

impl<'a> Bits<'a> {
    /// Of a word, as many bits count whatever bit of a byte it begins at.
    const SURE: u32 = 57;

    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, taken: 0 }
    }

    /// The next bits at the upper end, at least [`Self::SURE`] of them; with zeros for what lies beyond the end.
    #[inline]
    fn word(&self) -> u64 {
        let rest = self.bytes.get(self.taken / 8..).unwrap_or_default();
        let word = match rest.first_chunk::<8>() {
            Some(eight) => u64::from_be_bytes(*eight),
            None => {
                let mut eight = [0; 8];
                eight[..rest.len()].copy_from_slice(rest);
                u64::from_be_bytes(eight)
            }
        };
        word << (self.taken % 8)
    }

    /// Goes on by so many bits, where there are as many.
    #[inline]
    fn skip(&mut self, width: u32) -> Option<()> {
        let taken = self.taken + width as usize;
        if taken > 8 * self.bytes.len() {
            return None;
        }
        self.taken = taken;
        Some(())
    }

    /// The next `width` bits, 1 to 64.
    #[inline]
    fn take(&mut self, width: u32) -> Option<u64> {
        if width > Self::SURE {
            let upper = self.take(width - 32)?;
            return Some((upper << 32) | self.take(32)?);
        }
        let word = self.word();
        self.skip(width)?;
        Some(word >> (64 - width))
    }

    /// Seven bits a byte, the lowest first.
    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.take(8)?;
            value |= (byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes what the format says, sample by sample, as plainly as it can be done.
    #[derive(Default)]
    struct Pen {
        bits: Vec<bool>,
    }

    impl Pen {
        fn put(&mut self, value: u64, width: u32) {
            (0..width).rev().for_each(|i| self.bits.push(value >> i & 1 == 1));
        }

        fn varint(&mut self, mut value: u64) {
            while value >= 0x80 {
                self.put(value & 0x7f | 0x80, 8);
                value >>= 7;
            }
            self.put(value, 8);
        }

        fn chunk(samples: &[(i64, f64)]) -> Vec<u8> {
            let mut pen = Self::default();
            let (mut leading, mut trailing) = (u32::MAX, 0);
            for (i, &(at, value)) in samples.iter().enumerate() {
                if i == 0 {
                    pen.varint(((at << 1) ^ (at >> 63)) as u64);
                    pen.put(value.to_bits(), 64);
                    continue;
                }
                let delta = at - samples[i - 1].0;
                if i == 1 {
                    pen.varint(delta as u64);
                } else {
                    let change = delta - (samples[i - 1].0 - samples[i - 2].0);
                    let fits = |width: u32| -((1_i64 << (width - 1)) - 1) <= change && change <= 1 << (width - 1);
                    match change {
                        0 => pen.put(0, 1),
                        _ if fits(14) => pen.put(0b10 << 14 | change as u64 & 0x3fff, 16),
                        _ if fits(17) => pen.put(0b110 << 17 | change as u64 & 0x1_ffff, 20),
                        _ if fits(20) => pen.put(0b1110 << 20 | change as u64 & 0xf_ffff, 24),
                        _ => {
                            pen.put(0b1111, 4);
                            pen.put(change as u64, 64);
                        }
                    }
                }
                let xor = value.to_bits() ^ samples[i - 1].1.to_bits();
                if xor == 0 {
                    pen.put(0, 1);
                    continue;
                }
                pen.put(1, 1);
                let (lead, trail) = (xor.leading_zeros().min(31), xor.trailing_zeros());
                if leading != u32::MAX && lead >= leading && trail >= trailing {
                    pen.put(0, 1);
                } else {
                    (leading, trailing) = (lead, trail);
                    pen.put(1, 1);
                    pen.put(u64::from(leading), 5);
                    pen.put(u64::from(64 - leading - trailing) & 63, 6);
                }
                pen.put(xor >> trailing, 64 - leading - trailing);
            }
            let mut bytes = (samples.len() as u16).to_be_bytes().to_vec();
            bytes.extend(pen.bits.chunks(8).map(|byte| byte.iter().enumerate().fold(0, |sum, (i, bit)| sum | u8::from(*bit) << (7 - i))));
            bytes
        }
    }

    fn read(data: &[u8]) -> Result<Vec<(i64, u64)>, XorError> {
        let mut chunk = XorChunk::new(data)?;
        let mut samples = Vec::new();
        while let Some((at, value)) = chunk.next_sample()? {
            samples.push((at, value.to_bits()));
        }
        Ok(samples)
    }

    fn samples() -> Vec<(i64, f64)> {
        let stale = f64::from_bits(super::super::super::STALE_MARKER_BITS);
        let jumps = [60_000, 60_000, 60_001, 59_000, 68_191, 8, 200_000, 1_000_000, 40_000_000_000, 1, 15_000];
        let values = [0.0, 0.0, 1.5, -1.5, f64::MAX, f64::MIN_POSITIVE, stale, 1e9, 1e9 + 1.0, f64::NAN, 0.1];
        let times = jumps.iter().scan(-1_000_000, |at, jump| {
            *at += jump;
            Some(*at)
        });
        times.zip(values).collect()
    }

    #[test]
    fn every_width_of_times_and_values_is_read_back() {
        let samples = samples();
        let want: Vec<(i64, u64)> = samples.iter().map(|(at, value)| (*at, value.to_bits())).collect();
        for len in 0..=samples.len() {
            assert_eq!(read(&Pen::chunk(&samples[..len])).unwrap(), want[..len]);
        }
    }

    #[test]
    fn a_cut_chunk_is_an_error_and_no_chunk_makes_it_panic() {
        let data = Pen::chunk(&samples());
        for len in 0..data.len() - 1 {
            assert!(read(&data[..len]).is_err(), "{len}");
        }
        let mut seed = 1_u64;
        for _ in 0..5_000 {
            let mut wild = data.clone();
            for byte in &mut wild {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                *byte ^= (seed >> 60) as u8 & (seed >> 40) as u8;
            }
            let _ = read(&wild);
        }
    }
}
