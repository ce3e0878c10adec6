//! The labels of our own metrics: closed enums, so that how many series we cost our user is known when this is compiled.
//!
//! The obvious label would be the watch's name. It is none: packs and configs bring as many watches as they like, each reload could add
//! more, and every one would multiply every family. What happens to one watch is asked of `/api/v1/status`.

use std::fmt;

use prometheus_client::encoding::{EncodeLabelKey, EncodeLabelSet, EncodeLabelValue, LabelSetEncoder};

use crate::core::gate::Mode;
use crate::core::learn::Trust;
use crate::core::prediction::Truth;
use crate::core::watch::Impact;

/// An enum that is a whole label set: one label, a fixed set of values.
pub trait ClosedLabel: Sized + Copy + 'static {
    /// The label's name.
    const KEY: &'static str;
    /// Every value there is.
    const ALL: &'static [Self];

    /// The label's value.
    fn value(self) -> &'static str;
}

fn encode(label: impl ClosedLabel, encoder: &mut LabelSetEncoder) -> fmt::Result {
    let mut pair = encoder.encode_label();
    let mut key = pair.encode_label_key()?;
    EncodeLabelKey::encode(&label_key(label), &mut key)?;
    let mut value = key.encode_label_value()?;
    EncodeLabelValue::encode(&label.value(), &mut value)?;
    value.finish()
}

fn label_key<L: ClosedLabel>(_: L) -> &'static str {
    L::KEY
}

macro_rules! closed_label {
    ($(#[$doc:meta])* $name:ident, $key:literal { $($(#[$variant_doc:meta])* $variant:ident = $value:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$variant_doc])* $variant),+ }

        impl ClosedLabel for $name {
            const KEY: &'static str = $key;
            const ALL: &'static [Self] = &[$(Self::$variant),+];

            fn value(self) -> &'static str {
                match self { $(Self::$variant => $value),+ }
            }
        }

        impl EncodeLabelSet for $name {
            fn encode(&self, encoder: &mut LabelSetEncoder) -> fmt::Result {
                encode(*self, encoder)
            }
        }
    };
}

closed_label! {
    /// What became of one request to a source.
    RequestOutcome, "outcome" {
        Ok = "ok",
        /// Answered with warnings, or only in part.
        Partial = "partial",
        /// No answer in time, or one that came too slowly.
        Timeout = "timeout",
        /// No connection, or one that broke: refused, reset, no such name, TLS.
        Connection = "connection",
        /// 429, or 503 with `Retry-After`.
        Throttled = "throttled",
        /// Any other 4xx: credentials, a query that does not parse, too many samples.
        Refused = "refused",
        /// Any other 5xx.
        ServerError = "server_error",
        /// Status 200 and not what the API promises: HTML, wrong type, cut off, duplicate series.
        BadAnswer = "bad_answer",
        /// Larger than our own limit.
        TooLarge = "too_large",
    }
}

closed_label! {
    /// Why there is no value where there could be one.
    MissingReason, "reason" {
        /// The source had nothing for that time.
        Gap = "gap",
        /// NaN or an infinity.
        NotFinite = "not_finite",
        /// The stale marker: the series ended.
        Stale = "stale",
        /// Came after its time had been evaluated, and too late to be taken in.
        Late = "late",
        /// A second sample for the same time.
        Duplicate = "duplicate",
    }
}

closed_label! {
    /// What became of one try to deliver a webhook.
    WebhookOutcome, "outcome" {
        Delivered = "delivered",
        /// Failed; will be tried again.
        Retry = "retry",
        /// Failed; will not be tried again.
        GaveUp = "gave_up",
    }
}

closed_label! {
    /// What became of a prediction ([`Truth`] without its numbers).
    Verdict, "verdict" { CameTrue = "came_true", DidNot = "did_not", Averted = "averted", NotKnown = "not_known" }
}

impl From<&Truth> for Verdict {
    fn from(truth: &Truth) -> Self {
        match truth {
            Truth::CameTrue { .. } => Self::CameTrue,
            Truth::DidNot => Self::DidNot,
            Truth::Averted { .. } => Self::Averted,
            Truth::NotKnown => Self::NotKnown,
        }
    }
}

