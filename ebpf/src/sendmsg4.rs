//! `sendto(2)` and its kin on a datagram socket, with an IPv4 address given.
use crate::{
    context,
    counts::verdict,
    datagram::{Datagram, sent},
    refusals::Attempt,
};
use aya_ebpf::{macros::cgroup_sock_addr, programs::SockAddrContext};
use interlock_common::Count;

#[cgroup_sock_addr(sendmsg4)]
pub fn sendmsg4(ctx: SockAddrContext) -> i32 {
    // Before the call is changed.
    let attempt = Attempt { address: Some(context::address4(&ctx)), ..context::attempt(&ctx) };
    verdict(decide(&ctx, attempt.port), attempt)
}

#[inline(always)]
fn decide(ctx: &SockAddrContext, port: u16) -> Result<Option<Count>, Count> {
    match sent(ctx, context::address4(ctx), port)? {
        Datagram::To(address, port) => {
            context::set4(ctx, &address, port);
            Ok(Some(Count::DnsAnswered))
        }
        Datagram::Passes => Ok(Some(Count::DnsPassed)),
        Datagram::Leave => Ok(None),
    }
}
