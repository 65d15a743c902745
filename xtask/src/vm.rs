//! `cargo xtask vm`: the tests of the kernel side on another kernel: Debian's 6.1, in an emulated machine.
//!
//! This host's kernel need not load BPF LSM programs, and is not the only one to work on. The machine is small: a kernel
//! from Debian's package, and a file system in memory that holds the test binary, the host agent and what they call. It
//! boots in seconds, without KVM and without root.

mod cpio;
mod image;
mod parts;

use crate::setup::{self, Purpose};
use crate::{cmd, ebpf};
use anyhow::{Context, Result, bail};
use clap::Args;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use xtask::say;

/// The longest that the tests may take in there, in seconds.
const PATIENCE: u64 = 1_200;
/// The line that the machine ends with, before the tests' exit code.
const END: &str = "interlock-vm-end ";

/// Options of `cargo xtask vm`.
#[derive(Args, Debug)]
pub struct Options {
    /// Run only tests whose path contains one of these.
    #[arg(default_values_t = ["kernel::".to_owned(), "boundary::".to_owned()])]
    filters: Vec<String>,
    /// No set-up: for a machine that is set up, between two saves.
    #[arg(long)]
    quick: bool,
    /// Another kernel: a folder that a Debian kernel package and busybox-static were unpacked into.
    #[arg(long, value_name = "DIR")]
    kernel: Option<PathBuf>,
    /// The processor that is emulated. Newer kernels do not run on every one that QEMU 7.2 makes up.
    #[arg(long, value_name = "MODEL", default_value = "max")]
    cpu: String,
    /// The kernel's list of security modules; without `bpf` in it, what a host without BPF LSM has.
    #[arg(long, default_value = "lockdown,capability,landlock,yama,bpf")]
    lsm: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            filters: ["kernel::", "boundary::"].map(str::to_owned).to_vec(),
            quick: true,
            kernel: None,
            cpu: "max".to_owned(),
            lsm: "lockdown,capability,landlock,yama,bpf".to_owned(),
        }
    }
}

/// Whether there is a machine to be had here; if not, why.
pub fn unavailable() -> Option<&'static str> {
    if !cfg!(target_arch = "x86_64") {
        return Some("the emulated machine is made for x86-64 only");
    }
    let have = |program: &str| Command::new(program).arg("--version").stdout(Stdio::null()).status().is_ok();
    match (have("qemu-system-x86_64"), have("dpkg-deb")) {
        (false, _) => Some("there is no qemu-system-x86_64"),
        (_, false) => Some("there is no dpkg-deb to open Debian's kernel package with"),
        _ => None,
    }
}

/// Runs the command.
pub fn run(options: &Options) -> Result<()> {
    if !options.quick {
        setup::ensure(Purpose::Test)?;
    }
    if let Some(why) = unavailable() {
        bail!("{why}");
    }
    ebpf::build()?;
    let binaries = parts::build()?;
    let kernel = match &options.kernel {
        Some(unpacked) => parts::unpacked(unpacked)?,
        None => parts::kernel()?,
    };
    let image = image::make(&binaries, &kernel, &options.filters, &options.lsm)?;
    say::step(&format!("Linux {} in an emulated machine", kernel.release));
    boot(&kernel.image, &image, options)
}

fn boot(kernel: &Path, image: &Path, options: &Options) -> Result<()> {
    let processors = std::thread::available_parallelism().map_or(1, usize::from).min(4).to_string();
    let mut machine = Command::new("qemu-system-x86_64");
    machine.args(["-accel", "tcg,thread=multi", "-cpu", &options.cpu, "-smp", &processors, "-m", "2G"]);
    machine
        .args(["-nographic", "-no-reboot", "-nic", "none", "-kernel"])
        .arg(kernel)
        .arg("-initrd")
        .arg(image);
    machine.args(["-append", &format!("console=ttyS0 quiet panic=-1 lsm={}", options.lsm)]);
    let mut running = machine
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot run qemu-system-x86_64")?;
    let output = running.stdout.take().context("qemu has no output")?;
    let id = running.id();
    let watchdog = std::thread::spawn(move || watch(id));
    let code = follow(BufReader::new(output));
    let _ = running.wait();
    watchdog.thread().unpark();
    let timed_out = watchdog.join().unwrap_or(false);
    match code? {
        Some(0) => Ok(()),
        Some(code) => bail!("the tests failed in the machine: exit code {code}"),
        None if timed_out => bail!("the machine did not end within {PATIENCE} s"),
        None => bail!("the machine ended before the tests did"),
    }
}

/// Shows what the machine says; the tests' exit code, if it came to that.
fn follow(mut output: impl BufRead) -> Result<Option<i32>> {
    let mut code = None;
    let mut line = Vec::new();
    while output.read_until(b'\n', &mut line)? > 0 {
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end();
        match text.strip_prefix(END) {
            Some(said) => code = said.parse().ok(),
            None => println!("   {text}"),
        }
        line.clear();
    }
    Ok(code)
}

/// Ends the machine when it takes too long; true if so. Woken when it has ended by itself.
fn watch(id: u32) -> bool {
    let end = Instant::now() + Duration::from_secs(PATIENCE);
    let machine = nix::unistd::Pid::from_raw(id.cast_signed());
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return nix::sys::signal::kill(machine, nix::sys::signal::Signal::SIGKILL).is_ok();
        }
        std::thread::park_timeout(left);
        // Signal 0 asks whether it is there; it has been waited for when it has ended.
        if nix::sys::signal::kill(machine, None).is_err() {
            return false;
        }
    }
}

/// Runs the tests of the kernel side in the machine after those on this host; says so loudly where there is none.
pub fn after_tests(filter: Option<&str>) -> Result<()> {
    if filter.is_some_and(|filter| !filter.starts_with("kernel") && !filter.starts_with("boundary")) {
        return Ok(());
    }
    if let Some(why) = unavailable() {
        say::warn(&format!("SKIPPED the tests on another kernel: {why}"));
        return Ok(());
    }
    let mut options = Options::default();
    if let Some(filter) = filter {
        options.filters = vec![filter.to_owned()];
    }
    run(&options).map_err(|error| error.context("on another kernel (`cargo xtask vm`)"))
}

/// Runs a command unseen, in words of its own if it fails.
fn quietly(command: &mut Command, what: &str) -> Result<String> {
    cmd::read(command).with_context(|| format!("cannot {what}"))
}
