//! `interlock serve`: the daemon.

use super::Context;
use clap::Args;
use std::process::ExitCode;

const EXAMPLES: &str = "\
The daemon stays in the foreground and logs to standard error; a service manager keeps it (it speaks sd_notify).
SIGHUP reads configuration and policies again, SIGTERM and SIGINT let open connections end (limits.drain_timeout).

Examples:
  interlock serve
  interlock --config ./interlock.toml serve";

/// Run the daemon: intercept, decide, record
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ServeArgs {}

/// Runs until it is told to stop.
///
/// # Errors
/// The configuration or policies are wrong, or another daemon has the run directory.
pub fn run(_: ServeArgs, context: &Context) -> anyhow::Result<ExitCode> {
    crate::serve::run(&context.config)
}
