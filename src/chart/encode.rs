//! RGB pixels to a PNG file's bytes.
//!
//! plotters saves PNG only to a path, and a chart is wanted as bytes too (an HTTP answer, a test). The format is small for pictures of this
//! kind: W3C PNG (<https://www.w3.org/TR/png-3/>), zlib (RFC 1950) and deflate (RFC 1951) with its fixed codes. Charts are flat areas: what
//! compresses them is finding the row above and the pixel before, which a plain LZ77 search does.

const SIGNATURE: [u8; 8] = [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a];
/// Deflate's window and longest match (RFC 1951, 3.2.5).
const WINDOW: usize = 32_768;
const MIN_MATCH: usize = 4;
const MAX_MATCH: usize = 258;
const HASH_BITS: u32 = 15;
const LENGTH_BASE: [u16; 29] =
    [3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258];
const LENGTH_EXTRA: [u8; 29] = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
const DISTANCE_BASE: [u16; 30] = [
    1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1_025, 1_537, 2_049, 3_073, 4_097, 6_145, 8_193, 12_289,
    16_385, 24_577,
];
const DISTANCE_EXTRA: [u8; 30] = [0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13];

/// A PNG of `width` x `height` pixels, three bytes a pixel, row after row; `rgb` is that long.
pub fn png(rgb: &[u8], width: u32, height: u32) -> Vec<u8> {
    let mut header = Vec::with_capacity(13);
    header.extend(width.to_be_bytes());
    header.extend(height.to_be_bytes());
    // Eight bits a channel, true colour, deflate, adaptive filters, no interlace.
    header.extend([8, 2, 0, 0, 0]);
    let stride = width as usize * 3;
    // Every row starts with its filter: 0, none.
    let mut rows = Vec::with_capacity(rgb.len() + height as usize);
    for row in rgb.chunks_exact(stride.max(1)) {
        rows.push(0);
        rows.extend_from_slice(row);
    }
    let mut out = SIGNATURE.to_vec();
    chunk(&mut out, *b"IHDR", &header);
    chunk(&mut out, *b"IDAT", &zlib(&rows, stride + 1));
    chunk(&mut out, *b"IEND", &[]);
    out
}

fn chunk(out: &mut Vec<u8>, kind: [u8; 4], data: &[u8]) {
    // A picture of the largest size allowed stays far below 4 GiB.
    out.extend(u32::try_from(data.len()).unwrap_or(u32::MAX).to_be_bytes());
    let start = out.len();
    out.extend(kind);
    out.extend_from_slice(data);
    out.extend(crc32fast::hash(&out[start..]).to_be_bytes());
}

fn zlib(data: &[u8], stride: usize) -> Vec<u8> {
    // 32 KiB window, no dictionary, fastest level.
    let mut bits = BitWriter { out: vec![0x78, 0x01], hold: 0, count: 0 };
    deflate(&mut bits, data, stride);
    let mut out = bits.finish();
    out.extend(adler32(data).to_be_bytes());
    out
}

fn adler32(data: &[u8]) -> u32 {
    let (mut a, mut b) = (1_u32, 0_u32);
    // 5,552 is the most bytes whose sums stay below 2^32 (zlib's NMAX).
    for block in data.chunks(5_552) {
        for byte in block {
            a += u32::from(*byte);
            b += a;
        }
        (a, b) = (a % 65_521, b % 65_521);
    }
    (b << 16) | a
}

/// One block with the fixed codes.
fn deflate(bits: &mut BitWriter, data: &[u8], stride: usize) {
    bits.push(0b011, 3);
    let mut seen = vec![usize::MAX; 1 << HASH_BITS];
    let mut at = 0;
    while at < data.len() {
        let mut best = (0, 0);
        // The pixel before, the row above, and the last place with the same four bytes.
        let earlier = data[at..].first_chunk::<4>().map(|four| {
            let slot = (u32::from_le_bytes(*four).wrapping_mul(0x9e37_79b1) >> (32 - HASH_BITS)) as usize;
            std::mem::replace(&mut seen[slot], at)
        });
        let hashed = earlier.filter(|e| *e != usize::MAX).map_or(0, |e| at - e);
        for distance in [3, stride, hashed] {
            if distance == 0 || distance > at || distance > WINDOW || best.0 == MAX_MATCH {
                continue;
            }
            let len = data[at..].iter().zip(&data[at - distance..]).take(MAX_MATCH).take_while(|(a, b)| a == b).count();
            if len > best.0 {
                best = (len, distance);
            }
        }
        if best.0 >= MIN_MATCH {
            bits.copy(best.0, best.1);
            at += best.0;
        } else {
            bits.symbol(u16::from(data[at]));
            at += 1;
        }
    }
    bits.symbol(256);
}

struct BitWriter {
    out: Vec<u8>,
    hold: u64,
    count: u32,
}

impl BitWriter {
    /// Lowest bit first.
    fn push(&mut self, value: u32, count: u32) {
        self.hold |= u64::from(value) << self.count;
        self.count += count;
        while self.count >= 8 {
            self.out.push((self.hold & 0xff) as u8);
            self.hold >>= 8;
            self.count -= 8;
        }
    }

