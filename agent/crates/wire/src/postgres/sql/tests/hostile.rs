//! Statements made to hurt: deep, long, broken. All are read on a stack as large as a worker thread's.

use super::{Reader, Reading, usual};
use crate::{Action, Certainty, Limits};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What a tokio worker thread has.
const STACK_BYTES: usize = 2 << 20;
const MIB: usize = 1 << 20;

/// Before, repeated, in the middle, after the middle as often.
type Chain = (&'static str, &'static str, &'static str, &'static str);

const CHAINS: [Chain; 40] = [
    ("SELECT ", "(", "1", ")"),
    ("SELECT ", "(SELECT ", "1", ")"),
    ("SELECT ", "f(", "1", ")"),
    ("SELECT ", "NOT ", "true", ""),
    ("SELECT ", "- ", "1", ""),
    ("SELECT ", "~ ", "1", ""),
    ("SELECT ", "@ + - ", "1", ""),
    ("SELECT 1", "+1", "", ""),
    ("SELECT a", "||a", "", ""),
    ("SELECT a", " OPERATOR(x.+) a", "", ""),
    ("SELECT 1", "::int", "", ""),
    ("SELECT a", ".a", "", ""),
    ("SELECT a", "[1]", "", ""),
    ("SELECT ", "a[", "1", "]"),
    ("SELECT ARRAY", "[", "1", "]"),
    ("SELECT (a)", ".a", "", ""),
    ("SELECT a", " IS NULL", "", ""),
    ("SELECT a", " ISNULL", "", ""),
    ("SELECT a", " COLLATE c", "", ""),
    ("SELECT a", " AT TIME ZONE b", "", ""),
    ("SELECT ", "CASE WHEN ", "true", " THEN 1 END"),
    ("SELECT ", "CASE WHEN true THEN ", "1", " END"),
    ("SELECT ", "a BETWEEN b AND NOT ", "c", ""),
    ("SELECT ", "a LIKE NOT ", "c", ""),
    ("SELECT 1", " UNION SELECT 1", "", ""),
    ("", "(SELECT 1 UNION ", "SELECT 1", ")"),
    ("SELECT 1 FROM a", " JOIN b ON true", "", ""),
    ("SELECT 1 FROM a", " NATURAL JOIN b", "", ""),
    ("SELECT 1 FROM ", "(a JOIN ", "b", " ON true)"),
    ("SELECT 1 FROM ", "(SELECT 1 FROM ", "a", ") b"),
    ("", "WITH a AS (", "SELECT 1", ") SELECT 1"),
    ("SELECT 1 WHERE ", "EXISTS (SELECT 1 WHERE ", "true", ")"),
    ("SELECT ROW", "(ROW", "(1)", ")"),
    ("SELECT ", "COALESCE(1,", "1", ")"),
    ("SELECT ", "JSON_OBJECT('a': ", "1", ")"),
    ("SELECT 1 GROUP BY ", "GROUPING SETS (", "a", ")"),
    ("SELECT x AS ", "\"", "", ""),
    ("", "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC ", "SELECT 1;", " END;"),
    ("SELECT ", "/*", "", "*/"),
    ("SELECT a FROM JSON_TABLE(b, '$' COLUMNS(", "NESTED PATH '$' COLUMNS (", "a int", ")"),
];

fn chain((before, repeated, middle, after): Chain, times: usize) -> String {
    format!("{before}{}{middle}{}", repeated.repeat(times), after.repeat(times))
}

fn on_worker<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    std::thread::Builder::new().stack_size(STACK_BYTES).spawn(work).unwrap().join().unwrap()
}

fn read(sql: String) -> (Arc<Reading>, Duration) {
    on_worker(move || {
        let reader = Reader::new(&Limits { statement_bytes_max: 64 << 20, ..Limits::default() });
        let start = Instant::now();
        let reading = reader.read(&usual(), sql.as_bytes());
        (reading, start.elapsed())
    })
}

#[test]
fn chains_of_every_length_are_survived() {
    for form in CHAINS {
        for times in [1, 10, 15, 25, 40, 50, 100, 200, 255, 256, 257, 300, 1_000, 5_000] {
            drop(read(chain(form, times)));
        }
    }
}

