//! Redactors show no more than they say.

use super::*;
use proptest::prelude::*;

fn partial_of(text: &str, keep: usize) -> String {
    String::from_utf8(Redactor::Partial(keep).redact(text.as_bytes()).unwrap()).unwrap()
}

#[test]
fn the_last_ones_stay() {
    assert_eq!(partial_of("4111-1111-1111-1234", 4), "****-****-****-1234");
    assert_eq!(partial_of("DE89 3704 0044 0532 0130 00", 4), "**** **** **** **** **30 00");
    assert_eq!(partial_of("secret", 4), "****et", "at most a third");
    assert_eq!(partial_of("ab", 4), "**");
    assert_eq!(partial_of("", 4), "");
    assert_eq!(partial_of("zoë@x.org", 2), "****@*.*rg");
}

#[test]
fn hashes_are_keyed_and_equal_for_equals() {
    let hash = |key: &[u8], value: &[u8]| Redactor::Hash(key.into()).redact(value).unwrap();
    assert_eq!(hash(b"k", b"v"), hash(b"k", b"v"));
    assert_ne!(hash(b"k", b"v"), hash(b"l", b"v"));
    assert_ne!(hash(b"k", b"v"), hash(b"k", b"w"));
    // RFC 4231, test case 2.
    assert_eq!(hash(b"Jefe", b"what do ya want for nothing?"), b"5bdcc146bf60754e");
    assert_eq!(format!("{:?}", Redactor::Hash(b"secret"[..].into())), "Hash(..)");
}

#[test]
fn null_and_fixed() {
    assert_eq!(Redactor::Null.redact(b"x"), None);
    assert_eq!(Redactor::Fixed(b"***"[..].into()).redact(b"x"), Some(b"***".to_vec()));
}

proptest! {
    #[test]
    fn partial_keeps_the_length_and_hides_two_thirds(value in prop::collection::vec(any::<u8>(), 0..80), keep in 0..40_usize) {
        let out = Redactor::Partial(keep).redact(&value).unwrap();
        prop_assert_eq!(out.len(), value.len());
        let visible = out.iter().filter(|byte| byte.is_ascii_alphanumeric()).count();
        let all = value.iter().filter(|byte| byte.is_ascii_alphanumeric() || !byte.is_ascii()).count();
        prop_assert!(visible <= keep && visible * 3 <= all);
    }
}
