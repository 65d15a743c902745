//! Whose is the socket that listens on an address: the host agent's, or the caller's own agent's?
use crate::{
    caller::Caller,
    context::{TCP, UDP},
    maps::{AGENTS, OURS},
    packet::Packet,
    redirect::sockets,
};
use aya_ebpf::{
    EbpfContext,
    bindings::{
        bpf_sock_tuple, bpf_sock_tuple__bindgen_ty_1__bindgen_ty_1,
        bpf_sock_tuple__bindgen_ty_1__bindgen_ty_2,
    },
    helpers::generated::{bpf_sk_lookup_tcp, bpf_sk_lookup_udp, bpf_sk_release, bpf_sk_storage_get},
    programs::{SkBuffContext, SockAddrContext},
};
use core::{
    ffi::c_void,
    mem::zeroed,
    ptr::{from_ref, null_mut},
};
use interlock_common::{Address, Origin};

/// `BPF_F_CURRENT_NETNS`: look in the network namespace of the context's socket.
const CURRENT_NETNS: u64 = u64::MAX;

/// Whether the socket listening on `address` and `port`, by TCP or UDP, carries the host agent's mark. While the host agent is dead,
/// another process can take the port: it must never be handed an agent's connections.
#[inline(always)]
pub fn is_ours(ctx: *mut c_void, protocol: u32, address: &Address, port: u16) -> bool {
    with_listening(ctx, protocol, address, port, None, |socket| {
        // SAFETY: map and socket are what the helper takes.
        !unsafe { bpf_sk_storage_get(from_ref(&OURS).cast_mut().cast(), socket, null_mut(), 0) }.is_null()
    })
    .unwrap_or(false)
}

/// Whether the socket listening on `address` and `port` was made by a process of the caller's agent, in whichever of
/// its cgroups. Asked again when the SYN leaves: see `may_open`.
#[inline(always)]
pub fn is_same_agents(ctx: &SockAddrContext, address: &Address, port: u16, caller: &Caller) -> bool {
    with_listening(ctx.as_ptr(), TCP, address, port, None, |socket| {
        marked(socket).is_some_and(|mark| is_same_agent(mark, caller))
    })
    .unwrap_or(false)
}

/// Whether a connection may open with this packet: to a socket of the host agent, or of the agent of the packet's own.
/// Both ends are looked up, so that of several sockets that share a port the one is found that would get it.
#[inline(always)]
pub fn may_open(ctx: &SkBuffContext, packet: &Packet, mark: &Origin) -> bool {
    let from = Some((packet.source, packet.source_port));
    // What is left of a connection between the same ends (TIME_WAIT) is found first and is no socket to the helper: the
    // kernel gives the packet to who listens then.
    let answer = opens_to(ctx, packet, from, mark);
    answer.or_else(|| opens_to(ctx, packet, None, mark)).unwrap_or(false)
}

#[inline(always)]
fn opens_to(
    ctx: &SkBuffContext,
    packet: &Packet,
    from: Option<(Address, u16)>,
    mark: &Origin,
) -> Option<bool> {
    with_listening(ctx.as_ptr(), TCP, &packet.destination, packet.destination_port, from, |socket| {
        // SAFETY: map and socket are what the helper takes.
        let ours = unsafe { bpf_sk_storage_get(from_ref(&OURS).cast_mut().cast(), socket, null_mut(), 0) };
        if !ours.is_null() {
            return true;
        }
        let caller = Caller { cgroup: mark.cgroup, generation: mark.generation, key: 0, is_unnamed: false };
        marked(socket).is_some_and(|other| is_same_agent(other, &caller))
    })
}

/// The mark of a governed process's socket.
#[inline(always)]
fn marked<'a>(socket: *mut c_void) -> Option<&'a Origin> {
    // SAFETY: map and socket are what the helper takes; null or a value of the map.
    unsafe { bpf_sk_storage_get(sockets(), socket, null_mut(), 0).cast::<Origin>().as_ref() }
}

/// Whether a socket's maker and the caller are of one agent: of one cgroup, or of two that bear the same name, neither of
/// them inside another agent's.
#[inline(always)]
pub fn is_same_agent(mark: &Origin, caller: &Caller) -> bool {
    if caller.is_unnamed {
        return false;
    }
    if mark.cgroup == caller.cgroup {
        return mark.generation == caller.generation;
    }
    have_one_name(mark.cgroup, Some(mark.generation), caller)
}

/// Whether a cgroup is itself governed as the caller's agent.
#[inline(always)]
pub fn is_same_agent_by_id(cgroup: u64, caller: &Caller) -> bool {
    cgroup == caller.cgroup || have_one_name(cgroup, None, caller)
}

#[inline(always)]
fn have_one_name(cgroup: u64, generation: Option<u64>, caller: &Caller) -> bool {
    // SAFETY: read at once; the generations are compared too, so that a removed entry is none.
    let (Some(one), Some(other)) = (unsafe { (AGENTS.get(&cgroup), AGENTS.get(&caller.cgroup)) }) else {
        return false;
    };
    if generation.is_some_and(|it| it != one.generation) || other.generation != caller.generation {
        return false;
    }
    if one.flags | other.flags != 0 {
        return false;
    }
    let (one, other) = (one.name_words(), other.name_words());
    let mut word = 0;
    while word < one.len() {
        if one[word] != other[word] {
            return false;
        }
        word += 1;
    }
    true
}

/// Asks about the socket that listens on an address (by UDP: takes what is sent there) in the network namespace of the
/// context's socket; `None` if nobody does.
#[inline(always)]
fn with_listening(
    ctx: *mut c_void,
    protocol: u32,
    address: &Address,
    port: u16,
    from: Option<(Address, u16)>,
    ask: impl FnOnce(*mut c_void) -> bool,
) -> Option<bool> {
    // SAFETY: a union of plain integers.
    let mut tuple: bpf_sock_tuple = unsafe { zeroed() };
    let size = if address.is_mapped() {
        tuple.__bindgen_anon_1.ipv4.daddr = address.0[3];
        tuple.__bindgen_anon_1.ipv4.dport = port.to_be();
        if let Some((address, port)) = from {
            tuple.__bindgen_anon_1.ipv4.saddr = address.0[3];
            tuple.__bindgen_anon_1.ipv4.sport = port.to_be();
        }
        size_of::<bpf_sock_tuple__bindgen_ty_1__bindgen_ty_1>()
    } else {
        tuple.__bindgen_anon_1.ipv6.daddr = address.0;
        tuple.__bindgen_anon_1.ipv6.dport = port.to_be();
        if let Some((address, port)) = from {
            tuple.__bindgen_anon_1.ipv6.saddr = address.0;
            tuple.__bindgen_anon_1.ipv6.sport = port.to_be();
        }
        size_of::<bpf_sock_tuple__bindgen_ty_1__bindgen_ty_2>()
    };
    // SAFETY: tuple and size belong together; the socket is released below on the one path that has it.
    unsafe {
        let found = match protocol {
            UDP => bpf_sk_lookup_udp(ctx, &raw mut tuple, size as u32, CURRENT_NETNS, 0),
            _ => bpf_sk_lookup_tcp(ctx, &raw mut tuple, size as u32, CURRENT_NETNS, 0),
        };
        if found.is_null() {
            return None;
        }
        let answer = ask(found.cast());
        bpf_sk_release(found.cast());
        Some(answer)
    }
}