closed_label! {
    /// What became of one push of alerts to an Alertmanager.
    PushOutcome, "outcome" { Ok = "ok", Failed = "failed" }
}

closed_label! {
    /// What the gate said.
    DecisionLabel, "decision" { Deny = "deny", Shadow = "shadow", Ask = "ask", Allow = "allow" }
}

closed_label! {
    /// What came when a person's word was wanted.
    ApprovalAnswer, "answer" { Approved = "approved", Denied = "denied", Expired = "expired" }
}

closed_label! {
    /// How a remedy ended.
    OutcomeLabel, "outcome" {
        Refused = "refused",
        HeldOut = "held_out",
        Shadowed = "shadowed",
        Rejected = "rejected",
        Expired = "expired",
        Aborted = "aborted",
        Verified = "verified",
        RolledBack = "rolled_back",
        Escalated = "escalated",
    }
}

closed_label! {
    /// How far a playbook is trusted in one case ([`Trust`] without its numbers).
    Trusted, "trusted" { Execute = "execute", Ask = "ask", Observe = "observe", TooLittle = "too_little_evidence" }
}

impl From<&Trust> for Trusted {
    fn from(trust: &Trust) -> Self {
        match trust.mode() {
            _ if trust.is_little() => Self::TooLittle,
            Mode::Execute => Self::Execute,
            Mode::Ask => Self::Ask,
            Mode::Shadow | Mode::Observe => Self::Observe,
        }
    }
}

closed_label! {
    ReloadResult, "result" { Success = "success", Failure = "failure" }
}

closed_label! {
    /// An interval's stated level, to the nearest of these: levels are configurable, label values are not.
    Level, "level" { P50 = "0.5", P80 = "0.8", P90 = "0.9", P95 = "0.95", P99 = "0.99" }
}

closed_label! {
    /// A stated likelihood, by the upper edge of its bin (`Tally`'s).
    Stated, "stated_to" { To10 = "0.1", To30 = "0.3", To50 = "0.5", To70 = "0.7", To90 = "0.9", To100 = "1" }
}

impl Level {
    /// The nearest label for a stated level in (0, 1).
    pub fn nearest(level: f64) -> Self {
        match level {
            l if l < 0.65 => Self::P50,
            l if l < 0.85 => Self::P80,
            l if l < 0.925 => Self::P90,
            l if l < 0.97 => Self::P95,
            _ => Self::P99,
        }
    }
}

closed_label! {
    /// The class of an answer we gave over HTTP.
    StatusClass, "class" { Success = "2xx", Redirect = "3xx", ClientError = "4xx", ServerError = "5xx" }
}

impl From<u16> for StatusClass {
    fn from(status: u16) -> Self {
        match status {
            ..300 => Self::Success,
            300..400 => Self::Redirect,
            400..500 => Self::ClientError,
            500.. => Self::ServerError,
        }
    }
}

impl ClosedLabel for Impact {
    const KEY: &'static str = "impact";
    const ALL: &'static [Self] = &[Self::Low, Self::Medium, Self::High, Self::Critical];

    fn value(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl EncodeLabelSet for Impact {
    fn encode(&self, encoder: &mut LabelSetEncoder) -> fmt::Result {
        encode(*self, encoder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_go_to_the_nearest_label() {
        for (level, label) in [(0.5, "0.5"), (0.6, "0.5"), (0.8, "0.8"), (0.9, "0.9"), (0.95, "0.95"), (0.98, "0.99"), (0.999, "0.99")] {
            assert_eq!(Level::nearest(level).value(), label, "{level}");
        }
    }

    #[test]
    fn a_truth_has_its_verdict_and_a_status_its_class() {
        assert_eq!(Verdict::from(&Truth::DidNot).value(), "did_not");
        assert_eq!([200, 304, 404, 503].map(|s| StatusClass::from(s).value()), ["2xx", "3xx", "4xx", "5xx"]);
    }
}
