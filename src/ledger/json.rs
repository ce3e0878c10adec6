//! JSON that comes back exactly as it went in.
//!
//! `serde_json` writes an f64 in the shortest digits that name it, and without its feature `float_roundtrip` reads one in ten back one
//! bit off. A prediction that changes by being stored would make a restarted engine differ from one that ran on. So numbers with a fraction are
//! read by the standard library here, which rounds correctly; and what is written is read back first, which also catches NaN and
//! infinities: JSON has none, and `serde_json` writes `null` for them.

use std::collections::BTreeMap;

use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{DeserializeOwned, Deserializer, Error as _, IntoDeserializer, Visitor};
use serde::{Serialize, forward_to_deserialize_any};
use serde_json::value::RawValue;
use serde_json::{Error, from_str};

/// The value's JSON; an error if reading it would not give the same value.
pub fn encode<T: Serialize + DeserializeOwned + PartialEq>(value: &T) -> Result<String, Error> {
    let text = serde_json::to_string(value)?;
    match decode::<T>(&text) {
        Ok(same) if same == *value => Ok(text),
        Ok(_) => Err(Error::custom("it changes by being stored")),
        Err(error) => Err(Error::custom(format_args!("it can't be read back, is a number not finite? {error}"))),
    }
}

pub fn decode<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    T::deserialize(Exact(from_str(text)?))
}

/// A piece of JSON text that reads its numbers itself.
struct Exact<'a>(&'a RawValue);

impl<'de> IntoDeserializer<'de, Error> for Exact<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Exact<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let text = self.0.get();
        match text.as_bytes().first() {
            Some(b'{') => {
                let members: BTreeMap<String, &'de RawValue> = from_str(text)?;
                visitor.visit_map(MapDeserializer::new(members.into_iter().map(|(name, raw)| (name, Exact(raw)))))
            }
            Some(b'[') => {
                let items: Vec<&'de RawValue> = from_str(text)?;
                visitor.visit_seq(SeqDeserializer::new(items.into_iter().map(Exact)))
            }
            Some(b'-' | b'0'..=b'9') if text.contains(['.', 'e', 'E']) => visitor.visit_f64(text.parse().map_err(Error::custom)?),
            _ => serde_json::Deserializer::from_str(text).deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.0.get() == "null" { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    /// Variants that carry numbers are tagged from inside in the core's types and come by way of `deserialize_any`.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        serde_json::Deserializer::from_str(self.0.get()).deserialize_enum(name, variants, visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map
        struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `serde_json` 1.0.154 alone reads it one bit off, as it does one number in ten.
    const HARD: f64 = 907.303_832_202_868_9;

    proptest! {
        #[test]
        fn every_finite_number_comes_back(bits: u64) {
            let value = f64::from_bits(bits);
            prop_assume!(value.is_finite());
            let text = encode(&vec![Some(value), None]).unwrap();
            prop_assert_eq!(decode::<Vec<Option<f64>>>(&text).unwrap()[0].unwrap().to_bits(), bits);
        }
    }

    #[test]
    fn a_hard_one_comes_back() {
        assert_eq!(decode::<f64>(&encode(&HARD).unwrap()).unwrap().to_bits(), HARD.to_bits());
    }

    #[test]
    fn what_json_has_no_word_for_is_refused() {
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let error = encode(&vec![HARD, bad]).unwrap_err().to_string();
            assert!(error.contains("not finite"), "{error}");
        }
    }
}
