//! The sink against a real ClickHouse: its engine as shipped by chDB.

mod migrate;
mod outage;
mod query;
mod rows;

use crate::support::wait_until;
use audit::{Filter, Outcome, Row, Spool, SpoolOptions, SpoolReader, next_id, render};
use interlock::sink::{self, SinkConfig, SinkHandle};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;
use tokio::runtime::Runtime;
use xtask::rack::clickhouse::ClickHouse;

/// One server for all tests that do not hurt it; each has a database of its own.
fn server() -> &'static ClickHouse {
    static SERVER: OnceLock<ClickHouse> = OnceLock::new();
    SERVER.get_or_init(|| ClickHouse::start().unwrap())
}

fn config(server: &ClickHouse, database: &str) -> SinkConfig {
    SinkConfig {
        url: server.url(),
        database: database.to_owned(),
        user: "default".to_owned(),
        password: String::new(),
        host: "test-host".to_owned(),
        batch_rows: 1_000,
        batch_wait: Duration::from_millis(20),
        timeout: Duration::from_secs(20),
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

fn spool(dir: &Path) -> Spool {
    Spool::open(SpoolOptions { fold_every: Duration::from_millis(10), ..SpoolOptions::new(dir) }).unwrap()
}

fn start(runtime: &Runtime, config: &SinkConfig, spool: &Spool) -> SinkHandle {
    let _inside = runtime.enter();
    sink::spawn(config, spool.clone())
}

/// Ships everything that is in the spool.
fn ship(config: &SinkConfig, spool: &Spool) {
    spool.flush().unwrap();
    let runtime = runtime();
    let sink = start(&runtime, config, spool);
    wait_until("everything is shipped", || sink.status().pending_rows == 0);
    assert!(sink.status().is_healthy(), "{:?}", sink.status());
    runtime.block_on(sink.stop());
}

/// An ordinary row, different for each number; a minute apart, so that 1,440 of them make a day.
fn row(number: u64) -> Row {
    let text = r#"{"host":"db-host-1","cgroup":"/agents.slice/a.scope","pid":7,"uid":1000,"exe":"/usr/bin/python3",
        "task":"nightly","session":"0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b","target":"shop-db",
        "destination":"::ffff:127.0.0.1","destination_port":5432,"boundary":"transparent","protocol":"postgres",
        "user":"app","database":"shop","verb":"SELECT","resources":["table public.orders"],"certainty":"exact",
        "verdict":"forward","action":"read","policies":["planner-reads"],"reason":"permitted by planner-reads","end":"done"}"#;
    let time = 1_770_000_000_000_000 + i64::try_from(number).unwrap() * 60_000_000;
    let statement = format!("SELECT total FROM orders WHERE id = {number}");
    let mut row = render::read_json(text).unwrap();
    row.subject.edit().agent = ["planner", "executor"][number as usize % 2].into();
    Row {
        id: next_id(time),
        time,
        sequence: number,
        statement_bytes: statement.len() as u64,
        statement,
        ..row
    }
}

/// Rows that are as odd as rows can be.
fn odd_rows() -> Vec<Row> {
    let mut rows: Vec<Row> = (0..8).map(row).collect();
    rows[0].subject.edit().destination = "[2001:db8::ff:1]:65535".parse().unwrap();
    rows[0].subject.edit().agent = "häuptling 𓀀 \u{202e}".into();
    rows[1].statement = "naïve '\\'' \\N \\ \0 \u{1b}[2J\r\n\t ` \" % _ ?".to_owned();
    rows[1].binds = vec![None, Some(String::new()), Some("NULL".to_owned()), Some("\0é\n".to_owned()), None];
    rows[2].statement = "x".repeat(200_000);
    rows[2].statement_bytes = u64::MAX;
    rows[2].fingerprint = u64::MAX;
    rows[3].resources = (0..300).map(|n| format!("table public.t{n}").into()).collect();
    rows[3].policies = std::sync::Arc::from([]);
    rows[4].outcome = Outcome {
        rows: u64::MAX,
        bytes_in: 1,
        bytes_out: 2,
        target_us: 3,
        error_code: "42501".into(),
        error: "nö".into(),
        ..Outcome::default()
    };
    rows[5].subject.edit().destination = "0.0.0.0:0".parse().unwrap();
    rows[5].subject.edit().pid = u32::MAX;
    rows[6].time = 0;
    rows[7].statement = String::new();
    rows[7].resources = std::sync::Arc::from([]);
    for (row, action) in rows.iter_mut().zip(<wire::Action as audit::Word>::ALL) {
        row.action = *action;
    }
    rows
}

/// What the spool has, in the filter's order.
fn in_spool(dir: &Path, filter: &Filter) -> Vec<Row> {
    SpoolReader::open(dir).unwrap().rows(filter).unwrap().collect::<Result<_, _>>().unwrap()
}

/// What ClickHouse has, in the filter's order.
fn in_clickhouse(config: &SinkConfig, filter: &Filter) -> Vec<Row> {
    let mut rows = Vec::new();
    let asked = runtime().block_on(sink::query(config, filter, &mut |row| {
        rows.push(row);
        ControlFlow::Continue(())
    }));
    asked.unwrap();
    rows
}

/// One number, by SQL.
fn number(server: &ClickHouse, sql: &str) -> u64 {
    server.query(sql).unwrap().trim().parse().unwrap()
}
