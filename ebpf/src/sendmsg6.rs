//! `sendto(2)` and its kin on a datagram socket, with an IPv6 address given.
use crate::{context, counts::verdict, datagram::datagram};
use aya_ebpf::{macros::cgroup_sock_addr, programs::SockAddrContext};

#[cgroup_sock_addr(sendmsg6)]
pub fn sendmsg6(ctx: SockAddrContext) -> i32 {
    verdict(datagram(context::port(&ctx)))
}
