//! The numerics of Portent, pure: no IO, no clock, no async.
//!
//! [`moments`], [`robust`] and [`beta`] are the small change, [`accuracy`] is how all this is measured; [`baseline`] is what is normal for a series, [`score`] how odd a sample is,
//! [`forecast`] what comes next, [`breach`] whether and when a threshold is reached. Times are milliseconds, handed in; a missing value is
//! NaN, never zero.
#![cfg_attr(not(test), warn(clippy::unwrap_used))]

pub mod accuracy;
pub mod baseline;
pub mod beta;
pub mod breach;
pub mod forecast;
pub mod moments;
pub mod robust;
pub mod score;
