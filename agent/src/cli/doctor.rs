//! `interlock doctor`: everything the boundary stands on, each line ok, degraded or broken, with what to do.

mod look;
#[cfg(test)]
mod tests;

use super::{Context, exit, output};
use crate::config::Config;
use crate::control::ClientError;
use crate::intercept::{Check, State};
use clap::Args;
use output::Paint;
use std::process::ExitCode;

const EXAMPLES: &str = "\
Works with and without a running daemon, and changes nothing. Fails if a line is broken; degraded lines work with less.

Examples:
  interlock doctor
  interlock doctor --json | jq -r '.[] | select(.state != \"ok\") | .remedy'";

/// Check host, configuration and daemon, and say what to do
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct DoctorArgs {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Looks at everything.
///
/// # Errors
/// Standard output can't be written. What is broken is told and gives exit code 1, not an error.
pub fn run(args: DoctorArgs, context: &Context) -> anyhow::Result<ExitCode> {
    let checks = checks(context);
    if args.json {
        output::print_json(&checks)?;
    } else {
        output::print(&render(&checks, Paint::stdout()))?;
    }
    let broken = checks.iter().any(|check| check.state == State::Broken);
    Ok(if broken { ExitCode::from(exit::FAILED) } else { ExitCode::SUCCESS })
}

/// All lines, from the ground up.
fn checks(context: &Context) -> Vec<Check> {
    let (line, config) = look::config(&context.config);
    let mut checks = look::kernel(config.as_ref());
    checks.push(line);
    if let Some(config) = &config {
        checks.push(look::policies(config));
        checks.extend(look::lookups(config));
    }
    match context.daemon() {
        Ok(daemon) => checks.extend(look::daemon(daemon)),
        Err(error) => {
            checks.push(not_running(&error));
            if let Some(config) = &config {
                checks.extend(without_daemon(config));
            }
        }
    }
    if let Some(sink) = config.as_ref().and_then(|config| config.sink.as_ref()) {
        checks.push(look::sink(&sink.url));
    }
    checks
}

fn not_running(error: &ClientError) -> Check {
    let remedy = match error {
        ClientError::NotRunning(_) => "start it: `interlock serve`",
        ClientError::NotPermitted(_) => "run this as root",
        _ => "look at its log, and restart it",
    };
    Check::broken("daemon", error.to_string(), remedy)
}

/// What a daemon would find if it were started now.
fn without_daemon(config: &Config) -> Vec<Check> {
    let mut checks = look::listeners(config);
    checks.push(look::spool(config));
    checks
}

/// One line each, its remedy below.
fn render(checks: &[Check], paint: Paint) -> String {
    let width = checks.iter().map(|check| check.name.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for check in checks {
        let state = match check.state {
            State::Ok => paint.green("ok      "),
            State::Degraded => paint.yellow("degraded"),
            State::Broken => paint.red("broken  "),
        };
        let detail = output::plain(&check.detail);
        let mut lines = detail.lines();
        let first = lines.next().unwrap_or_default();
        text.push_str(&format!("{state}  {:width$}  {first}\n", output::plain(&check.name)));
        let margin = " ".repeat(width + 12);
        for line in lines {
            text.push_str(&format!("{margin}{line}\n"));
        }
        if !check.remedy.is_empty() {
            text.push_str(&format!("{margin}→ {}\n", output::plain(&check.remedy)));
        }
    }
    text
}
