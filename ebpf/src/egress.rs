//! Every packet that a governed socket sends.
use crate::{
    context, listener,
    maps::{DATAGRAMS, TAKEN},
    packet::{self, Packet},
    traffic::decide,
};
use aya_ebpf::{EbpfContext, helpers::bpf_ktime_get_ns, macros::cgroup_skb, programs::SkBuffContext};
use interlock_common::{Count, DATAGRAM_AGE_MAX, Datagrams, FlowKey, Origin};

/// The header is looked at, not the socket: source routing is applied after the connect hooks.
#[cgroup_skb(egress)]
pub fn egress(ctx: SkBuffContext) -> i32 {
    decide(&ctx, |packet| (packet.destination, packet.destination_port), goes_where_it_was_sent)
}

#[inline(always)]
fn goes_where_it_was_sent(ctx: &SkBuffContext, packet: &Packet, mark: &Origin) -> Result<(), Count> {
    match packet.protocol {
        packet::UDP => asks(ctx, packet, mark),
        _ => opens(ctx, packet, mark),
    }
}

/// A connection opens only to where the connect hook has sent it, and only while a server of ours, or of the same agent,
/// still listens there: the call may be long ago (fast open, retransmission), and may have named another address.
/// What follows belongs to a connection that has opened, or to one that the agent's own server accepts.
#[inline(always)]
fn opens(ctx: &SkBuffContext, packet: &Packet, mark: &Origin) -> Result<(), Count> {
    if !packet.opens {
        return Ok(());
    }
    let allowed = packet.destination_port == mark.via_port && listener::may_open(ctx, packet, mark);
    if allowed { Ok(()) } else { Err(Count::Unredirected) }
}

/// A lookup goes to the host agent alone, which finds by its ends who asks. A socket may have closed that sent from the same
/// address and port: its lookup must have been taken, or be lost, else this one's sender would be taken for that one's.
#[inline(always)]
fn asks(ctx: &SkBuffContext, packet: &Packet, mark: &Origin) -> Result<(), Count> {
    if !listener::is_ours(ctx.as_ptr(), context::UDP, &packet.destination, packet.destination_port) {
        return Err(Count::ListenerNotOurs);
    }
    let key = FlowKey {
        netns: mark.netns,
        client: packet.source,
        listener: packet.destination,
        client_port: u32::from(packet.source_port),
        listener_port: u32::from(packet.destination_port),
    };
    // SAFETY: no arguments; never fails.
    let now = unsafe { bpf_ktime_get_ns() };
    let origin = Origin { time: now, ..*mark };
    if let Some(last) = DATAGRAMS.get_ptr_mut(&key) {
        // SAFETY: a value of the map. Only this end's sender writes it, and the host agent only reads it; what two threads
        // of one sender write at a time is the same but for thread and time, and one datagram too few may be counted.
        unsafe {
            if (*last).origin.cookie == mark.cookie {
                (*last).origin = origin;
                (*last).sent += 1;
                return Ok(());
            }
            let taken = TAKEN
                .get(&key)
                .is_some_and(|it| it.cookie == (*last).origin.cookie && it.taken >= (*last).sent);
            if !taken && now.saturating_sub((*last).origin.time) < DATAGRAM_AGE_MAX {
                return Err(Count::DnsBusy);
            }
        }
    }
    DATAGRAMS.insert(&key, &Datagrams { origin, sent: 1 }, 0).map_err(|_| Count::NoMemory)
}
