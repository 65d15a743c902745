//! Listening sockets that outlive a daemon: the service manager keeps them (sd_pid_notify_with_fds(3), `FDSTORE=1`) and gives
//! them to the next one (sd_listen_fds(3)). Connections that are made in between wait in their queues.

use super::sys;
use nix::sys::socket::{getsockopt, sockopt};
use sd_notify::NotifyState;
use socket2::{Socket, Type};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Where the service manager is told.
const MANAGER: &str = "NOTIFY_SOCKET";

/// What the service manager had for us.
#[derive(Debug, Default)]
pub(super) struct Inherited {
    sockets: Vec<(String, OwnedFd)>,
}

impl Inherited {
    /// Takes it over. What is not ours is closed when this goes.
    pub(super) fn take() -> Self {
        match sd_notify::listen_fds_with_names() {
            Ok(descriptors) => Self { sockets: sys::take(descriptors) },
            Err(error) => {
                tracing::warn!(%error, "what the service manager hands over can't be taken");
                Self::default()
            }
        }
    }

    /// Whether there is anything.
    pub(super) const fn is_empty(&self) -> bool {
        self.sockets.is_empty()
    }

    /// The listening socket of that name, if it listens where it should.
    pub(super) fn listener(&mut self, name: &str, wanted: SocketAddr) -> Option<TcpListener> {
        self.socket(name, Type::STREAM, wanted).map(TcpListener::from)
    }

    /// The datagram socket of that name, if it is where it should be.
    pub(super) fn datagrams(&mut self, name: &str, wanted: SocketAddr) -> Option<UdpSocket> {
        self.socket(name, Type::DGRAM, wanted).map(UdpSocket::from)
    }

    fn socket(&mut self, name: &str, kind: Type, wanted: SocketAddr) -> Option<Socket> {
        let at = self.sockets.iter().position(|(found, _)| found == name)?;
        let (_, descriptor) = self.sockets.swap_remove(at);
        let socket = Socket::from(descriptor);
        let is_it = || {
            let address = socket.local_addr().ok()?.as_socket()?;
            let is_there =
                address.ip() == wanted.ip() && (wanted.port() == 0 || wanted.port() == address.port());
            let listens = kind == Type::DGRAM || getsockopt(&socket, sockopt::AcceptConn).ok()?;
            Some(is_there && listens && socket.r#type().ok()? == kind)
        };
        if is_it() == Some(true) && socket.set_nonblocking(true).is_ok() {
            return Some(socket);
        }
        // Its place in the store is another's.
        tell(&[NotifyState::FdStoreRemove, NotifyState::FdName(name)], &[]);
        None
    }
}

impl Drop for Inherited {
    /// What has found no place is not to be kept any longer: connections to it would wait for nobody.
    fn drop(&mut self) {
        for (name, _) in &self.sockets {
            tell(&[NotifyState::FdStoreRemove, NotifyState::FdName(name)], &[]);
        }
    }
}

/// Whether there is a service manager that may keep sockets.
pub(super) fn has_keeper() -> bool {
    std::env::var_os(MANAGER).is_some()
}

/// Gives a socket to the service manager to keep.
pub(super) fn keep(name: &str, socket: &impl AsFd) {
    tell(&[NotifyState::FdStore, NotifyState::FdName(name)], &[socket.as_fd()]);
}

fn tell(states: &[NotifyState<'_>], descriptors: &[BorrowedFd<'_>]) {
    if let Err(error) = sd_notify::notify_with_fds(states, descriptors) {
        tracing::debug!(%error, "the service manager was not told of a socket");
    }
}
