//! The shape of a statement: its text without its constants.
//!
//! Two texts of one shape are the same tokens but for the values of plain numbers and plain strings, each of the same
//! class. Whether a reading may stand for its whole shape is for the reading to say: it names the constants it looked
//! at, and those must be among the ones that the shape kept.

use super::lexer::{Kind, Lexer, Token, is_word};

/// Stands before the class of a constant left out; a text that holds it has no shape.
const MARK: u8 = 1;
/// Longer texts are not worth a second cache.
const BYTES_MAX: usize = 16 << 10;
/// The largest plain integer that the grammar takes as one.
const INTEGER_MAX: &[u8] = b"2147483647";

/// A statement's text without its constants.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Shape {
    /// The text, each constant replaced by a mark and its class.
    pub(super) key: Vec<u8>,
    /// Where the constants began that were not replaced.
    kept: Vec<i32>,
}

impl Shape {
    /// Are all those positions of constants that the key holds?
    pub(super) fn kept_all(&self, looked_at: &[i32]) -> bool {
        looked_at.iter().all(|at| self.kept.contains(at))
    }
}

/// The shape of `text`; `None` where it has no constants to leave out, or has something that makes it doubtful.
pub(super) fn of(text: &[u8]) -> Option<Shape> {
    if text.len() > BYTES_MAX || memchr::memchr(MARK, text).is_some() {
        return None;
    }
    let mut shape = Shape { key: Vec::with_capacity(text.len()), kept: Vec::new() };
    let (mut copied, mut replaced) = (0, false);
    let mut before: [Option<Token>; 2] = [None, None];
    for token in Lexer::new(text) {
        let class = match token.kind {
            Kind::Other => return None,
            // Two strings in a row are one constant, or an error: left to the parser.
            Kind::Text if before.iter().flatten().next_back().is_some_and(|last| last.kind == Kind::Text) => {
                return None;
            }
            Kind::Text => Some(b's'),
            Kind::Number => number_class(text.get(token.start..token.end)?),
            Kind::Word if before == [None, None] && !starts_plain_statement(word(text, token)) => {
                return None;
            }
            _ => None,
        };
        if class == Some(b'?') {
            return None;
        }
        if let Some(class) = class {
            if is_kept(text, before, token) {
                shape.kept.push(i32::try_from(token.start).ok()?);
            } else {
                shape.key.extend_from_slice(text.get(copied..token.start)?);
                shape.key.extend_from_slice(&[MARK, class]);
                copied = token.end;
                replaced = true;
            }
        }
        before = [before[1], Some(token)];
    }
    shape.key.extend_from_slice(text.get(copied..)?);
    replaced.then_some(shape)
}

/// Has `text` the shape of that key? Then `of` would make the same key of it; a key without a mark is a text of its own.
/// The other way it need not be: what begins with a point, or is not ASCII, fits nothing.
///
/// What stands between the constants is compared byte by byte, the constants are scanned: the lexer looks at nothing
/// before a token and, in what is equal, at no more of a constant than the byte it begins with.
pub(super) fn fits(key: &[u8], text: &[u8]) -> bool {
    if text.len() > BYTES_MAX {
        return key == text;
    }
    fits_from(key, text, 0).is_some()
}

fn fits_from(mut key: &[u8], text: &[u8], mut at: usize) -> Option<()> {
    while let Some(mark) = memchr::memchr(MARK, key) {
        let (piece, rest) = key.split_at_checked(mark)?;
        let (&[_, class], rest) = rest.split_first_chunk::<2>()?;
        let after = at + piece.len();
        (text.get(at..after)? == piece).then_some(())?;
        at = constant_end(text, after, class)?;
        key = rest;
    }
    (text.get(at..)? == key).then_some(())
}

/// The end of the constant of that class that begins at `start`.
fn constant_end(text: &[u8], start: usize, class: u8) -> Option<usize> {
    let token = Lexer::at(text, start).next().filter(|token| token.start == start)?;
    let constant = text.get(start..token.end)?;
    let same = match (token.kind, class) {
        (Kind::Text, b's') => constant.is_ascii() && memchr::memchr(MARK, constant).is_none(),
        // After `a`, `.5` is a number, and 5 is not. A point may belong to what is before it.
        (Kind::Number, _) => {
            let before = start.checked_sub(1).and_then(|at| text.get(at));
            constant.first() != Some(&b'.')
                && !before.copied().is_some_and(is_word)
                && number_class(constant) == Some(class)
        }
        _ => false,
    };
    same.then_some(token.end)
}

fn word(text: &[u8], token: Token) -> &[u8] {
    text.get(token.start..token.end).unwrap_or_default()
}

fn starts_plain_statement(word: &[u8]) -> bool {
    ["select", "insert", "update", "delete", "with", "values"]
        .iter()
        .any(|verb| word.eq_ignore_ascii_case(verb.as_bytes()))
}

/// The grammar tells integers from other numbers, so a shape does too; `?` is one it is not sure of.
fn number_class(digits: &[u8]) -> Option<u8> {
    let integer = digits.iter().all(u8::is_ascii_digit);
    Some(match digits.len() {
        _ if !integer => b'f',
        ..=9 => b'i',
        _ if digits.first() == Some(&b'0') => b'?',
        10 if digits <= INTEGER_MAX => b'i',
        _ => b'f',
    })
}

/// Row limits are facts of a reading, and the grammar itself looks at the precision of some types: those stay.
fn is_kept(text: &[u8], before: [Option<Token>; 2], token: Token) -> bool {
    if token.kind != Kind::Number {
        return false;
    }
    let [earlier, last] = before;
    let is = |token: Option<Token>, words: &[&str]| {
        token.is_some_and(|token| {
            token.kind == Kind::Word
                && words.iter().any(|name| word(text, token).eq_ignore_ascii_case(name.as_bytes()))
        })
    };
    is(last, &["limit", "first", "next"])
        || last.is_some_and(|last| last.kind == Kind::Symbol(b'('))
            && is(earlier, &["float", "localtime", "localtimestamp", "current_time", "current_timestamp"])
}

/// The key of the shape of `text`.
#[cfg(test)]
pub(super) fn key_of(text: &[u8]) -> Option<Vec<u8>> {
    of(text).map(|shape| shape.key)
}

#[cfg(test)]
mod tests;
