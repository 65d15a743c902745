//! `cargo xtask release`: builds the host agent as it is to be installed.
//!
//! It stands in the way of every message, and between two messages other programs run on its CPU: most of its own time
//! goes to fetching its code anew. So it is built twice: first to note which code it runs under ordinary load, then with
//! what is hot close together and out of the way of what is not
//! (<https://doc.rust-lang.org/rustc/profile-guided-optimization.html>).

mod train;

use crate::setup::{self, Purpose};
use crate::{cmd, ebpf, interrupt};
use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use xtask::paths::{self, Profile};
use xtask::rack::scratch::{self, Scratch};
use xtask::say;

/// How long each kind of load is run for, in seconds.
const SECS: u64 = 4;

/// Options of `cargo xtask release`.
#[derive(Args, Debug)]
pub struct Options {
    /// No set-up; everything needed is there already.
    #[arg(long)]
    no_setup: bool,
    /// How long each kind of load is run for, in seconds.
    #[arg(long, default_value_t = SECS, value_parser = clap::value_parser!(u64).range(1..=600))]
    secs: u64,
    /// Go on if the kernel programs can't be built. The result can't intercept: it serves explicit listeners only.
    #[arg(long)]
    without_kernel: bool,
}

impl Options {
    /// As another command builds it that has set up already.
    pub const fn set_up() -> Self {
        Self { no_setup: true, secs: SECS, without_kernel: true }
    }
}

/// Runs the command.
pub fn run(options: &Options) -> Result<()> {
    if std::env::var_os("INTERLOCK_BIN").is_some() {
        bail!("`INTERLOCK_BIN` is set: what it names would be run instead of what is built; unset it");
    }
    if !options.no_setup {
        setup::ensure(Purpose::Release)?;
    }
    interrupt::clear_up_first()?;
    say::step("Kernel programs");
    match ebpf::build() {
        Ok(object) => say::line(&format!("built {}", object.display())),
        Err(error) if options.without_kernel => {
            say::warn(&format!("not built, so the result can't intercept: {error:#}"));
        }
        Err(error) => {
            return Err(
                error.context("no kernel programs; without them it can't intercept (`--without-kernel`)")
            );
        }
    }
    let rustc = Rustc::find()?;
    let merge = rustc.profile_tool()?;
    let room = Scratch::new("release")?;
    let raw = room.dir().join("raw");

    say::step("Build, to see what it runs (some minutes)");
    build(&rustc, &["-Cprofile-generate".to_owned()], Profile::Instrumented)?;
    say::step("Run it under load");
    let trained = train::run(&raw, options.secs);
    interrupt::settle();
    trained?;
    let profile = merged(&merge, &raw)?;

    say::step("Build, with what was seen (some minutes)");
    let used = format!("-Cprofile-use={}", profile.display());
    let flags = [used, "-Cllvm-args=-pgo-warn-missing-function=false".to_owned()];
    build(&rustc, &flags, Profile::Optimised)?;
    scratch::end_all();
    let built = paths::binary("interlock", Profile::Optimised);
    say::line(&format!("{} {}", say::good("built"), built.display()));
    Ok(())
}

/// Builds the host agent with these flags, after the caller's own, in the folder of that profile, and puts the program
/// there.
fn build(rustc: &Rustc, flags: &[String], profile: Profile) -> Result<()> {
    let wanted = paths::binary("interlock", profile);
    let target = paths::target().join(profile.folder());
    let own = std::env::var("RUSTFLAGS").unwrap_or_default();
    let all: Vec<&str> = own.split_whitespace().chain(flags.iter().map(String::as_str)).collect();
    // For a named target the flags are not those of build scripts and macros.
    cmd::show(
        cmd::cargo()
            .args(["build", "--locked", "--release", "--bin", "interlock", "--target", &rustc.host])
            .arg("--target-dir")
            .arg(&target)
            // Takes flags with spaces in them, and goes before RUSTFLAGS.
            .env("CARGO_ENCODED_RUSTFLAGS", all.join("\x1f")),
    )?;
    let made = target.join(&rustc.host).join("release/interlock");
    // A new file: the old one may be running.
    let fresh = wanted.with_extension("new");
    fs::copy(&made, &fresh).with_context(|| format!("copy `{}`", made.display()))?;
    fs::rename(&fresh, &wanted)?;
    Ok(())
}

/// All that the instrumented program noted, as the compiler takes it.
fn merged(tool: &Path, raw: &Path) -> Result<PathBuf> {
    let mut notes = Vec::new();
    for entry in fs::read_dir(raw).context("the instrumented host agent left no notes")? {
        notes.push(entry?.path());
    }
    ensure!(!notes.is_empty(), "the instrumented host agent left no notes in `{}`", raw.display());
    let profiles = paths::target().join("profiles");
    if profiles.exists() {
        fs::remove_dir_all(&profiles)?;
    }
    fs::create_dir_all(&profiles)?;
    let merged = profiles.join("merged.profdata");
    cmd::read(Command::new(tool).args(["merge", "--sparse", "-o"]).arg(&merged).args(notes))?;
    // Cargo looks at the name alone: another content needs another one, or nothing would be built anew.
    let named = profiles.join(format!("{:08x}.profdata", crc32fast::hash(&fs::read(&merged)?)));
    fs::rename(&merged, &named)?;
    Ok(named)
}

/// The compiler.
struct Rustc {
    host: String,
    /// Major version of its LLVM.
    llvm: String,
}

impl Rustc {
    fn find() -> Result<Self> {
        let said = cmd::read(Command::new("rustc").arg("-vV").current_dir(paths::root()))?;
        let after = |key: &str| said.lines().find_map(|line| line.strip_prefix(key)).map(str::trim);
        let llvm = after("LLVM version:").and_then(|version| version.split('.').next());
        match (after("host:"), llvm) {
            (Some(host), Some(llvm)) => Ok(Self { host: host.to_owned(), llvm: llvm.to_owned() }),
            _ => bail!("`rustc -vV` names no host or no LLVM version:\n{said}"),
        }
    }

    /// The tool that reads what programs of this compiler note: its own, or one of the same LLVM.
    fn profile_tool(&self) -> Result<PathBuf> {
        let sysroot =
            cmd::read(Command::new("rustc").args(["--print", "sysroot"]).current_dir(paths::root()))?;
        let own = Path::new(sysroot.trim()).join("lib/rustlib").join(&self.host).join("bin/llvm-profdata");
        let debian = PathBuf::from(format!("/usr/lib/llvm-{}/bin/llvm-profdata", self.llvm));
        let Some(tool) = [own, debian].into_iter().find(|tool| tool.is_file()) else {
            bail!(
                "no llvm-profdata of LLVM {}: `rustup component add llvm-tools`, or `apt-get install llvm-{}`",
                self.llvm,
                self.llvm
            );
        };
        Ok(tool)
    }
}
