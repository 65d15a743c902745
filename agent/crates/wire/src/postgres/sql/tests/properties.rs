//! Properties of the reader, tried on the statements of the case files and on random text.

use super::super::parse;
use super::{Reader, cases, usual};
use crate::postgres::sql::lexer::{Kind, Lexer};
use crate::{Certainty, Limits};
use proptest::prelude::*;

/// A constant of any class, some of them on the border between two.
fn constant() -> impl Strategy<Value = String> {
    prop_oneof![
        "[0-9]{1,12}",
        "[0-9]{1,3}\\.[0-9]{0,3}",
        "[1-9]e[0-9]",
        "'[ a-z0-9%_.\"-]{0,12}'",
        Just("''".to_owned()),
        Just("'it''s'".to_owned()),
        Just("2147483647".to_owned()),
        Just("2147483648".to_owned()),
        Just("0000000001".to_owned()),
        Just("'search_path'".to_owned()),
        Just("'public.orders_id_seq'".to_owned()),
        Just("'{\"a\": 1}'".to_owned()),
    ]
}

/// The statement with each of its constants replaced by the next of `constants`.
fn with_constants(sql: &str, constants: &[String]) -> String {
    let (mut text, mut copied) = (String::new(), 0);
    let tokens = Lexer::new(sql.as_bytes()).filter(|token| matches!(token.kind, Kind::Number | Kind::Text));
    for (token, constant) in tokens.zip(constants.iter().cycle()) {
        text.push_str(sql.get(copied..token.start).unwrap());
        text.push_str(constant);
        copied = token.end;
    }
    text + sql.get(copied..).unwrap()
}

fn fragments() -> impl Strategy<Value = String> {
    // Numbers in the forms of PostgreSQL 16 are left out: they are `Other`, and may end elsewhere.
    let fragment = prop::sample::select(vec![
        "SELECT ",
        "'",
        "''",
        "\\",
        "\"",
        "$$",
        "$a$",
        "$1",
        "E'",
        "U&'",
        "U&\"",
        "b'1'",
        "x'f'",
        "n'a'",
        "--",
        "/*",
        "*/",
        "\n",
        " ",
        "a",
        "é",
        "1",
        "1.5",
        ".5",
        "1.",
        "..",
        "1e5",
        "e",
        "_",
        "(",
        ")",
        "[",
        "]",
        ",",
        ";",
        ".",
        "::",
        ":=",
        "=>",
        "+",
        "-",
        "*",
        "/",
        "<",
        "=",
        "@",
        "|",
        "\t",
        "\r",
        "\x0b",
        "\x0c",
        " 'a' ",
        "'a'\n'b'",
        "'a'--\n'b'",
        "select$",
        "%",
        "?",
    ]);
    prop::collection::vec(fragment, 0..24).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Whatever was read before, a reading is the one that a reader without memory gives.
    #[test]
    fn shapes_change_no_reading(
        first in prop::collection::vec(constant(), 1..5),
        second in prop::collection::vec(constant(), 1..5),
    ) {
        for sql in cases::statements() {
            let reader = Reader::new(&Limits::default());
            for constants in [&first, &second] {
                let text = with_constants(&sql, constants);
                let fresh = Reader::new(&Limits::default()).read(&usual(), text.as_bytes());
                for _ in 0..2 {
                    prop_assert_eq!(&*reader.read(&usual(), text.as_bytes()), &*fresh, "{}", text);
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn tokens_are_those_of_postgresql(text in fragments()) {
        same_tokens(&text)?;
    }

    #[test]
    fn anything_is_read_without_harm(text in any::<String>()) {
        drop(Reader::new(&Limits::default()).read(&usual(), text.as_bytes()));
    }

    #[test]
    fn a_piece_of_a_statement_is_read_without_harm(pick in any::<prop::sample::Index>(), from in any::<prop::sample::Index>(), cut in any::<prop::sample::Index>()) {
        let statements = cases::statements();
        let sql = &statements[pick.index(statements.len())].as_bytes();
        let from = from.index(sql.len() + 1);
        let to = from + cut.index(sql.len() - from + 1);
        drop(Reader::new(&Limits::default()).read(&usual(), &sql[from..to]));
    }
}

#[test]
fn tokens_of_all_cases_are_those_of_postgresql() {
    for sql in cases::statements() {
        same_tokens(&sql).unwrap();
    }
}

/// Words, names and constants lie where PostgreSQL's own scanner puts them, if it takes the text at all.
fn same_tokens(text: &str) -> Result<(), TestCaseError> {
    use pg_query::protobuf::{KeywordKind, Token};
    let Ok(scanned) = pg_query::scan(text) else { return Ok(()) };
    let theirs: Vec<(usize, usize)> = scanned
        .tokens
        .iter()
        .filter(|token| {
            token.keyword_kind() != KeywordKind::NoKeyword
                || matches!(
                    token.token(),
                    Token::Ident
                        | Token::Uident
                        | Token::Fconst
                        | Token::Sconst
                        | Token::Usconst
                        | Token::Bconst
                        | Token::Xconst
                        | Token::Iconst
                        | Token::Param
                )
        })
        .map(|token| (usize::try_from(token.start).unwrap(), usize::try_from(token.end).unwrap()))
        .collect();
    let ours: Vec<(usize, usize)> = Lexer::new(text.as_bytes())
        .filter(|token| !matches!(token.kind, Kind::Symbol(_) | Kind::Operator))
        // A character that starts nothing is left to the parser.
        .filter(|token| {
            let alone = token.kind == Kind::Other && token.end - token.start == 1;
            !alone || text.as_bytes()[token.start].is_ascii_digit()
        })
        .map(|token| (token.start, token.end))
        .collect();
    prop_assert_eq!(ours, theirs, "{:?}", text);
    Ok(())
}

#[test]
fn readable_cases_are_not_opaque_for_their_depth() {
    for sql in cases::statements() {
        let parsed = parse::with_tree(&sql, |tree| tree.is_ok());
        let reading = Reader::new(&Limits::default()).read(&usual(), sql.as_bytes());
        assert_eq!(parsed, reading.meaning.certainty != Certainty::Opaque, "{sql}");
    }
}
