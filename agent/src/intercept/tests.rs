//! What of the kernel side can be tested without a kernel; the rest is in `tests/it/kernel`.
use super::*;
use interlock_common::Address;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

#[test]
fn addresses_go_both_ways() {
    for text in ["127.0.0.1", "10.1.2.3", "::1", "2001:db8::1:2", "fe80::1", "0.0.0.0", "::"] {
        let address: IpAddr = text.parse().unwrap();
        let inside = match address {
            IpAddr::V4(v4) => Address::from(v4),
            IpAddr::V6(v6) => Address::from(v6),
        };
        assert_eq!(IpAddr::from(inside), address, "{text}");
        assert_eq!(inside.is_mapped(), address.is_ipv4(), "{text}");
        assert_eq!(inside.reaches_loopback(), address.is_loopback() || address.is_unspecified(), "{text}");
    }
    let mapped = Address::from("::ffff:10.0.0.1".parse::<Ipv6Addr>().unwrap());
    assert_eq!(IpAddr::from(mapped), IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)));
    assert!(Address::from(Ipv4Addr::new(127, 9, 9, 9)).reaches_loopback());
}

#[test]
fn doctor_lines_have_a_remedy_unless_they_are_ok() {
    for check in checks(&Paths::default()) {
        assert!(!check.name.is_empty() && !check.detail.is_empty(), "{check:?}");
        assert_eq!(check.remedy.is_empty(), check.state == State::Ok, "{check:?}");
    }
}

#[test]
fn what_is_missing_is_said_in_one_line() {
    if let Err(error) = available() {
        let text = error.to_string();
        assert!(!text.contains('\n') && text.contains(' '), "{text}");
    }
}
