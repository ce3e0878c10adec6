//! The daemon as an operator runs it: the real program, real servers, a real receiver, and everything that happens to them.
//!
//! What each file shows stands in its name. All of them start the program through [`daemon::Running`], on an address and in a folder of
//! their own, so that they run beside each other.

mod acting;
mod alertmanager;
mod approvals;
mod books;
mod canary;
mod daemon;
mod eight_days;
mod history;
mod leak;
mod lies;
mod no_config;
mod outage;
mod reload;
mod restart;
mod silences;
mod told;
mod verbs;
mod victoria;
