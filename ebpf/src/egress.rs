//! Every packet that a governed socket sends.
use crate::{listener, packet::Packet, traffic::decide};
use aya_ebpf::{macros::cgroup_skb, programs::SkBuffContext};
use interlock_common::{Count, Origin};

/// The header is looked at, not the socket: source routing is applied after the connect hooks.
#[cgroup_skb(egress)]
pub fn egress(ctx: SkBuffContext) -> i32 {
    decide(&ctx, |packet| (packet.destination, packet.destination_port), opens_where_it_was_sent)
}

/// A connection opens only to where the connect hook has sent it, and only while a server of ours, or of the same agent,
/// still listens there: the call may be long ago (fast open, retransmission), and may have named another address.
/// What follows belongs to a connection that has opened, or to one that the agent's own server accepts.
#[inline(always)]
fn opens_where_it_was_sent(ctx: &SkBuffContext, packet: &Packet, mark: &Origin) -> Result<(), Count> {
    if !packet.opens {
        return Ok(());
    }
    let allowed = packet.destination_port == mark.via_port && listener::may_open(ctx, packet, mark);
    if allowed { Ok(()) } else { Err(Count::Unredirected) }
}
