//! Silences of our own: who wants to hear nothing of what, until when, and why.
//!
//! They are records of the audit like a stop, and [`Silences`] is their sum: so a restart keeps them, and who silenced what can be shown.
//! One that is asked for until a time ends at that time by the wall clock, whatever becomes of the clock; one that is asked for from now on and
//! for so long lasts that long, so it moves with a clock that is set.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use super::{Covered, Matcher, all_hold};
use crate::core::prediction::{Prediction, State as PredictionState};
use crate::core::time::{Span, Timestamp};

/// Those that are not over, at most: each is looked at for every open prediction, and more are no longer anybody's intention.
pub const MAX_LIVE: usize = 500;
/// Those that are over and still shown; the audit has all of them.
const MAX_OVER: usize = 200;
/// Longest silence: who wants to hear nothing for longer takes the watch out of the configuration.
pub const MAX_LASTS: Span = Span::DAY.times(90);
/// It begins so much later at most, for the same reason.
const MAX_AHEAD: Span = Span::DAY.times(90);
/// Matchers of one: a series has some ten labels.
const MAX_MATCHERS: usize = 20;
/// Longest name of a label, and longest value or expression, in characters: Kubernetes' longest names are 253.
const MAX_MATCHER_CHARS: usize = 500;
/// Longest comment and name, in characters: a sentence.
const MAX_TEXT_CHARS: usize = 500;

/// Names a silence for ever.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SilenceId(pub u64);

impl fmt::Display for SilenceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s{:016x}", self.0)
    }
}

impl fmt::Debug for SilenceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::str::FromStr for SilenceId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.strip_prefix('s').filter(|digits| digits.len() == 16 && digits.chars().all(|c| c.is_ascii_hexdigit()));
        let id = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok()).map(Self);
        id.ok_or_else(|| format!("{text:?} is no silence's name: want s and 16 hex digits"))
    }
}

impl Serialize for SilenceId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SilenceId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Why there is no such silence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SilenceError {
    #[error("a silence needs a matcher that an empty value does not fit, as service=shop; else it would be of everything")]
    OfEverything,
    #[error("a silence has {found} matchers, want {MAX_MATCHERS} at most")]
    TooManyMatchers { found: usize },
    #[error("a matcher is longer than {MAX_MATCHER_CHARS} characters")]
    MatcherTooLong,
    #[error("a silence needs a comment: why, in {MAX_TEXT_CHARS} characters at most")]
    Comment,
    #[error("a silence needs a name: whose it is, in {MAX_TEXT_CHARS} characters at most")]
    By,
    #[error("a silence that ends at {ends_at} and begins at {starts_at} is over before it begins")]
    EndsTooEarly { starts_at: Timestamp, ends_at: Timestamp },
    #[error("a silence lasts {MAX_LASTS} at most, and begins within {MAX_AHEAD}")]
    TooLong,
    #[error("there are {MAX_LIVE} silences already: expire some")]
    Full,
    #[error("there is no silence {id}")]
    Unknown { id: SilenceId },
    #[error("silence {id} has been over since {since}")]
    Over { id: SilenceId, since: Timestamp },
}

/// When one is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    At(Timestamp),
    For(Span),
}

/// What a person wants.
#[derive(Clone, Debug, PartialEq)]
pub struct Wish {
    pub matchers: Vec<Matcher>,
    /// At once without it, and where it has passed.
    pub starts_at: Option<Timestamp>,
    pub until: Until,
    pub by: String,
    pub comment: String,
}

/// How one stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Active,
    Pending,
    Expired,
}

impl State {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Pending => "pending",
            Self::Expired => "expired",
        }
    }
}

/// One of ours.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OwnSilence {
    pub id: SilenceId,
    /// All of them must hold.
    pub matchers: Vec<Matcher>,
    pub starts_at: Timestamp,
    pub ends_at: Timestamp,
    /// How long, where that is what was asked for, from the moment it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lasts: Option<Span>,
    pub by: String,
    pub comment: String,
    pub made_at: Timestamp,
    /// When somebody ended it before its time, and who.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expired_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expired_by: Option<String>,
}

impl OwnSilence {
    /// Its name is of all that it is and of the time, so the same wish at the same moment is the same silence.
    ///
    /// # Errors
    /// What is wrong with the wish.
    pub fn new(wish: Wish, now: Timestamp) -> Result<Self, SilenceError> {
        let Wish { matchers, starts_at, until, by, comment } = wish;
        if matchers.iter().all(|matcher| matcher.holds("")) {
            return Err(SilenceError::OfEverything);
        }
        if matchers.len() > MAX_MATCHERS {
            return Err(SilenceError::TooManyMatchers { found: matchers.len() });
        }
        if matchers.iter().any(|matcher| matcher.label().len().max(matcher.value().chars().count()) > MAX_MATCHER_CHARS) {
            return Err(SilenceError::MatcherTooLong);
        }
        let is_text = |text: &str| !text.trim().is_empty() && text.chars().count() <= MAX_TEXT_CHARS && !text.chars().any(char::is_control);
        if !is_text(&comment) {
            return Err(SilenceError::Comment);
        }
        if !is_text(&by) {
            return Err(SilenceError::By);
        }
        let starts_at = starts_at.map_or(now, |at| at.max(now));
        if starts_at > now + MAX_AHEAD {
            return Err(SilenceError::TooLong);
        }
        let ends_at = match until {
            Until::For(lasts) if lasts > MAX_LASTS => return Err(SilenceError::TooLong),
            Until::For(lasts) => starts_at + lasts.max(Span::ZERO),
            Until::At(at) if at > starts_at + MAX_LASTS => return Err(SilenceError::TooLong),
            Until::At(at) => at,
        };
        if ends_at <= starts_at {
            return Err(SilenceError::EndsTooEarly { starts_at, ends_at });
        }
        let lasts = if let Until::For(lasts) = until { Some(lasts).filter(|_| starts_at == now) } else { None };
        let id = SilenceId::of(
            &matchers,
            &[starts_at, ends_at, now],
            &[&by, &comment, &lasts.map(|lasts| lasts.to_string()).unwrap_or_default()],
        );
        Ok(Self { id, matchers, starts_at, ends_at, lasts, by, comment, made_at: now, expired_at: None, expired_by: None })
    }

