//! Which statements have a shape, and which share one.

use super::of;

fn key(text: &str) -> String {
    String::from_utf8(of(text.as_bytes()).unwrap().key).unwrap()
}

#[test]
fn constants_of_one_class_are_one_shape() {
    assert_eq!(key("SELECT a FROM t WHERE b = 12"), "SELECT a FROM t WHERE b = \u{1}i");
    assert_eq!(key("SELECT a FROM t WHERE b = 'it''s'"), "SELECT a FROM t WHERE b = \u{1}s");
    assert_eq!(key("SELECT 2147483647"), key("SELECT 1"));
    assert_eq!(key("SELECT 2147483648"), key("SELECT 1.5"));
    assert_ne!(key("SELECT 1"), key("SELECT 1.5"));
    assert_ne!(key("SELECT 1"), key("SELECT  1"));
    assert_ne!(key("SELECT 1"), key("SELECT '1'"));
}

#[test]
fn row_limits_are_kept() {
    assert_eq!(key("SELECT a FROM t WHERE b = 1 LIMIT 5"), "SELECT a FROM t WHERE b = \u{1}i LIMIT 5");
    assert!(of(b"SELECT a FROM t LIMIT 5").is_none());
    let shape = of(b"SELECT 1 LIMIT 5").unwrap();
    assert!(shape.kept_all(&[15]));
    assert!(!shape.kept_all(&[7]));
    assert!(!shape.kept_all(&[-1]));
}

#[test]
fn what_is_doubtful_has_no_shape() {
    for text in [
        "SELECT a FROM t",
        "SET x = 1",
        "COPY t FROM '/x'",
        "SELECT E'a', 1",
        "SELECT U&'a', 1",
        "SELECT U&\"d!0061\" UESCAPE '!', 1",
        "SELECT $$a$$, 1",
        "SELECT 'a\\b', 1",
        "SELECT 'a' 'b'",
        "SELECT 'a'\n'b'",
        "SELECT 1 -- \u{1}",
        "SELECT 0x1f, 1",
        "SELECT 0000000001",
        "SELECT b'1', 1",
        "SELECT 'open",
    ] {
        assert!(of(text.as_bytes()).is_none(), "{text}");
    }
}
