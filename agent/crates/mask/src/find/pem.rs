//! Private keys in PEM (RFC 7468): `-----BEGIN … PRIVATE KEY-----` up to the matching end.

use memchr::memmem;
use std::ops::Range;

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";
/// Longest label, such as `ENCRYPTED PRIVATE KEY`, in bytes.
const LABEL_MAX: usize = 64;

pub(super) fn find(text: &[u8], found: &mut Vec<Range<usize>>) {
    let mut at = 0;
    while let Some(begin) = next(text, at, BEGIN) {
        let Some(body) = private(text, begin + BEGIN.len()) else {
            at = begin + BEGIN.len();
            continue;
        };
        // A key that is cut off is a key nevertheless.
        let end = end(text, body).unwrap_or(text.len());
        found.push(begin..end);
        at = end;
    }
}

fn end(text: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let mark = next(text, at, END)?;
        at = mark + END.len();
        if let Some(end) = private(text, at) {
            return Some(end);
        }
    }
}

fn next(text: &[u8], at: usize, mark: &[u8]) -> Option<usize> {
    memmem::find(text.get(at..)?, mark).map(|offset| at + offset)
}

/// The end of a label that says `PRIVATE KEY` and of the dashes after it.
fn private(text: &[u8], at: usize) -> Option<usize> {
    let rest = text.get(at..)?;
    let rest = rest.get(..rest.len().min(LABEL_MAX)).unwrap_or_default();
    let length = memmem::find(rest, b"-----")?;
    let label = rest.get(..length)?;
    let is_label =
        label.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b' ');
    let private = label.ends_with(b"PRIVATE KEY") || label.ends_with(b"PRIVATE KEY BLOCK");
    (is_label && private).then_some(at + length + 5)
}
