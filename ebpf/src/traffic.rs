//! What both directions of a governed socket's packets have in common: the second layer behind the hooks that see
//! calls. Whatever those missed, a packet goes nowhere but over the loopback interface, to where a hook has sent it.
use crate::{
    counts::{ALLOW, DENY, count},
    datagram,
    packet::{self, LOOPBACK, Packet},
    redirect::sockets,
    refusals::{Attempt, tell_of_socket},
};
use aya_ebpf::{
    EbpfContext,
    helpers::generated::{bpf_sk_storage_get, bpf_skb_cgroup_id},
    programs::SkBuffContext,
};
use core::ptr::null_mut;
use interlock_common::{Address, Count, Origin};

/// Decides on a packet with `more`, which is what the direction adds, and on its socket's mark and loopback itself.
/// `far` is the end that is not ours.
#[inline(always)]
pub fn decide(
    ctx: &SkBuffContext,
    far: impl Fn(&Packet) -> (Address, u16),
    more: impl Fn(&SkBuffContext, &Packet, &Origin) -> Result<(), Count>,
) -> i32 {
    let socket = packet::socket(ctx);
    if socket.is_null() {
        return DENY; // The kernel runs these hooks only for packets of a socket.
    }
    // SAFETY: map and socket are what the helper takes.
    let mark = unsafe { bpf_sk_storage_get(sockets(), socket, null_mut(), 0) }.cast::<Origin>();
    // SAFETY: null or a value of the map.
    let mark = unsafe { mark.as_ref() };
    let interface = packet::interface(ctx);
    let packet = packet::read(ctx);
    let decision = match (&packet, mark) {
        (_, None) => Err(Count::ForeignSocket),
        (Err(reason), _) => Err(*reason),
        (Ok(packet), Some(mark)) => {
            let (address, port) = far(packet);
            if packet.protocol == packet::UDP && !datagram::answers() {
                passed(port)
            } else if packet.protocol == packet::UDP && (mark.via_port != port || mark.port != packet::DNS) {
                // The host agent's end, and of lookups.
                Err(Count::Datagram)
            } else if interface != LOOPBACK || !address.reaches_loopback() {
                Err(Count::Interface)
            } else {
                more(ctx, packet, mark)
            }
        }
    };
    let Err(reason) = decision else { return ALLOW };
    count(reason);
    let (address, port, protocol) = match &packet {
        Ok(packet) => {
            let (address, port) = far(packet);
            (Some(address), port, u32::from(packet.protocol))
        }
        Err(_) => (None, 0, 0),
    };
    // SAFETY: a valid context.
    let cgroup = unsafe { bpf_skb_cgroup_id(ctx.as_ptr().cast()) };
    let attempt = Attempt { address, port, detail: [interface, protocol], ..Attempt::default() };
    tell_of_socket(reason, attempt, mark, cgroup);
    DENY
}

/// Where the host agent does not answer, datagrams go to and come from name servers alone, and only while it says so.
#[inline(always)]
fn passed(port: u16) -> Result<(), Count> {
    match datagram::passes() && port == packet::DNS {
        true => Ok(()),
        false => Err(Count::Datagram),
    }
}
