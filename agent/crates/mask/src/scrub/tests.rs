//! Scrubbing: what goes, what stays, and that it ends there.

use super::*;
use proptest::prelude::*;
use std::time::{Duration, Instant};

fn scrubbed(text: &str) -> String {
    String::from_utf8(scrub(text.as_bytes(), &Detectors::all()).into_owned()).unwrap()
}

#[test]
fn statements_keep_their_shape() {
    assert_eq!(
        scrubbed(
            "INSERT INTO customers VALUES (1, 'ada@example.com', '4111 1111 1111 1111', 'DE89370400440532013000')"
        ),
        "INSERT INTO customers VALUES (1, '[email]', '[card]', '[iban]')"
    );
    assert_eq!(scrubbed("SELECT 'sk_live_4eC39HqLyjWDarjtT1zdp7dc' -- ok"), "SELECT '[api_key]' -- ok");
}

#[test]
fn earlier_detectors_take_the_whole() {
    let key = "-----BEGIN RSA PRIVATE KEY-----\nMIIE ada@example.com 4111111111111111\n-----END RSA PRIVATE KEY-----";
    assert_eq!(scrubbed(&format!("a {key} b")), "a [private_key] b");
    assert_eq!(scrubbed("sk-abc4111111111111111111-----BEGIN PRIVATE KEY-----MII"), "[api_key][private_key]");
}

#[test]
fn redactors_can_be_chosen() {
    let detectors = Detectors::none()
        .with(Detector::Card, Redactor::Partial(4))
        .with(Detector::Email, Redactor::Fixed(b"?"[..].into()))
        .with(Detector::Iban, Redactor::Hash(b"k"[..].into()));
    let text = b"4111-1111-1111-1111 a@b.de GB29NWBK60161331926819 AKIAIOSFODNN7EXAMPLE";
    let out = String::from_utf8(scrub(text, &detectors).into_owned()).unwrap();
    assert!(out.starts_with("****-****-****-1111 ? [iban:"), "{out}");
    assert!(out.ends_with("] AKIAIOSFODNN7EXAMPLE"), "not asked for: {out}");
}

#[test]
fn nothing_found_is_borrowed() {
    for text in ["", "SELECT 1", "é ü 🦀", "2024-01-02 03:04:05", "a@b", "1234 5678 9012 3456"] {
        assert!(matches!(scrub(text.as_bytes(), &Detectors::all()), Cow::Borrowed(_)), "{text}");
    }
    assert!(matches!(scrub(b"ada@example.com", &Detectors::none()), Cow::Borrowed(_)));
}

#[test]
fn time_is_linear_on_hostile_text() {
    let megabyte = 1 << 20;
    for piece in [
        "@",
        "a@",
        "a.a@a.",
        "eyJ-",
        "eyJ.",
        "eyJaaaaaaaaaa.eyJ.",
        "sk-",
        "1 1-",
        "411 ",
        "DE89 ",
        "-----BEGIN ",
        "-----BEGIN PRIVATE KEY----",
        "4",
        "a",
    ] {
        let text = piece.repeat(megabyte / piece.len());
        let begin = Instant::now();
        let _scrubbed = scrub(text.as_bytes(), &Detectors::all());
        assert!(begin.elapsed() < Duration::from_secs(5), "{piece:?} took {:?}", begin.elapsed());
    }
}

/// Pieces that are, or almost are, what detectors look for, to be joined in any way.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "ada@example.com",
        "@",
        "b.co",
        ".",
        "-",
        "_",
        " ",
        "1",
        "x",
        "4111111111111111",
        "4111 1111 1111 1111",
        "411",
        "DE89370400440532013000",
        "GB29 NWBK 6016 1331 9268 19",
        "AKIAIOSFODNN7EXAMPLE",
        "sk-abcdefghij0123456789",
        "ghp_0123456789abcdefghijABCDEFGHIJ012345",
        "eyJhbGciOiJIUzI1NiJ9",
        "eyJzdWIiOiIxIn0",
        "sig",
        "SG.",
        "-----BEGIN PRIVATE KEY-----",
        "-----END PRIVATE KEY-----",
        "-----BEGIN CERTIFICATE-----",
        "é",
        "\n",
        "[email]",
        "[",
        "]",
    ]);
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn scrubbing_twice_is_scrubbing_once(text in pieces()) {
        let once = scrub(text.as_bytes(), &Detectors::all()).into_owned();
        let twice = scrub(&once, &Detectors::all()).into_owned();
        prop_assert_eq!(String::from_utf8_lossy(&twice), String::from_utf8_lossy(&once), "{}", text);
    }

    #[test]
    fn any_bytes_are_taken(text in prop::collection::vec(any::<u8>(), 0..300)) {
        let once = scrub(&text, &Detectors::all()).into_owned();
        prop_assert_eq!(scrub(&once, &Detectors::all()).into_owned(), once);
    }

    #[test]
    fn around_a_find_nothing_changes(before in "[ a-z(),.;'\n]{0,30}[ ('\n]", after in "[ )',;\n][ a-z(),.;'\n]{0,30}") {
        let text = format!("{before}4111111111111111{after}");
        prop_assert_eq!(scrubbed(&text), format!("{before}[card]{after}"));
    }

    #[test]
    fn text_without_special_bytes_stays(text in "[ a-zé(),;'\n*=<>]{0,200}") {
        prop_assert!(matches!(scrub(text.as_bytes(), &Detectors::all()), Cow::Borrowed(_)), "{}", text);
    }
}

#[test]
fn what_a_find_cuts_free_is_found_too() {
    let text = "b.co@SG.AKIAIOSFODNN7EXAMPLE-AKIAIOSFODNN7EXAMPLE";
    assert_eq!(scrubbed(text), "[email]-[api_key]");
}
