//! The functional core: pure, synchronous, without IO and without a clock.

pub mod access;
pub mod ahead;
pub mod anomaly;
pub mod calendar;
pub mod civil;
pub mod engine;
pub mod explain;
pub mod frame;
pub mod gate;
pub mod health;
pub mod heritage;
pub mod labels;
pub mod learn;
pub mod operator;
pub mod outlook;
pub mod playbook;
pub mod prediction;
pub mod run;
pub mod score;
pub mod selection;
pub mod silence;
pub mod template;
pub mod time;
pub mod topology;
pub mod watch;
pub mod widths;
