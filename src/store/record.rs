//! How a record looks on disk, and the manifest that says which records there must be.
//!
//! The database beneath has checksums of its own and still, after damage, opens with records silently gone. So each record carries its
//! own checksum over all that it is (format, kind, key, payload), and one manifest, written in the same batch, lists every record with
//! its length and checksum. What is missing, torn, or an older version come back is then seen, by name. A count for each kind would see the
//! first only.
//!
//! ```text
//! record    0 magic "PTNT" | 4 format u16 | 6 kind u8 | 7 zero | 8 payload length u32 | 12 CRC-32 of 0..12, key, payload | 16 payload
//! manifest  generation u64 | entries u32 | each: kind u8, key length u16, key, payload length u32, CRC-32
//! ```
//! Numbers are little-endian. The first 16 bytes keep their layout in every format to come, so that a checksum can vouch for the format's
//! number before it is believed.

use std::collections::BTreeMap;

use super::{Kind, MAX_KEY_BYTES, MAX_RECORDS};

/// Raised with every change of the layout.
pub const FORMAT: u16 = 1;

/// Length of the part whose layout never changes (see above).
pub const HEADER_BYTES: usize = 16;

const MAGIC: [u8; 4] = *b"PTNT";

/// The manifest's own kind; beside the kinds of [`Kind`], which begin at 1.
pub const MANIFEST_KIND: u8 = 0;

/// Why bytes are not the record they should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    #[error("nothing there")]
    Missing,
    #[error("cut short: {found} bytes of {expected}")]
    Short { found: usize, expected: usize },
    #[error("does not begin with the mark of a record")]
    NoMagic,
    #[error("checksum {found:08x}, expected {expected:08x}")]
    Checksum { found: u32, expected: u32 },
    #[error("intact, but not the version that was written last")]
    Stale,
    #[error("is of kind {found}, expected {expected}")]
    Kind { found: u8, expected: u8 },
    #[error("manifest makes no sense: {0}")]
    Manifest(&'static str),
    /// Intact and from a newer build: not damage.
    #[error("is of format {found}, this build reads up to {FORMAT}")]
    Newer { found: u16 },
}

/// Header and payload in one, and the checksum in the header.
pub fn encode(kind: u8, key: &str, payload: &[u8]) -> (Vec<u8>, u32) {
    encode_as(FORMAT, kind, key, payload)
}

fn encode_as(format: u16, kind: u8, key: &str, payload: &[u8]) -> (Vec<u8>, u32) {
    let length = u32::try_from(payload.len()).expect("callers keep records under 16 MiB and manifests under 20 MiB");
    let mut bytes = Vec::with_capacity(HEADER_BYTES + payload.len());
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&format.to_le_bytes());
    bytes.extend_from_slice(&[kind, 0]);
    bytes.extend_from_slice(&length.to_le_bytes());
    let crc = checksum(&bytes, key, payload);
    bytes.extend_from_slice(&crc.to_le_bytes());
    bytes.extend_from_slice(payload);
    (bytes, crc)
}

fn checksum(head: &[u8], key: &str, payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(head);
    hasher.update(key.as_bytes());
    hasher.update(payload);
    hasher.finalize()
}

/// Payload length that a record's first bytes claim. Good only for knowing how much to read: nothing vouches for it yet.
pub fn claimed_payload_bytes(bytes: &[u8]) -> Result<usize, RecordError> {
    if bytes.len() < HEADER_BYTES {
        return Err(if bytes.is_empty() { RecordError::Missing } else { short(bytes.len(), HEADER_BYTES) });
    }
    if bytes[..4] != MAGIC {
        return Err(RecordError::NoMagic);
    }
    Ok(u32_at(bytes, 8) as usize)
}

/// The payload and its checksum, once everything about the record has been verified.
pub fn decode(kind: u8, key: &str, mut bytes: Vec<u8>) -> Result<(Vec<u8>, u32), RecordError> {
    let expected = HEADER_BYTES + claimed_payload_bytes(&bytes)?;
    if bytes.len() != expected {
        return Err(short(bytes.len(), expected));
    }
    let stored = u32_at(&bytes, 12);
    let found = checksum(&bytes[..12], key, &bytes[HEADER_BYTES..]);
    if found != stored {
        return Err(RecordError::Checksum { found, expected: stored });
    }
    let format = u16::from_le_bytes([bytes[4], bytes[5]]);
    if format > FORMAT {
        return Err(RecordError::Newer { found: format });
    }
    if bytes[6] != kind {
        return Err(RecordError::Kind { found: bytes[6], expected: kind });
    }
    bytes.drain(..HEADER_BYTES);
    Ok((bytes, stored))
}

fn short(found: usize, expected: usize) -> RecordError {
    RecordError::Short { found, expected }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// What the manifest knows about one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    pub payload_bytes: u32,
    pub crc: u32,
}

/// Every record there must be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    /// Checkpoints since the store was made.
    pub generation: u64,
    pub entries: BTreeMap<(Kind, String), Entry>,
}

