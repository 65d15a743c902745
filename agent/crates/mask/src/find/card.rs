//! Payment card numbers: 13 to 19 digits, together or in groups joined with single spaces or dashes, right by Luhn.

use super::{byte, is_alphanumeric, next_word, run};
use std::ops::Range;

const DIGITS_MIN: usize = 13;
const DIGITS_MAX: usize = 19;
/// Fewest digits in a group, so that dates and lists of small numbers do not come into question.
const GROUP_MIN: usize = 3;

pub(super) fn find(text: &[u8], found: &mut Vec<Range<usize>>) {
    let mut at = 0;
    while let Some(begin) = next_word(text, at) {
        at = match longest(text, begin) {
            Some(end) => {
                found.push(begin..end);
                end
            }
            None => begin + 1,
        };
    }
}

/// The end of the longest number that begins at `begin`, which begins a word.
fn longest(text: &[u8], begin: usize) -> Option<usize> {
    let (mut digits, mut count, mut at, mut best) = ([0_u8; DIGITS_MAX], 0, begin, None);
    loop {
        // Looks no further than a number can reach: constant time.
        let end = run(text.get(..at + DIGITS_MAX + 1).unwrap_or(text), at, |byte| byte.is_ascii_digit());
        let group = text.get(at..end)?;
        if group.len() < GROUP_MIN || is_alphanumeric(byte(text, end)) {
            return best;
        }
        for digit in group {
            let Some(slot) = digits.get_mut(count) else {
                return best;
            };
            *slot = digit - b'0';
            count += 1;
        }
        if count >= DIGITS_MIN && is_valid(digits.get(..count)?) {
            best = Some(end);
        }
        let joined = matches!(byte(text, end), Some(b' ' | b'-'));
        if !joined || !byte(text, end + 1).is_some_and(|byte| byte.is_ascii_digit()) {
            return best;
        }
        at = end + 1;
    }
}

/// Luhn, and the first digit of an issuer: 2 to 6 (ISO/IEC 7812: banking, travel, merchandising).
fn is_valid(digits: &[u8]) -> bool {
    let sum: u32 = digits.iter().rev().enumerate().fold(0, |sum, (n, digit)| {
        let digit = u32::from(*digit);
        sum + if n % 2 == 0 { digit } else { digit * 2 / 10 + digit * 2 % 10 }
    });
    sum.is_multiple_of(10) && matches!(digits.first(), Some(2..=6))
}
