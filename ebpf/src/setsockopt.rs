//! `setsockopt(2)`: options that could lead packets around the other hooks are refused.
//!
//! Numbers are those of Linux's uapi headers: asm-generic/socket.h, linux/in.h, linux/in6.h, linux/tcp.h, linux/udp.h.
//! What gets by here, such as the same options as ancillary data, the packet hooks drop.
use crate::{
    counts::{ALLOW, DENY, count},
    redirect::sockets,
    refusals::{Attempt, tell_of_socket},
};
use aya_ebpf::{
    helpers::{bpf_get_current_cgroup_id, generated::bpf_sk_storage_get},
    macros::cgroup_sockopt,
    programs::SockoptContext,
};
use core::ptr::{addr_of, addr_of_mut, null_mut, read_volatile, write_volatile};
use interlock_common::{Count, Origin};

const SOL_IP: i32 = 0;
const SOL_SOCKET: i32 = 1;
const SOL_TCP: i32 = 6;
const SOL_UDP: i32 = 17;
const SOL_IPV6: i32 = 41;

/// The most of a value that the kernel shows to a program. It fails calls with more, unless the program says that it
/// leaves the value alone.
const SHOWN_BYTES: i32 = 4096;

#[cgroup_sockopt(setsockopt)]
pub fn setsockopt(ctx: SockoptContext) -> i32 {
    // SAFETY: the context is valid for the whole run; volatile as in `context`.
    let (level, name) = unsafe {
        (read_volatile(addr_of!((*ctx.sockopt).level)), read_volatile(addr_of!((*ctx.sockopt).optname)))
    };
    // SAFETY: as above.
    unsafe {
        if read_volatile(addr_of!((*ctx.sockopt).optlen)) > SHOWN_BYTES {
            // 0: the kernel goes on with the caller's own value.
            write_volatile(addr_of_mut!((*ctx.sockopt).optlen), 0);
        }
    }
    if !is_refused(level, name) {
        return ALLOW;
    }
    count(Count::SocketOption);
    // Before Linux 6.1 a program of this kind can't ask who the current task is: the socket's mark says who made it.
    // SAFETY: map and socket are what the helper takes; the context is valid.
    let (mark, cgroup) = unsafe {
        let socket = read_volatile(addr_of!((*ctx.sockopt).__bindgen_anon_1.sk));
        let mark = match socket.is_null() {
            true => null_mut(),
            false => bpf_sk_storage_get(sockets(), socket.cast(), null_mut(), 0).cast::<Origin>(),
        };
        (mark.as_ref(), bpf_get_current_cgroup_id())
    };
    let attempt = Attempt { detail: [level as u32, name as u32], ..Attempt::default() };
    tell_of_socket(Count::SocketOption, attempt, mark, cgroup);
    DENY
}

#[inline(always)]
fn is_refused(level: i32, name: i32) -> bool {
    match level {
        // SO_BINDTODEVICE, SO_MARK, SO_ATTACH_REUSEPORT_CBPF, _EBPF (choose which server gets a connection),
        // SO_BINDTOIFINDEX
        SOL_SOCKET => matches!(name, 25 | 36 | 51 | 52 | 62),
        SOL_IP => matches!(
            name,
            // IP_HDRINCL, IP_OPTIONS (source routing), IP_RETOPTS, IP_FREEBIND (the answer would go out to the source),
            // IP_IPSEC_POLICY, IP_XFRM_POLICY, IP_TRANSPARENT
            3 | 4 | 7 | 15 | 16 | 17 | 19
            // IP_MULTICAST_IF, IP_ADD_MEMBERSHIP, IP_ADD_SOURCE_MEMBERSHIP, IP_MSFILTER, MCAST_JOIN_GROUP
            | 32 | 35 | 39 | 41 | 42
            // MCAST_JOIN_SOURCE_GROUP, MCAST_MSFILTER, IP_UNICAST_IF, IPT_SO_SET_REPLACE and _ADD_COUNTERS
            | 46 | 48 | 50 | 64 | 65
        ),
        SOL_IPV6 => matches!(
            name,
            // IPV6_2292PKTINFO, _2292HOPOPTS, _2292DSTOPTS, _2292RTHDR, _2292PKTOPTIONS, IPV6_MULTICAST_IF
            2 | 3 | 4 | 5 | 6 | 17
            // IPV6_ADD_MEMBERSHIP, IPV6_JOIN_ANYCAST, IPV6_IPSEC_POLICY, IPV6_XFRM_POLICY, IPV6_HDRINCL
            | 20 | 27 | 34 | 35 | 36
            // MCAST_JOIN_GROUP, MCAST_JOIN_SOURCE_GROUP, MCAST_MSFILTER, IP6T_SO_SET_REPLACE and _ADD_COUNTERS
            | 42 | 46 | 48 | 64 | 65
            // IPV6_PKTINFO, IPV6_HOPOPTS, IPV6_RTHDRDSTOPTS, IPV6_RTHDR (source routing), IPV6_DSTOPTS
            | 50 | 54 | 55 | 57 | 59
            // IPV6_TRANSPARENT, IPV6_UNICAST_IF, IPV6_FREEBIND
            | 75 | 76 | 78
        ),
        // TCP_REPAIR (connects without a packet), TCP_ULP (another protocol takes the connection over)
        SOL_TCP => matches!(name, 19 | 31),
        // UDP_ENCAP
        SOL_UDP => name == 100,
        _ => false,
    }
}
