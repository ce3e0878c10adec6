//! The tokenizer against serde_json, against itself on any cut of the bytes, and against noise.

use std::borrow::Cow;

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
            for item in items {
                oracle(item, out);
            }
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
        assert_eq!(Text::new(raw, true).decode(), None, "{}", raw.escape_ascii());
    }
    assert_eq!(Text::new(b"\xff", false).decode(), None);
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
