//! What a receiver wants to hear of.
//!
//! By kinds and not by event types: a new type of a kind then reaches those who asked for the kind, and nobody has to keep a list.

use serde::{Deserialize, Serialize};

/// A kind of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Topic {
    /// Raised, updated, resolved.
    Prediction,
    /// A person's word is wanted, was given, or did not come.
    Approval,
    /// Whatever becomes of a run: proposed, its steps, taken back, its outcome; and everything stopped or going on.
    Run,
    /// A person must look: what a pager wants.
    Escalation,
    /// The audit's newest line, to find a cut end by.
    Audit,
}

impl Topic {
    pub const ALL: [(&'static str, Self); 5] = [
        ("prediction", Self::Prediction),
        ("approval", Self::Approval),
        ("run", Self::Run),
        ("escalation", Self::Escalation),
        ("audit", Self::Audit),
    ];

    /// What a receiver gets that does not say: what all of them got before there were others.
    pub const USUAL: [Self; 1] = [Self::Prediction];
}
