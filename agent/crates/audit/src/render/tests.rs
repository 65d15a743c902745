//! Rows as text and back.

use super::*;
use crate::row::tests::{any_row, sample};
use proptest::prelude::*;

proptest! {
    #[test]
    fn json_comes_back(row in any_row()) {
        let text = json(&row);
        prop_assert!(!text.chars().any(steers));
        prop_assert_eq!(read_json(&text).unwrap(), row);
    }

    #[test]
    fn times_come_back(time in -62_135_596_800_000_000..253_402_300_800_000_000_i64) {
        prop_assert_eq!(parse_time(&show_time(time)), Some(time));
    }

    #[test]
    fn any_text_is_harmless(text in ".{0,40}") {
        let _ = (parse_time(&text), read_json(&text));
    }
}

#[test]
fn times_are_what_they_say() {
    assert_eq!(show_time(0), "1970-01-01T00:00:00.000000Z");
    assert_eq!(show_time(951_782_400_000_001), "2000-02-29T00:00:00.000001Z");
    assert_eq!(show_time(-1), "1969-12-31T23:59:59.999999Z");
    assert_eq!(parse_time("2000-02-30T00:00:00.000001Z"), None);
}

#[test]
fn csv_has_a_field_for_each_column() {
    let mut row = sample(3);
    row.statement = "SELECT \"a\", 1\r\n".into();
    let mut csv = String::new();
    write_csv(&row, &mut csv);
    assert!(csv.contains(",\"SELECT \"\"a\"\", 1\r\n\","), "{csv}");
    assert!(csv.contains("\"[\"\"table public.orders\"\",\"\"column public.orders.total\"\"]\""), "{csv}");
    assert_eq!(csv_header().split(',').count(), COLUMNS.len());
    assert!(csv.ends_with("\r\n"));
}

#[test]
fn json_that_does_not_fit_is_named() {
    assert_eq!(read_json("{\"pid\":\"x\"}").unwrap_err(), "the row's `pid` is not a UInt32");
    assert!(read_json("[]").unwrap_err().starts_with("the row is not a JSON object"));
    assert!(read_json("{\"verdict\":\"maybe\"}").is_err() && read_json("{\"new_column\":1}").is_ok());
}

#[test]
fn values_by_name() {
    assert_eq!(value(&sample(3), "destination").as_deref(), Some("::ffff:127.0.0.1"));
    assert_eq!(value(&sample(3), "binds").as_deref(), Some("[\"3\",null]"));
    assert_eq!(value(&sample(3), "nothing"), None);
}
