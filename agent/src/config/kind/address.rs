//! Addresses: where agents connect to, where targets really are, where we listen.

use super::{Kind, Value, string, wrong_value};
use crate::config::resolve::{Address, HostPort};
use crate::config::section::{Reader, shown};
use std::net::{IpAddr, SocketAddr};

/// A loopback address. Others could be reached from outside the host.
pub(crate) struct Loopback;

impl Kind for Loopback {
    type Out = IpAddr;

    fn allowed(&self) -> String {
        "a loopback address: `\"127.0.0.1\"` or another of 127.0.0.0/8".to_owned()
    }

    fn read(&self, at: &str, value: &Value<'_>, reader: &mut Reader<'_>) -> Option<IpAddr> {
        let text = string(self, at, value, reader)?;
        match text.parse::<IpAddr>() {
            Ok(address) if address.is_loopback() && address.is_ipv4() => Some(address),
            _ => {
                wrong_value(self, at, value, &format!("is `{}`", shown(text)), reader);
                None
            }
        }
    }
}

/// `IP:port`, where an explicit listener listens.
pub(crate) struct SocketAddress;

impl Kind for SocketAddress {
    type Out = SocketAddr;

    fn allowed(&self) -> String {
        "`\"IP:PORT\"` such as `\"127.0.0.1:6432\"` or `\"[::1]:6432\"`; port 0 takes any free one".to_owned()
    }

    fn read(&self, at: &str, value: &Value<'_>, reader: &mut Reader<'_>) -> Option<SocketAddr> {
        let text = string(self, at, value, reader)?;
        match text.parse() {
            Ok(address) => Some(address),
            Err(_) => {
                wrong_value(self, at, value, &format!("is `{}`", shown(text)), reader);
                None
            }
        }
    }
}

/// `IP:port` or `name:port`.
pub(crate) struct HostPortKind;

impl Kind for HostPortKind {
    type Out = HostPort;

    fn allowed(&self) -> String {
        "`\"IP:PORT\"` or `\"HOST:PORT\"`".to_owned()
    }

    fn read(&self, at: &str, value: &Value<'_>, reader: &mut Reader<'_>) -> Option<HostPort> {
        let text = string(self, at, value, reader)?;
        let Ok(address) = HostPort::parse(text) else {
            wrong_value(self, at, value, &format!("is `{}`", shown(text)), reader);
            return None;
        };
        match address.resolve(|host| reader.resolve(host)) {
            Ok(resolved) => Some(resolved),
            Err(why) => {
                reader.bad(at, value, unresolved(at, text, &why));
                None
            }
        }
    }
}

/// `IP:port`, `network:port` or `name:port`.
pub(crate) struct AddressKind;

impl Kind for AddressKind {
    type Out = Address;

    fn allowed(&self) -> String {
        "`\"IP:PORT\"`, `\"NETWORK/BITS:PORT\"` such as `\"10.1.0.0/16:5432\"` or `\"[fd00::/8]:5432\"`, or \
         `\"HOST:PORT\"`"
            .to_owned()
    }

    fn read(&self, at: &str, value: &Value<'_>, reader: &mut Reader<'_>) -> Option<Address> {
        let text = string(self, at, value, reader)?;
        let address = match Address::parse(text) {
            Ok(address) => address,
            Err(why) => {
                wrong_value(self, at, value, &format!("is `{}`: {why}", shown(text)), reader);
                return None;
            }
        };
        match address.resolve(|host| reader.resolve(host)) {
            Ok(resolved) => Some(resolved),
            Err(why) => {
                reader.bad(at, value, unresolved(at, text, &why));
                None
            }
        }
    }
}

fn unresolved(at: &str, text: &str, why: &str) -> String {
    format!("`{at}`: `{}` can't be resolved: {why}; check the name, or write an address", shown(text))
}
