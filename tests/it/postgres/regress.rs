//! Hundreds of statements print the same through us as directly, when all is allowed.

use super::wire::Raw;
use crate::support::{ALLOW_ALL, Ran, Rig, clients};

const STATEMENTS: &str = include_str!("../../cases/postgres/regress.sql");

#[test]
fn hundreds_of_statements_print_the_same_as_directly() {
    let statements = STATEMENTS.lines().filter(|line| line.trim_end().ends_with(';')).count();
    assert!(statements >= 300, "only {statements} statements");
    let direct = Rig::start(&[("all.cedar", ALLOW_ALL)]);
    let governed = Rig::start(&[("all.cedar", ALLOW_ALL)]);
    let expected = Ran::run_with(clients::psql(&mut direct.direct("psql")).arg("-a"), STATEMENTS);
    let found = Ran::run_with(clients::psql(&mut governed.command("planner", "psql")).arg("-a"), STATEMENTS);
    // psql counts input lines in its messages, and names neither database nor port: equal to the byte.
    same_lines(&found.stderr, &expected.stderr);
    same_lines(&found.stdout, &expected.stdout);
    assert!(
        expected.stderr.contains("22012") && expected.stderr.contains("42P01"),
        "errors with their codes"
    );
    let rows = governed.rows(&["--agent", "planner"]);
    assert!(rows.len() > statements * 9 / 10, "{} rows for {statements} statements", rows.len());
}

/// As `assert_eq`, with the first difference alone in the message: all of it fills a screen a hundred times.
#[track_caller]
fn same_lines(found: &str, expected: &str) {
    for (number, (one, other)) in found.lines().zip(expected.lines()).enumerate() {
        assert_eq!(
            one,
            other,
            "line {}, after {:?}",
            number + 1,
            expected.lines().nth(number.wrapping_sub(1))
        );
    }
    assert_eq!(found.len(), expected.len(), "one is longer");
}

/// Statements that only read what is always there give the same bytes, but for the cancel key.
#[test]
fn the_bytes_themselves_are_the_same() {
    let rig = Rig::start(&[("all.cedar", ALLOW_ALL)]);
    let read_only = |line: &&str| {
        line.starts_with("select ")
            && line.ends_with(';')
            && ![
                "t1", "t2", "t3", "setting", "mood", "posint", "add1", "fails", "s2", "pg_sleep", "v2", "m2",
                "tmp", "backend",
            ]
            .iter()
            .any(|word| line.contains(word))
    };
    let lines: Vec<&str> = STATEMENTS.lines().filter(read_only).collect();
    assert!(lines.len() > 150, "only {}", lines.len());
    let mut direct = Raw::connect(crate::support::postgres().port(), &rig.database);
    let mut governed = Raw::connect(rig.daemon.listener("planner", "shop-db").unwrap(), &rig.database);
    for line in lines {
        let line = line.replace("\\;", ";");
        assert_eq!(governed.query(&line), direct.query(&line), "{line}");
        assert_eq!(governed.extended(&line), direct.extended(&line), "{line}");
    }
}
