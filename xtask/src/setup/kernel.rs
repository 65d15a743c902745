//! The compiler and linker for the programs that run in the kernel.

use super::{Missing, Purpose};
use crate::cmd;
use anyhow::{Result, ensure};
use std::path::Path;
use std::process::Command;

/// How to get a compiler where Debian's packages are not.
pub const NIGHTLY_BY_HAND: &str = "rustup toolchain install nightly --component rust-src";

const LINKER_VERSION: &str = "0.13.0";
const LLVM: &str = "/usr/lib/llvm-22";

/// Is there a nightly with the sources of `core`? It then builds the kernel side instead of Debian's compiler.
pub fn nightly_with_source() -> bool {
    let out = Command::new("rustup").args(["run", "nightly", "rustc", "--print", "sysroot"]).output();
    out.is_ok_and(|out| {
        let root = String::from_utf8_lossy(&out.stdout).into_owned();
        out.status.success()
            && Path::new(root.trim()).join("lib/rustlib/src/rust/library/core/Cargo.toml").exists()
    })
}

/// The missing linker.
pub fn missing(purposes: &[Purpose]) -> Result<Option<Missing>> {
    if !purposes.contains(&Purpose::Kernel) || linker_is_there() {
        return Ok(None);
    }
    let name = format!("bpf-linker {LINKER_VERSION}");
    Ok(Some(Missing {
        name: name.clone(),
        parts: vec![(name, "links the programs that run in the kernel; compiling it takes a minute or two")],
        by_hand: format!(
            "LLVM_PREFIX={LLVM} cargo install bpf-linker --version {LINKER_VERSION} --no-default-features --features llvm-22"
        ),
        install: Box::new(install),
        optional: true,
    }))
}

fn install() -> Result<()> {
    ensure!(Path::new(LLVM).is_dir(), "no LLVM 22 in {LLVM}: `apt-get install llvm-22-dev`");
    let mut cargo = cmd::cargo();
    cargo.args(["install", "bpf-linker", "--version", LINKER_VERSION, "--locked", "--force"]);
    cargo.args(["--no-default-features", "--features", "llvm-22"]).env("LLVM_PREFIX", LLVM);
    cmd::show(&mut cargo)
}

fn linker_is_there() -> bool {
    let Some(home) = std::env::var_os("HOME") else { return false };
    let cargo_home =
        std::env::var_os("CARGO_HOME").map_or_else(|| Path::new(&home).join(".cargo"), Into::into);
    let ours = cargo_home.join("bin/bpf-linker");
    [ours.as_path(), Path::new("bpf-linker")].iter().any(|program| {
        Command::new(program)
            .arg("--version")
            .output()
            .is_ok_and(|out| String::from_utf8_lossy(&out.stdout).contains(LINKER_VERSION))
    })
}
