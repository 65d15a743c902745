//! `bind(2)` of an IPv4 socket.
use crate::{bind::bind, context, counts::verdict, refusals::Attempt};
use aya_ebpf::{macros::cgroup_sock_addr, programs::SockAddrContext};

#[cgroup_sock_addr(bind4)]
pub fn bind4(ctx: SockAddrContext) -> i32 {
    verdict(bind(&ctx), Attempt { address: Some(context::address4(&ctx)), ..context::attempt(&ctx) })
}
