//! `interlock completions`: scripts that make a shell complete our arguments.

use super::{Cli, Context, output};
use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  interlock completions bash > /etc/bash_completion.d/interlock
  interlock completions zsh > ~/.zfunc/_interlock";

/// Print a completion script for a shell
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

/// Prints the script.
///
/// # Errors
/// Standard output can't be written.
pub fn run(args: CompletionsArgs, _: &Context) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    generate(args.shell, &mut Cli::command(), "interlock", &mut script);
    output::print(&String::from_utf8_lossy(&script))?;
    Ok(ExitCode::SUCCESS)
}
