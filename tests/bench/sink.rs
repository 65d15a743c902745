//! Measures audit rows on their way into ClickHouse: through spool and sink, and through the `clickhouse` crate's own
//! RowBinary inserter. `sink_bench URL ROWS ROUNDS`; prints one JSON object.
//!
//! Both write the same rows into tables of the same definition, in turns. The pipeline counts from the first row being
//! begun to the last being acknowledged by the server; shipping alone counts from when all rows lie in the spool.

use audit::{Outcome, Row, Spool, SpoolError, SpoolOptions, next_id, render};
use interlock::sink::{self, SinkConfig, SinkState, SinkStatus};
use serde::Serialize;
use std::error::Error;
use std::net::IpAddr;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// Database whose table the other side's are copies of.
const TEMPLATE: &str = "bench_template";

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, rows, rounds] = arguments.as_slice() else {
        return Err("usage: sink_bench URL ROWS ROUNDS".into());
    };
    let (count, rounds): (u64, u32) = (rows.parse()?, rounds.parse()?);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let rows = ordinary_rows(count)?;
    // Makes the table that both are measured with.
    once(&runtime, &config(url, TEMPLATE), rows.get(..1).unwrap_or_default(), true)?;
    let (mut pipeline, mut shipping, mut inserter) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds {
        for turn in if round % 2 == 0 { [0, 1] } else { [1, 0] } {
            let database = format!("bench_{round}_{turn}");
            if turn == 0 {
                let (whole, ship) = ours(&runtime, &config(url, &database), &rows)?;
                pipeline.push(count as f64 / whole.as_secs_f64());
                shipping.push(count as f64 / ship.as_secs_f64());
            } else {
                runtime.block_on(same_table(url, &database))?;
                let took = theirs(&runtime, url, &database, &rows)?;
                inserter.push(count as f64 / took.as_secs_f64());
            }
            let arrived = runtime.block_on(arrived(url, &database))?;
            if arrived != count {
                return Err(format!("{arrived} of {count} rows arrived in {database}").into());
            }
        }
    }
    println!("{}", serde_json::json!({ "pipeline": pipeline, "shipping": shipping, "inserter": inserter }));
    Ok(())
}

fn config(url: &str, database: &str) -> SinkConfig {
    SinkConfig {
        url: url.to_owned(),
        database: database.to_owned(),
        user: "default".to_owned(),
        password: String::new(),
        host: "bench".to_owned(),
        batch_rows: 65_536,
        batch_wait: Duration::from_millis(10),
        timeout: Duration::from_secs(60),
    }
}

/// Ordinary rows, each different, of three sessions.
fn ordinary_rows(count: u64) -> Result<Vec<Row>> {
    let sessions: Vec<Row> =
        ["planner", "executor", "reporter"].into_iter().map(first).collect::<Result<_>>()?;
    sessions.iter().cycle().zip(0..count).map(|(session, number)| row(session, number)).collect()
}

/// The row that all of an agent's are made like.
fn first(agent: &str) -> Result<Row> {
    let text = r#"{"host":"db-host-1","cgroup":"/agents.slice/planner.service","pid":7123,"uid":1000,"exe":"/usr/bin/python3",
        "task":"nightly","session":"0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b","target":"shop-db",
        "destination":"::ffff:127.0.0.1","destination_port":5432,"boundary":"transparent","protocol":"postgres",
        "user":"app","database":"shop","verb":"SELECT","resources":["read table shop-db/shop/public/orders"],
        "certainty":"exact","verdict":"forward","action":"read","policies":["planner-reads"],
        "reason":"permitted by `planner-reads`","end":"done"}"#;
    let mut row = render::read_json(text)?;
    row.subject.edit().agent = agent.into();
    Ok(row)
}

fn row(like: &Row, number: u64) -> Result<Row> {
    let time = 1_770_000_000_000_000 + i64::try_from(number)? * 137;
    let statement = format!(
        "SELECT id, total FROM orders WHERE customer = {} AND total > 10.5 ORDER BY id",
        number * 7_919 % 100_000
    );
    Ok(Row {
        id: next_id(time),
        time,
        sequence: number,
        statement_bytes: statement.len() as u64,
        statement,
        fingerprint: 0x1234_5678_9abc_def0,
        decision_ns: 200 + number % 300,
        ..like.clone()
    })
}

fn outcome() -> Outcome {
    Outcome {
        end: audit::End::Done,
        rows: 3,
        bytes_in: 92,
        bytes_out: 310,
        target_us: 180,
        ..Outcome::default()
    }
}

/// The whole pipeline, and then shipping alone.
fn ours(runtime: &Runtime, config: &SinkConfig, rows: &[Row]) -> Result<(Duration, Duration)> {
    let whole = once(runtime, config, rows, true)?;
    let mut other = config.clone();
    other.database.push_str("_ship");
    Ok((whole, once(runtime, &other, rows, false)?))
}

