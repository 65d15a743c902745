//! Finds values in a piece of text.
//!
//! Every finder promises, and scrubbing relies on it: its time is linear; a match begins and ends where no letter or digit of
//! the text goes on (so cutting it out makes no new beginnings or ends for the others); and what it would find in a part
//! cut along such lines, it finds, or something that overlaps it, in the whole.

mod card;
mod email;
mod iban;
mod jwt;
mod key;
mod pem;

use crate::Detector;
use std::ops::Range;

/// Appends what `detector` finds in `text`, in order, without overlaps.
pub(crate) fn find(detector: Detector, text: &[u8], found: &mut Vec<Range<usize>>) {
    match detector {
        Detector::PrivateKey => pem::find(text, found),
        Detector::Jwt => jwt::find(text, found),
        Detector::ApiKey => key::find(text, found),
        Detector::Email => email::find(text, found),
        Detector::Iban => iban::find(text, found),
        Detector::Card => card::find(text, found),
    }
}

/// The byte at `at`, if there is one.
fn byte(text: &[u8], at: usize) -> Option<u8> {
    text.get(at).copied()
}

fn is_alphanumeric(byte: Option<u8>) -> bool {
    byte.is_some_and(|byte| byte.is_ascii_alphanumeric())
}

/// Does a word begin at `at`: a letter or digit, and none before it?
fn begins_word(text: &[u8], at: usize) -> bool {
    is_alphanumeric(byte(text, at))
        && !at.checked_sub(1).is_some_and(|before| is_alphanumeric(byte(text, before)))
}

/// The next place at or after `at` where a word begins.
fn next_word(text: &[u8], mut at: usize) -> Option<usize> {
    while at < text.len() {
        if begins_word(text, at) {
            return Some(at);
        }
        at += 1;
    }
    None
}

/// The end of the run of bytes from `at` on that `fits`.
fn run(text: &[u8], at: usize, fits: impl Fn(u8) -> bool) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    at + rest.iter().position(|byte| !fits(*byte)).unwrap_or(rest.len())
}

/// A letter or digit, `_` or `-`: what tokens are made of.
fn in_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

#[cfg(test)]
mod tests;
