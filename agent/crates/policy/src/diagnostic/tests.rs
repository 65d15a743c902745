//! Places and their display.

use super::*;

#[test]
fn offsets_become_lines_and_columns() {
    let text = "ab\nç d\n";
    assert_eq!(At::offset("f", text, 0), At { file: "f".into(), line: 1, column: 1 });
    assert_eq!(At::offset("f", text, 3), At { file: "f".into(), line: 2, column: 1 });
    assert_eq!(At::offset("f", text, 4), At { file: "f".into(), line: 2, column: 1 }, "inside a character");
    assert_eq!(At::offset("f", text, 6), At { file: "f".into(), line: 2, column: 3 });
    assert_eq!(At::offset("f", text, 600), At { file: "f".into(), line: 3, column: 1 });
}

#[test]
fn shown_as_compilers_do() {
    let error = At::offset("a.cedar", "x", 0).error("bad", "do better");
    assert_eq!(error.to_string(), "a.cedar:1:1: error: bad\n  help: do better");
    assert_eq!(At::file("a.cedar").warning("odd", "").to_string(), "a.cedar: warning: odd");
}
