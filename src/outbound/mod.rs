//! What every request that leaves us has in common, whoever sends it: which addresses it may go to, how it is signed and with which secret, and
//! what our HTTP client never does.
//!
//! A part of its own, because webhooks and actuators need it alike and adapters do not import each other. It sends nothing itself, but for
//! one question: whether somebody answers ([`probe`]).

pub mod address;
pub mod client;
pub mod probe;
pub mod secret;
pub mod signature;
pub mod token;

pub use secret::{Secret, SecretError, SecretFile};
