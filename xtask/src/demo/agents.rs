//! Runs the planner and the executor, and tells what happens as it happens.

use super::show;
use super::stage::Stage;
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::Stdio;
use std::time::Duration;
use xtask::rack::wait_for;
use xtask::{paths, say};

/// The two halves of the Python program.
#[derive(Clone, Copy)]
pub enum Script {
    Plan,
    Execute,
}

impl Script {
    const fn verb(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Execute => "execute",
        }
    }

    const fn agent(self) -> &'static str {
        match self {
            Self::Plan => "planner",
            Self::Execute => "executor",
        }
    }
}

/// Runs one half; returns the statements that were refused.
pub fn run(stage: &Stage, script: Script) -> Result<Vec<String>> {
    let agent = script.agent();
    say::step(&format!("The {agent}"));
    let plan = stage.scratch.dir().join("plan.json");
    let mut command = stage.daemon.exec(agent, paths::python());
    command
        .arg(stage.scratch.dir().join("agent.py"))
        .arg(script.verb())
        .arg(stage.dsn(agent)?)
        .arg(&plan)
        .arg(&stage.elsewhere);
    let under = if stage.daemon.transparent() {
        format!("interlock exec --agent {agent} -- ")
    } else {
        String::new()
    };
    let line = format!("$ {under}python3 tests/demo/agent.py {} \"{}\" …", script.verb(), stage.dsn(agent)?);
    say::line(&say::faint(&line));
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).process_group(0).spawn()?;
    stage.scratch.owns_process(child.id(), "TERM");
    let output = BufReader::new(child.stdout.take().context("no output to read")?);
    let mut refused = Vec::new();
    let mut after = 0;
    for (number, line) in output.lines().enumerate() {
        let step: Value =
            serde_json::from_str(&line?).context("the script printed something else than a step")?;
        let tried = show::text(&step, "tried").unwrap_or_default();
        let row = decision(stage, agent, tried, &mut after)?;
        show::step(number + 1, agent, &step, row.as_ref());
        if row.is_some_and(|row| show::text(&row, "verdict") == Some("deny")) {
            refused.push(tried.to_owned());
        }
    }
    let status = child.wait()?;
    stage.scratch.process_ended(child.id());
    ensure!(status.success(), "the {agent} failed: {status}");
    Ok(refused)
}

/// The audit row of what was tried: the first with its text that was not shown before. None for a connection that
/// nothing stood in the way of.
fn decision(stage: &Stage, agent: &str, tried: &str, after: &mut usize) -> Result<Option<Value>> {
    let place = tried.strip_prefix("connect to ");
    if place.is_some() && !stage.daemon.transparent() {
        return Ok(None);
    }
    let found = wait_for("the audit row", Duration::from_secs(10), || {
        let rows = stage.daemon.audit_rows(&["--agent", agent, "--limit", "1000"])?;
        Ok(rows.iter().enumerate().skip(*after).find(|(_, row)| is_about(row, tried, place)).map(
            |(at, row)| {
                *after = at + 1;
                row.clone()
            },
        ))
    })?;
    Ok(Some(found))
}

fn is_about(row: &Value, tried: &str, place: Option<&str>) -> bool {
    match place {
        Some(place) => {
            let port = place.rsplit(':').next().and_then(|port| port.parse().ok());
            port.is_some() && row.get("destination_port").and_then(Value::as_u64) == port
        }
        // The script's statement has a placeholder where the sent one has a value.
        None => {
            let fixed = tried.split("%s").next().unwrap_or(tried);
            show::text(row, "statement").is_some_and(|sent| sent.starts_with(fixed))
        }
    }
}
