//! The project's own commands: `cargo xtask <command>`.

mod ebpf;
mod run;
mod setup;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about = "Interlock's own commands")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Install what is missing for building, demo and tests.
    Setup(setup::Options),
    /// Build the programs that run in the kernel.
    Ebpf,
}

fn main() -> Result<()> {
    match Arguments::parse().command {
        Command::Setup(options) => setup::run(&options),
        Command::Ebpf => {
            println!("{}", ebpf::build()?.display());
            Ok(())
        }
    }
}
