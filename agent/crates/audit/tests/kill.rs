//! Real kills of a real process: whatever `begin` said yes to is in the spool afterwards, once. And a disk without
//! room, played by a limit on the size of files.
//!
//! The child is this same test binary, told by its environment to be one.
#![expect(clippy::unwrap_used, reason = "all of it is a test: a panic is how a test fails")]

use audit::{End, Filter, Outcome, Row, Spool, SpoolError, SpoolOptions, SpoolReader, next_id};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const CHILD: &str = "INTERLOCK_SPOOL_CHILD";

fn row(number: u64) -> Row {
    let text = r#"{"agent":"planner","target":"shop-db","destination":"::ffff:127.0.0.1","verdict":"forward","action":"read"}"#;
    let time = 1_770_000_000_000_000 + i64::try_from(number).unwrap();
    Row {
        id: next_id(time),
        time,
        statement: format!("SELECT {number}"),
        sequence: number,
        ..audit::render::read_json(text).unwrap()
    }
}

fn options(dir: &Path) -> SpoolOptions {
    SpoolOptions { segment_bytes: 128 << 10, fold_every: Duration::from_millis(7), ..SpoolOptions::new(dir) }
}

/// Not a test of its own: what the child does until it is killed. Each line on its output says what is promised.
#[test]
fn child() {
    let Ok(dir) = std::env::var(CHILD) else { return };
    let spool = Spool::open(options(Path::new(&dir))).unwrap();
    let say = |line: String| {
        let mut out = std::io::stdout().lock();
        // One write for a line, so that a kill can't cut it in two.
        out.write_all(line.as_bytes()).unwrap();
        out.flush().unwrap();
    };
    std::thread::scope(|scope| {
        for thread in 0..3_u64 {
            let spool = spool.clone();
            scope.spawn(move || {
                let mut open = std::collections::VecDeque::new();
                for number in 0.. {
                    let row = row(thread << 32 | number);
                    let id = row.id;
                    if number % 5 == 0 {
                        spool.record(row).unwrap();
                        say(format!("begun {id}\n"));
                    } else if number % 7 == 0 {
                        let (sender, receiver) = std::sync::mpsc::channel();
                        spool.begin_durable(row, Box::new(move |begun| sender.send(begun).unwrap()));
                        open.push_back(receiver.recv().unwrap().unwrap());
                        say(format!("begun {id}\n"));
                    } else {
                        open.push_back(spool.begin(row).unwrap());
                        say(format!("begun {id}\n"));
                    }
                    if open.len() > 3 {
                        open.pop_front().unwrap().finish(Outcome {
                            end: End::Done,
                            rows: 1,
                            ..Outcome::default()
                        });
                    }
                }
            });
        }
    });
}

fn start(dir: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture"])
        .env(CHILD, dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn a_kill_loses_and_doubles_nothing() {
    if std::env::var_os(CHILD).is_some() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut promised = HashMap::new();
    // The same spool is killed again and again, each time after another number of rows.
    for round in 0..6_usize {
        let mut child = start(dir.path());
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut seen = 0;
        while seen < 150 + round * 397 {
            let line = lines.next().expect("the child ended on its own").unwrap();
            if let Some((_, id)) = line.split_once("begun ") {
                promised.insert(id.to_owned(), 0);
                seen += 1;
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        for line in lines {
            if let Some((_, id)) = line.unwrap().split_once("begun ") {
                promised.insert(id.to_owned(), 0);
            }
        }
    }
    let spool = Spool::open(options(dir.path())).unwrap();
    assert_eq!(spool.status().recovery.damaged_places, 0);
    let mut interrupted = 0;
    let mut all = std::collections::HashSet::new();
    for row in SpoolReader::open(dir.path()).unwrap().rows(&Filter::default()).unwrap() {
        let row = row.unwrap();
        assert!(all.insert(row.id), "{} twice", row.id);
        assert_eq!(row.statement, format!("SELECT {}", row.sequence));
        interrupted += u64::from(row.outcome.end == End::Interrupted);
        if let Some(count) = promised.get_mut(&row.id.to_string()) {
            *count += 1;
        }
    }
    assert!(promised.len() > 3_000 && interrupted > 0);
    let missing: Vec<_> = promised.iter().filter(|(_, count)| **count != 1).collect();
    assert!(missing.is_empty(), "{} of {} missing", missing.len(), promised.len());
}

/// Not a test of its own: fills the spool under a limit on the size of files.
#[test]
fn full_child() {
    let Ok(dir) = std::env::var("INTERLOCK_SPOOL_FULL") else { return };
    let spool = Spool::open(SpoolOptions {
        segment_bytes: 1 << 30,
        fold_every: Duration::from_secs(3_600),
        ..SpoolOptions::new(dir)
    })
    .unwrap();
    let kept = spool.begin(row(0)).unwrap();
    let mut recorded = 1;
    let error = loop {
        match spool.record(Row { statement: "x".repeat(5_000), ..row(recorded) }) {
            Ok(()) => recorded += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(&error, SpoolError::Full(text) if text.contains("free some disk space")), "{error}");
    let (sender, receiver) = std::sync::mpsc::channel();
    let late = Row { statement: "x".repeat(5_000), ..row(recorded) };
    spool.begin_durable(late, Box::new(move |begun| sender.send(begun.map(drop)).unwrap()));
    assert!(matches!(receiver.recv_timeout(Duration::from_secs(60)).unwrap(), Err(SpoolError::Full(_))));
    kept.finish(Outcome { end: End::Done, ..Outcome::default() });
    println!("recorded {recorded}");
    std::process::exit(0);
}

#[test]
fn a_full_disk_refuses_and_loses_nothing() {
    if std::env::var_os(CHILD).is_some() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let binary = std::env::current_exe().unwrap();
    // A limit of 2 MiB for each file; without its signal, writing beyond is an error as with a full disk.
    let output = Command::new("/bin/bash")
        .args(["-c", "trap '' XFSZ; ulimit -f 2048; exec \"$0\" --exact full_child --nocapture"])
        .arg(&binary)
        .env("INTERLOCK_SPOOL_FULL", dir.path())
        .output()
        .unwrap();
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    let recorded = text.split("recorded ").nth(1).and_then(|rest| rest.split_whitespace().next());
    let recorded: usize = recorded.unwrap_or_else(|| panic!("{text}")).parse().unwrap();
    assert!(recorded > 300, "{recorded}");
    let start = Instant::now();
    let spool = Spool::open(SpoolOptions::new(dir.path())).unwrap();
    assert!(start.elapsed() < Duration::from_secs(60));
    assert_eq!(SpoolReader::open(dir.path()).unwrap().count().unwrap() as usize, recorded);
    assert_eq!(spool.status().recovery.damaged_places, 0);
}
