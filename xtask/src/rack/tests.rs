//! The rack starts what it says, and leaves nothing behind however it ends.

use super::child::Child;
use super::clickhouse::ClickHouse;
use super::postgres::{Options, Postgres};
use super::scratch::Scratch;
use super::wait_for;
use nix::sys::signal::Signal;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

#[test]
fn postgres_answers_logs_and_goes() {
    let server = Postgres::start(&Options { log_statements: true, ..Options::default() }).unwrap();
    let name = server.database("shop", include_str!("../../../tests/demo/shop.sql")).unwrap();
    assert_eq!(server.sql(&name, "select count(*) from customers").unwrap(), "8\n");
    assert!(server.log().contains("select count(*) from customers"));
    let (dir, port) = (server.dir().to_owned(), server.port());
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    drop(server);
    assert!(!dir.exists());
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
}

#[test]
fn clickhouse_answers_and_keeps_its_rows_over_an_outage() {
    let mut server = ClickHouse::start().unwrap();
    server.query("CREATE TABLE t (a UInt8) ENGINE = MergeTree ORDER BY a").unwrap();
    server.query("INSERT INTO t VALUES (7)").unwrap();
    server.outage().unwrap();
    assert!(server.query("SELECT 1").is_err());
    server.resume().unwrap();
    assert_eq!(server.query("SELECT a FROM t").unwrap(), "7\n");
    assert!(server.query("SELECT nonsense").is_err());
}

/// What a copy of this test program does that is going to be killed: takes scratch space with a process in it, says so,
/// and waits.
fn be_killed() {
    let scratch = Scratch::new("killed").unwrap();
    let mut sleep = Command::new("sleep");
    let sleeper = Child::start("sleeper", sleep.arg("600"), Signal::SIGTERM, &scratch).unwrap();
    println!("here: {} {}", scratch.dir().display(), sleeper.pid());
    std::thread::sleep(Duration::from_secs(600));
}

#[test]
fn nothing_outlives_a_killed_process() {
    const ROLE: &str = "INTERLOCK_TEST_IS_TO_BE_KILLED";
    if std::env::var_os(ROLE).is_some() {
        return be_killed();
    }
    let mut half = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", "rack::tests::nothing_outlives_a_killed_process"])
        .env(ROLE, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = std::io::BufReader::new(half.stdout.take().unwrap());
    let line = loop {
        let mut line = String::new();
        assert!(std::io::BufRead::read_line(&mut out, &mut line).unwrap() > 0, "the other half said nothing");
        if let Some(at) = line.find("here: ") {
            break line.split_off(at + 6);
        }
    };
    let (dir, pid) = line.trim().split_once(' ').unwrap();
    let (dir, process) = (PathBuf::from(dir), Path::new("/proc").join(pid));
    assert!(dir.exists() && process.exists());
    half.kill().unwrap();
    half.wait().unwrap();
    wait_for("the watchman to clear up", Duration::from_secs(20), || {
        let asleep = std::fs::read_to_string(process.join("stat")).is_ok_and(|stat| !stat.contains(") Z "));
        Ok((!dir.exists() && !asleep).then_some(()))
    })
    .unwrap();
}
