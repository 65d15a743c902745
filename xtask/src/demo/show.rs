//! What the demo prints.

use super::stage::Stage;
use anyhow::Result;
use serde_json::Value;
use std::time::Duration;
use xtask::rack::wait_for;
use xtask::{paths, say};

/// A field that is a text.
pub fn text<'a>(value: &'a Value, field: &str) -> Option<&'a str> {
    value.get(field).and_then(Value::as_str)
}

fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value.get(field).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// One thing an agent tried: what for, what, what came back, and who decided.
pub fn step(number: usize, agent: &str, step: &Value, row: Option<&Value>) {
    let word = |field: &str| text(step, field).unwrap_or_default();
    println!();
    say::line(&format!("{number}. {} wants to {}", say::strong(agent), word("purpose")));
    say::line(&format!("   {}", word("tried")));
    match text(step, "error") {
        None => say::line(&format!("   came back: {}", say::good(&rows(step)))),
        Some(error) => {
            let code = text(step, "code").map(|code| format!("SQLSTATE {code}: ")).unwrap_or_default();
            say::line(&format!(
                "   came back: {}",
                say::bad(&format!("{code}{}", error.replace('\n', "\n              ")))
            ));
        }
    }
    say::line(&format!("   decided:   {}", row.map_or_else(ungoverned, decision)));
}

fn ungoverned() -> String {
    format!("{}, for nothing stood in the way: this is what \"not a boundary\" means", say::bad("nobody"))
}

fn decision(row: &Value) -> String {
    let policies: Vec<&str> = list(row, "policies").iter().filter_map(Value::as_str).collect();
    match text(row, "verdict") {
        // The reason of a refusal names the policy that forbids, or says that none permits.
        Some("deny") => format!("{}: {}", say::bad("denied"), text(row, "reason").unwrap_or_default()),
        Some("forward") => format!("{} by {}", say::good("permitted"), policies.join(", ")),
        other => other.unwrap_or("?").to_owned(),
    }
}

fn rows(step: &Value) -> String {
    let count = step.get("count").and_then(Value::as_i64).unwrap_or_default();
    let first: Vec<String> = list(step, "rows").iter().map(one_row).collect();
    match (count, first.is_empty()) {
        (0.., true) => format!("done, {count} rows affected"),
        (_, true) => "done".to_owned(),
        (1, false) => first.concat(),
        _ => format!("{count} rows: {}, …", first.join(" ")),
    }
}

fn one_row(row: &Value) -> String {
    let cell =
        |cell: &Value| cell.as_str().map_or_else(|| cell.to_string(), |text| text.chars().take(40).collect());
    let cells: Vec<String> = row.as_array().into_iter().flatten().map(cell).collect();
    format!("({})", cells.join(", "))
}

/// The other witness: PostgreSQL's own log.
pub fn server_log(stage: &Stage, refused: &[String]) {
    say::step("What PostgreSQL saw");
    let log = stage.postgres.log();
    let log = log.get(stage.log_before..).unwrap_or(&log);
    let statements: Vec<&String> = refused.iter().filter(|tried| !tried.starts_with("connect to ")).collect();
    let arrived: Vec<&&String> = statements.iter().filter(|tried| log.contains(tried.as_str())).collect();
    if arrived.is_empty() {
        say::line(&format!(
            "it logs every statement, and none of the {} refused ones is in its log",
            statements.len()
        ));
    } else {
        say::warn(&say::bad(&format!("refused and yet in its log: {arrived:?}")));
    }
}

/// The rows in the embedded store.
pub fn audit(stage: &Stage) -> Result<()> {
    say::step("The audit rows, one per operation");
    say::line(&say::faint("$ interlock audit query"));
    print!("{}", stage.daemon.read(&["audit", "query"])?);
    Ok(())
}

/// The same rows, by SQL in ClickHouse.
pub fn clickhouse(stage: &Stage) -> Result<()> {
    let Some(server) = &stage.clickhouse else { return Ok(()) };
    say::step("The same rows in ClickHouse");
    let here = stage.daemon.audit_rows(&["--limit", "10000"])?.len();
    let shipped = wait_for("the rows to reach ClickHouse", Duration::from_secs(60), || {
        let count = server.query("SELECT count() FROM interlock.operations").unwrap_or_default();
        Ok((count.trim() == here.to_string()).then_some(count))
    })?;
    say::line(&format!("{} rows here, {} rows there", here, shipped.trim()));
    let sql = "SELECT agent, verdict, action, count() AS operations, sum(rows) AS rows, arrayStringConcat(arraySort(\
               arrayDistinct(arrayFlatten(groupArray(policies)))), ', ') AS policies FROM interlock.operations \
               GROUP BY agent, verdict, action ORDER BY agent, verdict, action FORMAT PrettyCompactMonoBlock";
    say::line(&say::faint(sql));
    print!("{}", server.query(sql)?);
    Ok(())
}

/// Where to go from here.
pub fn further(stage: &Stage, keep: bool) {
    say::step("How to look further");
    if !keep {
        say::line(
            "cargo xtask demo --keep         leaves all this running, with a governed psql to try things in",
        );
        say::line("cargo xtask demo --clickhouse   ships the rows to ClickHouse too");
        say::line(
            "policies/demo                   what decided here; `interlock policy check` and `policy test` check it",
        );
        say::line(
            "docs/configuration.md           every key of the configuration; ARCHITECTURE.md: where things happen",
        );
        return;
    }
    let interlock = paths::binary("interlock", paths::Profile::Debug).display().to_string();
    let config = format!("--config {}", stage.daemon.config_path().display());
    for agent in ["planner", "executor"] {
        let Ok(dsn) = stage.dsn(agent) else { continue };
        let under = if stage.daemon.transparent() {
            let user = if nix::unistd::geteuid().is_root() { "--user nobody " } else { "" };
            format!("{interlock} exec {config} --agent {agent} {user}-- ")
        } else {
            String::new()
        };
        say::line(&format!("psql as the {agent}:"));
        say::line(&format!("  {under}psql \"{dsn}\""));
    }
    for (what, command) in [
        ("watch operations as they are decided", "audit tail"),
        ("what was denied", "audit query --verdict deny"),
        ("what is governed", "agents"),
        ("how the daemon is", "status"),
    ] {
        say::line(&format!("{what}:"));
        say::line(&format!("  {interlock} {command} {config}"));
    }
    if let Some(server) = &stage.clickhouse {
        say::line("ClickHouse:");
        say::line(&format!(
            "  curl {} --data-binary 'SELECT * FROM interlock.operations FORMAT Vertical'",
            server.url()
        ));
    }
}