#[test]
fn deep_statements_are_opaque() {
    for times in [300, 3_000, 30_000] {
        let (reading, _) = read(chain(CHAINS[1], times));
        assert_eq!(reading.meaning.certainty, Certainty::Opaque);
        assert_eq!(reading.meaning.action, Action::Unknown);
    }
}

#[test]
fn a_mebibyte_of_anything_takes_seconds_at_most() {
    let long = |(before, repeated, middle, after): Chain| {
        chain((before, repeated, middle, after), MIB / (repeated.len() + after.len()))
    };
    let mut texts: Vec<String> = CHAINS.into_iter().map(long).collect();
    for (before, repeated, after) in [
        ("SELECT 1 WHERE a IN (1", ",1", ")"),
        ("SELECT 1 FROM t WHERE a=1", " OR a=1", ""),
        ("SELECT 1 FROM t WHERE a=1", " AND b=1", ""),
        ("SELECT a", ",a", " FROM t"),
        ("SELECT 1 FROM a", ",a", ""),
        ("INSERT INTO t VALUES (1)", ",(1,'x')", ""),
        ("SELECT 1", ";SELECT 1", ""),
        ("", ";", ""),
        ("SELECT ", "$1,", "1"),
        ("SELECT '", "''", "'"),
        ("SELECT $$", "$", ""),
        ("SELECT ", "$a$", ""),
        ("SELECT 'a'", "\n'a'", ""),
        ("--", "-", ""),
        ("SELECT \"", "\"\"", "\""),
        ("", "\u{e9}", ""),
        ("WITH a AS (SELECT 1)", ",a AS (SELECT 1)", " SELECT 1"),
    ] {
        texts.push(format!("{before}{}{after}", repeated.repeat(MIB / repeated.len())));
    }
    for text in texts {
        let head: String = text.chars().take(60).collect();
        let (_, took) = read(text);
        assert!(took < Duration::from_secs(20), "{took:?} for {head}");
    }
}

#[test]
fn many_names_times_many_names_are_bounded() {
    let list =
        |item: &dyn Fn(usize) -> String, count: usize| (0..count).map(item).collect::<Vec<_>>().join(", ");
    let columns = list(&|n| format!("c{n}"), 30_000);
    let tables = list(&|n| format!("t{n}"), 30_000);
    let queries = list(&|n| format!("q{n} AS (SELECT 1)"), 15_000);
    for sql in [
        format!("SELECT {columns} FROM {tables}"),
        format!("WITH {queries} SELECT 1 FROM {}", list(&|n| format!("q{n}"), 30_000)),
        format!("SELECT {} FROM {tables}", list(&|n| format!("t{n}.*"), 30_000)),
    ] {
        let (reading, took) = read(sql);
        assert_eq!(reading.meaning.certainty, Certainty::Opaque);
        assert!(reading.meaning.accesses.is_empty());
        // A guard against hanging, no measurement: every pair of these names would take far longer.
        assert!(took < Duration::from_secs(60), "{took:?}");
    }
}

#[test]
fn what_is_not_text_is_opaque() {
    let reader = Reader::new(&Limits::default());
    for text in [&b"SELECT 1\0"[..], b"SELECT '\xff'", b"\xc3", &[b' '; MIB + 1]] {
        let reading = reader.read(&usual(), text);
        assert_eq!(reading.meaning.certainty, Certainty::Opaque);
        assert_eq!(reading.meaning.action, Action::Unknown);
    }
}

#[test]
fn useful_nesting_is_read() {
    for (form, times) in [
        (CHAINS[0], 200),
        (CHAINS[1], 15),
        (CHAINS[2], 40),
        (CHAINS[7], 40),
        (CHAINS[24], 80),
        (CHAINS[26], 40),
        (CHAINS[29], 20),
    ] {
        let (reading, _) = read(chain(form, times));
        assert_ne!(
            reading.meaning.certainty,
            Certainty::Opaque,
            "{times} of {form:?}: {}",
            reading.meaning.doubt
        );
    }
}
