//! Actuators: what carries out one step of a playbook, a file each. They decide nothing; what may be done was decided and written down before
//! they are asked.
//!
//! Each says what its failures mean: `Failed` only where it is sure that nothing more will come of it, `TimedOut` where it was ended in the
//! middle, `Unknown` where nobody can tell.

pub mod alertmanager;
pub mod argocd;
mod args;
pub mod command;
mod filled;
pub mod http;
mod kept;
pub mod kubernetes;
pub mod log;
pub mod places;
mod registry;
mod send;
pub mod silences;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::core::labels::Labels;
use crate::core::playbook::StepEnd;
use crate::core::time::Timestamp;

pub use registry::{Actuators, Settings, actuators};

/// Longest note that is kept of what an action said, in characters: enough for the lines that say why.
pub const MAX_NOTE_CHARS: usize = 2_000;

/// One action to be carried out once.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// The same for every try of one step: receivers that know it do it once.
    pub id: String,
    /// As the playbook says, not yet filled: who fills it knows what came from a label.
    pub with: BTreeMap<String, Value>,
    pub labels: Labels,
    pub targets: Vec<String>,
    pub timeout: Duration,
}

/// How it ended, and what it said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    pub end: StepEnd,
    /// At most [`MAX_NOTE_CHARS`]; no secret is in it.
    pub note: String,
}

impl Done {
    pub fn new(end: StepEnd, note: impl AsRef<str>) -> Self {
        Self { end, note: note.as_ref().chars().take(MAX_NOTE_CHARS).collect() }
    }
}

/// How much harm it can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Risk {
    /// Tells somebody something.
    None,
    Low,
    High,
}

impl Risk {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Low => "low",
            Self::High => "high",
        }
    }
}

/// The arguments of a step as they would be carried out.
///
/// # Errors
/// Which label the series does not have.
pub fn fill(with: &BTreeMap<String, Value>, labels: &Labels) -> Result<BTreeMap<String, Value>, String> {
    with.iter().map(|(key, value)| Ok((key.clone(), filled::value(value, labels)?))).collect()
}

/// Where actuators that have to say what time it is get it from: signatures and silences carry one.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// What an actuator will come to.
pub type Acting<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// See the module.
pub trait Actuator: Send + Sync + std::fmt::Debug {
    fn name(&self) -> &'static str;

    fn risk(&self) -> Risk;

    /// Whether doing it twice is as doing it once.
    fn is_idempotent(&self) -> bool;

    /// What is wrong with the arguments, before anything is done.
    ///
    /// # Errors
    /// For people: what was found, what is wanted.
    fn check(&self, with: &BTreeMap<String, Value>) -> Result<(), String>;

    /// The same wherever it would be carried out, leaving out what this configuration allows: which programs, which hosts.
    ///
    /// # Errors
    /// As [`Self::check`].
    fn check_form(&self, with: &BTreeMap<String, Value>) -> Result<(), String> {
        self.check(with)
    }

    /// What would be done, in a line or a few, without doing it.
    fn dry_run<'a>(&'a self, job: &'a Job) -> Acting<'a, Result<String, String>>;

    /// Does it.
    fn start<'a>(&'a self, job: &'a Job) -> Acting<'a, Done>;

    /// Whether what was started before was done; `Unknown` where nobody can tell.
    fn probe<'a>(&'a self, job: &'a Job) -> Acting<'a, Done>;
}
