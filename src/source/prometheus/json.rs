//! A push tokenizer for JSON: bytes go in as they arrive, tokens come out, nothing is kept but the token that a chunk's end cut in two.
//!
//! Why not `serde_json`: its `Value` costs 293-540 ns a sample and fifteen times the body in memory, its typed form needs the whole body
//! first. Here a 66 MB answer is read in the 8-64 KB pieces the socket hands over, and a sample's number is parsed from the socket's
//! buffer. The grammar (RFC 8259) is checked as far as it decides what is read: structure, literals, escapes, depth. Numbers are handed
//! out as bytes; whoever wants one parses it, and the parser refuses what is none.

use std::fmt;

use super::scan::{number_run, scan_string, word_run};
use super::token::{Sink, Text, Token};

/// Deepest nesting that is read. A Prometheus answer has seven levels; the limit is what one word of bits remembers.
pub const MAX_DEPTH: u32 = 64;

/// Longest string or number. Long label values and error texts that quote a query stay far below; it bounds what is carried over.
pub const MAX_TOKEN_BYTES: usize = 256 * 1024;

/// What was wrong with a JSON text, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{fault} at byte {offset}")]
pub struct JsonError {
    pub offset: u64,
    pub fault: JsonFault,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonFault {
    /// This byte can't stand here.
    Unexpected(u8),
    TooDeep,
    TooLong,
    BadString,
    BadLiteral,
    /// The text ended before the value did.
    Incomplete,
}

impl fmt::Display for JsonFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unexpected(byte) => write!(f, "unexpected '{}'", byte.escape_ascii()),
            Self::TooDeep => write!(f, "more than {MAX_DEPTH} levels"),
            Self::TooLong => write!(f, "string or number longer than {MAX_TOKEN_BYTES} bytes"),
            Self::BadString => f.write_str("string with a bad escape, control character or bad UTF-8"),
            Self::BadLiteral => f.write_str("word that is not true, false or null"),
            Self::Incomplete => f.write_str("end of text inside a value"),
        }
    }
}

/// What may come next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expect {
    Value,
    ValueOrEnd,
    Key,
    KeyOrEnd,
    Colon,
    CommaOrEnd,
    Nothing,
}

/// A token that the end of a chunk cut in two; its first part lies in `carry`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Partial {
    None,
    Str { after_backslash: bool, escaped: bool },
    Num,
    Word,
}

/// The state between two chunks.
#[derive(Debug)]
pub struct Tokenizer {
    expect: Expect,
    /// One bit a level, the innermost lowest: set for an object.
    nesting: u64,
    depth: u32,
    partial: Partial,
    carry: Vec<u8>,
    consumed: u64,
}

impl Default for Tokenizer {
    fn default() -> Self {
        Self { expect: Expect::Value, nesting: 0, depth: 0, partial: Partial::None, carry: Vec::new(), consumed: 0 }
    }
}

impl Tokenizer {
    /// Reads one chunk. After an error the tokenizer is of no further use.
    pub fn feed<S: Sink>(&mut self, chunk: &[u8], sink: &mut S) -> Result<(), S::Error> {
        let mut at = if self.partial == Partial::None { 0 } else { self.resume(chunk, sink)? };
        while let Some(&byte) = chunk.get(at) {
            match byte {
                b',' if self.expect == Expect::CommaOrEnd => {
                    self.expect = if self.in_object() { Expect::Key } else { Expect::Value };
                    at += 1;
                }
                b'"' => at = self.string(chunk, at, sink)?,
                b'0'..=b'9' | b'-' => {
                    self.want_value(at, byte)?;
                    let end = at + number_run(&chunk[at..]);
                    if end == chunk.len() {
                        self.keep(&chunk[at..], Partial::Num)?;
                    } else {
                        self.check_length(end - at)?;
                        self.after_value();
                        sink.token(Token::Num(&chunk[at..end]))?;
                    }
                    at = end;
                }
                b'[' | b'{' => {
                    self.want_value(at, byte)?;
                    self.open(at, byte == b'{')?;
                    sink.token(if byte == b'{' { Token::BeginObject } else { Token::BeginArray })?;
                    at += 1;
                }
                b']' if !self.in_object() && matches!(self.expect, Expect::CommaOrEnd | Expect::ValueOrEnd) => {
                    self.close();
                    sink.token(Token::EndArray)?;
                    at += 1;
                }
                b'}' if self.in_object() && matches!(self.expect, Expect::CommaOrEnd | Expect::KeyOrEnd) => {
                    self.close();
                    sink.token(Token::EndObject)?;
                    at += 1;
                }
                b':' if self.expect == Expect::Colon => {
                    self.expect = Expect::Value;
                    at += 1;
                }
                b' ' | b'\n' | b'\r' | b'\t' => at += 1,
                b'a'..=b'z' => {
                    self.want_value(at, byte)?;
                    let end = at + word_run(&chunk[at..]);
                    if end == chunk.len() {
                        self.keep(&chunk[at..], Partial::Word)?;
                    } else {
                        self.word(at, &chunk[at..end], sink)?;
                    }
                    at = end;
                }
                other => return Err(self.error(at, JsonFault::Unexpected(other)).into()),
            }
        }
        self.consumed += chunk.len() as u64;
        Ok(())
    }

    /// Says whether the text was one whole value.
    pub fn finish(&self) -> Result<(), JsonError> {
        if self.expect == Expect::Nothing { Ok(()) } else { Err(self.error(0, JsonFault::Incomplete)) }
    }

