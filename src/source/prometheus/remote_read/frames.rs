//! The body of a streamed remote read, cut into its messages as it arrives: length (varint), CRC-32C of the message (big-endian), message.
//!
//! Written by `storage/remote/chunked.go` of Prometheus. A message holds part of one series; nothing but the one under way is kept.

use crc::{CRC_32_ISCSI, Crc, Table};

/// Castagnoli's polynomial, sixteen bytes a step.
static CRC: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISCSI);

/// Prometheus cuts messages at 1 MB (`--storage.remote.read-max-bytes-in-frame`), or at one chunk where that is longer; a message of this
/// length is no message.
pub const MAX_MESSAGE_BYTES: usize = 64 << 20;

/// The longest varint of 64 bits.
const MAX_VARINT_BYTES: usize = 10;
const CRC_BYTES: usize = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    #[error("a message's length is no varint")]
    Length,
    #[error("a message of {bytes} bytes is longer than {MAX_MESSAGE_BYTES}")]
    TooLong { bytes: u64 },
    #[error("a message's checksum is {found:08x}, its bytes give {made:08x}")]
    Checksum { found: u32, made: u32 },
    #[error("the body ends in the middle of a message")]
    Truncated,
}

/// Collects pieces of the body.
#[derive(Debug, Default)]
pub struct Frames {
    held: Vec<u8>,
    /// Bytes at the beginning of `held` that are done with.
    done: usize,
}

impl Frames {
    pub fn push(&mut self, piece: &[u8]) {
        self.held.drain(..self.done);
        self.done = 0;
        self.held.extend_from_slice(piece);
    }

    /// The next whole message; `None` when more of the body is needed.
    ///
    /// # Errors
    /// When what was pushed is no stream of messages.
    pub fn next_message(&mut self) -> Result<Option<&[u8]>, FrameError> {
        let rest = &self.held[self.done..];
        let Some((bytes, head)) = length(rest)? else { return Ok(None) };
        if bytes > MAX_MESSAGE_BYTES as u64 {
            return Err(FrameError::TooLong { bytes });
        }
        let (start, len) = (head + CRC_BYTES, bytes as usize);
        let Some(message) = rest.get(start..start + len) else { return Ok(None) };
        let found = u32::from_be_bytes([rest[head], rest[head + 1], rest[head + 2], rest[head + 3]]);
        let made = CRC.checksum(message);
        if found != made {
            return Err(FrameError::Checksum { found, made });
        }
        let from = self.done + start;
        self.done = from + len;
        Ok(Some(&self.held[from..self.done]))
    }

    /// # Errors
    /// When the body ended inside a message.
    pub fn end(&self) -> Result<(), FrameError> {
        if self.done == self.held.len() { Ok(()) } else { Err(FrameError::Truncated) }
    }
}

/// A message's length and how many bytes it is written in.
fn length(rest: &[u8]) -> Result<Option<(u64, usize)>, FrameError> {
    let mut value = 0_u64;
    for (i, byte) in rest.iter().take(MAX_VARINT_BYTES).enumerate() {
        value |= u64::from(byte & 0x7f).checked_shl(7 * i as u32).ok_or(FrameError::Length)?;
        if *byte < 0x80 {
            return Ok(Some((value, i + 1)));
        }
    }
    if rest.len() < MAX_VARINT_BYTES { Ok(None) } else { Err(FrameError::Length) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(message: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut len = message.len();
        while len >= 0x80 {
            bytes.push(len as u8 | 0x80);
            len >>= 7;
        }
        bytes.push(len as u8);
        bytes.extend(CRC.checksum(message).to_be_bytes());
        bytes.extend(message);
        bytes
    }

    #[test]
    fn messages_come_out_whole_however_the_body_is_cut() {
        let messages: [Vec<u8>; 4] = [vec![7; 300], Vec::new(), b"123456789".to_vec(), vec![0; 70_000]];
        let body: Vec<u8> = messages.iter().flat_map(|m| framed(m)).collect();
        for size in [1, 7, 1000, body.len()] {
            let mut frames = Frames::default();
            let mut found = Vec::new();
            for piece in body.chunks(size) {
                frames.push(piece);
                while let Some(message) = frames.next_message().unwrap() {
                    found.push(message.to_vec());
                }
            }
            assert_eq!(found, messages);
            assert_eq!(frames.end(), Ok(()));
        }
    }

    #[test]
    fn the_checksum_is_castagnolis() {
        // RFC 3720, B.4, and the check value of every catalogue.
        assert_eq!(CRC.checksum(b"123456789"), 0xe306_9283);
        assert_eq!(CRC.checksum(&[0; 32]), 0x8a91_36aa);
    }

    #[test]
    fn damage_is_an_error() {
        let mut body = framed(b"message");
        let last = body.len() - 1;
        body[last] ^= 1;
        let next = |body: &[u8]| {
            let mut frames = Frames::default();
            frames.push(body);
            let first = frames.next_message().map(|m| m.map(<[u8]>::to_vec));
            (first, frames.end())
        };
        assert!(matches!(next(&body).0, Err(FrameError::Checksum { .. })));
        assert_eq!(next(&body[..5]), (Ok(None), Err(FrameError::Truncated)));
        assert!(matches!(next(&[0xff; 11]).0, Err(FrameError::Length | FrameError::TooLong { .. })));
        assert!(matches!(next(&[0xff, 0xff, 0xff, 0xff, 0x7f]).0, Err(FrameError::TooLong { .. })));
    }
}
