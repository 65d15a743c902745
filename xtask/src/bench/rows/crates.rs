//! Rows 4, 16 and 17: what the crates measure of themselves.

use super::Row;
use crate::bench::report::{Bound, Line, Outcome};
use crate::bench::{Cpu, Options};
use crate::cmd;
use anyhow::{Result, bail};

/// Row 4.
pub fn policy(row: &Row, _: &Options, _: Cpu, _: &[Outcome]) -> Result<Outcome> {
    let _ = (row, Bound::None);
    bail!("not there yet")
}

/// Row 16.
pub fn sink(_: &Row, _: &Options, _: Cpu, _: &[Outcome]) -> Result<Outcome> {
    bail!("not there yet")
}

/// Row 17.
pub fn spool(_: &Row, _: &Options, _: Cpu, _: &[Outcome]) -> Result<Outcome> {
    let _line = |name: String| Line { name, cells: Vec::new() };
    let _text = cmd::read(cmd::cargo().arg("--version"))?;
    bail!("not there yet")
}
