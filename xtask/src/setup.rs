//! `cargo xtask setup`: installs what is missing, says what and why, and does nothing the second time.

mod apt;
mod kernel;
mod node;
mod python;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use xtask::say;

/// Options of `cargo xtask setup`.
#[derive(Args, Debug)]
pub struct Options {
    /// What to set up for; may be given several times.
    #[arg(long = "for", value_enum, default_values_t = [Purpose::Demo, Purpose::Test])]
    pub purposes: Vec<Purpose>,
    /// Install nothing; list what is missing, and fail if anything is.
    #[arg(long)]
    pub check: bool,
}

/// What something is needed for.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Purpose {
    /// Compiling the host agent.
    Build,
    /// Compiling the programs that run in the kernel.
    Kernel,
    /// `cargo xtask demo`; includes build and kernel.
    Demo,
    /// ClickHouse, for the tests of the sink and `demo --clickhouse`.
    Clickhouse,
    /// `cargo xtask test`; includes build, kernel, demo and clickhouse.
    Test,
    /// `cargo xtask release`; includes build, kernel and demo.
    Release,
    /// `cargo xtask bench`; includes release and clickhouse.
    Bench,
}

impl Purpose {
    fn includes(self) -> &'static [Purpose] {
        match self {
            Self::Build => &[Self::Build],
            Self::Kernel => &[Self::Build, Self::Kernel],
            Self::Demo => &[Self::Build, Self::Kernel, Self::Demo],
            Self::Clickhouse => &[Self::Clickhouse],
            Self::Test => &[Self::Build, Self::Kernel, Self::Demo, Self::Clickhouse, Self::Test],
            Self::Release => &[Self::Build, Self::Kernel, Self::Demo, Self::Release],
            Self::Bench => {
                &[Self::Build, Self::Kernel, Self::Demo, Self::Release, Self::Clickhouse, Self::Bench]
            }
        }
    }
}

/// Something missing that one command installs.
struct Missing {
    /// What, with versions where they matter.
    name: String,
    /// Each part of it and what that is needed for, as a clause.
    parts: Vec<(String, &'static str)>,
    /// The command that installs it by hand.
    by_hand: String,
    /// Installs it.
    install: Box<dyn FnOnce() -> Result<()>>,
    /// Everything but the kernel side works without it.
    optional: bool,
}

impl Missing {
    fn show(&self) {
        for (name, why) in &self.parts {
            say::line(&format!("missing: {} ({why})", say::strong(name)));
        }
    }
}

/// Runs the command.
pub fn run(options: &Options) -> Result<()> {
    let purposes: Vec<Purpose> = options.purposes.iter().flat_map(|one| one.includes()).copied().collect();
    if options.check {
        return check(&purposes);
    }
    say::step("Set-up");
    // System packages first: looking for the rest may need them (python3, llvm).
    let found_apt = install(apt::missing(&purposes)?)?;
    let found_rest = install(rest(&purposes)?)?;
    if !found_apt && !found_rest {
        say::line("everything needed is here already");
    }
    Ok(())
}

/// Sets up for one purpose, as the other commands do first.
pub fn ensure(purpose: Purpose) -> Result<()> {
    run(&Options { purposes: vec![purpose], check: false })
}

fn rest(purposes: &[Purpose]) -> Result<Vec<Missing>> {
    let mut missing = Vec::new();
    missing.extend(kernel::missing(purposes)?);
    missing.extend(python::missing(purposes)?); // may bring the node that the next one needs
    missing.extend(node::missing(purposes)?);
    Ok(missing)
}

fn install(missing: Vec<Missing>) -> Result<bool> {
    let any = !missing.is_empty();
    missing.iter().for_each(Missing::show);
    for item in missing {
        match (item.install)() {
            Ok(()) => say::line(&format!("{} {}", say::good("installed"), item.name)),
            Err(error) if item.optional => {
                say::warn(&format!("{} could not be installed: {error:#}", item.name));
                say::warn(
                    "without it the kernel side cannot be built: connections are not intercepted transparently",
                );
                say::warn(&format!("to do it by hand: {}", item.by_hand));
            }
            Err(error) => {
                return Err(
                    error.context(format!("set-up needs {}; to do it by hand: {}", item.name, item.by_hand))
                );
            }
        }
    }
    Ok(any)
}

fn check(purposes: &[Purpose]) -> Result<()> {
    let mut missing = apt::missing(purposes)?;
    missing.extend(rest(purposes)?);
    if missing.is_empty() {
        say::line("everything needed is here");
        return Ok(());
    }
    for item in &missing {
        item.show();
        say::line(&format!("  {}", say::faint(&item.by_hand)));
    }
    bail!("something is missing; `cargo xtask setup` installs it");
}
