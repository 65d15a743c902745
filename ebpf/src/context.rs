//! The kernel's `bpf_sock_addr`, read and written only in the widths that the verifier takes.
//!
//! Volatile, because the compiler would merge neighbouring accesses into wider ones, which the verifier refuses.
use crate::refusals::Attempt;
use aya_ebpf::programs::SockAddrContext;
use core::{
    ffi::c_void,
    ptr::{addr_of, addr_of_mut, read_volatile, write_volatile},
};
use interlock_common::Address;

/// `IPPROTO_TCP`.
pub const TCP: u32 = 6;
/// `IPPROTO_UDP`.
pub const UDP: u32 = 17;

/// The socket's protocol, `IPPROTO_*`.
#[inline(always)]
pub fn protocol(ctx: &SockAddrContext) -> u32 {
    // SAFETY: the context is valid for the whole run of the program.
    unsafe { read_volatile(addr_of!((*ctx.sock_addr).protocol)) }
}

/// The socket, as the helpers take it.
#[inline(always)]
pub fn socket(ctx: &SockAddrContext) -> *mut c_void {
    // SAFETY: as above; the union has one member besides padding.
    unsafe { read_volatile(addr_of!((*ctx.sock_addr).__bindgen_anon_1.sk)) }.cast()
}

/// The port of the call, in host byte order.
#[inline(always)]
pub fn port(ctx: &SockAddrContext) -> u16 {
    // SAFETY: as above.
    u16::from_be(unsafe { read_volatile(addr_of!((*ctx.sock_addr).user_port)) } as u16)
}

/// The IPv4 address of the call.
#[inline(always)]
pub fn address4(ctx: &SockAddrContext) -> Address {
    // SAFETY: as above.
    Address::mapped(unsafe { read_volatile(addr_of!((*ctx.sock_addr).user_ip4)) })
}

/// The IPv6 address of the call, which may be a mapped one.
#[inline(always)]
pub fn address6(ctx: &SockAddrContext) -> Address {
    let context = ctx.sock_addr;
    // SAFETY: as above.
    unsafe {
        Address([
            read_volatile(addr_of!((*context).user_ip6[0])),
            read_volatile(addr_of!((*context).user_ip6[1])),
            read_volatile(addr_of!((*context).user_ip6[2])),
            read_volatile(addr_of!((*context).user_ip6[3])),
        ])
    }
}

/// Replaces address and port of an IPv4 call.
#[inline(always)]
pub fn set4(ctx: &SockAddrContext, address: &Address, port: u16) {
    let context = ctx.sock_addr;
    // SAFETY: as above.
    unsafe {
        write_volatile(addr_of_mut!((*context).user_ip4), address.0[3]);
        write_volatile(addr_of_mut!((*context).user_port), u32::from(port.to_be()));
    }
}

/// Replaces address and port of an IPv6 call.
#[inline(always)]
pub fn set6(ctx: &SockAddrContext, address: &Address, port: u16) {
    let context = ctx.sock_addr;
    // SAFETY: as above.
    unsafe {
        write_volatile(addr_of_mut!((*context).user_ip6[0]), address.0[0]);
        write_volatile(addr_of_mut!((*context).user_ip6[1]), address.0[1]);
        write_volatile(addr_of_mut!((*context).user_ip6[2]), address.0[2]);
        write_volatile(addr_of_mut!((*context).user_ip6[3]), address.0[3]);
        write_volatile(addr_of_mut!((*context).user_port), u32::from(port.to_be()));
    }
}

/// What the call attempts, for a row, but for its address.
#[inline(always)]
pub fn attempt(ctx: &SockAddrContext) -> Attempt<'static> {
    // SAFETY: as above.
    let (family, kind) = unsafe {
        (read_volatile(addr_of!((*ctx.sock_addr).family)), read_volatile(addr_of!((*ctx.sock_addr).type_)))
    };
    Attempt { port: port(ctx), family, detail: [kind, protocol(ctx)], ..Attempt::default() }
}
