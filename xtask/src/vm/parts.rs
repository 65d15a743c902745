//! What goes into the machine: our own binaries, and a kernel out of Debian's package.

use super::quietly;
use crate::cmd;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use xtask::{paths, say};

/// The package that names the newest kernel of its kind, and a shell that needs no libraries.
const KERNEL_META: &str = "linux-image-cloud-amd64";
const SHELL: &str = "busybox-static";

/// Our own programs, built.
pub struct Binaries {
    pub tests: PathBuf,
    pub interlock: PathBuf,
    pub attacks: PathBuf,
}

/// A kernel and what belongs to it.
pub struct Kernel {
    /// As `uname -r` says it.
    pub release: String,
    pub image: PathBuf,
    pub modules: PathBuf,
    pub busybox: PathBuf,
}

/// Builds them, as the tests on this host do.
pub fn build() -> Result<Binaries> {
    cmd::show(cmd::cargo().args(["build", "--quiet", "--workspace", "--all-targets"]))?;
    let mut cargo = cmd::cargo();
    cargo.args(["test", "--workspace", "--test", "it", "--no-run", "--message-format", "json"]);
    let messages = quietly(&mut cargo, "build the tests")?;
    let tests = messages.lines().rev().find_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        let is_it = message.get("target")?.get("name")?.as_str()? == "it";
        is_it.then(|| message.get("executable")?.as_str().map(PathBuf::from))?
    });
    let attacks = folder()?.join("attacks");
    let sources = fs::read_dir(paths::root().join("tests/attacks"))?;
    let sources: Vec<PathBuf> = sources.flatten().map(|entry| entry.path()).collect();
    let sources = sources.iter().filter(|path| path.extension().is_some_and(|extension| extension == "c"));
    quietly(Command::new("cc").args(["-O1", "-o"]).arg(&attacks).args(sources), "compile the attacks")?;
    Ok(Binaries {
        tests: tests.context("cargo built no test binary `it`")?,
        interlock: paths::binary("interlock", paths::Profile::Debug),
        attacks,
    })
}

/// Where everything about the machine is kept.
pub fn folder() -> Result<PathBuf> {
    let folder = paths::target().join("vm");
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// The newest kernel that Debian has for us; without the network, the one that was fetched last.
pub fn kernel() -> Result<Kernel> {
    let folder = paths::cache().join("vm");
    fs::create_dir_all(&folder)?;
    let package = quietly(Command::new("apt-cache").args(["depends", KERNEL_META]), "ask apt for a kernel")
        .ok()
        .and_then(|text| {
            text.lines().find_map(|line| Some(line.trim().strip_prefix("Depends: ")?.to_owned()))
        });
    if let Some(package) = package {
        let unpacked = folder.join(&package);
        if !unpacked.join("boot").is_dir() {
            say::line(&format!("fetching {package} and {SHELL}: the other kernel, and its shell"));
            fetch(&folder, &unpacked, &[&package, SHELL])?;
        }
        return self::unpacked(&unpacked);
    }
    let kept = fs::read_dir(&folder)?.flatten().map(|entry| entry.path());
    match kept.filter(|path| path.join("boot").is_dir()).max() {
        Some(folder) => unpacked(&folder),
        None => bail!("apt knows no {KERNEL_META}, and none was fetched before: `apt-get update` may help"),
    }
}

/// Downloads packages and unpacks them, beside the system's own; nothing is installed.
fn fetch(folder: &Path, unpacked: &Path, packages: &[&str]) -> Result<()> {
    let fresh = folder.join("fresh");
    drop(fs::remove_dir_all(&fresh));
    fs::create_dir_all(&fresh)?;
    let mut apt = Command::new("apt-get");
    quietly(apt.current_dir(&fresh).arg("download").args(packages), "download Debian's kernel")?;
    let archives: Vec<PathBuf> = fs::read_dir(&fresh)?.flatten().map(|entry| entry.path()).collect();
    let into = fresh.join("tree");
    for archive in archives {
        quietly(Command::new("dpkg-deb").arg("-x").arg(&archive).arg(&into), "unpack Debian's kernel")?;
    }
    drop(fs::remove_dir_all(unpacked));
    fs::rename(into, unpacked)?;
    fs::remove_dir_all(fresh)?;
    Ok(())
}

/// A kernel that was unpacked before.
pub fn unpacked(unpacked: &Path) -> Result<Kernel> {
    let modules = fs::read_dir(unpacked.join("lib/modules"))?.flatten().next().context("no modules")?.path();
    let release = modules.file_name().context("no release")?.to_string_lossy().into_owned();
    let image = unpacked.join("boot").join(format!("vmlinuz-{release}"));
    Ok(Kernel { release, image, modules, busybox: unpacked.join("bin/busybox") })
}
