//! IBANs: two letters, two check digits, then what the country has, together or in groups of four.

use super::{byte, is_alphanumeric, next_word};
use std::ops::Range;

/// Length by country, check digits and country included (SWIFT IBAN registry, release 97).
const LENGTHS: [(&[u8; 2], usize); 84] = [
    (b"AD", 24),
    (b"AE", 23),
    (b"AL", 28),
    (b"AT", 20),
    (b"AZ", 28),
    (b"BA", 20),
    (b"BE", 16),
    (b"BG", 22),
    (b"BH", 22),
    (b"BI", 27),
    (b"BR", 29),
    (b"BY", 28),
    (b"CH", 21),
    (b"CR", 22),
    (b"CY", 28),
    (b"CZ", 24),
    (b"DE", 22),
    (b"DJ", 27),
    (b"DK", 18),
    (b"DO", 28),
    (b"EE", 20),
    (b"EG", 29),
    (b"ES", 24),
    (b"FI", 18),
    (b"FK", 18),
    (b"FO", 18),
    (b"FR", 27),
    (b"GB", 22),
    (b"GE", 22),
    (b"GI", 23),
    (b"GL", 18),
    (b"GR", 27),
    (b"GT", 28),
    (b"HR", 21),
    (b"HU", 28),
    (b"IE", 22),
    (b"IL", 23),
    (b"IQ", 23),
    (b"IS", 26),
    (b"IT", 27),
    (b"JO", 30),
    (b"KW", 30),
    (b"KZ", 20),
    (b"LB", 28),
    (b"LC", 32),
    (b"LI", 21),
    (b"LT", 20),
    (b"LU", 20),
    (b"LV", 21),
    (b"LY", 25),
    (b"MC", 27),
    (b"MD", 24),
    (b"ME", 22),
    (b"MK", 19),
    (b"MN", 20),
    (b"MR", 27),
    (b"MT", 31),
    (b"MU", 30),
    (b"NI", 28),
    (b"NL", 18),
    (b"NO", 15),
    (b"OM", 23),
    (b"PK", 24),
    (b"PL", 28),
    (b"PS", 29),
    (b"PT", 25),
    (b"QA", 29),
    (b"RO", 24),
    (b"RS", 22),
    (b"RU", 33),
    (b"SA", 24),
    (b"SC", 31),
    (b"SD", 18),
    (b"SE", 24),
    (b"SI", 19),
    (b"SK", 24),
    (b"SM", 27),
    (b"SO", 23),
    (b"ST", 25),
    (b"SV", 28),
    (b"TL", 23),
    (b"TN", 24),
    (b"TR", 26),
    (b"UA", 29),
];

pub(super) fn find(text: &[u8], found: &mut Vec<Range<usize>>) {
    let mut at = 0;
    while let Some(begin) = next_word(text, at) {
        at = match end(text, begin) {
            Some(end) => {
                found.push(begin..end);
                end
            }
            None => begin + 1,
        };
    }
}

fn end(text: &[u8], begin: usize) -> Option<usize> {
    let country = [byte(text, begin)?.to_ascii_uppercase(), byte(text, begin + 1)?.to_ascii_uppercase()];
    let (_, length) = LENGTHS.iter().find(|(code, _)| **code == country)?;
    let checks = [byte(text, begin + 2)?, byte(text, begin + 3)?];
    if !checks.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let mut at = begin;
    let mut compact = [0_u8; 34];
    for (n, slot) in compact.iter_mut().take(*length).enumerate() {
        if n > 0 && n % 4 == 0 && byte(text, at) == Some(b' ') {
            at += 1;
        }
        *slot = byte(text, at).filter(u8::is_ascii_alphanumeric)?.to_ascii_uppercase();
        at += 1;
    }
    (!is_alphanumeric(byte(text, at)) && is_valid(compact.get(..*length)?)).then_some(at)
}

/// Country and check digits go to the end, letters become 10 to 35; the number modulo 97 is 1.
fn is_valid(iban: &[u8]) -> bool {
    let (lead, rest) = iban.split_at(4.min(iban.len()));
    let remainder = rest.iter().chain(lead).fold(0_u32, |remainder, byte| match byte {
        b'0'..=b'9' => (remainder * 10 + u32::from(byte - b'0')) % 97,
        _ => (remainder * 100 + u32::from(byte.wrapping_sub(b'A')) + 10) % 97,
    });
    remainder == 1
}
