//! Malformed and hostile frames over a real socket: an error in PostgreSQL's terms and a row; the daemon lives on.

use super::wire::{Raw, message, shows, startup};
use crate::support::{ALLOW_ALL, Rig, wait_until};

fn port(rig: &Rig) -> u16 {
    rig.daemon.listener("planner", "shop-db").unwrap()
}

fn frame(kind: u8, length: i32, body: &[u8]) -> Vec<u8> {
    [&[kind][..], &length.to_be_bytes(), body].concat()
}

#[test]
fn broken_frames_get_an_error_and_a_row() {
    let rig = Rig::start(&[("all.cedar", ALLOW_ALL)]);
    let broken = [
        frame(b'Q', 0, b""),
        frame(b'Q', 3, b""),
        frame(b'Q', -1, b""),
        message(b'~', b"what"),
        message(b'S', b"a sync with a body"),
        message(b'D', b"no such kind\0"),
        message(b'p', b"a password nobody asked for\0"),
    ];
    for bytes in &broken {
        let mut raw = Raw::connect(port(&rig), &rig.database);
        raw.send(bytes);
        let told = raw.until_closed();
        assert!(shows(&told, "08P01") && shows(&told, "FATAL"), "{bytes:?}: {told:?}");
    }
    let rows = rig.rows_when(broken.len(), &["--agent", "planner", "--verdict", "deny"]);
    assert!(rows.iter().all(|row| row.text("verb") == "PROTOCOL ERROR"), "{rows:?}");
    assert_eq!(rig.psql("planner", "select 'alive';").ok(), "alive\n");
}

#[test]
fn unreadable_requests_are_refused_and_the_session_goes_on() {
    let rig = Rig::start(&[("all.cedar", ALLOW_ALL)]);
    let deep = |open: &str, close: &str, n: usize| {
        format!("select {}1{}\0", open.repeat(n), close.repeat(n)).into_bytes()
    };
    let hostile = [
        frame(b'Q', i32::MAX, b"select 'two gibibytes, announced"),
        message(b'Q', b"select 'no end"),
        message(b'Q', b"select '\xff\xfe\xfd'\0"),
        message(b'B', b"\0\0\0\x01"),
        message(b'Q', &deep("(", ")", 512 << 10)),
        message(b'Q', &deep("(select ", ")", 50_000)),
        message(b'Q', &deep("not ", "", 100_000)),
        message(b'Q', &deep("case when ", " then 1 end", 20_000)),
    ];
    for bytes in &hostile {
        let mut raw = Raw::connect(port(&rig), &rig.database);
        raw.send(bytes);
        if bytes.len() > 5 && bytes[1..5] == i32::MAX.to_be_bytes() {
            // The rest of the announced length never comes; the refusal does, and hanging up is noticed.
            drop(raw);
            continue;
        }
        if bytes[0] == b'B' {
            raw.send(&message(b'S', b""));
        }
        let told = raw.until_ready();
        assert!(shows(&told, "42501"), "{:?}: {told:?}", &bytes[..bytes.len().min(60)]);
        assert!(shows(&raw.query("select 'goes on'"), "goes on"));
    }
    let rows = rig.rows_when(hostile.len(), &["--agent", "planner", "--verdict", "deny"]);
    assert_eq!(rows.len(), hostile.len());
    assert!(rows.iter().all(|row| row.text("certainty") == "opaque"));
}

#[test]
fn a_statement_of_64_mebibytes_is_thrown_away_as_it_comes() {
    let rig = Rig::start(&[("all.cedar", ALLOW_ALL)]);
    let mut raw = Raw::connect(port(&rig), &rig.database);
    let mut text = b"select length('".to_vec();
    text.resize(64 << 20, b'x');
    text.extend_from_slice(b"')\0");
    raw.send(&message(b'Q', &text));
    assert!(shows(&raw.until_ready(), "42501"));
    assert!(shows(&raw.query("select 'goes on'"), "goes on"));
    let row = rig.row_when(&["--agent", "planner", "--verdict", "deny"]);
    assert!(row.text("reason").contains("longer than the limit"), "{}", row.text("reason"));
    let status = std::fs::read_to_string(format!("/proc/{}/status", rig.daemon.pid().unwrap())).unwrap();
    let peak: u64 = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap();
    assert!(peak < 400 << 10, "the daemon took {peak} KiB");
}

