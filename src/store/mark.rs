//! The number of the last acknowledged checkpoint, in a file of its own beside sled's.
//!
//! Damage in sled's log can make it open cleanly as it was some checkpoints ago (seen in corruption tests; a power cut can do the same):
//! every record intact, every checksum right, and all of it old. Nothing inside sled can tell; a number that lies elsewhere can.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

use super::record::{self, HEADER_BYTES, MANIFEST_KIND, RecordError};

/// The file's name inside the store's folder.
pub const MARK_FILE: &str = "portent.mark";

const KEY: &str = "generation";

/// One record: well inside the 512 bytes that a disk writes whole or not at all, so it is rewritten in place.
const MARK_BYTES: usize = HEADER_BYTES + 8;

pub fn write(store: &Path, generation: u64) -> io::Result<()> {
    let (bytes, _) = record::encode(MANIFEST_KIND, KEY, &generation.to_le_bytes());
    let mut file = OpenOptions::new().create(true).write(true).truncate(false).open(store.join(MARK_FILE))?;
    file.write_all(&bytes)?;
    file.sync_all()
}

/// `None` if there is no mark.
pub fn read(store: &Path) -> io::Result<Option<Result<u64, RecordError>>> {
    let file = match File::open(store.join(MARK_FILE)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    let mut bytes = Vec::new();
    // One byte more than it may have, so that a longer file is seen to be wrong.
    file.take(MARK_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(Some(
        record::decode(MANIFEST_KIND, KEY, bytes).and_then(|(payload, _)| {
            payload.try_into().map(u64::from_le_bytes).map_err(|_| RecordError::Manifest("a mark has eight bytes"))
        }),
    ))
}
