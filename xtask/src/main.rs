//! The project's own commands: `cargo xtask <command>`.

mod bench;
mod cmd;
mod demo;
mod ebpf;
mod interrupt;
mod release;
mod setup;
mod test;
mod vm;

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::process::ExitCode;

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
    /// Show a governed planner and executor against a real PostgreSQL.
    Demo(demo::Options),
    /// Run every test, after setting up for it.
    Test(test::Options),
    /// Run the tests of the kernel side on Debian's kernel 6.1, in an emulated machine.
    Vm(vm::Options),
    /// Build the host agent as it is to be installed: optimised for the work it does.
    Release(release::Options),
    /// Measure the host agent next to its peers.
    Bench(bench::Options),
    #[command(hide = true, subcommand)]
    BenchClient(bench::client::Client),
    /// Build the programs that run in the kernel.
    Ebpf,
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    match command {
        Command::Setup(options) => setup::run(&options),
        Command::Release(options) => release::run(&options),
        Command::Bench(options) => bench::run(&options),
        Command::BenchClient(client) => bench::client::run(&client),
        Command::Demo(options) => demo::run(&options),
        Command::Test(options) => test::run(&options),
        Command::Vm(options) => vm::run(&options),
        Command::Ebpf => {
            println!("{}", ebpf::build()?.display());
            Ok(())
        }
    }
}
