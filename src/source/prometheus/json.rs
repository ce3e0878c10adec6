//! A push tokenizer for JSON: bytes go in as they arrive, tokens come out, nothing is kept but the token that a chunk's end cut in two.
//!
//! Why not `serde_json`: its `Value` costs 293-540 ns a sample and fifteen times the body in memory, its typed form needs the whole body
//! first. Here a 66 MB answer is read in the 8-64 KB pieces the socket hands over, and a sample's number is parsed from the socket's
//! buffer. The grammar (RFC 8259) is checked as far as it decides what is read: structure, literals, escapes, depth. Numbers are handed
//! out as bytes; whoever wants one parses it, and the parser refuses what is none.

use std::borrow::Cow;
use std::fmt;

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
    /// The bytes, when no escape stands in them: true for every sample value, which then costs no copy.
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
                    let end = at + run(&chunk[at..], |b| b.is_ascii_lowercase());
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
                let text = Text { raw: &chunk[start..start + length], escaped: scan.escaped };
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
                let result = self.emit_string(Text { raw: &carry, escaped }, sink);
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
                let length = run(chunk, |b| b.is_ascii_lowercase());
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

fn number_run(bytes: &[u8]) -> usize {
    run(bytes, |byte| CLASSES[usize::from(byte)] == NUMBER)
}

#[inline]
fn run(bytes: &[u8], is: impl Fn(u8) -> bool) -> usize {
    bytes.iter().position(|b| !is(*b)).unwrap_or(bytes.len())
}

struct Scan {
    /// Index of the closing quote.
    end: Option<usize>,
    escaped: bool,
    after_backslash: bool,
    /// A raw control character stood in the string.
    control: bool,
}

