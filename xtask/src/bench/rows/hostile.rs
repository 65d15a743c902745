//! Row 6: every statement is a new one, so that no cache of readings or decisions helps.

use super::traffic::lines;
use super::{Contest, Row};
use crate::bench::peers::Field;
use crate::bench::pgbench::{Load, Turn};
use crate::bench::report::{Bound, Outcome};
use crate::bench::{Cpu, Options};
use anyhow::Result;
use xtask::paths;

/// Measures ordinary statements and hostile ones in the same run.
pub fn run(row: &Row, options: &Options, cpu: Cpu, _: &[Outcome]) -> Result<Outcome> {
    let field = Field::start(options, cpu, &[])?;
    let endpoints = field.endpoints()?;
    let script = paths::root().join("tests/bench/hostile.sql");
    let ordinary = Load { mode: "simple", clients: 1, ..Load::default() };
    let hostile = Load { script: Some(script), ..ordinary.clone() };
    let calm = Contest::hold(&endpoints, &ordinary, options, cpu)?;
    let rough = Contest::hold(&endpoints, &hostile, options, cpu)?;
    let added =
        |contest: &Contest| contest.median("interlock", Turn::us) - contest.median("direct", Turn::us);
    let mut outcome = Outcome::new(row);
    outcome.lines = lines(&rough);
    outcome.gate(
        "added µs beyond those of an ordinary statement",
        added(&rough) - added(&calm),
        Bound::AtMost(30.0),
    );
    outcome.notes.push(field.interlock.conditions()?);
    Ok(outcome)
}
