//! The `interlock` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    interlock::cli::main()
}
