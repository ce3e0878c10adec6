//! The one integration test binary: each further one would link everything again.
//!
//! `support` starts the real programs that Portent lives among, each on its own free port and in its own throwaway folder; `tidy` reads
//! the sources and says which rule of the house a line breaks.

mod live;
mod source_real;
mod support;
mod tidy;
