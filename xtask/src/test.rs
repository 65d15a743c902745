//! `cargo xtask test`: set-up, kernel programs, style, then every test there is, those of the kernel side
//! on a second kernel too. CI runs exactly this.

use crate::setup::{self, Purpose};
use crate::{cmd, ebpf, vm};
use anyhow::{Result, bail};
use clap::Args;
use std::process::Command;
use std::time::Instant;
use xtask::{paths, say};

/// Options of `cargo xtask test`.
#[derive(Args, Debug)]
pub struct Options {
    /// Run only tests whose path contains this.
    filter: Option<String>,
    /// No set-up and no style checks: for a machine that is set up, between two saves.
    #[arg(long)]
    quick: bool,
    /// Also install cargo-deny (some minutes of compiling) and check licences, bans and sources with it.
    #[arg(long)]
    full: bool,
}

/// Runs the command.
pub fn run(options: &Options) -> Result<()> {
    let start = Instant::now();
    let mut failed: Vec<&str> = Vec::new();
    if !options.quick {
        setup::ensure(Purpose::Test)?;
    }
    say::step("Kernel programs");
    build_kernel_side();
    // Style first, tests last: the last lines are the test runner's own. A failed style check does not hide the tests.
    if !options.quick {
        style(options.full, &mut failed);
    }
    say::step("Build");
    // All targets, so that features are resolved as `cargo test` will resolve them and nothing is built twice.
    cmd::show(cmd::cargo().args(["build", "--workspace", "--all-targets"]))?;
    say::step("Tests");
    let tested = tests(options);
    if tested.is_err() {
        failed.push("tests");
    }
    if let Err(error) = vm::after_tests(options.filter.as_deref()) {
        say::warn(&format!("{error:#}"));
        failed.push("tests on another kernel");
    }
    if !failed.is_empty() {
        bail!("failed: {} (after {} s)", failed.join(", "), start.elapsed().as_secs());
    }
    Ok(())
}

/// Builds the kernel side, or says that the tests which need it will fail.
fn build_kernel_side() {
    match ebpf::build() {
        Ok(object) => say::line(&format!("built {}", object.display())),
        Err(error) => say::warn(&format!("not built, so tests of the kernel side will fail: {error:#}")),
    }
}

fn style(full: bool, failed: &mut Vec<&'static str>) {
    say::step("Style");
    let mut check = |name: &'static str, command: &mut Command| {
        if let Err(error) = cmd::show(command) {
            say::warn(&format!("{error:#}"));
            failed.push(name);
        }
    };
    check("formatting (`cargo fmt` repairs it)", cmd::cargo().args(["fmt", "--all", "--check"]));
    let clippy = ["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"];
    check("clippy", cmd::cargo().args(clippy));
    if full && !deny_is_there() {
        check("cargo-deny", cmd::cargo().args(["install", "cargo-deny", "--locked"]));
    }
    if deny_is_there() {
        // Also the crates of other platforms, which no build here has fetched.
        check("cargo fetch", cmd::cargo().args(["fetch", "--locked", "--quiet"]));
        // Advisories need their database from the network; the others do not.
        check("cargo-deny", cmd::cargo().args(["deny", "--offline", "check", "licenses", "bans", "sources"]));
    } else {
        say::warn(
            "licences, bans and sources of dependencies not checked: no cargo-deny (`--full` installs it)",
        );
    }
}

fn deny_is_there() -> bool {
    cmd::cargo().args(["deny", "--version"]).output().is_ok_and(|out| out.status.success())
}

fn tests(options: &Options) -> Result<()> {
    let mut cargo = cmd::cargo();
    cargo.args(["test", "--workspace", "--no-fail-fast"]);
    if let Some(filter) = &options.filter {
        cargo.arg(filter);
    }
    // The integration tests find everything by themselves; only a build elsewhere has to be told.
    cargo.env("INTERLOCK_BIN", paths::binary("interlock", paths::Profile::Debug));
    cmd::show(&mut cargo)
}
