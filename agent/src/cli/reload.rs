//! `interlock reload`: reads configuration and policies again, and says what came of it.

use super::{Context, output};
use clap::Args;
use std::process::ExitCode;

const EXAMPLES: &str = "\
The daemon does this by itself when a file changes, and on SIGHUP; this one waits for it and fails if it failed. Files with
errors change nothing: what was in force stays in force.

Examples:
  interlock reload && echo in force";

/// Read configuration and policies again
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ReloadArgs {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Reloads.
///
/// # Errors
/// The daemon can't be reached, or a file has errors.
pub fn run(args: ReloadArgs, context: &Context) -> anyhow::Result<ExitCode> {
    let reloaded = context.daemon()?.reload()?;
    if args.json {
        output::print_json(&reloaded)?;
    } else {
        let text = format!("generation {} in force; {}\n", reloaded.generation, reloaded.changes);
        output::print(&output::plain(&text))?;
    }
    Ok(ExitCode::SUCCESS)
}
