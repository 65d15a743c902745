//! JSON web tokens: three or five parts of base64url joined with dots, the first of which begins with `{"`.

use super::{byte, in_token, next_word, run};
use std::ops::Range;

/// Shortest header: `{"alg":""}` takes 14.
const HEADER_MIN: usize = 12;

pub(super) fn find(text: &[u8], found: &mut Vec<Range<usize>>) {
    let mut at = 0;
    while let Some(begin) = next_word(text, at) {
        if !text.get(begin..).is_some_and(|rest| rest.starts_with(b"eyJ")) {
            at = begin + 1;
            continue;
        }
        let header = run(text, begin, in_token);
        let payload = part(text, header);
        let signature = payload.and_then(|payload| part(text, payload));
        match signature {
            Some(signature) if header - begin >= HEADER_MIN => {
                let end = part(text, signature).and_then(|end| part(text, end)).unwrap_or(signature);
                found.push(begin..end);
                at = end;
            }
            // What begins later in this part would see the same parts behind it, and a shorter header.
            _ => at = header,
        }
    }
}

/// The end of the part after the dot at `dot`; a part may be empty, as the signature of an unsigned token is.
fn part(text: &[u8], dot: usize) -> Option<usize> {
    (byte(text, dot) == Some(b'.')).then(|| run(text, dot + 1, in_token))
}
