//! The one integration test binary: each further one would link everything again.
//!
//! `support` starts the real programs that Portent lives among, each on its own free port and in its own throwaway folder; `tidy` reads
//! the sources and says which rule of the house a line breaks.

#![allow(clippy::unwrap_used, reason = "where a test's helper fails, its test fails; clippy knows only the functions marked `#[test]`")]

mod act;
mod demo;
mod live;
mod page;
mod replay;
mod source_real;
mod support;
mod tidy;
mod tuning;
mod verbs;
