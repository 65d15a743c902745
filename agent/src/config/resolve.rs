//! Where a target is: addresses, networks and host names, and how names become addresses.

use ipnet::IpNet;
use std::fmt;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::time::Duration;

/// Addresses that one name may have; more are refused.
const ADDRESSES_MAX: usize = 64;

/// How host names are resolved while a configuration is read.
pub trait Resolve {
    /// The addresses of a name, or why there are none. May block for as long as the system's resolver does.
    fn resolve(&self, host: &str) -> Result<Vec<IpAddr>, String>;

    /// As these name servers say, and no others (`dns.servers`): what agents are told, and what targets are found by, agree.
    fn resolve_by(
        &self,
        servers: &[SocketAddr],
        timeout: Duration,
        host: &str,
    ) -> Result<Vec<IpAddr>, String> {
        let _unused = (servers, timeout);
        self.resolve(host)
    }
}

/// The system's resolver: `/etc/hosts`, then DNS.
pub struct System;

impl Resolve for System {
    fn resolve(&self, host: &str) -> Result<Vec<IpAddr>, String> {
        let found = (host, 0).to_socket_addrs().map_err(|error| error.to_string())?;
        Ok(found.map(|address| address.ip()).collect())
    }

    fn resolve_by(
        &self,
        servers: &[SocketAddr],
        timeout: Duration,
        host: &str,
    ) -> Result<Vec<IpAddr>, String> {
        match servers {
            [] => self.resolve(host),
            _ => crate::dns::addresses(servers, timeout, host),
        }
    }
}

/// Resolves nothing and finds no fault: for checking a file on another host than its own.
pub struct Offline;

impl Resolve for Offline {
    fn resolve(&self, _: &str) -> Result<Vec<IpAddr>, String> {
        Ok(Vec::new())
    }
}

/// `IP:port` or `name:port`, with what the name resolved to when the configuration was read.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct HostPort {
    /// The address or name as written.
    pub host: String,
    /// The port, never 0.
    pub port: u16,
    /// What it stands for, sorted; one for an address, at most 64 for a name.
    pub resolved: Vec<IpAddr>,
}

impl HostPort {
    /// Reads it without resolving a name.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (host, port) = text.rsplit_once(':').ok_or("the port is missing")?;
        let port = parse_port(port)?;
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        if let Ok(address) = bare.unwrap_or(host).parse::<IpAddr>() {
            if address.is_ipv6() && bare.is_none() {
                return Err("an IPv6 address with a port is written in brackets".to_owned());
            }
            let address = address.to_canonical();
            return Ok(Self { host: address.to_string(), port, resolved: vec![address] });
        }
        if !is_host_name(host) {
            return Err("that is neither an address nor a host name".to_owned());
        }
        Ok(Self { host: host.to_ascii_lowercase(), port, resolved: Vec::new() })
    }

    /// Fills in what a name stands for.
    pub(crate) fn resolve(
        mut self,
        by: impl FnOnce(&str) -> Result<Vec<IpAddr>, String>,
    ) -> Result<Self, String> {
        if self.resolved.is_empty() {
            let mut found: Vec<_> =
                by(&self.host)?.into_iter().map(|address| address.to_canonical()).collect();
            found.sort_unstable();
            found.dedup();
            if found.len() > ADDRESSES_MAX {
                return Err(format!("it has {} addresses, more than {ADDRESSES_MAX}", found.len()));
            }
            self.resolved = found;
        }
        Ok(self)
    }

    /// The socket addresses it stands for.
    pub fn addresses(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        self.resolved.iter().map(|address| SocketAddr::new(*address, self.port))
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// One way to name the place an agent connects to.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Address {
    /// One host.
    Host(HostPort),
    /// Every address of a network, on one port.
    Network(IpNet, u16),
}

impl Address {
    /// Reads it without resolving a name.
    pub fn parse(text: &str) -> Result<Self, String> {
        let Some((host, port)) = text.rsplit_once(':') else {
            return Err("the port is missing".to_owned());
        };
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        if !bare.unwrap_or(host).contains('/') {
            return HostPort::parse(text).map(Self::Host);
        }
        let network: IpNet =
            bare.unwrap_or(host).parse().map_err(|_| "that is no network in CIDR notation".to_owned())?;
        if network.trunc() != network {
            return Err(format!("the network is `{}`: bits beyond its length must be 0", network.trunc()));
        }
        let mapped = matches!(network, IpNet::V6(v6) if v6.network().to_ipv4_mapped().is_some());
        if mapped {
            return Err("IPv4 networks are written as such, not as IPv4-mapped IPv6".to_owned());
        }
        Ok(Self::Network(network, parse_port(port)?))
    }

    /// Fills in what a name stands for.
    pub(crate) fn resolve(
        self,
        by: impl FnOnce(&str) -> Result<Vec<IpAddr>, String>,
    ) -> Result<Self, String> {
        match self {
            Self::Host(host) => host.resolve(by).map(Self::Host),
            network @ Self::Network(..) => Ok(network),
        }
    }

    /// Whether a connection to that address is meant. IPv4-mapped IPv6 addresses count as IPv4.
    pub fn contains(&self, destination: SocketAddr) -> bool {
        let ip = destination.ip().to_canonical();
        match self {
            Self::Host(host) => host.port == destination.port() && host.resolved.contains(&ip),
            Self::Network(network, port) => *port == destination.port() && network.contains(&ip),
        }
    }

    /// Its host name, without a final dot; `None` for an address and for a network.
    pub fn host_name(&self) -> Option<&str> {
        match self {
            Self::Host(host) if host.host.parse::<IpAddr>().is_err() => {
                Some(host.host.strip_suffix('.').unwrap_or(&host.host))
            }
            _ => None,
        }
    }

    /// The port.
    pub const fn port(&self) -> u16 {
        match self {
            Self::Host(host) => host.port,
            Self::Network(_, port) => *port,
        }
    }

    /// Whether some address is meant by both.
    pub fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Host(host), other) | (other, Self::Host(host)) => {
                host.addresses().any(|address| other.contains(address))
            }
            (Self::Network(one, port), Self::Network(other, other_port)) => {
                port == other_port && (one.contains(&other.network()) || other.contains(&one.network()))
            }
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(host) => host.fmt(f),
            Self::Network(IpNet::V4(network), port) => write!(f, "{network}:{port}"),
            Self::Network(IpNet::V6(network), port) => write!(f, "[{network}]:{port}"),
        }
    }
}

fn parse_port(text: &str) -> Result<u16, String> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(port) if port > 0 && digits => Ok(port),
        _ => Err("the port must be a number from 1 to 65535".to_owned()),
    }
}

/// RFC 1123 host names, with the underscore that container networks use.
fn is_host_name(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let name = text.strip_suffix('.').unwrap_or(text);
    // A name whose last label is a number would be taken for an address by the system's resolver ("127.1").
    let numeric = name.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
    name.len() <= 253 && !numeric && name.split('.').all(label)
}
