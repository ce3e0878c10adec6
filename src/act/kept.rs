//! What is kept of a long text that comes in pieces: its beginning and its end, which say what was tried and why it stopped.

use std::collections::VecDeque;

use super::filled;

/// Bytes kept of the beginning, and as many of the end: two streams' worth fit into a note ([`MAX_NOTE_CHARS`](super::MAX_NOTE_CHARS)).
pub const KEPT_BYTES: usize = 400;

/// See the module. It takes any amount and holds twice [`KEPT_BYTES`].
#[derive(Debug, Default)]
pub struct Kept {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    left_out_bytes: u64,
}

impl Kept {
    pub fn add(&mut self, bytes: &[u8]) {
        let (head, rest) = bytes.split_at(bytes.len().min(KEPT_BYTES - self.head.len()));
        self.head.extend_from_slice(head);
        // Of a large piece only the end can stay, so no more of it is looked at.
        let skipped = rest.len().saturating_sub(KEPT_BYTES);
        self.tail.extend(&rest[skipped..]);
        let over = self.tail.len().saturating_sub(KEPT_BYTES);
        self.tail.drain(..over);
        self.left_out_bytes += (skipped + over) as u64;
    }

    /// As people can read it.
    pub fn text(&self) -> String {
        let (first, second) = self.tail.as_slices();
        let between = match self.left_out_bytes {
            0 => String::new(),
            bytes => format!("\n... {bytes} bytes left out ...\n"),
        };
        let all = if self.left_out_bytes == 0 {
            // In one piece: a letter may lie on both sides of the cut.
            String::from_utf8_lossy(&[&self.head, first, second].concat()).into_owned()
        } else {
            format!("{}{between}{}", String::from_utf8_lossy(&self.head), String::from_utf8_lossy(&[first, second].concat()))
        };
        filled::printable(all.trim_end())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_and_the_end_stay_whatever_the_pieces() {
        for piece in [1, 7, 399, 400, 401, 5_000] {
            let all: Vec<u8> = (0..10_000_u32).map(|i| b'a' + (i % 26) as u8).collect();
            let mut kept = Kept::default();
            all.chunks(piece).for_each(|chunk| kept.add(chunk));
            let (head, tail) = (String::from_utf8_lossy(&all[..400]), String::from_utf8_lossy(&all[9_600..]));
            assert_eq!(kept.text(), format!("{head}\n... 9200 bytes left out ...\n{tail}"), "pieces of {piece}");
            assert_eq!(kept.head.len() + kept.tail.len(), 2 * KEPT_BYTES, "pieces of {piece}");
        }
        let mut short = Kept::default();
        "é".repeat(399).bytes().for_each(|byte| short.add(&[byte]));
        assert_eq!(short.text(), "é".repeat(399), "a letter across the cut is whole");
        assert_eq!(Kept::default().text(), "");
    }
}
