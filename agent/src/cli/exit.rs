//! Exit codes, and how an error becomes one.

use crate::config::ConfigError;
use crate::control::ClientError;
use std::process::ExitCode;

/// It failed, or was denied.
pub const FAILED: u8 = 1;
/// Wrong usage, or a wrong configuration. `clap` exits with it too.
pub const USAGE: u8 = 2;
/// The daemon can't be reached.
pub const UNREACHABLE: u8 = 3;
/// `exec`: the command can't be run, as shells have it.
pub const NOT_EXECUTABLE: u8 = 126;
/// `exec`: there is no such command, as shells have it.
pub const NOT_FOUND: u8 = 127;

/// Tells an error on standard error, with its causes, and gives its exit code.
pub fn report(error: &anyhow::Error) -> ExitCode {
    match error.downcast_ref::<ConfigError>() {
        Some(config) => eprint!("interlock: the configuration is wrong\n{}", config.render()),
        None => eprintln!("interlock: {error:#}"),
    }
    ExitCode::from(code(error))
}

/// The exit code of an error.
pub fn code(error: &anyhow::Error) -> u8 {
    if error.downcast_ref::<ConfigError>().is_some() {
        return USAGE;
    }
    match error.downcast_ref::<ClientError>() {
        Some(client) if client.is_unreachable() => UNREACHABLE,
        _ => FAILED,
    }
}
