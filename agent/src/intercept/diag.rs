//! The kernel's list of TCP and UDP sockets, and closing them from outside: `NETLINK_SOCK_DIAG` (sock_diag(7),
//! linux/inet_diag.h). Everything is of the calling thread's network namespace.
use nix::{
    errno::Errno,
    sys::socket::{
        AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, connect, recv, send,
        setsockopt, socket, sockopt,
    },
    sys::time::TimeVal,
};
use std::{
    io,
    os::fd::{AsRawFd, OwnedFd},
};

#[cfg(test)]
mod tests;

/// `SOCK_DIAG_BY_FAMILY` and `SOCK_DESTROY`.
const BY_FAMILY: u16 = 20;
const DESTROY: u16 = 21;
/// `NLMSG_ERROR` and `NLMSG_DONE`.
const ERROR: u16 = 2;
const DONE: u16 = 3;
/// `NLM_F_REQUEST`, `NLM_F_ACK`, `NLM_F_DUMP`.
const REQUEST: u16 = 1;
const ACK: u16 = 4;
const DUMP: u16 = 0x300;
/// Bytes of a netlink header, and of what follows it in requests and answers.
const HEADER: usize = 16;
const ANSWER: usize = 72;
/// Bytes of a socket's identity: its ends, interface and cookie.
const ID: usize = 48;
/// `INET_DIAG_CGROUP_ID` (Linux 5.9).
const CGROUP_ID: u16 = 21;
/// `AF_INET`, `AF_INET6` with `IPPROTO_TCP`, `IPPROTO_UDP`. Raw sockets are not among them: the kernel can't be told which of
/// several to close.
const KINDS: [(u8, u8); 4] = [(2, 6), (10, 6), (2, 17), (10, 17)];
/// The longest we wait for the kernel, in seconds.
const PATIENCE: i64 = 5;

/// A socket of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    family: u8,
    protocol: u8,
    id: [u8; ID],
    /// The number in `/proc/PID/fd/N`; 0 if no process holds it.
    pub(super) inode: u32,
    /// The cgroup it was made in; 0 where the kernel does not say.
    pub(super) cgroup: u64,
}

/// A connection to the kernel.
pub(super) struct Diag(OwnedFd);

impl Diag {
    pub(super) fn open() -> io::Result<Self> {
        let (kind, protocol) = (SockType::Datagram, SockProtocol::NetlinkSockDiag);
        let socket = socket(AddressFamily::Netlink, kind, SockFlag::SOCK_CLOEXEC, protocol)?;
        setsockopt(&socket, sockopt::ReceiveTimeout, &TimeVal::new(PATIENCE, 0))?;
        connect(socket.as_raw_fd(), &NetlinkAddr::new(0, 0))?;
        Ok(Self(socket))
    }

    /// All TCP and UDP sockets that are bound or connected. A kind that the kernel can't list is left out.
    pub(super) fn list(&self) -> io::Result<Vec<Found>> {
        let mut found = Vec::new();
        for (family, protocol) in KINDS {
            self.send(BY_FAMILY, REQUEST | DUMP, family, protocol, &[0; ID])?;
            let listed = self.answers(|answer| found.extend(read(protocol, answer)));
            match listed {
                Err(error) if error.raw_os_error() == Some(libc::ENOENT) => {}
                other => other?,
            }
        }
        Ok(found)
    }

    /// Closes a socket: a connection is reset, a server stops listening. One that the kernel does not find is no error: it is
    /// gone, or it can't be closed; the list tells which.
    pub(super) fn destroy(&self, socket: &Found) -> io::Result<()> {
        self.send(DESTROY, REQUEST | ACK, socket.family, socket.protocol, &socket.id)?;
        match self.answers(|_| ()) {
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(()),
            other => other,
        }
    }

    /// `struct nlmsghdr`, then `struct inet_diag_req_v2` for sockets in every state.
    fn send(&self, kind: u16, flags: u16, family: u8, protocol: u8, id: &[u8; ID]) -> io::Result<()> {
        let mut request = Vec::with_capacity(HEADER + 8 + ID);
        request.extend(72_u32.to_ne_bytes());
        request.extend(kind.to_ne_bytes());
        request.extend(flags.to_ne_bytes());
        request.extend([0; 8]);
        request.extend([family, protocol, 0, 0]);
        request.extend(u32::MAX.to_ne_bytes());
        request.extend(id);
        send(self.0.as_raw_fd(), &request, MsgFlags::empty())?;
        Ok(())
    }

    /// Reads answers until the kernel says that it is done.
    fn answers(&self, mut each: impl FnMut(&[u8])) -> io::Result<()> {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let bytes = match recv(self.0.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
                Err(Errno::EINTR) => continue,
                other => other?,
            };
            let mut rest = buffer.get(..bytes).unwrap_or_default();
            while let Some((kind, body, after)) = message(rest) {
                match kind {
                    // Both start with the negative error, or 0.
                    DONE | ERROR => return outcome(body),
                    _ => each(body),
                }
                rest = after;
            }
        }
    }
}

/// The first netlink message, its type and body, and what follows it.
fn message(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let length = usize::try_from(word(bytes, 0)?).ok()?;
    let kind = u16::from_ne_bytes(bytes.get(4..6)?.try_into().ok()?);
    let body = bytes.get(HEADER..length)?;
    Some((kind, body, bytes.get(length.next_multiple_of(4)..).unwrap_or_default()))
}

/// `struct nlmsgerr` starts with the negative error; 0 is an acknowledgement.
fn outcome(body: &[u8]) -> io::Result<()> {
    match word(body, 0).map(u32::cast_signed) {
        Some(0) => Ok(()),
        Some(error) => Err(io::Error::from_raw_os_error(error.saturating_neg())),
        None => Err(io::Error::from_raw_os_error(libc::EBADMSG)),
    }
}

/// `struct inet_diag_msg`, then attributes.
fn read(protocol: u8, answer: &[u8]) -> Option<Found> {
    let mut found = Found {
        family: *answer.first()?,
        protocol,
        id: answer.get(4..4 + ID)?.try_into().ok()?,
        inode: word(answer, ANSWER - 4)?,
        cgroup: 0,
    };
    let mut rest = answer.get(ANSWER..).unwrap_or_default();
    while let (Some(length), Some(kind)) = (half(rest, 0), half(rest, 2)) {
        let length = usize::from(length);
        let Some(value) = rest.get(4..length) else { break };
        if kind == CGROUP_ID {
            found.cgroup = value.try_into().map(u64::from_ne_bytes).unwrap_or(0);
        }
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Some(found)
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?))
}
