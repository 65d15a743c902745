//! `cargo xtask ebpf`: builds the programs that run in the kernel.
//!
//! They need `core` for a target that no toolchain ships, so a compiler with its sources: the system's own (Debian's
//! `rustc-web` and `rust-web-src`, told by `RUSTC_BOOTSTRAP` to build `core`), or a nightly of rustup's. And bpf-linker,
//! whose LLVM must not be older than the compiler's.

use crate::cmd;
use anyhow::{Context, Result, bail};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    time::SystemTime,
};
use xtask::paths;

/// The kernel's byte order is ours.
const TARGET: &str = if cfg!(target_endian = "little") { "bpfel-unknown-none" } else { "bpfeb-unknown-none" };

/// What the cargo that runs us hands down, and what would make the other compiler build something else.
const NOT_INHERITED: [&str; 11] = [
    "CARGO",
    "CARGO_BUILD_TARGET",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_TARGET_DIR",
    "LD_LIBRARY_PATH",
    "RUSTC",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_WRAPPER",
    "RUSTDOC",
    "RUSTFLAGS",
    "RUSTUP_TOOLCHAIN",
];

/// Builds the object and returns its path, which is where the host agent's build script looks for it. Does nothing if
/// the sources are those it was built of.
pub fn build() -> Result<PathBuf> {
    let target = paths::root().join("target");
    let object = target.join("ebpf/interlock.bpf.o");
    // Not beside the object: the host agent is built anew when anything in that directory changes.
    let stamp = target.join("ebpf.stamp");
    let folder = paths::root().join("ebpf");
    let changed = newest(&folder)?;
    if object.is_file() && fs::read_to_string(&stamp).is_ok_and(|built| built == changed) {
        return Ok(object);
    }
    let linker = linker()?;
    let mut cargo = toolchain()?;
    let build = target.join("ebpf-build");
    cargo.current_dir(&folder).env("PATH", path_with(&linker)?);
    cargo.args([
        "build",
        "--quiet",
        "--locked",
        "--release",
        "-Zbuild-std=core",
        "--target",
        TARGET,
        "--target-dir",
    ]);
    cmd::show(cargo.arg(&build)).context("the kernel programs don't build")?;
    let built =
        fs::read(build.join(TARGET).join("release/interlock-ebpf")).context("cargo built no object")?;
    if fs::read(&object).ok().as_ref() != Some(&built) {
        put(&object, &built)?;
    }
    fs::write(&stamp, changed).with_context(|| format!("cannot write `{}`", stamp.display()))?;
    Ok(object)
}

/// Puts a file into place whole.
fn put(path: &Path, content: &[u8]) -> Result<()> {
    let what = || format!("cannot write `{}`", path.display());
    let folder = path.parent().with_context(what)?;
    fs::create_dir_all(folder).with_context(what)?;
    let new = folder.with_extension("new");
    fs::write(&new, content).with_context(what)?;
    fs::rename(&new, path).with_context(what)
}

/// How many sources there are, and when the newest was changed.
fn newest(folder: &Path) -> Result<String> {
    let (mut files, mut newest) = (0, SystemTime::UNIX_EPOCH);
    let mut pending = vec![folder.to_owned()];
    while let Some(folder) = pending.pop() {
        let what = || format!("cannot read `{}`", folder.display());
        for entry in fs::read_dir(&folder).with_context(what)? {
            let entry = entry.with_context(what)?;
            let file = entry.metadata().with_context(what)?;
            if !file.is_dir() {
                files += 1;
                newest = newest.max(file.modified().with_context(what)?);
            } else if entry.file_name() != "target" {
                pending.push(entry.path());
            }
        }
    }
    Ok(format!("{files} files, {:?}", newest.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()))
}

/// A cargo that can build `core`.
fn toolchain() -> Result<Command> {
    let (cargo, rustc) = (Path::new("/usr/bin/cargo"), Path::new("/usr/bin/rustc"));
    if rustc.is_file() && cargo.is_file() && has_sources(clean(Command::new(rustc))) {
        let mut command = clean(Command::new(cargo));
        // Debian has no nightly. This lets its compiler take the one unstable option that the build needs.
        command.env("RUSTC_BOOTSTRAP", "1").env("RUSTC", rustc);
        return Ok(command);
    }
    let rustup = |tool: &str| {
        let mut command = clean(Command::new("rustup"));
        command.args(["run", "nightly", tool]);
        command
    };
    if has_sources(rustup("rustc")) {
        return Ok(rustup("cargo"));
    }
    bail!(
        "no compiler with the sources of `core`: run `cargo xtask setup`, or by hand \
         `rustup toolchain install nightly --component rust-src`"
    )
}

/// Without what would lead it astray.
fn clean(mut command: Command) -> Command {
    for name in NOT_INHERITED {
        command.env_remove(name);
    }
    command
}

/// Whether the sources of `core` are where this compiler will look for them.
fn has_sources(mut rustc: Command) -> bool {
    let root = cmd::read(rustc.args(["--print", "sysroot"])).unwrap_or_default();
    Path::new(root.trim()).join("lib/rustlib/src/rust/library/core/Cargo.toml").is_file()
}

/// Where bpf-linker is.
fn linker() -> Result<PathBuf> {
    let home = |name: &str| env::var_os(name).map(PathBuf::from);
    let cargo_home = home("CARGO_HOME").or_else(|| home("HOME").map(|home| home.join(".cargo")));
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = cargo_home.map(|cargo| cargo.join("bin")).into_iter().chain(env::split_paths(&path));
    for folder in folders {
        let linker = folder.join("bpf-linker");
        if linker.is_file() {
            return Ok(linker);
        }
    }
    bail!("no bpf-linker: run `cargo xtask setup`")
}

/// `PATH`, with the linker's folder first.
fn path_with(linker: &Path) -> Result<std::ffi::OsString> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folder = linker.parent().map(Path::to_owned);
    env::join_paths(folder.into_iter().chain(env::split_paths(&path))).context("`PATH` can't be extended")
}
