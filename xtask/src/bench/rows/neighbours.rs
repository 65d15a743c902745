//! Rows 15 and 20: what a process pays that is not governed, on a host where others are, and what a governed one pays
//! for the hooks alone, without a proxy in the way.

use super::Row;
use crate::bench::peers::{Interlock, Way, pinned};
use crate::bench::report::{Bound, Line, Outcome};
use crate::bench::stat::median;
use crate::bench::{Cpu, Options};
use crate::cmd;
use anyhow::{Context, Result, bail};
use std::process::Command;
use std::time::Duration;
use xtask::rack::{free_port, wait_for};

/// Measures connect and close in an ungoverned process, with the host agent governing somebody else and without it.
pub fn run(row: &Row, options: &Options, cpu: Cpu, _: &[Outcome]) -> Result<Outcome> {
    if options.explicit {
        bail!("there is nothing to measure without the kernel side");
    }
    let (without, with) = rounds(options, cpu, || beside(options, cpu))?;
    let mut outcome = Outcome::new(row);
    let line =
        |name: &str, rates: &[f64]| Line { name: name.into(), cells: vec![("connections/s", median(rates))] };
    outcome.lines = vec![line("without", &without), line("with", &with)];
    outcome.gate("rate, with / without", median(&with) / median(&without), Bound::AtLeast(0.99));
    Ok(outcome)
}

/// Measures connect, accept and close on loopback, all by one process: ungoverned, and governed, when its connections to itself
/// go straight and every hook runs for both ends.
pub fn governed(row: &Row, options: &Options, cpu: Cpu, _: &[Outcome]) -> Result<Outcome> {
    let interlock = Interlock::start(free_port()?, &Way { explicit: false, ..options.way(cpu) })?;
    if options.explicit || !interlock.daemon.transparent() {
        bail!("there is nothing to measure without the kernel side");
    }
    let line = client_line(options.secs, cpu)?;
    let (program, arguments) = line.split_first().context("no command line")?;
    let (without, with) =
        rounds(options, cpu, || rate(interlock.daemon.exec_as_we_are("bench", program).args(arguments)))?;
    let (without, with) = (median(&without), median(&with));
    let mut outcome = Outcome::new(row);
    let line = |name: &str, rate: f64| Line {
        name: name.into(),
        cells: vec![("connections/s", rate), ("µs/connection", 1e6 / rate)],
    };
    outcome.lines = vec![line("ungoverned", without), line("governed", with)];
    outcome.gate("rate, governed / ungoverned", with / without, Bound::None);
    Ok(outcome)
}

/// Rates of an ungoverned process by itself, and of `with`: in one round the one first, in the next the other.
fn rounds(
    options: &Options,
    cpu: Cpu,
    mut with: impl FnMut() -> Result<f64>,
) -> Result<(Vec<f64>, Vec<f64>)> {
    let mut rates = (Vec::new(), Vec::new());
    turn(1, cpu)?;
    for round in 0..options.rounds {
        for here in [round % 2 == 1, round % 2 == 0] {
            match here {
                true => rates.1.push(with()?),
                false => rates.0.push(turn(options.secs, cpu)?),
            }
        }
    }
    Ok(rates)
}

/// One turn while an agent is governed.
fn beside(options: &Options, cpu: Cpu) -> Result<f64> {
    let interlock = Interlock::start(free_port()?, &Way { explicit: false, ..options.way(cpu) })?;
    if !interlock.daemon.transparent() {
        bail!("there is nothing to measure without the kernel side");
    }
    let mut governed = interlock.daemon.exec_as_we_are("bench", "sleep").arg("3600").spawn()?;
    let measured = governed_then(&interlock, options, cpu);
    governed.kill()?;
    governed.wait()?;
    measured
}

fn governed_then(interlock: &Interlock, options: &Options, cpu: Cpu) -> Result<f64> {
    wait_for("a governed cgroup", Duration::from_secs(10), || {
        Ok(interlock.daemon.read(&["agents"]).is_ok_and(|text| text.contains("bench")).then_some(()))
    })?;
    turn(options.secs, cpu)
}

/// Connections per second of a process of its own.
fn turn(secs: u64, cpu: Cpu) -> Result<f64> {
    let line = client_line(secs, cpu)?;
    let (program, arguments) = line.split_first().context("no command line")?;
    rate(Command::new(program).args(arguments))
}

fn client_line(secs: u64, cpu: Cpu) -> Result<Vec<String>> {
    let own = std::env::current_exe()?.display().to_string();
    let mut line = pinned(cpu);
    line.extend([own, "bench-client".into(), "connects".into(), secs.to_string()]);
    Ok(line)
}

fn rate(command: &mut Command) -> Result<f64> {
    let text = cmd::read(command)?;
    text.trim().parse().with_context(|| format!("`{text}` is no rate"))
}
