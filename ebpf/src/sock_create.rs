//! `socket(2)` for IPv4 and IPv6: only kinds of sockets that the other hooks see, each marked with who made it.
use crate::{
    caller::caller,
    context::{TCP, UDP},
    counts::verdict,
    redirect::sockets,
    refusals::Attempt,
};
use aya_ebpf::{
    EbpfContext,
    helpers::generated::{bpf_get_netns_cookie, bpf_get_socket_cookie, bpf_sk_storage_get},
    macros::cgroup_sock,
    programs::SockContext,
};
use core::ptr::{addr_of, from_mut, read_volatile};
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
    let (family, kind, protocol) = unsafe {
        (
            read_volatile(addr_of!((*ctx.sock).family)),
            read_volatile(addr_of!((*ctx.sock).type_)),
            read_volatile(addr_of!((*ctx.sock).protocol)),
        )
    };
    let decision = match (kind, protocol) {
        (STREAM, TCP) | (DATAGRAM, UDP) => mark(&ctx),
        _ => Err(Count::Protocol),
    };
    verdict(decision, Attempt { family, detail: [kind, protocol], ..Attempt::default() })
}

/// Packets of a socket without this mark are dropped: nobody has seen it being made.
#[inline(always)]
fn mark(ctx: &SockContext) -> Result<Option<Count>, Count> {
    let caller = caller()?;
    // SAFETY: a valid context.
    let (cookie, netns) =
        unsafe { (bpf_get_socket_cookie(ctx.as_ptr()), bpf_get_netns_cookie(ctx.as_ptr())) };
    let mut made = caller.mark(cookie, netns);
    // SAFETY: map, socket and first value are what the helper takes; a program on another level of the hierarchy may
    // have made it, of the same caller.
    let mark = unsafe { bpf_sk_storage_get(sockets(), ctx.as_ptr(), from_mut(&mut made).cast(), 1) };
    match mark.is_null() {
        true => Err(Count::NoMemory),
        false => Ok(None),
    }
}
