//! `bind(2)` of an IPv6 socket.
use crate::{bind::bind, context, counts::verdict, refusals::Attempt};
use aya_ebpf::{macros::cgroup_sock_addr, programs::SockAddrContext};

#[cgroup_sock_addr(bind6)]
pub fn bind6(ctx: SockAddrContext) -> i32 {
    verdict(bind(&ctx), Attempt { address: Some(context::address6(&ctx)), ..context::attempt(&ctx) })
}
