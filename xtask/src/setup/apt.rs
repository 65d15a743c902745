//! Debian's packages.

use super::{Missing, Purpose, kernel};
use crate::cmd;
use anyhow::{Context, Result, bail};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// A package, why it is needed, and how to see that it is there on a system without dpkg.
struct Package {
    name: &'static str,
    why: &'static str,
    purpose: Purpose,
    proof: Proof,
}

enum Proof {
    Program(&'static str),
    File(&'static str),
    Python(&'static str),
}

const fn package(name: &'static str, purpose: Purpose, proof: Proof, why: &'static str) -> Package {
    Package { name, why, purpose, proof }
}

const PACKAGES: &[Package] = &[
    package(
        "gcc",
        Purpose::Build,
        Proof::Program("cc"),
        "links, and compiles the C of SQLite and of PostgreSQL's parser",
    ),
    package("libc6-dev", Purpose::Build, Proof::File("/usr/include/stdio.h"), "headers for that C"),
    package("clang", Purpose::Build, Proof::Program("clang"), "reads the headers of PostgreSQL's parser"),
    package(
        "libclang-dev",
        Purpose::Build,
        Proof::Program("clang"),
        "reads the headers of PostgreSQL's parser",
    ),
    package(
        "postgresql-15",
        Purpose::Demo,
        Proof::File("/usr/lib/postgresql/15/bin/postgres"),
        "the database that demo and tests run; the package's own cluster is neither used nor started",
    ),
    package("postgresql-client-15", Purpose::Demo, Proof::Program("psql"), "psql, a client under test"),
    package("python3", Purpose::Demo, Proof::Program("python3"), "runs the demo's planner and executor"),
    package("python3-psycopg2", Purpose::Demo, Proof::Python("psycopg2"), "their PostgreSQL driver"),
    package(
        "iproute2",
        Purpose::Test,
        Proof::Program("ip"),
        "makes the network namespaces that attacks are tried in",
    ),
    package(
        "dnsmasq-base",
        Purpose::Test,
        Proof::Program("dnsmasq"),
        "a name server for the resolver to ask",
    ),
    package("bind9-dnsutils", Purpose::Test, Proof::Program("dig"), "dig, a client that looks names up"),
    package(
        "musl-tools",
        Purpose::Test,
        Proof::Program("musl-gcc"),
        "compiles a client whose C library looks names up in its own way",
    ),
    package("python3-venv", Purpose::Clickhouse, Proof::Python("venv"), "holds chDB, ClickHouse's engine"),
    package(
        "llvm-22",
        Purpose::Release,
        Proof::Program("llvm-profdata-22"),
        "reads what the instrumented host agent noted",
    ),
    package("pgbouncer", Purpose::Bench, Proof::Program("pgbouncer"), "a peer to measure against"),
    package("haproxy", Purpose::Bench, Proof::Program("haproxy"), "a peer to measure against"),
];

/// The kernel side's compiler and linker library.
const KERNEL: &[&str] = &["rustc-web", "cargo-web", "rust-web-src", "llvm-22-dev"];

/// The missing packages, as one thing to install (two with the kernel side's, which is optional).
pub fn missing(purposes: &[Purpose]) -> Result<Vec<Missing>> {
    let apt = have("apt-get") && have("dpkg-query");
    let wanted: Vec<&Package> = PACKAGES.iter().filter(|one| purposes.contains(&one.purpose)).collect();
    let absent: Vec<&Package> = if apt {
        let there = installed(&wanted.iter().map(|one| one.name).collect::<Vec<_>>())?;
        wanted.into_iter().filter(|one| !there.iter().any(|name| name == one.name)).collect()
    } else {
        wanted.into_iter().filter(|one| !one.proof.holds()).collect()
    };
    let mut list = Vec::new();
    if !absent.is_empty() {
        list.push(group(absent.iter().map(|one| (one.name, one.why)).collect(), apt, false));
    }
    if purposes.contains(&Purpose::Kernel) && !kernel::nightly_with_source() {
        let there = if apt { installed(KERNEL)? } else { Vec::new() };
        let why = "compiles or links the programs that run in the kernel";
        let absent = KERNEL.iter().filter(|name| !there.iter().any(|one| one == *name));
        let absent: Vec<_> = absent.map(|name| (*name, why)).collect();
        if !absent.is_empty() {
            list.push(group(absent, apt, true));
        }
    }
    Ok(list)
}

fn group(packages: Vec<(&'static str, &'static str)>, apt: bool, optional: bool) -> Missing {
    let names: Vec<&str> = packages.iter().map(|(name, _)| *name).collect();
    let parts = packages.iter().map(|(name, why)| ((*name).to_owned(), *why)).collect();
    let name = names.join(" ");
    let by_hand = match (apt, optional) {
        (true, false) => format!("apt-get install {name}"),
        (true, true) => format!("apt-get install {name}, or {}", kernel::NIGHTLY_BY_HAND),
        (false, false) => format!("install what your system calls Debian's {name}"),
        (false, true) => kernel::NIGHTLY_BY_HAND.to_owned(),
    };
    let hint = by_hand.clone();
    let install = Box::new(move || if apt { apt_get(&names) } else { bail!("no apt here; {hint}") });
    Missing { name, parts, by_hand, install, optional }
}

impl Proof {
    fn holds(&self) -> bool {
        match self {
            Self::Program(name) => have(name),
            Self::File(path) => Path::new(path).exists(),
            Self::Python(module) => Command::new(xtask::paths::python())
                .args(["-c", &format!("import {module}")])
                .stderr(Stdio::null())
                .status()
                .is_ok_and(|status| status.success()),
        }
    }
}

/// Is there a program of this name in `PATH` or where only root looks?
pub fn have(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .any(|dir| dir.join(name).is_file())
}

/// Which of these packages are installed.
fn installed(names: &[&str]) -> Result<Vec<String>> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let out = Command::new("dpkg-query")
        .args(["-W", "-f", "${db:Status-Status} ${Package}\n"])
        .args(names)
        .output() // fails when one is unknown, and still lists the others
        .context("cannot run dpkg-query")?;
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    Ok(text.lines().filter_map(|line| line.strip_prefix("installed ")).map(str::to_owned).collect())
}

fn apt_get(names: &[&str]) -> Result<()> {
    let sudo = !nix::unistd::geteuid().is_root();
    if sudo && !Command::new("sudo").args(["-n", "true"]).status().is_ok_and(|status| status.success()) {
        bail!("only root may install packages");
    }
    let apt = |arguments: &[&str], names: &[&str]| {
        let mut command = if sudo { Command::new("sudo") } else { Command::new("apt-get") };
        if sudo {
            command.args(["-n", "--preserve-env=DEBIAN_FRONTEND", "apt-get"]);
        }
        command.args(["-q", "-y", "-o", "Dpkg::Use-Pty=0"]).args(arguments).args(names);
        command.env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null());
        cmd::show(&mut command)
    };
    let _guard = Quiet::new();
    // --no-remove: a compiler of the user's own that is in the way is his to keep.
    let arguments = ["install", "--no-install-recommends", "--no-remove"];
    if fresh_index() && apt(&arguments, names).is_ok() {
        return Ok(());
    }
    apt(&["update"], &[])?;
    apt(&arguments, names)
}

/// Has apt ever fetched its index?
fn fresh_index() -> bool {
    fs::read_dir("/var/lib/apt/lists")
        .is_ok_and(|dir| dir.flatten().any(|entry| entry.file_name().to_string_lossy().contains("_Packages")))
}

/// Keeps packages from starting their services while it lives, unless the system has a rule of its own.
struct Quiet(bool);

impl Quiet {
    const FILE: &str = "/usr/sbin/policy-rc.d";

    fn new() -> Self {
        let path = Path::new(Self::FILE);
        let made = nix::unistd::geteuid().is_root()
            && !path.exists()
            && fs::write(path, "#!/bin/sh\nexit 101\n").is_ok()
            && fs::set_permissions(path, fs::Permissions::from_mode(0o755)).is_ok();
        Self(made)
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        if self.0 {
            let _gone = fs::remove_file(Self::FILE);
        }
    }
}
