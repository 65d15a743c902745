//! Rows 4, 16 and 17: what the crates measure of themselves, in programs beside them (`examples/`, `tests/bench/sink.rs`).

use super::Row;
use crate::bench::report::{Bound, Line, Outcome};
use crate::bench::stat::median;
use crate::bench::{Cpu, Options};
use crate::cmd;
use anyhow::{Context, Result};
use serde_json::Value;
use std::process::Command;
use xtask::paths::{self, Profile};
use xtask::rack::clickhouse::ClickHouse;
use xtask::rack::scratch::Scratch;

/// A program that the set-up of the bench has built.
fn example(name: &str) -> Command {
    Command::new(paths::binary("examples", Profile::Release).join(name))
}

/// Row 4: a table of durations by number of policies. The columns are plain Cedar, uncached for four pairs and for one,
/// cached by identity and by content.
pub fn policy(row: &Row, _: &Options, _: Cpu, _: &[Outcome]) -> Result<Outcome> {
    let text = cmd::read(&mut example("decide"))?;
    let mut outcome = Outcome::new(row);
    for line in text.lines().skip(1) {
        let cells: Vec<&str> = line.split_whitespace().collect();
        let [count, times @ ..] = cells.as_slice() else { continue };
        let heads = ["Cedar ns", "cold, 4 pairs", "cold, 1 pair", "cached", "by content"];
        let times: Vec<f64> = times.iter().filter_map(|time| ns(time)).collect();
        let cells = heads.into_iter().zip(times).collect();
        outcome.lines.push(Line { name: format!("{count} policies"), cells });
    }
    let thousand = outcome.lines.iter().find(|line| line.name == "1000 policies").cloned();
    let thousand = thousand.context("`decide` printed nothing about 1000 policies")?;
    let at = |head: &str| {
        thousand.cells.iter().find(|(name, _)| *name == head).map_or(f64::INFINITY, |(_, ns)| *ns)
    };
    outcome.gate("cold at 1000 policies, µs for four pairs", at("cold, 4 pairs") / 1e3, Bound::AtMost(60.0));
    outcome.gate(
        "cold at 1000 policies, one pair / plain Cedar",
        at("cold, 1 pair") / at("Cedar ns"),
        Bound::AtMost(0.05),
    );
    outcome.gate("cached, µs", at("cached") / 1e3, Bound::AtMost(1.0));
    Ok(outcome)
}

/// A duration as Rust prints it, in ns.
fn ns(text: &str) -> Option<f64> {
    let unit = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at(unit);
    let factor = match unit {
        "ns" => 1.0,
        "µs" => 1e3,
        "ms" => 1e6,
        "s" => 1e9,
        _ => return None,
    };
    Some(number.parse::<f64>().ok()? * factor)
}

/// Row 16: rows per second into ClickHouse, by our pipeline and by the `clickhouse` crate's inserter.
pub fn sink(row: &Row, options: &Options, _: Cpu, _: &[Outcome]) -> Result<Outcome> {
    const ROWS: &str = "400000";
    let server = ClickHouse::start()?;
    let text =
        cmd::read(example("sink_bench").args([server.url(), ROWS.into(), options.rounds.to_string()]))?;
    let told: Value = serde_json::from_str(&text).context("`sink_bench` printed no JSON")?;
    let rate = |name: &str| -> f64 {
        let list = told.get(name).and_then(Value::as_array);
        median(&list.into_iter().flatten().filter_map(Value::as_f64).collect::<Vec<_>>())
    };
    let mut outcome = Outcome::new(row);
    for (name, key) in [
        ("interlock, row to acknowledgement", "pipeline"),
        ("interlock, shipping alone", "shipping"),
        ("clickhouse crate, RowBinary", "inserter"),
    ] {
        outcome.lines.push(Line { name: name.into(), cells: vec![("rows/s", rate(key))] });
    }
    outcome.gate(
        "rows/s, whole pipeline / inserter",
        rate("pipeline") / rate("inserter"),
        Bound::AtLeast(2.0),
    );
    outcome.gate("rows/s, shipping alone / inserter", rate("shipping") / rate("inserter"), Bound::None);
    outcome.notes.push("no row was lost: counted in the server after every turn".into());
    Ok(outcome)
}

/// Row 17: durable rows per second by the number under way, as `spool_bench` prints them.
pub fn spool(row: &Row, _: &Options, _: Cpu, _: &[Outcome]) -> Result<Outcome> {
    let scratch = Scratch::new("spool")?;
    let text = cmd::read(example("spool_bench").arg(scratch.dir().join("spool")))?;
    let mut outcome = Outcome::new(row);
    let mut best: f64 = 0.0;
    for line in text.lines() {
        if let Some((under_way, rate)) = durable(line) {
            best = best.max(rate);
            outcome
                .lines
                .push(Line { name: format!("{under_way} under way"), cells: vec![("durable rows/s", rate)] });
        } else {
            outcome.notes.push(line.to_owned());
        }
    }
    outcome.gate("durable rows/s", best, Bound::AtLeast(100_000.0));
    Ok(outcome)
}

/// `durable, 16 under way: 1693 rows/s …`
fn durable(line: &str) -> Option<(&str, f64)> {
    let (under_way, rest) = line.strip_prefix("durable, ")?.split_once(" under way: ")?;
    Some((under_way, rest.split(' ').next()?.parse().ok()?))
}
