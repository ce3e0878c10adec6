//! Reads an URL's query by hand.
//!
//! A derived `Deserialize` would say "unknown field" in serde's words and treat `limit=` as a broken number. People type these URLs: a wrong
//! one is answered with what is allowed, and a blank parameter is an absent one.

use std::str::FromStr;

use super::answer::Refusal;
use crate::core::prediction::State;

/// Items a page holds unless asked.
pub const DEFAULT_LIMIT: usize = 100;
/// Items a page holds at most: some 2 MB of JSON, written in tens of milliseconds and held in memory once for each request in flight.
pub const MAX_LIMIT: usize = 1_000;

/// The parameters of one request, each known to its endpoint and given once.
#[derive(Debug)]
pub struct Params(Vec<(String, String)>);

impl Params {
    /// # Errors
    /// A parameter that is not in `known`, or one that is given twice.
    pub fn read(query: Option<&str>, known: &[&str]) -> Result<Self, Refusal> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for (name, value) in url::form_urlencoded::parse(query.unwrap_or("").as_bytes()) {
            if !known.contains(&&*name) {
                let allowed = if known.is_empty() { "none are taken here".into() } else { format!("known are {}", known.join(", ")) };
                return Err(Refusal::BadData(format!("unknown parameter {name:?}: {allowed}")));
            }
            if pairs.iter().any(|(seen, _)| *seen == name) {
                return Err(Refusal::BadData(format!("parameter {name:?} stands twice")));
            }
            pairs.push((name.into_owned(), value.into_owned()));
        }
        pairs.retain(|(_, value)| !value.is_empty());
        Ok(Self(pairs))
    }

    pub fn text(&self, name: &str) -> Option<String> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }

    /// # Errors
    /// When it is there and cannot be read.
    pub fn parsed<T: FromStr<Err: std::fmt::Display>>(&self, name: &str) -> Result<Option<T>, Refusal> {
        self.text(name).map(|text| text.parse().map_err(|why| Refusal::BadData(format!("parameter {name:?}: {why}")))).transpose()
    }

    /// Page size.
    ///
    /// # Errors
    /// When it is no number from 1 to [`MAX_LIMIT`].
    pub fn limit(&self) -> Result<usize, Refusal> {
        match self.parsed("limit")? {
            None => Ok(DEFAULT_LIMIT),
            Some(limit) if (1..=MAX_LIMIT).contains(&limit) => Ok(limit),
            Some(limit) => Err(Refusal::BadData(format!("parameter \"limit\" is {limit}: want 1 to {MAX_LIMIT}"))),
        }
    }

    /// # Errors
    /// When it is none of the states.
    pub fn state(&self) -> Result<Option<State>, Refusal> {
        match self.text("state").as_deref() {
            None => Ok(None),
            Some("open") => Ok(Some(State::Open)),
            Some("resolved") => Ok(Some(State::Resolved)),
            Some("expired") => Ok(Some(State::Expired)),
            Some(other) => Err(Refusal::BadData(format!("parameter \"state\" is {other:?}: want open, resolved or expired"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::time::Timestamp;

    #[test]
    fn blank_is_absent_and_text_is_decoded() {
        let params = Params::read(Some("watch=disk%20a%2Bb&since=&limit="), &["watch", "since", "limit"]).unwrap();
        assert_eq!(params.text("watch").as_deref(), Some("disk a+b"));
        assert_eq!(params.parsed::<Timestamp>("since").unwrap(), None);
        assert_eq!(params.limit().unwrap(), DEFAULT_LIMIT);
        assert_eq!(params.state().unwrap(), None);
    }

    #[test]
    fn what_is_wrong_is_answered_with_what_is_right() {
        let known = ["state", "limit", "since"];
        let error = |query: &str| -> String {
            match Params::read(Some(query), &known) {
                Err(refusal) => refusal.to_string(),
                Ok(p) => [p.limit().err(), p.state().err(), p.parsed::<Timestamp>("since").err()]
                    .into_iter()
                    .flatten()
                    .next()
                    .unwrap()
                    .to_string(),
            }
        };
        assert!(error("stat=open").contains("known are state, limit, since"));
        assert!(error("state=closed").contains("open, resolved or expired"));
        assert!(error("limit=0").contains("1 to 1000") && error("limit=1001").contains("1 to 1000"));
        assert!(error("limit=ten").contains("limit"));
        assert!(error("since=yesterday").contains("RFC 3339"));
        assert!(error("limit=1&limit=2").contains("twice"));
    }
}
