//! Row 19: how much later answers come, at a load that everybody can carry.

use super::{Contest, Row};
use crate::bench::machine::spinners;
use crate::bench::peers::Field;
use crate::bench::pgbench::{Load, percentiles};
use crate::bench::report::{Bound, Line, Outcome};
use crate::bench::stat::ratio;
use crate::bench::{Cpu, Options};
use anyhow::{Context, Result};

/// Measures p50, p99 and p99.9 at half of PgBouncer's peak.
pub fn run(row: &Row, options: &Options, cpu: Cpu, _: &[Outcome]) -> Result<Outcome> {
    let field = Field::start(options, cpu, &["pgbouncer", "haproxy"])?;
    let endpoints = field.endpoints()?;
    let (_scratch, _loops) = spinners()?;
    let peak = Load { mode: "simple", clients: 8, ..Load::default() };
    let pooler = endpoints.iter().find(|one| one.name == "pgbouncer").context("pgbouncer took no part")?;
    let rate = peak.turn(pooler, options.secs, cpu)?.tps / 2.0;
    let load = Load { rate: Some(rate), ..peak };
    let contest = Contest::hold(&endpoints, &load, options, cpu)?;
    let mut outcome = Outcome::new(row);
    let at = |name: &str, which: usize| {
        contest.median(name, |turn| percentiles(turn).get(which).copied().unwrap_or(f64::INFINITY))
    };
    let line = |name: &str| Line {
        name: name.into(),
        cells: vec![("p50 µs", at(name, 0)), ("p99 µs", at(name, 1)), ("p99.9 µs", at(name, 2))],
    };
    outcome.lines = contest.names().map(line).collect();
    let added = |name: &str, which: usize| at(name, which) - at("direct", which);
    for (which, word) in [(0, "p50"), (1, "p99")] {
        let ratio = ratio(added("interlock", which), added("pgbouncer", which));
        outcome.gate(&format!("added µs at {word}, interlock / pgbouncer"), ratio, Bound::AtMost(1.0));
    }
    outcome
        .notes
        .push(format!("{rate:.0} transactions/s, eight clients, the time in pgbench's queue included"));
    outcome.notes.push(field.interlock.conditions()?);
    Ok(outcome)
}
