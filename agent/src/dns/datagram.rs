//! Receiving a datagram, with how long it has waited.

use interlock_common::DATAGRAM_AGE_MAX;
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt, sockopt::ReceiveTimestampns,
};
use nix::sys::time::TimeSpec;
use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, UdpSocket as Plain};
use std::os::fd::AsRawFd;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::io::Interest;
use tokio::net::UdpSocket;

/// One that has waited longer may be taken for another's: by then the kernel side lets another socket use its end. Well below
/// that, since the two clocks need not agree.
const WAITED_MAX: Duration = Duration::from_nanos(DATAGRAM_AGE_MAX / 2);

/// Has the kernel tell when datagrams arrive.
pub(super) fn timed(socket: &Plain) -> io::Result<()> {
    Ok(setsockopt(socket, ReceiveTimestampns, &true)?)
}

/// Waits for the next one that has not waited too long: its length, and where it is from.
pub(super) async fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
    loop {
        let read = socket.async_io(Interest::READABLE, || read(socket, buffer));
        let (length, from, arrived) = read.await?;
        let waited = arrived.and_then(|arrived| SystemTime::now().duration_since(arrived).ok());
        if waited.is_some_and(|waited| waited > WAITED_MAX) {
            tracing::info!(%from, "a lookup has waited too long for an answer: it is dropped");
            continue;
        }
        return Ok((length, from));
    }
}

fn read(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr, Option<SystemTime>)> {
    let mut pieces = [IoSliceMut::new(buffer)];
    let mut space = nix::cmsg_space!(TimeSpec);
    let message =
        recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut pieces, Some(&mut space), MsgFlags::empty())?;
    let arrived = message.cmsgs().ok().into_iter().flatten().find_map(|control| match control {
        ControlMessageOwned::ScmTimestampns(time) => UNIX_EPOCH.checked_add(Duration::from(time)),
        _ => None,
    });
    let from = message.address.as_ref().and_then(|address| {
        let v4 = address.as_sockaddr_in().map(|it| SocketAddr::V4((*it).into()));
        v4.or_else(|| address.as_sockaddr_in6().map(|it| SocketAddr::V6((*it).into())))
    });
    let from = from.ok_or_else(|| io::Error::other("a datagram without a sender"))?;
    Ok((message.bytes, from, arrived))
}
