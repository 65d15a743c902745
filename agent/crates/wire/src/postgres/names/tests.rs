//! What a name may stand for while replies are outstanding.

use super::Names;
use bytes::Bytes;

const NAMED: &[u8] = b"s";

fn possible(names: &Names<char>, name: &[u8], segment: u64) -> String {
    names.possible(name, segment).collect()
}

#[test]
fn a_second_definition_leaves_both_possible_until_a_reply() {
    let mut names = Names::new(8);
    let name = Bytes::from_static(NAMED);
    names.define(&name, 1, 1, 'a').unwrap();
    names.define(&name, 2, 1, 'b').unwrap();
    assert_eq!(possible(&names, NAMED, 1), "ab");
    names.fail(NAMED, 2);
    assert_eq!(possible(&names, NAMED, 1), "a");
    names.define(&name, 3, 2, 'c').unwrap();
    names.confirm(NAMED, 3);
    assert_eq!(possible(&names, NAMED, 2), "c");
}

#[test]
fn the_unnamed_is_exact_within_its_segment_only() {
    let mut names = Names::new(8);
    names.define(&Bytes::new(), 1, 1, 'a').unwrap();
    names.define(&Bytes::new(), 2, 2, 'b').unwrap();
    assert_eq!(possible(&names, b"", 2), "b");
    assert_eq!(possible(&names, b"", 3), "ab");
    names.confirm(b"", 2);
    assert_eq!(possible(&names, b"", 3), "b");
}

#[test]
fn release_keeps_what_was_defined_later() {
    let mut names = Names::new(8);
    let name = Bytes::from_static(NAMED);
    names.define(&name, 1, 1, 'a').unwrap();
    names.define(&name, 3, 1, 'b').unwrap();
    names.release(NAMED, 2);
    assert_eq!(possible(&names, NAMED, 1), "b");
    names.release_all(9);
    assert_eq!(possible(&names, NAMED, 1), "");
}

#[test]
fn names_are_bounded() {
    let mut names = Names::new(1);
    names.define(&Bytes::from_static(b"a"), 1, 1, 'a').unwrap();
    names.define(&Bytes::from_static(b"b"), 2, 1, 'b').unwrap_err();
    for seq in 2..1_025 {
        let what = if seq % 2 == 0 { 'b' } else { 'a' };
        names.define(&Bytes::from_static(b"a"), seq, 1, what).unwrap();
    }
    names.define(&Bytes::from_static(b"a"), 2_000, 1, 'b').unwrap();
    names.define(&Bytes::from_static(b"a"), 2_001, 1, 'c').unwrap_err();
}

#[test]
fn equal_definitions_in_a_row_count_once_and_survive_the_failure_of_one() {
    let mut names = Names::new(8);
    let name = Bytes::from_static(NAMED);
    names.define(&name, 1, 1, 'a').unwrap();
    names.define(&name, 2, 1, 'a').unwrap();
    assert_eq!(possible(&names, NAMED, 1), "a");
    names.fail(NAMED, 2);
    assert_eq!(possible(&names, NAMED, 1), "a");
    names.confirm(NAMED, 3);
    assert_eq!(possible(&names, NAMED, 1), "");
}
