//! What is found in the memory of a session is what all sessions would be given.

use super::super::tests::{reader, scope};
use super::super::{Reader, shape};
use super::{ENTRIES_MAX, Recent};
use proptest::prelude::*;
use std::sync::Arc;

/// Pieces of statements: constants of every class, what only looks like one, and what stands between.
const PIECES: &[&str] = &[
    "1",
    "22",
    "0",
    "4294967296",
    "0000000001",
    "1.5",
    ".5",
    "1e3",
    "1e",
    "0x1f",
    "1_000",
    "'a'",
    "'it''s'",
    "''",
    "'\u{e9}'",
    "'a\\b'",
    "'open",
    "'\u{1}'",
    "E'a'",
    "U&'a'",
    "b'1'",
    "$1",
    "$$a$$",
    "$t$",
    "\"q\"",
    "a",
    "e",
    "u&",
    "t.",
    ".",
    "..",
    ",",
    "(",
    ")",
    "-",
    "--",
    "/*",
    "*/",
    "=",
    "::",
    "limit",
    "float(",
    "\n",
    "\r\n",
    " ",
    " ",
    " ",
    "\u{1}i",
    "\u{1}s",
    "\u{1}",
    ";",
];

fn statement() -> impl Strategy<Value = String> {
    let verb = prop::sample::select(vec![
        "select ",
        "SELECT a FROM t WHERE b = ",
        "insert into t values (",
        "set x = ",
    ]);
    (verb, prop::collection::vec(prop::sample::select(PIECES.to_vec()), 0..8))
        .prop_map(|(verb, pieces)| verb.to_owned() + &pieces.concat())
}

/// Two statements that differ in a few pieces, so that they are often of one shape.
fn pair() -> impl Strategy<Value = (String, String)> {
    let piece = || prop::sample::select(PIECES.to_vec());
    let both = prop_oneof![3 => piece().prop_map(|it| (it, it)), 2 => (piece(), piece())];
    let sides = |pairs: Vec<(&str, &str)>| {
        let (one, other): (String, String) = pairs.into_iter().unzip();
        (format!("select {one}"), format!("select {other}"))
    };
    prop::collection::vec(both, 0..8).prop_map(sides)
}

/// Found by the property below: after a word, a number that begins with a point is one, and another is none.
#[test]
fn a_word_takes_the_digits_behind_it() {
    let key = shape::key_of(b"select a.5").unwrap();
    assert_eq!(key, b"select a\x01f");
    for other in ["select a4294967296", "select a1.5", "select a.6"] {
        assert!(!shape::fits(&key, other.as_bytes()), "{other}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_fits_a_shape_has_it((one, other) in pair()) {
        if let Some(key) = shape::key_of(one.as_bytes()) {
            // Characters beyond ASCII and numbers that begin with a point are left to the lexer.
            let plain = one.is_ascii() && !one.contains('.');
            prop_assert!(shape::fits(&key, one.as_bytes()) || !plain, "{}", one);
            if shape::fits(&key, other.as_bytes()) {
                prop_assert_eq!(shape::key_of(other.as_bytes()), Some(key), "{} / {}", one, other);
            }
        }
    }

    #[test]
    fn only_itself_fits_a_text_of_its_own(one in statement(), other in statement()) {
        if !one.contains('\u{1}') {
            prop_assert!(shape::fits(one.as_bytes(), one.as_bytes()));
            prop_assert_eq!(shape::fits(one.as_bytes(), other.as_bytes()), one == other);
        } else {
            prop_assert!(!shape::fits(one.as_bytes(), one.as_bytes()));
        }
    }
}

fn again(reader: &Reader, recent: &mut Recent, text: &str) -> bool {
    let here = SCOPE.with(Arc::clone);
    let known = recent.find(&here, text.as_bytes());
    let read = reader.read_again(recent, &here, text.as_bytes());
    let fresh = reader.read(&here, text.as_bytes());
    assert_eq!(*read, *fresh, "{text}");
    known.is_some_and(|known| Arc::ptr_eq(&known, &fresh))
}

thread_local! {
    static SCOPE: Arc<super::Scope> = scope(&["public"]);
}

#[test]
fn a_loop_of_statements_is_remembered_from_its_second_round_on() {
    let (reader, mut recent) = (reader(), Recent::default());
    for round in 0..5 {
        let statements = [
            "BEGIN".to_owned(),
            format!("UPDATE t SET a = {round} WHERE b = 'x{round}'"),
            format!("SELECT a FROM t WHERE b = {round} LIMIT 1"),
            "END".to_owned(),
        ];
        for text in statements {
            assert_eq!(again(&reader, &mut recent, &text), round >= 2, "{round}: {text}");
        }
    }
    assert!(!again(&reader, &mut recent, "SELECT a FROM t WHERE b = 1 LIMIT 2"));
    assert_eq!(recent.entries.len(), 4);
}

#[test]
fn it_is_bounded_and_forgets_what_is_not_used() {
    let (reader, mut recent) = (reader(), Recent::default());
    for number in 0..100 {
        for _ in 0..2 {
            again(&reader, &mut recent, &format!("SELECT a{number} FROM t"));
        }
        assert!(again(&reader, &mut recent, &format!("SELECT a{number} FROM t")));
    }
    assert_eq!(recent.entries.len(), ENTRIES_MAX);
    let long = format!("SELECT '{}', a", "x".repeat(10_000)).replace("SELECT", "SELECT /*b*/ b,");
    let key = "SELECT ".to_owned() + &"b, ".repeat(3_000) + "b";
    for text in [&*long, &*key] {
        for _ in 0..3 {
            again(&reader, &mut recent, text);
        }
    }
    assert!(recent.entries.iter().all(|entry| entry.key.len() <= super::BYTES_MAX));
}

#[test]
fn another_scope_is_another_memory() {
    let (reader, mut recent) = (reader(), Recent::default());
    let (here, there) = (scope(&["public"]), scope(&["app"]));
    let text = b"SELECT a FROM t";
    for _ in 0..2 {
        reader.read_again(&mut recent, &here, text);
    }
    assert!(recent.find(&here, text).is_some());
    assert!(recent.find(&there, text).is_none());
    let elsewhere = reader.read_again(&mut recent, &there, text);
    assert_ne!(elsewhere, reader.read_again(&mut recent, &here, text));
}

#[test]
fn a_text_with_a_mark_is_not_remembered() {
    let (reader, mut recent) = (reader(), Recent::default());
    for _ in 0..3 {
        assert!(!again(&reader, &mut recent, "SELECT a FROM t WHERE b = \u{1}i"));
    }
    assert!(recent.entries.is_empty());
}
