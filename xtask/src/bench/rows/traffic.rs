//! Rows 1 to 3: the same lookups by primary key, through everybody.

use super::{Contest, Row};
use crate::bench::peers::{Field, PEERS};
use crate::bench::pgbench::{Load, Turn};
use crate::bench::report::{Bound, Line, Outcome};
use crate::bench::stat::ratio;
use crate::bench::{Cpu, Options};
use anyhow::Result;

/// Row 1: what one statement costs more than without anybody in between.
pub fn simple(row: &Row, options: &Options, cpu: Cpu, _: &[Outcome]) -> Result<Outcome> {
    let load = Load { mode: "simple", clients: 1, ..Load::default() };
    let (mut outcome, contest) = measure(row, options, cpu, &load)?;
    let added = |name: &str| contest.median(name, Turn::us) - contest.median("direct", Turn::us);
    outcome.gate(
        "added µs, interlock / pgbouncer",
        ratio(added("interlock"), added("pgbouncer")),
        Bound::AtMost(1.0),
    );
    outcome.gate("added µs, interlock / minihop", ratio(added("interlock"), added("minihop")), Bound::None);
    Ok(outcome)
}

/// Row 2: the rate at which one CPU answers eight clients.
pub fn prepared(row: &Row, options: &Options, cpu: Cpu, _: &[Outcome]) -> Result<Outcome> {
    let load = Load { mode: "prepared", clients: 8, ..Load::default() };
    let (mut outcome, contest) = measure(row, options, cpu, &load)?;
    let rate = |name: &str| contest.median(name, |turn| turn.tps);
    outcome.gate("rate, interlock / pgbouncer", rate("interlock") / rate("pgbouncer"), Bound::AtLeast(0.9));
    outcome.gate("rate, interlock / direct", rate("interlock") / rate("direct"), Bound::None);
    Ok(outcome)
}

/// Row 3: the rate with all CPUs.
pub fn throughput(row: &Row, options: &Options, cpu: Cpu, _: &[Outcome]) -> Result<Outcome> {
    let load = Load { mode: "simple", clients: 8, ..Load::default() };
    let (mut outcome, contest) = measure(row, options, cpu, &load)?;
    let rate = |name: &str| contest.median(name, |turn| turn.tps);
    outcome.gate("rate, interlock / haproxy", rate("interlock") / rate("haproxy"), Bound::AtLeast(0.9));
    outcome.gate("rate, interlock / direct", rate("interlock") / rate("direct"), Bound::None);
    Ok(outcome)
}

fn measure(row: &Row, options: &Options, cpu: Cpu, load: &Load) -> Result<(Outcome, Contest)> {
    let names: Vec<&str> = PEERS.iter().map(|peer| peer.name).collect();
    let field = Field::start(options, cpu, &names)?;
    let contest = Contest::hold(&field.endpoints()?, load, options, cpu)?;
    let mut outcome = Outcome::new(row);
    outcome.lines = lines(&contest);
    outcome.notes.push(field.interlock.conditions()?);
    Ok((outcome, contest))
}

/// Rate, time per transaction and the proxy's share of it, for everybody.
pub fn lines(contest: &Contest) -> Vec<Line> {
    let direct = contest.median("direct", |turn| turn.tps);
    let direct_us = contest.median("direct", Turn::us);
    let line = |name: &str| {
        let tps = contest.median(name, |turn| turn.tps);
        let us = contest.median(name, Turn::us);
        Line {
            name: name.to_owned(),
            cells: vec![
                ("tx/s", tps),
                ("of direct", tps / direct),
                ("µs/tx", us),
                ("added µs", us - direct_us),
                ("proxy CPU µs/tx", contest.median(name, |turn| turn.proxy_cpu_us)),
            ],
        }
    };
    contest.names().map(line).collect()
}
