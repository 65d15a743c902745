//! Measures the spool: `cargo run --release -p audit --example spool_bench [directory]`.
//!
//! Prints the cost of `begin` and `finish` on one thread, durable rows a second at several numbers of rows under way,
//! the rate at which rows become blocks and come back, and the size of a row on disk.

use audit::{Filter, Outcome, Row, Spool, SpoolError, SpoolOptions, SpoolReader, next_id};
use std::path::Path;
use std::sync::mpsc;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = std::env::args().nth(1).map_or_else(|| std::env::temp_dir().join("spool-bench"), Into::into);
    let options = |name: &str| SpoolOptions { local_only: true, ..SpoolOptions::new(dir.join(name)) };
    std::fs::remove_dir_all(&dir).or_else(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    })?;
    let maker = Maker::new();
    hot(&maker, options("hot"))?;
    for under_way in [1, 16, 64, 128, 1_024] {
        durable(&maker, options(&format!("durable-{under_way}")), under_way)?;
    }
    fold(&maker, options("fold"))?;
    std::fs::remove_dir_all(&dir)?;
    Ok(())
}

/// One `begin` and `finish` after the other, as one session does them; folding happens between the measured stretches,
/// as it does between the statements of a session.
fn hot(maker: &Maker, options: SpoolOptions) -> Result<(), SpoolError> {
    const STRETCHES: u64 = 40;
    const ROWS: u64 = 10_000;
    let spool =
        Spool::open(SpoolOptions { fold_every: Duration::from_secs(3_600), block_rows: 65_536, ..options })?;
    let (mut both, mut cpu, mut begins) = (Duration::ZERO, 0, Duration::ZERO);
    for _ in 0..STRETCHES {
        let rows: Vec<Row> = (0..ROWS).map(|number| maker.row(number)).collect();
        let outcomes: Vec<Outcome> = rows.iter().map(|_| outcome()).collect();
        let mut begun = Vec::with_capacity(rows.len());
        let (start, cpu_start) = (Instant::now(), cpu_ns());
        for row in rows {
            begun.push(spool.begin(row)?);
        }
        begins += start.elapsed();
        for (begun, outcome) in begun.into_iter().zip(outcomes) {
            spool.finish(begun, outcome);
        }
        both += start.elapsed();
        cpu += cpu_ns().saturating_sub(cpu_start);
        spool.flush()?;
    }
    let per = |time: Duration| time.as_nanos() as u64 / (STRETCHES * ROWS);
    let cpu = cpu / (STRETCHES * ROWS);
    println!(
        "hot: begin {} ns, finish {} ns, CPU of the thread {cpu} ns for both",
        per(begins),
        per(both - begins)
    );
    Ok(())
}

/// Durable rows, so many under way at any time.
fn durable(maker: &Maker, options: SpoolOptions, under_way: usize) -> Result<(), SpoolError> {
    let spool = Spool::open(options)?;
    let gate = Arc::new((Mutex::new(under_way), Condvar::new()));
    let (ended, rows) = mpsc::channel();
    let start = Instant::now();
    let mut number = 0_u64;
    while start.elapsed() < Duration::from_secs(3) {
        let mut free = gate.0.lock().unwrap_or_else(PoisonError::into_inner);
        while *free == 0 {
            free = gate.1.wait(free).unwrap_or_else(PoisonError::into_inner);
        }
        *free -= 1;
        drop(free);
        number += 1;
        let (gate, ended) = (Arc::clone(&gate), ended.clone());
        let then = move |begun: Result<audit::Begun, SpoolError>| {
            let result = begun.map(|begun| begun.finish(outcome()));
            *gate.0.lock().unwrap_or_else(PoisonError::into_inner) += 1;
            gate.1.notify_one();
            let _ = ended.send(result);
        };
        spool.begin_durable(maker.row(number), Box::new(then));
    }
    drop(ended);
    let (mut done, mut refused) = (0_u64, 0_u64);
    while done + refused < number {
        match rows.recv() {
            Ok(Ok(())) => done += 1,
            _ => refused += 1,
        }
    }
    let rate = done as f64 / start.elapsed().as_secs_f64();
    println!("durable, {under_way} under way: {rate:.0} rows/s ({refused} refused while behind)");
    Ok(())
}

/// Finished rows to blocks and back.
fn fold(maker: &Maker, options: SpoolOptions) -> Result<(), SpoolError> {
    const ROWS: u64 = 400_000;
    let dir = options.dir.clone();
    let rows: Vec<Row> = (0..ROWS).map(|number| maker.row(number)).collect();
    let spool = Spool::open(SpoolOptions { waiting_bytes_max: usize::MAX, ..options })?;
    let start = Instant::now();
    for mut row in rows {
        row.outcome = outcome();
        spool.record(row)?;
    }
    spool.flush()?;
    let rate = ROWS as f64 / start.elapsed().as_secs_f64();
    let status = spool.status();
    println!(
        "record and fold: {rate:.0} rows/s, {} bytes/row in {} blocks",
        status.stored_bytes / ROWS,
        status.blocks
    );
    read(&dir, ROWS)?;
    let start = Instant::now();
    let mut shipped = 0;
    while let Some(batch) = spool.next_batch(100_000)? {
        shipped += batch.rows;
        spool.shipped(&batch)?;
    }
    println!("batches: {:.0} rows/s", shipped as f64 / start.elapsed().as_secs_f64());
    Ok(())
}

fn read(dir: &Path, rows: u64) -> Result<(), SpoolError> {
    let reader = SpoolReader::open(dir)?;
    let start = Instant::now();
    let found = reader.rows(&Filter { text: Some("nothing".to_owned()), ..Filter::default() })?.count();
    println!("query over all: {:.0} rows/s, {found} found", rows as f64 / start.elapsed().as_secs_f64());
    Ok(())
}

/// Makes rows that share what rows of one session share.
struct Maker {
    row: Row,
}

impl Maker {
    fn new() -> Self {
        let text = r#"{"host":"db-host-1","agent":"executor","cgroup":"/agents.slice/executor.scope","pid":4711,"uid":1000,
            "exe":"/usr/bin/python3.11","task":"nightly-report","session":"0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b",
            "target":"shop-db","destination":"::ffff:127.0.0.1","destination_port":5432,"boundary":"transparent",
            "protocol":"postgres","user":"app","database":"shop","action":"read","verb":"SELECT",
            "resources":["table public.orders","column public.orders.id","column public.orders.total"],
            "certainty":"exact","verdict":"forward","policies":["planner-reads"],"reason":"permitted by planner-reads"}"#;
        Self {
            row: audit::render::read_json(text).unwrap_or_else(|error| {
                eprintln!("{error}");
                std::process::exit(1)
            }),
        }
    }

    fn row(&self, number: u64) -> Row {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let time = i64::try_from(now.as_micros()).unwrap_or(0);
        let statement = format!(
            "SELECT id, total FROM orders WHERE customer = {} AND total > 10.5 ORDER BY id",
            number * 7_919 % 100_000
        );
        Row {
            id: next_id(time),
            time,
            sequence: number,
            statement_bytes: statement.len() as u64,
            statement,
            fingerprint: 0x1234_5678_9abc_def0,
            decision_ns: 200 + number % 300,
            ..self.row.clone()
        }
    }
}

/// Time that this thread was on a CPU, in ns, as the scheduler counted it.
fn cpu_ns() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|time| time.parse().ok()).unwrap_or(0)
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
