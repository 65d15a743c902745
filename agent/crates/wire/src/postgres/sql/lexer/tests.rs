//! What is one token, and what is refused before it is parsed.

use super::{Kind, Lexer, is_readable};

fn tokens(text: &str) -> Vec<(Kind, &str)> {
    Lexer::new(text.as_bytes()).map(|token| (token.kind, text.get(token.start..token.end).unwrap())).collect()
}

#[test]
fn constants_are_told_from_what_only_looks_like_them() {
    for (text, kind) in [
        ("12", Kind::Number),
        ("1.5", Kind::Number),
        (".5", Kind::Number),
        ("1e5", Kind::Number),
        ("1.5E-3", Kind::Number),
        ("0x1f", Kind::Other),
        ("1_000", Kind::Other),
        ("1a", Kind::Other),
        ("'a'", Kind::Text),
        ("'it''s'", Kind::Text),
        ("'a\\b'", Kind::Other),
        ("'a'\n'b'", Kind::Other),
        ("E'a'", Kind::Other),
        ("e'a\\'b'", Kind::Other),
        ("U&'a'", Kind::Other),
        ("U&\"a\"", Kind::Other),
        ("b'1'", Kind::Other),
        ("$$a$$", Kind::Other),
        ("$a$ ' $a$", Kind::Other),
        ("'open", Kind::Other),
        ("$1", Kind::Parameter),
        ("\"a\"\"b\"", Kind::Quoted),
        ("a$1", Kind::Word),
        ("é", Kind::Word),
    ] {
        assert_eq!(tokens(text), [(kind, text)], "{text}");
    }
}

#[test]
fn comments_are_no_tokens() {
    assert_eq!(tokens("a--b\nc/*d/*e*/f*/g"), [(Kind::Word, "a"), (Kind::Word, "c"), (Kind::Word, "g")]);
    assert_eq!(tokens("1+--2\n3"), [(Kind::Number, "1"), (Kind::Operator, "+"), (Kind::Number, "3")]);
}

#[test]
fn depth_is_counted_where_it_adds_up() {
    for (text, depth) in [
        ("((1))", 2),
        ("f(a, g(b), h(c))", 2),
        ("1+1, 1+1", 1),
        ("1+1+1", 2),
        ("(1+1+(1))", 4),
        ("NOT NOT a", 2),
        ("a AND b AND NOT c OR d", 1),
        ("a[1][2]", 1),
        ("'((((' \"((((\" -- ((((", 0),
    ] {
        assert!(is_readable(text.as_bytes(), depth), "{text}");
        assert!(depth == 0 || !is_readable(text.as_bytes(), depth - 1), "{text}");
    }
}

#[test]
fn long_runs_of_operator_characters_are_refused() {
    for form in ["/*", "+", "-+", "*"] {
        assert!(!is_readable(format!("SELECT {}", form.repeat(300)).as_bytes(), 10_000), "{form}");
    }
    assert!(!is_readable(format!("SELECT 1 /* x {}*/", "/*".repeat(200)).as_bytes(), 10_000));
    for text in [
        format!("SELECT 1 -- {}", "-".repeat(1_000)),
        format!("SELECT '{}'", "+".repeat(1_000)),
        format!("/*{} banner {}*/ SELECT 1", "*".repeat(120), "*".repeat(120)),
    ] {
        assert!(is_readable(text.as_bytes(), 256), "{text}");
    }
}
