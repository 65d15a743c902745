//! The call into PostgreSQL's grammar, on a stack that its deepest tree fits.

use pg_query::protobuf::ParseResult;

/// Bytes of doubt text taken from the parser: it quotes the statement.
const MESSAGE_BYTES_MAX: usize = 200;

/// Parses `text` and hands the tree, or why there is none, to `then`; the tree does not outlive the call.
pub(super) fn with_tree<T>(text: &str, then: impl FnOnce(Result<ParseResult, String>) -> T) -> T {
    then(match pg_query::parse(text, pg_query::ParserOptions::DEFAULT) {
        Ok(parsed) => Ok(parsed.protobuf),
        Err(pg_query::Error::Decode(_)) => Err("the statement is nested too deeply".to_owned()),
        Err(error) => Err(cut(error.to_string())),
    })
}

/// The fingerprint that statements differing only in constants share; 0 where there is none.
pub(super) fn fingerprint(text: &str) -> u64 {
    pg_query::fingerprint(text, pg_query::ParserOptions::DEFAULT, pg_query::FingerprintOptions::DEFAULT)
        .map_or(0, |fingerprint| fingerprint.value)
}

fn cut(mut message: String) -> String {
    if message.len() > MESSAGE_BYTES_MAX {
        let end = (0..=MESSAGE_BYTES_MAX).rev().find(|at| message.is_char_boundary(*at)).unwrap_or(0);
        message.truncate(end);
        message.push('…');
    }
    message
}
