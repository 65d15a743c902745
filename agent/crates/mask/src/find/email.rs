//! E-mail addresses: `local@domain.tld`, bytes beyond ASCII counting as letters.

use super::{byte, is_alphanumeric, run};
use memchr::memchr_iter;
use std::ops::Range;

/// Longest local part, in bytes (RFC 5321).
const LOCAL_MAX: usize = 64;

pub(super) fn find(text: &[u8], found: &mut Vec<Range<usize>>) {
    let mut free = 0;
    for at in memchr_iter(b'@', text) {
        if at < free {
            continue;
        }
        let before = text.get(free..at).unwrap_or_default();
        let local = before.iter().rev().take_while(|byte| in_local(**byte)).count();
        if local == 0 || local > LOCAL_MAX {
            continue;
        }
        if let Some(end) = domain(text, at + 1) {
            // Whatever word goes on goes with it, so that no digits of it are left to look like a word of their own.
            let end = if is_alphanumeric(byte(text, end)) {
                run(text, end, |byte| byte.is_ascii_alphanumeric())
            } else {
                end
            };
            found.push(at - local..end);
            free = end;
        }
    }
}

fn in_local(byte: u8) -> bool {
    in_label(byte) || matches!(byte, b'.' | b'_' | b'%' | b'+')
}

fn in_label(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || !byte.is_ascii()
}

fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || !byte.is_ascii()
}

/// The end of the longest domain that begins at `at`: labels joined with dots, the last of which begins with two letters.
fn domain(text: &[u8], at: usize) -> Option<usize> {
    let mut end = None;
    let mut label = run(text, at, in_label);
    if label == at {
        return None;
    }
    while byte(text, label) == Some(b'.') {
        let begin = label + 1;
        label = run(text, begin, in_label);
        if label == begin {
            break;
        }
        let letters = run(text, begin, is_letter);
        if letters >= begin + 2 {
            end = Some(letters);
        }
    }
    end
}
