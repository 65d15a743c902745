//! `interlock config`: checks a configuration, shows a sample.

use super::{Context, exit, output};
use crate::config::{Config, Offline, System, document};
use clap::{Args, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  interlock config check
  interlock config check ./interlock.toml --offline
  interlock config sample > /etc/interlock/interlock.toml";

/// Check the configuration, or print a sample
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Check a configuration file and the policies it names; starts nothing
    Check {
        /// The file; that of --config otherwise
        file: Option<PathBuf>,
        /// Don't resolve host names
        #[arg(long)]
        offline: bool,
    },
    /// Print a sample with every key
    Sample,
}

/// Runs `config check` or `config sample`.
///
/// # Errors
/// The configuration is wrong.
pub fn run(args: ConfigArgs, context: &Context) -> anyhow::Result<ExitCode> {
    match args.command {
        ConfigCommand::Check { file, offline } => {
            check(&file.unwrap_or_else(|| context.config.clone()), offline)
        }
        ConfigCommand::Sample => {
            output::print(&document::sample())?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn check(file: &std::path::Path, offline: bool) -> anyhow::Result<ExitCode> {
    let config = if offline { Config::load_with(file, &Offline) } else { Config::load_with(file, &System) }?;
    let policies = match crate::live::load_policies(&config) {
        Ok(policies) => policies,
        Err(error) => {
            eprintln!("interlock: the policies are wrong\n{}", output::plain(&error.to_string()));
            return Ok(ExitCode::from(exit::USAGE));
        }
    };
    let mut text = format!(
        "{} is right: {} agents, {} targets, {} listeners, {} policies\n",
        config.file.display(),
        config.agents.len(),
        config.targets.len(),
        config.listeners.len(),
        policies.len(),
    );
    for warning in policies.warnings() {
        text.push_str(&format!("{}\n", output::plain(&warning.to_string())));
    }
    output::print(&text)?;
    Ok(ExitCode::SUCCESS)
}
