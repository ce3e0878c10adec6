//! The `portent` binary: see the library's documentation.

use std::process::ExitCode;

fn main() -> ExitCode {
    portent::cli::main()
}
