//! `interlock policy`: are the policies right, and do they decide as their cases say?

mod check;
mod files;
mod test;
#[cfg(test)]
mod tests;

use super::{Context, output};
use clap::{Args, Subcommand};
use policy::{Diagnostic, Severity};
use serde::Serialize;
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  interlock policy check
  interlock policy check --strict ./policies/demo
  interlock policy test --policies ./policies/demo ./policies/cases/demo.case";

/// Check policies, or test what they decide
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, arg_required_else_help = true)]
pub struct PolicyArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Check(check::CheckArgs),
    Test(test::TestArgs),
}

/// Checks or tests policies; neither needs the daemon, nor changes anything.
///
/// # Errors
/// The configuration is wrong, or a file can't be read.
pub fn run(args: PolicyArgs, context: &Context) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::Check(args) => check::run(&args, context),
        Command::Test(args) => test::run(&args, context),
    }
}

/// A diagnostic as JSON has it.
#[derive(Debug, Serialize)]
struct Finding<'a> {
    file: &'a str,
    /// 0 where it concerns the file as a whole.
    line: u32,
    column: u32,
    severity: &'static str,
    message: &'a str,
    help: &'a str,
}

impl<'a> From<&'a Diagnostic> for Finding<'a> {
    fn from(diagnostic: &'a Diagnostic) -> Self {
        let Diagnostic { file, line, column, message, help, severity } = diagnostic;
        Self { file, line: *line, column: *column, severity: severity.name(), message, help }
    }
}

/// Diagnostics for people, the word for their severity in colour, each ended with a line break.
fn render(diagnostics: &[Diagnostic], paint: output::Paint) -> String {
    let mut text = String::new();
    for diagnostic in diagnostics {
        let name = diagnostic.severity.name();
        let painted = match diagnostic.severity {
            Severity::Error => paint.red(name),
            Severity::Warning => paint.yellow(name),
        };
        let plain = output::plain(&diagnostic.to_string());
        text.push_str(&plain.replacen(&format!(": {name}: "), &format!(": {painted}: "), 1));
        text.push('\n');
    }
    text
}

fn count(diagnostics: &[Diagnostic], severity: Severity) -> usize {
    diagnostics.iter().filter(|diagnostic| diagnostic.severity == severity).count()
}

/// `1 policy`, `2 policies`.
fn counted(number: usize, one: &str, more: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { more })
}
