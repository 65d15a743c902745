//! Hostile and broken frames end in an error that the client is told, or in waiting; never in a panic.

use super::script::*;
use crate::fuzz::{self, Bench};
use crate::postgres::Postgres;
use crate::{Side, Verdict};
use proptest::prelude::*;

#[test]
fn impossible_lengths_are_told_and_end_the_session() {
    for length in [0_i32, 3, -1, i32::MIN] {
        let mut bench = logged_in();
        let mut bytes = vec![b'Q'];
        bytes.extend_from_slice(&length.to_be_bytes());
        bench.data(Side::Client, &bytes);
        assert!(contains(&bench.seen.to_client, "08P01"), "{length}");
        assert!(bench.seen.error.is_some() && bench.seen.to_server.is_empty(), "{length}");
    }
}

#[test]
fn impossible_first_packets_are_told() {
    for packet in [
        vec![0, 0, 0, 0, 0, 3, 0, 0],
        vec![0, 0, 0, 7, 0, 3, 0, 0],
        vec![0x7f, 0xff, 0xff, 0xff, 0, 3, 0, 0],
        request(196_608, b"user\0"),
        request(196_608, b"user\0x\0\0extra"),
        request(196_608, b"\0"),
        request(131_072, b"\0"),
    ] {
        let mut bench = Bench::new(&Postgres, &options());
        bench.data(Side::Client, &packet);
        assert!(contains(&bench.seen.to_client, "FATAL"), "{packet:?}");
        assert!(bench.seen.error.is_some() && bench.seen.to_server.is_empty(), "{packet:?}");
    }
}

#[test]
fn unknown_messages_end_the_session() {
    for kind in (0..=255_u8).filter(|kind| !b"QPBFDCESHcdfX".contains(kind)) {
        let mut bench = logged_in();
        bench.data(Side::Client, &message(kind, b"x"));
        assert!(bench.seen.error.is_some() && bench.seen.to_server.is_empty(), "{kind}");
    }
}

#[test]
fn malformed_requests_are_asked_as_unreadable_and_never_released() {
    for bytes in [
        message(b'Q', b"select 1"),
        message(b'Q', b"select 1\0;drop table x\0"),
        message(b'P', b"\0select 1\0\0\x09"),
        message(b'P', b"\0select 1\0\0\0trailing"),
        message(b'B', b"\0\0\0\x01"),
        message(b'B', b"\0\0\0\0\xff\xff"),
        message(b'F', b"\0"),
    ] {
        let mut bench = logged_in();
        forward(&mut bench, &bytes);
        assert_eq!(bench.seen.asked[0].1, "UNREADABLE", "{bytes:?}");
        assert!(contains(&bench.seen.to_server, "interlock refused"), "{bytes:?}");
        assert!(!contains(&bench.seen.to_server, "select"), "{bytes:?}");
    }
}

#[test]
fn invalid_utf8_is_not_understood() {
    let mut bench = logged_in();
    bench.data(Side::Client, &message(b'Q', b"select '\xff\xfe'\0"));
    assert_eq!(bench.held().unwrap().op().meaning.certainty, crate::Certainty::Opaque);
}

#[test]
fn tls_without_asking_gets_an_alert() {
    let mut bench = Bench::new(&Postgres, &options());
    bench.data(Side::Client, &[0x16, 3, 1, 0, 200, 1]);
    assert_eq!(bench.seen.to_client[0], 0x15);
    assert!(bench.seen.error.is_some());
}

#[test]
fn data_sent_ahead_of_the_login_waits() {
    let mut bench = Bench::new(&Postgres, &options());
    let ahead = [startup(&[("user", "app")]), query("drop table x")].concat();
    bench.data_answered(Side::Client, &ahead, |_| Verdict::Forward);
    assert!(!contains(&bench.seen.to_server, "drop") && !bench.wants(Side::Client));
    bench.data(Side::Server, &welcome());
    bench.data(Side::Server, &looked_up("{public}"));
    assert!(bench.held().is_some() && !contains(&bench.seen.to_server, "drop"));
}

proptest! {
    #[test]
    fn hostile_scripts_hold_every_property(script in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        fuzz::hostile(&Postgres, &options(), &script);
    }

    #[test]
    fn hostile_bytes_after_a_login(bytes in proptest::collection::vec(any::<u8>(), 0..500), from_server: bool) {
        let mut bench = logged_in();
        let side = if from_server { Side::Server } else { Side::Client };
        bench.data_answered(side, &bytes, |_| Verdict::Forward);
    }

    #[test]
    fn every_truncation_of_a_session_waits_or_errs(cut in 0_usize..400) {
        let whole = [query("select 1"), parse("s", "select $1"), bind("", "s", &["x"]), execute(""), sync()].concat();
        let mut bench = logged_in();
        bench.data_answered(Side::Client, &whole[..cut.min(whole.len())], |_| Verdict::Forward);
        prop_assert!(bench.seen.error.is_none());
        prop_assert!(whole.starts_with(&bench.seen.to_server));
    }
}
