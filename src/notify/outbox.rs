//! The port to where events wait: what a delivery worker needs from the ledger, and nothing more.
//!
//! The worker names no database, and the ledger no HTTP: the daemon puts one behind the other. One event for three targets is three rows,
//! each with its own attempts and its own end, so that targets cannot hold each other up.

use std::fmt;
use std::future::Future;

use bytes::Bytes;

use crate::core::time::Timestamp;

/// An event that one target has not got yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// The event's id, the same for every attempt and every target.
    pub event_id: String,
    /// The encoded event, byte for byte what was stored.
    pub body: Bytes,
    pub created_at: Timestamp,
    /// Failed attempts so far.
    pub attempts: u32,
}

/// Where events wait for their targets. Every change is on disk when its future is done.
///
/// May be called by many workers at once, but for one target by one worker only.
pub trait Outbox: Send + Sync + 'static {
    type Error: fmt::Display + Send;

    /// Up to `limit` events for `target` whose next attempt is at or before `now`, neither delivered nor dead: oldest `created_at` first,
    /// and in the order they were put in where that is equal.
    fn due(&self, now: Timestamp, target: &str, limit: usize) -> impl Future<Output = Result<Vec<Pending>, Self::Error>> + Send;

    /// The earliest next attempt of any event for `target` that is neither delivered nor dead, past or future.
    fn next_due(&self, target: &str) -> impl Future<Output = Result<Option<Timestamp>, Self::Error>> + Send;

    fn mark_delivered(&self, event_id: &str, target: &str, at: Timestamp) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Counts one failed attempt and sets the next one.
    fn mark_failed(
        &self,
        event_id: &str,
        target: &str,
        error: &str,
        next_attempt_at: Timestamp,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Never tried again; kept, with the reason, for people to find.
    fn mark_dead(&self, event_id: &str, target: &str, error: &str) -> impl Future<Output = Result<(), Self::Error>> + Send;
}