/// Everything from row to acknowledgement, or only the shipping of what lies in the spool.
fn once(runtime: &Runtime, config: &SinkConfig, rows: &[Row], whole: bool) -> Result<Duration> {
    let dir = tempfile::tempdir()?;
    let spool = Spool::open(SpoolOptions::new(dir.path()))?;
    let inside = runtime.enter();
    let mut start = Instant::now();
    let sink = whole.then(|| sink::spawn(config, spool.clone()));
    fill(&spool, rows)?;
    spool.flush()?;
    if !whole {
        start = Instant::now();
    }
    let sink = sink.unwrap_or_else(|| sink::spawn(config, spool.clone()));
    let all = rows.len() as u64;
    let done = |status: &SinkStatus| status.state == SinkState::Connected && status.shipped_rows == all;
    while !done(&sink.status()) {
        std::thread::sleep(Duration::from_millis(1));
    }
    let took = start.elapsed();
    drop(inside);
    runtime.block_on(sink.stop());
    Ok(took)
}

fn fill(spool: &Spool, rows: &[Row]) -> Result<()> {
    for row in rows {
        let begun = loop {
            match spool.begin(row.clone()) {
                Ok(begun) => break begun,
                Err(SpoolError::Behind(_)) => spool.flush()?,
                Err(error) => return Err(error.into()),
            }
        };
        spool.finish(begun, outcome());
    }
    Ok(())
}

/// A row as the `clickhouse` crate writes it: field by field in the table's order, types as RowBinary has them.
#[derive(clickhouse::Row, Serialize)]
struct Plain<'a> {
    id: (u64, u64),
    time: i64,
    host: &'a str,
    agent: &'a str,
    cgroup: &'a str,
    pid: u32,
    uid: u32,
    exe: &'a str,
    task: &'a str,
    session: (u64, u64),
    sequence: u64,
    target: &'a str,
    destination: [u8; 16],
    destination_port: u16,
    boundary: i8,
    protocol: &'a str,
    user: &'a str,
    database: &'a str,
    action: i8,
    verb: &'a str,
    resources: Vec<&'a str>,
    statement: &'a str,
    statement_bytes: u64,
    fingerprint: u64,
    binds: Vec<Option<&'a str>>,
    certainty: i8,
    verdict: i8,
    policies: Vec<&'a str>,
    reason: &'a str,
    decision_ns: u64,
    end: i8,
    rows: u64,
    bytes_in: u64,
    bytes_out: u64,
    target_us: u64,
    error_code: &'a str,
    error: &'a str,
}

fn plain(row: &Row) -> Plain<'_> {
    let destination = match row.subject.destination.ip() {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    };
    let outcome = outcome();
    Plain {
        id: row.id.as_u64_pair(),
        time: row.time,
        host: &row.subject.host,
        agent: &row.subject.agent,
        cgroup: &row.subject.cgroup,
        pid: row.subject.pid,
        uid: row.subject.uid,
        exe: &row.subject.exe,
        task: &row.subject.task,
        session: row.subject.session.as_u64_pair(),
        sequence: row.sequence,
        target: &row.subject.target,
        destination: destination.octets(),
        destination_port: row.subject.destination.port(),
        boundary: 1,
        protocol: &row.subject.protocol,
        user: &row.subject.user,
        database: &row.subject.database,
        action: 2,
        verb: &row.verb,
        resources: row.resources.iter().map(AsRef::as_ref).collect(),
        statement: &row.statement,
        statement_bytes: row.statement_bytes,
        fingerprint: row.fingerprint,
        binds: Vec::new(),
        certainty: 1,
        verdict: 1,
        policies: row.policies.iter().map(AsRef::as_ref).collect(),
        reason: &row.reason,
        decision_ns: row.decision_ns,
        end: 1,
        rows: outcome.rows,
        bytes_in: outcome.bytes_in,
        bytes_out: outcome.bytes_out,
        target_us: outcome.target_us,
        error_code: "",
        error: "",
    }
}

/// The crate's inserter, 65,536 rows an insert as ours, without the validation that would cost it a query and checks.
fn theirs(runtime: &Runtime, url: &str, database: &str, rows: &[Row]) -> Result<Duration> {
    let client = clickhouse::Client::default().with_url(url).with_database(database).with_validation(false);
    let start = Instant::now();
    runtime.block_on(async {
        for part in rows.chunks(65_536) {
            let mut insert = client.insert::<Plain<'_>>("operations").await?;
            for row in part {
                insert.write(&plain(row)).await?;
            }
            insert.end().await?;
        }
        Ok::<(), clickhouse::error::Error>(())
    })?;
    Ok(start.elapsed())
}

/// A table like the one that our sink makes.
async fn same_table(url: &str, database: &str) -> Result<()> {
    let client = clickhouse::Client::default().with_url(url);
    client.query(&format!("CREATE DATABASE {database}")).execute().await?;
    client.query(&format!("CREATE TABLE {database}.operations AS {TEMPLATE}.operations")).execute().await?;
    Ok(())
}

async fn arrived(url: &str, database: &str) -> Result<u64> {
    let client = clickhouse::Client::default().with_url(url).with_database(database);
    Ok(client.query("SELECT count() FROM operations").fetch_one().await?)
}
