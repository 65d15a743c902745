//! The sockets that connections come in by.

use super::inherited::{self, Inherited};
use crate::config::{Config, Dns};
use crate::intercept::Listeners;
use anyhow::Context;
use socket2::{Domain, Protocol, Socket, Type};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6, TcpListener, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 4_096;

/// One listening socket and what a connection to it means.
#[derive(Debug)]
pub(super) struct Listener {
    pub(super) socket: TcpListener,
    pub(super) address: SocketAddr,
    pub(super) kind: Kind,
}

/// What a connection means.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    /// The kernel brought it and knows where it was going.
    Transparent,
    /// Whoever makes it is taken for `agent`, and wants `target`.
    Explicit { agent: String, target: String },
}

/// All listening sockets.
#[derive(Debug)]
pub(super) struct Listening {
    pub(super) all: Vec<Listener>,
    /// What takes lookups by UDP, where we answer them: at the transparent listeners' addresses and ports.
    pub(super) lookups: Vec<UdpSocket>,
}

impl Listening {
    /// Binds everything that the configuration asks for. Call it after the kernel side is open: a socket belongs to the
    /// cgroup that it was made in.
    /// What is there already is taken from `inherited`.
    pub(super) fn bind(
        config: &Config,
        transparent: bool,
        inherited: &mut Inherited,
    ) -> anyhow::Result<Self> {
        let (mut all, mut lookups) = (Vec::new(), Vec::new());
        if transparent {
            bind_transparent(config, inherited, &mut all, &mut lookups)?;
        }
        for explicit in &config.listeners {
            let kind = Kind::Explicit { agent: explicit.agent.clone(), target: explicit.target.clone() };
            all.push(
                bind(explicit.address, kind)
                    .context("an explicit listener (`[[listener]]`) can't be made")?,
            );
        }
        Ok(Self { all, lookups })
    }

    pub(super) fn addresses(&self) -> Arc<[SocketAddr]> {
        self.all.iter().map(|listener| listener.address).collect()
    }

    fn transparent(&self) -> impl Iterator<Item = &Listener> {
        self.all.iter().filter(|listener| matches!(listener.kind, Kind::Transparent))
    }

    pub(super) fn transparent_sockets(&self) -> Vec<BorrowedFd<'_>> {
        let lookups = self.lookups.iter().map(UdpSocket::as_fd);
        self.transparent().map(|listener| listener.socket.as_fd()).chain(lookups).collect()
    }

    /// Has the service manager keep the sockets for the next daemon.
    pub(super) fn keep(&self) {
        for listener in self.transparent() {
            inherited::keep(names(listener.address).0, &listener.socket);
        }
        for socket in &self.lookups {
            if let Ok(address) = socket.local_addr() {
                inherited::keep(names(address).1, socket);
            }
        }
    }

    /// What the kernel is told.
    pub(super) fn published(&self) -> anyhow::Result<Listeners> {
        let v4 = self.transparent().find_map(|listener| match listener.address {
            SocketAddr::V4(address) => Some(address),
            SocketAddr::V6(_) => None,
        });
        let v6 = self.transparent().find_map(|listener| match listener.address {
            SocketAddr::V6(address) => Some(address),
            SocketAddr::V4(_) => None,
        });
        Ok(Listeners { v4: v4.context("no IPv4 listener for intercepted connections")?, v6 })
    }
}

fn bind_transparent(
    config: &Config,
    inherited: &mut Inherited,
    all: &mut Vec<Listener>,
    lookups: &mut Vec<UdpSocket>,
) -> anyhow::Result<()> {
    const WHAT: &str = "the listener for intercepted connections can't be made; another daemon may have its port (`intercept.port`)";
    let address = match config.intercept.address {
        IpAddr::V4(address) => address,
        IpAddr::V6(_) => Ipv4Addr::LOCALHOST,
    };
    let v4 = SocketAddrV4::new(address, config.intercept.port);
    let answers = config.intercept.dns == Dns::Answer;
    let (first, socket) = bind_both(SocketAddr::V4(v4), answers, inherited).context(WHAT)?;
    let port = first.address.port();
    all.push(first);
    lookups.extend(socket);
    if config.intercept.ipv6 {
        let v6 = SocketAddr::V6(SocketAddrV6::new(Ipv6Addr::LOCALHOST, port, 0, 0));
        match bind_both(v6, answers, inherited) {
            Ok((listener, socket)) => {
                all.push(listener);
                lookups.extend(socket);
            }
            Err(error) => tracing::warn!(%error, "no IPv6 here: governed IPv6 connections are refused"),
        }
    }
    Ok(())
}

/// A listener and, if lookups are answered, the socket for them at the same address and port. Where any port will do, one is
/// looked for that is free for both.
fn bind_both(
    address: SocketAddr,
    answers: bool,
    inherited: &mut Inherited,
) -> anyhow::Result<(Listener, Option<UdpSocket>)> {
    const TRIES: usize = 16;
    let (stream, datagrams) = names(address);
    let handed_over = inherited.listener(stream, address);
    let tries = if address.port() == 0 && handed_over.is_none() { TRIES } else { 1 };
    let mut handed_over = handed_over.map(|socket| listening(socket, Kind::Transparent));
    let mut result = Err(anyhow::anyhow!("`{address}`: no port is free"));
    for _ in 0..tries {
        let listener = handed_over.take().unwrap_or_else(|| bind(address, Kind::Transparent))?;
        if !answers {
            return Ok((listener, None));
        }
        let socket = inherited.datagrams(datagrams, listener.address);
        match socket.map_or_else(|| bind_lookups(listener.address), Ok) {
            Ok(socket) => return Ok((listener, Some(socket))),
            Err(error) => result = Err(error),
        }
    }
    result
}

/// What the service manager knows the sockets at such an address by: for connections, and for lookups.
const fn names(address: SocketAddr) -> (&'static str, &'static str) {
    match address {
        SocketAddr::V4(_) => ("interlock-tcp4", "interlock-udp4"),
        SocketAddr::V6(_) => ("interlock-tcp6", "interlock-udp6"),
    }
}

/// No other process may share the address: so without `SO_REUSEADDR`, which for UDP means just that.
fn bind_lookups(address: SocketAddr) -> anyhow::Result<UdpSocket> {
    let what = || format!("`{address}` can't be had for lookups (UDP, `intercept.dns`)");
    let socket =
        Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP)).with_context(what)?;
    if address.is_ipv6() {
        socket.set_only_v6(true).with_context(what)?;
    }
    socket.bind(&address.into()).with_context(what)?;
    socket.set_nonblocking(true).with_context(what)?;
    Ok(UdpSocket::from(socket))
}

fn bind(address: SocketAddr, kind: Kind) -> anyhow::Result<Listener> {
    let what = || format!("`{address}` can't be listened at");
    let socket =
        Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP)).with_context(what)?;
    socket.set_reuse_address(true).with_context(what)?;
    if address.is_ipv6() {
        socket.set_only_v6(true).with_context(what)?;
    }
    socket.bind(&address.into()).with_context(what)?;
    socket.listen(BACKLOG).with_context(what)?;
    socket.set_nonblocking(true).with_context(what)?;
    listening(TcpListener::from(socket), kind)
}

fn listening(socket: TcpListener, kind: Kind) -> anyhow::Result<Listener> {
    let address = socket.local_addr().context("a listening socket has no address")?;
    Ok(Listener { socket, address, kind })
}
