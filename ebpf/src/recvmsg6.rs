//! `recvfrom(2)` and its kin on an IPv6 datagram socket: an answer of ours comes from the server that was asked.
use crate::{context, counts::ALLOW, datagram::received};
use aya_ebpf::{macros::cgroup_sock_addr, programs::SockAddrContext};

/// May only allow: the kernel refuses a program for this hook that could return anything else.
#[cgroup_sock_addr(recvmsg6)]
pub fn recvmsg6(ctx: SockAddrContext) -> i32 {
    if let Some((address, port)) = received(&ctx, context::address6(&ctx)) {
        context::set6(&ctx, &address, port);
    }
    ALLOW
}
