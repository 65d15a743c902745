//! `interlock detach`: lets every governed process go.

use super::{Context, output};
use crate::boundary::let_go as words;
use crate::cgroup::Hierarchy;
use crate::config::Config;
use crate::control::RunLock;
use crate::identity::Caller;
use crate::intercept::{Paths, Pinned, let_go, pinned};
use crate::serve::spool_options;
use crate::session::administered;
use anyhow::{Context as _, bail, ensure};
use audit::Spool;
use clap::Args;
use std::fmt::Write;
use std::io::{self, BufRead, IsTerminal};
use std::path::Path;
use std::process::ExitCode;

const EXAMPLES: &str = "\
Governed processes stay governed when the daemon stops, dies or is removed: they have no network then. This is the way to let
them go, before Interlock is uninstalled, or when another version has left what this one can't read. It wants the daemon
stopped, which would govern again what its configuration names; it asks, and leaves an audit row.

Examples:
  systemctl stop interlock && interlock detach --all
  interlock detach --all --yes        without asking, for scripts";

/// Let every governed process go
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct DetachArgs {
    /// All of them; there is no other choice (one cgroup: `interlock untag`)
    #[arg(long, required = true)]
    all: bool,
    /// Don't ask
    #[arg(long)]
    yes: bool,
}

/// Lets everything go.
///
/// # Errors
/// The daemon runs; nobody said yes; the kernel refuses; the row can't be written (then nothing is let go).
pub fn run(args: DetachArgs, context: &Context) -> anyhow::Result<ExitCode> {
    ensure!(nix::unistd::geteuid().is_root(), "letting go needs root");

    let config = Config::load(&context.config)?;
    let _lock = RunLock::take(&config.paths.run)
        .context("the daemon runs, and would govern again what its configuration names: stop it first")?;
    let paths = Paths {
        bpffs: config.paths.bpf.clone(),
        cgroup_base: Path::new("/").join(&config.intercept.cgroup_base),
    };
    let governed = pinned(&paths)?;
    refuse_agents(&governed)?;
    if governed.is_empty() {
        let_go(&paths)?;
        output::print("nothing is governed; pins are removed\n")?;
        return Ok(ExitCode::SUCCESS);
    }
    output::print(&output::plain(&list(&governed)))?;
    if !args.yes {
        confirm()?;
    }
    // Before: what can't be recorded is not done.
    let spool =
        Spool::open(spool_options(&config)).context("the audit row can't be written: nothing was let go")?;
    let by = Caller::administrator(std::process::id(), nix::unistd::getuid().as_raw());
    spool.record(administered(&by, words(governed.len())))?;
    spool.flush()?;
    let_go(&paths)?;
    output::print(&format!("{} let go\n", governed.len()))?;
    Ok(ExitCode::SUCCESS)
}

/// Not from within: an agent that is root would let itself go.
fn refuse_agents(governed: &[Pinned]) -> anyhow::Result<()> {
    let own = Hierarchy::find()?.own()?.name();
    let inside = governed.iter().filter_map(|one| one.path.as_ref()).any(|path| own.starts_with(path));
    ensure!(!inside, "you are in a governed cgroup; agents may not let themselves go");
    Ok(())
}

fn list(governed: &[Pinned]) -> String {
    let mut text = String::from("These are governed, and will reach whatever they want, unrecorded:\n");
    for one in governed {
        let path = one
            .path
            .as_ref()
            .map_or_else(|| format!("id {}", one.cgroup_id), |path| path.display().to_string());
        let agent = one.agent.as_deref().unwrap_or("unknown");
        // Writing to a text can't fail.
        let _ = writeln!(text, "  {path} (agent {agent})");
    }
    text
}

fn confirm() -> anyhow::Result<()> {
    let input = io::stdin();
    ensure!(input.is_terminal(), "there is nobody to ask: give --yes");
    output::print("Let them go? Type yes: ")?;
    let mut line = String::new();
    input.lock().read_line(&mut line)?;
    if line.trim() != "yes" {
        bail!("nothing was let go");
    }
    Ok(())
}
