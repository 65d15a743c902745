//! The rack: real servers and the real daemon, started in scratch space that outlives nobody.
//!
//! Everything here runs on 127.0.0.1 or in files of its own, and is gone afterwards however the process that asked for
//! it ended: see [`scratch`].

pub mod child;
pub mod clickhouse;
pub mod daemon;
pub mod nameserver;
pub mod postgres;
pub mod scratch;

#[cfg(test)]
mod tests;

use anyhow::{Context, Result, bail};
use std::net::{Ipv4Addr, TcpListener};
use std::time::{Duration, Instant};

/// A TCP port that was free on 127.0.0.1 a moment ago. Another process may take it before its user does; servers are
/// started again on another port where that would matter.
pub fn free_port() -> Result<u16> {
    let probe = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port on 127.0.0.1")?;
    Ok(probe.local_addr()?.port())
}

/// Waits until `ready` returns something, asking every 10 ms for at most `within`. An error ends the wait at once.
pub fn wait_for<T>(what: &str, within: Duration, mut ready: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let end = Instant::now() + within;
    loop {
        if let Some(found) = ready().with_context(|| format!("while waiting for {what}"))? {
            return Ok(found);
        }
        if Instant::now() >= end {
            bail!("{what}: not within {} s", within.as_secs_f32());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}
