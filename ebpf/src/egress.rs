//! Every packet that a governed socket sends.
use crate::{
    packet::Packet,
    traffic::decide,
};
use aya_ebpf::{macros::cgroup_skb, programs::SkBuffContext};
use interlock_common::{Count, Origin};

/// The header is looked at, not the socket: source routing is applied after the connect hooks.
#[cgroup_skb(egress)]
pub fn egress(ctx: SkBuffContext) -> i32 {
    decide(&ctx, |packet| (packet.destination, packet.destination_port), opens_where_it_was_sent)
}

/// A connection opens only to where the connect hook sent it. What follows belongs to one that has opened, or to one
/// that the agent's own server accepts.
#[inline(always)]
fn opens_where_it_was_sent(packet: &Packet, mark: &Origin) -> Result<(), Count> {
    match packet.opens && packet.destination_port != mark.via_port {
        true => Err(Count::Unredirected),
        false => Ok(()),
    }
}
