//! `interlock audit`: asking the trail what happened, and watching it happen.

mod filter;
mod print;
mod query;
mod tail;
#[cfg(test)]
mod tests;

pub use print::{Format, Printer};

use super::{Context, exit};
use clap::{Args, Subcommand};
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  interlock audit query --agent executor --since 15m
  interlock audit query --verdict deny --since 2026-03-01 --until 2026-03-02 --limit 0 --csv > denied.csv
  interlock audit query --resource public.customers --json | jq -r .statement
  interlock audit query --clickhouse --text 'drop table'
  interlock audit tail --agent planner";

/// Ask what agents did, or watch it
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, arg_required_else_help = true)]
pub struct AuditArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Query(query::QueryArgs),
    Tail(tail::TailArgs),
}

/// Answers a question or follows the trail.
///
/// # Errors
/// Whatever keeps the rows from being read or printed.
pub fn run(args: AuditArgs, context: &Context) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::Query(args) => query::run(args, context),
        Command::Tail(args) => tail::run(args, context),
    }
}

/// How rows are printed.
#[derive(Clone, Copy, Debug, Args)]
struct FormatArgs {
    /// Print one JSON object a line, with every column
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// Print CSV with a header, with every column
    #[arg(long)]
    csv: bool,
}

impl FormatArgs {
    const fn format(self) -> Format {
        match (self.json, self.csv) {
            (true, _) => Format::Json,
            (_, true) => Format::Csv,
            _ => Format::Table,
        }
    }
}

/// Says on standard error that an argument can't be used; gives the exit code for it.
fn usage(error: &str) -> ExitCode {
    eprintln!("interlock: {error}");
    ExitCode::from(exit::USAGE)
}