    /// Huffman codes are written highest bit first.
    fn code(&mut self, code: u32, count: u32) {
        self.push(code.reverse_bits() >> (32 - count), count);
    }

    /// A literal or a length, in the fixed code (RFC 1951, 3.2.6).
    fn symbol(&mut self, symbol: u16) {
        let s = u32::from(symbol);
        match symbol {
            0..=143 => self.code(0x30 + s, 8),
            144..=255 => self.code(0x190 + s - 144, 9),
            256..=279 => self.code(s - 256, 7),
            _ => self.code(0xc0 + s - 280, 8),
        }
    }

    fn copy(&mut self, len: usize, distance: usize) {
        let (index, extra, rest) = code_of(len, &LENGTH_BASE, &LENGTH_EXTRA);
        self.symbol(257 + index);
        self.push(rest, extra);
        let (index, extra, rest) = code_of(distance, &DISTANCE_BASE, &DISTANCE_EXTRA);
        self.code(u32::from(index), 5);
        self.push(rest, extra);
    }

    fn finish(mut self) -> Vec<u8> {
        let padding = (8 - self.count % 8) % 8;
        self.push(0, padding);
        self.out
    }
}

/// Code, number of extra bits and their value.
fn code_of(value: usize, base: &[u16], extra: &[u8]) -> (u16, u32, u32) {
    let index = base.partition_point(|b| usize::from(*b) <= value) - 1;
    // Both tables are short and both values below 2^15.
    (index as u16, u32::from(extra[index]), (value - usize::from(base[index])) as u32)
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// The pixels of a PNG as [`png`] writes it: checks every checksum on the way.
    pub fn decode(file: &[u8]) -> (u32, u32, Vec<u8>) {
        assert_eq!(file[..8], SIGNATURE);
        let (mut at, mut size, mut data) = (8, (0, 0), Vec::new());
        while at < file.len() {
            let number = |i: usize| u32::from_be_bytes(file[i..i + 4].try_into().unwrap());
            let len = number(at) as usize;
            assert_eq!(number(at + 8 + len), crc32fast::hash(&file[at + 4..at + 8 + len]));
            match &file[at + 4..at + 8] {
                b"IHDR" => size = (number(at + 8), number(at + 12)),
                b"IDAT" => data.extend_from_slice(&file[at + 8..at + 8 + len]),
                _ => {}
            }
            at += 12 + len;
        }
        let rows = inflate(&data[2..data.len() - 4]);
        assert_eq!(adler32(&rows).to_be_bytes(), data[data.len() - 4..]);
        let rgb = rows.chunks(size.0 as usize * 3 + 1).flat_map(|row| row[1..].to_vec()).collect();
        (size.0, size.1, rgb)
    }

    /// One fixed block, read as RFC 1951 says.
    fn inflate(data: &[u8]) -> Vec<u8> {
        let mut at = 0;
        let mut bits = |count: u8| {
            (0..count).fold(0_usize, |value, i| {
                let bit = usize::from(data[at / 8] >> (at % 8) & 1);
                at += 1;
                value | bit << i
            })
        };
        assert_eq!(bits(3), 0b011);
        let mut out = Vec::new();
        loop {
            let mut code = (0..7).fold(0, |code, _| code << 1 | bits(1));
            let symbol = if code < 24 {
                code + 256
            } else {
                code = code << 1 | bits(1);
                match code {
                    0x30..=0xbf => code - 0x30,
                    0xc0..=0xc7 => code - 0xc0 + 280,
                    _ => (code << 1 | bits(1)) - 0x190 + 144,
                }
            };
            match symbol {
                256 => return out,
                0..=255 => out.push(u8::try_from(symbol).unwrap()),
                _ => {
                    let len = usize::from(LENGTH_BASE[symbol - 257]) + bits(LENGTH_EXTRA[symbol - 257]);
                    let code = (0..5).fold(0, |code, _| code << 1 | bits(1));
                    let distance = usize::from(DISTANCE_BASE[code]) + bits(DISTANCE_EXTRA[code]);
                    (0..len).for_each(|_| out.push(out[out.len() - distance]));
                }
            }
        }
    }

    #[test]
    fn pixels_come_back_and_flat_ones_take_little() {
        let (width, height) = (300_u32, 100_u32);
        let mut rgb = vec![255_u8; (width * height * 3) as usize];
        let flat = png(&rgb, width, height);
        assert!(flat.len() < 1_500, "{}", flat.len());
        let mut noise = 1_u32;
        for byte in rgb.iter_mut().skip(2_000).take(40_000) {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *byte = (noise >> 24) as u8;
        }
        for picture in [rgb, vec![7; (width * height * 3) as usize]] {
            assert_eq!(decode(&png(&picture, width, height)), (width, height, picture));
        }
        assert_eq!(decode(&png(&[1, 2, 3], 1, 1)), (1, 1, vec![1, 2, 3]));
    }

    #[test]
    fn checksum_is_that_of_rfc_1950() {
        assert_eq!(adler32(b"Wikipedia"), 0x11e6_0398);
    }
}
