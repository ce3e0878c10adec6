//! The numerics of Portent, pure: no IO, no clock, no async.
#![cfg_attr(not(test), warn(clippy::unwrap_used))]

pub mod moments;
pub mod robust;
