//! What tells one series from another: sorted label pairs, and a fingerprint of them that is the same in every run on every machine.

use std::fmt;
use std::sync::Arc;

use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use xxhash_rust::xxh3::Xxh3;

/// The label that holds the metric's name.
pub const METRIC_NAME: &str = "__name__";

/// Label pairs, sorted by name, each name once. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Labels(Arc<[(Arc<str>, Arc<str>)]>);

/// A series' fingerprint: XXH3-64 over its sorted labels. Equal labels give equal ids on every machine and in every version.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesId(pub u64);

/// The same label name stood twice in one set; which value would count is anybody's guess.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("label {name:?} stands twice")]
pub struct DuplicateLabel {
    pub name: String,
}

impl Labels {
    /// Sorts; empty values are dropped, as in Prometheus' data model, where an empty label is an absent one.
    pub fn from_pairs<N, V>(pairs: impl IntoIterator<Item = (N, V)>) -> Result<Self, DuplicateLabel>
    where
        N: Into<Arc<str>>,
        V: Into<Arc<str>>,
    {
        let mut pairs: Vec<(Arc<str>, Arc<str>)> =
            pairs.into_iter().map(|(n, v)| (n.into(), v.into())).filter(|(_, v)| !v.is_empty()).collect();
        pairs.sort_unstable();
        match pairs.windows(2).find(|w| w[0].0 == w[1].0) {
            Some(w) => Err(DuplicateLabel { name: w[0].0.to_string() }),
            None => Ok(Self(pairs.into())),
        }
    }

    /// A series known by one name only, as a column of a data file is.
    pub fn named(name: &str) -> Self {
        Self([(METRIC_NAME.into(), name.into())].into())
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.binary_search_by(|(n, _)| (**n).cmp(name)).ok().map(|i| &*self.0[i].1)
    }

    pub fn metric(&self) -> Option<&str> {
        self.get(METRIC_NAME)
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.0.iter().map(|(n, v)| (&**n, &**v))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The same labels without the metric's name: what two metrics of one thing have in common.
    #[must_use]
    pub fn without_metric(&self) -> Self {
        Self(self.0.iter().filter(|(n, _)| &**n != METRIC_NAME).cloned().collect())
    }

    pub fn id(&self) -> SeriesId {
        let mut hash = Xxh3::new();
        for (name, value) in self.0.iter() {
            // Lengths first, so that ("a","bc") and ("ab","c") differ.
            hash.update(&(name.len() as u32).to_le_bytes());
            hash.update(name.as_bytes());
            hash.update(&(value.len() as u32).to_le_bytes());
            hash.update(value.as_bytes());
        }
        SeriesId(hash.digest())
    }
}

impl fmt::Display for SeriesId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for SeriesId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Prometheus notation: `name{label="value"}`, with quotes, backslashes and line ends escaped.
impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let metric = self.metric();
        f.write_str(metric.unwrap_or(""))?;
        let mut others = self.iter().filter(|(n, _)| *n != METRIC_NAME).peekable();
        if others.peek().is_none() {
            return f.write_str(if metric.is_some() { "" } else { "{}" });
        }
        f.write_str("{")?;
        for (i, (name, value)) in others.enumerate() {
            if i > 0 {
                f.write_str(",")?;
            }
            write!(f, "{name}={value:?}")?;
        }
        f.write_str("}")
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Labels {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in self.iter() {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Labels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Labels;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of label names and values")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Labels, A::Error> {
                let mut pairs: Vec<(String, String)> = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Labels::from_pairs(pairs).map_err(de::Error::custom)
            }
        }
        deserializer.deserialize_map(Pairs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_does_not_matter_and_the_fingerprint_is_pinned() {
        let a = Labels::from_pairs([("job", "node"), ("__name__", "up"), ("instance", "a:9100")]).unwrap();
        let b = Labels::from_pairs([("__name__", "up"), ("instance", "a:9100"), ("job", "node")]).unwrap();
        assert_eq!(a, b);
        assert_eq!(a.to_string(), r#"up{instance="a:9100",job="node"}"#);
        // A changed value here would lose every stored baseline and prediction of every user.
        assert_eq!(a.id().to_string(), "a845c8c4a4c6589b");
        assert_ne!(Labels::from_pairs([("a", "bc")]).unwrap().id(), Labels::from_pairs([("ab", "c")]).unwrap().id());
    }

    #[test]
    fn an_empty_value_is_an_absent_label_and_a_repeated_name_an_error() {
        assert!(Labels::from_pairs([("a", "")]).unwrap().is_empty());
        assert_eq!(Labels::from_pairs([("a", "1"), ("a", "2")]), Err(DuplicateLabel { name: "a".into() }));
    }

    #[test]
    fn json_round_trip() {
        let labels = Labels::from_pairs([("__name__", "x"), ("path", "C:\\\"d\"\n")]).unwrap();
        let text = serde_json::to_string(&labels).unwrap();
        assert_eq!(serde_json::from_str::<Labels>(&text).unwrap(), labels);
    }
}
