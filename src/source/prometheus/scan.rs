//! The two inner loops of the tokenizer: over a number's bytes and over a string's.

/// What a byte means to the two inner loops: a table look-up a byte, which is all they do.
const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            b'0'..=b'9' | b'.' | b'-' | b'+' | b'e' | b'E' => NUMBER,
            b'"' | b'\\' | 0..0x20 => STOPS_STRING,
            _ => 0,
        };
        byte += 1;
    }
    classes
};
const NUMBER: u8 = 1;
const STOPS_STRING: u8 = 2;

/// Length of the number's bytes that `bytes` begins with.
#[inline]
pub(super) fn number_run(bytes: &[u8]) -> usize {
    run(bytes, |byte| CLASSES[usize::from(byte)] == NUMBER)
}

/// Length of the word (`true`, `null`) that `bytes` begins with.
pub(super) fn word_run(bytes: &[u8]) -> usize {
    run(bytes, |byte| byte.is_ascii_lowercase())
}

#[inline]
fn run(bytes: &[u8], is: impl Fn(u8) -> bool) -> usize {
    bytes.iter().position(|b| !is(*b)).unwrap_or(bytes.len())
}

/// What was found of a string.
pub(super) struct Scan {
    /// Index of the closing quote.
    pub end: Option<usize>,
    pub escaped: bool,
    pub after_backslash: bool,
    /// A raw control character stood in the string.
    pub control: bool,
}

/// Looks for a string's end; `after_backslash` when the bytes before ended in one.
#[inline]
pub(super) fn scan_string(bytes: &[u8], after_backslash: bool) -> Scan {
    let mut scan = Scan { end: None, escaped: after_backslash, after_backslash, control: false };
    let mut at = 0;
    loop {
        if scan.after_backslash {
            match bytes.get(at) {
                None => return scan,
                Some(0..0x20) => return Scan { control: true, ..scan },
                Some(_) => at += 1,
            }
            scan.after_backslash = false;
        }
        at += run(&bytes[at..], |byte| CLASSES[usize::from(byte)] != STOPS_STRING);
        match bytes.get(at) {
            None => return scan,
            Some(b'"') => return Scan { end: Some(at), ..scan },
            Some(b'\\') => (scan.after_backslash, scan.escaped) = (true, true),
            Some(_) => return Scan { control: true, ..scan },
        }
        at += 1;
    }
}
