//! Is this machine fit to measure on, and what is it?

use anyhow::{Result, bail};
use serde_json::{Value, json};
use std::fs;
use std::process::Command;
use std::time::Duration;
use xtask::rack::child::Child;
use xtask::rack::scratch::Scratch;
use xtask::say;

const LOAD_MAX: f64 = 0.3;
const STEAL_PERCENT_MAX: f64 = 2.0;

/// Fails on a busy machine, unless forced.
pub fn require_quiet(force: bool) -> Result<()> {
    let (load, steal) = (load(), steal_percent());
    if load <= LOAD_MAX && steal <= STEAL_PERCENT_MAX {
        return Ok(());
    }
    let found =
        format!("load {load:.2} (at most {LOAD_MAX}), steal {steal:.1} % (at most {STEAL_PERCENT_MAX} %)");
    if !force {
        bail!("the machine is busy: {found}; wait, or measure anyway with `--force`");
    }
    say::warn(&format!("measuring on a busy machine: {found}"));
    Ok(())
}

/// One-minute load average.
fn load() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|word| word.parse().ok()).unwrap_or(f64::MAX)
}

/// Share of CPU time that the hypervisor gave to others over one second.
fn steal_percent() -> f64 {
    let times = || -> Vec<f64> {
        let text = fs::read_to_string("/proc/stat").unwrap_or_default();
        let line = text.lines().next().unwrap_or_default();
        line.split_whitespace().skip(1).filter_map(|word| word.parse().ok()).collect()
    };
    let before = times();
    std::thread::sleep(Duration::from_secs(1));
    let spent: Vec<f64> = times().iter().zip(&before).map(|(after, before)| after - before).collect();
    let total: f64 = spent.iter().take(8).sum();
    if total > 0.0 { 100.0 * spent.get(7).copied().unwrap_or_default() / total } else { 0.0 }
}

/// What the numbers were measured on.
pub fn describe() -> Value {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        cpu.lines().find_map(|line| line.strip_prefix("model name\t: ")).unwrap_or("unknown").to_owned();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    json!({
        "cpu": model,
        "cpus": std::thread::available_parallelism().map_or(0, usize::from),
        "kernel": kernel.trim(),
        "load": load(),
        "commit": crate::cmd::read(Command::new("git").args(["-C", env!("CARGO_MANIFEST_DIR"), "rev-parse", "HEAD"]))
            .unwrap_or_default()
            .trim(),
    })
}

/// CPU time of a process with all its threads so far, in µs. Counted by the kernel in steps of 10 ms.
pub fn cpu_us(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name may hold spaces and brackets; what follows the last bracket does not.
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    let ticks = |at: usize| fields.get(at).and_then(|word| word.parse::<f64>().ok()).unwrap_or_default();
    (ticks(11) + ticks(12)) * 10_000.0
}

/// Memory that belongs to a process alone, shared parts divided, in bytes.
pub fn pss_bytes(pid: u32) -> f64 {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|word| word.parse::<f64>().ok()).unwrap_or_default() * 1024.0
}

/// Keeps every CPU out of its sleep states with a loop that yields to everything else. An idle virtual CPU takes long
/// to wake, and that would be all that a latency measures.
pub fn spinners() -> Result<(Scratch, Vec<Child>)> {
    let scratch = Scratch::new("spinners")?;
    let mut loops = Vec::new();
    for cpu in 0..std::thread::available_parallelism()?.get() {
        let mut command = Command::new("taskset");
        command.args(["-c", &cpu.to_string(), "chrt", "-i", "0", "sh", "-c", "while :; do :; done"]);
        let name = format!("spinner-{cpu}");
        loops.push(Child::start(&name, &mut command, nix::sys::signal::Signal::SIGTERM, &scratch)?);
    }
    Ok((scratch, loops))
}
