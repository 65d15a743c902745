//! `connect(2)` to an IPv6 address, also by `MSG_FASTOPEN` and io_uring.
//!
//! An IPv6 socket may connect to `::ffff:a.b.c.d`: it is sent to the IPv4 listener as `::ffff:127.0.0.1` and stays
//! the IPv6 socket it is. An IPv4 address given to an IPv6 socket is refused by the kernel itself.
use crate::{
    context::{self, TCP, UDP},
    counts::verdict,
    datagram::{Datagram, connected},
    redirect::{Way, redirect},
    refusals::Attempt,
};
use aya_ebpf::{macros::cgroup_sock_addr, programs::SockAddrContext};
use interlock_common::Count;

#[cgroup_sock_addr(connect6)]
pub fn connect6(ctx: SockAddrContext) -> i32 {
    // Before the call is changed.
    let attempt = Attempt { address: Some(context::address6(&ctx)), ..context::attempt(&ctx) };
    verdict(decide(&ctx), attempt)
}

#[inline(always)]
fn decide(ctx: &SockAddrContext) -> Result<Option<Count>, Count> {
    let port = context::port(ctx);
    match context::protocol(ctx) {
        TCP => match redirect(ctx, context::address6(ctx), port)? {
            Way::To(address, port) => {
                context::set6(ctx, &address, port);
                Ok(Some(Count::Redirected))
            }
            Way::Local(address) => {
                context::set6(ctx, &address, port);
                Ok(Some(Count::Local))
            }
            Way::Done => Ok(None),
        },
        UDP => match connected(ctx, context::address6(ctx), port)? {
            Datagram::To(address, port) => {
                context::set6(ctx, &address, port);
                Ok(Some(Count::DnsAnswered))
            }
            Datagram::Leave | Datagram::Passes => Ok(None),
        },
        _ => Err(Count::Protocol),
    }
}
