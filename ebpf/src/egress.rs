//! Every packet that a governed socket sends.
use crate::{
    context, listener,
    maps::{AGENTS, DATAGRAMS, TAKEN},
    packet::{self, Packet},
    traffic::decide,
};
use aya_ebpf::{
    EbpfContext,
    helpers::{bpf_ktime_get_ns, generated::bpf_skb_ancestor_cgroup_id},
    macros::cgroup_skb,
    programs::SkBuffContext,
};
use core::ptr::{addr_of, read_volatile};
use interlock_common::{CGROUP_LEVELS_MAX, Count, DATAGRAM_AGE_MAX, Datagrams, FlowKey, Origin};

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
    // One run of this program, as is counted here, must be one datagram, which segmentation makes several of.
    // SAFETY: the context is valid for the whole run; volatile as in `context`.
    if unsafe { read_volatile(addr_of!((*ctx.skb.skb).gso_size)) } != 0 {
        return Err(Count::Datagram);
    }
    // SAFETY: no arguments; never fails.
    let now = unsafe { bpf_ktime_get_ns() };
    if let Some(last) = DATAGRAMS.get_ptr_mut(&key) {
        // SAFETY: a value of the map. Only this end's sender writes it, and the host agent only reads it; what two threads
        // of one sender write at a time is the same but for thread and time, and one datagram too few may be counted.
        unsafe {
            if (*last).origin.cookie == mark.cookie {
                (*last).origin = *mark;
                (*last).seen += 1;
                (*last).time = now;
                return Ok(());
            }
            let taken = TAKEN.get(&key).is_some_and(|it| {
                it.cookie == (*last).origin.cookie && it.taken.wrapping_mul((*last).levels) >= (*last).seen
            });
            if !taken && now.saturating_sub((*last).time) < DATAGRAM_AGE_MAX {
                return Err(Count::DnsBusy);
            }
        }
    }
    let first = Datagrams { origin: *mark, seen: 1, levels: levels(ctx), time: now };
    DATAGRAMS.insert(&key, &first, 0).map_err(|_| Count::NoMemory)
}

/// How many governed cgroups the socket was made in or below: each has this program.
#[inline(always)]
fn levels(ctx: &SkBuffContext) -> u64 {
    let mut found = 0;
    let mut level = 0;
    while level < CGROUP_LEVELS_MAX {
        // SAFETY: a valid context; too deep a level gives 0, which is no cgroup's id.
        let id = unsafe { bpf_skb_ancestor_cgroup_id(ctx.as_ptr().cast(), level) };
        // SAFETY: only its presence is asked for.
        if id != 0 && unsafe { AGENTS.get(&id) }.is_some() {
            found += 1;
        }
        level += 1;
    }
    found
}
