//! `connect(2)` to an IPv4 address, also by `MSG_FASTOPEN` and io_uring.
use crate::{
    context::{self, TCP, UDP},
    counts::verdict,
    datagram::{Datagram, connected},
    redirect::{Way, redirect},
    refusals::Attempt,
};
use aya_ebpf::{macros::cgroup_sock_addr, programs::SockAddrContext};
use interlock_common::Count;

#[cgroup_sock_addr(connect4)]
pub fn connect4(ctx: SockAddrContext) -> i32 {
    // Before the call is changed.
    let attempt = Attempt { address: Some(context::address4(&ctx)), ..context::attempt(&ctx) };
    verdict(decide(&ctx), attempt)
}

#[inline(always)]
fn decide(ctx: &SockAddrContext) -> Result<Option<Count>, Count> {
    let port = context::port(ctx);
    match context::protocol(ctx) {
        TCP => match redirect(ctx, context::address4(ctx), port)? {
            Way::To(address, port) => {
                context::set4(ctx, &address, port);
                Ok(Some(Count::Redirected))
            }
            Way::Local(address) => {
                context::set4(ctx, &address, port);
                Ok(Some(Count::Local))
            }
            Way::Done => Ok(None),
        },
        UDP => match connected(ctx, context::address4(ctx), port)? {
            Datagram::To(address, port) => {
                context::set4(ctx, &address, port);
                Ok(Some(Count::DnsAnswered))
            }
            Datagram::Leave | Datagram::Passes => Ok(None),
        },
        _ => Err(Count::Protocol),
    }
}
