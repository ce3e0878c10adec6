//! Telling the outside: predictions as signed CloudEvents over HTTP.
//!
//! The way of one event: the engine's effect is [`event::encode`]d once and its bytes go into the outbox in the same transaction as the
//! prediction; from there a [`delivery`] worker per target takes it, [`webhook`] signs ([`signature`](crate::outbound::signature)) and posts it, and the outbox is told
//! what came of it. Encoding before storing, not before sending: every retry then carries the same id and the same bytes, whatever became
//! of the prediction since.

pub mod alertmanager;
pub mod delivery;
pub mod event;
pub mod outbox;
pub mod retry;
pub mod run_event;
pub mod topic;
pub mod webhook;

#[cfg(test)]
mod testing;

pub use alertmanager::{AlertmanagerSettings, AlertmanagerTarget};
pub use delivery::{Clock, TargetStats, TargetTotals, run_target};
pub use event::{CloudEvent, EventKind, encode};
pub use outbox::{Outbox, Pending};
pub use topic::Topic;
pub use webhook::{SendError, SendOutcome, SettingsError, WebhookSettings, WebhookTarget};
