//! What to put in the place of a value.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use std::fmt;

/// What to put in the place of a value.
#[derive(Clone)]
pub enum Redactor {
    /// Nothing.
    Null,
    /// Always the same.
    Fixed(Box<[u8]>),
    /// The last letters and digits stay, up to this many but never more than a third of them; the others become `*`.
    /// What is neither stays, so that the shape can be seen.
    Partial(usize),
    /// 16 hexadecimal digits of HMAC-SHA-256 of the value under this key: equal values stay equal, and without the key
    /// even short ones can't be found by trying.
    Hash(Box<[u8]>),
}

impl fmt::Debug for Redactor {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("Null"),
            Self::Fixed(text) => f.debug_tuple("Fixed").field(&String::from_utf8_lossy(text)).finish(),
            Self::Partial(keep) => f.debug_tuple("Partial").field(keep).finish(),
            Self::Hash(_) => f.write_str("Hash(..)"),
        }
    }
}

impl Redactor {
    /// What the value becomes; `None` is NULL.
    pub fn redact(&self, value: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Null => None,
            Self::Fixed(text) => Some(text.to_vec()),
            Self::Partial(keep) => Some(partial(value, *keep)),
            Self::Hash(key) => Some(hash(key, value)),
        }
    }
}

fn partial(value: &[u8], keep: usize) -> Vec<u8> {
    // Bytes beyond ASCII are parts of letters: cutting between them would leave broken characters, so none is kept.
    let counts = |byte: u8| byte.is_ascii_alphanumeric() || !byte.is_ascii();
    let keep = keep.min(value.iter().filter(|byte| counts(**byte)).count() / 3);
    let mut kept = 0;
    let mut out: Vec<u8> = value
        .iter()
        .rev()
        .map(|byte| {
            if !counts(*byte) {
                return *byte;
            }
            kept += 1;
            if kept <= keep && byte.is_ascii() { *byte } else { b'*' }
        })
        .collect();
    out.reverse();
    out
}

fn hash(key: &[u8], value: &[u8]) -> Vec<u8> {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return b"****************".to_vec(); // HMAC takes keys of any length
    };
    mac.update(value);
    let digest = mac.finalize().into_bytes();
    digest.iter().take(8).flat_map(|byte| format!("{byte:02x}").into_bytes()).collect()
}

#[cfg(test)]
mod tests;