impl Manifest {
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(12 + self.entries.len() * 48);
        bytes.extend_from_slice(&self.generation.to_le_bytes());
        bytes.extend_from_slice(&u32::try_from(self.entries.len()).expect("at most MAX_RECORDS").to_le_bytes());
        for ((kind, key), entry) in &self.entries {
            bytes.push(*kind as u8);
            bytes.extend_from_slice(&u16::try_from(key.len()).expect("at most MAX_KEY_BYTES").to_le_bytes());
            bytes.extend_from_slice(key.as_bytes());
            bytes.extend_from_slice(&entry.payload_bytes.to_le_bytes());
            bytes.extend_from_slice(&entry.crc.to_le_bytes());
        }
        bytes
    }

    pub fn from_bytes(bytes: &[u8]) -> Result<Self, RecordError> {
        let mut rest = bytes;
        let generation = u64::from_le_bytes(take(&mut rest)?);
        let count = u32::from_le_bytes(take(&mut rest)?) as usize;
        if count > MAX_RECORDS {
            return Err(RecordError::Manifest("more records than there may be"));
        }
        let mut entries = BTreeMap::new();
        for _ in 0..count {
            let [code] = take(&mut rest)?;
            let kind = Kind::ALL.into_iter().find(|k| *k as u8 == code).ok_or(RecordError::Manifest("unknown kind"))?;
            let length = usize::from(u16::from_le_bytes(take(&mut rest)?));
            if length > MAX_KEY_BYTES || length > rest.len() {
                return Err(RecordError::Manifest("key runs past its end"));
            }
            let (key, after) = rest.split_at(length);
            rest = after;
            let key = std::str::from_utf8(key).map_err(|_| RecordError::Manifest("key is not text"))?;
            let payload_bytes = u32::from_le_bytes(take(&mut rest)?);
            let crc = u32::from_le_bytes(take(&mut rest)?);
            entries.insert((kind, key.to_owned()), Entry { payload_bytes, crc });
        }
        if !rest.is_empty() || entries.len() != count {
            return Err(RecordError::Manifest("not as many entries as it says"));
        }
        Ok(Self { generation, entries })
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], RecordError> {
    let (head, after) = rest.split_first_chunk::<N>().ok_or(RecordError::Manifest("ends too early"))?;
    *rest = after;
    Ok(*head)
}

#[cfg(test)]
pub fn encode_from_the_future(kind: u8, key: &str, payload: &[u8]) -> Vec<u8> {
    encode_as(FORMAT + 1, kind, key, payload).0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_is_seen() {
        let (bytes, crc) = encode(1, "disk/3", b"moments");
        assert_eq!(decode(1, "disk/3", bytes.clone()), Ok((b"moments".to_vec(), crc)));
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(1, "disk/3", damaged).is_err(), "bit {bit}");
        }
        for length in 0..bytes.len() {
            assert!(decode(1, "disk/3", bytes[..length].to_vec()).is_err(), "first {length} bytes");
        }
        let mut longer = bytes.clone();
        longer.push(0);
        assert!(decode(1, "disk/3", longer).is_err());
    }

    #[test]
    fn a_record_is_good_only_under_its_own_key_and_kind() {
        let (bytes, _) = encode(1, "disk/3", b"moments");
        assert!(matches!(decode(1, "disk/4", bytes.clone()), Err(RecordError::Checksum { .. })));
        assert_eq!(decode(2, "disk/3", bytes), Err(RecordError::Kind { found: 1, expected: 2 }));
    }

    #[test]
    fn the_future_is_told_from_damage() {
        let bytes = encode_from_the_future(1, "k", b"x");
        assert_eq!(decode(1, "k", bytes.clone()), Err(RecordError::Newer { found: FORMAT + 1 }));
        let mut damaged = bytes;
        damaged[4] ^= 0x40;
        assert!(matches!(decode(1, "k", damaged), Err(RecordError::Checksum { .. })));
    }

    #[test]
    fn the_layout_is_pinned() {
        // A changed byte here makes every user's store unreadable: raise FORMAT and read both.
        let (bytes, _) = encode(2, "k", b"v");
        assert_eq!(bytes, [b'P', b'T', b'N', b'T', 1, 0, 2, 0, 1, 0, 0, 0, 0x76, 0xfc, 0x62, 0x77, b'v']);
    }

    #[test]
    fn manifests_round_trip_and_refuse_nonsense() {
        let mut manifest = Manifest { generation: 9, entries: BTreeMap::new() };
        manifest.entries.insert((Kind::Blocks, "disk/1".into()), Entry { payload_bytes: 5, crc: 6 });
        manifest.entries.insert((Kind::Meta, String::new()), Entry { payload_bytes: 0, crc: u32::MAX });
        let bytes = manifest.to_bytes();
        assert_eq!(Manifest::from_bytes(&bytes), Ok(manifest));
        for length in 0..bytes.len() {
            assert!(Manifest::from_bytes(&bytes[..length]).is_err());
        }
        let mut huge = bytes;
        huge[8..12].fill(0xff);
        assert!(Manifest::from_bytes(&huge).is_err());
    }
}
