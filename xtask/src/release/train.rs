//! The load under which the instrumented host agent runs: what agents do with a database, each kind for a while.

use crate::bench::Cpu;
use crate::bench::peers::{self, Endpoint, Interlock, Way};
use crate::bench::pgbench::{DATABASE, Load};
use crate::cmd;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use xtask::paths::Profile;
use xtask::rack::scratch::Scratch;
use xtask::say;

/// One transaction as a programme would write it: several tables, writes, long and short results, text and numbers.
const TRANSACTION: &str = r"\set aid random(1, 100000)
\set delta random(-5000, 5000)
BEGIN;
UPDATE pgbench_accounts SET abalance = abalance + :delta WHERE aid = :aid;
SELECT a.aid, a.abalance, b.bbalance FROM pgbench_accounts a JOIN pgbench_branches b ON a.bid = b.bid WHERE a.aid = :aid;
INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (1, 1, :aid, :delta, CURRENT_TIMESTAMP);
SELECT count(*), sum(delta) FROM pgbench_history WHERE aid = :aid AND mtime > now() - interval '1 hour';
END;
SELECT aid, abalance, filler FROM pgbench_accounts WHERE aid BETWEEN :aid AND :aid + 200 ORDER BY aid LIMIT 100;
WITH t AS (SELECT tid, tbalance FROM pgbench_tellers WHERE bid = 1) SELECT max(tbalance) FROM t;
";

/// What does not go well, or is not for pgbench: refusals, errors, COPY, cursors, prepared statements, settings.
const SESSION: &str = r"\set ON_ERROR_STOP 0
COPY pgbench_accounts TO STDOUT;
CREATE TEMP TABLE mine (a int, b text);
COPY mine FROM STDIN;
1	one
2	two
\.
INSERT INTO mine SELECT n, repeat('x', 100) FROM generate_series(1, 1000) n;
SELECT * FROM mine;
PREPARE again (int) AS SELECT abalance FROM pgbench_accounts WHERE aid = $1;
EXECUTE again (1);
EXECUTE again (2);
DEALLOCATE again;
BEGIN;
DECLARE few CURSOR FOR SELECT * FROM pgbench_accounts;
FETCH 100 FROM few;
FETCH 100 FROM few;
CLOSE few;
ROLLBACK;
SET search_path = public, pg_catalog;
SELECT 1 / 0;
SELECT nothing FROM nowhere;
SELECT * FROM secret_2;
SELECT pg_read_file('/etc/hostname');
DO 'BEGIN PERFORM 1; END';
SELECT FROM WHERE;
DROP TABLE pgbench_history_old;
";

/// What must be among the rows if all of that was run.
const SEEN: &[&[&str]] = &[
    &["--verdict", "deny"],
    &["--verdict", "forward", "--text", "1 / 0"],
    &["--verdict", "forward", "--text", "FETCH 100"],
    &["--verdict", "forward", "--text", "EXECUTE again"],
    &["--verdict", "forward", "--text", "COPY mine"],
];

/// Runs the load; the host agent notes into the folder `raw` what it ran.
pub fn run(raw: &Path, secs: u64) -> Result<()> {
    let postgres = peers::database(None, Cpu::Two)?;
    let noting = ["env".to_owned(), format!("LLVM_PROFILE_FILE={}/%p.profraw", raw.display())];
    let way = Way { cpu: Cpu::Two, explicit: false, profile: Profile::Instrumented, prefix: noting.to_vec() };
    let mut interlock = Interlock::start(postgres.port(), &way)?;
    let mut to = interlock.endpoint()?;
    if !to.under.is_empty() {
        // `interlock exec` is the instrumented program too.
        to.under.splice(0..0, noting.clone());
    }
    let room = Scratch::new("train")?;
    let script = room.dir().join("transaction.sql");
    fs::write(&script, TRANSACTION)?;
    for mode in ["simple", "extended", "prepared"] {
        let lookups = Load { mode, clients: 4, ..Load::default() };
        let transactions = Load { mode, clients: 2, script: Some(script.clone()), ..Load::default() };
        let connections = Load { mode, clients: 2, reconnect: true, ..Load::default() };
        for (what, load) in
            [("lookups", lookups), ("transactions", transactions), ("connections", connections)]
        {
            let turn = load.turn(&to, secs, Cpu::Two)?;
            say::line(&format!("{mode} {what}: {:.0} a second", turn.tps));
        }
    }
    for _ in 0..secs * 2 {
        session(&to)?;
    }
    say::line(&format!("{} sessions of psql with refusals, errors and COPY", secs * 2));
    for filter in SEEN {
        let mut ask = interlock.daemon.interlock(&["audit", "query", "--json", "--limit", "1"]);
        let [_env, place] = &noting;
        let (name, value) = place.split_once('=').unwrap_or_default();
        let found = cmd::read(ask.args(*filter).env(name, value))?;
        ensure!(found.contains("\"id\""), "the load was not run: no row for `{}`", filter.join(" "));
    }
    let status = interlock.daemon.stop()?;
    ensure!(status.success(), "the instrumented host agent ended with {status}");
    Ok(())
}

/// One session of psql; what the target or the host agent refuses in it is part of the load.
fn session(to: &Endpoint) -> Result<()> {
    let mut line = to.under.clone();
    line.extend(["psql", "-Xq", "-h", &to.host, "-p", &to.port.to_string()].map(str::to_owned));
    line.extend(["-U", "postgres", "-d", DATABASE, "-f", "-"].map(str::to_owned));
    let (program, arguments) = line.split_first().context("no command line")?;
    let mut child = Command::new(program)
        .args(arguments)
        .env("PGSSLMODE", "disable")
        .env("PGGSSENCMODE", "disable")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    if let Some(mut input) = child.stdin.take() {
        std::io::Write::write_all(&mut input, SESSION.as_bytes())?;
    }
    let status = child.wait()?;
    ensure!(status.success(), "psql ended with {status}");
    Ok(())
}
