//! The load: pgbench, which comes with PostgreSQL.

use super::peers::Endpoint;
use super::stat::percentile;
use super::{Cpu, machine};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use xtask::paths;
use xtask::rack::scratch::Scratch;

/// Database that all load goes to.
pub const DATABASE: &str = "bench";

/// One kind of load.
#[derive(Clone, Debug, Default)]
pub struct Load {
    /// `simple`, `extended` or `prepared`.
    pub mode: &'static str,
    pub clients: u32,
    /// A script instead of the built-in lookup by primary key.
    pub script: Option<PathBuf>,
    /// A new connection for every transaction.
    pub reconnect: bool,
    /// Transactions per second to ask for, instead of as many as possible.
    pub rate: Option<f64>,
}

/// What one turn measured.
#[derive(Clone, Debug, Default)]
pub struct Turn {
    pub tps: f64,
    /// CPU time of the proxy per transaction.
    pub proxy_cpu_us: f64,
    /// Sorted, in µs; only at a fixed rate.
    pub latencies_us: Vec<f64>,
}

impl Turn {
    /// Time per transaction seen by one of the clients that take turns, in µs.
    pub fn us(&self) -> f64 {
        if self.tps > 0.0 { 1e6 / self.tps } else { f64::INFINITY }
    }
}

impl Load {
    /// Runs it once against one endpoint.
    pub fn turn(&self, to: &Endpoint, secs: u64, cpu: Cpu) -> Result<Turn> {
        let scratch = Scratch::new("pgbench")?;
        let mut command = self.command(to, secs, cpu, &scratch);
        let before = to.pid.map(machine::cpu_us);
        let out = command.stdin(Stdio::null()).output().context("cannot run pgbench")?;
        let spent = to.pid.map(machine::cpu_us).zip(before).map_or(0.0, |(after, before)| after - before);
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        if !out.status.success() {
            bail!("pgbench against {}: {}\n{said}", to.name, out.status);
        }
        let failed = number(&text, "number of failed transactions: ").unwrap_or(0.0);
        if failed > 0.0 || said.contains("ERROR") {
            bail!("pgbench against {}: {failed} transactions failed\n{said}", to.name);
        }
        let tps = number(&text, "tps = ").with_context(|| format!("pgbench printed no rate:\n{text}"))?;
        let count = number(&text, "number of transactions actually processed: ").unwrap_or(1.0).max(1.0);
        Ok(Turn { tps, proxy_cpu_us: spent / count, latencies_us: latencies(&scratch)? })
    }

    fn command(&self, to: &Endpoint, secs: u64, cpu: Cpu, scratch: &Scratch) -> Command {
        let program = paths::postgres_bin().join("pgbench").display().to_string();
        let mut line: Vec<String> = to.under.clone();
        if cpu == Cpu::One {
            line.extend(["taskset", "-c", "1"].map(str::to_owned));
        }
        line.extend([
            program,
            "-n".into(),
            "-M".into(),
            self.mode.into(),
            "-c".into(),
            self.clients.to_string(),
        ]);
        line.extend([
            "-T".into(),
            secs.to_string(),
            "-h".into(),
            to.host.clone(),
            "-p".into(),
            to.port.to_string(),
        ]);
        line.extend(["-U".into(), "postgres".into()]);
        match &self.script {
            Some(script) => line.extend(["-f".into(), script.display().to_string()]),
            None => line.push("-S".into()),
        }
        if self.reconnect {
            line.push("-C".into());
        }
        if let Some(rate) = self.rate {
            line.extend(["-R".into(), format!("{rate:.0}"), "-l".into()]);
            line.extend(["--log-prefix".into(), scratch.dir().join("latency").display().to_string()]);
        }
        line.push(DATABASE.into());
        let mut words = line.into_iter();
        let mut command = Command::new(words.next().unwrap_or_default());
        command
            .args(words)
            .env("PGSSLMODE", "disable")
            .env("PGGSSENCMODE", "disable")
            .current_dir(scratch.dir());
        command
    }
}

/// The number that follows a phrase.
fn number(text: &str, phrase: &str) -> Option<f64> {
    let rest = text.split(phrase).nth(1)?;
    rest.split(|c: char| !c.is_ascii_digit() && c != '.').next()?.parse().ok()
}

/// Per-transaction latencies from pgbench's log, schedule lag included: what a user of a loaded system sees.
fn latencies(scratch: &Scratch) -> Result<Vec<f64>> {
    let mut list = Vec::new();
    for entry in fs::read_dir(scratch.dir())? {
        let path = entry?.path();
        if !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("latency")) {
            continue;
        }
        // client_id transaction_no time script_no time_epoch time_us schedule_lag
        let text = fs::read_to_string(path)?;
        list.extend(text.lines().filter_map(|line| line.split(' ').nth(2)?.parse::<f64>().ok()));
    }
    list.sort_by(f64::total_cmp);
    Ok(list)
}

/// p50, p99 and p99.9 of one turn, in µs.
pub fn percentiles(turn: &Turn) -> [f64; 3] {
    [0.5, 0.99, 0.999].map(|share| percentile(&turn.latencies_us, share))
}
