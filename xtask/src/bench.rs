//! `cargo xtask bench`: what the host agent costs, next to its peers, in the same run.
//!
//! The rules: own servers on loopback, each in a session of its own, a quiet machine, contenders taking turns within each round (and in reverse order in
//! the next), medians over the rounds. Absolute numbers are context; what is judged is a ratio of two numbers of one run.

pub mod client;
mod machine;
pub mod peers;
pub mod pgbench;
mod report;
mod rows;
mod stat;

use crate::setup::{self, Purpose};
use crate::{cmd, ebpf, interrupt, release};
use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use peers::{External, Way};
use report::Outcome;
use std::fs;
use std::path::PathBuf;
use xtask::paths::Profile;
use xtask::rack::scratch;
use xtask::say;

/// Options of `cargo xtask bench`.
#[derive(Args, Debug)]
pub struct Options {
    /// Which rows of the table, by number; all by default.
    rows: Vec<u8>,
    /// How often each contender has its turn.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// How long a turn takes, in seconds.
    #[arg(long, default_value_t = 3)]
    secs: u64,
    /// Pin client, proxy and database to one CPU, or let them use all; by default what the row is defined with.
    #[arg(long, value_enum)]
    cpu: Option<Cpu>,
    /// Write everything measured to this file.
    #[arg(long)]
    json: Option<PathBuf>,
    /// A peer that runs already and forwards to `--backend-port`: name=host:port,pid. May be given several times.
    #[arg(long, value_name = "NAME=HOST:PORT,PID")]
    external: Vec<External>,
    /// Port for the measured PostgreSQL; any free one by default. External peers need a fixed one.
    #[arg(long)]
    backend_port: Option<u16>,
    /// Measure on a busy machine too. The results are worth little.
    #[arg(long)]
    force: bool,
    /// Connect to the host agent's listener even if the kernel could intercept.
    #[arg(long)]
    explicit: bool,
    /// Set up and build nothing; everything is there already.
    #[arg(long)]
    built: bool,
    /// Measure the host agent as `cargo build --release` makes it, which takes far less time to build than what
    /// `cargo xtask release` makes and is to be installed.
    #[arg(long)]
    plain: bool,
}

impl Options {
    /// How the host agent is run.
    pub fn way(&self, cpu: Cpu) -> Way {
        let profile = if self.plain { Profile::Release } else { Profile::Optimised };
        Way { cpu, explicit: self.explicit, profile, prefix: Vec::new() }
    }
}

/// How many CPUs client, proxy and database have together.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Cpu {
    /// All on CPU 1: the rate is the inverse of the CPU time that one operation takes.
    One,
    /// Not pinned.
    Two,
}

/// Runs the command.
pub fn run(options: &Options) -> Result<()> {
    let rows = rows::chosen(&options.rows)?;
    if !options.built {
        prepare(options.plain)?;
    }
    interrupt::clear_up_first()?;
    machine::require_quiet(options.force)?;
    let mut outcomes: Vec<Outcome> = Vec::new();
    for row in rows {
        say::step(&format!("Row {}: {}", row.number, row.title));
        let cpu = options.cpu.unwrap_or(row.cpu);
        let outcome = (row.run)(row, options, cpu, &outcomes).with_context(|| format!("row {}", row.number));
        interrupt::settle();
        match outcome {
            Ok(outcome) => {
                outcome.print();
                outcomes.push(outcome);
            }
            Err(error) => {
                say::warn(&format!("not measured: {error:#}"));
                outcomes.push(Outcome::failed(row, &error));
            }
        }
        if let Some(file) = &options.json {
            fs::write(file, report::json(&outcomes, options.rounds, options.secs).to_string())?;
        }
    }
    scratch::end_all();
    say::step("Summary");
    report::summary(&outcomes);
    if outcomes.iter().any(Outcome::missed) {
        bail!("a gate was missed");
    }
    Ok(())
}

fn prepare(plain: bool) -> Result<()> {
    setup::ensure(Purpose::Bench)?;
    say::step("Build (release)");
    if let Err(error) = ebpf::build() {
        say::warn(&format!("no kernel programs: {error:#}"));
    }
    let mut built = vec!["--bin", "minihop"];
    if plain {
        built.extend(["--bin", "interlock"]);
    }
    let examples = ["decide", "spool_bench", "sink_bench"].into_iter().flat_map(|name| ["--example", name]);
    cmd::show(cmd::cargo().args(["build", "--release"]).args(built).args(examples))?;
    if plain { Ok(()) } else { release::run(&release::Options::set_up()) }
}
