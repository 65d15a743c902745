//! `sendto(2)` and its kin on a datagram socket, with an IPv4 address given.
use crate::{context, counts::verdict, datagram::datagram, refusals::Attempt};
use aya_ebpf::{macros::cgroup_sock_addr, programs::SockAddrContext};

#[cgroup_sock_addr(sendmsg4)]
pub fn sendmsg4(ctx: SockAddrContext) -> i32 {
    let attempt = Attempt { address: Some(context::address4(&ctx)), ..context::attempt(&ctx) };
    verdict(datagram(attempt.port), attempt)
}
