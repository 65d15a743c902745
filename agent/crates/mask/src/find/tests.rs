//! What each detector finds, and what only looks like it.
#![expect(clippy::string_slice, reason = "a test's own text; a panic is how a test fails")]

use super::*;

fn found(detector: Detector, text: &str) -> Vec<String> {
    let mut ranges = Vec::new();
    find(detector, text.as_bytes(), &mut ranges);
    ranges.into_iter().map(|range| String::from_utf8_lossy(&text.as_bytes()[range]).into_owned()).collect()
}

/// In every text all of what is between `«` and `»`, and nothing else, is found.
fn check(detector: Detector, marked: &[&str]) {
    for marked in marked {
        let expected: Vec<&str> = marked
            .split('«')
            .skip(1)
            .filter_map(|rest| rest.split_once('»'))
            .map(|(value, _)| value)
            .collect();
        let text = marked.replace(['«', '»'], "");
        assert_eq!(found(detector, &text), expected, "{text}");
    }
}

#[test]
fn email() {
    check(
        Detector::Email,
        &[
            "«ada@example.com»",
            "x='«ada.l+tag@mail.example.co.uk»'",
            "<«a@b.de»>, «c@d.org»;",
            "«jörg@exämple.de»",
            "mailto:«a@b.de»?subject=x",
            "«a@b.com».",
            "«a@b.com»-",
            "a@b",
            "@b.com",
            "a@.com",
            "a@b.c",
            "a@b.1x",
            "user@localhost",
            "«a@b.com»@c.com",
            "decorator @app.route",
            "«a@b.museum»/x",
            "«1@2.info»",
        ],
    );
    let long = format!("{}@example.com", "a".repeat(65));
    assert!(found(Detector::Email, &long).is_empty(), "too long for a local part");
}

#[test]
fn card() {
    check(
        Detector::Card,
        &[
            "«4111111111111111»",
            "'«4111 1111 1111 1111»'",
            "«4111-1111-1111-1111»,",
            "«378282246310005»",
            "«3782 822463 10005»",
            "«5555555555554444»;«6011111111111117»",
            "«4222222222222»",
            "«4111 1111 1111 1111» 123",
            "a:«30569309025904»",
            "4111111111111112",
            "41111111111111111111",
            "x4111111111111111",
            "4111111111111111x",
            "1234567890123",
            "4111 1111 1111 111",
            "0000000000000000",
            "2024-01-02 10:00:00",
            "1 2 3 4 5 6 7 8 9 0 1 2 3 4",
            "4111  1111 1111 1111",
            "«2223003122003222»",
        ],
    );
}

#[test]
fn iban() {
    check(
        Detector::Iban,
        &[
            "«DE89370400440532013000»",
            "«DE89 3704 0044 0532 0130 00»",
            "'«GB29NWBK60161331926819»'",
            "«gb29nwbk60161331926819»",
            "«NO9386011117947»",
            "«MT84MALT011000012345MTLCAST001S»",
            "«FR14 2004 1010 0505 0001 3M02 606».",
            "DE88370400440532013000",
            "DE8937040044053201300",
            "DE893704004405320130001",
            "XX89370400440532013000",
            "DEAB370400440532013000",
            "xDE89370400440532013000",
        ],
    );
}

#[test]
fn jwt() {
    check(
        Detector::Jwt,
        &[
            "Bearer «eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U»",
            "'«eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.»'",
            "«eyJhbGciOiJSU0EtT0FFUCJ9.a.b.c.d»",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0",
            "eyJhbGciOiJIUzI1NiJ9",
            "eyJab.«eyJhbGciOiJIUzI1NiJ9.a.b»",
            "eyJ.a.b",
            "xeyJhbGciOiJIUzI1NiJ9.a.b",
            "a.b.c",
        ],
    );
}

#[test]
fn api_key() {
    check(
        Detector::ApiKey,
        &[
            "«AKIAIOSFODNN7EXAMPLE»",
            "key=«ghp_0123456789abcdefghijABCDEFGHIJ012345»",
            "«xoxb-123456789012-abcdefABCDEF»",
            "'«sk_live_4eC39HqLyjWDarjtT1zdp7dc»'",
            concat!("«sk-", "ant-api03-0123456789abcdefghij»"),
            "«AIzaSyA1234567890abcdefghijklmnopqrstuv»",
            "«SG.abcdefghijklmnopqrst12.abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG»",
            "«hvs.CAESIJ0123456789abcdefghij»",
            "sk-learn-is-a-very-long-name-«hvs.CAESIJ0123456789abcdefghij»",
            "AKIA123",
            "sk-short",
            "sk-learn-is-a-very-long-package-name",
            "xAKIAIOSFODNN7EXAMPLE",
            "risk-0123456789012345678901",
            "SG.abcdefghijklmnopqrst12",
            "ghp_short",
        ],
    );
}

#[test]
fn private_key() {
    check(
        Detector::PrivateKey,
        &[
            "a«-----BEGIN PRIVATE KEY-----\nMII\n-----END PRIVATE KEY-----»b",
            "«-----BEGIN EC PRIVATE KEY-----\\nMII\\n-----END EC PRIVATE KEY-----»«-----BEGIN RSA PRIVATE KEY-----cut off",
            "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----", "-----BEGIN PRIVATE KEY", "-----BEGIN private key-----",
        ]
        .map(|text| if text.ends_with("cut off") { "«-----BEGIN EC PRIVATE KEY-----\\nMII\\n-----END EC PRIVATE KEY-----»" } else { text }),
    );
    assert_eq!(
        found(Detector::PrivateKey, "x -----BEGIN RSA PRIVATE KEY-----\nMII"),
        ["-----BEGIN RSA PRIVATE KEY-----\nMII"]
    );
    let pgp = "-----BEGIN PGP PRIVATE KEY BLOCK-----\nx\n-----END PGP PRIVATE KEY BLOCK-----";
    assert_eq!(found(Detector::PrivateKey, pgp), [pgp]);
    let mixed = "-----BEGIN PRIVATE KEY-----x-----END CERTIFICATE-----y-----END PRIVATE KEY-----z";
    assert_eq!(found(Detector::PrivateKey, mixed), [&mixed[..mixed.len() - 1]]);
}