#[test]
fn what_is_not_postgresql_is_closed_with_a_row() {
    let rig = Rig::start(&[("all.cedar", ALLOW_ALL)]);
    for first in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"SSH-2.0-x\r\n"] {
        let mut raw = Raw::open(port(&rig));
        raw.send(first);
        assert!(raw.until_closed().is_empty());
    }
    let rows = rig.rows_when(2, &["--agent", "planner", "--verdict", "deny"]);
    assert!(rows.iter().all(|row| row.text("verb") == "UNKNOWN PROTOCOL"));
    let mut tls = Raw::open(port(&rig));
    tls.send(&[0x16, 3, 1, 0, 5, 1, 0, 0, 1, 0]);
    assert_eq!(tls.until_closed()[0], 0x15, "an alert");
}

#[test]
fn a_client_that_hangs_up_leaves_no_session_behind() {
    let rig = Rig::start(&[("all.cedar", ALLOW_ALL)]);
    let mut raw = Raw::connect(port(&rig), &rig.database);
    raw.send(&message(b'Q', b"select pg_sleep(1000)\0"));
    let active = || {
        rig.setup_sql(&format!("select count(*) from pg_stat_activity where datname = '{}' and query like '%sleep(1000)%' and pid <> pg_backend_pid()", rig.database))
    };
    wait_until("the statement to run", || active().trim() == "1");
    drop(raw);
    let open = || rig.daemon.read(&["status", "--json"]).unwrap();
    wait_until("the session to end", || open().contains("\"open\": 0") || open().contains("\"open\":0"));
    let row = rig.row_when(&["--text", "pg_sleep(1000)"]);
    assert_eq!(row.text("end"), "interrupted");
    // PostgreSQL itself notices a lost client only when it next talks to it.
    rig.setup_sql(&format!("select pg_terminate_backend(pid) from pg_stat_activity where datname = '{}' and pid <> pg_backend_pid()", rig.database));
    // Half a login, then nothing: the daemon waits no longer than it must.
    let mut half = Raw::open(port(&rig));
    half.send(&startup(&rig.database)[..10]);
    drop(half);
    assert_eq!(rig.psql("planner", "select 'alive';").ok(), "alive\n");
}

/// Both alarms of a session: one that never logs in, and one that was let in and falls silent.
#[test]
fn silent_clients_are_let_go_with_a_row() {
    let rig = Rig::start_with(&[("all.cedar", ALLOW_ALL)], |mut setup| {
        setup.more = "[limits]\nstartup_timeout = \"500ms\"\nidle_timeout = \"1s\"\n".into();
        setup
    });
    let mut never = std::net::TcpStream::connect(("127.0.0.1", port(&rig))).unwrap();
    let mut silent = Raw::connect(port(&rig), &rig.database);
    let mut said = Vec::new();
    std::io::Read::read_to_end(&mut never, &mut said).unwrap();
    assert!(String::from_utf8_lossy(&said).contains("57P01"), "{said:?}");
    let told = silent.until_closed();
    assert!(shows(&told, "57P01"), "{told:?}");
    let rows = rig.rows_when(2, &["--agent", "planner", "--verdict", "deny"]);
    assert!(rows.iter().all(|row| row.text("verb") == "TIMEOUT"), "{rows:?}");
    assert!(rows.iter().any(|row| row.text("reason").contains("startup_timeout")), "{rows:?}");
    assert!(rows.iter().any(|row| row.text("reason").contains("idle_timeout")), "{rows:?}");
}
