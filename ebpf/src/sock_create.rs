//! `socket(2)` for IPv4 and IPv6: only kinds of sockets that the other hooks see.
use crate::{
    context::{TCP, UDP},
    counts::verdict,
};
use aya_ebpf::{macros::cgroup_sock, programs::SockContext};
use core::ptr::{addr_of, read_volatile};
use interlock_common::Count;

/// `SOCK_STREAM`.
const STREAM: u32 = 1;
/// `SOCK_DGRAM`.
const DATAGRAM: u32 = 2;

/// A list of what may be, not of what may not: raw and ping sockets, SCTP, DCCP and UDP-Lite pass by the connect
/// hooks, and an MPTCP socket's connection is not the one the application holds.
#[cgroup_sock(sock_create)]
pub fn sock_create(ctx: SockContext) -> i32 {
    // SAFETY: the context is valid for the whole run; volatile as in `context`.
    let (kind, protocol) = unsafe {
        (read_volatile(addr_of!((*ctx.sock).type_)), read_volatile(addr_of!((*ctx.sock).protocol)))
    };
    verdict(match (kind, protocol) {
        (STREAM, TCP) | (DATAGRAM, UDP) => Ok(None),
        _ => Err(Count::Protocol),
    })
}
