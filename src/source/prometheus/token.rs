//! What the tokenizer hands out: tokens, and strings whose escapes are resolved only for those who want them.

use std::borrow::Cow;

use super::json::JsonError;

/// One token. Commas and colons are checked and swallowed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Token<'a> {
    BeginObject,
    EndObject,
    BeginArray,
    EndArray,
    Key(Text<'a>),
    Str(Text<'a>),
    /// Bytes of a number's alphabet; parsing them tells whether they are one.
    Num(&'a [u8]),
    Bool(bool),
    Null,
}

impl Token<'_> {
    /// Name for messages.
    pub fn name(&self) -> &'static str {
        match self {
            Self::BeginObject | Self::EndObject => "object",
            Self::BeginArray | Self::EndArray => "array",
            Self::Key(_) => "key",
            Self::Str(_) => "string",
            Self::Num(_) => "number",
            Self::Bool(_) => "boolean",
            Self::Null => "null",
        }
    }
}

/// A string between its quotes, escapes not yet resolved.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Text<'a> {
    raw: &'a [u8],
    escaped: bool,
}

impl<'a> Text<'a> {
    /// `raw` without its quotes; `escaped` when a backslash stands in it.
    #[inline]
    pub fn new(raw: &'a [u8], escaped: bool) -> Self {
        Self { raw, escaped }
    }

    /// The bytes, when no escape stands in them: true for every sample value, which then costs no copy.
    #[inline]
    pub fn plain(self) -> Option<&'a [u8]> {
        (!self.escaped).then_some(self.raw)
    }

    /// The string; copied only where escapes are resolved. None for a bad escape or bad UTF-8.
    pub fn decode(self) -> Option<Cow<'a, str>> {
        if !self.escaped {
            return std::str::from_utf8(self.raw).ok().map(Cow::Borrowed);
        }
        unescape(self.raw).map(Cow::Owned)
    }
}

/// Takes tokens as they come.
pub trait Sink {
    type Error: From<JsonError>;

    fn token(&mut self, token: Token<'_>) -> Result<(), Self::Error>;
}

fn unescape(raw: &[u8]) -> Option<String> {
    let mut out = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        let (&kind, tail) = rest.split_first()?;
        rest = tail;
        match kind {
            b'"' | b'\\' | b'/' => out.push(kind),
            b'b' => out.push(8),
            b'f' => out.push(12),
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'u' => {
                let (high, tail) = hex4(rest)?;
                rest = tail;
                let scalar = if (0xD800..0xDC00).contains(&high) {
                    let (low, tail) = hex4(rest.strip_prefix(b"\\u")?)?;
                    rest = tail;
                    if !(0xDC00..0xE000).contains(&low) {
                        return None;
                    }
                    0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00)
                } else {
                    high
                };
                let mut buffer = [0; 4];
                out.extend_from_slice(char::from_u32(scalar)?.encode_utf8(&mut buffer).as_bytes());
            }
            _ => return None,
        }
    }
    String::from_utf8(out).ok()
}

fn hex4(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (digits, rest) = bytes.split_at_checked(4)?;
    let mut value = 0;
    for digit in digits {
        value = value << 4 | char::from(*digit).to_digit(16)?;
    }
    Some((value, rest))
}
