//! Ways out of the program's own columns into other tools'.

pub mod polars_bridge;
