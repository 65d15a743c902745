//! Running other programs, visibly.

use anyhow::{Context, Result, bail};
use std::process::{Command, Stdio};

/// Runs a command with our own input and output, after showing it; fails if it fails.
pub fn show(command: &mut Command) -> Result<()> {
    let line = words(command);
    println!("   {}", xtask::say::faint(&format!("$ {line}")));
    let status = command.status().with_context(|| format!("cannot run `{line}`"))?;
    if !status.success() {
        bail!("`{line}` failed: {status}");
    }
    Ok(())
}

/// Runs a command unseen and returns what it printed; fails, with its errors, if it fails.
pub fn read(command: &mut Command) -> Result<String> {
    let line = words(command);
    let out = command.stdin(Stdio::null()).output().with_context(|| format!("cannot run `{line}`"))?;
    if !out.status.success() {
        bail!("`{line}` failed: {}\n{}", out.status, String::from_utf8_lossy(&out.stderr).trim_end());
    }
    Ok(String::from_utf8_lossy(&out.stdout).into_owned())
}

/// The cargo that runs us.
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(xtask::paths::root());
    command
}

/// A command as one would type it, its environment left out.
fn words(command: &Command) -> String {
    let program = command.get_program().to_string_lossy();
    let short = program.rsplit('/').next().unwrap_or(&program);
    let mut line = short.to_owned();
    for argument in command.get_args() {
        line.push(' ');
        line.push_str(&argument.to_string_lossy());
    }
    line
}
