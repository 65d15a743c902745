//! Times, tables and the live stream.

use super::filter::time;
use super::print::{Format, Printer};
use super::tail::follow;
use crate::cli::output::Paint;
use crate::control::message::Reply;
use audit::{Filter, Row, Verdict, render};
use jiff::Zoned;
use jiff::tz::TimeZone;

fn row(verdict: &str, statement: &str) -> Row {
    let text = serde_json::json!({
        "id": "019c1c38-a400-74d4-8a14-9e9df7f93b7d", "time": "2026-03-01T08:00:00.123456Z", "agent": "planner",
        "target": "shop-db", "verdict": verdict, "action": "read", "statement": statement, "end": "done", "rows": 3,
        "reason": "no policy permits read on table public.customers"
    });
    render::read_json(&text.to_string()).unwrap()
}

fn print(format: Format, width: Option<usize>, rows: &[Row]) -> String {
    let mut out = Vec::new();
    let mut printer = Printer::new(&mut out, format, width, Paint::off()).in_zone(TimeZone::UTC);
    rows.iter().for_each(|row| printer.print_row(row).unwrap());
    printer.end().unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn times_are_understood() {
    let now: Zoned = "2026-03-01T08:30:00+01:00[Europe/Berlin]".parse().unwrap();
    let is = |text: &str, expected: &str| {
        assert_eq!(
            time(text, &now),
            Ok(expected.parse::<jiff::Timestamp>().unwrap().as_microsecond()),
            "{text}"
        );
    };
    is("2026-02-28T10:00:00Z", "2026-02-28T10:00:00Z");
    is("2026-02-28T10:00:00.5+02:00", "2026-02-28T08:00:00.5Z");
    is("2026-02-28", "2026-02-27T23:00:00Z");
    is("2026-02-28 10:15", "2026-02-28T09:15:00Z");
    is("15m", "2026-03-01T07:15:00Z");
    is("2h", "2026-03-01T05:30:00Z");
    is("1d", "2026-02-28T07:30:00Z");
    is("-90s", "2026-03-01T07:28:30Z");
    for wrong in ["", "yesterday", "15 parsecs", "2026-13-01", "1", "99999999y"] {
        let error = time(wrong, &now).unwrap_err();
        assert!(error.contains(&format!("`{wrong}`")), "{error}");
    }
}

#[test]
fn a_table_is_for_people() {
    let rows = [row("forward", "SELECT 1\n\t FROM  t"), row("deny", "SELECT * FROM customers")];
    assert_eq!(
        print(Format::Table, None, &rows),
        "\
TIME                     AGENT    TARGET   VERDICT  ACTION     ROWS  STATEMENT
2026-03-01 08:00:00.123  planner  shop-db  forward  read          3  SELECT 1 FROM t
2026-03-01 08:00:00.123  planner  shop-db  deny     read          3  SELECT * FROM customers
    no policy permits read on table public.customers
"
    );
    let narrow = print(Format::Table, Some(60), &rows);
    assert!(narrow.lines().all(|line| line.chars().count() <= 60), "{narrow}");
    assert_eq!(print(Format::Table, None, &[]), "");
}

#[test]
fn nothing_steers_the_terminal() {
    let hostile = row("deny", "SELECT '\u{1b}]0;gone\u{7}\u{9b}2J\u{202e}'");
    for format in [Format::Table, Format::Json, Format::Csv] {
        let text = print(format, Some(200), std::slice::from_ref(&hostile));
        assert!(!text.chars().any(|c| c != '\n' && c != '\r' && render::steers(c)), "{text:?}");
    }
    assert!(print(Format::Csv, None, &[hostile]).contains('\u{1b}'), "a file gets what was recorded");
}

#[test]
fn csv_and_json_have_every_column() {
    let rows = [row("deny", "SELECT 1")];
    let csv = print(Format::Csv, None, &rows);
    assert_eq!(csv.lines().count(), 2);
    assert_eq!(print(Format::Csv, None, &[]), render::csv_header());
    let json = print(Format::Json, None, &rows);
    assert_eq!(render::read_json(json.trim_end()).unwrap(), rows[0]);
}

#[test]
fn the_live_stream_is_filtered_and_says_what_it_missed() {
    let reply = |row: &Row| Ok(Reply::Row(serde_json::from_str(&render::json(row)).unwrap()));
    let rows = [row("forward", "SELECT 1"), row("deny", "SELECT 2")];
    let stream = [reply(&rows[0]), Ok(Reply::Missed(7)), reply(&rows[1])];
    let mut out = Vec::new();
    let mut printer = Printer::new(&mut out, Format::Table, None, Paint::off()).in_zone(TimeZone::UTC);
    let denied = Filter { verdict: Some(Verdict::Deny), ..Filter::default() };
    follow(stream.into_iter(), &denied, &mut printer).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(
        text.contains("7 rows came too fast") && text.contains("SELECT 2") && !text.contains("SELECT 1"),
        "{text}"
    );
}
