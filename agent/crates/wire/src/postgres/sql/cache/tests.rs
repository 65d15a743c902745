//! What is found again, and that nothing grows without bound.

use super::super::tests::{reader, scope};
use super::{BYTES_MAX, ENTRIES_MAX, SHARDS};
use std::sync::Arc;

#[test]
fn equal_text_in_an_equal_scope_is_found() {
    let (reader, here) = (reader(), scope(&["public"]));
    let first = reader.read(&here, b"SELECT a FROM t");
    assert!(Arc::ptr_eq(&first, &reader.read(&scope(&["public"]), b"SELECT a FROM t")));
    assert!(!Arc::ptr_eq(&first, &reader.read(&scope(&["app"]), b"SELECT a FROM t")));
    assert!(!Arc::ptr_eq(&first, &reader.read(&here, b"SELECT a FROM t ")));
    assert_eq!(reader.shared.cache.len(), (3, 0));
}

#[test]
fn schemas_that_run_together_differ() {
    let reader = reader();
    let one = reader.read(&scope(&["ab", "c"]), b"SELECT a FROM t");
    let other = reader.read(&scope(&["a", "bc"]), b"SELECT a FROM t");
    assert_ne!(one.meaning.accesses, other.meaning.accesses);
}

#[test]
fn statements_of_one_shape_share_a_reading() {
    let (reader, scope) = (reader(), scope(&["public"]));
    let first = reader.read(&scope, b"SELECT a FROM t WHERE b = 1 AND c = 'x'");
    assert!(Arc::ptr_eq(&first, &reader.read(&scope, b"SELECT a FROM t WHERE b = 2 AND c = 'it''s'")));
    assert_eq!(reader.shared.cache.len(), (0, 1));
}

#[test]
fn a_key_of_a_shape_is_no_statement() {
    let (reader, scope) = (reader(), scope(&["public"]));
    let good = reader.read(&scope, b"SELECT a FROM t WHERE b = 1");
    let raw = reader.read(&scope, b"SELECT a FROM t WHERE b = \x01i");
    assert_ne!(good.meaning, raw.meaning);
}

#[test]
fn readings_that_depend_on_a_constant_are_not_shared() {
    let (reader, scope) = (reader(), scope(&["public"]));
    for (one, other) in [
        ("SELECT set_config('a', '1', false)", "SELECT set_config('b', '1', false)"),
        ("SELECT nextval('a'), 1", "SELECT nextval('b'), 1"),
        ("SELECT pg_read_file('/a')", "SELECT pg_read_file('/b')"),
        ("SELECT a FROM t WHERE b = 1 LIMIT 1", "SELECT a FROM t WHERE b = 1 LIMIT 2"),
        ("SELECT a FROM t LIMIT +1", "SELECT a FROM t LIMIT +2"),
        ("SELECT a FROM t LIMIT (1)", "SELECT a FROM t LIMIT (2)"),
        ("SELECT pg_notify('a', 'x')", "SELECT pg_notify('b', 'x')"),
    ] {
        let (one, other) = (reader.read(&scope, one.as_bytes()), reader.read(&scope, other.as_bytes()));
        assert!(!Arc::ptr_eq(&one, &other) || one.meaning.facts.limit.is_none(), "{one:?}");
    }
}

#[test]
fn it_stays_within_its_bounds() {
    let (reader, scope) = (reader(), scope(&["public"]));
    for number in 0..(SHARDS * ENTRIES_MAX) {
        reader.shared.cache.store(
            &scope,
            format!("SELECT a{number}").as_bytes(),
            None,
            &Arc::new(super::super::unreadable("")),
        );
    }
    for number in 0..(3 * SHARDS * ENTRIES_MAX) {
        reader.shared.cache.store(
            &scope,
            format!("SELECT b{number}").as_bytes(),
            None,
            &Arc::new(super::super::unreadable("")),
        );
    }
    assert!(reader.shared.cache.len().0 <= 2 * SHARDS * ENTRIES_MAX);
    let before = reader.shared.cache.len();
    let long = format!("SELECT '{}'", "x".repeat(BYTES_MAX / 2));
    drop(reader.read(&scope, long.as_bytes()));
    assert_eq!(reader.shared.cache.len(), before);
}

#[test]
fn what_is_used_survives_what_is_not() {
    let (reader, scope) = (reader(), scope(&["public"]));
    let kept = reader.read(&scope, b"SELECT kept");
    for number in 0..(6 * SHARDS * ENTRIES_MAX) {
        reader.shared.cache.store(
            &scope,
            format!("SELECT b{number}").as_bytes(),
            None,
            &Arc::new(super::super::unreadable("")),
        );
        if number % 256 == 0 {
            assert!(Arc::ptr_eq(&kept, &reader.read(&scope, b"SELECT kept")));
        }
    }
}