fn scan_string(bytes: &[u8], after_backslash: bool) -> Scan {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Writes down what it is told, so that two ways through a text can be compared.
    #[derive(Default)]
    struct Log(Vec<String>);

    impl Sink for Log {
        type Error = JsonError;

        fn token(&mut self, token: Token<'_>) -> Result<(), JsonError> {
            self.0.push(match token {
                Token::Key(t) => format!("key {:?}", t.decode()),
                Token::Str(t) => format!("str {:?}", t.decode()),
                Token::Num(n) => format!("num {}", String::from_utf8_lossy(n)),
                other => format!("{other:?}"),
            });
            Ok(())
        }
    }

    fn tokens(chunks: &[&[u8]]) -> Result<Vec<String>, JsonError> {
        let (mut tokenizer, mut log) = (Tokenizer::default(), Log::default());
        for chunk in chunks {
            tokenizer.feed(chunk, &mut log)?;
        }
        tokenizer.finish().map(|()| log.0)
    }

    /// The same tokens from serde_json's DOM: an independent reading of the same text.
    fn oracle(value: &serde_json::Value, out: &mut Vec<String>) {
        use serde_json::Value;
        match value {
            Value::Null => out.push("Null".into()),
            Value::Bool(b) => out.push(format!("Bool({b})")),
            Value::Number(n) => out.push(format!("num {n}")),
            Value::String(s) => out.push(format!("str {:?}", Some(Cow::Borrowed(s.as_str())))),
            Value::Array(items) => {
                out.push("BeginArray".into());
                items.iter().for_each(|v| oracle(v, out));
                out.push("EndArray".into());
            }
            Value::Object(map) => {
                out.push("BeginObject".into());
                for (key, v) in map {
                    out.push(format!("key {:?}", Some(Cow::Borrowed(key.as_str()))));
                    oracle(v, out);
                }
                out.push("EndObject".into());
            }
        }
    }

    #[test]
    fn strings_numbers_and_words_survive_any_cut() {
        let text = r#" {"a\"b":[1,-2.5e+3,true,false,null,[],{}],"é\u00e9\ud83d\ude00\n":"x\\"} "#.as_bytes();
        let whole = tokens(&[text]).unwrap();
        assert!(whole.contains(&"key Some(\"a\\\"b\")".to_owned()), "{whole:?}");
        assert!(whole.contains(&"key Some(\"éé😀\\n\")".to_owned()), "{whole:?}");
        for cut in 0..=text.len() {
            assert_eq!(tokens(&[&text[..cut], &text[cut..]]).unwrap(), whole, "cut at {cut}");
        }
        let bytes: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(tokens(&bytes).unwrap(), whole);
    }

    #[test]
    fn what_is_not_json_is_refused_with_its_place() {
        for (text, offset, fault) in [
            ("<html>", 0, JsonFault::Unexpected(b'<')),
            ("[1,]", 3, JsonFault::Unexpected(b']')),
            ("{\"a\" 1}", 5, JsonFault::Unexpected(b'1')),
            ("{\"a\":1,}", 7, JsonFault::Unexpected(b'}')),
            ("[1]]", 3, JsonFault::Unexpected(b']')),
            ("[1}", 2, JsonFault::Unexpected(b'}')),
            ("[nul]", 1, JsonFault::BadLiteral),
            ("[1] 2", 4, JsonFault::Unexpected(b'2')),
            ("[\"a\nb\"]", 2, JsonFault::BadString),
            ("{\"a\":[1,2", 9, JsonFault::Incomplete),
            ("", 0, JsonFault::Incomplete),
        ] {
            assert_eq!(tokens(&[text.as_bytes()]), Err(JsonError { offset, fault }), "{text}");
        }
        let deep = "[".repeat(65);
        assert_eq!(tokens(&[deep.as_bytes()]).unwrap_err().fault, JsonFault::TooDeep);
    }

    #[test]
    fn what_is_carried_over_has_an_end() {
        let (mut tokenizer, mut log) = (Tokenizer::default(), Log::default());
        tokenizer.feed(b"[\"", &mut log).unwrap();
        let piece = [b'x'; 4096];
        let error = (0..1000).find_map(|_| tokenizer.feed(&piece, &mut log).err()).unwrap();
        assert_eq!(error.fault, JsonFault::TooLong);
        assert!(tokenizer.carry.capacity() <= 4 * MAX_TOKEN_BYTES);
    }

    #[test]
    fn bad_escapes_and_bad_utf8_are_no_strings() {
        for raw in [&br"\x"[..], br"\u12", br"\ud800", br"\ud800\u0041", br"\udc00", b"\\", b"\\n\xff"] {
            assert_eq!(Text { raw, escaped: true }.decode(), None, "{}", raw.escape_ascii());
        }
        assert_eq!(Text { raw: b"\xff", escaped: false }.decode(), None);
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<String>().prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
                proptest::collection::btree_map(any::<String>(), inner, 0..6)
                    .prop_map(|m| m.into_iter().collect::<serde_json::Map<_, _>>().into()),
            ]
        })
    }

    proptest! {
        #[test]
        fn reads_what_serde_json_reads_however_it_is_cut(value in json(), pretty in any::<bool>(), cuts in proptest::collection::vec(1usize..9, 1..20)) {
            let value = serde_json::json!([value]);
            let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
            let mut rest = text.as_bytes();
            let mut chunks = Vec::new();
            for size in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (head, tail) = rest.split_at((*size).min(rest.len()));
                chunks.push(head);
                rest = tail;
            }
            let mut want = Vec::new();
            oracle(&value, &mut want);
            prop_assert_eq!(tokens(&chunks).unwrap(), want);
        }

        #[test]
        fn never_panics_on_noise(noise in proptest::collection::vec(any::<u8>(), 0..200), cut in 0usize..200) {
            let cut = cut.min(noise.len());
            let whole = tokens(&[&noise]);
            let halves = tokens(&[&noise[..cut], &noise[cut..]]);
            prop_assert_eq!(whole.is_ok(), halves.is_ok());
        }
    }
}
