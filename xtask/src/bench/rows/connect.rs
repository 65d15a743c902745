//! Row 14: what a connection costs, from connect to the end of its only statement.

use super::traffic::lines;
use super::{Contest, Row};
use crate::bench::peers::Field;
use crate::bench::pgbench::{Load, Turn};
use crate::bench::report::{Bound, Outcome};
use crate::bench::stat::ratio;
use crate::bench::{Cpu, Options};
use anyhow::{Context, Result};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// Measures a new connection per transaction.
pub fn run(row: &Row, options: &Options, cpu: Cpu, _: &[Outcome]) -> Result<Outcome> {
    let field = Field::start(options, cpu, &["minihop", "haproxy", "envoy"])?;
    let load = Load { mode: "simple", clients: 1, reconnect: true, ..Load::default() };
    let contest = Contest::hold(&field.endpoints()?, &load, options, cpu)?;
    let added = |name: &str| contest.median(name, Turn::us) - contest.median("direct", Turn::us);
    let mut outcome = Outcome::new(row);
    outcome.lines = lines(&contest);
    outcome.gate(
        "added µs, interlock / haproxy",
        ratio(added("interlock"), added("haproxy")),
        Bound::AtMost(1.0),
    );
    outcome.notes.push("no pgbouncer: it keeps its connections to the database, which is its purpose".into());
    outcome.notes.push("haproxy without the iptables REDIRECT that transparency would cost it".into());
    outcome.notes.push(field.interlock.conditions()?);
    Ok(outcome)
}

/// Connects to a listener of its own, accepts and closes, over and over; the rate per second. Runs as a process of its own.
/// One thread does it all: the handshake needs no second one, and a backlog that overflows would cost seconds.
pub fn connects(secs: u64) -> Result<f64> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port")?;
    let address = listener.local_addr()?;
    let (start, mut count) = (Instant::now(), 0_u64);
    while start.elapsed() < Duration::from_secs(secs) {
        let (near, far) = (TcpStream::connect(address)?, listener.accept()?);
        drop((near, far));
        count += 1;
    }
    Ok(count as f64 / start.elapsed().as_secs_f64())
}