    /// An error at the place reached so far, for a sink that finds a string bad.
    pub fn bad_string(&self) -> JsonError {
        self.error(0, JsonFault::BadString)
    }

    fn string<S: Sink>(&mut self, chunk: &[u8], quote: usize, sink: &mut S) -> Result<usize, S::Error> {
        if !matches!(self.expect, Expect::Key | Expect::KeyOrEnd) {
            self.want_value(quote, b'"')?;
        }
        let start = quote + 1;
        let scan = scan_string(&chunk[start..], false);
        if scan.control {
            return Err(self.error(start, JsonFault::BadString).into());
        }
        match scan.end {
            Some(length) => {
                self.check_length(length)?;
                let text = Text::new(&chunk[start..start + length], scan.escaped);
                self.emit_string(text, sink)?;
                Ok(start + length + 1)
            }
            None => {
                let partial = Partial::Str { after_backslash: scan.after_backslash, escaped: scan.escaped };
                self.keep(&chunk[start..], partial)?;
                Ok(chunk.len())
            }
        }
    }

    fn emit_string<S: Sink>(&mut self, text: Text<'_>, sink: &mut S) -> Result<(), S::Error> {
        if matches!(self.expect, Expect::Key | Expect::KeyOrEnd) {
            self.expect = Expect::Colon;
            sink.token(Token::Key(text))
        } else {
            self.after_value();
            sink.token(Token::Str(text))
        }
    }

    /// Completes the token that the last chunk cut in two; returns where in `chunk` to go on.
    fn resume<S: Sink>(&mut self, chunk: &[u8], sink: &mut S) -> Result<usize, S::Error> {
        match self.partial {
            Partial::None => Ok(0),
            Partial::Str { after_backslash, escaped } => {
                let scan = scan_string(chunk, after_backslash);
                if scan.control {
                    return Err(self.error(0, JsonFault::BadString).into());
                }
                let escaped = escaped || scan.escaped;
                let Some(length) = scan.end else {
                    self.keep(chunk, Partial::Str { after_backslash: scan.after_backslash, escaped })?;
                    return Ok(chunk.len());
                };
                let carry = self.take_carry(&chunk[..length])?;
                let result = self.emit_string(Text::new(&carry, escaped), sink);
                self.give_back(carry);
                result.map(|()| length + 1)
            }
            Partial::Num => {
                let length = number_run(chunk);
                if length == chunk.len() {
                    self.keep(chunk, Partial::Num)?;
                    return Ok(length);
                }
                let carry = self.take_carry(&chunk[..length])?;
                self.after_value();
                let result = sink.token(Token::Num(&carry));
                self.give_back(carry);
                result.map(|()| length)
            }
            Partial::Word => {
                let length = word_run(chunk);
                if length == chunk.len() {
                    self.keep(chunk, Partial::Word)?;
                    return Ok(length);
                }
                let carry = self.take_carry(&chunk[..length])?;
                let result = self.word(0, &carry, sink);
                self.give_back(carry);
                result.map(|()| length)
            }
        }
    }

    fn word<S: Sink>(&mut self, at: usize, word: &[u8], sink: &mut S) -> Result<(), S::Error> {
        let token = match word {
            b"true" => Token::Bool(true),
            b"false" => Token::Bool(false),
            b"null" => Token::Null,
            _ => return Err(self.error(at, JsonFault::BadLiteral).into()),
        };
        self.after_value();
        sink.token(token)
    }

    fn want_value(&self, at: usize, byte: u8) -> Result<(), JsonError> {
        if matches!(self.expect, Expect::Value | Expect::ValueOrEnd) { Ok(()) } else { Err(self.error(at, JsonFault::Unexpected(byte))) }
    }

    fn after_value(&mut self) {
        self.expect = if self.depth == 0 { Expect::Nothing } else { Expect::CommaOrEnd };
    }

    fn in_object(&self) -> bool {
        self.nesting & 1 == 1
    }

    fn open(&mut self, at: usize, object: bool) -> Result<(), JsonError> {
        if self.depth == MAX_DEPTH {
            return Err(self.error(at, JsonFault::TooDeep));
        }
        self.depth += 1;
        self.nesting = self.nesting << 1 | u64::from(object);
        self.expect = if object { Expect::KeyOrEnd } else { Expect::ValueOrEnd };
        Ok(())
    }

    fn close(&mut self) {
        self.depth -= 1;
        self.nesting >>= 1;
        self.after_value();
    }

    fn keep(&mut self, bytes: &[u8], partial: Partial) -> Result<(), JsonError> {
        self.check_length(self.carry.len() + bytes.len())?;
        self.carry.extend_from_slice(bytes);
        self.partial = partial;
        Ok(())
    }

    fn take_carry(&mut self, rest: &[u8]) -> Result<Vec<u8>, JsonError> {
        self.check_length(self.carry.len() + rest.len())?;
        let mut carry = std::mem::take(&mut self.carry);
        carry.extend_from_slice(rest);
        self.partial = Partial::None;
        Ok(carry)
    }

    fn give_back(&mut self, mut carry: Vec<u8>) {
        carry.clear();
        self.carry = carry;
    }

    fn check_length(&self, length: usize) -> Result<(), JsonError> {
        if length > MAX_TOKEN_BYTES { Err(self.error(0, JsonFault::TooLong)) } else { Ok(()) }
    }

    fn error(&self, at: usize, fault: JsonFault) -> JsonError {
        JsonError { offset: self.consumed + at as u64, fault }
    }
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