    /// From then on it is of nothing.
    pub fn over_at(&self) -> Timestamp {
        self.expired_at.map_or(self.ends_at, |at| at.min(self.ends_at))
    }

    pub fn state(&self, now: Timestamp) -> State {
        // What somebody ended stays so, also when the clock is set back.
        if self.expired_at.is_some() || now >= self.ends_at {
            State::Expired
        } else if now < self.starts_at && self.starts_at != self.made_at {
            // One that was to begin at once has begun, also when the clock is set back.
            State::Pending
        } else {
            State::Active
        }
    }

    /// Whether it would be of this prediction, whenever that is.
    pub fn is_of(&self, prediction: &Prediction) -> bool {
        all_hold(&self.matchers, prediction)
    }
}

impl SilenceId {
    fn of(matchers: &[Matcher], times: &[Timestamp], texts: &[&str]) -> Self {
        let mut hash = Xxh3::new();
        let written: Vec<String> = matchers.iter().map(ToString::to_string).collect();
        // Lengths first, so that ("a", "bc") and ("ab", "c") differ.
        for text in written.iter().map(String::as_str).chain(texts.iter().copied()) {
            hash.update(&(text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        }
        for time in times {
            hash.update(&time.as_millis().to_le_bytes());
        }
        Self(hash.digest())
    }
}

/// All of ours, as their records add up.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Silences(BTreeMap<SilenceId, OwnSilence>);

impl Silences {
    pub fn get(&self, id: SilenceId) -> Option<&OwnSilence> {
        self.0.get(&id)
    }

    /// By name.
    pub fn all(&self) -> impl Iterator<Item = &OwnSilence> {
        self.0.values()
    }

    /// Those that are in force.
    pub fn active(&self, now: Timestamp) -> impl Iterator<Item = &OwnSilence> {
        self.all().filter(move |silence| silence.state(now) == State::Active)
    }

    pub fn is_full(&self, now: Timestamp) -> bool {
        self.all().filter(|silence| silence.state(now) != State::Expired).count() >= MAX_LIVE
    }

    /// Whether nobody is to hear of it now. That something is over is heard by those who heard that it began: a pager that rings when a
    /// silence begins must not ring on for ever.
    pub fn hide(&self, prediction: &Prediction, now: Timestamp) -> bool {
        let is_open = prediction.state == PredictionState::Open;
        let mut over = self.active(now).filter(|silence| silence.is_of(prediction));
        over.any(|silence| is_open || silence.starts_at <= prediction.raised_at)
    }

    /// The one that lasts longest of those a prediction is under.
    pub fn covering(&self, prediction: &Prediction, now: Timestamp) -> Option<Covered> {
        let over = self.active(now).filter(|silence| silence.is_of(prediction));
        let longest = over.max_by_key(|silence| silence.ends_at)?;
        let by = format!("{} ({})", longest.by, longest.comment);
        Some(Covered { id: Some(longest.id), by, until: longest.ends_at })
    }

    pub fn put(&mut self, silence: &OwnSilence, at: Timestamp) {
        self.0.insert(silence.id, silence.clone());
        self.forget(at);
    }

    pub fn expire(&mut self, id: SilenceId, by: &str, at: Timestamp) {
        if let Some(silence) = self.0.get_mut(&id) {
            (silence.expired_at, silence.expired_by) = (Some(at), Some(by.to_owned()));
        }
    }

    /// The clock was set by so much.
    pub fn shift(&mut self, by: Span) {
        for silence in self.0.values_mut().filter(|silence| silence.lasts.is_some()) {
            for time in [&mut silence.made_at, &mut silence.starts_at, &mut silence.ends_at] {
                *time = *time + by;
            }
        }
    }

    /// Those that have been over for longest.
    fn forget(&mut self, at: Timestamp) {
        let is_over = |silence: &&OwnSilence| silence.state(at) == State::Expired;
        let mut over: Vec<(Timestamp, SilenceId)> = self.all().filter(is_over).map(|silence| (silence.over_at(), silence.id)).collect();
        over.sort_unstable();
        for (_, id) in over.iter().take(over.len().saturating_sub(MAX_OVER)) {
            self.0.remove(id);
        }
    }
}

#[cfg(test)]
#[path = "own_tests.rs"]
mod tests;
