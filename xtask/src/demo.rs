//! `cargo xtask demo`: an unmodified planner and executor against a real PostgreSQL, with the host agent in between.

mod agents;
mod show;
mod stage;

use crate::setup::{self, Purpose};
use crate::{cmd, ebpf, interrupt};
use agents::Script;
use anyhow::Result;
use clap::Args;
use stage::Stage;
use std::path::PathBuf;
use xtask::rack::scratch;
use xtask::say;

/// Options of `cargo xtask demo`.
#[derive(Args, Debug)]
pub struct Options {
    /// Leave everything running afterwards, to play with; Ctrl-C ends it.
    #[arg(long)]
    keep: bool,
    /// Ship the audit rows to ClickHouse as well, and ask it for them.
    #[arg(long)]
    clickhouse: bool,
    /// Don't use the kernel; agents connect to listeners instead. Not transparent, not a boundary.
    #[arg(long)]
    explicit: bool,
    /// Decide by the policies in this file or folder instead of the demo's own.
    #[arg(long, default_value_os_t = xtask::paths::root().join("policies/demo"))]
    policies: PathBuf,
    /// Set up and build nothing; everything is there already.
    #[arg(long)]
    built: bool,
}

/// Runs the command.
pub fn run(options: &Options) -> Result<()> {
    if !options.built {
        prepare(options)?;
    }
    interrupt::clear_up_first()?;
    let played = play(options);
    interrupt::settle();
    scratch::end_all();
    if played.is_ok() {
        say::line("everything that was started has ended; nothing is left behind");
    }
    played
}

fn prepare(options: &Options) -> Result<()> {
    setup::ensure(Purpose::Demo)?;
    if options.clickhouse {
        setup::ensure(Purpose::Clickhouse)?;
    }
    say::step("Build");
    if let Err(error) = ebpf::build() {
        say::warn(&format!("no kernel programs: {error:#}"));
    }
    cmd::show(cmd::cargo().args(["build", "--bin", "interlock"]))
}

fn play(options: &Options) -> Result<()> {
    say::step("What this is");
    say::line(
        "A planner reads a shop's database and writes a plan; an executor carries the plan out. Both are ordinary",
    );
    say::line(
        "Python with psycopg2, and both log in with an account that may do everything. Interlock holds them to:",
    );
    say::line(&format!("  {}   may read, but no personal data", say::strong("planner")));
    say::line(&format!("  {}  may read, and may write orders", say::strong("executor")));
    let stage = Stage::set(options)?;
    stage.introduce(&options.policies)?;
    let refused = [Script::Plan, Script::Execute].into_iter().map(|script| agents::run(&stage, script));
    let refused: Vec<String> = refused.collect::<Result<Vec<_>>>()?.concat();
    show::server_log(&stage, &refused);
    show::audit(&stage)?;
    if options.clickhouse {
        show::clickhouse(&stage)?;
    }
    show::further(&stage, options.keep);
    if options.keep {
        say::step("Everything is still running; Ctrl-C ends it");
        interrupt::wait();
    }
    say::step("End");
    drop(stage);
    Ok(())
}
