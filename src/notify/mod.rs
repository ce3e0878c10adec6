//! Telling the outside: predictions as signed CloudEvents over HTTP.
//!
//! The way of one event: the engine's effect is [`event::encode`]d once and its bytes go into the outbox in the same transaction as the
//! prediction; from there it is signed ([`signature`]) and posted, and the outbox is told what came of it. Encoding before storing, not before sending: every retry then carries the same id and the same bytes, whatever became
//! of the prediction since.

pub mod event;
pub mod secret;
pub mod signature;


pub use event::{CloudEvent, EventKind, encode};
pub use secret::{Secret, SecretError, SecretFile};
