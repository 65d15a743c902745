//! The parts of a lookup, without sockets.

use super::budget::{Budgets, Spent, Told};
use super::name::HostName;
use super::names::Names;
use super::query::{Query, Unreadable};
use super::reply::{Reply, encode};
use crate::config::{Config, Offline};
use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query as Question, ResponseCode};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use proptest::prelude::*;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

fn host(text: &str) -> HostName {
    HostName::read(&Name::from_ascii(text).unwrap()).unwrap()
}

fn config(keys: &str) -> Config {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/config/cases/folder/i.toml");
    Config::parse(&format!("[dns]\n{keys}\n"), &file, &Offline).unwrap()
}

fn question(name: &str, edns: bool) -> Vec<u8> {
    let mut message = Message::new(7, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.add_query(Question::query(Name::from_ascii(name).unwrap(), RecordType::A));
    if edns {
        message.set_edns(Edns::new());
    }
    message.to_vec().unwrap()
}

#[test]
fn a_name_is_read_from_its_last_label_up() {
    let name = host("WWW.Shop.Example.");
    assert_eq!(&**name.text(), "www.shop.example");
    assert_eq!(name.upwards().collect::<Vec<_>>(), ["example", "shop", "www"]);
    let root = host(".");
    assert_eq!((&**root.text(), root.upwards().count()), ("", 0));
    for other in [&b"a.b"[..], b"a\0b", b"a/b", b"*", b"\xc3\xa4", b"a b"] {
        let name = Name::from_labels([other, b"test"]).unwrap();
        assert_eq!(HostName::read(&name), None, "{name}");
    }
}

#[test]
fn names_count_to_the_domain_that_somebody_has() {
    for (name, domain) in [
        ("a.b.example.com", "example.com"),
        ("example.com", "example.com"),
        ("com", "com"),
        ("a.b.example.co.uk", "example.co.uk"),
        ("co.uk", "co.uk"),
        ("a.example.io", "example.io"),
        ("a.long.io", "long.io"),
        ("a.abc.io", "abc.io"),
    ] {
        assert_eq!(host(name).domain(), domain, "{name}");
    }
}

#[test]
fn data_does_not_look_like_a_name() {
    let data = [
        "mzxw6ytboi2dgnrqgeztqobrgm3tsmjugu2tmnzzgiytgnbu",
        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f",
        "dGhpcyBpcyBhIHNlY3JldCB0aGF0IGxlYXZlcyBieSBuYW1lcw01",
    ];
    let names = [
        "www",
        "internal-shop-production-alb-1234567890",
        "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
        "a-rather-long-but-honest-name-of-some-service-of-ours",
        "checkout-service-deployment-5d8f7c9b6d",
        "_acme-challenge",
    ];
    for label in data {
        assert_eq!(host(&format!("a.{label}.test")).data_label(), Some(label.to_lowercase().as_str()));
    }
    for label in names {
        assert_eq!(host(&format!("{label}.eu-west-1.example.com")).data_label(), None, "{label}");
    }
}

#[test]
fn an_agent_knows_the_names_that_it_was_told() {
    let (names, now) = (Names::default(), Instant::now());
    let (agent, other): (Arc<str>, Arc<str>) = ("planner".into(), "executor".into());
    let address = |text: &str| text.parse::<IpAddr>().unwrap();
    let told = |texts: &[&str]| texts.iter().map(|text| (*text).into()).collect::<Vec<Arc<str>>>();
    let minute = Duration::from_secs(60);
    for name in ["a.test", "b.test"] {
        names.learn(&agent, &name.into(), &[address("10.0.0.1"), address("::1")], minute, now);
    }
    names.learn(&agent, &"c.test".into(), &[address("::ffff:10.0.0.1")], 2 * minute, now);
    assert_eq!(names.of(&agent, address("10.0.0.1"), now), told(&["a.test", "b.test", "c.test"]));
    assert_eq!(names.addresses(&agent, "a.test", now), [address("10.0.0.1"), address("::1")]);
    assert!(names.of(&other, address("10.0.0.1"), now).is_empty(), "each for itself");
    let later = now + Duration::from_secs(3_600) + minute;
    assert_eq!(
        names.of(&agent, address("10.0.0.1"), later),
        told(&["c.test"]),
        "an hour beyond the record's time"
    );
    assert!(names.addresses(&agent, "a.test", later).is_empty());
}

#[test]
fn what_is_remembered_is_bounded() {
    let (names, now) = (Names::default(), Instant::now());
    let agent: Arc<str> = "planner".into();
    for number in 0..40_000_u32 {
        let name: Arc<str> = format!("n{number}.test").into();
        names.learn(&agent, &name, &[IpAddr::from(number.to_be_bytes())], Duration::ZERO, now);
    }
    let known = (0..40_000_u32)
        .filter(|number| !names.of(&agent, IpAddr::from(number.to_be_bytes()), now).is_empty());
    assert!(known.count() <= 16_384);
    assert_eq!(names.of(&agent, IpAddr::from(39_999_u32.to_be_bytes()), now).len(), 1, "the newest is there");
    for number in 0..100 {
        names.learn(
            &agent,
            &format!("m{number}.test").into(),
            &[IpAddr::from([9, 9, 9, 9])],
            Duration::ZERO,
            now,
        );
    }
    assert_eq!(names.of(&agent, IpAddr::from([9, 9, 9, 9]), now).len(), 32);
}

#[test]
fn budgets_fill_up_again() {
    let config =
        config("queries_per_minute = 60\nnew_names_per_minute = 6\nnew_name_bytes_per_hour = \"1KiB\"").dns;
    let (mut budgets, start) = (Budgets::default(), Instant::now());
    let agent: Arc<str> = "planner".into();
    let mut spend = |name: &str, own, after: u64| {
        budgets.spend(&agent, Some(&host(name)), own, &config, start + Duration::from_secs(after))
    };
    for number in 0..6 {
        assert_eq!(spend(&format!("n{number}.a.test"), false, 0), Spent::Within);
    }
    assert_eq!(spend("n6.a.test", false, 0), Spent::Names("a.test".into()));
    assert_eq!(spend("n0.a.test", false, 0), Spent::Within, "known");
    assert_eq!(spend("n6.b.test", false, 0), Spent::Within, "of another domain");
    assert_eq!(spend("n7.a.test", true, 0), Spent::Within, "a target's own");
    assert_eq!(spend("n6.a.test", false, 10), Spent::Within, "a sixth of a minute later");
    assert_eq!(spend("n8.a.test", false, 10), Spent::Names("a.test".into()));
    // Six more a minute, of 50 bytes each, until the hour's bytes are used up.
    let long = |number: u64| format!("n{number:030}.a.test");
    let fits =
        (0..60).take_while(|number| spend(&long(*number), false, 60 + number * 10) == Spent::Within).count();
    assert!((25..=36).contains(&fits), "{fits}");
    assert_eq!(spend(&long(99), false, 60 + fits as u64 * 10), Spent::Bytes("a.test".into()));
    assert_eq!(spend(&long(99), false, 4_300), Spent::Within, "an hour later");
}

#[test]
fn a_flood_is_told_now_and_then() {
    let (mut told, start) = (Told::default(), Instant::now());
    assert_eq!(told.tell(start), Some(0));
    for _ in 0..1_000 {
        assert_eq!(told.tell(start + Duration::from_secs(9)), None);
    }
    assert_eq!(told.tell(start + Duration::from_secs(10)), Some(1_000));
}

#[test]
fn an_answer_that_is_too_long_says_so() {
    let query = Query::read(&question("Many.Test", true)).unwrap();
    let name = Name::from_ascii("many.test.").unwrap();
    let record =
        |last: u8| Record::from_rdata(name.clone(), 300, RData::A(Ipv4Addr::new(10, 0, 0, last).into()));
    let records: Vec<Record> = (0..200).map(record).collect();
    let read = |bytes: &[u8]| Message::from_vec(bytes).unwrap();
    let whole = read(&encode(&query, &Reply::Records(&records, 60), 65_535));
    assert_eq!((whole.answers.len(), whole.metadata.truncation), (200, false));
    assert!(whole.answers.iter().all(|record| record.ttl == 60), "for no longer than the whole is good");
    assert!(
        whole.answers[0].name.eq_case(&Name::from_ascii("Many.Test.").unwrap()),
        "in the client's letters"
    );
    let cut = read(&encode(&query, &Reply::Records(&records, 60), usize::from(query.datagram_bytes)));
    assert_eq!((cut.answers.len(), cut.metadata.truncation, cut.metadata.id), (0, true, 7));
    assert!(cut.metadata.recursion_available && cut.edns.is_some());
    let plain = Query::read(&question("many.test", false)).unwrap();
    assert_eq!(plain.datagram_bytes, 512);
    let refused = read(&encode(&plain, &Reply::Refused(ResponseCode::NXDomain, "no"), 512));
    assert!(refused.edns.is_none(), "a client without EDNS gets none");
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        match Query::read(&bytes) {
            Ok(query) => {
                let name = HostName::read(query.name());
                prop_assert!(encode(&query, &Reply::Failed, 512).len() <= 512);
                drop(super::rule::operation(1, &query, name.as_ref()));
            }
            Err(Unreadable::Answered(_, reply)) => prop_assert!(Message::from_vec(&reply).is_ok()),
            Err(Unreadable::Silent(_)) => {}
        }
    }

    #[test]
    fn a_changed_question_is_read_or_refused(at in 0_usize..60, to in any::<u8>(), edns in any::<bool>()) {
        let mut bytes = question("www.shop.test", edns);
        if let Some(byte) = bytes.get_mut(at) {
            *byte = to;
        }
        if let Ok(query) = Query::read(&bytes) {
            let reply = encode(&query, &Reply::Refused(ResponseCode::NXDomain, "why ä"), 512);
            let reply = Message::from_vec(&reply);
            prop_assert_eq!(reply.map(|reply| reply.metadata.id).ok(), Some(query.id));
        }
    }
}
