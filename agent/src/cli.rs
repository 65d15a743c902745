//! The command line: arguments in, one function call, an exit code out.
//!
//! A subcommand is a file here with its arguments (`XxxArgs`) and `run(args, &Context) -> anyhow::Result<ExitCode>`.

pub mod agents;
pub mod audit;
pub mod completions;
pub mod config;
pub mod detach;
pub mod doctor;
pub mod exec;
pub mod exit;
pub mod output;
pub mod policy;
pub mod reload;
pub mod serve;
pub mod status;
pub mod tag;
#[cfg(test)]
mod tests;

use crate::config::{Config, DEFAULT_PATH};
use crate::control::{Client, ClientError, socket_path};
use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// What is common to all subcommands.
#[derive(Clone, Debug)]
pub struct Context {
    /// The configuration file; need not exist.
    pub config: PathBuf,
}

impl Context {
    /// Connects to the running daemon, found by the configuration's `paths.run` even if the file has errors.
    ///
    /// # Errors
    /// There is none, or it is not ours to ask.
    pub fn daemon(&self) -> Result<Client, ClientError> {
        Client::connect(&socket_path(&Config::run_directory(&self.config)))
    }
}

const ABOUT: &str = "Interlock: least privilege in the data path of autonomous agents";

const LONG_ABOUT: &str = "\
Interlock: least privilege in the data path of autonomous agents.

The kernel takes every connection of a governed cgroup (an agent) to the daemon, which reads the protocol, decides each \
operation by policy, and records it. The agent is not reconfigured.";

const EXAMPLES: &str = "\
Examples:
  interlock config check                        is the configuration right?
  interlock doctor                              can this host govern, and what is missing?
  interlock serve                               run the daemon
  interlock exec --agent planner -- python3 agent.py
                                                run a command as an agent
  interlock audit tail --agent planner          watch what it does
  interlock status                              how the daemon is

Exit codes: 0 done; 1 failed or denied; 2 wrong usage or configuration; 3 the daemon can't be reached.";

/// The command line.
#[derive(Debug, Parser)]
#[command(name = "interlock", version, about = ABOUT, long_about = LONG_ABOUT, after_help = EXAMPLES)]
#[command(
    propagate_version = true,
    subcommand_required = true,
    arg_required_else_help = true,
    max_term_width = 100
)]
pub struct Cli {
    /// The configuration file
    #[arg(long, global = true, env = "INTERLOCK_CONFIG", hide_env_values = true, default_value = DEFAULT_PATH, value_name = "FILE")]
    config: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::ServeArgs),
    Exec(exec::ExecArgs),
    Tag(tag::TagArgs),
    Untag(tag::UntagArgs),
    Detach(detach::DetachArgs),
    Agents(agents::AgentsArgs),
    Status(status::StatusArgs),
    Reload(reload::ReloadArgs),
    Doctor(doctor::DoctorArgs),
    Config(config::ConfigArgs),
    Policy(policy::PolicyArgs),
    Audit(audit::AuditArgs),
    Completions(completions::CompletionsArgs),
}

/// Runs the command that the arguments name.
pub fn main() -> ExitCode {
    let Cli { config, command } = Cli::parse();
    let context = Context { config };
    let done = match command {
        Command::Serve(args) => serve::run(args, &context),
        Command::Exec(args) => exec::run(args, &context),
        Command::Tag(args) => tag::run(args, &context),
        Command::Untag(args) => tag::run_untag(args, &context),
        Command::Detach(args) => detach::run(args, &context),
        Command::Agents(args) => agents::run(args, &context),
        Command::Status(args) => status::run(args, &context),
        Command::Reload(args) => reload::run(args, &context),
        Command::Doctor(args) => doctor::run(args, &context),
        Command::Config(args) => config::run(args, &context),
        Command::Policy(args) => policy::run(args, &context),
        Command::Audit(args) => audit::run(args, &context),
        Command::Completions(args) => completions::run(args, &context),
    };
    done.unwrap_or_else(|error| exit::report(&error))
}
